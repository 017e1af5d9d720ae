//! Promotions that meet a changed world: a way back that is gone, probes that failed before, somebody else at work.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::unsent::leases_are_renewed;
use super::world::{Image, LAUNCH, Output, ROLLING, STOCK, World};
use goldseed::sandbox::{Behaviour, Fate, Hook};

/// Builds an image and makes it the environment's own as a colleague would.
fn on_an_image_of_its_own(world: &World) -> String {
    world.succeed(["build", "shop"]);
    let own = world.images("golden")[0].id.clone();
    world.change_environment(&[(LAUNCH, "ImageId", &own)]);
    own
}

/// From now on nobody knows the image, as some time after it was deregistered.
fn forget(world: &World, image: &str) {
    let image = image.to_owned();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "DescribeImages" && request.parameters.to_string().contains(&image)
        {
            Fate::refused("InvalidAMIID.NotFound", "The image id does not exist")
        } else {
            Fate::Serve
        }
    })));
}

fn deregister(world: &World, image: &str) {
    world
        .wait_for(world.ec2().deregister_image().image_id(image).send())
        .unwrap();
}

/// A promotion that ends right after its preflight, because the lease cannot be had; its run.
fn stopped_after_its_preflight(world: &World) -> String {
    world.succeed(["build", "shop"]);
    world.sandbox.set_hook(Some(Hook::new(|request| {
        let name = request.parameters["Name"].as_str().unwrap_or_default();
        if request.operation == "PutParameter" && name.contains("/lease/") {
            Fate::refused("AccessDeniedException", "not authorized")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["promote", "shop"]);
    assert_eq!(output.code, Some(5), "{output}");
    assert_says(&output, "shop-prod was not touched");
    world.sandbox.set_hook(None);
    output.run_id()
}

/// A run that goes on is refused for this reason, and sends nothing.
fn assert_stands_no_more(world: &World, run: &str, reason: &str) {
    let updates = world.count("UpdateEnvironment");
    let output = world.run(["resume", run]);
    assert_eq!(output.code, Some(4), "{output}");
    assert_says(&output, reason);
    assert_eq!(world.count("UpdateEnvironment"), updates, "{output}");
}

#[test]
fn a_run_that_goes_on_does_not_trust_an_old_preflight() {
    let world = World::new();
    let run = stopped_after_its_preflight(&world);
    world.change_environment(&[(ROLLING, "RollingUpdateEnabled", "false")]);
    assert_stands_no_more(&world, &run, "rolling updates of shop-prod are off");

    let world = World::new();
    let run = stopped_after_its_preflight(&world);
    let golden = world.images("golden")[0].id.clone();
    let mark = aws_sdk_ec2::types::Tag::builder().key("goldseed:quarantined");
    let call = world.ec2().create_tags().resources(&golden);
    let call = call.tags(mark.value("slow pages").build());
    world.wait_for(call.send()).unwrap();
    assert_stands_no_more(&world, &run, "is in quarantine: slow pages");

    let world = World::new();
    deploy(&world, "v1");
    let run = stopped_after_its_preflight(&world);
    deploy(&world, "v2");
    assert_stands_no_more(&world, &run, "is v2 now and was v1 when this run looked");

    let world = World::new();
    let run = stopped_after_its_preflight(&world);
    world.succeed(["resume", &run]);
}

/// A rebuild that is interrupted in its watch, when its image is the environment's already.
fn interrupted_in_the_watch(world: &World) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let sandbox = Mutex::new(false);
    world.signal_at(&pid, "INT", Fate::LoseAnswer, move |request| {
        let mut swapped = sandbox.lock().unwrap();
        *swapped |= request.operation == "UpdateEnvironment";
        *swapped && request.operation == "DescribeEvents"
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    world.until_ready();
    output
}

#[test]
fn a_rollback_from_a_promotion_without_an_entry_goes_one_image_back() {
    let world = World::new();
    interrupted_in_the_watch(&world);
    let first = world.images("golden")[0].id.clone();
    assert_eq!(world.base_image().as_ref(), Some(&first));
    world.succeed(["rollback", "shop"]);
    assert_eq!(
        world.base_image(),
        None,
        "its own record knows what was before"
    );

    world.edit("text: Hello", "text: Good morning");
    world.succeed(["rebuild", "shop"]);
    let second = world.base_image();
    world.edit("text: Good morning", "text: Good evening");
    interrupted_in_the_watch(&world);
    assert_ne!(world.base_image(), second);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), second);
}

#[test]
fn an_image_that_is_gone_is_not_offered() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "DeregisterImage"
    });
    let cut = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    deregister(&world, &world.images("golden")[0].id);
    let refused = world.run(["resume", &cut.run_id()]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "is deregistered, not available");
    assert_says(&refused, "hint: build another");
    for wrong in ["promote shop", "wait until it is available"] {
        assert!(!refused.stderr.contains(wrong), "{wrong}: {refused}");
    }
}

