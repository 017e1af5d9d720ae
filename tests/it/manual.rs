//! The manual's examples, run as a reader would.

use super::world::World;

/// The recipes that stand in the manual: name and text.
fn examples() -> Vec<(String, String)> {
    let manual = fs_err::read_to_string("docs/recipes.md").unwrap();
    manual
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .filter(|text| text.starts_with("recipe: 1\n"))
        .map(|text| {
            let name = text.lines().find_map(|line| line.strip_prefix("name: "));
            (name.unwrap().to_owned(), text.to_owned())
        })
        .collect()
}

/// The tests of recipes that stand there, which name their files: path and text.
fn tests_of_recipes() -> Vec<(String, String)> {
    let manual = fs_err::read_to_string("docs/recipes.md").unwrap();
    let blocks = manual.split("```yaml\n").skip(1);
    let tests: Vec<(String, String)> = blocks
        .filter_map(|block| block.split("```").next())
        .filter_map(|text| {
            let path = text.strip_prefix("# ")?.lines().next()?;
            path.ends_with(".test.yaml")
                .then(|| (path.to_owned(), text.to_owned()))
        })
        .collect();
    assert!(!tests.is_empty());
    tests
}

#[test]
fn every_example_is_applied_twice_on_a_machine_and_does_what_it_says() {
    let world = World::empty();
    let examples = examples();
    assert!(examples.len() >= 5, "{examples:?}");
    for (name, text) in &examples {
        world.write(&format!("recipes/{name}.yaml"), text);
    }
    for (path, text) in tests_of_recipes() {
        world.write(&path, &text);
    }
    world.succeed(["recipe", "check"]);
    for (name, _) in &examples {
        let command = world.goldseed(["recipe", "test", name]);
        // The engine finds its own programs by the path.
        let output = command.env("PATH", env!("PATH")).run();
        assert_eq!(output.code, Some(0), "{name}: {output}");
    }
}

#[test]
fn the_mistake_in_the_manual_looks_like_that() {
    let manual = fs_err::read_to_string("docs/recipes.md").unwrap();
    let shown = manual.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let world = World::empty();
    world.write(
        "recipes/status-page.yaml",
        "recipe: 1\nname: status-page\n\nsteps:\n  - directory: {path: /opt/status}\n  - file: {pth: /opt/status/index.html}\n",
    );
    let output = world.run(["recipe", "check", "status-page"]);
    assert!(output.stderr.contains(shown.trim_end()), "{output}");
}
