//! `goldseed bridge`: into a bundle of one's own, and never over what the deployed version holds; and what the deployed
//! version means for a promotion.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use super::world::{ENVIRONMENT, Output, World};

const HOOK: &str = ".platform/hooks/predeploy/10-goldseed.sh";

/// Deploys an application version of this name, whose bundle shows these lines on every instance.
fn deploy(world: &World, label: &str, lines: &[&str]) {
    let client = world.beanstalk();
    world.wait_for(async {
        client
            .create_application_version()
            .application_name("shop")
            .version_label(label)
            .send()
            .await
            .unwrap();
        client
            .update_environment()
            .environment_name(ENVIRONMENT)
            .version_label(label)
            .send()
            .await
            .unwrap();
    });
    world.until_ready();
    holds(world, &format!("bundle 00\n{}\nend\n", lines.join("\n")));
}

/// What instances print of their bundle from now on.
fn holds(world: &World, answer: &str) {
    world
        .sandbox
        .script_result(|script| script.contains("app_source_bundle"), 0, answer);
}

const BRIDGE: [&str; 5] = [
    "top .platform",
    "placeholder",
    "calls .platform/hooks/predeploy/10-goldseed.sh",
    "calls .platform/confighooks/predeploy/10-goldseed.sh",
    "calls .platform/nginx/conf.d/elasticbeanstalk/00-goldseed.conf",
];

/// A project whose image brings its application by the bridge.
fn bridged() -> World {
    let world = World::new();
    world.edit("- greeting:", "- bridge\n      - greeting:");
    world
}

fn refused<const N: usize>(world: &World, arguments: [&str; N]) -> Output {
    let output = world.run(arguments);
    assert_eq!(output.code, Some(4), "{output}");
    output
}

/// Makes a bundle with Info-ZIP, as developers do: with times, owners, modes, a link and an empty folder.
fn zip_of_their_own(folder: &Path) {
    let script = "\
mkdir -p src/.ebextensions src/.platform/hooks/postdeploy src/empty && cd src &&
printf 'Resources:\\n  Files: {Type: AWS::EFS::FileSystem}\\n' >.ebextensions/efs.config &&
printf '#!/bin/sh\\ntrue\\n' >.platform/hooks/postdeploy/20-own.sh && chmod 0755 .platform/hooks/postdeploy/20-own.sh &&
printf 'web: php -S 0.0.0.0:5000\\n' >Procfile && head -c 100000 /dev/zero >large && printf '<?php echo 1;' >index.php &&
ln -s index.php home.php && touch -d '2020-02-03 04:05:06' Procfile &&
zip -q -r -y ../own.zip . && printf 'release 7' | zip -q -z ../own.zip";
    let made = Command::new("/bin/sh")
        .args(["-ec", script])
        .current_dir(folder)
        .status();
    assert!(made.unwrap().success(), "zip is needed for this test");
}

/// The entries of an archive as `zipinfo` shows them, without offsets: names, modes, times, sizes, checksums.
fn listed(folder: &Path, name: &str) -> Vec<String> {
    let output = Command::new("zipinfo")
        .args(["-l", "-T", name])
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.contains("oldseed"));
    lines.skip(2).map(ToOwned::to_owned).collect()
}