/// Two rebuilds, the second interrupted in its watch, after which something sets a third image; what the second says
/// when it is gone on with.
fn replaced_by(third: impl FnOnce(&World) -> String) -> (World, Output) {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good morning");
    let run = interrupted_in_the_watch(&world).run_id();
    let golden = world.base_image().unwrap();
    let now = third(&world);
    let updates = world.count("UpdateEnvironment");
    let output = world.run(["resume", &run]);
    assert_eq!(output.code, Some(4), "{output}");
    assert_eq!(world.count("UpdateEnvironment"), updates, "{output}");
    let said = output.stderr.split_whitespace().collect::<Vec<_>>();
    let said = said.join(" ");
    assert!(
        said.contains(&format!("shop-prod runs {now} now, which ")),
        "{output}"
    );
    for wrong in [
        "Beanstalk went back",
        "is taken back to",
        "no update was sent",
        "promote shop",
    ] {
        assert!(!said.contains(wrong), "{wrong}: {output}");
    }
    assert!(said.contains("this run is over"), "{output}");
    let tags = world.image(&golden).tags;
    assert!(!tags.contains_key("goldseed:quarantined"), "{output}");
    (world, output)
}

#[test]
fn a_run_whose_image_was_replaced_says_what_runs_and_who_set_it() {
    let (_, output) = replaced_by(|world| {
        world.change_environment(&[(LAUNCH, "ImageId", STOCK)]);
        STOCK.to_owned()
    });
    assert_says(&output, "which somebody set after");

    let mut other = String::new();
    let (_, output) = replaced_by(|world| {
        world.edit("text: Good morning", "text: Good evening");
        other = world.succeed(["rebuild", "shop"]).run_id();
        world.edit("text: Good evening", "text: Good morning");
        world.base_image().unwrap()
    });
    assert_says(&output, &format!("which run {other} set after"));
}

