//! Recipes from their files to scripts that really run: every rule's message, every shell.

use std::path::{Path, PathBuf};

use goldseed::document::Document;
use goldseed::recipe::{Bound, Library, LoadError, Purpose, compile};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recipes")
        .join(name)
}

fn recipes_in(name: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder(name)).unwrap();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

mod batches;
mod commands;
mod conditions;
mod database;
mod dnf;
mod dpkg;
mod drift;
mod includes;
mod killed;
mod machine;
mod missing;
mod moodle;
mod mounts;
mod mutations;
mod optional;
mod pages;
mod php;
mod platforms;
mod reboots;
mod redirects;
mod resources;
mod running;
mod schedules;
mod scripts;
mod secrets;
mod seed;
mod services;
mod sources;
mod together;

use running::{
    applied, failure, first_result, instance, library, mode, results, run, set_mode, shells,
    with_functions, written,
};

/// Binds a valid recipe to values as settings would give them.
fn bound(name: &str, values: &str) -> Result<Bound, String> {
    let recipe = Library::load_file(&folder("valid").join(format!("{name}.yaml"))).unwrap();
    let settings = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    let at = 0..settings.source.text().find(['\n', ':']).unwrap_or(0);
    recipe
        .bind(&settings.source, at, settings.root.get(name))
        .map_err(|mistakes| mistakes.to_string())
}

const SITE: &str =
    "site:\n  domain: shop.example.com\n  efs: fs-0123456789abcdef0\n  db: ssm:/shop/db-password\n";

#[test]
fn every_invalid_recipe_says_what_is_wrong_and_where() {
    let paths = recipes_in("invalid");
    assert!(paths.len() >= 80, "only {} invalid recipes", paths.len());
    let mut messages = String::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Err(LoadError::Invalid(mistakes)) = Library::load_file(&path) else {
            panic!("{name} was taken for a good recipe");
        };
        let message = mistakes
            .to_string()
            .replace(&folder("invalid/").display().to_string(), "");
        messages += "\n";
        messages += &message;
        messages += "\n";
    }
    insta::assert_snapshot!(messages);
}

