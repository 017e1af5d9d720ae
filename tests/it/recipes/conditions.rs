//! `when: parameter == value`, however the value is written.

use std::path::Path;

use goldseed::document::Document;
use goldseed::recipe::{Library, Purpose, compile};

/// Whether a step under a condition is done.
fn is_done(when: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let text = format!(
        "recipe: 1\nname: a\nparams:\n  env: {{type: enum, values: [prod, staging], default: prod}}\n  \
         title: {{type: string, default: salt and pepper}}\n  workers: {{type: int, default: 8}}\n  \
         tls: {{type: bool, default: true}}\nsteps:\n  - directory: {{path: /srv/asked}}\n    when: {when}\n"
    );
    fs_err::write(&path, text).unwrap();
    let recipe = Library::load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let settings = Document::parse(Path::new("goldseed.yaml"), "{}".to_owned()).unwrap();
    let bound = recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .unwrap();
    let script = compile(&[bound], Purpose::Apply).unwrap();
    script.text.contains("/srv/asked")
}

#[test]
fn a_value_may_stand_in_quotes_of_either_kind() {
    for holds in [
        "env == prod",
        "env == 'prod'",
        "env == \"prod\"",
        "title == 'salt and pepper'",
        "workers == 8",
        "tls == true",
    ] {
        assert!(is_done(holds), "{holds}");
    }
    for fails in ["env == 'staging'", "title == 'salt or pepper'", "not tls"] {
        assert!(!is_done(fails), "{fails}");
    }
}
