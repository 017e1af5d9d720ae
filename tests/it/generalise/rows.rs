//! Every row of the table, planted in every shape in which a machine may carry it.
//!
//! The rows are written out here as well, each with a place that it stands for: a row that is lost in the table, or added
//! without a plant, fails.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::tree::{KEPT, Tree, shells};

/// A line of the table without its proof, and words that make a path of its globs: one for each.
type Row = (&'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "eb-marker now remove /opt/elasticbeanstalk/.aws-eb-system-bootstrapped",
        &[],
    ),
    (
        "eb-identity now empty /opt/elasticbeanstalk/config/ebenvinfo",
        &[],
    ),
    (
        "eb-marker-al1 now remove /etc/elasticbeanstalk/.aws-eb-system-initialized",
        &[],
    ),
    (
        "eb-deployment now shred-in /opt/elasticbeanstalk/deployment",
        &[],
    ),
    ("application now empty /var/app/current", &[]),
    ("application now empty /var/app/staging", &[]),
    ("proxy-staging now empty /var/proxy/staging", &[]),
    ("cfn-config now remove /etc/cfn/cfn-hup.conf", &[]),
    (
        "cfn-config now remove /etc/cfn/hooks.d/aws-eb-command-handler.conf",
        &[],
    ),
    ("cfn-state now shred-in /var/lib/cfn-init", &[]),
    ("cfn-state now shred-in /var/lib/cfn-hup", &[]),
    ("eb-cron now remove /etc/cron.d/publishlogs", &[]),
    (
        "eb-cron now remove /etc/cron.d/*elasticbeanstalk*",
        &["own-", "-logs"],
    ),
    (
        "eb-cron now remove /etc/cron.hourly/*elasticbeanstalk*",
        &["cron.logrotate.", ".httpd.conf"],
    ),
    ("cron-backups now remove /etc/cron.d/*.bak", &["mycron"]),
    (
        "cron-backups now remove /etc/cron.hourly/*.bak",
        &["mycron"],
    ),
    ("cron-backups now remove /etc/cron.daily/*.bak", &["report"]),
    (
        "cron-backups now remove /etc/cron.weekly/*.bak",
        &["report"],
    ),
    (
        "cron-backups now remove /etc/cron.monthly/*.bak",
        &["report"],
    ),
    ("healthd now remove /etc/healthd/config.yaml", &[]),
    ("healthd now empty /var/elasticbeanstalk/healthd", &[]),
    ("healthd now empty /var/log/nginx/healthd", &[]),
    ("healthd now empty /var/log/httpd/healthd", &[]),
    ("healthd now empty /var/log/apache2/healthd", &[]),
    ("eb-xray now empty /var/elasticbeanstalk/xray", &[]),
    ("eb-pids now empty /var/pids", &[]),
    ("eb-rsyslog now remove /etc/rsyslog.d/web.conf", &[]),
    (
        "log-shippers now remove /etc/awslogs/config/*beanstalk*",
        &["", "logs.conf"],
    ),
    (
        "log-shippers now remove /etc/awslogs/config/eb-*",
        &["engine.conf"],
    ),
    ("log-shippers now empty /var/lib/awslogs", &[]),
    (
        "log-shippers now remove /opt/aws/amazon-cloudwatch-agent/etc/*beanstalk*",
        &["", ".json"],
    ),
    (
        "log-shippers now remove /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/*beanstalk*",
        &["file_", ".json"],
    ),
    (
        "log-shippers now empty /opt/aws/amazon-cloudwatch-agent/logs/state",
        &[],
    ),
    (
        "log-shippers now remove /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.toml",
        &[],
    ),
    (
        "log-shippers now remove /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.yaml",
        &[],
    ),
    ("cloud-init now remove /var/lib/cloud/instance", &[]),
    ("cloud-init now shred-in /var/lib/cloud/instances", &[]),
    ("cloud-init now empty /var/lib/cloud/sem", &[]),
    ("cloud-init now shred-in /var/lib/cloud/data", &[]),
    ("cloud-init now shred-in /var/lib/cloud/seed", &[]),
    (
        "host-keys now shred /etc/ssh/ssh_host_*",
        &["ed25519_key.pub"],
    ),
    ("authorized-keys now shred ~/.ssh/authorized_keys", &[]),
    ("authorized-keys now shred ~/.ssh/authorized_keys2", &[]),
    ("known-hosts now remove ~/.ssh/known_hosts", &[]),
    ("known-hosts now remove ~/.ssh/known_hosts.old", &[]),
    ("histories now shred ~/.*_history", &["bash"]),
    ("histories now shred ~/.*_history-*", &["bash", "01234.tmp"]),
    ("histories now shred ~/.lesshst", &[]),
    ("histories now shred ~/.viminfo", &[]),
    ("histories now shred ~/.wget-hsts", &[]),
    ("histories now shred ~/.histfile", &[]),
    ("host-name now remove /etc/hostname", &[]),
    ("network-state last files /var/lib/dhclient", &[]),
    ("network-state last files /var/lib/dhcp", &[]),
    ("network-state last empty /var/lib/NetworkManager", &[]),
    ("network-state last files /var/lib/systemd/network", &[]),
    (
        "network-state now remove /etc/udev/rules.d/70-persistent-net.rules",
        &[],
    ),
    ("random-seed last shred /var/lib/systemd/random-seed", &[]),
    (
        "credential-secret now shred /var/lib/systemd/credential.secret",
        &[],
    ),
    ("ssm-agent last shred-in /var/lib/amazon/ssm/Vault", &[]),
    (
        "ssm-agent last shred /var/lib/amazon/ssm/i-*",
        &["0123456789abcdef0"],
    ),
    (
        "ssm-agent last shred /var/lib/amazon/ssm/mi-*",
        &["0123456789abcdef0"],
    ),
    (
        "ssm-agent last empty /var/lib/amazon/ssm/runtimeconfig",
        &[],
    ),
    ("ssm-agent last empty /var/lib/amazon/ssm/ipc", &[]),
    ("ssm-agent last files /var/log/amazon/ssm", &[]),
    ("efs-state now empty /run/efs", &[]),
    ("efs-state now shred /etc/amazon/efs/privateKey.pem", &[]),
    ("at-jobs now files /var/spool/cron/atjobs", &[]),
    ("at-jobs now files /var/spool/cron/atspool", &[]),
    ("at-jobs now files /var/spool/at", &[]),
    ("user-crontabs now files /var/spool/cron", &[]),
    ("mail now files /var/spool/mail", &[]),
    ("mail now files /var/mail", &[]),
    ("mail now shred ~/dead.letter", &[]),
    ("mail now shred ~/mbox", &[]),
    ("mail-queues now files /var/spool/postfix/incoming", &[]),
    ("mail-queues now files /var/spool/postfix/active", &[]),
    ("mail-queues now files /var/spool/postfix/deferred", &[]),
    ("mail-queues now files /var/spool/postfix/defer", &[]),
    ("mail-queues now files /var/spool/postfix/bounce", &[]),
    ("mail-queues now files /var/spool/postfix/hold", &[]),
    ("mail-queues now files /var/spool/postfix/corrupt", &[]),
    ("mail-queues now files /var/spool/postfix/flush", &[]),
    ("mail-queues now files /var/spool/postfix/maildrop", &[]),
    ("mail-queues now files /var/spool/postfix/saved", &[]),
    ("mail-queues now files /var/spool/postfix/trace", &[]),
    ("mail-queues now files /var/spool/exim*/input", &["4"]),
    ("mail-queues now files /var/spool/exim*/msglog", &[""]),
    ("mail-queues now files /var/spool/exim*/scan", &["4"]),
    ("mail-queues now files /var/spool/exim*/db", &["4"]),
    ("mail-queues now files /var/spool/mqueue", &[]),
    ("mail-queues now files /var/spool/clientmqueue", &[]),
    ("mail-queues now files /var/spool/mqueue-client", &[]),
    ("mail-queues now files /var/spool/nullmailer/queue", &[]),
    ("mail-queues now files /var/spool/nullmailer/failed", &[]),
    ("mail-queues now files /var/spool/msmtp", &[]),
    ("mail-queues now files /var/spool/dma", &[]),
    ("mail-queues now files /var/spool/smtpd", &[]),
    ("php-sessions now files /var/lib/php/session*", &["s"]),
    (
        "php-sessions now files /var/lib/php/*/session*",
        &["8.2", "s"],
    ),
    (
        "php-sessions now files /var/opt/*/*/lib/php/session*",
        &["remi", "php82", ""],
    ),
    ("php-caches now files /var/lib/php/wsdlcache", &[]),
    ("php-caches now files /var/lib/php/opcache", &[]),
    ("request-bodies now files /var/lib/nginx", &[]),
    ("request-bodies now files /var/cache/nginx", &[]),
    ("request-bodies now files /var/cache/httpd", &[]),
    ("request-bodies now files /var/cache/apache2", &[]),
    ("aws-logins now shred-in ~/.aws/sso/cache", &[]),
    ("aws-logins now shred-in ~/.aws/cli/cache", &[]),
    ("aws-logins now shred-in ~/.aws/login/cache", &[]),
    ("package-caches now files /var/cache/apt", &[]),
    ("package-caches now empty /var/cache/dnf", &[]),
    ("package-caches now empty /var/cache/yum", &[]),
    ("package-caches now empty /var/cache/libdnf5", &[]),
    ("home-caches now empty ~/.cache", &[]),
    ("home-caches now empty ~/.npm", &[]),
    ("home-caches now empty ~/.composer/cache", &[]),
    ("home-caches now empty ~/.config/composer/cache", &[]),
    ("temporary now empty /tmp", &[]),
    ("temporary now empty /var/tmp", &[]),
    ("core-dumps now empty /var/lib/systemd/coredump", &[]),
    ("core-dumps now empty /var/crash", &[]),
    ("core-dumps now remove /core", &[]),
    ("core-dumps now remove /core.[0-9]*", &["1", "234"]),
    ("goldseed-seed now remove /var/lib/goldseed/seed", &[]),
    ("goldseed-seed now remove /opt/goldseed/seed", &[]),
    ("goldseed-seed now remove /var/lib/goldseed/seed-made", &[]),
    ("goldseed-work now empty /var/lib/goldseed/pending", &[]),
    ("goldseed-work now remove /var/lib/goldseed/temporary", &[]),
    ("goldseed-work now remove /var/lib/goldseed/download", &[]),
    ("goldseed-work now remove /var/lib/goldseed/reboots", &[]),
    ("goldseed-content now remove /var/lib/goldseed/content", &[]),
    ("goldseed-started last empty /var/lib/goldseed/started", &[]),
    (
        "expiry-timer now remove /etc/systemd/system/goldseed-expiry.*",
        &["timer"],
    ),
    (
        "expiry-timer now remove /etc/systemd/system/*.wants/goldseed-expiry.*",
        &["timers.target", "timer"],
    ),
    (
        "expiry-timer now remove /etc/systemd/system/*.requires/goldseed-expiry.*",
        &["a.service", "timer"],
    ),
    (
        "expiry-timer now remove /usr/local/lib/systemd/system/goldseed-expiry.*",
        &["service"],
    ),
    (
        "expiry-timer now remove /usr/lib/systemd/system/goldseed-expiry.*",
        &["service"],
    ),
    (
        "expiry-timer now remove /usr/lib/systemd/system/*.wants/goldseed-expiry.*",
        &["timers.target", "timer"],
    ),
    (
        "expiry-timer now remove /lib/systemd/system/goldseed-expiry.*",
        &["timer"],
    ),
];

