//! The recipe `generalise`, run for real on throw-away trees, under each shell that machines have.
//!
//! The list of what must go is written out here and not read from the recipe's own table: a row that is lost there must
//! be missed here.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::world::World;

mod proof;
mod rows;

/// Files that a seed carries and an image must not, cleaned while it runs.
const GONE: &[&str] = &[
    "opt/elasticbeanstalk/.aws-eb-system-bootstrapped",
    "opt/elasticbeanstalk/config/ebenvinfo/stackid",
    "opt/elasticbeanstalk/config/ebenvinfo/instancesignalURL",
    "opt/elasticbeanstalk/config/ebenvinfo/region",
    "opt/elasticbeanstalk/config/ebenvinfo/.hidden",
    "etc/elasticbeanstalk/.aws-eb-system-initialized",
    "opt/elasticbeanstalk/deployment/app_source_bundle",
    "opt/elasticbeanstalk/deployment/app_version_manifest.json",
    "opt/elasticbeanstalk/deployment/cfn-metadata-cache.json",
    "opt/elasticbeanstalk/deployment/env",
    "opt/elasticbeanstalk/deployment/env.list",
    "var/app/current/index.php",
    "var/app/current/.platform/hooks/predeploy/10 with a space.sh",
    "var/app/staging/index.php",
    "var/proxy/staging/nginx/nginx.conf",
    "etc/cfn/cfn-hup.conf",
    "etc/cfn/hooks.d/aws-eb-command-handler.conf",
    "var/lib/cfn-init/data/resume_db.dat",
    "var/lib/cfn-init/data/metadata.json",
    "var/lib/cfn-hup/data/metadata_db.json",
    "etc/cron.d/publishlogs",
    "etc/cron.d/publishlogs.bak",
    "etc/cron.d/my cron.bak",
    "etc/cron.daily/report.bak",
    "etc/cron.hourly/cron.logrotate.elasticbeanstalk.httpd.conf",
    "etc/healthd/config.yaml",
    "var/elasticbeanstalk/healthd/current-state",
    "var/log/nginx/healthd/application.log.2026-11-23-03",
    "var/log/httpd/healthd/application.log",
    "etc/awslogs/config/beanstalklogs.conf",
    "var/lib/awslogs/agent-state",
    "opt/aws/amazon-cloudwatch-agent/etc/beanstalk.json",
    "opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/file_beanstalk.json",
    "opt/aws/amazon-cloudwatch-agent/logs/state/_var_log_messages",
    "var/lib/cloud/instances/i-0123/user-data.txt",
    "var/lib/cloud/sem/config_scripts_per_once.once",
    "var/lib/cloud/data/instance-id",
    "var/lib/cloud/seed/nocloud/user-data",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "etc/ssh/ssh_host_rsa_key",
    "root/.ssh/authorized_keys",
    "home/ec2-user/.ssh/authorized_keys",
    "home/with a space [1]/.ssh/authorized_keys",
    "root/.bash_history",
    "root/.mysql_history",
    "root/.lesshst",
    "home/ec2-user/.bash_history",
    "home/with a space [1]/.mariadb_history",
    "srv/app-home/.python_history",
    "etc/hostname",
    "etc/udev/rules.d/70-persistent-net.rules",
    "run/efs/fs-0123.mnt.efs.20049",
    "etc/amazon/efs/privateKey.pem",
    "var/spool/cron/atjobs/a00001019",
    "var/spool/at/a00001019",
    "var/spool/cron/root",
    "var/spool/cron/crontabs/www-data",
    "var/cache/apt/archives/nginx.deb",
    "var/cache/dnf/amazonlinux.solv",
    "var/cache/yum/x86_64/packages/a.rpm",
    "root/.cache/composer/repo.json",
    "home/ec2-user/.npm/_cacache/index",
    "root/.composer/cache/files.zip",
    "tmp/ebbootstrap.sh",
    "tmp/.hidden/deep/er",
    "var/tmp/cloud-init/x",
    "var/lib/systemd/coredump/core.php-fpm.zst",
    "core.1234",
    "etc/systemd/system/aws-eb.target",
    "etc/systemd/system/eb-app.target",
    "etc/systemd/system/cfn-hup.service",
    "etc/systemd/system/healthd.service",
    "etc/systemd/system/multi-user.target.wants/aws-eb.target",
    "etc/systemd/system/aws-eb.target.wants/healthd.service",
    "etc/systemd/system/goldseed-expiry.timer",
    "etc/systemd/system/goldseed-expiry.service",
    "etc/systemd/system/timers.target.wants/goldseed-expiry.timer",
    "usr/lib/systemd/system/goldseed-expiry.timer",
    "usr/local/lib/systemd/system/goldseed-expiry.timer",
    "var/lib/goldseed/seed",
    "var/lib/goldseed/pending/site.php-restart",
    "var/lib/goldseed/temporary",
    "var/lib/goldseed/download",
    "opt/goldseed/seed/install-site.php",
    "var/log/messages-20261101",
    "var/log/syslog.1",
    "var/log/nginx/access.log.2.gz",
    "opt/own marker/done",
];

