//! What heals by itself is survived, what cannot heal ends the run at once with the one thing that helps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goldseed::node::Node;
use goldseed::sandbox::{Behaviour, Fate, Hook, Options, Request, RequestSeen, Sandbox, Service};

use super::contents::machine;
use super::world::{Image, Output, World};

/// Gives every request that `fits` this fate the first so many times; what is sent again after that is served.
fn first_times(
    times: usize,
    fits: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fate: impl Fn(&Request) -> Fate + Send + Sync + 'static,
) -> Hook {
    let seen = Mutex::new(BTreeMap::new());
    Hook::new(move |request| {
        if !fits(request) {
            return Fate::Serve;
        }
        let key = format!("{} {}", request.operation, request.parameters);
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(key).or_insert(0);
        *count += 1;
        if *count <= times {
            fate(request)
        } else {
            Fate::Serve
        }
    })
}

/// A rebuild under such a hook does what an undisturbed one does.
fn assert_survived(hook: Hook) {
    let world = World::new();
    world.sandbox.set_hook(Some(hook));
    world.succeed(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    let golden: Vec<_> = world
        .images("golden")
        .into_iter()
        .filter(Image::is_usable)
        .collect();
    assert_eq!(golden.len(), 1);
    assert_eq!(world.base_image().as_ref(), Some(&golden[0].id));
    assert_eq!(world.images("raw").len(), 1);
    assert_eq!(world.launches(), 2, "machines launched");
    assert!(world.machines().is_empty());
    let ledger = &world.parameters()["/goldseed/shop/image"];
    assert!(
        ledger.iter().all(|value| *value == golden[0].id),
        "{ledger:?}"
    );
}

#[test]
fn every_request_survives_five_throttles() {
    assert_survived(first_times(
        5,
        |_| true,
        |request| Fate::throttled(request.service),
    ));
}

#[test]
fn every_request_survives_three_server_errors() {
    let error = |request: &Request| {
        let code = match request.service {
            Service::Ec2 => "InternalError",
            Service::Ssm => "InternalServerError",
            _ => "InternalFailure",
        };
        Fate::Refuse {
            status: 500,
            code: code.to_owned(),
            message: "An internal error has occurred".to_owned(),
        }
    };
    assert_survived(first_times(3, |_| true, error));
}

#[test]
fn every_request_survives_credentials_that_expire() {
    let expired = |request: &Request| {
        let code = match request.service {
            Service::Ssm => "ExpiredTokenException",
            Service::Ec2 => "RequestExpired",
            _ => "ExpiredToken",
        };
        Fate::refused(
            code,
            "The security token included in the request is expired",
        )
    };
    assert_survived(first_times(1, |_| true, expired));
}

/// A hook that calls the credentials expired from this request on.
fn expired_from(at: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Hook {
    let begun = Mutex::new(false);
    Hook::new(move |request| {
        let mut begun = begun.lock().unwrap();
        *begun |= at(request);
        if !*begun {
            return Fate::Serve;
        }
        let code = match request.service {
            Service::Ssm => "ExpiredTokenException",
            Service::Ec2 => "RequestExpired",
            _ => "ExpiredToken",
        };
        Fate::refused(
            code,
            "The security token included in the request is expired",
        )
    })
}

/// How many requests are made at most to say how things stand once the credentials are of no use.
const LAST_REQUESTS: usize = 8;

#[test]
fn a_fixed_session_token_that_has_ended_ends_the_run_at_once() {
    for (what, operation) in [
        ("the first call", "GetCallerIdentity"),
        ("a read of EC2", "DescribeSnapshots"),
        ("a machine at work", "GetCommandInvocation"),
        ("the record", "PutParameter"),
        (
            "the health of a watched environment",
            "DescribeEnvironmentHealth",
        ),
    ] {
        let world = World::new();
        world.sandbox.set_hook(Some(expired_from(move |request| {
            request.operation == operation
        })));
        let output = world
            .goldseed(["rebuild", "shop"])
            .env("AWS_SESSION_TOKEN", "fixed")
            .run();
        world.sandbox.set_hook(None);
        assert_eq!(output.code, Some(5), "{what}: {output}");
        let said: Vec<&str> = output.stderr.split_whitespace().collect();
        let said = said.join(" ");
        assert!(
            said.contains("log in, then resume the run or repeat the command"),
            "{what}: {output}"
        );
        assert!(
            !said.contains("lease on shop-prod cannot be renewed"),
            "{what}: {output}"
        );
        let refused = world.sandbox.requests().into_iter();
        let refused = refused.filter(|one| matches!(one.fate, Fate::Refuse { .. }));
        let count = refused.count();
        assert!(count <= LAST_REQUESTS, "{what}: {count} requests\n{output}");
        if operation != "GetCallerIdentity" && operation != "PutParameter" {
            world.succeed(["resume", &output.run_id()]);
        }
    }
}

#[test]
fn credentials_that_their_source_renews_are_waited_for() {
    let world = World::new();
    let folder = world.project().with_file_name("home").join(".aws");
    fs_err::create_dir_all(&folder).unwrap();
    let keys = r#"{"Version": 1, "AccessKeyId": "AKIATEST", "SecretAccessKey": "test", "SessionToken": "renewed",
        "Expiration": "2099-01-01T00:00:00Z"}"#;
    fs_err::write(folder.join("keys.json"), keys).unwrap();
    let config = format!(
        "[profile renewing]\ncredential_process = /bin/cat {}\n",
        folder.join("keys.json").display()
    );
    fs_err::write(folder.join("config"), config).unwrap();
    let first = Mutex::new(BTreeSet::new());
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if first.lock().unwrap().insert(request.operation.clone()) {
            Fate::refused(
                "ExpiredToken",
                "The security token included in the request is expired",
            )
        } else {
            Fate::Serve
        }
    })));
    world.succeed(["rebuild", "shop", "--profile", "renewing"]);
}