/// In what shape a machine carries what a row stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// A file.
    Plain,
    /// A file with a blank in its name, or in that of its home; where the row is one name, the tree's own has one.
    Blank,
    /// A link to a file that is none of this machine's state.
    Link,
    /// A file that may not be written, in a folder that may not either.
    ReadOnly,
    /// A folder with files below, hidden ones too.
    Folder,
}

const SHAPES: [Shape; 5] = [
    Shape::Plain,
    Shape::Blank,
    Shape::Link,
    Shape::ReadOnly,
    Shape::Folder,
];

/// What one row has in a tree.
struct Plant {
    /// Its name in the report.
    row: &'static str,
    last: bool,
    /// The path that the report names, or a folder of it.
    place: PathBuf,
    /// What must be gone.
    gone: Vec<PathBuf>,
}

/// The path of a pattern, its globs filled in; in a home of the shape.
fn place(pattern: &str, words: &[&str], shape: Shape) -> PathBuf {
    let mut place = String::new();
    let mut words = words.iter();
    let mut rest = pattern.trim_start_matches('/');
    if let Some(below) = rest.strip_prefix("~/") {
        rest = below;
        place.push_str(match shape {
            Shape::Plain | Shape::Folder => "root/",
            Shape::Blank => "home/with a space [1]/",
            Shape::Link => "home/ec2-user/",
            Shape::ReadOnly => "srv/app-home/",
        });
    }
    while let Some(at) = rest.find(['*', '[']) {
        let length = if rest[at..].starts_with('[') {
            rest[at..].find(']').unwrap() + 1
        } else {
            1
        };
        place.push_str(&rest[..at]);
        place.push_str(words.next().expect("a word for each glob"));
        if shape == Shape::Blank && length == 1 {
            place.push_str(" b");
        }
        rest = &rest[at + length..];
    }
    assert!(words.next().is_none(), "{pattern}: too many words");
    place.push_str(rest);
    PathBuf::from(place)
}

