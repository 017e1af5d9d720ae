//! Settings and extensions of PHP.

use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};

use super::machine::Machine;
use super::{applied, failure, first_result, set_mode, shells, with_functions};

#[test]
fn settings_of_php_stand_in_every_folder_that_php_reads() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let php = |more: &str| {
            applied(
                root.path(),
                &format!(
                    "  - php-ini: {{name: site, settings: {{memory_limit: 256M, opcache.enable: 1, error_reporting: E_ALL & ~E_NOTICE}}{more}}}\n"
                ),
            )
        };
        assert!(failure(&php(""), &shell, root.path()).contains("there is no PHP here"));
        for folder in [
            "etc/php/8.2/fpm/conf.d",
            "etc/php/8.2/cli/conf.d",
            "etc/php/8.3/fpm/conf.d",
        ] {
            fs_err::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert_eq!(
            first_result(&php(", sapi: fpm"), &shell, root.path()).0,
            Changed
        );
        let written = |folder: &str| root.path().join(folder).join("99-site.ini");
        assert!(!written("etc/php/8.2/cli/conf.d").exists());
        assert_eq!(first_result(&php(""), &shell, root.path()).0, Changed);
        assert_eq!(first_result(&php(""), &shell, root.path()).0, Unchanged);
        let expected = "; Written by goldseed.\nmemory_limit = 256M\nopcache.enable = 1\nerror_reporting = E_ALL & ~E_NOTICE\n";
        for folder in [
            "etc/php/8.2/fpm/conf.d",
            "etc/php/8.2/cli/conf.d",
            "etc/php/8.3/fpm/conf.d",
        ] {
            assert_eq!(fs_err::read_to_string(written(folder)).unwrap(), expected);
        }
        set_mode(&written("etc/php/8.2/cli/conf.d"), 0o600);
        assert_eq!(first_result(&php(""), &shell, root.path()).0, Changed);
    }
}

#[test]
fn an_extension_of_php_is_looked_for_under_the_names_that_its_package_may_have() {
    let functions = r#"
php() { case $1 in -v) echo 'PHP 8.2.29 (cli) (built: Jul 2025)' ;; -m) cat "$GOLDSEED_ROOT/modules" ;; esac; }
gs_apt_knows() { grep -qx "$1" "$GOLDSEED_ROOT/known"; }
gs_apt_renew() { echo php-redis >> "$GOLDSEED_ROOT/known"; }
gs_install() { echo "$1" >> "$GOLDSEED_ROOT/installed"; case $1 in php8.2-mysql) echo mysqli ;; php-redis) echo redis ;; esac >> "$GOLDSEED_ROOT/modules"; }"#;
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(
            root.path().join("modules"),
            "[PHP Modules]\nCore\n[Zend Modules]\nZend OPcache\n",
        )
        .unwrap();
        fs_err::write(root.path().join("known"), "php8.2-mysql\n").unwrap();
        let extensions = |names: &str| {
            let step = format!("  - php-extension: {names}\n");
            with_functions(&applied(root.path(), &step), functions)
        };
        let script = extensions("[opcache, Zend OPcache, mysqli, redis]");
        assert_eq!(first_result(&script, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&script, &shell, root.path()).0, Unchanged);
        let installed = fs_err::read_to_string(root.path().join("installed")).unwrap();
        assert_eq!(installed, "php8.2-mysql\nphp-redis\n", "{shell:?}");
        let log = failure(&extensions("nothing"), &shell, root.path());
        assert!(
            log.contains("looked for: php8.2-nothing php-nothing"),
            "{log}"
        );
    }
}

#[test]
fn what_is_set_is_what_php_itself_tells() {
    let settings = [
        (
            "session.save_path",
            "tcp://10.0.0.1:6379?timeout=2&prefix=shop",
        ),
        ("error_log", "/var/log/my (app).log"),
        ("sendmail_path", "/usr/sbin/sendmail -t -i -f'a@b'"),
        ("user_agent", "one;two \"three\" = $4 ${HOME} {5} [6] !7"),
        ("error_prepend_string", "C:\\new\\"),
        ("error_append_string", "ends with \"a quote\""),
        ("memory_limit", "300M"),
        ("arg_separator.output", "&"),
    ];
    let lines = settings.map(|(name, value)| {
        let quoted = value.replace('\'', "''");
        format!("        {name}: '{quoted}'\n")
    });
    let lines = lines.concat();
    let step = format!(
        "  - php-ini:\n      name: told\n      settings:\n{lines}        \
         error_reporting: E_ALL & ~E_NOTICE\n        display_errors: 'Off'\n        \
         docref_root: \"'/a;b'\"\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start("goldseed/platform-php", "none", &[]);
    let script = applied(folder.path(), &step);
    let run = machine.run(&script);
    assert_eq!(run.code, 0, "{}", run.log);
    let told = |name: &str| machine.sh(&format!("php -r 'echo ini_get(\"{name}\");'"));
    for (name, value) in settings {
        assert_eq!(told(name), value, "{name}");
    }
    assert_eq!(told("error_reporting"), (32767 & !8).to_string());
    assert_eq!(told("display_errors"), "");
    assert_eq!(told("docref_root"), "/a;b");
    machine.changes_nothing(&script);
}
