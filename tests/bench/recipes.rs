//! The engine's part of `scripts/bench recipes`, which prints what this finds beside its goals.
//!
//! ```text
//! recipes                          the time that a recipe of 1,000 steps takes from its text to the script
//! recipes RECIPE SCRIPT            the same, and writes the compiled script of a recipe
//! recipes RECIPE SCRIPT GROUND     also applies it through Run Command on a machine of the local AWS, after the
//!                                  script GROUND, and counts the calls
//! ```
//!
//! Every result is a line: a name, and its value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use goldseed::cloud::{Cloud, Connection, LaunchRequest, LocalAws, Tags, tags};
use goldseed::document::Source;
use goldseed::event::Emitter;
use goldseed::id::{ImageId, InstanceId, SubnetId};
use goldseed::node::{Job, Node};
use goldseed::pace::{Pace, Schedule};
use goldseed::recipe::{self, Library, Line, Purpose, Reader, Script, StepResult};
use goldseed::sandbox::{MachineKind, Options, RequestSeen, Sandbox};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How often the compile is measured.
const TIMES: usize = 21;

/// The steps of the recipe whose compile is measured.
const STEPS: usize = 1_000;

/// How much faster than AWS the local one boots its machine. What is counted goes at the pace of AWS itself, for how
/// often an answer is asked for depends on it.
const BOOT_PACE: f64 = 0.05;

/// How long the apply may take.
const LIMIT: Duration = Duration::from_mins(5);

#[expect(
    clippy::print_stdout,
    reason = "this is a program, and this is its result"
)]
#[tokio::main]
async fn main() -> Result<(), Error> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large.yaml");
    fs_err::write(&large, large_recipe())?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let script = compile(&large)?;
        times.push(began.elapsed());
        // The steps, and the compiler's own.
        assert!(script.steps.len() > STEPS, "every step is in the script");
    }
    times.sort();
    let median = times.get(TIMES / 2).copied().unwrap_or_default();
    println!("compile-milliseconds {:.1}", median.as_secs_f64() * 1e3);

    let [recipe, target, ground @ ..] = arguments.as_slice() else {
        return Ok(());
    };
    let script = compile(Path::new(recipe))?;
    fs_err::write(target, &script.text)?;
    println!("script-bytes {}", script.text.len());
    if let [ground] = ground {
        let ground = fs_err::read_to_string(ground)?;
        println!("{}", apply(&script, &ground, folder.path()).await?);
    }
    Ok(())
}

/// From the file to the script, as `goldseed build` does it.
fn compile(path: &Path) -> Result<Script, Error> {
    let recipe = Library::load_file(path)?;
    let bound = recipe.bind(&Source::new(path, ""), 0..0, None)?;
    Ok(recipe::compile(&[bound], Purpose::Apply)?)
}

/// Ten kinds of steps, a hundred times.
fn large_recipe() -> String {
    let mut text = String::from(
        "recipe: 1\nname: large\nsummary: A thousand steps\nparams:\n  domain: {type: hostname, default: shop.example}\n  \
         php_memory: {type: size, default: 256M}\nsteps:\n",
    );
    for number in 0..STEPS / 10 {
        write!(
            text,
            r#"  - directory: {{path: /srv/large/d{number}, owner: www-data, group: www-data, mode: "0750"}}
  - file:
      path: /srv/large/d{number}/site.conf
      content: |
        [server]
        name = ${{{{ domain }}}}
        number = {number}
        root = /srv/www/site-{number}/current/public
      owner: www-data
      mode: "0640"
  - file: {{path: /etc/cron.d/large-{number}, content: "{number} 3 * * * root /usr/local/bin/job\n", mode: "0644"}}
  - ini:
      path: /etc/large.ini
      set: {{"part {number}": {{memory_limit: "${{{{ php_memory }}}}", expose_php: "Off"}}}}
  - line: {{path: /etc/large.conf, line: "key{number} = new", match: "^#*key{number} *="}}
  - link: {{path: /srv/large/l{number}, target: "/srv/large/d{number}"}}
  - absent: [/srv/large/old{number}, /srv/large/older{number}]
  - user: {{name: large{number}, home: /srv/large/d{number}, shell: /usr/sbin/nologin, system: true}}
  - run:
      name: make {number}
      command: printf '%s\n' "$DOMAIN" > /srv/large/made{number}
      env: {{DOMAIN: "${{{{ domain }}}}"}}
      creates: /srv/large/made{number}
  - service: {{name: large{number}, state: running, enabled: true}}
"#
        )
        .expect("a String takes everything");
    }
    text
}

