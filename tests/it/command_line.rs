//! The command line: what it says of itself, and the verbs that need no AWS.

use super::world::{Output, World};
use std::fmt::Write as _;
use std::io::Read as _;

/// Every verb, as it is asked for its help.
const VERBS: [&str; 18] = [
    "init",
    "check",
    "build",
    "promote",
    "rebuild",
    "rollback",
    "resume",
    "abandon",
    "runs",
    "sweep",
    "history",
    "status",
    "schedule",
    "bridge",
    "recipe",
    "sandbox",
    "completions",
    "manual",
];

fn listed(outputs: &[(&str, Output)]) -> String {
    let mut text = String::new();
    for (name, output) in outputs {
        write!(text, "##### {name}\n{}\n\n", output.plain()).unwrap();
    }
    text
}

/// The codes of a table such as `--help` has it, with what each means.
fn codes(text: &str) -> Vec<(String, String)> {
    text.lines()
        .skip_while(|line| !line.starts_with("Exit codes:"))
        .skip(1)
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| (code.to_owned(), meaning.trim().to_owned()))
        .collect()
}

#[test]
fn help_is_as_people_read_it() {
    let world = World::empty();
    let help = world.succeed(["--help"]);
    for verb in VERBS {
        assert!(
            help.stdout.contains(&format!("\n  {verb} ")),
            "{verb} is not in the help"
        );
    }
    let all = codes(&help.stdout);
    assert_eq!(all.len(), 10);
    assert_eq!(codes(goldseed::failure::EXIT_CODES), all);
    insta::assert_snapshot!("help", help.plain());
    let verbs: Vec<(&str, Output)> = VERBS
        .iter()
        .map(|verb| (*verb, world.succeed([*verb, "--help"])))
        .collect();
    insta::assert_snapshot!("help_of_every_verb", listed(&verbs));
    insta::assert_snapshot!(
        "help_of_sandbox_serve",
        world.succeed(["sandbox", "serve", "--help"]).plain()
    );
}

