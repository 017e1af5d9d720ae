//! The tree of a seed: what must go, what must stay, and the shells that the scripts run under.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Files that a seed carries and an image must not, cleaned while it runs.
pub(super) const GONE: &[&str] = &[
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
pub(super) const GONE_LAST: &[&str] = &[
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
pub(super) const EMPTIED: &[&str] = &[
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
pub(super) const KEPT: &[&str] = &[
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

pub(super) struct Tree {
    _folder: tempfile::TempDir,
    pub(super) root: PathBuf,
    pub(super) shell: &'static [&'static str],
}

impl Tree {
    /// An empty tree whose own path is hard to write.
    pub(super) fn bare(shell: &'static [&'static str]) -> Self {
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
    pub(super) fn seed(shell: &'static [&'static str]) -> Self {
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

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    pub(super) fn run(&self, script: &str, arguments: &[&str]) -> Output {
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

    pub(super) fn succeed(&self, script: &str, arguments: &[&str]) -> String {
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
    pub(super) fn failures(&self, script: &str, arguments: &[&str]) -> Vec<String> {
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

    pub(super) fn is_there(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// Every path of the tree with its mode and its content, or where it points to.
    pub(super) fn picture(&self) -> BTreeMap<PathBuf, String> {
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
pub(super) fn shells() -> Vec<&'static [&'static str]> {
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
