//! What visitors and their mail have left, memory on the disk, logs behind links, and units of a Procfile.

use std::os::unix::fs::{FileExt as _, symlink};
use std::process::Command;

use super::tree::{Tree, shells};

/// A tree that has nothing to be found.
fn bare(shell: &'static [&'static str]) -> Tree {
    let tree = Tree::bare(shell);
    tree.write("etc/machine-id", "");
    tree
}

#[test]
fn sessions_go_wherever_they_are() {
    let sessions = [
        "var/lib/php/session/sess_short",
        "var/lib/php/8.3/sessions/a",
        "data/sessions/a/b/sess_abcdefghij0123456789abcdef",
        "srv/moodledata/sessions/sess_0123456789abcdefghij,-abc",
        "opt/shop/writable/session/ci_session0123456789abcdef0123456789abcdef0123",
        "opt/shop/storage/framework/sessions/a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5",
    ];
    let others = [
        "opt/shop/src/sess_handler.php",
        "opt/shop/src/ci_session_test.php",
        "opt/shop/storage/framework/sessions/.gitignore",
    ];
    for shell in shells() {
        let tree = bare(shell);
        for path in sessions.iter().chain(&others) {
            tree.write(path, "user|i:1;");
        }
        for kind in [&[][..], &["proof"]] {
            let failures = tree.failures("assert.sh", kind);
            assert_eq!(failures.len(), sessions.len(), "{shell:?}: {failures:?}");
            for path in sessions {
                let line = format!("FAIL php-sessions: /{path} is ");
                let named = failures.iter().any(|failure| failure.starts_with(&line));
                assert!(named, "{shell:?}: {line}: {failures:?}");
            }
        }
        tree.succeed("generalise.sh", &[]);
        tree.succeed("assert.sh", &[]);
        for path in sessions {
            assert!(!tree.is_there(path), "{shell:?}: {path}");
        }
        for path in others {
            assert!(tree.is_there(path), "{shell:?}: {path}");
        }
    }
}

