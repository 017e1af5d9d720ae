//! Recipes in recipes.

use std::path::Path;

use goldseed::document::Document;
use goldseed::recipe::{Bound, Library, LoadError, Purpose, StepResult, balancer_checks, compile};

use super::{results, run, shells};

/// Recipes in a project's folder, and the first of them bound to values.
fn project(root: &Path, recipes: &[(&str, &str)], values: &str) -> Result<Bound, String> {
    fs_err::create_dir_all(root.join("recipes")).unwrap();
    for (name, text) in recipes {
        let text = format!("recipe: 1\nname: {name}\n{text}");
        fs_err::write(root.join(format!("recipes/{name}.yaml")), text).unwrap();
    }
    let library = Library::new(Some(root.to_owned()));
    let shown = |text: String| text.replace(&root.display().to_string(), "");
    let recipe = library
        .load(recipes[0].0)
        .map_err(|error| shown(error.to_string()))?;
    let settings = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .map_err(|mistakes| shown(mistakes.to_string()))
}

const INNER: &str = "params:
  root: {type: path}
  text: {type: string, pattern: '[a-z]+', default: default}
  extra: {type: string, optional: true}
  db: {type: secret, optional: true}
steps:
  - file: {path: \"${{ root }}/${{ text }}\", content: \"${{ text }}\\n\"}
    notify: note
  - file: {path: \"${{ root }}/extra\", content: x}
    when: extra
  - file: {path: \"${{ root }}/boot-${{ text }}\", content: x}
    on: boot
handlers:
  note: {run: echo an inner handler ran}
verify:
  - file: {path: \"${{ root }}/${{ text }}\", within: 0s}
  - http: {path: /inner}
    at: balancer
";

const OUTER: &str = "params:
  root: {type: path}
  word: {type: string, default: outer}
  texts: {type: list, default: [one, two]}
  extra: {type: string, optional: true}
  deep: {type: bool, default: false}
steps:
  - include: {recipe: inner, with: {root: \"${{ root }}\", text: \"${{ word }}\", extra: \"${{ extra }}\"}}
  - include: {recipe: inner, with: {root: \"${{ root }}\", text: \"${{ item }}\"}}
    each: texts
  - include: {recipe: inner, with: {root: /no/such/folder}}
    when: deep
  - file: {path: \"${{ root }}/last\", content: x}
    notify: note
handlers:
  note: {run: echo the outer handler ran}
";

#[test]
fn the_steps_of_an_included_recipe_stand_where_it_is_included() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let values = format!("root: {}\n", root.path().display());
        let bound = project(root.path(), &[("outer", OUTER), ("inner", INNER)], &values).unwrap();
        let script = compile(std::slice::from_ref(&bound), Purpose::Apply).unwrap();
        let ids: Vec<&str> = script.steps.iter().map(|step| step.id.as_str()).collect();
        let expected = [
            "outer+1/1",
            "outer+1/2",
            "outer+1/3",
            "outer+2.1/1",
            "outer+2.1/2",
            "outer+2.1/3",
            "outer+2.2/1",
            "outer+2.2/2",
            "outer+2.2/3",
            "outer/3",
            "outer/4",
            "outer+1/note",
            "outer+2.1/note",
            "outer+2.2/note",
            "outer/note",
            "goldseed/boot",
        ];
        assert_eq!(ids, expected);
        let step = script.step("outer+2.2/1").unwrap();
        assert_eq!((step.recipe.as_str(), step.place.line), ("inner", 9));
        assert!(step.place.path.ends_with("inner.yaml"));

        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        for made in ["outer", "one", "two", "last", "boot-outer", "boot-two"] {
            assert!(root.path().join(made).exists(), "{made}");
        }
        assert_eq!(results(&lines)["outer/3"], StepResult::Skipped);
        assert_eq!(log.matches("an inner handler ran").count(), 3, "{log}");
        assert_eq!(log.matches("the outer handler ran").count(), 1, "{log}");
        let boot = fs_err::read_to_string(root.path().join("opt/goldseed/boot/boot.sh")).unwrap();
        assert!(boot.contains("boot-two") && !boot.contains("/last"));
        let (_, lines, _) = run(&script, &shell, root.path(), &[]);
        assert!(
            results(&lines)
                .values()
                .all(|result| *result != StepResult::Changed)
        );

        let verify = compile(std::slice::from_ref(&bound), Purpose::Verify).unwrap();
        let (code, lines, log) = run(&verify, &shell, root.path(), &[]);
        assert_eq!((code, results(&lines).len()), (0, 3), "{log}");
        assert_eq!(
            balancer_checks(std::slice::from_ref(&bound)).unwrap().len(),
            3
        );
    }
}

#[test]
fn secrets_are_handed_on_as_references() {
    let root = tempfile::tempdir().unwrap();
    let outer = "params: {password: {type: secret}}\nsteps:\n  \
                 - include: {recipe: inner, with: {root: /srv, db: \"${{ password }}\"}}\n";
    let bound = project(
        root.path(),
        &[("outer", outer), ("inner", INNER)],
        "password: ssm:/shop/db\n",
    )
    .unwrap();
    let secrets: Vec<String> = bound.secrets().iter().map(ToString::to_string).collect();
    assert_eq!(secrets, ["ssm:/shop/db", "ssm:/shop/db"]);
    let pasted = outer.replace("db: \"${{ password }}\"", "text: \"a${{ password }}\"");
    let message = project(
        root.path(),
        &[("outer", &pasted), ("inner", INNER)],
        "password: ssm:/shop/db\n",
    )
    .unwrap_err();
    assert!(
        message.contains("the secret `password` cannot stand here"),
        "{message}"
    );
}

#[test]
fn mistakes_are_shown_where_they_were_made() {
    let root = tempfile::tempdir().unwrap();
    let values = format!("root: {}\nword: Not small\n", root.path().display());
    let wrong_value =
        project(root.path(), &[("outer", OUTER), ("inner", INNER)], &values).unwrap_err();
    let circle = "steps:\n  - include: {recipe: second}\n";
    let recipes = [
        ("first", circle),
        ("second", "steps:\n  - include: {recipe: third}\n"),
        ("third", "steps:\n  - include: {recipe: first}\n"),
    ];
    let circle = project(root.path(), &recipes, "{}").unwrap_err();
    let recipes = [
        ("outside", "steps:\n  - include: {recipe: inside}\n"),
        ("inside", "steps:\n  - flie: {path: /a/b, content: x}\n"),
    ];
    let inside = project(root.path(), &recipes, "{}").unwrap_err();
    insta::assert_snapshot!([wrong_value, circle, inside].join("\n---\n"), @r#"
    error: this is no value for `text`: it does not match the pattern [a-z]+
      --> /recipes/outer.yaml:10:64
       |
    10 |   - include: {recipe: inner, with: {root: "${{ root }}", text: "${{ word }}", extra: "${{ extra }}"}}
       |                                                                ^^^^^^^^^^^^^
       |
       = help: the pattern is a regular expression for all of `text`; `goldseed recipe show` tells what it is for
    ---
    error: the recipe includes itself: first → second → third → first
     --> /recipes/third.yaml:4:23
      |
    4 |   - include: {recipe: first}
      |                       ^^^^^
      |
      = help: put what both need into a third recipe, and include that
    ---
    error: unknown key `flie` in a step
     --> /recipes/inside.yaml:4:5
      |
    4 |   - flie: {path: /a/b, content: x}
      |     ^^^^
      |
      = help: did you mean `file`?
    "#);
}

#[test]
fn a_recipe_of_the_library_can_be_included() {
    let root = tempfile::tempdir().unwrap();
    let bound = project(
        root.path(),
        &[("outer", "steps:\n  - include: {recipe: hello}\n")],
        "{}",
    )
    .unwrap();
    assert!(!compile(&[bound], Purpose::Apply).unwrap().steps.is_empty());
    assert!(matches!(
        Library::new(None).load("nothing"),
        Err(LoadError::Unknown { .. })
    ));
}

/// Recipes that include each other, each the next some times; the last has one step.
fn nested(deep: usize, wide: usize) -> Vec<(String, String)> {
    let step = |index: usize| format!("  - include: {{recipe: r{}}}\n", index + 1);
    let steps = |index: usize| format!("steps:\n{}", step(index).repeat(wide));
    let mut recipes: Vec<_> = (0..deep)
        .map(|index| (format!("r{index}"), steps(index)))
        .collect();
    let last = "steps:\n  - file: {path: /srv/last, content: x}\n".to_owned();
    recipes.push((format!("r{deep}"), last));
    recipes
}

fn of_nested(deep: usize, wide: usize) -> Result<Bound, String> {
    let root = tempfile::tempdir().unwrap();
    let recipes = nested(deep, wide);
    let recipes: Vec<(&str, &str)> = recipes
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    project(root.path(), &recipes, "{}\n")
}

/// A limit is reached at once, not after minutes.
const AT_ONCE: std::time::Duration = std::time::Duration::from_secs(30);

#[test]
fn recipes_that_multiply_beyond_all_bounds_are_refused_at_once() {
    let began = std::time::Instant::now();
    // 8 to the power of 12.
    let said = of_nested(12, 8).unwrap_err();
    assert!(said.contains("has more than 10000 steps"), "{said}");
    assert_eq!(said.matches("error").count(), 1, "{said}");
    // The same depth with one each is fine, and is read once.
    let bound = of_nested(12, 1).unwrap();
    let script = compile(std::slice::from_ref(&bound), Purpose::Apply).unwrap();
    assert!(script.step("r0+1+1+1+1+1+1+1+1+1+1+1+1/1").is_some());
    let said = of_nested(17, 1).unwrap_err();
    assert!(said.contains("more than 16 deep"), "{said}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[test]
fn a_list_of_thousands_repeats_a_step_and_one_of_more_is_refused_at_once() {
    let outer = "params:\n  items: {type: list}\nsteps:\n  - file: {path: \"/srv/${{ item }}\", content: x}\n    each: items\n";
    let included =
        "params:\n  items: {type: list}\nsteps:\n  - include: {recipe: inner}\n    each: items\n";
    let inner =
        "steps:\n  - file: {path: /srv/a, content: x}\n  - file: {path: /srv/b, content: x}\n";
    let items = |count: usize| {
        let items: Vec<_> = (0..count).map(|item| format!("item-{item}")).collect();
        format!("items: [{}]\n", items.join(", "))
    };
    let began = std::time::Instant::now();
    let bound = |text: &str, count: usize| {
        let root = tempfile::tempdir().unwrap();
        project(
            root.path(),
            &[("outer", text), ("inner", inner)],
            &items(count),
        )
    };
    for text in [outer, included] {
        let said = bound(text, 20_000).unwrap_err();
        assert!(
            said.contains("`each: items` repeats this step 20000 times"),
            "{said}"
        );
        assert!(said.contains("a recipe may have 10000 steps"), "{said}");
    }
    let said = bound(included, 6000).unwrap_err();
    assert!(said.contains("has more than 10000 steps"), "{said}");
    let most = bound(outer, 9000).unwrap();
    let script = compile(std::slice::from_ref(&most), Purpose::Apply).unwrap();
    assert!(script.step("outer/1.9000").is_some());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[test]
fn a_recipe_of_ten_megabytes_is_read() {
    let began = std::time::Instant::now();
    let root = tempfile::tempdir().unwrap();
    let line = format!("        {}\n", "x".repeat(91));
    let text = format!(
        "steps:\n  - file:\n      path: /srv/large\n      content: |\n{}",
        line.repeat(100_000)
    );
    let bound = project(root.path(), &[("large", &text)], "{}\n").unwrap();
    compile(std::slice::from_ref(&bound), Purpose::Apply).unwrap();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}