#[test]
fn what_cannot_be_understood_ends_with_2() {
    let world = World::empty();
    insta::assert_snapshot!(listed(&[
        ("nothing", world.run([])),
        ("a verb that is none", world.run(["rebuilt", "shop"])),
        ("no pipeline", world.run(["rebuild"])),
        (
            "a flag that is none",
            world.run(["status", "shop", "--jason"])
        ),
        (
            "a pace that is none",
            world
                .goldseed(["status", "shop"])
                .env("GOLDSEED_PACE", "fast")
                .run()
        ),
    ]));
    for arguments in [["rebuilt", "shop"], ["status", "--jason"]] {
        assert_eq!(world.run(arguments).code, Some(2));
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = World::empty().succeed(["--version"]);
    assert_eq!(
        output.stdout,
        format!("goldseed {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn init_writes_a_file_once_and_check_points_at_what_is_to_be_filled_in() {
    let world = World::empty();
    fs_err::remove_file(world.project().join("goldseed.yaml")).unwrap();
    let absent = world.run(["check"]);
    let written = world.succeed(["init", "--pipeline", "blog", "--environment", "blog-prod"]);
    let text = fs_err::read_to_string(world.project().join("goldseed.yaml")).unwrap();
    assert!(
        text.contains("  blog:\n") && text.contains("environment: blog-prod"),
        "{text}"
    );
    let checked = world.run(["check"]);
    assert_eq!(checked.code, Some(3));
    let again = world.run(["init"]);
    assert_eq!(
        fs_err::read_to_string(world.project().join("goldseed.yaml")).unwrap(),
        text
    );
    insta::assert_snapshot!(listed(&[
        ("check without a file", absent),
        ("init", written),
        ("check", checked),
        ("init again", again),
    ]));
}

#[test]
fn text_of_another_encoding_says_how_to_save_it() {
    let world = World::empty();
    let path = world.project().join("goldseed.yaml");
    let text = fs_err::read_to_string(&path).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, said) in [
        ([b"\xff\xfe".as_slice(), &utf16].concat(), "UTF-16"),
        (utf16.clone(), "UTF-16"),
        ([text.as_bytes(), b"# f\xfcr"].concat(), "no UTF-8 text"),
    ] {
        fs_err::write(&path, bytes).unwrap();
        for arguments in [["check", "shop"], ["status", "shop"]] {
            let output = world.run(arguments);
            assert_eq!(output.code, Some(3), "{output}");
            assert!(output.stderr.contains(said), "{said}: {output}");
            assert!(output.stderr.contains("iconv"), "{output}");
        }
    }
    fs_err::write(&path, format!("\u{feff}{text}")).unwrap();
    world.succeed(["check"]);
}

#[test]
fn a_demo_without_machines_is_refused_before_anything_is_served() {
    let world = World::empty();
    let output = world.run([
        "sandbox",
        "serve",
        "--machines",
        "simulated",
        "--demo",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(2), ""),
        "{output}"
    );
}

#[test]
fn check_tells_every_mistake_of_settings_and_recipes_at_once() {
    let world = World::empty();
    insta::assert_snapshot!("check", world.succeed(["check"]).plain());

    world.write(
        "goldseed.yaml",
        "goldseed: 1\npipelines:\n  shop:\n    environment: shop-prod\n    sources: instance\n    recipes: [greeting]\n    \
         watch: {soak: 5 minutes}\n  blog:\n    environment: b\n    recipes: []\n",
    );
    let settings = world.run(["check"]);

    world.write(
        "goldseed.yaml",
        "goldseed: 1\npipelines:\n  shop:\n    environment: shop-prod\n    recipes:\n      - greting: {text: Hello}\n      \
         - greeting: {txt: 5}\n      - greeting: {text: [a]}\n      - broken\n  blog:\n    environment: blog-prod\n    \
         recipes: [broken]\n",
    );
    world.write(
        "recipes/broken.yaml",
        "recipe: 1\nname: broken\nsteps:\n  - file: {pth: /etc/motd, content: \"${{ who }}\"}\n  - pakage: nginx\n",
    );
    let recipes = world.run(["check"]);
    world.write("recipes/broken.yaml", "recipe: [\n");
    let not_yaml = world.run(["check", "shop"]);
    for output in [&settings, &recipes, &not_yaml] {
        assert_eq!(output.code, Some(3), "{output}");
    }
    insta::assert_snapshot!(listed(&[
        ("settings", settings),
        ("recipes", recipes),
        ("not YAML", not_yaml),
    ]));
    assert_eq!(world.sandbox.requests().len(), 0, "a check has asked AWS");
}

#[test]
fn what_is_wrong_in_files_stops_every_verb_before_aws_is_asked() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    let mut outputs = vec![("unknown pipeline", world.run(["rebuild", "shopp"]))];
    outputs.push((
        "another file",
        world.run(["status", "shop", "--file", "other.yaml"]),
    ));
    outputs.push((
        "a folder",
        world.run(["status", "shop", "--file", "recipes"]),
    ));
    world.edit("recipes:\n", "recipies:\n");
    for arguments in [
        ["build", "shop"],
        ["promote", "shop"],
        ["rollback", "shop"],
        ["history", "shop"],
    ] {
        assert_eq!(world.run(arguments).code, Some(3), "{arguments:?}");
    }
    outputs.push(("a misspelt key", world.run(["rebuild", "shop"])));
    for (name, output) in &outputs {
        assert_eq!(output.code, Some(3), "{name}: {output}");
    }
    assert_eq!(world.sandbox.requests().len(), before);
    insta::assert_snapshot!(listed(&outputs));
}

#[test]
fn completions_and_the_manual_name_the_verbs() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish"] {
        let output = world.succeed(["completions", shell]);
        assert!(
            VERBS.iter().all(|verb| output.stdout.contains(verb)),
            "{shell}"
        );
    }
    let manual = world.succeed(["manual"]).stdout;
    assert!(
        manual.starts_with(".ie") || manual.contains(".TH goldseed"),
        "{manual}"
    );
    assert!(VERBS.iter().all(|verb| manual.contains(verb)));
    let pages: Vec<&str> = manual.lines().filter(|line| line.contains("(1)")).collect();
    assert!(pages.is_empty(), "there are no such pages: {pages:?}");
    assert!(manual.contains("\ngoldseed init\n"), "{manual}");
}