/// Applies a script on a fresh machine of the local AWS and tells the calls between start and end.
async fn apply(script: &Script, ground: &str, folder: &Path) -> Result<String, Error> {
    let sandbox = Sandbox::start(Options {
        machines: MachineKind::Containers,
        pace: BOOT_PACE,
        ..Options::simulated(folder.join("state"))
    })
    .await?;
    let told = calls(&sandbox, script, ground).await;
    sandbox.stop().await;
    told
}

async fn calls(sandbox: &Sandbox, script: &Script, ground: &str) -> Result<String, Error> {
    let cloud = Cloud::connect(
        Connection {
            region: Some("eu-central-1".to_owned()),
            local: Some(LocalAws {
                endpoint: sandbox.endpoint(),
                access_key: sandbox.access_key(),
            }),
            ..Connection::default()
        },
        Emitter::silent(),
    )
    .await?;
    let instance = machine(&cloud, sandbox).await?;
    let node = Node::new(&cloud, &instance);
    let job = |unit: &str, text, contents| Job {
        unit: unit.to_owned(),
        script: text,
        contents,
        limit: LIMIT,
    };
    let code = node
        .run(&job("goldseed-bench-ground", ground, &[]), |_| {})
        .await?;
    if code != 0 {
        return Err(format!("the machine could not be prepared (code {code})").into());
    }

    let mut told = String::new();
    for (name, unit) in [
        ("first", "goldseed-bench-first"),
        ("again", "goldseed-bench-again"),
    ] {
        let before = sandbox.requests().len();
        let began = Instant::now();
        let mut log = Vec::new();
        let code = node
            .run(&job(unit, &script.text, &script.contents), |bytes| {
                log.extend_from_slice(bytes);
            })
            .await?;
        let seconds = began.elapsed().as_secs_f64();
        let seen = sandbox.requests();
        let during = seen.get(before..).unwrap_or_default();
        if code != 0 {
            return Err(String::from_utf8_lossy(&log).into_owned().into());
        }
        let changed = changed(script, &log);
        writeln!(told, "calls-{name} {}", during.len())?;
        writeln!(
            told,
            "calls-{name}-are {} in {seconds:.1} s; {changed} steps changed something; {} bytes of log",
            by_operation(during),
            log.len()
        )?;
    }
    Ok(told.trim_end().to_owned())
}

fn changed(script: &Script, log: &[u8]) -> usize {
    let mut reader = Reader::new(script);
    let mut lines = reader.feed(log);
    lines.extend(reader.finish());
    let is_change = |line: &&Line| {
        matches!(
            line,
            Line::Step {
                result: StepResult::Changed,
                ..
            }
        )
    };
    lines.iter().filter(is_change).count()
}

fn by_operation(requests: &[RequestSeen]) -> String {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(request.operation.as_str()).or_insert(0) += 1;
    }
    let told: Vec<String> = counts
        .iter()
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    told.join(", ")
}

/// A machine that answers commands.
async fn machine(cloud: &Cloud, sandbox: &Sandbox) -> Result<InstanceId, Error> {
    let (image, subnet) = sandbox.ground();
    let instance = cloud
        .ensure_instance(&LaunchRequest {
            token: "goldseed-bench".to_owned(),
            image: ImageId::new(image),
            instance_type: "t3.small".to_owned(),
            subnet: SubnetId::new(subnet),
            security_groups: Vec::new(),
            instance_profile: None,
            user_data: String::new(),
            lasting_devices: Vec::new(),
            root_volume: None,
            tags: Tags::from([(tags::ROLE.to_owned(), "bench".to_owned())]),
        })
        .await?
        .id;
    let pace = Pace::new(BOOT_PACE).unwrap_or_default();
    let schedule = Schedule {
        first: Duration::from_secs(2),
        every: Duration::from_secs(10),
        within: Duration::from_hours(1),
    };
    let patience = pace.deadline(schedule.within);
    let mut asked = 0;
    while cloud.agent_status(&instance).await?.as_deref() != Some("Online") {
        if patience.is_over() {
            return Err("the machine's agent has not come up".into());
        }
        asked += 1;
        pace.sleep(schedule.pause(asked, 0.5)).await;
    }
    Node::new(cloud, &instance).answers().await?;
    Ok(instance)
}