#[test]
fn the_bridge_is_added_to_a_bundle_and_the_rest_of_it_stays_byte_for_byte() {
    let world = World::empty();
    let folder = world.project();
    zip_of_their_own(&folder);
    let before = fs_err::read(folder.join("own.zip")).unwrap();
    let listing = listed(&folder, "own.zip");
    insta::assert_snapshot!(world.succeed(["bridge", "--into", "own.zip"]).stdout);
    let after = fs_err::read(folder.join("own.zip")).unwrap();
    let mut own = zip::ZipArchive::new(Cursor::new(&before)).unwrap();
    let entries = usize::try_from(own.central_directory_start()).unwrap();
    assert_eq!(
        after[..entries],
        before[..entries],
        "an entry was written again"
    );
    let mut with_bridge = zip::ZipArchive::new(Cursor::new(&after)).unwrap();
    assert_eq!(with_bridge.comment(), b"release 7");
    for index in 0..own.len() {
        let mut one = own.by_index(index).unwrap();
        let mut other = with_bridge.by_name(one.name()).unwrap();
        let (mut left, mut right) = (Vec::new(), Vec::new());
        one.read_to_end(&mut left).unwrap();
        other.read_to_end(&mut right).unwrap();
        assert_eq!(left, right, "{}", one.name());
        assert_eq!(one.unix_mode(), other.unix_mode(), "{}", one.name());
        assert_eq!(one.extra_data(), other.extra_data(), "{}", one.name());
    }
    let hook = with_bridge.by_name(HOOK).unwrap();
    assert_eq!(hook.unix_mode().unwrap() & 0o777, 0o755);
    drop(hook);
    assert!(
        with_bridge.by_name("index.php").unwrap().size() < 20,
        "their own page stays"
    );
    let now = listed(&folder, "own.zip");
    assert_eq!(now[..listing.len() - 1], listing[..listing.len() - 1]);
    // Info-ZIP, which Beanstalk's machines have, takes it for whole.
    let whole = Command::new("unzip")
        .args(["-tqq", "own.zip"])
        .current_dir(&folder)
        .status();
    assert!(whole.unwrap().success());

    // Once more changes nothing, and an older bridge is replaced.
    world.succeed(["bridge", "--into", "own.zip"]);
    assert_eq!(fs_err::read(folder.join("own.zip")).unwrap(), after);
    let older = "mkdir -p .platform/hooks/predeploy && echo '#!/bin/sh # goldseed of before' >.platform/hooks/predeploy/10-goldseed.sh && zip -q own.zip .platform/hooks/predeploy/10-goldseed.sh";
    let made = Command::new("/bin/sh")
        .args(["-ec", older])
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
    world.succeed(["bridge", "--into", "own.zip"]);
    let bytes = fs_err::read(folder.join("own.zip")).unwrap();
    let mut replaced = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    replaced
        .by_name(HOOK)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(!text.contains("of before"), "{text}");
    let count = replaced.file_names().filter(|name| *name == HOOK).count();
    assert_eq!(count, 1);
}