/// Puts what the row stands for into the tree.
fn plant(tree: &Tree, outside: &Path, row: &Row, shape: Shape) -> Plant {
    let fields: Vec<&str> = row.0.split(' ').collect();
    let &[name, when, how, pattern] = fields.as_slice() else {
        panic!("four fields: {}", row.0);
    };
    let place = place(pattern, row.1, shape);
    let tree_of_files = matches!(how, "empty" | "shred-in" | "files");
    let at = match (tree_of_files, shape) {
        (false, _) => place.clone(),
        (true, Shape::Blank) => place.join("a b 'c' $d"),
        (true, Shape::ReadOnly) => place.join("shut/file"),
        (true, _) => place.join("own"),
    };
    let full = tree.root.join(&at);
    fs_err::create_dir_all(full.parent().unwrap()).unwrap();
    let mut gone = vec![at.clone()];
    match shape {
        Shape::Plain | Shape::Blank => fs_err::write(&full, "left\n").unwrap(),
        Shape::Link => symlink(outside, &full).unwrap(),
        Shape::ReadOnly => {
            fs_err::write(&full, "left\n").unwrap();
            fs_err::set_permissions(&full, PermissionsExt::from_mode(0o400)).unwrap();
            if tree_of_files {
                let folder = full.parent().unwrap();
                fs_err::set_permissions(folder, PermissionsExt::from_mode(0o555)).unwrap();
            }
        }
        Shape::Folder => {
            for file in ["deep/er/file", ".hidden", "deep/.b"] {
                let path = full.join(file);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, "left\n").unwrap();
                gone.push(at.join(file));
            }
            if how == "files" {
                // Folders stay, with their owners.
                gone.remove(0);
            }
        }
    }
    Plant {
        row: name,
        last: when == "last",
        place,
        gone,
    }
}

