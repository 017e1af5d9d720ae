//! What differs from one platform to the next: names of services, and steps for one of them alone.

use goldseed::recipe::{Purpose, StepResult, compile};

use super::{applied, instance, results, run, shells, with_functions, written};

/// A machine of another platform, whose services only say that they were asked for.
fn on(platform: &str) -> String {
    let family = platform.split('-').next().unwrap();
    format!("gs_os={platform} gs_family={family}\nsystemctl() {{ echo \"systemctl $*\"; }}\n")
}

/// A script whose machine, known once it has begun, is of a platform.
fn moved(script: &goldseed::recipe::Script, platform: &str) -> goldseed::recipe::Script {
    let mut script = with_functions(script, "");
    script.text = script.text.replacen(
        "\ngs_all() {\n:\n",
        &format!("\ngs_all() {{\n{}", on(platform)),
        1,
    );
    script
}

#[test]
fn a_service_is_called_by_the_name_that_it_has_there() {
    const NAMES: &str =
        "{al2023: php-fpm, debian-12: [php8.2-fpm, nginx], debian: php-any, ubuntu-24.04: []}";
    let root = tempfile::tempdir().unwrap();
    instance(root.path());
    let steps = format!(
        "steps:\n  - service: {{name: {NAMES}, state: running}}\n  - run: {{command: \"true\", always: true}}\n    notify: php\n\
         handlers:\n  php: {{service: {NAMES}, action: restart}}\nverify:\n  - service: {{name: {NAMES}}}\n"
    );
    let recipe = [written(root.path(), &steps)];
    let script = compile(&recipe, Purpose::Apply).unwrap();
    for shell in shells() {
        for (platform, asked) in [
            ("al2023", &["php-fpm"][..]),
            ("debian-12", &["php8.2-fpm", "nginx"]),
            ("debian-13", &["php-any"]),
            ("ubuntu-22.04", &["php-any"]),
            ("ubuntu-24.04", &[]),
        ] {
            let (code, _, log) = run(&moved(&script, platform), &shell, root.path(), &[]);
            assert_eq!(code, 0, "{shell:?}: {log}");
            let restarted: Vec<&str> = log
                .lines()
                .filter_map(|line| line.strip_prefix("systemctl restart "))
                .collect();
            assert_eq!(restarted, asked, "{platform}: {log}");
            assert_eq!(
                log.matches("systemctl -q is-active").count(),
                asked.len() * 2
            );
        }
        let other = "  - service: {name: {al2023: php-fpm}, state: running}\n";
        let script = moved(&applied(root.path(), other), "debian-12");
        let (code, _, log) = run(&script, &shell, root.path(), &[]);
        assert!(
            code == 1 && log.contains("nothing is named here for debian-12"),
            "{log}"
        );
    }
    let verify = compile(&recipe, Purpose::Verify).unwrap();
    let called = verify
        .text
        .lines()
        .find(|line| line.contains(" gs_within 30 gs_named "));
    assert!(
        called.is_some_and(|line| line.ends_with(" -- gs_check_service running")),
        "{called:?}"
    );
}

#[test]
fn a_step_for_one_platform_is_done_on_it_alone() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        let at = root.path().display();
        let script = applied(
            root.path(),
            &format!(
                "  - file: {{path: '{at}/a', content: amazon}}\n    when: platform == al2023\n  \
                 - file: {{path: '{at}/a', content: debian}}\n    when: platform == debian\n  \
                 - file: {{path: '{at}/a', content: seed}}\n    when: platform == ubuntu\n    on: seed\n"
            ),
        );
        let (code, lines, log) = run(&moved(&script, "debian-12"), &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        let results = results(&lines);
        let of = |step: usize| results[format!("written/{step}").as_str()];
        assert_eq!(
            [of(1), of(2), of(3)],
            [
                StepResult::Skipped,
                StepResult::Changed,
                StepResult::Skipped
            ]
        );
        let text = fs_err::read_to_string(root.path().join("a")).unwrap();
        assert_eq!(text, "debian");
    }
}