#[test]
fn an_image_is_in_quarantine_before_its_way_back_is_watched() {
    let world = World::new();
    world
        .sandbox
        .behave("golden", Behaviour::WellFor { looks: 2 });
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let updates = Mutex::new(0);
    world.signal_at(&pid, "TERM", Fate::LoseAnswer, move |request| {
        let mut updates = updates.lock().unwrap();
        *updates += usize::from(request.operation == "UpdateEnvironment");
        *updates == 2 && request.operation == "DescribeEvents"
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    let [golden] = world.images("golden").try_into().unwrap();
    assert!(golden.tags.contains_key("goldseed:quarantined"), "{output}");
    assert_eq!(world.run(["resume", &output.run_id()]).code, Some(7));
}

/// A rebuild whose process dies as soon as Beanstalk has taken its update; its run.
fn dead_in_the_swap(world: &World) -> String {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, |request| {
        request.operation == "UpdateEnvironment"
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output.run_id()
}

#[test]
fn a_swap_that_may_have_been_sent_is_never_called_untouched_or_over() {
    let world = World::new();
    let run = dead_in_the_swap(&world);
    leases_are_renewed(&world);
    // Somebody else's run holds the environment meanwhile.
    let (name, versions) = world
        .parameters()
        .into_iter()
        .find(|(name, _)| name.contains("/lease/"))
        .unwrap();
    let other = versions
        .last()
        .unwrap()
        .replace(&run, "20260101-000000-0001");
    let put = |value: &str| {
        let call = world.ssm().put_parameter().name(&name).value(value);
        world.wait_for(call.overwrite(true).send()).unwrap();
    };
    put(&other);
    let held = world.run(["resume", &run]);
    assert_eq!(held.code, Some(4), "{held}");
    assert_says(
        &held,
        "shop-prod may be changing now, and nobody is watching it",
    );
    assert_says(&held, &format!("goldseed resume {run}"));
    put(&other.replace(r#""released":false"#, r#""released":true"#));
    world.succeed(["resume", &run]);
    assert_eq!(world.count("UpdateEnvironment"), 1);
}

#[test]
fn an_update_that_failed_while_nobody_watched_is_not_sent_again() {
    let world = World::new();
    world.sandbox.behave("golden", Behaviour::NeverJoins);
    let run = dead_in_the_swap(&world);
    world.until_ready();
    assert_eq!(world.base_image(), None);
    let resumed = world.run(["resume", &run]);
    assert_eq!(resumed.code, Some(7), "{resumed}");
    assert_eq!(world.count("UpdateEnvironment"), 1);
    assert_eq!(world.count("DeleteEnvironmentConfiguration"), 1);
    let [golden] = world.images("golden").try_into().unwrap();
    assert!(golden.tags.contains_key("goldseed:quarantined"));

    // A person chooses it again: what is left of an earlier failure is not taken for this one's.
    let mark = aws_sdk_ec2::types::Tag::builder().key("goldseed:quarantined");
    let call = world
        .ec2()
        .delete_tags()
        .resources(&golden.id)
        .tags(mark.build());
    world.wait_for(call.send()).unwrap();
    world.begin_change(&[(LAUNCH, "ImageId", &golden.id)]);
    world.until_ready();
    world.sandbox.behave("golden", Behaviour::Well);
    world.succeed(["promote", "shop", "--image", &golden.id]);
    assert_eq!(world.base_image().as_ref(), Some(&golden.id));
}

/// A colleague deploys an application version.
fn deploy(world: &World, label: &str) {
    let client = world.beanstalk();
    let call = client.create_application_version();
    let call = call.application_name("shop").version_label(label);
    world.wait_for(call.send()).unwrap();
    let call = client.update_environment().environment_name("shop-prod");
    world.wait_for(call.version_label(label).send()).unwrap();
    world.until_ready();
}

fn assert_says(output: &Output, text: &str) {
    assert!(output.stderr.contains(text), "{text}: {output}");
}

#[test]
fn without_a_way_back_nothing_is_begun() {
    let world = World::new();
    let own = on_an_image_of_its_own(&world);
    deregister(&world, &own);
    let images = world.count("CreateImage");
    for state in ["deregistered", "gone"] {
        let output = world.run(["rebuild", "shop"]);
        assert_eq!(output.code, Some(4), "{output}");
        assert_says(&output, "there would be no way back");
        assert_says(&output, state);
        assert_eq!(world.count("CreateImage"), images, "an image was built");
        forget(&world, &own);
    }
}

#[test]
fn a_base_image_that_is_gone_can_be_gone_back_from() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    let golden = world.images("golden")[0].id.clone();
    deregister(&world, &golden);
    forget(&world, &golden);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), None);
    assert_eq!(world.member_images(), [STOCK; 2]);
}

#[test]
fn a_probe_of_the_pipeline_that_fails_before_is_refused() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    // Port 1 of this machine: nobody listens there.
    world.edit(
        "    watch:",
        "    probes:\n      - {url: \"http://127.0.0.1:1/shop\"}\n    watch:",
    );
    for verb in ["promote", "rebuild"] {
        let output = world.run([verb, "shop"]);
        assert_eq!(output.code, Some(4), "{output}");
        assert_says(
            &output,
            "before anything was done a probe of the pipeline fails: http://127.0.0.1:1/shop",
        );
    }
    assert_eq!(world.images("golden").len(), 1, "something was built");
    assert_eq!(world.count("UpdateEnvironment"), 0);
}

#[test]
fn a_probe_of_recipes_that_failed_before_the_swap_is_told_as_such() {
    let world = World::new();
    let recipe = fs_err::read_to_string(world.project().join("recipes/greeting.yaml")).unwrap();
    let probe = "  - http: {path: /shop, contains: nowhere}\n    at: balancer\n";
    world.write("recipes/greeting.yaml", &(recipe + probe));
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert_says(&output, "before anything was done a probe fails already: ");
    assert_says(&output, "(it failed before the swap as well)");
    let record = world.parameters()[&format!("/goldseed/shop/runs/{}/1", output.run_id())].clone();
    assert!(
        record.last().unwrap().contains(r#""f":[0]"#),
        "{:?}",
        record.last()
    );
}

/// Lets a colleague change the environment as soon as it is Ready with the golden image, while it is watched.
fn interfered(world: &World, change: impl FnOnce()) -> Output {
    let (looks, looking) = std::sync::mpsc::sync_channel::<()>(0);
    let (goes, going) = std::sync::mpsc::sync_channel::<()>(0);
    let going = std::sync::Mutex::new(going);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "DescribeEvents" {
            tokio::task::block_in_place(|| {
                // Once the test has seen enough it is not asked any more.
                if looks.send(()).is_ok() {
                    let going = going.lock().unwrap();
                    going.recv_timeout(Duration::from_mins(1)).ok();
                }
            });
        }
        Fate::Serve
    })));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| world.run(["rebuild", "shop"]));
        while looking.recv_timeout(Duration::from_mins(1)).is_ok() {
            let ready = world.environment()["status"] == "Ready";
            if ready && world.base_image().is_some() {
                change();
                break;
            }
            goes.send(()).unwrap();
        }
        drop((looking, goes));
        run.join().unwrap()
    })
}

