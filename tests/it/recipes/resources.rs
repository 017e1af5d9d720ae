//! Resources of the system, run for real in folders of their own; what changes a whole machine is a shell function.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::Command;

use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};

use super::{
    applied, compile, failure, first_result, instance, mode, results, run, shells, with_functions,
    written,
};
use goldseed::recipe::Purpose;

/// Shell functions by which `awk` is each of the awks that are here.
pub(super) fn awks() -> Vec<String> {
    let there = |name: &&str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {name}")])
            .output();
        found.unwrap().status.success()
    };
    let awks = [
        ("mawk", "mawk"),
        ("gawk", "gawk"),
        ("busybox", "busybox awk"),
    ];
    awks.iter()
        .filter(|(program, _)| there(program))
        .map(|(_, command)| format!("awk() {{ command {command} \"$@\"; }}"))
        .collect()
}

#[test]
fn a_block_stands_once_between_its_marks_and_the_rest_stays() {
    for awk in awks() {
        for shell in shells() {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join("hosts");
            fs_err::write(&file, "127.0.0.1 localhost\n[peers]\nlast").unwrap();
            let block = |name: &str, content: &str, more: &str| {
                let step = format!(
                    "  - block: {{path: {}, name: {name}, content: \"{content}\"{more}}}\n",
                    file.display()
                );
                with_functions(&applied(root.path(), &step), &awk)
            };
            let text = || fs_err::read_to_string(&file).unwrap();
            let peers = block(
                "peers",
                r"10.0.0.1 a\n10.0.0.2 \\b & c",
                ", after: '^\\[peers\\]$'",
            );
            assert_eq!(
                first_result(&peers, &shell, root.path()).0,
                Changed,
                "{awk}"
            );
            let with_peers = "127.0.0.1 localhost\n[peers]\n# BEGIN peers\n10.0.0.1 a\n10.0.0.2 \\b & c\n# END peers\nlast\n";
            assert_eq!(text(), with_peers, "{awk} {shell:?}");
            assert_eq!(first_result(&peers, &shell, root.path()).0, Unchanged);
            let end = block("end", "x", ", comment: ';'");
            first_result(&end, &shell, root.path());
            assert_eq!(text(), format!("{with_peers}; BEGIN end\nx\n; END end\n"));
            let fewer = block("peers", "10.0.0.9 a", ", before: '^last'");
            first_result(&fewer, &shell, root.path());
            assert!(
                text().contains("[peers]\n# BEGIN peers\n10.0.0.9 a\n# END peers\nlast\n"),
                "{}",
                text()
            );
            let log = failure(
                &block("nowhere", "x", ", before: '^nothing$'"),
                &shell,
                root.path(),
            );
            assert!(log.contains("no line matches ^nothing$"), "{log}");
            fs_err::write(&file, "# BEGIN peers\nnever ended\n").unwrap();
            let log = failure(&fewer, &shell, root.path());
            assert!(log.contains("without its end"), "{log}");
            assert_eq!(text(), "# BEGIN peers\nnever ended\n");
        }
    }
}

#[test]
fn a_setting_of_the_kernel_is_kept_for_the_next_boot_and_set_where_it_can_be() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let kernel = root.path().join("proc/sys/net/ipv4/conf/eth0.1");
        fs_err::create_dir_all(&kernel).unwrap();
        fs_err::write(kernel.join("mem"), "1\t2\t3\n").unwrap();
        let step = "  - sysctl: {net/ipv4/conf/eth0.1/mem: 4096  87380 16777216, net.no.such: 1}\n"
            .replace("net/ipv4/conf/eth0.1", "net.ipv4.conf.eth0/1")
            .replace("1/mem", "1.mem");
        let image = applied(root.path(), &step);
        let (result, log) = first_result(&image, &shell, root.path());
        assert_eq!(result, Changed);
        assert!(log.contains("this kernel has no net.no.such"), "{log}");
        assert_eq!(
            fs_err::read_to_string(kernel.join("mem")).unwrap(),
            "4096 87380 16777216\n"
        );
        let file = root
            .path()
            .join("etc/sysctl.d/60-goldseed-net.ipv4.conf.eth0-1.mem.conf");
        assert_eq!(
            fs_err::read_to_string(&file).unwrap(),
            "# Written by goldseed.\nnet.ipv4.conf.eth0/1.mem = 4096 87380 16777216\n"
        );
        fs_err::write(kernel.join("mem"), "4096\t87380\t16777216\n").unwrap();
        assert_eq!(first_result(&image, &shell, root.path()).0, Unchanged);
        fs_err::write(&file, "net.ipv4.conf.eth0/1.mem = 1\n").unwrap();
        assert_eq!(first_result(&image, &shell, root.path()).0, Changed);
        let boot = applied(root.path(), &format!("{step}    on: boot\n"));
        assert!(failure(&boot, &shell, root.path()).contains("its module is not loaded"));
    }
}

