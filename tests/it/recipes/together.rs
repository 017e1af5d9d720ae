//! Parameters that belong together, or exclude each other: told where the settings name the recipe.

use std::path::Path;

use goldseed::document::Document;
use goldseed::recipe::Library;

/// What is said to the values of a recipe of the library.
fn said(name: &str, values: &str) -> String {
    let recipe = Library::new(None).load(name).unwrap();
    let text = format!("{name}: {values}\n");
    let settings = Document::parse(Path::new("goldseed.yaml"), text).unwrap();
    recipe
        .bind(&settings.source, 0..name.len(), settings.root.get(name))
        .map_or_else(|mistakes| mistakes.to_string(), |_| "good".to_owned())
}

#[test]
fn what_is_missing_or_too_much_is_shown_in_the_settings() {
    let app = |values: &str| said("install-php-app", &format!("{{name: site{values}}}"));
    let (digest, commit) = ("a".repeat(64), "b".repeat(40));
    assert_eq!(
        app(&format!(", archive: \"https://x/y.tgz\", sha256: {digest}")),
        "good"
    );
    assert_eq!(
        app(&format!(
            ", repository: \"https://x/y.git\", commit: {commit}"
        )),
        "good"
    );
    assert_eq!(app(", folder: /usr/share/site"), "good");
    let messages = [
        app(""),
        app(", archive: \"https://x/y.tgz\""),
        app(", folder: /usr/share/site, repository: \"https://x/y.git\""),
        said(
            "install-wordpress",
            "{admin_email: a@example.com, archive: \"https://x/y.tgz\"}",
        ),
    ];
    insta::assert_snapshot!(messages.join("\n\n"), @r#"
    error: one of `archive`, `repository`, `folder` must be given
     --> goldseed.yaml:1:1
      |
    1 | install-php-app: {name: site}
      | ^^^^^^^^^^^^^^^
      |
      = help: write one of them below the recipe's name: `archive: …`

    error: `archive` needs `sha256` beside it
     --> goldseed.yaml:1:40
      |
    1 | install-php-app: {name: site, archive: "https://x/y.tgz"}
      |                                        ^^^^^^^^^^^^^^^^^
      |
      = help: add `sha256: …`

    error: `repository` needs `commit` beside it
     --> goldseed.yaml:1:68
      |
    1 | install-php-app: {name: site, folder: /usr/share/site, repository: "https://x/y.git"}
      |                                                                    ^^^^^^^^^^^^^^^^^
      |
      = help: add `commit: …`

    error: `repository` and `folder` exclude each other
     --> goldseed.yaml:1:39
      |
    1 | install-php-app: {name: site, folder: /usr/share/site, repository: "https://x/y.git"}
      |                                       ^^^^^^^^^^^^^^^
      |
      = help: keep one of `archive`, `repository`, `folder`

    error: `archive` needs `sha256` beside it
     --> goldseed.yaml:1:58
      |
    1 | install-wordpress: {admin_email: a@example.com, archive: "https://x/y.tgz"}
      |                                                          ^^^^^^^^^^^^^^^^^
      |
      = help: add `sha256: …`
    "#);
}
