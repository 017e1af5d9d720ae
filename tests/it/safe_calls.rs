//! Every call to AWS that changes something is safe to make twice, and the table here says by what. A call that is added
//! without a line fails, a line without a call too; what the table claims is checked on the requests of real runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use goldseed::sandbox::{Fate, RequestSeen};
use serde_json::Value;

use super::world::{World, mutates};

/// Why a second call does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safe {
    /// It changes nothing.
    Reads,
    /// A client token, derived from what is asked for; and what was made is looked for by its tags first.
    Token,
    /// A derived name that can be taken once; and what has it is looked for first.
    Name,
    /// The value says who wrote it: a creation happens once, and an overwriting writes the same again.
    Nonce,
    /// The machine takes what has this name once.
    Machine,
    /// What it is to be is compared with what is first.
    Compares,
    /// Asked twice it leaves the same: a state, a tag, an absence.
    Nature,
}

/// Every call that `src/cloud` makes: service, operation as the SDK names it, why it is safe.
const CALLS: [(&str, &str, Safe); 42] = [
    ("ec2", "run_instances", Safe::Token),
    ("ec2", "create_image", Safe::Name),
    ("ec2", "create_tags", Safe::Nature),
    ("ec2", "delete_snapshot", Safe::Nature),
    ("ec2", "deregister_image", Safe::Nature),
    ("ec2", "reboot_instances", Safe::Nature),
    ("ec2", "start_instances", Safe::Nature),
    ("ec2", "stop_instances", Safe::Nature),
    ("ec2", "terminate_instances", Safe::Nature),
    ("ec2", "describe_images", Safe::Reads),
    ("ec2", "describe_instance_status", Safe::Reads),
    ("ec2", "describe_instance_type_offerings", Safe::Reads),
    ("ec2", "describe_instance_types", Safe::Reads),
    ("ec2", "describe_instances", Safe::Reads),
    ("ec2", "describe_launch_template_versions", Safe::Reads),
    ("ec2", "describe_route_tables", Safe::Reads),
    ("ec2", "describe_security_groups", Safe::Reads),
    ("ec2", "describe_snapshots", Safe::Reads),
    ("ec2", "describe_subnets", Safe::Reads),
    ("ec2", "describe_vpc_endpoints", Safe::Reads),
    ("ec2", "get_console_output", Safe::Reads),
    ("ssm", "put_parameter", Safe::Nonce),
    ("ssm", "send_command", Safe::Machine),
    ("ssm", "delete_parameter", Safe::Nature),
    ("ssm", "describe_instance_information", Safe::Reads),
    ("ssm", "get_command_invocation", Safe::Reads),
    ("ssm", "get_parameter", Safe::Reads),
    ("ssm", "get_parameter_history", Safe::Reads),
    ("ssm", "get_parameters_by_path", Safe::Reads),
    ("ssm", "list_command_invocations", Safe::Reads),
    ("beanstalk", "update_environment", Safe::Compares),
    ("beanstalk", "abort_environment_update", Safe::Compares),
    (
        "beanstalk",
        "delete_environment_configuration",
        Safe::Nature,
    ),
    ("beanstalk", "describe_configuration_settings", Safe::Reads),
    ("beanstalk", "describe_environment_health", Safe::Reads),
    (
        "beanstalk",
        "describe_environment_managed_actions",
        Safe::Reads,
    ),
    ("beanstalk", "describe_environment_resources", Safe::Reads),
    ("beanstalk", "describe_environments", Safe::Reads),
    ("beanstalk", "describe_events", Safe::Reads),
    ("beanstalk", "describe_instances_health", Safe::Reads),
    ("beanstalk", "describe_platform_version", Safe::Reads),
    ("sts", "get_caller_identity", Safe::Reads),
];

