//! The recipe `generalise`, run for real on throw-away trees, under each shell that machines have.
//!
//! The list of what must go is written out here and not read from the recipe's own table: a row that is lost there must
//! be missed here.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

mod fetched;
mod proof;
mod refusals;
mod rows;
mod secrets;
mod tree;
mod visitors;

use self::tree::{EMPTIED, GONE, GONE_LAST, KEPT, Tree, shells};

#[test]
fn a_seed_loses_all_that_is_its_own_and_nothing_else() {
    for shell in shells() {
        let tree = Tree::seed(shell);
        tree.succeed("generalise.sh", &[]);
        for path in GONE {
            assert!(!tree.is_there(path), "{shell:?}: {path} is still there");
        }
        for path in EMPTIED {
            let content = fs_err::read_to_string(tree.root.join(path)).unwrap();
            assert_eq!(content, "", "{shell:?}: {path}");
        }
        for path in KEPT {
            let content = fs_err::read_to_string(tree.root.join(path)).unwrap();
            assert_eq!(content, format!("content of {path}\n"), "{shell:?}");
        }
        assert!(!tree.is_there("var/lib/cloud/instance"));
        assert!(
            tree.is_there("var/lib/dbus/machine-id"),
            "the link to the empty id stays"
        );
        let swap = fs_err::read(tree.root.join("swap file")).unwrap();
        assert_eq!(swap.len(), 7 * 4096, "its size stays");
        assert!(!swap.windows(6).any(|bytes| bytes == b"memory"));
        // What the agent and the running command need is there until the shutdown, and gone after it.
        for path in GONE_LAST {
            assert!(tree.is_there(path), "{shell:?}: {path} went too early");
        }
        tree.succeed("assert.sh", &[]);
        tree.succeed("generalise.sh", &["last"]);
        for path in GONE_LAST {
            assert!(!tree.is_there(path), "{shell:?}: {path} is still there");
        }
        tree.succeed("assert.sh", &["last"]);
        tree.succeed("assert.sh", &["proof"]);

        let once = tree.picture();
        tree.succeed("generalise.sh", &[]);
        tree.succeed("generalise.sh", &["last"]);
        assert_eq!(
            once,
            tree.picture(),
            "{shell:?}: a second time changes something"
        );
    }
}

#[test]
fn a_stock_tree_stays_as_it_is() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        for path in KEPT {
            tree.write(path, &format!("content of {path}\n"));
        }
        tree.write("etc/machine-id", "");
        fs_err::set_permissions(
            tree.root.join("etc/machine-id"),
            PermissionsExt::from_mode(0o444),
        )
        .unwrap();
        let before = tree.picture();
        tree.succeed("assert.sh", &[]);
        tree.succeed("generalise.sh", &[]);
        tree.succeed("generalise.sh", &["last"]);
        assert_eq!(before, tree.picture(), "{shell:?}");
    }
}

#[test]
fn an_empty_tree_is_no_error() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.succeed("generalise.sh", &[]);
        tree.succeed("generalise.sh", &["last"]);
        tree.succeed("scan.sh", &[]);
    }
}

/// Does a line of the report name this path, or a folder that it is in?
fn about(line: &str, path: &str) -> bool {
    Path::new(path)
        .ancestors()
        .filter(|part| part.components().count() > 1 || *part == Path::new(path))
        .chain([Path::new("tmp")])
        .any(|part| line.contains(&format!(" /{}", part.display())))
}

