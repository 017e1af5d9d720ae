//! Optional parameters that are not set, where a value is looked for.

use std::path::Path;

use goldseed::document::Document;
use goldseed::recipe::{Bound, Library, Purpose, Script, compile};

use super::{instance, run, shells, with_functions};

/// A recipe with an optional word and an optional secret, bound to some of them.
fn bound(folder: &Path, values: &str) -> Result<Bound, String> {
    let root = folder.display();
    let text = format!(
        "recipe: 1\nname: optional\nparams:\n  word: {{type: string, optional: true}}\n  auth: {{type: secret, optional: true}}\nsteps:\n  \
         - run:\n      command: 'echo \"${{WORD-no word}} ${{AUTH-no secret}} $OTHER\" >{root}/said'\n      always: true\n      \
         env: {{WORD: \"${{{{ word }}}}\", OTHER: other}}\n      secrets: {{AUTH: auth}}\n    on: seed\n  \
         - secret-file: {{path: /run/goldseed-test-optional, template: files/template, secrets: [auth]}}\n    on: seed\n  \
         - run: {{command: 'mv /run/goldseed-test-optional {root}/written', always: true}}\n    on: seed\n"
    );
    let path = folder.join("optional.yaml");
    fs_err::write(&path, text).unwrap();
    let recipe = Library::load_file(&path).map_err(|error| error.to_string())?;
    let settings = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .map_err(|mistakes| mistakes.to_string())
}

fn folder(template: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir(folder.path().join("files")).unwrap();
    fs_err::write(folder.path().join("files/template"), template).unwrap();
    instance(folder.path());
    folder
}

fn compiled(folder: &Path, values: &str) -> Result<Script, String> {
    let bound = bound(folder, values)?;
    compile(&[bound], Purpose::Apply).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_variable_and_a_secret_that_are_not_set_are_left_out() {
    let template =
        "{% if word %}word {{ word }}\n{% endif %}{% if auth %}auth {{ auth }}\n{% endif %}end\n";
    let fetch = "gs_fetch() { printf '{\"Value\": \"hunter2\"}' > \"$gs_work/answer\"; }";
    for shell in shells() {
        for (values, said, written) in [
            ("{}", "no word no secret other\n", "end\n"),
            (
                "{word: tea, auth: \"ssm:/auth\"}",
                "tea hunter2 other\n",
                "word tea\nauth hunter2\nend\n",
            ),
        ] {
            let folder = folder(template);
            let script = with_functions(&compiled(folder.path(), values).unwrap(), fetch);
            let (code, _, log) = run(&script, &shell, folder.path(), &[]);
            assert_eq!(code, 0, "{shell:?}: {log}");
            let read = |name: &str| fs_err::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(
                (read("said").as_str(), read("written").as_str()),
                (said, written)
            );
        }
    }
}

#[test]
fn what_is_not_set_is_not_written_into_a_template() {
    for template in ["{{ word }}\n", "{{ auth }}\n", "{{ auth | php }}\n"] {
        let folder = folder(template);
        let message = compiled(folder.path(), "{}").unwrap_err();
        assert!(
            message.contains("this template cannot be filled in"),
            "{template}: {message}"
        );
    }
    let folder = folder("{{ word }}\n");
    let message = compiled(folder.path(), "{}").unwrap_err();
    assert!(
        message.contains("a parameter that is not set cannot be written"),
        "{message}"
    );
}
