//! Machines that are a few flags: they take commands, keep Beanstalk's marker, and can be told how to behave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;

use super::{CommandOutcome, LaunchSpec, Launched, MachineError, RunCommand};

/// Tells whether a rule is meant for a script.
type Matcher = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The simulated machines of a sandbox.
#[derive(Clone, Default)]
pub(crate) struct Simulated {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    machines: BTreeMap<String, Machine>,
    /// Images that carry the marker.
    marked_images: BTreeSet<String>,
    rules: Vec<(Matcher, CommandOutcome)>,
    /// Scripts that hang, and for how many looks they show as in progress.
    hanging: Vec<(Matcher, u32)>,
}

#[derive(Clone, Default)]
struct Machine {
    running: bool,
    marked: bool,
    launched_marked: bool,
    /// The detached units that were started, by name, and whether the machine has been up since.
    units: BTreeMap<String, bool>,
    /// The contents that were sent, by digest: how much of them is there. Whoever sends says how much the whole is.
    contents: BTreeMap<String, (usize, usize)>,
}

impl fmt::Debug for Simulated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Simulated")
    }
}

impl Simulated {
    /// From now on a script that `matcher` accepts has this outcome; the newest rule wins.
    pub(crate) fn set_result(
        &self,
        matcher: impl Fn(&str) -> bool + Send + Sync + 'static,
        outcome: CommandOutcome,
    ) {
        self.world().rules.push((Arc::new(matcher), outcome));
    }

    /// From now on a script that `matcher` accepts hangs for so many looks; the newest rule wins.
    pub(crate) fn set_hanging(
        &self,
        matcher: impl Fn(&str) -> bool + Send + Sync + 'static,
        looks: u32,
    ) {
        self.world().hanging.push((Arc::new(matcher), looks));
    }

    pub(super) fn hangs(&self, script: &str) -> Option<u32> {
        let world = self.world();
        let rule = world.hanging.iter().rev().find(|(fits, _)| fits(script));
        rule.map(|(_, looks)| *looks)
    }

    pub(super) fn launch(&self, spec: &LaunchSpec) -> Launched {
        let mut world = self.world();
        let marked = world.marked_images.contains(&spec.image_id);
        world.machines.insert(
            spec.instance_id.clone(),
            Machine {
                running: true,
                marked,
                launched_marked: marked,
                units: BTreeMap::new(),
                contents: BTreeMap::new(),
            },
        );
        Launched { address: None }
    }

    pub(super) fn start(&self, instance_id: &str) -> Result<Launched, MachineError> {
        self.machine(instance_id, |machine| machine.running = true)?;
        Ok(Launched { address: None })
    }

    pub(super) fn stop(&self, instance_id: &str) -> Result<(), MachineError> {
        self.machine(instance_id, |machine| {
            machine.running = false;
            for up in machine.units.values_mut() {
                *up = false;
            }
        })
    }

    pub(super) fn terminate(&self, instance_id: &str) {
        self.world().machines.remove(instance_id);
    }

    pub(super) fn capture(&self, instance_id: &str, image_id: &str) -> Result<(), MachineError> {
        let marked = self.machine(instance_id, |machine| machine.marked)?;
        if marked {
            self.world().marked_images.insert(image_id.to_owned());
        }
        Ok(())
    }

    pub(super) fn discard(&self, image_id: &str) {
        self.world().marked_images.remove(image_id);
    }

    pub(super) fn agent_answers(&self, instance_id: &str) -> bool {
        self.machine(instance_id, |machine| machine.running)
            .unwrap_or(false)
    }

    pub(super) fn launched_from_marked(&self, instance_id: &str) -> bool {
        self.machine(instance_id, |machine| machine.launched_marked)
            .unwrap_or(false)
    }

    pub(super) fn deployed(&self, instance_id: &str) {
        if let Some(machine) = self.world().machines.get_mut(instance_id) {
            machine.marked = true;
        }
    }