#[test]
fn somebody_elses_update_in_the_soak_is_not_blamed_on_the_image() {
    let world = World::new();
    let output = interfered(&world, || {
        world.begin_change(&[("aws:ec2:instances", "InstanceTypes", "t3.large")]);
    });
    assert_eq!(output.code, Some(5), "{output}");
    assert_says(&output, "somebody else changes shop-prod");
    assert_says(&output, "is Updating again; nothing was taken back");
    assert_eq!(world.count("AbortEnvironmentUpdate"), 0);
    let [golden] = world.images("golden").try_into().unwrap();
    assert!(!golden.tags.contains_key("goldseed:quarantined"));
    assert_eq!(world.base_image().as_ref(), Some(&golden.id));

    // The run goes on, and judges the environment as it is by then.
    world.sandbox.set_hook(None);
    world.succeed(["resume", &output.run_id()]);
    assert_eq!(world.parameters()["/goldseed/shop/image"], [golden.id]);
}

#[test]
fn somebody_elses_deployment_in_the_soak_is_not_blamed_on_the_image() {
    let world = World::new();
    deploy(&world, "v1");
    // The deployment is over before anybody looks again: only the version tells of it.
    let output = interfered(&world, || deploy(&world, "v2"));
    assert_eq!(output.code, Some(5), "{output}");
    assert_says(&output, "the application version is v2 now and was v1");
    world.sandbox.set_hook(None);
    world.succeed(["resume", &output.run_id()]);
    let [golden] = world.images("golden").try_into().unwrap();
    assert_eq!(world.parameters()["/goldseed/shop/image"], [golden.id]);
}

#[test]
fn an_image_that_is_bad_under_somebody_elses_deployment_is_taken_back_by_a_resume() {
    let world = World::new();
    deploy(&world, "v1");
    let output = interfered(&world, || deploy(&world, "v2"));
    assert_eq!(output.code, Some(5), "{output}");
    world.sandbox.set_hook(None);
    world.sandbox.behave("golden", Behaviour::Unhealthy);
    let resumed = world.run(["resume", &output.run_id()]);
    assert_eq!(resumed.code, Some(7), "{resumed}");
    assert_eq!(world.base_image(), None);
}

#[test]
fn what_the_watch_will_read_must_be_readable_before_the_swap() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    for operation in [
        "DescribeEnvironmentResources",
        "DescribeEnvironmentHealth",
        "DescribeInstancesHealth",
    ] {
        world.sandbox.set_hook(Some(Hook::new(move |request| {
            if request.operation == operation {
                Fate::refused("AccessDenied", "not authorized")
            } else {
                Fate::Serve
            }
        })));
        let output = world.run(["promote", "shop"]);
        assert_eq!(output.code, Some(5), "{output}");
        assert_says(&output, &format!("the permission for {operation}"));
        assert_says(&output, "shop-prod was not touched");
        assert_eq!(world.count("UpdateEnvironment"), 0);
    }
    world.sandbox.set_hook(None);
    world.succeed(["promote", "shop"]);
}

