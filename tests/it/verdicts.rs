//! What may happen to a machine or an image in the middle of a run: each ends in a clear verdict, and the run goes on
//! from there to where it would have gone.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use goldseed::sandbox::{Behaviour, Fate, Hook, Request};

use super::world::{Image, Output, World};

/// Runs a command of the node: `start`, `follow`, …, on a unit whose name ends so.
fn asks(request: &Request, verb: &str, unit: &str) -> bool {
    request.operation == "SendCommand" && {
        let script = request.parameters["Parameters"]["commands"].to_string();
        script.contains(&format!("# goldseed {verb} ")) && script.contains(&format!("-{unit}-a"))
    }
}

fn begins_recipes(request: &Request) -> bool {
    asks(request, "start", "apply")
}

/// Says what a run that failed said: its code and all of these.
fn assert_says(output: &Output, code: i32, texts: &[&str]) {
    assert_eq!(output.code, Some(code), "{output}");
    // Hints are wrapped.
    let said = output
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for text in texts {
        assert!(said.contains(text), "`{text}` is not said: {output}");
    }
}

/// The run has come to its end: one golden image, in service, and nothing is left over.
fn assert_done(world: &World, launches: usize) {
    let golden: Vec<_> = world
        .images("golden")
        .into_iter()
        .filter(Image::is_usable)
        .collect();
    assert_eq!(golden.len(), 1, "golden images");
    assert_eq!(golden[0].tags["goldseed:proved"], "boot");
    assert_eq!(world.base_image().as_ref(), Some(&golden[0].id));
    assert!(!world.images("raw").iter().any(Image::is_usable));
    assert!(world.machines().is_empty(), "{:?}", world.machines());
    assert_eq!(world.launches(), launches, "machines launched");
}

fn terminate(world: &World, id: &str) {
    let call = world.ec2().terminate_instances().instance_ids(id);
    world.wait_for(call.send()).unwrap();
}

fn stop(world: &World, id: &str) {
    let call = world.ec2().stop_instances().instance_ids(id);
    world.wait_for(call.send()).unwrap();
}

/// A rebuild that is killed when it asks for this, which is not done.
fn killed(world: &World, at: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseRequest, at);
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

#[test]
fn an_image_that_always_fails_is_given_up_and_its_run_goes_on() {
    let world = World::new();
    world.sandbox.behave("golden-", Behaviour::FailsToImage);
    let output = world.run(["rebuild", "shop"]);
    assert_says(
        &output,
        5,
        &["failed", "was not touched", "goldseed resume"],
    );
    assert_eq!(world.images("golden").len(), 3, "{output}");
    assert_eq!(world.base_image(), None);
    world.sandbox.behave("golden-", Behaviour::Well);
    world.succeed(["resume", &output.run_id()]);
    assert_done(&world, 2);
}

#[test]
fn a_source_that_is_gone_before_its_image_ends_the_run_for_good() {
    let world = World::new();
    let source: Arc<OnceLock<String>> = Arc::default();
    let named = Arc::clone(&source);
    let takes = move |request: &Request| {
        request.operation == "CreateImage" && {
            let id = request.parameter("InstanceId").unwrap();
            named.set(id.to_owned()).is_ok()
        }
    };
    let output = world.meanwhile(["rebuild", "shop"], takes, || {
        terminate(&world, source.wait());
    });
    assert_says(
        &output,
        5,
        &[
            "error: the source instance",
            "began with it and cannot go on",
            "goldseed abandon",
        ],
    );
    assert!(world.images("raw").is_empty(), "{output}");
}