#[test]
fn a_proof_that_fails_is_a_failed_check_and_no_failure_of_aws() {
    let log = "left over: /var/lib/trace\n";
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, log);
    let length = log.len();
    let answer =
        format!("goldseed 1\nstate finished\ncode 1\nfresh yes\noffset {length}\ndata {data}\n");
    for (unit, said) in [
        ("-proof-leftovers-a1", "is not generalised: left over"),
        (
            "-proof-quiet-a1",
            "works as the machine it is a copy of: left over",
        ),
    ] {
        let world = World::new();
        let starts = move |script: &str| {
            let second = script.lines().nth(1);
            second.is_some_and(|line| line.starts_with("# goldseed start ") && line.ends_with(unit))
        };
        world.sandbox.script_result(starts, 0, &answer);
        let output = world.run(["rebuild", "shop"]);
        assert_eq!(output.code, Some(6), "{output}");
        assert!(output.stderr.contains(said), "{output}");
        assert_eq!(world.base_image(), None, "{output}");
    }
}

#[test]
fn a_run_that_fails_after_a_good_watch_says_what_runs() {
    let world = World::new();
    world.sandbox.set_hook(Some(Hook::new(|request| {
        let entry = request.operation == "PutParameter"
            && request.parameter("Name") == Some("/goldseed/shop/image");
        if entry {
            Fate::refused("AccessDeniedException", "no")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(5), "{output}");
    let golden = &world.images("golden")[0].id;
    let said: Vec<&str> = output.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(!said.contains("may be changing now"), "{output}");
    assert!(
        said.contains(&format!(
            "shop-prod runs {golden} and was healthy until the end of its watch"
        )),
        "{output}"
    );
}

/// Each renewal of the lease fails while the environment is watched.
#[test]
fn a_lease_that_cannot_be_renewed_is_said_once() {
    let world = World::new();
    world.sandbox.set_hook(Some(Hook::new(|request| {
        let renewal = request.operation == "PutParameter"
            && request.parameters["Overwrite"] == true
            && request
                .parameter("Name")
                .is_some_and(|name| name.contains("/lease/"))
            && request
                .parameter("Value")
                .is_some_and(|value| !value.contains("\"released\":true"));
        if renewal {
            Fate::Refuse {
                status: 500,
                code: "InternalServerError".to_owned(),
                message: "An internal error has occurred".to_owned(),
            }
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    let said = output.stderr.matches("cannot be renewed").count();
    assert!(
        said <= 2,
        "once as it happens, once in the summary: {output}"
    );
}

#[test]
fn a_change_that_stalls_past_its_time_out_is_made_once() {
    // An attempt ends after 3 s in these worlds; what stalled is served after that all the same.
    let slow = ["RunInstances", "CreateImage", "UpdateEnvironment"];
    let seen = Mutex::new(BTreeSet::new());
    assert_survived(Hook::new(move |request| {
        let stalls = slow.contains(&request.operation.as_str())
            && request.parameters["DryRun"] != "true"
            && seen.lock().unwrap().insert(request.operation.clone());
        if stalls {
            Fate::Stall(Duration::from_secs(4))
        } else {
            Fate::Serve
        }
    }));
}

#[test]
fn a_look_that_stalls_past_its_time_out_is_made_again() {
    let slow = [
        "DescribeImages",
        "GetCommandInvocation",
        "DescribeEnvironments",
        "GetParameter",
    ];
    let seen = Mutex::new(BTreeSet::new());
    assert_survived(Hook::new(move |request| {
        let stalls = slow.contains(&request.operation.as_str())
            && seen.lock().unwrap().insert(request.operation.clone());
        if stalls {
            Fate::Stall(Duration::from_secs(4))
        } else {
            Fate::Serve
        }
    }));
}

#[test]
fn a_new_id_may_be_unknown_at_first() {
    let world = World::new();
    let known = world.sandbox.world().to_string();
    let seen = Mutex::new(BTreeMap::new());
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let refused = Arc::clone(&told);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let (id, code) = match request.operation.as_str() {
            "DescribeInstances" => (
                request.parameter("InstanceId.1"),
                "InvalidInstanceID.NotFound",
            ),
            "DescribeSnapshots" => (
                request.parameter("SnapshotId.1"),
                "InvalidSnapshot.NotFound",
            ),
            "DescribeImages" | "RunInstances" => (
                request
                    .parameter("ImageId.1")
                    .or_else(|| request.parameter("ImageId")),
                "InvalidAMIID.NotFound",
            ),
            // The agent is online, and the service that takes commands has not heard of it.
            "SendCommand" => (
                request.parameters["InstanceIds"][0].as_str(),
                "InvalidInstanceId",
            ),
            "GetCommandInvocation" => (request.parameter("CommandId"), "InvocationDoesNotExist"),
            _ => (None, ""),
        };
        let Some(id) = id.filter(|id| !known.contains(*id)) else {
            return Fate::Serve;
        };
        let mut seen = seen.lock().unwrap();
        let count = seen
            .entry(format!("{} {id}", request.operation))
            .or_insert(0);
        *count += 1;
        if *count > 2 {
            return Fate::Serve;
        }
        refused.lock().unwrap().insert(request.operation.clone());
        Fate::refused(code, &format!("{id} does not exist"))
    })));
    world.succeed(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(world.launches(), 2);
    assert!(world.machines().is_empty());
}

/// A build in which this operation is refused like this each time.
fn refused(operation: &'static str, status: u16, code: &'static str) -> (Output, usize) {
    let world = World::new();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let ours = request
            .parameter("Name")
            .is_none_or(|name| !name.contains("/runs/"));
        if request.operation == operation && request.parameters["DryRun"] != "true" && ours {
            Fate::Refuse {
                status,
                code: code.to_owned(),
                message: "no".to_owned(),
            }
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    let requests = world.sandbox.requests();
    let refused =
        |one: &&RequestSeen| one.operation == operation && matches!(one.fate, Fate::Refuse { .. });
    // What exists is looked up afterwards, with another request.
    let first = requests.iter().find(refused).unwrap();
    let same = |one: &&RequestSeen| one.parameters == first.parameters;
    let sent = requests.iter().filter(refused).filter(same).count();
    (output, sent)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_cannot_heal_ends_at_once_with_the_one_thing_that_helps() {
    for (operation, status, code, helps) in [
        (
            "RunInstances",
            403,
            "UnauthorizedOperation",
            "needs the permission for RunInstances",
        ),
        (
            "RunInstances",
            400,
            "InstanceLimitExceeded",
            "raise the quota of running instances",
        ),
        (
            "RunInstances",
            400,
            "VcpuLimitExceeded",
            "raise the quota of running instances",
        ),
        (
            "RunInstances",
            400,
            "InvalidParameterValue",
            "mend what AWS calls wrong",
        ),
        (
            "RunInstances",
            400,
            "InvalidSubnetID.NotFound",
            "look at what the settings name",
        ),
        (
            "CreateImage",
            403,
            "UnauthorizedOperation",
            "needs the permission for CreateImage",
        ),
        (
            "CreateImage",
            400,
            "ResourceLimitExceeded",
            "remove images and snapshots",
        ),
        (
            "CreateImage",
            400,
            "ConcurrentSnapshotLimitExceeded",
            "wait until other snapshots",
        ),
        (
            "DescribeSnapshots",
            403,
            "UnauthorizedOperation",
            "the permission for DescribeSnapshots",
        ),
        (
            "SendCommand",
            400,
            "InvalidSignatureException",
            "this machine's clock is off",
        ),
        (
            "RunInstances",
            401,
            "AuthFailure",
            "log in again, and check this machine's clock",
        ),
        (
            "CreateTags",
            403,
            "UnauthorizedOperation",
            "the permission for CreateTags",
        ),
        (
            "SendCommand",
            400,
            "AccessDeniedException",
            "the permission for SendCommand",
        ),
        (
            "PutParameter",
            400,
            "ParameterLimitExceeded",
            "has room for 10,000 standard ones",
        ),
        (
            "PutParameter",
            400,
            "ParameterMaxVersionLimitExceeded",
            "aws ssm unlabel-parameter-version --name /goldseed/",
        ),
    ] {
        let (output, sent) = refused(operation, status, code);
        let what = format!("{operation} {code}");
        assert_eq!(output.code, Some(5), "{what}: {output}");
        assert_eq!(sent, 1, "{what} was sent again: {output}");
        let said: Vec<&str> = output.stderr.split_whitespace().collect();
        let said = said.join(" ");
        assert!(
            said.contains(&format!("error: {operation} of ")),
            "{what}: {output}"
        );
        assert!(said.contains(&format!("({code})")), "{what}: {output}");
        assert!(
            said.contains(helps),
            "{what}: `{helps}` is not said: {output}"
        );
        assert!(said.contains("goldseed resume"), "{what}: {output}");
    }
}

/// The answers of proxies, each to one look at the environment: with its status alone, and without an error of AWS's.
#[test]
fn what_a_proxy_answers_in_the_place_of_aws_is_told_as_such_or_asked_again() {
    for (status, heals) in [
        (408, true),
        (429, true),
        (502, true),
        (200, false),
        (403, false),
    ] {
        let world = World::new();
        let looks = |request: &Request| request.operation == "DescribeEnvironments";
        let hook = first_times(1, looks, move |_| Fate::Garble(status));
        world.sandbox.set_hook(Some(hook));
        let output = world.run(["rebuild", "shop"]);
        if heals {
            assert_eq!(output.code, Some(0), "{status}: {output}");
        } else {
            assert_eq!(output.code, Some(5), "{status}: {output}");
            let shown = format!("HTTP {status} without an error");
            for text in [&shown, "no AWS answers like this", "AWS_ENDPOINT_URL"] {
                assert!(output.stderr.contains(text), "{text}: {output}");
            }
        }
    }
}

#[test]
fn an_image_that_takes_too_long_is_pending_and_its_run_goes_on() {
    let world = World::new();
    world.sandbox.behave("-raw-", Behaviour::StaysPending);
    // Six hours of waiting pass in a fifth of a second.
    let output = world
        .goldseed(["rebuild", "shop"])
        .env("GOLDSEED_PACE", "0.00001")
        .run();
    assert_eq!(output.code, Some(5), "{output}");
    let said: Vec<&str> = output.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(said.contains("is still pending, snapshot at "), "{output}");
    assert!(
        said.contains("`goldseed resume` waits for it again"),
        "{output}"
    );
    world.sandbox.behave("-raw-", Behaviour::Well);
    world.succeed(["resume", &output.run_id()]);
    assert_eq!(world.images("raw").len(), 1, "it was taken again");
    assert_eq!(world.count("CreateImage"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_about_to_run_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::simulated(folder.path());
    let sandbox = Sandbox::start(options).await.unwrap();
    let (cloud, id) = machine(&sandbox).await;
    cloud.stop_instance(&id).await.unwrap();
    while cloud.instance(&id).await.unwrap().state.as_str() != "stopped" {}
    cloud.start_instance(&id).await.unwrap();
    // It is pending, and Systems Manager takes no command for it yet.
    Node::new(&cloud, &id).answers().await.unwrap();
    let refused = |one: &&RequestSeen| one.operation == "SendCommand";
    assert!(sandbox.requests().iter().filter(refused).count() > 1);
    sandbox.stop().await;
}

/// The answer to each `CreateImage` is lost, and after it the image is not in the next two lists by its name.
fn shown_late() -> Hook {
    let late = Mutex::new((BTreeSet::new(), 0));
    Hook::new(move |request| {
        let mut late = late.lock().unwrap();
        let (lost, hidden) = &mut *late;
        match request.operation.as_str() {
            "CreateImage" if lost.insert(request.parameter("Name").unwrap().to_owned()) => {
                *hidden = 2;
                Fate::LoseAnswer
            }
            "DescribeImages" if request.parameter("Filter.1.Name") == Some("name") => {
                let hides = *hidden > 0;
                *hidden -= usize::from(hides);
                if hides { Fate::Empty } else { Fate::Serve }
            }
            "DescribeImages" if *hidden > 0 => {
                Fate::refused("InvalidAMIID.NotFound", "The image id does not exist")
            }
            _ => Fate::Serve,
        }
    })
}

#[test]
fn an_image_whose_answer_was_lost_and_that_is_shown_late_is_adopted() {
    assert_survived(shown_late());
}

#[test]
fn an_image_that_is_shown_late_is_adopted_by_a_run_that_goes_on() {
    let world = World::new();
    let run = super::unsent::killed(&world, ["rebuild", "shop"], |request| {
        request.operation == "CreateImage"
    });
    // The look before the image is taken, and the one after.
    world.sandbox.set_hook(Some(first_times(
        2,
        |request| request.parameter("Filter.1.Name") == Some("name"),
        |_| Fate::Empty,
    )));
    world.succeed(["resume", &run.run_id()]);
    assert_eq!(world.images("raw").len(), 1);
    assert_eq!(world.images("golden").len(), 1);
}
