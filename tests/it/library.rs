//! The recipes in the binary: all can be read, and what the starter names becomes scripts.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use goldseed::recipe::{Bound, Library, Purpose, balancer_checks, compile};
use goldseed::settings::{Pipeline, Settings, starter};

/// The settings of the starter with all values filled in, and `more` in place of the title of the site.
fn settings(more: &str) -> Settings {
    let text = starter("shop", "shop-prod")
        .replace("<the twelve digits of the account>", "123456789012")
        .replace("<region, such as eu-central-1>", "eu-central-1")
        .replace("<name of an instance profile>", "goldseed-seed")
        .replace("<id of the EFS file system, fs-…>", "fs-0123456789abcdef0")
        .replace("<address of the database>", "db.example.com")
        .replace("<address of the administrator>", "admin@example.com")
        .replace("          title: A WordPress site\n", more);
    Settings::parse(Path::new("goldseed.yaml"), text)
        .map_err(|wrong| wrong.to_string())
        .unwrap()
}

fn bound(settings: &Settings, pipeline: &Pipeline) -> Vec<Bound> {
    let library = Library::new(None);
    let bind = |name: &str, at, values| {
        let recipe = library
            .load(name)
            .map_err(|wrong| wrong.to_string())
            .unwrap();
        recipe
            .bind(&settings.text, at, values)
            .map_err(|wrong| wrong.to_string())
            .unwrap()
    };
    let mut recipes = vec![bind("bridge", 0..0, None)];
    for used in &pipeline.recipes {
        recipes.push(bind(&used.name, used.name_span.clone(), Some(&used.values)));
    }
    recipes
}

#[test]
fn every_recipe_of_the_library_can_be_read_and_says_what_it_is() {
    let library = Library::new(None);
    let names = library.names();
    for expected in [
        "bridge",
        "configure-db",
        "cron-on-seed",
        "generalise",
        "install-moodle",
        "install-php-app",
        "install-wordpress",
        "mount-efs",
        "php-tuning",
        "security-updates",
        "sessions-memcached",
        "sessions-redis",
        "upgrade-moodle",
        "upgrade-wordpress",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} is not in {names:?}"
        );
    }
    for name in names {
        let recipe = library
            .load(&name)
            .map_err(|wrong| wrong.to_string())
            .unwrap();
        assert!(!recipe.summary().is_empty(), "{name} has no summary");
    }
}

/// The pipelines of the page about the library are what people begin with.
#[test]
fn the_pipelines_of_the_page_about_the_library_become_scripts() {
    let page = page();
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let pipelines: Vec<&str> = blocks.filter(|text| text.starts_with("recipes:")).collect();
    assert_eq!(pipelines.len(), 2);
    for pipeline in pipelines {
        let text = format!(
            "goldseed: 1\naccount: \"123456789012\"\nregion: eu-central-1\npipelines:\n  site:\n    environment: site\n    \
             seed: {{instance-profile: seed}}\n{}",
            pipeline
                .replace("recipes:", "    recipes:")
                .replace("\n  ", "\n      ")
        );
        let settings = Settings::parse(Path::new("goldseed.yaml"), text)
            .map_err(|wrong| wrong.to_string())
            .unwrap();
        let recipes = &bound(&settings, &settings.pipelines["site"])[1..];
        for purpose in [Purpose::Apply, Purpose::Verify] {
            let script = compile(recipes, purpose)
                .map_err(|wrong| wrong.to_string())
                .unwrap();
            assert_is_shell(&script.text);
        }
    }
}

#[test]
fn the_page_about_the_library_has_a_row_for_each_recipe_with_its_parameters() {
    let library = Library::new(None);
    let page = page();
    for name in library.names() {
        let start = format!("| `{name}` |");
        let row = page
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap_or_else(|| panic!("{name} has no row"));
        let recipe = library
            .load(&name)
            .map_err(|wrong| wrong.to_string())
            .unwrap();
        for parameter in recipe.parameters() {
            let named = format!("`{}`", parameter.name);
            assert!(row.contains(&named), "{named} is not in the row of {name}");
        }
    }
}

fn page() -> String {
    fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/library.md")).unwrap()
}

#[test]
fn what_the_starter_names_becomes_scripts_that_a_shell_can_read() {
    let everything = "          url: https://www.example.com\n          salt: ssm:/shop/salt\n          admin_password: ssm:/shop/admin\n          \
         archive: https://example.com/wordpress.tar.gz\n          sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    for more in ["", everything] {
        let settings = settings(more);
        let recipes = bound(&settings, &settings.pipelines["shop"]);
        for purpose in [Purpose::Apply, Purpose::Verify] {
            let script = compile(&recipes, purpose)
                .map_err(|wrong| wrong.to_string())
                .unwrap();
            assert!(!script.steps.is_empty());
            assert_is_shell(&script.text);
        }
        let checks = balancer_checks(&recipes)
            .map_err(|wrong| wrong.to_string())
            .unwrap();
        let paths: Vec<&str> = checks.iter().map(|check| check.path.as_str()).collect();
        assert_eq!(paths, ["/goldseed-health.php", "/", "/wp-login.php"]);
        assert!(
            checks.iter().all(|check| !check.contains.is_empty()),
            "an empty page can be 200 too"
        );
    }
}

/// Generalising is no part of an apply: it must neither record a seed nor take the boot steps of the image away.
#[test]
fn generalise_is_a_script_of_its_own() {
    let library = Library::new(None);
    let recipe = library
        .load("generalise")
        .map_err(|wrong| wrong.to_string())
        .unwrap();
    let recipes = [recipe
        .bind(recipe.source(), 0..0, None)
        .map_err(|wrong| wrong.to_string())
        .unwrap()];
    let script = compile(&recipes, Purpose::Alone)
        .map_err(|wrong| wrong.to_string())
        .unwrap();
    assert_is_shell(&script.text);
    let last: Vec<&str> = script
        .steps
        .iter()
        .rev()
        .take(3)
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(
        last,
        [
            "no secret would travel in the image",
            "none is left",
            "the traces of this machine are taken away"
        ]
    );
    assert!(
        !script
            .steps
            .iter()
            .any(|step| step.id.starts_with("goldseed/")),
        "{:?}",
        script.steps
    );
}

#[test]
fn the_bridge_shows_a_placeholder_on_a_machine_without_a_golden_image() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/bridge/files");
    let hook = Command::new("sh")
        .arg(files.join("platform/hooks/predeploy/10-goldseed.sh"))
        .output()
        .unwrap();
    assert_eq!(hook.status.code(), Some(0));
    let complaint = String::from_utf8(hook.stderr).unwrap();
    assert!(
        complaint.contains("was not started from a golden image"),
        "{complaint}"
    );
    for script in [
        "deploy",
        "guard-php",
        "platform/hooks/predeploy/10-goldseed.sh",
    ] {
        assert_is_shell(&fs_err::read_to_string(files.join(script)).unwrap());
    }
}

fn assert_is_shell(text: &str) {
    let mut shell = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
