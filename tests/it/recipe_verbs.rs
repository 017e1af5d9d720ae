//! `goldseed recipe`: what it says of recipes, and how it tests them on a machine.

use super::world::{Goldseed, World};

const HELLO: &str = "\
recipe: 1
name: greeting
summary: A greeting of this project
params:
  greeting: {type: string, default: \"Hello\", help: one line}
  pin: {type: secret, optional: true}
steps:
  - file: {path: /etc/motd, content: \"${{ greeting }}\\n\"}
verify:
  - command: {run: cat /etc/motd, contains: \"${{ greeting }}\"}
";

#[test]
fn recipes_are_listed_with_those_of_the_project_marked() {
    let world = World::empty();
    world.write("recipes/greeting.yaml", HELLO);
    world.write("recipes/bridge.yaml", "recipe: 1\nname: bridge\n");
    insta::assert_snapshot!("recipe_list", world.succeed(["recipe", "list"]).plain());
}

#[test]
fn a_recipe_shows_its_parameters_and_how_a_pipeline_names_it() {
    let world = World::empty();
    world.write("recipes/greeting.yaml", HELLO);
    let shown: String = ["greeting", "mount-efs", "bridge"]
        .map(|name| world.succeed(["recipe", "show", name]).plain())
        .concat();
    insta::assert_snapshot!("recipe_show", shown);
    let source = world.succeed(["recipe", "show", "greeting", "--source"]);
    assert_eq!(source.stdout, HELLO);
    let unknown = world.run(["recipe", "show", "greetin"]);
    assert_eq!(unknown.code, Some(3));
    assert!(unknown.stderr.contains("did you mean `greeting`?"));
}

/// One rule for the name of a recipe, whoever asks.
#[test]
fn a_name_that_a_recipe_can_have_can_stand_in_the_settings() {
    let world = World::empty();
    let long = "a".repeat(65);
    for (name, good) in [
        ("my_site", true),
        ("Site2", true),
        ("a.b-c", true),
        ("-a", false),
        ("ä", false),
        ("a b", false),
        (long.as_str(), false),
    ] {
        let file = format!("./recipes/{name}.yaml");
        world.write(
            &file,
            &HELLO.replace("name: greeting", &format!("name: \"{name}\"")),
        );
        let settings = format!(
            "goldseed: 1\npipelines:\n  shop:\n    environment: shop-prod\n    recipes: [\"{name}\"]\n"
        );
        world.write("goldseed.yaml", &settings);
        let code = if good { 0 } else { 3 };
        for output in [
            world.run(["recipe", "check", &file]),
            world.run(["check", "shop"]),
        ] {
            assert_eq!(output.code, Some(code), "{name}: {output}");
        }
        fs_err::remove_file(world.project().join(file)).unwrap();
    }
}

#[test]
fn a_wrong_value_is_told_by_what_its_parameter_is_for() {
    let world = World::empty();
    let settings = "goldseed: 1\npipelines:\n  shop:\n    environment: shop-prod\n    recipes:\n      \
                    - mount-efs: {file_system: efs-1}\n";
    world.write("goldseed.yaml", settings);
    let output = world.run(["check"]);
    assert_eq!(output.code, Some(3), "{output}");
    let error = output.stderr.lines().next().unwrap();
    assert!(error.contains("the id of the EFS file system"), "{output}");
    assert!(!error.contains("[0-9a-f]"), "{output}");
    let named = settings.replace(
        "mount-efs: {file_system: efs-1}",
        "configure-db: {host: db, name: my-shop, user: u, password: \"ssm:/p\"}",
    );
    world.write("goldseed.yaml", &named);
    world.succeed(["check"]);
}

#[test]
fn recipes_are_checked_without_any_pipeline() {
    let world = World::empty();
    world.write("recipes/greeting.yaml", HELLO);
    world.write(
        "recipes/odd.yaml",
        "recipe: 1\nname: odd\nsummary: x\nsteps:\n  - fil: {path: /a}\n  - file: {path: a}\n",
    );
    let checked = world.run(["recipe", "check"]);
    assert_eq!(checked.code, Some(3));
    insta::assert_snapshot!("recipe_check", checked.plain());
    let one = world.succeed(["recipe", "check", "recipes/greeting.yaml"]);
    assert_eq!(one.stdout, "recipes/greeting.yaml: no mistakes\n");
    let path = "recipes/greeting.yaml";
    let twice = world.succeed(["recipe", "check", path, path]);
    assert_eq!(twice.stdout, one.stdout);
    let unknown = world.run(["recipe", "check", "nobody", "odd", "nothing"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    for said in ["`nobody`", "did you mean `file`?", "`nothing`"] {
        assert!(unknown.stderr.contains(said), "{said}: {unknown}");
    }
    let odd = world.run(["recipe", "check", "odd", "odd"]);
    assert_eq!(
        odd.stderr.matches("did you mean `file`?").count(),
        1,
        "{odd}"
    );
}

#[test]
fn a_file_whose_name_is_no_recipes_is_told_beside_all_other_mistakes() {
    let world = World::empty();
    let recipe = |name: &str| format!("recipe: 1\nname: {name}\nsummary: x\nsteps: []\n");
    world.write("recipes/My Site.yaml", &recipe("My Site"));
    world.write("recipes/both.yaml", &recipe("both"));
    fs_err::create_dir_all(world.project().join("recipes/both")).unwrap();
    world.write("recipes/both/recipe.yaml", &recipe("both"));
    world.write("recipes/foo.yml", &recipe("foo"));
    world.write("recipes/shop.yaml", "recipe: 1\nname: shop\n");
    world.write("recipes/tried.yaml", &recipe("tried"));
    world.write("recipes/tried.test.yaml", &recipe("tried"));
    world.write("recipes/.backup.yaml", "not a recipe");
    let checked = world.run(["recipe", "check"]);
    assert_eq!(checked.code, Some(3));
    insta::assert_snapshot!("recipe_file_names", checked.plain());
    for name in ["My Site", "both", "foo"] {
        let listed = world.succeed(["recipe", "list"]).plain();
        let line = listed
            .lines()
            .find(|line| line.contains(&format!("* {name} ")));
        assert!(
            line.is_some_and(|line| line.contains("has mistakes")),
            "{listed}"
        );
    }
    for (arguments, said) in [
        (["recipe", "show", "foo"], "rename it to `foo.yaml`"),
        (
            ["recipe", "check", "recipes/foo.yml"],
            "rename it to `foo.yaml`",
        ),
        (["recipe", "test", "tried"], "write `name: test`"),
    ] {
        let output = world.run(arguments);
        assert_eq!(output.code, Some(3), "{output}");
        assert!(output.stderr.contains(said), "{output}");
    }
}

#[test]
fn a_test_that_cannot_be_made_starts_no_machine() {
    let world = World::empty();
    let needy = "recipe: 1\nname: needy\nparams: {who: {type: string}}\nsteps:\n  - file: {path: /etc/motd, content: \"${{ who }}\"}\n";
    world.write("recipes/needy.yaml", needy);
    world.write("recipes/greeting.yaml", HELLO);
    let cases = [
        (
            world.run(["recipe", "test", "greetings"]),
            3,
            "did you mean `greeting`?",
        ),
        (
            world.run(["recipe", "test", "greeting", "--set", "greting=x"]),
            3,
            "did you mean `greeting`?",
        ),
        (
            world.run(["recipe", "test", "greeting", "--set", "greeting"]),
            2,
            "is not NAME=VALUE",
        ),
        (
            world.run(["recipe", "test", "needy"]),
            3,
            "say `--set who=…` (string)",
        ),
        (
            world.run(["recipe", "test", "recipes/needy.yaml"]),
            2,
            "`goldseed recipe test needy`",
        ),
        (
            world.run([
                "recipe", "test", "needy", "--set", "who=[a,b", "--set", "x=y",
            ]),
            3,
            "1 | who: [a,b",
        ),
    ];
    for (output, code, said) in cases {
        assert_eq!(output.code, Some(code), "{output}");
        assert!(output.stderr.contains(said), "{output}");
    }
    assert!(!world.project().join(".goldseed").exists());
}

#[test]
fn a_recipe_is_applied_twice_and_must_change_nothing_the_second_time() {
    let world = World::empty();
    world.write("recipes/greeting.yaml", HELLO);
    // The engine finds its own programs by the path.
    let with_path = |command: Goldseed<'_>| command.env("PATH", env!("PATH")).run();
    let tested = with_path(world.goldseed([
        "recipe",
        "test",
        "greeting",
        "--set",
        "greeting=Good morning",
    ]));
    assert_eq!(
        tested.stdout,
        "greeting: 1 step(s) changed something, none the second time; its checks passed both times\n"
    );
    let again = "recipe: 1\nname: again\nsteps:\n  - run: {name: write the time, command: date > /etc/when, unless: \"false\"}\n";
    world.write("recipes/again.yaml", again);
    let unsettled = with_path(world.goldseed(["recipe", "test", "again"]));
    assert_eq!(unsettled.code, Some(6));
    assert!(
        unsettled
            .stderr
            .contains("a second run of the same recipe changes again: again: write the time"),
        "{}",
        unsettled.stderr
    );
    assert!(!world.project().join(".goldseed/recipe-test/again").exists());

    // As in a build, which checks its seed and its proof before anything is migrated.
    let migrating = "recipe: 1\nname: tables\nmigrations: compatible\nsteps:\n  - run: {name: widen the tables, command: touch /srv/wide, unless: test -e /srv/wide}\n    on: migrate\nverify:\n  - name: the code runs\n    command: {run: test -e /srv/wide, within: 2s}\n";
    world.write("recipes/tables.yaml", migrating);
    let too_early = with_path(world.goldseed(["recipe", "test", "tables"]));
    assert_eq!(too_early.code, Some(6), "{too_early}");
    assert!(
        too_early.stderr.contains("tables: the code runs failed")
            && !too_early.stderr.contains("widen the tables: changed"),
        "{too_early}"
    );
    let both = migrating.replace("test -e /srv/wide, within", "date, within");
    world.write("recipes/tables.yaml", &both);
    let tested = with_path(world.goldseed(["recipe", "test", "tables"]));
    let order =
        ["the code runs: ok", "widen the tables: changed"].map(|said| tested.stderr.find(said));
    assert!(
        tested.code == Some(0)
            && order.is_sorted()
            && tested.stderr.matches("the code runs: ok").count() == 4,
        "{tested}"
    );
}