/// What goes at the shutdown, when the agent and the network have stopped.
const GONE_LAST: &[&str] = &[
    "var/lib/amazon/ssm/Vault/Store/private-key",
    "var/lib/amazon/ssm/Vault/Manifest",
    "var/lib/amazon/ssm/i-0123/document/orchestration/c/_script.sh",
    "var/lib/amazon/ssm/runtimeconfig/identity_config.json",
    "var/log/amazon/ssm/amazon-ssm-agent.log",
    "var/lib/dhclient/dhclient--eth0.lease",
    "var/lib/dhcp/dhclient.leases",
    "var/lib/NetworkManager/secret_key",
    "var/lib/NetworkManager/internal-eth0.lease",
    "var/lib/systemd/random-seed",
    "var/log/journal/0123456789abcdef/system.journal",
    "var/lib/goldseed/started/goldseed-20261123-034512-7f3a-apply",
];

/// Logs that stay, as empty files with their owners.
const EMPTIED: &[&str] = &[
    "var/log/eb-engine.log",
    "var/log/cfn-init.log",
    "var/log/cloud-init.log",
    "var/log/cloud-init-output.log",
    "var/log/nginx/access.log",
    "var/log/httpd/error_log",
    "var/log/php-fpm/www-error.log",
    "var/log/messages",
    "var/log/secure",
    "var/log/wtmp",
    "etc/machine-id",
];

/// The stock machine, and what recipes put into the image.
const KEPT: &[&str] = &[
    "opt/elasticbeanstalk/bin/platform-engine",
    "opt/elasticbeanstalk/lib/ruby/gem.rb",
    "opt/elasticbeanstalk/config/private/aws-eb.target",
    "opt/elasticbeanstalk/config/private/nginx/nginx.conf",
    "etc/elasticbeanstalk/baking_manifest/packages",
    "opt/goldseed/app/wordpress/index.php",
    "opt/goldseed/boot/10-mount.sh",
    "opt/goldseed/bridge/deploy",
    "var/lib/goldseed/archives/0a1b2c3d4e5f",
    "etc/cron.d/e2scrub_all",
    "etc/cron.daily/logrotate",
    "etc/systemd/system/my-app.service",
    "etc/systemd/system/multi-user.target.wants/my-app.service",
    "etc/ssh/sshd_config",
    "etc/nginx/nginx.conf",
    "etc/dnf/vars/releasever",
    "etc/awslogs/awscli.conf",
    "opt/aws/amazon-cloudwatch-agent/bin/agent",
    "opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/own.json",
    "var/lib/cloud/scripts/per-boot/own.sh",
    "var/lib/amazon/ssm/plugins/manifest",
    "home/ec2-user/.bashrc",
    "root/.ssh/config",
    "usr/share/wordpress/index.php",
];

struct Tree {
    _folder: tempfile::TempDir,
    root: PathBuf,
    shell: &'static [&'static str],
}

impl Tree {
    /// An empty tree whose own path is hard to write.
    fn bare(shell: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a seed's [root]");
        fs_err::create_dir(&root).unwrap();
        Self {
            _folder: folder,
            root,
            shell,
        }
    }

