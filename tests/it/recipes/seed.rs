//! Steps for the seed alone: what they make is on the seed, and in no image.

use std::path::Path;
use std::process::Command;

use goldseed::recipe::{Purpose, StepResult, compile};

use super::{applied, failure, instance, results, run, shells, written};

/// Where the seed keeps what is to be taken away.
const LIST: &str = "opt/goldseed/generalise.d/seed-steps";

/// Takes the identity off a root folder as off a machine's disk. The steps of a test name their paths in full, so those
/// in the list are cut to what they would be on that disk.
pub(super) fn generalised(root: &Path, shell: &[&str]) {
    let list = root.join(LIST);
    let paths = fs_err::read_to_string(&list).unwrap();
    let own = paths.replace(&format!("remove {}/", root.display()), "remove /");
    fs_err::write(&list, own).unwrap();
    fs_err::create_dir_all(root.join("etc")).unwrap();
    fs_err::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/generalise/files/generalise.sh");
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(script)
        .env("GOLDSEED_ROOT", root)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn what_the_seed_alone_needs_is_in_no_image() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        let place = root.path().join("srv");
        fs_err::create_dir_all(&place).unwrap();
        fs_err::create_dir_all(root.path().join("etc/php/8.2/cli/conf.d")).unwrap();
        let at = place.display();
        let steps = format!(
            "  - directory: {{path: '{at}/tools'}}\n    on: seed\n  \
             - file: {{path: '{at}/tools/a', content: x}}\n    on: seed\n  \
             - file: {{path: '{at}/[b] *', content: x}}\n    on: seed\n  \
             - link: {{path: '{at}/link', target: '{at}/stays'}}\n    on: seed\n  \
             - php-ini: {{name: seed, settings: {{memory_limit: 2G}}, sapi: cli}}\n    on: seed\n  \
             - file: {{path: '{at}/stays', content: x}}\n  - file: {{path: '{at}/b', content: x}}\n"
        );
        let script = applied(root.path(), &steps);
        let ini = root.path().join("etc/php/8.2/cli/conf.d/99-seed.ini");
        for changes in [StepResult::Changed, StepResult::Ok] {
            let (code, lines, log) = run(&script, &shell, root.path(), &[]);
            assert_eq!(code, 0, "{shell:?}: {log}");
            for step in 1..=7 {
                let id = format!("written/{step}");
                assert_eq!(results(&lines)[id.as_str()], changes, "{id}: {log}");
            }
            assert!(place.join("tools/a").exists() && ini.exists());
        }
        generalised(root.path(), &shell);
        let mut left: Vec<_> = fs_err::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["b", "stays"], "{shell:?}");
        assert!(!ini.exists());
        assert!(!root.path().join("var/lib/goldseed/seed-made").exists());
    }
}

#[test]
fn the_seed_does_not_take_what_belongs_to_the_image() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        let path = root.path().join("app.conf");
        fs_err::write(&path, "of a package\n").unwrap();
        let steps = format!(
            "  - file: {{path: '{}', content: x}}\n    on: seed\n",
            path.display()
        );
        let log = failure(&applied(root.path(), &steps), &shell, root.path());
        assert!(
            log.contains("app.conf is there already and belongs to the image"),
            "{log}"
        );
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "of a package\n");
        assert!(!root.path().join(LIST).exists(), "nothing of it is removed");
    }
}

#[test]
fn what_stays_may_not_lie_in_what_goes() {
    let folder = tempfile::tempdir().unwrap();
    let steps = "steps:\n  - directory: {path: /opt/tools}\n    on: seed\n  \
                 - file: {path: /opt/tools-of-all, content: x}\n  - file: {path: /opt/tools/a, content: x}\n";
    let mistakes = compile(&[written(folder.path(), steps)], Purpose::Apply).unwrap_err();
    let path = folder.path().display().to_string();
    insta::assert_snapshot!(mistakes.to_string().replace(&path, ""), @r"
    error: `/opt/tools/a` would be taken away with `/opt/tools`, which a step makes on the seed alone
     --> /written.yaml:8:5
      |
    8 |   - file: {path: /opt/tools/a, content: x}
      |     ^^^^
      |
      = help: take `on: seed` off the other step, or give it a path of its own
    ");
}