    pub(super) fn run_command(
        &self,
        instance_id: &str,
        command: &RunCommand,
    ) -> Result<CommandOutcome, MachineError> {
        let rule = self
            .world()
            .rules
            .iter()
            .rev()
            .find(|(matches, _)| matches(&command.script))
            .map(|(_, outcome)| outcome.clone());
        let answer = self.machine(instance_id, |machine| {
            machine.obey(instance_id, &command.script)
        })?;
        Ok(rule.unwrap_or(CommandOutcome {
            stdout: answer,
            ..CommandOutcome::default()
        }))
    }

    pub(super) fn console(instance_id: &str) -> String {
        format!("simulated machine {instance_id}\n")
    }

    fn machine<T>(
        &self,
        instance_id: &str,
        act: impl FnOnce(&mut Machine) -> T,
    ) -> Result<T, MachineError> {
        self.world()
            .machines
            .get_mut(instance_id)
            .map(act)
            .ok_or_else(|| MachineError(format!("there is no machine {instance_id}")))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// Answers a node script: its second line is `# goldseed VERB UNIT …`. Any other script succeeds without output.
    fn obey(&mut self, instance_id: &str, script: &str) -> String {
        let mut words = script.lines().nth(1).unwrap_or_default().split_whitespace();
        if (words.next(), words.next()) != (Some("#"), Some("goldseed")) {
            return String::new();
        }
        let verb = words.next().unwrap_or_default();
        let unit = words.next().unwrap_or_default();
        let mut fresh = "no";
        let mut log = String::new();
        let mut taken = 0;
        let state = match verb {
            "probe" => "ready",
            "need" => {
                log = self.lacking(script);
                "ready"
            }
            "put" => {
                taken = self.take(script);
                "ready"
            }
            "start" => {
                if !self.units.contains_key(unit) {
                    fresh = "yes";
                    self.units.insert(unit.to_owned(), true);
                    if unit.contains("generalise") {
                        self.marked = false;
                        self.contents.clear();
                    }
                }
                self.state(unit)
            }
            "follow" | "stop" => self.state(unit),
            "booted" => {
                let attempts = format!("{unit}-a");
                let up = |(name, up): (&String, &bool)| *up && name.starts_with(&attempts);
                if self.units.iter().any(up) {
                    "absent"
                } else {
                    "ready"
                }
            }
            _ => return String::new(),
        };
        // What asks for its identity is answered with marks of this very machine.
        if state == "finished" && unit.contains("-identity-") {
            log = format!("machine-id {instance_id}\nssh_host_ed25519_key {instance_id}\n");
        }
        let data = base64::engine::general_purpose::STANDARD.encode(&log);
        let offset = log.len() + taken;
        format!("goldseed 1\nstate {state}\ncode 0\nfresh {fresh}\noffset {offset}\ndata {data}\n")
    }

    /// Of the contents that stand in the command's here-document, those that are not all there, and how much of them is.
    fn lacking(&self, script: &str) -> String {
        let mut text = String::new();
        for line in sent(script) {
            let digest = line.split('\t').next().unwrap_or_default();
            match self.contents.get(digest) {
                Some((has, total)) if has >= total => {}
                known => {
                    let has = known.map_or(0, |(has, _)| *has);
                    text.extend([digest, " ", &has.to_string(), "\n"]);
                }
            }
        }
        text
    }

    /// Takes a part of a content that goes on where the last one ended; tells how much is there now.
    fn take(&mut self, script: &str) -> usize {
        let value = |name: &str| {
            let mut lines = script.lines().filter_map(|line| line.split_once('='));
            let found = lines.find(|(key, _)| *key == name);
            found.map_or("", |(_, value)| value)
        };
        let number = |name: &str| value(name).parse::<usize>().unwrap_or(0);
        let known = self.contents.entry(value("content").to_owned());
        let (has, _) = known.or_insert((0, number("total")));
        if *has == number("at") {
            *has += unpacked(script);
        }
        *has
    }

    /// What a unit is doing: its end lies in memory, that it was started on the disk.
    fn state(&self, unit: &str) -> &'static str {
        match self.units.get(unit) {
            Some(true) => "finished",
            Some(false) => "interrupted",
            None => "absent",
        }
    }
}