    /// A machine that was a member of an environment and then a seed.
    fn seed(shell: &'static [&'static str]) -> Self {
        let tree = Self::bare(shell);
        for path in [GONE, GONE_LAST, EMPTIED, KEPT].concat() {
            tree.write(path, &format!("content of {path}\n"));
        }
        tree.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\n\
             app:x:900:900::/srv/app-home:/sbin/nologin\nsync:x:4:4::/bin:/bin/sync\nnobody:x:99:99::/:/sbin/nologin\n",
        );
        tree.write(
            "etc/fstab",
            "UUID=1234 / xfs defaults 0 1\nfs-0123456789abcdef0:/ /mnt/efs efs _netdev,nofail,tls 0 0\n/swap\\040file none swap sw 0 0\n",
        );
        tree.write("swap file", &"memory ".repeat(4096));
        tree.write("opt/goldseed/generalise.d/own", "remove /opt/own marker\n");
        fs_err::create_dir_all(tree.root.join("mnt/efs")).unwrap();
        fs_err::create_dir_all(tree.root.join("var/lib/dbus")).unwrap();
        symlink("/etc/machine-id", tree.root.join("var/lib/dbus/machine-id")).unwrap();
        symlink("instances/i-0123", tree.root.join("var/lib/cloud/instance")).unwrap();
        tree
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let (shell, applet) = self.shell.split_first().unwrap();
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/generalise/files");
        Command::new(shell)
            .args(applet)
            .arg(files.join(script))
            .args(arguments)
            .env("GOLDSEED_ROOT", &self.root)
            .output()
            .unwrap()
    }

    fn succeed(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.run(script, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{:?} {script}: {text}{complaint}",
            self.shell
        );
        assert_eq!(complaint, "", "{:?} {script}", self.shell);
        text
    }

    /// The lines that say FAIL.
    fn failures(&self, script: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.run(script, arguments);
        assert!(
            !output.status.success(),
            "{:?} {script} found nothing",
            self.shell
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("FAIL "))
            .map(str::to_owned)
            .collect()
    }

    fn is_there(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// Every path of the tree with its mode and its content, or where it points to.
    fn picture(&self) -> BTreeMap<PathBuf, String> {
        let mut picture = BTreeMap::new();
        let mut open = vec![self.root.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs_err::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                let mode = about.permissions().mode();
                let content = if about.is_dir() {
                    open.push(path.clone());
                    String::new()
                } else if about.is_symlink() {
                    fs_err::read_link(&path).unwrap().display().to_string()
                } else {
                    String::from_utf8_lossy(&fs_err::read(&path).unwrap()).into_owned()
                };
                let name = path.strip_prefix(&self.root).unwrap().to_owned();
                picture.insert(name, format!("{mode:o} {content}"));
            }
        }
        picture
    }
}

/// The shells of machines that are on this one: Debian's, that of Amazon Linux, busybox's; else whatever `sh` is.
fn shells() -> Vec<&'static [&'static str]> {
    let candidates: [&'static [&'static str]; 3] =
        [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];
    let found: Vec<_> = candidates
        .into_iter()
        .filter(|shell| {
            let probe = [&shell[1..], &["-c", "exit 0"]].concat();
            Command::new(shell[0])
                .args(probe)
                .output()
                .is_ok_and(|output| output.status.success())
        })
        .collect();
    if found.is_empty() {
        return vec![&["sh"]];
    }
    found
}

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

#[test]
fn what_would_stop_the_next_boot_or_lose_data_is_refused() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        tree.write(
            "etc/fstab",
            "/dev/xvda1 / ext4 defaults 0 1\n# fs-1:/ /old efs defaults 0 0\nfs-1:/ /mnt/efs efs tls 0 0\n\
             s3fs#bucket /mnt/s3 fuse allow_other 0 0\nhost:/x /mnt/nfs nfs4 _netdev,nofail 0 0\n",
        );
        tree.write(
            "mnt/efs/upload.jpg",
            "written while the share was not mounted",
        );
        tree.succeed("generalise.sh", &[]);
        assert!(
            tree.is_there("mnt/efs/upload.jpg"),
            "the only copy of a file is not removed"
        );
        let failures = tree.failures("assert.sh", &[]).join("\n");
        for needed in [
            "FAIL mount-points: /mnt/efs has files of its own",
            "FAIL fstab: /mnt/efs: the option _netdev is missing",
            "FAIL fstab: /mnt/efs: the option nofail is missing",
            "FAIL fstab: /mnt/s3: the option nofail is missing",
            "FAIL fstab: a device by its name",
        ] {
            assert!(
                failures.contains(needed),
                "{shell:?}: {needed} is not in\n{failures}"
            );
        }
        assert!(!failures.contains("/mnt/nfs:"), "{failures}");

        fs_err::remove_file(tree.root.join("etc/machine-id")).unwrap();
        let failures = tree.failures("assert.sh", &[]).join("\n");
        assert!(
            failures.contains("FAIL machine-id: /etc/machine-id is missing"),
            "{failures}"
        );
    }
}