#[test]
fn the_bridge_is_added_to_a_folder_beside_what_is_there() {
    let world = World::empty();
    fs_err::create_dir_all(world.project().join("site/.platform/hooks/predeploy")).unwrap();
    world.write("site/.platform/hooks/predeploy/05-own.sh", "#!/bin/sh\n");
    world.write("site/index.php", "<?php echo 1;");
    world.succeed(["bridge", "--into", "site"]);
    let site = world.project().join("site");
    assert_eq!(
        fs_err::read_to_string(site.join("index.php")).unwrap(),
        "<?php echo 1;"
    );
    assert_eq!(
        fs_err::read_to_string(site.join(".platform/hooks/predeploy/05-own.sh")).unwrap(),
        "#!/bin/sh\n"
    );
    for hooks in ["hooks", "confighooks"] {
        use std::os::unix::fs::PermissionsExt as _;
        let hook = site.join(format!(".platform/{hooks}/predeploy/10-goldseed.sh"));
        let mode = fs_err::metadata(hook).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}

#[test]
fn what_cannot_be_added_to_is_left_as_it_is() {
    let world = World::empty();
    let project = world.project();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(HOOK, zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"#!/bin/sh\necho mine\n").unwrap();
    let mine = zip.finish().unwrap().into_inner();
    fs_err::write(project.join("mine.zip"), &mine).unwrap();
    fs_err::write(project.join("cut.zip"), &mine[..mine.len() - 9]).unwrap();
    world.write(
        "text.zip",
        "not an archive at all, but longer than the end of one",
    );
    fs_err::create_dir_all(project.join("linked")).unwrap();
    fs_err::create_dir_all(project.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", project.join("linked/.platform")).unwrap();
    for target in ["mine.zip", "cut.zip", "text.zip", "linked"] {
        let before = fs_err::read(project.join(target)).ok();
        let output = refused(&world, ["bridge", "--into", target]);
        assert!(output.stderr.contains("nothing was changed"), "{output}");
        assert_eq!(fs_err::read(project.join(target)).ok(), before, "{target}");
    }
    assert_eq!(
        fs_err::read_dir(project.join("elsewhere")).unwrap().count(),
        0
    );
    let absent = world.run(["bridge", "--into", "absent.zip"]);
    assert_eq!(absent.code, Some(1), "{absent}");
}

#[test]
fn the_bridge_alone_is_not_written_over_what_the_deployed_version_holds() {
    let world = World::new();
    deploy(
        &world,
        "v7",
        &[
            "top .ebextensions",
            "top .platform",
            "top Procfile",
            "top src",
            "file .ebextensions/01-efs.config",
            "file .platform/nginx/conf.d/own.conf",
            "resources .ebextensions/01-efs.config",
        ],
    );
    let output = refused(&world, ["bridge"]);
    insta::assert_snapshot!(output);
    assert!(!world.project().join("bridge.zip").exists());

    holds(&world, "unreadable it is damaged\nend\n");
    let unknown = refused(&world, ["bridge", "shop"]);
    assert!(unknown.stderr.contains("is not known"), "{unknown}");
    world.succeed(["bridge", "--replace-deployed"]);
    assert!(world.project().join("bridge.zip").exists());

    // Code goes too, but it is the image's from then on: that is said.
    holds(&world, "bundle 00\ntop index.php\nend\n");
    let code = world.succeed(["bridge"]);
    assert!(
        code.stdout
            .contains("placeholder page in place of the code of version v7"),
        "{code}"
    );
    let bridge = format!("bundle 00\n{}\nend\n", BRIDGE.join("\n"));
    holds(&world, &bridge);
    let again = world.succeed(["bridge"]);
    assert!(!again.stdout.contains("in place of the code"), "{again}");
}

#[test]
fn without_settings_it_is_not_known_what_would_be_replaced() {
    let world = World::empty();
    fs_err::remove_file(world.project().join("goldseed.yaml")).unwrap();
    let output = refused(&world, ["bridge"]);
    assert!(output.stderr.contains("--replace-deployed"), "{output}");
    world.succeed(["bridge", "--replace-deployed"]);
}

#[test]
fn a_version_that_was_deployed_over_the_bridge_is_noticed_before_anything_is_built_or_swapped() {
    let world = bridged();
    deploy(&world, "bridge-1", &BRIDGE);
    world.succeed(["rebuild", "shop"]);
    let before = world.base_image();
    let status = world.succeed(["status", "shop"]);
    assert!(
        status
            .stdout
            .contains("application version bridge-1: the bridge"),
        "{status}"
    );

    deploy(&world, "v8", &["top index.php", "top .ebextensions"]);
    let status = world.succeed(["status", "shop"]);
    assert!(
        status
            .stdout
            .contains("application version v8: without the bridge"),
        "{status}"
    );
    let golden = world.images("golden").len();
    let rebuild = refused(&world, ["rebuild", "shop"]);
    assert_eq!(
        world.images("golden").len(),
        golden,
        "something was built first"
    );
    world.succeed(["build", "shop"]);
    let promote = refused(&world, ["promote", "shop"]);
    insta::assert_snapshot!(format!("{rebuild}\n\n{promote}"));
    assert_eq!(world.base_image(), before);

    let with_bridge = [&BRIDGE[2..], &["top .platform", "top index.php"]].concat();
    deploy(&world, "v9", &with_bridge);
    let status = world.succeed(["status", "shop"]);
    assert!(
        status
            .stdout
            .contains("v9: your own, with the bridge in it"),
        "{status}"
    );
    world.succeed(["promote", "shop"]);
}

#[test]
fn what_an_instance_does_not_answer_stops_no_promotion_and_is_said() {
    let world = bridged();
    deploy(&world, "v7", &["top index.php"]);
    holds(&world, "");
    let output = world.succeed(["rebuild", "shop"]);
    assert!(
        output.stderr.contains("holds the bridge is not known"),
        "{output}"
    );
    let status = world.succeed(["status", "shop"]);
    assert!(
        status.stdout.contains("v7: what it holds was not read"),
        "{status}"
    );
}

#[test]
fn the_bridge_without_an_application_in_the_image_is_refused() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    deploy(&world, "bridge-1", &BRIDGE);
    let output = refused(&world, ["promote", "shop"]);
    assert!(output.stderr.contains("would serve nothing"), "{output}");
}

/// The namespace of the option `document_root`.
const PHP: &str = "aws:elasticbeanstalk:container:php:phpini";

/// The images whose proof is made from now on say that visitors see this folder of the application.
fn proved_root(world: &World, root: &str) {
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, root);
    let answer = format!(
        "goldseed 1\nstate finished\ncode 0\nfresh yes\noffset {}\ndata {data}\n",
        root.len()
    );
    let asks = |script: &str| {
        let second = script.lines().nth(1).unwrap_or_default();
        second.starts_with("# goldseed start ") && second.ends_with("-proof-root-a1")
    };
    world.sandbox.script_result(asks, 0, &answer);
}