/// The lines of a command's here-document.
fn sent(script: &str) -> impl Iterator<Item = &str> {
    let lines = script
        .lines()
        .skip_while(|line| !line.ends_with("<<'PART'"));
    lines.skip(1).take_while(|line| *line != "PART")
}

/// How many bytes a command's here-document holds, unpacked; none where it is damaged.
fn unpacked(script: &str) -> usize {
    let packed = sent(script).collect::<String>();
    let packed = base64::engine::general_purpose::STANDARD.decode(packed);
    let mut bytes = Vec::new();
    let read = packed.map(|packed| {
        let mut decoder = flate2::read::GzDecoder::new(packed.as_slice());
        std::io::Read::read_to_end(&mut decoder, &mut bytes)
    });
    match read {
        Ok(Ok(length)) => length,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn world_with(instance: &str, image: &str) -> Simulated {
        let machines = Simulated::default();
        launch(&machines, instance, image);
        machines
    }

    fn launch(machines: &Simulated, instance: &str, image: &str) {
        machines.launch(&LaunchSpec {
            instance_id: instance.to_owned(),
            image_id: image.to_owned(),
            region: "eu-central-1".to_owned(),
            private_ip: None,
        });
    }

    fn run(machines: &Simulated, instance: &str, script: &str) -> CommandOutcome {
        machines
            .run_command(
                instance,
                &RunCommand {
                    command_id: "c".to_owned(),
                    script: script.to_owned(),
                    working_directory: None,
                    timeout: Duration::from_secs(1),
                },
            )
            .unwrap()
    }

    #[test]
    fn an_image_carries_the_marker_until_its_machine_was_generalised() {
        let machines = world_with("i-1", "ami-stock");
        machines.deployed("i-1");
        machines.capture("i-1", "ami-raw").unwrap();
        launch(&machines, "i-2", "ami-raw");
        assert!(machines.launched_from_marked("i-2"));
        run(
            &machines,
            "i-2",
            "#!/bin/sh\n# goldseed start goldseed-r1-generalise 0\n",
        );
        machines.capture("i-2", "ami-golden").unwrap();
        launch(&machines, "i-3", "ami-golden");
        assert!(!machines.launched_from_marked("i-3"));
    }

    #[test]
    fn units_are_known_once_they_were_started() {
        let machines = world_with("i-1", "ami-stock");
        let follow = "#!/bin/sh\n# goldseed follow goldseed-r1-apply-a1 0\n";
        assert!(
            run(&machines, "i-1", follow)
                .stdout
                .contains("state absent")
        );
        run(
            &machines,
            "i-1",
            "#!/bin/sh\n# goldseed start goldseed-r1-apply-a1\n",
        );
        assert!(
            run(&machines, "i-1", follow)
                .stdout
                .contains("state finished")
        );
        assert_eq!(run(&machines, "i-1", "true").stdout, "");

        let booted = "#!/bin/sh\n# goldseed booted goldseed-r1-apply\n";
        let state = |script: &str| run(&machines, "i-1", script).stdout;
        assert!(state(booted).contains("state absent"));
        machines.stop("i-1").unwrap();
        machines.start("i-1").unwrap();
        assert!(state(follow).contains("state interrupted"));
        assert!(state(booted).contains("state ready"));
    }

    #[test]
    fn the_newest_rule_decides_the_outcome() {
        let machines = world_with("i-1", "ami-stock");
        for code in [3, 4] {
            machines.set_result(
                |script| script.contains("broken"),
                CommandOutcome {
                    code,
                    ..CommandOutcome::default()
                },
            );
        }
        assert_eq!(run(&machines, "i-1", "echo broken").code, 4);
        assert_eq!(run(&machines, "i-1", "echo fine").code, 0);
    }
}