#[test]
fn schedule_prints_a_timer_and_a_service_that_systemd_takes() {
    let world = World::empty();
    let output = world.succeed([
        "schedule",
        "shop",
        "--at",
        "03:00",
        "--timezone",
        "Europe/Berlin",
    ]);
    // Whether the folders of this machine are open to all differs.
    let account =
        regex_lite::Regex::new(r"(?m)^(# Something that .*\nUser=.*|DynamicUser=yes)$").unwrap();
    let shown = output.plain();
    assert_eq!(account.find_iter(&shown).count(), 1, "{shown}");
    insta::assert_snapshot!("schedule", account.replace(&shown, "[account]"));
    insta::assert_snapshot!(
        "schedule_refused",
        listed(&[
            (
                "no time of day",
                world.run(["schedule", "shop", "--at", "25:00"])
            ),
            (
                "no time zone",
                world.run([
                    "schedule",
                    "shop",
                    "--at",
                    "3:00",
                    "--timezone",
                    "Europe/Bonn"
                ])
            ),
            (
                "no pipeline",
                world.run(["schedule", "blog", "--at", "03:00"])
            ),
        ])
    );
    // Where systemd is installed it judges the units itself.
    for (unit, text) in units(&output.stdout) {
        fs_err::write(world.project().join(&unit), text).unwrap();
    }
    let verify = std::process::Command::new("systemd-analyze")
        .args([
            "verify",
            "--man=no",
            "./goldseed-shop.service",
            "./goldseed-shop.timer",
        ])
        .current_dir(world.project())
        .output();
    if let Ok(verify) = verify {
        let said = String::from_utf8_lossy(&verify.stderr).into_owned();
        let ours: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("goldseed-shop"))
            .collect();
        assert!(ours.is_empty(), "{said}");
    }
}

#[test]
fn a_schedule_keeps_the_profile_and_says_which_night_has_no_such_time() {
    let world = World::empty();
    let home = world.project().with_file_name("home");
    fs_err::create_dir_all(home.join(".aws")).unwrap();
    fs_err::write(home.join(".aws/config"), "[profile nightly]\n").unwrap();
    let command = |profile: &[&str]| {
        let mut command = world.goldseed(["schedule", "shop", "--at", "2:30"]);
        command
            .command
            .args(["--timezone", "europe/berlin"])
            .args(profile);
        command
    };
    let flag = command(&["--profile", "nightly"]).run();
    let variable = command(&[]).env("AWS_PROFILE", "nightly").run();
    for output in [&flag, &variable] {
        assert_eq!(output.code, Some(0), "{output}");
        let config = format!(
            "Environment=\"AWS_CONFIG_FILE={}/.aws/config\"\n",
            home.display()
        );
        for text in [
            "OnCalendar=*-*-* 02:30:00 Europe/Berlin\n",
            " --profile \"nightly\"\n",
            &config,
            "# there is no 02:30 in Europe/Berlin on 20",
        ] {
            assert!(output.stdout.contains(text), "{text}: {output}");
        }
        assert!(
            output.stderr.contains("warning: there is no 02:30"),
            "{output}"
        );
    }
    assert_eq!(flag.stdout, variable.stdout);
    let none = command(&[]).run();
    assert!(!none.stdout.contains("AWS_CONFIG_FILE"), "{none}");
    assert!(!none.stdout.contains("--profile \""), "{none}");
}

/// The units of an output, by the file names in its comments.
fn units(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("# /etc/systemd/system/") {
            found.push((path.to_owned(), String::new()));
        } else if let Some((_, text)) = found.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    assert_eq!(found.len(), 2, "{text}");
    found
}

#[test]
fn json_is_one_event_a_line_with_a_version_in_the_first() {
    let world = World::new();
    let output = world.succeed(["rebuild", "shop", "--json"]);
    let events: Vec<serde_json::Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        events[0]["goldseed"],
        goldseed::display::FORMAT,
        "{}",
        events[0]
    );
    let kinds: Vec<&str> = events[1..]
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&"run_started"), Some(&"run_finished"))
    );
    for step in events
        .iter()
        .filter(|event| event["event"] == "step_finished")
    {
        assert_eq!(step["replayed"], false, "{step}");
    }
    assert_eq!(events.last().unwrap()["success"], true);
    assert!(
        output.stderr.contains("done: shop-prod runs"),
        "people get the summary: {output}"
    );

    let last = events.last().unwrap();
    let golden = &world.images("golden")[0].id;
    assert_eq!(last["facts"]["base_image"], golden.as_str(), "{last}");
    assert_eq!(last["exit_code"], 0, "{last}");

    // A refusal ends with the same event; the error goes to people.
    let refused = world.run(["rebuild", "shop", "--json", "--region", "us-east-1"]);
    assert_eq!(refused.code, Some(4));
    assert!(
        refused
            .stdout
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert!(refused.stderr.contains("us-east-1"), "{refused}");
}