#[test]
fn a_source_that_goes_while_its_image_is_made_ends_nothing() {
    let world = World::new();
    world.sandbox.behave("-raw-", Behaviour::StaysPending);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "CreateImage"
    });
    let output = world.goldseed(["build", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    let requests = world.sandbox.requests();
    let taken = requests.iter().find(|one| one.operation == "CreateImage");
    let source = taken.unwrap().parameters["InstanceId"].as_str().unwrap();
    terminate(&world, source);
    world.until_instance(source, "terminated");
    // Six hours of waiting pass in a fifth of a second.
    let run = output.run_id();
    let pending = world
        .goldseed(["resume", &run])
        .env("GOLDSEED_PACE", "0.00001")
        .run();
    assert_says(&pending, 5, &["is still pending", "waits for it again"]);
    assert!(!pending.stderr.contains("cannot go on"), "{pending}");
    world.sandbox.behave("-raw-", Behaviour::Well);
    world.succeed(["resume", &run]);
    assert_eq!(world.images("golden").len(), 1);
}

#[test]
fn volumes_go_with_the_machines_of_a_run_and_stay_in_the_fleet_where_the_image_says_so() {
    use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, InstanceType, VolumeType};
    let world = World::new();
    let (stock, subnet) = world.sandbox.ground();
    // A base image with a data volume that outlives its machine.
    let data = EbsBlockDevice::builder()
        .volume_size(20)
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(false);
    let data = BlockDeviceMapping::builder()
        .device_name("/dev/xvdf")
        .ebs(data.build());
    let client = world.ec2();
    let launch = client
        .run_instances()
        .image_id(stock)
        .subnet_id(subnet)
        .instance_type(InstanceType::T3Small)
        .block_device_mappings(data.build())
        .min_count(1)
        .max_count(1);
    let launched = world.wait_for(launch.send()).unwrap();
    let machine = launched.instances()[0].instance_id().unwrap();
    world.until_instance(machine, "running");
    let image = client.create_image().instance_id(machine).name("with-data");
    let image = world.wait_for(image.send()).unwrap();
    let image = image.image_id().unwrap();
    world.until_available(image);
    terminate(&world, machine);
    world.until_instance(machine, "terminated");

    let lasting = |image: &str| {
        let call = client.describe_images().image_ids(image);
        let answer = world.wait_for(call.send()).unwrap();
        let volumes = answer.images()[0].block_device_mappings();
        let lasting = volumes.iter().map(|one| {
            let volume = one.ebs().unwrap();
            let lasts = volume.delete_on_termination() == Some(false);
            (one.device_name().unwrap().to_owned(), lasts)
        });
        lasting.collect::<Vec<_>>()
    };
    let volumes = || {
        let answer = world.wait_for(client.describe_volumes().send()).unwrap();
        let sizes = answer.volumes().iter().map(|one| one.size().unwrap());
        sizes.filter(|size| *size == 20).count()
    };
    let wanted = [
        ("/dev/xvda".to_owned(), false),
        ("/dev/xvdf".to_owned(), true),
    ];
    assert_eq!(lasting(image), wanted);
    let before = volumes();
    world.edit("    seed:", &format!("    source: {image}\n    seed:"));
    world.succeed(["build", "shop"]);
    let [golden] = world.images("golden").try_into().unwrap();
    assert_eq!(lasting(&golden.id), wanted, "the golden image");
    // The seed and the machine that proved are shutting down.
    for machine in world.sandbox.world()["instances"].as_array().unwrap() {
        if machine["tags"]["goldseed:role"].is_string() {
            world.until_instance(machine["id"].as_str().unwrap(), "terminated");
        }
    }
    assert_eq!(world.launches(), 2);
    assert_eq!(volumes(), before, "volumes of ours are left over");
}

#[test]
fn a_disabled_image_is_seen_refused_by_name_and_its_quarantine_holds() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let [golden] = world.images("golden").try_into().unwrap();
    let disable = |id: &str| {
        let call = world.ec2().disable_image().image_id(id);
        world.wait_for(call.send()).unwrap();
    };
    let quarantine = aws_sdk_ec2::types::Tag::builder()
        .key("goldseed:quarantined")
        .value("it was not well");
    let tag = world
        .ec2()
        .create_tags()
        .resources(&golden.id)
        .tags(quarantine.build());
    world.wait_for(tag.send()).unwrap();
    disable(&golden.id);
    let named = world.run(["promote", "shop", "--image", &golden.id]);
    assert_says(&named, 4, &["is disabled, not available"]);
    let again = world.run(["rebuild", "shop"]);
    assert_says(&again, 4, &["quarantine"]);
    assert_eq!(world.count("UpdateEnvironment"), 0);
}

#[test]
fn an_environment_that_is_made_anew_in_the_middle_is_told_and_its_run_can_be_given_up() {
    let world = World::new();
    let run = killed(&world, begins_recipes).run_id();
    world.replace_environment();
    let output = world.run(["resume", &run]);
    assert_says(
        &output,
        5,
        &[
            "shop-prod is another environment now (e-",
            "this run began with e-",
            &format!("goldseed abandon {run}"),
        ],
    );
    assert!(!output.stderr.contains("goldseed resume"), "{output}");
    world.succeed(["abandon", &run]);
    assert!(world.machines().is_empty());
    world.succeed(["rebuild", "shop"]);
}