/// A project whose recipe says which folder visitors see.
fn rooted(root: &str) -> World {
    let world = bridged();
    world.edit("- bridge\n", "- bridge\n      - site\n");
    world.write("recipes/site.yaml", &site(root));
    deploy(&world, "bridge-1", &BRIDGE);
    world
}

fn site(root: &str) -> String {
    format!(
        "recipe: 1\nname: site\nsteps:\n  - file: {{path: /opt/goldseed/bridge/apps.d/site, content: \"root {root}\\ncopy . /opt/goldseed/app/site\\n\"}}\n"
    )
}

#[test]
fn another_document_root_than_the_images_is_refused_before_anything_is_built_or_swapped() {
    let world = rooted("public");
    let early = refused(&world, ["rebuild", "shop"]);
    assert!(
        world.images("golden").is_empty(),
        "something was built first"
    );
    world.succeed(["build", "shop"]);
    let before_the_swap = refused(&world, ["promote", "shop"]);
    insta::assert_snapshot!(format!("{early}\n\n{before_the_swap}"));
    assert_eq!(world.base_image(), None);
    world.change_environment(&[(PHP, "document_root", "/public")]);
    world.succeed(["promote", "shop"]);
    world.succeed(["build", "shop"]);
    world.change_environment(&[(PHP, "document_root", "/public/web")]);
    refused(&world, ["promote", "shop"]);
    // An application that is served as a whole is none for a folder of it.
    world.write("recipes/site.yaml", &site("."));
    let whole = refused(&world, ["rebuild", "shop"]);
    assert!(whole.stderr.contains("Value=/ "), "{whole}");
}

#[test]
fn a_rollback_to_an_image_of_another_document_root_is_refused() {
    let world = rooted("public");
    world.change_environment(&[(PHP, "document_root", "/public")]);
    proved_root(&world, "public\n");
    world.succeed(["rebuild", "shop"]);
    let first = world.base_image();
    world.write("recipes/site.yaml", &site("web"));
    world.change_environment(&[(PHP, "document_root", "/web")]);
    proved_root(&world, "web\n");
    world.succeed(["rebuild", "shop"]);
    let second = world.base_image();
    assert_ne!(first, second);
    let output = refused(&world, ["rollback", "shop"]);
    assert!(output.stderr.contains("is served from /public"), "{output}");
    assert_eq!(world.base_image(), second);
    world.change_environment(&[(PHP, "document_root", "/public")]);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), first);
}