#[test]
fn a_run_that_fails_tells_programs_its_exit_code_and_what_exists() {
    let world = World::new();
    world.fail_recipes_once(&["tar: not found"]);
    let output = world.run(["rebuild", "shop", "--json"]);
    assert_eq!(output.code, Some(6), "{output}");
    let last = output.stdout.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["event"], "run_finished", "{last}");
    assert_eq!(last["success"], false, "{last}");
    assert_eq!(last["exit_code"], 6, "{last}");
    let seed = last["facts"]["seed"].as_str().unwrap();
    assert!(seed.starts_with(&world.machine("seed")), "{last}");
    let abandoned = world.succeed(["abandon", &output.run_id(), "--json"]);
    let last = abandoned.stdout.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&last["event"], &last["exit_code"]),
        (&"run_finished".into(), &0.into())
    );
    assert!(last["facts"]["removed_seed"].is_string(), "{last}");
}

#[test]
fn json_is_refused_where_there_are_no_events_to_print() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    for arguments in [
        &["init"][..],
        &["check"],
        &["runs"],
        &["sweep"],
        &["sweep", "--yes"],
        &["history", "shop"],
        &["status", "shop"],
        &["schedule", "shop", "--at", "03:00"],
        &["bridge"],
        &["recipe", "list"],
        &["recipe", "show", "greeting"],
        &["recipe", "check"],
        &["recipe", "schema"],
        &["sandbox", "serve", "--machines", "simulated"],
        &["completions", "bash"],
        &["manual"],
    ] {
        let mut command = world.goldseed(["--json"]);
        command.command.args(arguments);
        let output = command.run();
        assert_eq!(output.code, Some(2), "{arguments:?}: {output}");
        assert!(output.stderr.contains("has no JSON output"), "{output}");
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    assert_eq!(world.sandbox.requests().len(), before);
    assert!(!world.project().join("bridge.zip").exists());
}

#[test]
fn a_reader_that_went_away_does_not_stop_a_run() {
    let world = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = world
        .goldseed(["rebuild", "shop", "--json"])
        .stdout(writer)
        .run();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(
        world.base_image().as_ref(),
        Some(&world.images("golden")[0].id)
    );

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = world.goldseed(["status", "shop"]).stdout(writer).run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_bridge_is_a_bundle_with_its_hook() {
    let world = World::empty();
    insta::assert_snapshot!(world.succeed(["bridge", "--output", "shop.zip"]));
    let file = fs_err::File::open(world.project().join("shop.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let names: Vec<String> = zip.file_names().map(ToOwned::to_owned).collect();
    let mut hook = String::new();
    zip.by_name(".platform/hooks/predeploy/10-goldseed.sh")
        .unwrap()
        .read_to_string(&mut hook)
        .unwrap();
    assert!(hook.starts_with("#!/bin/"), "{names:?}");
    let nowhere = world.run(["bridge", "--output", "no/such/folder/shop.zip"]);
    assert_eq!(nowhere.code, Some(1), "{nowhere}");
    assert!(
        nowhere.stderr.contains("no/such/folder/shop.zip"),
        "{nowhere}"
    );
}

#[test]
fn a_recipe_that_is_half_written_hides_nothing_and_a_rollback_says_how_to_go_on() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.write(
        "recipes/greeting.yaml",
        "recipe: 1\nname: greeting\nsteps:\n  - fil\n",
    );
    for verb in ["status", "history"] {
        world.succeed([verb, "shop"]);
    }
    let before = world.base_image();
    let output = world.run(["rollback", "shop"]);
    assert_eq!(output.code, Some(3), "{output}");
    assert!(output.stderr.contains("git stash"), "{output}");
    assert_eq!(world.base_image(), before);
}

#[test]
fn a_profile_that_is_asked_for_is_none_that_the_environment_can_replace() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    let output = world.run(["runs", "--profile", "nobody"]);
    assert_eq!(output.code, Some(4), "{output}");
    assert!(output.stderr.contains("nobody"), "{output}");
    assert_eq!(world.sandbox.requests().len(), before);
    let kept = world.project().with_file_name("home").join(".aws");
    fs_err::create_dir_all(&kept).unwrap();
    let keys = "[nobody]\naws_access_key_id = AKIAELSE\naws_secret_access_key = test\n";
    fs_err::write(kept.join("credentials"), keys).unwrap();
    world.succeed(["runs", "--profile", "nobody"]);
}