#[test]
fn a_seed_that_is_terminated_in_the_middle_is_replaced() {
    let world = World::new();
    let end = || terminate(&world, &world.machine("seed"));
    let output = world.meanwhile(["rebuild", "shop"], begins_recipes, end);
    assert_says(
        &output,
        5,
        &[
            "went away in the middle",
            "one that is gone is replaced",
            "goldseed resume",
        ],
    );
    let resumed = world.succeed(["resume", &output.run_id()]);
    assert!(
        resumed.stderr.contains("another one is launched"),
        "{resumed}"
    );
    assert_done(&world, 3);
}

#[test]
fn a_seed_that_is_stopped_in_the_middle_is_started_again() {
    let world = World::new();
    let end = || stop(&world, &world.machine("seed"));
    let output = world.meanwhile(["rebuild", "shop"], begins_recipes, end);
    assert_says(&output, 5, &["went away in the middle", "goldseed resume"]);
    let resumed = world.succeed(["resume", &output.run_id()]);
    assert!(
        resumed.stderr.contains("was stopped: it is started again"),
        "{resumed}"
    );
    assert_done(&world, 2);
}

#[test]
fn a_seed_whose_start_nobody_saw_gets_its_recipes_once_more() {
    let world = World::new();
    let output = killed(&world, |request| asks(request, "start", "generalise"));
    let seed = world.machine("seed");
    stop(&world, &seed);
    world.until_instance(&seed, "stopped");
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "StartInstances"
    });
    let id = output.run_id();
    let resumed = world.goldseed(["resume", &id]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(resumed.code, None, "{resumed}");
    world.until_instance(&seed, "running");
    world.succeed(["resume", &id]);
    let requests = world.sandbox.requests();
    let started = requests
        .iter()
        .position(|one| one.operation == "StartInstances");
    let mut after = requests[started.unwrap()..].iter();
    assert!(after.any(|one| {
        let text = one.parameters.to_string();
        text.contains("# goldseed start ") && text.contains("-apply-a")
    }));
    assert_done(&world, 2);
}

#[test]
fn a_seed_that_is_in_no_record_and_stopped_is_found_and_started() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "RunInstances" && request.parameters["DryRun"] != "true"
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    let seed = world.machine("seed");
    world.until_instance(&seed, "running");
    stop(&world, &seed);
    world.until_instance(&seed, "stopped");
    world.succeed(["resume", &output.run_id()]);
    assert_done(&world, 2);
}

#[test]
fn a_generalised_seed_that_somebody_starts_is_generalised_again() {
    let world = World::new();
    let output = killed(&world, |request| {
        request.operation == "CreateImage"
            && request
                .parameter("Name")
                .is_some_and(|name| name.contains("-golden-"))
    });
    let seed = world.machine("seed");
    let call = world.ec2().start_instances().instance_ids(&seed);
    world.wait_for(call.send()).unwrap();
    let resumed = world.succeed(["resume", &output.run_id()]);
    assert!(
        resumed.stderr.contains("it is generalised again"),
        "{resumed}"
    );
    let generalised = world.sandbox.requests();
    let generalised = generalised.iter().filter(|one| {
        let text = one.parameters.to_string();
        one.operation == "SendCommand"
            && text.contains("# goldseed start ")
            && text.contains("-generalise-a")
    });
    assert!(generalised.count() >= 2);
    assert_done(&world, 2);
}

