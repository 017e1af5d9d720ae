//! The project that `scripts/demo` works with is one that `goldseed check` accepts.

use std::path::Path;

use assert_cmd::Command;

#[test]
fn the_demo_project_has_no_mistakes() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/demo.d/project");
    let folder = tempfile::tempdir().unwrap();
    let recipe = "recipes/shop-banner/recipe.yaml";
    let plugin = "recipes/shop-banner/files/shop-banner.php";
    fs_err::create_dir_all(folder.path().join(plugin).parent().unwrap()).unwrap();
    for file in [recipe, plugin] {
        fs_err::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let settings = fs_err::read_to_string(source.join("goldseed.yaml")).unwrap();
    assert_eq!(settings.matches("DATABASE_HOST").count(), 1);
    let settings = settings.replace("DATABASE_HOST", "10.213.0.200");
    fs_err::write(folder.path().join("goldseed.yaml"), settings).unwrap();

    let checked = Command::cargo_bin("goldseed")
        .unwrap()
        .arg("check")
        .current_dir(folder.path())
        .assert()
        .success();
    let said = String::from_utf8_lossy(&checked.get_output().stdout).into_owned();
    assert!(said.contains("shop-banner for shop-prod"), "{said}");
}

#[test]
fn the_demo_changes_a_text_that_the_plugin_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs_err::read_to_string(root.join("scripts/demo")).unwrap();
    let plugin = root.join("scripts/demo.d/project/recipes/shop-banner/files/shop-banner.php");
    let plugin = fs_err::read_to_string(plugin).unwrap();
    let banner = script
        .lines()
        .find_map(|line| line.strip_prefix("first_banner='"))
        .and_then(|rest| rest.strip_suffix('\''))
        .unwrap();
    assert!(plugin.contains(banner));
}