#[test]
fn a_swap_file_is_found_without_fstab() {
    // Debian keeps it where only root's path leads.
    let path = format!("{}:/usr/sbin:/sbin", std::env!("PATH"));
    for shell in shells() {
        let tree = bare(shell);
        let memory = "memory ".repeat(20_000);
        tree.write("srv/in use", &memory[..65_536]);
        tree.write("srv/no swap", &memory);
        // One that is signed, and one that a machine hibernated to.
        for (name, signature) in [
            ("data/swap.img", "SWAPSPACE2"),
            ("swap-hibinit", "S1SUSPEND\0"),
        ] {
            tree.write(name, &memory[..65_536]);
            let file = fs_err::OpenOptions::new()
                .write(true)
                .open(tree.root.join(name))
                .unwrap();
            file.file()
                .write_all_at(signature.as_bytes(), 4086)
                .unwrap();
        }
        let swaps = tree.root.parent().unwrap().join("swaps");
        let list = "Filename Type Size Used Priority\n/srv/in\\040use file 64 0 -2\n/dev/dm-1 partition 1 0 -3\n";
        fs_err::write(&swaps, list).unwrap();
        let run = |script: &str| {
            let script = format!("recipes/generalise/files/{script}");
            let output = Command::new(tree.shell[0])
                .args(&tree.shell[1..])
                .arg(script)
                .env("GOLDSEED_ROOT", &tree.root)
                .env("GOLDSEED_SWAPS", &swaps)
                .env("PATH", &path)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let report = run("assert.sh");
        for name in ["data/swap.img", "srv/in use", "swap-hibinit"] {
            let line = format!("FAIL swap: /{name} holds memory of this machine");
            assert!(
                report.contains(&line),
                "{shell:?}: {line} is not in {report}"
            );
        }
        assert_eq!(report.matches("FAIL").count(), 3, "{report}");
        run("generalise.sh");
        let report = run("assert.sh");
        assert!(
            report.contains("pass swap") && !report.contains("FAIL"),
            "{report}"
        );
        for name in ["data/swap.img", "srv/in use", "swap-hibinit"] {
            let left = fs_err::read(tree.root.join(name)).unwrap();
            assert_eq!(left.len(), 65_536, "its size stays");
            assert!(!left.windows(6).any(|bytes| bytes == b"memory"), "{name}");
        }
        let other = fs_err::read_to_string(tree.root.join("srv/no swap")).unwrap();
        assert_eq!(other, memory);
        // Somebody's own, which looks like one.
        tree.write("opt/goldseed/generalise.d/own", "allow /srv/in use\n");
        tree.write("srv/in use", &memory);
        run("generalise.sh");
        assert!(run("assert.sh").contains("pass swap"));
        assert_eq!(
            fs_err::read_to_string(tree.root.join("srv/in use")).unwrap(),
            memory
        );
    }
}

#[test]
fn logs_behind_a_link_are_emptied_as_others_are() {
    for target in ["/data/log", "../data/log"] {
        for shell in shells() {
            let tree = bare(shell);
            fs_err::create_dir_all(tree.root.join("var")).unwrap();
            symlink(target, tree.root.join("var/log")).unwrap();
            let gone = ["messages.1", "nginx/healthd/application.log"];
            for path in gone {
                tree.write(&format!("data/log/{path}"), "x\n");
            }
            tree.write("data/log/nginx/access.log", "x\n");
            tree.write("data/log/journal/0123/system.journal", "x\n");
            tree.write("data/log/amazon/ssm/agent.log", "x\n");
            tree.write("data/beside", "x\n");
            let failures = tree.failures("assert.sh", &[]);
            assert_eq!(failures.len(), 2, "{shell:?}: {failures:?}");
            assert_eq!(tree.failures("assert.sh", &["last"]).len(), 2, "{shell:?}");
            tree.succeed("generalise.sh", &[]);
            tree.succeed("assert.sh", &[]);
            tree.succeed("generalise.sh", &["last"]);
            tree.succeed("assert.sh", &["last"]);
            for path in gone {
                assert!(
                    !tree.is_there(&format!("data/log/{path}")),
                    "{shell:?}: {path}"
                );
            }
            assert!(!tree.is_there("data/log/journal/0123"), "{shell:?}");
            assert!(!tree.is_there("data/log/amazon/ssm/agent.log"), "{shell:?}");
            let log = fs_err::read_to_string(tree.root.join("data/log/nginx/access.log"));
            assert_eq!(log.unwrap(), "", "{shell:?}");
            assert!(tree.is_there("data/beside"));
        }
    }
}

#[test]
fn what_a_link_among_the_logs_leads_to_is_named_and_stays() {
    for shell in shells() {
        let tree = bare(shell);
        tree.write("data/nginx/access.log", "x\n");
        tree.write("data/app.log", "x\n");
        tree.write("usr/share/doc/systemd/README.logs", "x\n");
        tree.write("var/log/empty", "");
        let log = tree.root.join("var/log");
        symlink("/data/nginx", log.join("nginx")).unwrap();
        symlink("../../data/app.log", log.join("app.log")).unwrap();
        symlink(
            "../../usr/share/doc/systemd/README.logs",
            log.join("README"),
        )
        .unwrap();
        symlink("empty", log.join("same")).unwrap();
        symlink("nowhere", log.join("broken")).unwrap();
        tree.succeed("generalise.sh", &[]);
        let failures = tree.failures("assert.sh", &[]).join("\n");
        for line in [
            "FAIL logs: /var/log/nginx is a link to /data/nginx, where /data/nginx/access.log holds entries: ",
            "FAIL logs: /var/log/app.log is a link to /data/app.log, where /data/app.log holds entries: ",
        ] {
            assert!(failures.contains(line), "{shell:?}: {line}: {failures}");
        }
        assert_eq!(failures.lines().count(), 2, "{shell:?}: {failures}");
        assert!(tree.is_there("data/nginx/access.log"));
        let allowed = "allow /var/log/nginx\nallow /var/log/app.log\n";
        tree.write("opt/goldseed/generalise.d/own", allowed);
        tree.succeed("assert.sh", &[]);

        // Of a folder with other things than logs nothing is removed.
        fs_err::remove_dir_all(&log).unwrap();
        symlink("/opt", &log).unwrap();
        tree.write("opt/shop/index.php", "<?php\n");
        tree.succeed("generalise.sh", &[]);
        assert!(tree.is_there("opt/shop/index.php"));
        let failures = tree.failures("assert.sh", &[]);
        assert!(
            failures[0].starts_with("FAIL logs: /var/log leads to"),
            "{failures:?}"
        );
    }
}

#[test]
fn the_units_of_a_procfile_go_and_those_of_recipes_stay() {
    for shell in shells() {
        let tree = bare(shell);
        let unit =
            |targets: &str| format!("[Unit]\nPartOf={targets}\n[Service]\nExecStart=/bin/true\n");
        let units = tree.root.join("etc/systemd/system");
        fs_err::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        for (name, targets) in [
            ("worker", "eb-app.target"),
            ("queue", "aws-eb.target eb-app.target"),
            ("own", "eb-app.target"),
            ("allowed", "eb-app.target"),
            ("other", "my-eb-app.target"),
            ("nginx", "eb-app.target"),
        ] {
            tree.write(
                &format!("etc/systemd/system/{name}.service"),
                &unit(targets),
            );
            let link = units.join(format!("multi-user.target.wants/{name}.service"));
            symlink(format!("/etc/systemd/system/{name}.service"), link).unwrap();
        }
        tree.write("opt/goldseed/services", "own.service\n");
        tree.write("opt/goldseed/generalise.d/own", "allow allowed.service\n");
        for kind in [&[][..], &["proof"]] {
            let failures = tree.failures("assert.sh", kind);
            assert_eq!(failures.len(), 4, "{shell:?}: {failures:?}");
        }
        tree.succeed("generalise.sh", &[]);
        tree.succeed("assert.sh", &[]);
        for (name, stays) in [
            ("worker", false),
            ("queue", false),
            ("own", true),
            ("allowed", true),
            ("other", true),
            ("nginx", true),
        ] {
            for folder in ["", "multi-user.target.wants/"] {
                let path = format!("etc/systemd/system/{folder}{name}.service");
                assert_eq!(tree.is_there(&path), stays, "{shell:?}: {path}");
            }
        }
    }
}