#[test]
fn a_seed_that_is_stopped_before_it_is_generalised_is_started_first() {
    let world = World::new();
    // Its agent is taken for online for a while after its stop.
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "StopInstances" {
            Fate::refused("UnauthorizedOperation", "not you")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    assert_says(&output, 5, &["the permission for StopInstances"]);
    world.sandbox.set_hook(None);
    let id = output.run_id();
    let seed = world.machine("seed");
    stop(&world, &seed);
    world.until_instance(&seed, "stopped");
    world.succeed(["resume", &id]);
    assert_done(&world, 2);
}

#[test]
fn a_seed_that_is_gone_before_its_image_is_replaced() {
    let world = World::new();
    let output = killed(&world, |request| {
        request.operation == "CreateImage"
            && request
                .parameter("Name")
                .is_some_and(|name| name.contains("-golden-"))
    });
    terminate(&world, &world.machine("seed"));
    world.succeed(["resume", &output.run_id()]);
    assert_done(&world, 3);
}

#[test]
fn a_machine_that_proves_and_dies_is_replaced() {
    for end in [terminate, stop] {
        let world = World::new();
        let output = killed(&world, |request| asks(request, "start", "proof-checks"));
        end(&world, &world.machine("proof"));
        world.succeed(["resume", &output.run_id()]);
        assert_done(&world, 3);
    }
}

#[test]
fn machines_that_are_replaced_again_and_again_are_none_that_died_at_once() {
    let world = World::new();
    let id = killed(&world, |request| asks(request, "start", "proof-checks")).run_id();
    for _ in 0..3 {
        terminate(&world, &world.machine("proof"));
        let pid: Arc<OnceLock<u32>> = Arc::default();
        world.signal_at(&pid, "KILL", Fate::LoseRequest, |request| {
            asks(request, "start", "proof-checks")
        });
        let output = world.goldseed(["resume", &id]).run_as(&pid);
        assert_eq!(output.code, None, "{output}");
        world.sandbox.set_hook(None);
    }
    world.succeed(["resume", &id]);
    assert_done(&world, 5);
}

#[test]
fn a_machine_that_proves_and_is_in_no_record_and_stopped_is_replaced() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "RunInstances" && request.parameters.to_string().contains("\"proof\"")
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    let proof = world.machine("proof");
    world.until_instance(&proof, "running");
    stop(&world, &proof);
    world.until_instance(&proof, "stopped");
    let before = world.sandbox.requests().len();
    let resumed = world.succeed(["resume", &output.run_id()]);
    assert!(resumed.stderr.contains("launched again"), "{resumed}");
    assert_done(&world, 3);
    // It is looked at twice, with a pause in between, before another one takes its place.
    let requests = world.sandbox.requests().split_off(before);
    let at = |operation: &str| requests.iter().position(|one| one.operation == operation);
    let (ended, launched) = (at("TerminateInstances"), at("RunInstances"));
    let between = &requests[ended.unwrap()..launched.unwrap()];
    let looks = between.iter().filter(|one| {
        let id = one.parameters["InstanceId.1"].as_str();
        one.operation == "DescribeInstances" && id == Some(&proof)
    });
    assert_eq!(looks.count(), 2, "{between:?}");
}

/// Lets another process take the run over, which does nothing.
fn take_over(world: &World) {
    let pages = world.parameters();
    let (name, values) = pages
        .iter()
        .find(|(name, _)| name.contains("/runs/"))
        .unwrap();
    let next = name.strip_suffix("/1").unwrap();
    world.put_parameter(&format!("{next}/2"), values.last().unwrap());
}

/// The first look at one thing, by this parameter, after something of a role was asked for by an operation.
fn first_look(
    operation: &'static str,
    role: &'static str,
    look: &'static str,
    parameter: &'static str,
) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let asked = AtomicBool::new(false);
    move |request| {
        if request.operation == operation && request.parameters.to_string().contains(role) {
            asked.store(true, Ordering::SeqCst);
        }
        asked.load(Ordering::SeqCst)
            && request.operation == look
            && request.parameter(parameter).is_some()
    }
}

#[test]
fn a_process_whose_run_another_has_taken_over_takes_no_image_anew_and_launches_nothing_anew() {
    let world = World::new();
    world.sandbox.behave("golden-", Behaviour::FailsToImage);
    let looks = first_look("CreateImage", "-golden-", "DescribeImages", "ImageId.1");
    let output = world.meanwhile(["rebuild", "shop"], looks, || take_over(&world));
    assert_says(&output, 4, &["is driven by"]);
    assert_eq!(world.images("golden").len(), 1, "{output}");
    assert_eq!(world.count("DeregisterImage"), 0, "{output}");

    let world = World::new();
    let looks = first_look(
        "RunInstances",
        "\"seed\"",
        "DescribeInstances",
        "InstanceId.1",
    );
    let output = world.meanwhile(["rebuild", "shop"], looks, || {
        terminate(&world, &world.machine("seed"));
        take_over(&world);
    });
    assert_says(&output, 4, &["is driven by"]);
    assert_eq!(world.launches(), 1, "{output}");
}