#[test]
fn secrets_are_refused_by_kind_and_their_values_never_printed() {
    let secrets = [
        (
            "root/.aws/credentials",
            "[default]\naws_secret_access_key = hunter2hunter2\n",
            "AWS credentials",
        ),
        (
            "opt/goldseed/app/shop/config.json",
            "{\"key\": \"AKIAIOSFODNN7EXAMPLE\"}\n",
            "AWS credentials",
        ),
        (
            "opt/goldseed/app/shop/.env",
            "APP_NAME=shop\nDB_PASSWORD=hunter2\n",
            "a literal password",
        ),
        (
            "var/www/wp-config.php",
            "<?php define( 'DB_PASSWORD', 'hunter2' );\n",
            "a literal password",
        ),
        (
            "srv/wp-config.php",
            "<?php define('AUTH_KEY', \"hunter2hunter2\");\n",
            "a literal password",
        ),
        (
            "srv/moodle/config.php",
            "<?php $CFG->dbpass = 'hunter2';\n",
            "a literal password",
        ),
        (
            "srv/app/settings.php",
            "<?php return ['password' => 'hunter2'];\n",
            "a literal password",
        ),
        (
            "root/.my.cnf",
            "[client]\npassword=hunter2\n",
            "a password of a database client",
        ),
        (
            "root/.composer/auth.json",
            "{\"github-oauth\": {\"github.com\": \"hunter2\"}}\n",
            "a login for a service",
        ),
        (
            "home/ec2-user/.ssh/id_ed25519",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "a private key of a person",
        ),
        (
            "etc/nginx/tls/site.key",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n",
            "a private key",
        ),
        (
            "etc/sysconfig/app",
            "export API_TOKEN=hunter2\n",
            "a secret in a setting of a service",
        ),
        (
            "etc/php-fpm.d/www.conf",
            "env[DB_PASSWORD] = hunter2\n",
            "a secret in a setting of a service",
        ),
        (
            "etc/systemd/system/app.service.d/e.conf",
            "[Service]\nEnvironment=DB_PASSWORD=hunter2\n",
            "a secret in a setting",
        ),
        (
            "root/.npmrc",
            "//registry/:_authToken=hunter2\n",
            "a login for a service",
        ),
    ];
    for shell in shells() {
        let tree = Tree::bare(shell);
        for (path, content, _) in secrets {
            tree.write(path, content);
        }
        let output = tree.run("scan.sh", &[]);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(output.status.code(), Some(1), "{shell:?}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
        for (path, _, kind) in secrets {
            let line = format!("FAIL secrets: /{path}: {kind}");
            assert!(text.contains(&line), "{shell:?}: {line} is not in\n{text}");
        }
        assert_eq!(text.matches("FAIL").count(), secrets.len(), "{text}");
        let allowed: Vec<String> = secrets
            .iter()
            .map(|(path, ..)| format!("allow /{path}\n"))
            .collect();
        tree.write("opt/goldseed/generalise.d/own", &allowed.concat());
        assert_eq!(tree.succeed("scan.sh", &[]), "pass secrets\n");
    }
}

#[test]
fn what_only_looks_like_a_secret_passes() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        for (path, content) in [
            (
                "opt/goldseed/app/wordpress/wp-config.php",
                "<?php define('DB_PASSWORD', $goldseed_password);\n",
            ),
            (
                "opt/goldseed/app/wordpress/wp-config-sample.php",
                "<?php define( 'DB_PASSWORD', 'password_here' );\n",
            ),
            (
                "srv/wp-config.php",
                "<?php define( 'AUTH_KEY', 'put your unique phrase here' );\n",
            ),
            ("srv/.env.example", "DB_PASSWORD=changeme\n"),
            ("srv/.env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN=\n"),
            (
                "srv/config.php",
                "<?php $CFG->dbpass = getenv('DB_PASSWORD');\n",
            ),
            ("etc/sysconfig/network", "NETWORKING=yes\n"),
            (
                "opt/goldseed/boot/boot.sh",
                "key=${AWS_SECRET_ACCESS_KEY:-}\n",
            ),
            ("etc/default/app", "# API_TOKEN=changeme\nTOKEN_FILE=\n"),
            ("etc/nginx/nginx.conf", "fastcgi_param HTTPS $https;\n"),
            (
                "etc/ssl/private/ssl-cert-snakeoil.key",
                "-----BEGIN PRIVATE KEY-----\n",
            ),
            (
                "etc/mysql/my.cnf",
                "# password = secret\n[client]\nport = 3306\n",
            ),
        ] {
            tree.write(path, content);
        }
        assert_eq!(tree.succeed("scan.sh", &[]), "pass secrets\n", "{shell:?}");
    }
}