#[test]
fn groups_are_made_and_mended() {
    let functions = r#"
getent() { grep "^$2:" "$GOLDSEED_ROOT/group"; }
groupadd() { printf 'add %s\n' "$*" >> "$GOLDSEED_ROOT/calls"; for last in "$@"; do :; done; echo "$last:x:990:" >> "$GOLDSEED_ROOT/group"; }
groupmod() { printf 'mod %s\n' "$*" >> "$GOLDSEED_ROOT/calls"; echo "$3:x:$2:" > "$GOLDSEED_ROOT/group"; }"#;
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("group"), "root:x:0:\n").unwrap();
        let group = |more: &str| {
            let step = format!("  - group: {{name: deploy{more}}}\n");
            with_functions(&applied(root.path(), &step), functions)
        };
        let system = group(", system: true");
        assert_eq!(first_result(&system, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&system, &shell, root.path()).0, Unchanged);
        let numbered = group(", gid: 1500");
        assert_eq!(first_result(&numbered, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&numbered, &shell, root.path()).0, Unchanged);
        let calls = fs_err::read_to_string(root.path().join("calls")).unwrap();
        assert_eq!(calls, "add -r deploy\nmod -g 1500 deploy\n", "{shell:?}");
    }
}

#[test]
fn a_swap_file_is_made_on_machines_and_not_on_the_seed() {
    let functions = r#"
mkswap() { echo "mkswap $1" >> "$GOLDSEED_ROOT/calls"; }
swapon() { echo "swapon $1" >> "$GOLDSEED_ROOT/calls"; echo "$1 file 16380 0 -2" >> "$GOLDSEED_ROOT/proc/swaps"; }
swapoff() { echo "swapoff $1" >> "$GOLDSEED_ROOT/calls"; echo Filename > "$GOLDSEED_ROOT/proc/swaps"; }"#;
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        fs_err::create_dir_all(root.path().join("proc")).unwrap();
        fs_err::write(
            root.path().join("proc/swaps"),
            "Filename Type Size Used Priority\n",
        )
        .unwrap();
        let file = root.path().join("swap/file");
        let swap = |size: &str| {
            let step = format!(
                "  - swap: {{path: {}, size: {size}}}\n    on: boot\n",
                file.display()
            );
            with_functions(&applied(root.path(), &step), functions)
        };
        let (_, log) = first_result(&swap("16M"), &shell, root.path());
        assert!(log.contains("this is the seed") && !file.exists(), "{log}");

        // What every new machine does.
        fs_err::write(
            root.path().join("var/lib/cloud/data/instance-id"),
            "i-0fedcba9876543210\n",
        )
        .unwrap();
        let boot = || {
            let path = root.path().join("opt/goldseed/boot/boot.sh");
            let text = fs_err::read_to_string(path).unwrap();
            fs_err::write(
                root.path().join("boot.sh"),
                text.replacen("gs_all() {\n", &format!("{functions}\ngs_all() {{\n"), 1),
            )
            .unwrap();
            let mut command = Command::new(shell[0]);
            let output = command
                .args(&shell[1..])
                .arg(root.path().join("boot.sh"))
                .env("GOLDSEED_ROOT", root.path())
                .output()
                .unwrap();
            let log = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{shell:?}: {log}");
            log
        };
        assert!(boot().contains("written/1 changed"));
        assert_eq!(
            (fs_err::metadata(&file).unwrap().len(), mode(&file)),
            (16 << 20, 0o600)
        );
        assert!(boot().contains("written/1 ok"));
        fs_err::write(root.path().join("proc/swaps"), "Filename\n").unwrap();
        assert!(
            boot().contains("written/1 changed"),
            "after a reboot it is only switched on"
        );
        let calls = fs_err::read_to_string(root.path().join("calls")).unwrap();
        let path = file.display();
        assert_eq!(
            calls,
            format!("mkswap {path}.~goldseed\nswapon {path}\nswapon {path}\n")
        );
    }
}