#[test]
fn a_machine_that_migrates_and_dies_is_replaced() {
    let world = World::new();
    let recipe = "recipe: 1\nname: greeting\nmigrations: compatible\nparams:\n  text: {type: string}\nsteps:\n  - file: {path: /etc/motd, content: \"${{ text }}\\n\"}\n  - run: {name: widen the tables, command: \"upgrade --schema\", always: true}\n    on: migrate\n";
    world.write("recipes/greeting.yaml", recipe);
    let end = || terminate(&world, &world.machine("migration"));
    let begins = |request: &Request| asks(request, "start", "migrate");
    let output = world.meanwhile(["rebuild", "shop"], begins, end);
    assert_says(
        &output,
        5,
        &[
            "went away in the middle",
            "its data may have been changed",
            "goldseed resume",
        ],
    );
    let resumed = world.succeed(["resume", &output.run_id()]);
    assert!(
        resumed
            .stderr
            .contains("another machine is launched in its place"),
        "{resumed}"
    );
    assert_done(&world, 4);
}

#[test]
fn an_agent_that_hangs_is_told_and_its_work_is_gone_on_with() {
    let world = World::new();
    let hangs = Arc::new(AtomicBool::new(true));
    let does = Arc::clone(&hangs);
    let recipes = move |script: &str| {
        does.load(Ordering::Relaxed)
            && script.contains("# goldseed start ")
            && script.contains("-apply-a1\n")
    };
    world.sandbox.script_hangs(recipes, u32::MAX);
    let output = world.run(["rebuild", "shop"]);
    assert_says(
        &output,
        5,
        &["its agent hangs or its network is gone", "goldseed resume"],
    );
    hangs.store(false, Ordering::Relaxed);
    world.succeed(["resume", &output.run_id()]);
    assert_done(&world, 2);
}

#[test]
fn a_command_that_the_agent_lost_is_sent_again() {
    let world = World::new();
    let sent = AtomicU32::new(0);
    let first = move |script: &str| {
        script.contains("# goldseed start ")
            && script.contains("-apply-a1\n")
            && sent.fetch_add(1, Ordering::Relaxed) == 0
    };
    // After three looks the service says that it timed out.
    world.sandbox.script_hangs(first, 3);
    world.succeed(["rebuild", "shop"]);
    assert_done(&world, 2);
}

#[test]
fn a_full_disk_is_called_by_its_name() {
    let world = World::new();
    world.fail_recipes_once(&["tar: wp-content/a.php: Cannot write: No space left on device"]);
    let output = world.run(["rebuild", "shop"]);
    assert_says(
        &output,
        6,
        &["is full: set a larger `volume-size:`", "was not touched"],
    );
    world.succeed(["resume", &output.run_id()]);
    assert_done(&world, 2);

    // Where there is no room for as much as the command's own notes, the agent says so.
    let world = World::new();
    let begins =
        |script: &str| script.contains("# goldseed start ") && script.contains("-apply-a1\n");
    let text =
        "mkdir: cannot create directory '/var/lib/goldseed/started': No space left on device";
    world.sandbox.script_result(begins, 1, text);
    let output = world.run(["rebuild", "shop"]);
    assert_says(
        &output,
        5,
        &["failed with code 1", "is full: set a larger `volume-size:`"],
    );
}

/// The answer of a unit in this state.
fn answer(state: &str, fresh: &str) -> String {
    format!("goldseed 1\nstate {state}\ncode -\nfresh {fresh}\noffset 0\ndata \n")
}

/// Lets the machine reboot under the first attempts of the recipes.
fn rebooted(world: &World, attempts: u32) {
    let unit = move |script: &str, verb: &str| {
        let line = script.lines().nth(1).unwrap_or_default().to_owned();
        line.starts_with(&format!("# goldseed {verb} "))
            && (1..=attempts).any(|attempt| line.ends_with(&format!("-apply-a{attempt}")))
    };
    world.sandbox.script_result(
        move |script| unit(script, "follow"),
        0,
        &answer("interrupted", "no"),
    );
    world.sandbox.script_result(
        move |script| unit(script, "start"),
        0,
        &answer("running", "yes"),
    );
}

#[test]
fn a_reboot_in_the_middle_of_a_recipe_is_gone_on_from() {
    let world = World::new();
    rebooted(&world, 1);
    world.succeed(["rebuild", "shop"]);
    assert_done(&world, 2);
}

#[test]
fn a_machine_that_reboots_all_the_time_is_told_as_such() {
    let world = World::new();
    rebooted(&world, 3);
    let output = world.run(["rebuild", "shop"]);
    assert_says(
        &output,
        5,
        &[
            "was interrupted on",
            "3 times",
            "look for what reboots the machine",
            "goldseed resume",
        ],
    );
}