#[test]
fn the_assertion_misses_no_row() {
    // Each path costs a process: one shell for all.
    let shell = shells()[0];
    for path in GONE {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        tree.write("etc/passwd", "app:x:900:900::/srv/app-home:/sbin/nologin\n");
        tree.write("opt/goldseed/generalise.d/own", "remove /opt/own marker\n");
        tree.write(path, "left\n");
        let failures = tree.failures("assert.sh", &[]);
        assert!(!failures.is_empty(), "{path}");
        assert!(
            failures.iter().all(|line| about(line, path)),
            "{path}: {failures:?}"
        );
    }
    for path in GONE_LAST {
        let tree = Tree::bare(shell);
        tree.write(path, "left\n");
        let failures = tree.failures("assert.sh", &["last"]);
        assert_eq!(failures.len(), 1, "{shell:?}: {path}: {failures:?}");
    }
    // A machine booted from an image makes some of it again; what would betray a member of an environment not.
    let tree = Tree::bare(shell);
    for path in &GONE[..5] {
        tree.write(path, "left\n");
    }
    assert_eq!(
        tree.failures("assert.sh", &["proof"]).len(),
        2,
        "one for each row"
    );
}

#[test]
fn the_report_names_each_row_once() {
    let tree = Tree::seed(shells()[0]);
    tree.succeed("generalise.sh", &[]);
    insta::assert_snapshot!("generalise_report", tree.succeed("assert.sh", &[]));
}

#[test]
fn a_link_is_removed_and_never_followed() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        let outside = tree.root.parent().unwrap().join("outside");
        fs_err::create_dir_all(outside.join("folder")).unwrap();
        fs_err::write(outside.join("folder/precious"), "x").unwrap();
        fs_err::write(outside.join("file"), "x").unwrap();
        for folder in [
            "var/app",
            "var/lib",
            "etc/ssh",
            "root/.ssh",
            "tmp",
            "var/log",
            "opt/elasticbeanstalk/config",
        ] {
            fs_err::create_dir_all(tree.root.join(folder)).unwrap();
        }
        for (link, target) in [
            ("var/app/current", "folder"),
            ("var/lib/cfn-init", "folder"),
            ("etc/ssh/ssh_host_rsa_key", "file"),
            ("root/.ssh/authorized_keys", "file"),
            ("root/.bash_history", "file"),
            ("tmp/link", "folder"),
            ("var/log/app.log", "file"),
            ("opt/elasticbeanstalk/config/ebenvinfo", "folder"),
            ("etc/machine-id", "file"),
        ] {
            symlink(outside.join(target), tree.root.join(link)).unwrap();
        }
        tree.succeed("generalise.sh", &[]);
        assert_eq!(
            fs_err::read_to_string(outside.join("folder/precious")).unwrap(),
            "x",
            "{shell:?}"
        );
        assert_eq!(
            fs_err::read_to_string(outside.join("file")).unwrap(),
            "x",
            "{shell:?}"
        );
        assert!(!tree.is_there("var/app/current"));
        assert!(!tree.is_there("root/.bash_history"));
        assert!(
            tree.root
                .join("etc/machine-id")
                .symlink_metadata()
                .unwrap()
                .is_file()
        );
        tree.succeed("assert.sh", &[]);

        // Of Debian's two names for the mail's folder one is a link, and stays.
        fs_err::create_dir_all(tree.root.join("var/mail")).unwrap();
        fs_err::create_dir_all(tree.root.join("var/spool")).unwrap();
        fs_err::write(tree.root.join("var/mail/root"), "x").unwrap();
        symlink("../mail", tree.root.join("var/spool/mail")).unwrap();
        assert_eq!(tree.failures("assert.sh", &[]).len(), 2, "by both names");
        tree.succeed("generalise.sh", &[]);
        tree.succeed("assert.sh", &[]);
        assert!(tree.is_there("var/spool/mail"));

        // A link on the way is not gone through either, and what lies behind it is not passed over in silence.
        fs_err::create_dir_all(outside.join("state/cfn-hup")).unwrap();
        fs_err::write(outside.join("state/cfn-hup/precious"), "x").unwrap();
        fs_err::remove_dir_all(tree.root.join("var/lib")).unwrap();
        symlink(outside.join("state"), tree.root.join("var/lib")).unwrap();
        let text = tree.succeed("generalise.sh", &[]);
        assert!(text.contains("left alone: cfn-state"), "{text}");
        assert_eq!(
            fs_err::read_to_string(outside.join("state/cfn-hup/precious")).unwrap(),
            "x"
        );
        let failures = tree.failures("assert.sh", &[]);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].starts_with(
            "FAIL cfn-state: /var/lib/cfn-hup is reached through the symbolic link /var/lib"
        ));
    }
}