/// The calls in a text of code: service and operation. A client that is used in any other way is an error.
fn calls(code: &str) -> Result<BTreeSet<(String, String)>, String> {
    let code: String = code.split_whitespace().collect();
    let client = regex_lite::Regex::new(r"\.(ec2|ssm|beanstalk|sts)\.([a-z_]+)\(").unwrap();
    let taken = regex_lite::Regex::new(r"[a-z]\.(ec2|ssm|beanstalk|sts)\b").unwrap();
    let found: BTreeSet<_> = client
        .captures_iter(&code)
        .map(|one| (one[1].to_owned(), one[2].to_owned()))
        .collect();
    let used = client.find_iter(&code).count();
    if taken.find_iter(&code).count() == used {
        Ok(found)
    } else {
        Err("a client is handed on: nobody sees what is called on it".to_owned())
    }
}

fn calls_below(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            calls_below(&path, found);
        } else {
            let text = fs_err::read_to_string(&path).unwrap();
            let code: String = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .fold(String::new(), |code, line| code + line + "\n");
            let in_file = calls(&code).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            found.extend(in_file);
        }
    }
}

#[test]
fn every_call_says_why_it_can_be_made_twice() {
    let mut made = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    calls_below(&source.join("cloud"), &mut made);
    let listed: BTreeSet<_> = CALLS
        .iter()
        .map(|(service, operation, _)| ((*service).to_owned(), (*operation).to_owned()))
        .collect();
    assert_eq!(listed.len(), CALLS.len(), "a line stands twice");
    let unlisted: Vec<_> = made.difference(&listed).collect();
    let unused: Vec<_> = listed.difference(&made).collect();
    assert!(
        unlisted.is_empty(),
        "say in CALLS why these are safe to make twice: {unlisted:?}"
    );
    assert!(unused.is_empty(), "nobody makes these calls: {unused:?}");
    for (_, operation, safe) in CALLS {
        let looks = ["describe_", "get_", "list_"]
            .iter()
            .any(|verb| operation.starts_with(verb));
        assert_eq!(looks, safe == Safe::Reads, "{operation}");
    }
}

#[test]
fn a_call_is_found_however_it_is_written() {
    let code = "self\n  .ec2\n  .run_instances()\n  .send(); let call = cloud.ssm.get_parameter().name(name);";
    let found = calls(code).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(_, operation)| operation.as_str())
        .collect();
    assert_eq!(found, ["run_instances", "get_parameter"]);
    assert!(calls("let client = &self.ec2; client.run_instances()").is_err());
}

/// `RunInstances` as the SDK's builders name it.
fn snake(operation: &str) -> String {
    operation.chars().fold(String::new(), |mut name, letter| {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
        name
    })
}

fn text<'a>(request: &'a RequestSeen, name: &str) -> &'a str {
    request.parameters[name].as_str().unwrap_or_default()
}

/// The tags that a creation of EC2 gives to each kind of resource.
fn tags_at_creation(request: &RequestSeen) -> BTreeMap<String, BTreeSet<String>> {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for number in 1..9 {
        let kind = text(request, &format!("TagSpecification.{number}.ResourceType"));
        for tag in 1..50 {
            let key = text(request, &format!("TagSpecification.{number}.Tag.{tag}.Key"));
            if !kind.is_empty() && !key.is_empty() {
                kinds
                    .entry(kind.to_owned())
                    .or_default()
                    .insert(key.to_owned());
            }
        }
    }
    kinds
}

fn assert_tagged(request: &RequestSeen, kinds: [&str; 2]) {
    let tags = tags_at_creation(request);
    for kind in kinds {
        for key in [
            "goldseed:pipeline",
            "goldseed:run",
            "goldseed:role",
            "goldseed:attempt",
        ] {
            assert!(tags[kind].contains(key), "{key} of {kind}: {tags:?}");
        }
    }
}