/// A rebuild whose image is not well, and whose update back to the platform's image has this fate each time.
fn not_taken_back(fate: Fate) -> (World, Output) {
    let world = World::new();
    world
        .sandbox
        .behave("golden", Behaviour::WellFor { looks: 2 });
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let goes_back = request.operation == "UpdateEnvironment"
            && request.parameters.to_string().contains("OptionsToRemove");
        if goes_back { fate.clone() } else { Fate::Serve }
    })));
    let output = world.run(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    (world, output)
}

fn the_newest_is_in_quarantine(world: &World, output: &Output) -> String {
    let golden = world.base_image().unwrap();
    let tags = world.image(&golden).tags;
    assert!(tags.contains_key("goldseed:quarantined"), "{output}");
    golden
}

#[test]
fn a_way_back_that_is_refused_needs_a_person_who_is_told_what_to_set() {
    let denied = Fate::refused("AccessDenied", "User is not authorized");
    let (world, output) = not_taken_back(denied);
    let golden = the_newest_is_in_quarantine(&world, &output);
    assert_says(
        &output,
        8,
        &[
            &format!(
                "is not well with {golden} and could not be taken back to platform: health is"
            ),
            "the update back was refused, and nothing was changed: UpdateEnvironment of e-",
            "User is not authorized",
            &format!("its settings name {golden}"),
            "to platform by hand: aws elasticbeanstalk update-environment --environment-name 'shop-prod' \
             --options-to-remove Namespace=aws:autoscaling:launchconfiguration,OptionName=ImageId",
        ],
    );
    assert!(!output.stderr.contains("may be changing now"), "{output}");
    // Its lease is given back, and a person who may do so goes back.
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), None);
}

#[test]
fn a_way_back_that_does_not_get_through_is_gone_on_with() {
    let (world, output) = not_taken_back(Fate::Refuse {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "try later".to_owned(),
    });
    let golden = the_newest_is_in_quarantine(&world, &output);
    let state = format!(
        "shop-prod is not well with {golden}; whether the update back to platform was sent is not known, and nobody is \
         watching it"
    );
    assert_says(&output, 5, &[&state, "goldseed resume"]);
    let resumed = world.run(["resume", &output.run_id()]);
    assert_eq!(resumed.code, Some(7), "{resumed}");
    assert_eq!(world.base_image(), None);
}

#[test]
fn an_environment_that_nobody_could_look_at_is_not_taken_back() {
    let world = World::new();
    world.edit("deadline: 12h", "deadline: 10m");
    let blind = AtomicBool::new(false);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "DescribeEvents" {
            // The first look of the watch.
            blind.store(true, Ordering::Relaxed);
        }
        let looks = request.service == goldseed::sandbox::Service::Beanstalk
            && request.operation.starts_with("Describe");
        if looks && blind.load(Ordering::Relaxed) {
            Fate::Refuse {
                status: 503,
                code: "ServiceUnavailable".to_owned(),
                message: "try later".to_owned(),
            }
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    assert_says(
        &output,
        5,
        &[
            "shop-prod could not be looked at since the time of its watch is up",
            "Updating when it was seen last",
            "nobody is watching it",
            "goldseed resume",
        ],
    );
    assert!(!output.stderr.contains("is taken back to"), "{output}");
    world.until_ready();
    world.succeed(["resume", &output.run_id()]);
    let golden = &world.images("golden")[0];
    assert_eq!(world.base_image().as_ref(), Some(&golden.id));
    assert!(!golden.tags.contains_key("goldseed:quarantined"));
}

#[test]
fn the_update_back_of_a_process_that_died_is_known_as_the_runs_own() {
    let world = World::new();
    world
        .sandbox
        .behave("golden", Behaviour::WellFor { looks: 2 });
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "UpdateEnvironment"
            && request.parameters.to_string().contains("OptionsToRemove")
    });
    let cut = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(cut.code, None, "{cut}");
    let resumed = world.run(["resume", &cut.run_id()]);
    assert_says(
        &resumed,
        7,
        &["an update of shop-prod to platform is under way already, as this run has asked for"],
    );
    assert!(!resumed.stderr.contains("is not of this run"), "{resumed}");
    assert_eq!(world.base_image(), None);
}