#[test]
fn a_fetched_secret_is_found_wherever_it_got_to() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        let fetched = tree.root.parent().unwrap().join("fetched here");
        fs_err::create_dir(&fetched).unwrap();
        fs_err::write(
            fetched.join("database-password"),
            "correct [horse] battery\n\n",
        )
        .unwrap();
        fs_err::write(fetched.join("short"), "abc\n").unwrap();
        let argument = fetched.to_str().unwrap().to_owned();
        tree.write("etc/app/harmless.conf", "abc\nanything\n\n");
        tree.succeed("scan.sh", &[&argument]);

        tree.write("var/lib/my app/cache.bin", "….correct [horse] battery….");
        let failures = tree.failures("scan.sh", &[&argument]);
        assert_eq!(
            failures,
            [
                "FAIL secrets: /var/lib/my app/cache.bin: holds the secret that was fetched as database-password"
            ],
            "{shell:?}"
        );
        assert!(!fetched.join(".lines").exists());

        // Of what came as a secret every line counts: a command may have been given it without any file.
        let values = tree.root.parent().unwrap().join("scan");
        fs_err::create_dir(&values).unwrap();
        fs_err::write(
            values.join("ssm__shop_two"),
            "a long first line\n-----BEGIN\nk3y!\n\n",
        )
        .unwrap();
        fs_err::remove_file(tree.root.join("var/lib/my app/cache.bin")).unwrap();
        tree.write("etc/app/notes", "-----BEGIN\n\n");
        let both = [argument.as_str(), values.to_str().unwrap()];
        tree.succeed("scan.sh", &both);
        tree.write("etc/app/settings", "x=k3y!;");
        assert_eq!(
            tree.failures("scan.sh", &both),
            ["FAIL secrets: /etc/app/settings: holds the secret that was fetched as ssm__shop_two"],
            "{shell:?}"
        );
    }
}