#[test]
fn an_owner_may_be_a_number_with_a_name_or_without() {
    for awk in awks() {
        for shell in shells() {
            let root = tempfile::tempdir().unwrap();
            let place = root.path().display();
            let steps = format!(
                "  - directory: {{path: {place}/share, owner: 54321, group: 54322, mode: \"0750\"}}\n  \
                 - file: {{path: \"{place}/share/a|b\", content: x, owner: 65534, group: root}}\n  \
                 - file: {{path: {place}/c, content: x, owner: root, group: 0}}\n"
            );
            let script = with_functions(&applied(root.path(), &steps), &awk);
            let changed = || {
                let (code, lines, log) = run(&script, &shell, root.path(), &[]);
                assert_eq!(code, 0, "{shell:?}: {log}");
                let changed = results(&lines)
                    .into_iter()
                    .filter(|(_, result)| *result == Changed);
                changed.map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(changed(), ["written/1", "written/2", "written/3"]);
            let status = fs_err::metadata(root.path().join("share")).unwrap();
            assert_eq!((status.uid(), status.gid()), (54321, 54322));
            assert_eq!(changed(), [""; 0], "{awk} {shell:?}");
            chown(root.path().join("share"), Some(5432), Some(54322)).unwrap();
            chown(root.path().join("share/a|b"), Some(65534), Some(65534)).unwrap();
            assert_eq!(changed(), ["written/1", "written/2"], "{awk} {shell:?}");
            assert_eq!(changed(), [""; 0], "{awk} {shell:?}");

            let check = |group: &str| {
                let check = format!(
                    "verify:\n  - file: {{path: {place}/share, owner: 54321, group: {group}, within: 0s}}\n"
                );
                compile(&[written(root.path(), &check)], Purpose::Verify).unwrap()
            };
            let (code, _, log) = run(&check("54322"), &shell, root.path(), &[]);
            assert_eq!(code, 0, "{shell:?}: {log}");
            let log = failure(&check("5432"), &shell, root.path());
            assert!(log.contains("has the group 54322, not 5432"), "{log}");
        }
    }
}

#[test]
fn a_mark_at_the_beginning_of_a_file_hides_no_section_of_it() {
    const MARK: &str = "\u{feff}";
    for awk in awks() {
        for shell in shells() {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join("app.ini");
            let step = format!(
                "  - ini: {{path: {}, set: {{main: {{a: 2}}, \"\": {{top: 1}}}}}}\n",
                file.display()
            );
            let script = with_functions(&applied(root.path(), &step), &awk);
            for (before, after) in [
                (
                    "[main]\r\na = 1\r\nb = 1\r\n",
                    "top = 1\n[main]\r\na = 2\nb = 1\r\n",
                ),
                ("top = 3\n[main]\n", "top = 1\n[main]\na = 2\n"),
            ] {
                fs_err::write(&file, format!("{MARK}{before}")).unwrap();
                let (result, log) = first_result(&script, &shell, root.path());
                assert_eq!(result, Changed, "{shell:?} {awk}: {log}");
                assert_eq!(
                    fs_err::read_to_string(&file).unwrap(),
                    format!("{MARK}{after}"),
                    "{shell:?} {awk}"
                );
                let (result, log) = first_result(&script, &shell, root.path());
                assert_eq!(result, Unchanged, "{shell:?} {awk}: {log}");
            }
        }
    }
}

#[test]
fn a_package_that_the_local_aws_does_not_have_is_told_as_such() {
    let functions = r"
PATH=$GOLDSEED_ROOT/bin:$PATH
gs_apt_missing() { return 0; }
gs_dpkg_whole() { :; }
gs_apt_renew() { :; }
";
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("bin")).unwrap();
        for (name, does) in [
            ("apt-get", "echo 'E: Unable to locate'; exit 100"),
            ("apt-cache", "[ $3 = nginx ]"),
        ] {
            let program = root.path().join("bin").join(name);
            fs_err::write(&program, format!("#!/bin/sh\n{does}\n")).unwrap();
            super::set_mode(&program, 0o755);
        }
        let script = applied(root.path(), "  - package: [nginx, tomcat10]\n");
        let script = with_functions(&script, functions);
        let log = failure(&script, &shell, root.path());
        assert!(!log.contains("scripts/setup"), "{shell:?}: {log}");
        fs_err::create_dir_all(root.path().join("run/sandbox/packages")).unwrap();
        let log = failure(&script, &shell, root.path());
        let wanted =
            "have those packages alone that scripts/setup fetched, and tomcat10 is none of them";
        assert!(log.contains(wanted), "{shell:?}: {log}");
        assert!(!log.contains("nginx is none"), "{shell:?}: {log}");
    }
}