#[test]
fn the_way_back_to_a_stock_image_that_cannot_be_looked_up_is_watched() {
    let world = World::new();
    world
        .sandbox
        .behave("golden", Behaviour::WellFor { looks: 2 });
    let updates = Mutex::new(0);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let mut updates = updates.lock().unwrap();
        *updates += usize::from(request.operation == "UpdateEnvironment");
        let stock =
            request.operation == "DescribeImages" && request.parameters.to_string().contains(STOCK);
        if *updates == 2 && stock {
            Fate::refused("InvalidAMIID.NotFound", "The image id does not exist")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert_eq!(world.base_image(), None);
}

#[test]
fn a_rollback_that_is_not_well_says_what_runs_and_the_way_from_there() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    let golden = world.images("golden")[0].id.clone();
    world.sandbox.behave(STOCK, Behaviour::WellFor { looks: 2 });
    let output = world.run(["rollback", "shop"]);
    assert_eq!(output.code, Some(8), "{output}");
    let text = output
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(text.contains("was to go back from ami-"), "{text}");
    assert!(text.contains(" to platform and is not well: "), "{text}");
    assert!(text.contains("its settings name platform"), "{text}");
    let call = format!("OptionName=ImageId,Value={golden}");
    assert!(text.contains(&call), "{text}");
    assert_eq!(world.base_image(), None);
}

#[test]
fn a_promotion_goes_on_when_recipes_have_moved_on() {
    let world = World::new();
    let output = interrupted_in_the_watch(&world);
    world.edit("text: Hello", "text: Good evening");
    world.edit("soak: 1m", "soak: 2m");
    let refused = world.run(["resume", &output.run_id()]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "promotion changed");
    world.edit("soak: 2m", "soak: 1m");
    world.succeed(["resume", &output.run_id()]);
    let [golden] = world.images("golden").try_into().unwrap();
    assert_eq!(world.parameters()["/goldseed/shop/image"], [golden.id]);
}

#[test]
fn the_draft_that_a_failed_update_of_ours_leaves_is_deleted() {
    let world = World::new();
    world.sandbox.behave("golden", Behaviour::NeverJoins);
    assert_eq!(world.run(["rebuild", "shop"]).code, Some(7));
    assert_eq!(world.count("DeleteEnvironmentConfiguration"), 1);
    let call = world.beanstalk().describe_configuration_settings();
    let call = call.application_name("shop").environment_name("shop-prod");
    let answer = world.wait_for(call.send()).unwrap();
    assert_eq!(answer.configuration_settings().len(), 1, "{answer:?}");
}

#[test]
fn a_source_that_is_an_image_needs_no_instance_that_is_well() {
    let world = World::new();
    world.sandbox.behave(STOCK, Behaviour::Unhealthy);
    let instance = world.run(["build", "shop"]);
    assert_eq!(instance.code, Some(4), "{instance}");
    world.edit("    seed:", "    source: platform\n    seed:");
    world.succeed(["build", "shop"]);
}

#[test]
fn a_source_instance_of_an_image_that_is_gone_has_generation_0() {
    let world = World::new();
    let own = on_an_image_of_its_own(&world);
    deregister(&world, &own);
    forget(&world, &own);
    let output = world.succeed(["build", "shop"]);
    assert_says(&output, "is gone: how many images it was away");
    let golden: Vec<Image> = world.images("golden");
    let newest = golden.iter().find(|one| one.is_usable()).unwrap();
    assert_eq!(newest.tags["goldseed:generation"], "1");
}

#[test]
fn a_machine_that_shows_no_identity_proves_nothing() {
    let world = World::new();
    let asks = |script: &str| {
        let line = script.lines().nth(1).unwrap_or_default();
        line.starts_with("# goldseed ") && line.contains("-proof-identity-")
    };
    let silent = "goldseed 1\nstate finished\ncode 0\nfresh yes\noffset 0\ndata \n";
    world.sandbox.script_result(asks, 0, silent);
    let output = world.run(["build", "shop"]);
    assert_eq!(output.code, Some(5), "{output}");
    assert_says(&output, "shows no mark of identity at all");
    assert_eq!(world.images("golden")[0].tags["goldseed:proved"], "no");
}

#[test]
fn a_record_of_a_newer_version_is_named() {
    let world = World::new();
    world.put_parameter("/goldseed/shop/runs/20260101-000000-0001/1", r#"{"f":9}"#);
    let resumed = world.run(["resume", "20260101-000000-0001"]);
    assert_eq!(resumed.code, Some(1), "{resumed}");
    let text = "run 20260101-000000-0001: its record was written by a newer version of goldseed";
    assert_says(&resumed, text);
    let other = world.run(["resume", "20260101-000000-0002"]);
    assert_eq!(other.code, Some(3), "{other}");
    assert_says(&other, text);
    let status = world.succeed(["status", "shop"]);
    assert!(status.stdout.contains("a newer version"), "{status}");
}