#[test]
fn a_unit_that_no_machine_could_start_is_refused_by_its_name() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        let unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
        for name in [
            "nginx.service",
            "php8.2-fpm.service",
            "crond.service",
            "amazon-ssm-agent.service",
            "cloud-init-local.service",
            "app.service",
            "cfn-hup.service",
        ] {
            tree.write(&format!("usr/lib/systemd/system/{name}"), unit);
        }
        tree.write(
            "usr/lib/systemd/system-preset/90-vendor.preset",
            "enable crond.service\nenable nginx.service\nenable app.service\ndisable *\n",
        );
        let units = tree.root.join("etc/systemd/system");
        fs_err::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        symlink(
            "/usr/lib/systemd/system/crond.service",
            units.join("multi-user.target.wants/crond.service"),
        )
        .unwrap();
        // Of what is not installed (any more) a mask is left by Debian; what is not needed is nobody's business.
        symlink("/dev/null", units.join("cron.service")).unwrap();
        symlink("/dev/null", units.join("app.service")).unwrap();
        tree.succeed("assert.sh", &[]);

        symlink("/dev/null", units.join("nginx.service")).unwrap();
        symlink("/dev/null", units.join("cloud-init-local.service")).unwrap();
        symlink("/dev/null", units.join("cfn-hup.service")).unwrap();
        tree.write("etc/systemd/system/php8.2-fpm.service", "");
        fs_err::remove_file(units.join("multi-user.target.wants/crond.service")).unwrap();
        let named = |kind: &[&str]| -> Vec<String> {
            let failures = tree.failures("assert.sh", kind);
            let names = failures.iter().map(|line| {
                let line = line.strip_prefix("FAIL units: ").unwrap();
                let (name, rest) = line.split_once(' ').unwrap();
                let wanted = rest.contains(&format!("`allow {name}`"));
                assert!(wanted || name.starts_with('/'), "{line}");
                [name, rest.split(',').next().unwrap()].join(" ")
            });
            names.collect()
        };
        let baked = [
            "nginx.service is masked",
            "php8.2-fpm.service is masked",
            "cloud-init-local.service is masked",
            "crond.service is disabled",
        ];
        let found = named(&[]);
        assert!(found[0].starts_with("/etc/systemd/system/cfn-hup.service is there"));
        assert_eq!(found[1..], baked, "{shell:?}");
        // A mask of Beanstalk's own is undone, the others are whoever's wish it was.
        tree.succeed("generalise.sh", &[]);
        assert_eq!(named(&[]), baked, "{shell:?}");
        assert_eq!(named(&["proof"]), baked, "{shell:?}");
        let allowed = baked.map(|line| format!("allow {}\n", line.split(' ').next().unwrap()));
        // As a recipe's file without a line break at its end.
        let allowed = allowed.concat();
        tree.write("opt/goldseed/generalise.d/own", allowed.trim_end());
        tree.succeed("assert.sh", &[]);
        tree.succeed("assert.sh", &["proof"]);
    }
}

#[test]
fn a_line_of_ones_own_that_would_do_nothing_is_refused() {
    for shell in shells() {
        let tree = Tree::bare(shell);
        tree.write("etc/machine-id", "");
        tree.write("opt/shop/made by hand", "x\n");
        tree.write(
            "opt/goldseed/generalise.d/shop",
            "# Of the shop.\n\nallow nginx.service\nremove /opt/shop/made by hand",
        );
        tree.succeed("generalise.sh", &[]);
        assert!(!tree.is_there("opt/shop/made by hand"), "{shell:?}");
        tree.succeed("assert.sh", &[]);

        let typed = "alow /opt/a\nremove opt/b\nremove /c\nallow\n";
        tree.write("opt/goldseed/generalise.d/typed", typed);
        let failures = tree.failures("assert.sh", &[]);
        let named = typed.lines().map(|line| {
            let shown = if line == "allow" { "allow " } else { line };
            format!("FAIL own: /opt/goldseed/generalise.d/typed: what is `{shown}`?")
        });
        for (failure, named) in failures.iter().zip(named) {
            assert!(failure.starts_with(&named), "{shell:?}: {failure}");
        }
        assert_eq!(failures.len(), 4, "{shell:?}: {failures:?}");
    }
}

#[test]
fn the_refusal_of_a_secret_says_how_to_allow_a_file_and_the_page_shows_it() {
    let page = fs_err::read_to_string("docs/library.md").unwrap();
    let example = page
        .split("```yaml\n")
        .find(|text| text.starts_with("recipe: 1\n"));
    let example = example.unwrap().split("```").next().unwrap();
    let world = World::empty();
    world.write("recipes/shop-image.yaml", example);
    world.succeed(["recipe", "check"]);
    let lines = example.split("content: |\n").nth(1).unwrap();

    let tree = Tree::bare(shells()[0]);
    tree.write("etc/machine-id", "");
    let key = "opt/goldseed/app/shop/modules/pay/sample.key";
    tree.write(key, "-----BEGIN PRIVATE KEY-----\n");
    tree.write("opt/shop/.installed", "");
    let complaint = String::from_utf8(tree.run("scan.sh", &[]).stderr).unwrap();
    let way_out = "write the line \"allow PATH\" to a file in /opt/goldseed/generalise.d";
    assert!(complaint.contains(way_out), "{complaint}");

    tree.write("opt/goldseed/generalise.d/shop", lines);
    tree.succeed("scan.sh", &[]);
    tree.succeed("generalise.sh", &[]);
    tree.succeed("assert.sh", &[]);
    assert!(tree.is_there(key) && !tree.is_there("opt/shop/.installed"));
}