#[test]
fn what_is_read_only_goes_too() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "0123\n");
        for path in [
            "var/app/current/a b/c",
            "opt/elasticbeanstalk/deployment/env",
            "tmp/x/y",
            "var/log/app.log",
        ] {
            tree.write(path, "x\n");
        }
        for path in [
            "var/app/current/a b",
            "opt/elasticbeanstalk/deployment",
            "tmp/x",
        ] {
            fs_err::set_permissions(tree.root.join(path), PermissionsExt::from_mode(0o555))
                .unwrap();
        }
        // Not every file system and not every person can make a file immutable; where it works, it is tried.
        let immutable = tree.root.join("var/app/current/a b/c");
        drop(Command::new("chattr").arg("+i").arg(&immutable).output());
        drop(
            Command::new("chattr")
                .arg("+a")
                .arg(tree.root.join("var/log/app.log"))
                .output(),
        );
        tree.succeed("generalise.sh", &[]);
        tree.succeed("assert.sh", &[]);
        assert!(!tree.is_there("var/app/current/a b"), "{shell:?}");
    }
}

#[test]
fn a_hard_link_to_what_stays_is_not_overwritten() {
    let tree = Tree::bare(shells()[0]);
    tree.write("opt/goldseed/app/key", "stays\n");
    tree.write("opt/elasticbeanstalk/deployment/other", "goes\n");
    fs_err::hard_link(
        tree.root.join("opt/goldseed/app/key"),
        tree.root.join("opt/elasticbeanstalk/deployment/linked"),
    )
    .unwrap();
    tree.succeed("generalise.sh", &[]);
    assert_eq!(
        fs_err::read_to_string(tree.root.join("opt/goldseed/app/key")).unwrap(),
        "stays\n"
    );
    assert!(!tree.is_there("opt/elasticbeanstalk/deployment/linked"));
}

/// A tree cannot have mounts without rights that tests do not need; the scripts read the list of mounts from a file.
fn with_mounts(tree: &Tree, script: &str, mounts: &str) -> Output {
    let list = tree.root.parent().unwrap().join("mounts");
    let root = tree.root.to_str().unwrap().replace(' ', "\\040");
    fs_err::write(&list, mounts.replace("ROOT", &root)).unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/generalise/files");
    Command::new(tree.shell[0])
        .args(&tree.shell[1..])
        .arg(files.join(script))
        .env("GOLDSEED_ROOT", &tree.root)
        .env("GOLDSEED_MOUNTS", &list)
        .output()
        .unwrap()
}

#[test]
fn nothing_is_removed_while_something_is_mounted_over_the_network() {
    for shell in shells() {
        let tree = Tree::seed(shell);
        for mounts in [
            "127.0.0.1:/ ROOT/mnt/my\\040share nfs4 rw 0 0\n",
            "/dev/nvme0n1p1 ROOT/mnt/efs ext4 rw 0 0\n",
        ] {
            let output = with_mounts(&tree, "generalise.sh", mounts);
            let complaint = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{complaint}");
            assert!(
                complaint.contains("is mounted in the tree"),
                "{shell:?}: {complaint}"
            );
            assert!(GONE.iter().all(|path| tree.is_there(path)));
        }
        // Another mount in the way stops the row, and only that.
        let output = with_mounts(
            &tree,
            "generalise.sh",
            "/dev/sdf ROOT/var/app/current/data ext4 rw 0 0\n",
        );
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(
            complaint.contains("application: something is mounted below /var/app/current"),
            "{complaint}"
        );
        assert!(tree.is_there("var/app/current/index.php"));
        assert!(!tree.is_there("opt/elasticbeanstalk/.aws-eb-system-bootstrapped"));
    }
}