/// The claim of a request that changes something, held against what was asked before it.
fn assert_safe(request: &RequestSeen, before: &[RequestSeen]) {
    let (_, _, safe) = CALLS
        .iter()
        .find(|(_, operation, _)| *operation == snake(&request.operation))
        .unwrap_or_else(|| panic!("{} is not in CALLS", request.operation));
    let looked = |operation: &str, at: &dyn Fn(&Value) -> bool| {
        before
            .iter()
            .any(|one| one.operation == operation && at(&one.parameters))
    };
    match safe {
        Safe::Reads => panic!("{} changes something", request.operation),
        Safe::Token => {
            let token = text(request, "ClientToken");
            assert!((32..=64).contains(&token.len()), "{request:?}");
            assert_tagged(request, ["instance", "volume"]);
            assert!(
                looked("DescribeInstances", &|one| one
                    .to_string()
                    .contains("tag:goldseed:run")),
                "{request:?}"
            );
        }
        Safe::Name => {
            let name = text(request, "Name");
            assert_tagged(request, ["image", "snapshot"]);
            assert!(
                looked("DescribeImages", &|one| one["Filter.1.Value.1"] == name),
                "{request:?}"
            );
        }
        Safe::Nonce => {
            let overwrites = request.parameters["Overwrite"] == true;
            let tagged = request.parameters["Tags"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
            assert!(
                !(overwrites && tagged),
                "AWS refuses both at once: {request:?}"
            );
            let written = format!(
                "{} {}",
                text(request, "Value"),
                text(request, "Description")
            );
            assert!(
                written.contains("\"n\":\"") || written.contains(" run=20"),
                "nobody could tell whose it is: {request:?}"
            );
        }
        Safe::Machine => {
            let script = request.parameters["Parameters"]["commands"][0].as_str();
            let line = script
                .unwrap_or_default()
                .lines()
                .nth(1)
                .unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, "goldseed", verb, unit, ..] = words[..] else {
                panic!("it names no unit: {request:?}");
            };
            assert!(verb == "probe" || unit.starts_with("goldseed-20"), "{line}");
            assert_eq!(text(request, "Comment"), unit);
        }
        Safe::Compares => {
            let since = before
                .iter()
                .rposition(|one| one.operation == "DescribeConfigurationSettings");
            let since = since.expect("the settings were not looked at");
            let changed = before[since..]
                .iter()
                .find(|one| snake(&one.operation).ends_with("_environment"));
            assert!(
                changed.is_none(),
                "the look is older than a change: {changed:?}"
            );
        }
        Safe::Nature => {}
    }
}

#[test]
fn the_requests_of_a_rebuild_and_a_rollback_keep_what_the_table_claims() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    world.succeed(["rebuild", "shop"]);
    world.succeed(["rollback", "shop"]);
    let requests = world.sandbox.requests().split_off(before);
    let mut seen = BTreeSet::new();
    for (number, request) in requests.iter().enumerate() {
        if mutates(request) {
            seen.insert(request.operation.as_str());
            assert_safe(request, &requests[..number]);
        }
    }
    let wanted = [
        "CreateImage",
        "CreateTags",
        "DeregisterImage",
        "PutParameter",
        "RunInstances",
        "SendCommand",
        "StopInstances",
        "TerminateInstances",
        "UpdateEnvironment",
    ];
    assert!(wanted.iter().all(|one| seen.contains(one)), "{seen:?}");
}

#[test]
fn what_is_asked_for_again_is_asked_for_by_the_same_name() {
    for (operation, name) in [("RunInstances", "ClientToken"), ("CreateImage", "Name")] {
        let world = World::new();
        let pid: Arc<OnceLock<u32>> = Arc::default();
        world.signal_at(&pid, "KILL", Fate::LoseRequest, move |request| {
            request.operation == operation && request.parameters["DryRun"] != "true"
        });
        let killed = world.goldseed(["rebuild", "shop"]).run_as(&pid);
        world.sandbox.set_hook(None);
        world.succeed(["resume", &killed.run_id()]);
        let names: Vec<String> = world
            .sandbox
            .requests()
            .iter()
            .filter(|one| one.operation == operation && mutates(one))
            .map(|one| text(one, name).to_owned())
            .collect();
        assert!(names.len() > 2, "{names:?}");
        assert_eq!(names[0], names[1], "{operation}");
        assert_ne!(names[1], names[2], "{operation}");
    }
}