/// A machine with these rows, in these shapes, is generalised: all of it is found, and goes, once for good.
fn check(shell: &'static [&'static str], rows: &[(&'static Row, Shape)]) {
    let tree = Tree::bare(shell);
    let beside = tree.root.parent().unwrap();
    let outside = beside.join("none of this machine's");
    fs_err::write(&outside, "precious\n").unwrap();
    for path in KEPT {
        tree.write(path, &format!("content of {path}\n"));
    }
    tree.write("etc/machine-id", "");
    let owner = "root:x:0:0::/root:/bin/bash\napp:x:900:900::/srv/app-home:/sbin/nologin\n";
    tree.write("etc/passwd", owner);
    let plants: Vec<Plant> = rows
        .iter()
        .map(|(row, shape)| plant(&tree, &outside, row, *shape))
        .collect();
    // Not every file system and not every person can make a file immutable; where it works, it is tried.
    for ((_, shape), plant) in rows.iter().zip(&plants) {
        if *shape == Shape::ReadOnly {
            let file = tree.root.join(&plant.gone[0]);
            drop(Command::new("chattr").arg("+i").arg(file).output());
        }
    }

    let found = |last: bool| {
        let arguments: &[&str] = if last { &["last"] } else { &[] };
        let report = tree.run("assert.sh", arguments).stdout;
        let report = String::from_utf8(report).unwrap();
        for plant in plants.iter().filter(|plant| plant.last == last) {
            let named = report.lines().any(|line| {
                line.starts_with(&format!("FAIL {}: /{}", plant.row, plant.place.display()))
            });
            let place = plant.place.display();
            assert!(named, "{shell:?}: {place} is not in\n{report}");
        }
    };
    let left = |last: bool| -> Vec<&PathBuf> {
        let paths = plants.iter().filter(|plant| plant.last == last);
        let paths = paths.flat_map(|plant| &plant.gone);
        paths
            .filter(|path| tree.root.join(path).symlink_metadata().is_ok())
            .collect()
    };
    found(false);
    found(true);
    tree.succeed("generalise.sh", &[]);
    assert_eq!(left(false), Vec::<&PathBuf>::new(), "{shell:?}");
    tree.succeed("assert.sh", &[]);
    let all = plants.iter().filter(|plant| plant.last);
    let all = all.map(|plant| plant.gone.len()).sum::<usize>();
    assert_eq!(
        left(true).len(),
        all,
        "{shell:?}: the agent needs them still"
    );
    tree.succeed("generalise.sh", &["last"]);
    assert_eq!(left(true), Vec::<&PathBuf>::new(), "{shell:?}");
    tree.succeed("assert.sh", &["last"]);
    tree.succeed("assert.sh", &["proof"]);

    assert_eq!(fs_err::read_to_string(&outside).unwrap(), "precious\n");
    for path in KEPT {
        let content = fs_err::read_to_string(tree.root.join(path)).unwrap();
        assert_eq!(content, format!("content of {path}\n"), "{shell:?}");
    }
    let once = tree.picture();
    tree.succeed("generalise.sh", &[]);
    tree.succeed("generalise.sh", &["last"]);
    assert_eq!(once, tree.picture(), "{shell:?}: again changes something");
}

#[test]
fn these_are_the_rows_of_the_table() {
    let table = fs_err::read_to_string("recipes/generalise/files/traces.table").unwrap();
    let lines = table
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let of_the_table: BTreeSet<String> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(fields.len(), 5, "{line}");
            [fields[0], fields[1], fields[3], fields[4]].join(" ")
        })
        .collect();
    let here: BTreeSet<String> = ROWS.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(here.len(), ROWS.len(), "a row stands here twice");
    let without: Vec<_> = of_the_table.difference(&here).collect();
    assert!(
        without.is_empty(),
        "rows without a plant here: {without:#?}"
    );
    let lost: Vec<_> = here.difference(&of_the_table).collect();
    assert!(lost.is_empty(), "rows that the table has lost: {lost:#?}");
}

#[test]
fn every_row_goes_in_every_shape_under_every_shell() {
    std::thread::scope(|scope| {
        for shell in shells() {
            scope.spawn(move || {
                for turn in 0..SHAPES.len() {
                    let shaped = ROWS.iter().enumerate();
                    let shaped: Vec<_> = shaped
                        .map(|(index, row)| (row, SHAPES[(index + turn) % SHAPES.len()]))
                        .collect();
                    check(shell, &shaped);
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn whatever_a_machine_carries_goes(
        rows in prop::sample::subsequence(ROWS.iter().collect::<Vec<_>>(), 0..=ROWS.len()),
        shapes in prop::collection::vec(prop::sample::select(&SHAPES[..]), ROWS.len()),
        shell in prop::sample::select(shells()),
    ) {
        let shaped: Vec<_> = rows.into_iter().zip(shapes).collect();
        check(shell, &shaped);
    }
}