#[test]
fn every_recipe_of_the_library_and_of_the_tests_is_valid() {
    let library = Library::new(None);
    assert!(!library.names().is_empty());
    for name in library.names() {
        library
            .load(&name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for path in recipes_in("valid") {
        Library::load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_tables_of_the_manual_name_every_type() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let manual = fs_err::read_to_string(manual).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my-site.yaml");
    fs_err::write(&path, "recipe: 1\nname: my-site\nsteps:\n  - name: none\n").unwrap();
    let message = Library::load_file(&path).unwrap_err().to_string();
    let kinds = message
        .split("one of the keys: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    for kind in kinds.split(", ") {
        assert!(manual.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

#[test]
fn a_projects_recipes_come_first_and_unknown_ones_get_a_suggestion() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join("recipes/hello/recipe.yaml");
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, "recipe: 1\nname: hello\nsummary: mine\nsteps: []\n").unwrap();
    let library = Library::new(Some(project.path().to_owned()));
    assert_eq!(library.load("hello").unwrap().summary(), "mine");
    assert_eq!(
        library
            .names()
            .iter()
            .filter(|name| *name == "hello")
            .count(),
        1
    );
    let Err(LoadError::Unknown { suggestion, .. }) = library.load("helo") else {
        panic!("helo is known")
    };
    assert_eq!(suggestion.as_deref(), Some("hello"));
    assert!(matches!(
        library.load("../hello"),
        Err(LoadError::Unknown { .. })
    ));
}

#[test]
fn values_are_checked_in_the_settings_file_all_at_once() {
    let values = "site:\n  domian: x\n  workers: 1000\n  php_memory: 1T\n  efs: fs-xyz\n  tls: yes\n  modules: gd\n  db: hunter2\n";
    insta::assert_snapshot!(bound("site", values).unwrap_err());
}

#[test]
fn the_value_of_a_secret_is_never_shown_with_another_mistake() {
    for values in [
        "site: {domain: \"bad!\", db: hunter2}\n",
        "site:\n  domain: x.example\n  bd: hunter2\n",
        "site: {domian: x.example, passwd: [hunter2, {a: hunter2}]}\n",
        "site:\n  domain: x.example\n  db: |\n    hunter2\n    hunter2\n",
    ] {
        let message = bound("site", values).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_value_that_makes_no_sense_in_a_step_is_shown_in_the_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let text = "recipe: 1\nname: a\nparams: {owner: {type: string}}\nsteps:\n  - directory: {path: /srv/a, owner: \"${{ owner }}\"}\n";
    fs_err::write(&path, text).unwrap();
    let recipe = Library::load_file(&path).unwrap();
    let settings =
        Document::parse(Path::new("goldseed.yaml"), "owner: -R root\n".to_owned()).unwrap();
    let bound = recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .unwrap();
    let message = compile(&[bound], Purpose::Apply).unwrap_err().to_string();
    insta::assert_snapshot!(message.replace(&folder.path().display().to_string(), ""));
}

#[test]
fn a_script_depends_on_its_input_alone_and_knows_its_steps() {
    let recipes = [bound("site", SITE).unwrap(), bound("site", SITE).unwrap()];
    let first = compile(&recipes, Purpose::Apply).unwrap();
    assert_eq!(first, compile(&recipes, Purpose::Apply).unwrap());
    assert!(!first.text.contains("@NONCE@"));
    let ids: Vec<&str> = first.steps.iter().map(|step| step.id.as_str()).collect();
    assert!(
        ids.contains(&"site/2.1") && ids.contains(&"site/2.2") && ids.contains(&"site~2/1"),
        "{ids:?}"
    );
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let install = first.step("site/8").unwrap();
    assert_eq!(
        (
            install.name.as_str(),
            install.kind.as_str(),
            install.place.line
        ),
        ("install the site", "run", 34)
    );
    let migrate = compile(&recipes[..1], Purpose::Migrate).unwrap();
    assert_eq!(
        migrate
            .steps
            .iter()
            .filter(|step| step.kind == "run")
            .count(),
        1
    );
    let verify = compile(&recipes[..1], Purpose::Verify).unwrap();
    assert_eq!(
        verify
            .steps
            .iter()
            .filter(|step| step.id.contains("check"))
            .count(),
        5
    );
    let checks = goldseed::recipe::balancer_checks(&recipes[..1]).unwrap();
    assert_eq!(checks[0].contains, ["<title>", "wp-content"]);
    assert_eq!(checks[0].host.as_deref(), Some("shop.example.com"));
}

#[test]
fn the_names_of_steps_are_filled_in_and_hold_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let steps = "steps:\n  \
        - directory: {path: \"/srv/${{ item }}\"}\n    each: folders\n  \
        - file: {path: /srv/a, content: x}\n    name: the file of ${{ owner }}\n  \
        - file: {path: \"/srv/${{ unset }}\", content: x}\n    when: unset\n  \
        - package: [nginx, \"php-${{ owner }}\"]\n  \
        - secret-file: {path: /run/a, content: x, secrets: [db]}\n    name: written with ${{ owner }}\n    on: boot\n\
        verify:\n  - http: {url: \"http://${{ owner }}/\"}\n";
    let text = format!(
        "recipe: 1\nname: a\nparams:\n  owner: {{type: string}}\n  folders: {{type: list}}\n  \
         unset: {{type: string, optional: true}}\n  db: {{type: secret}}\n{steps}"
    );
    let path = folder.path().join("a.yaml");
    fs_err::write(&path, text).unwrap();
    let recipe = Library::load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let values = "owner: ada\nfolders: [one, two]\ndb: ssm:/shop/db\n";
    let settings = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    let bound = recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .unwrap();
    let names = |purpose| -> Vec<String> {
        let script = compile(std::slice::from_ref(&bound), purpose).unwrap();
        let mine = script
            .steps
            .into_iter()
            .filter(|step| step.recipe == "a" && !step.id.starts_with("goldseed/"));
        mine.map(|step| step.name).collect()
    };
    assert_eq!(
        names(Purpose::Apply),
        [
            "directory /srv/one",
            "directory /srv/two",
            "the file of ada",
            "file",
            "package nginx, php-ada",
            "written with ada"
        ]
    );
    assert_eq!(names(Purpose::Verify), ["http http://ada/"]);
}

#[test]
fn the_steps_of_a_script_read_like_the_recipe() {
    let script = compile(&[bound("site", SITE).unwrap()], Purpose::Apply).unwrap();
    let body = script.text.split("gs_all() {\n").nth(1).unwrap();
    let lines: Vec<&str> = body
        .lines()
        .take_while(|line| !line.contains("gs_install_boot"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
