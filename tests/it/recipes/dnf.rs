//! What only Amazon Linux has, on a machine with Debian's `dnf` and a repository that is built on it: packages, keys,
//! extensions of PHP, security updates, an rpm whose transaction fails, waits or was stopped.

use std::path::Path;

use goldseed::recipe::StepResult::{self, Changed, Ok as Unchanged};
use goldseed::recipe::{Purpose, Script, compile};

use super::machine::{Machine, Run};
use super::{library, written};

/// Builds the packages and repositories below /srv.
const MAKE_REPOSITORIES: &str = include_str!("dnf/make-repositories");

/// A plugin that prints in between, as Amazon's does where a machine keeps to a release and there is a newer one.
const TALKATIVE: &str = r#"
plugins=$(python3 -c 'import dnf.const; print(dnf.const.PLUGINPATH)')
mkdir -p "$plugins"
cat >"$plugins/talkative.py" <<'PYTHON'
import dnf
class Talkative(dnf.Plugin):
    name = "talkative"
    def config(self):
        print("A newer release of \"Amazon Linux\" is available.\n\n  Version 2023.9.20250929:")
PYTHON
dnf -q check | grep -q "newer release"
"#;

/// Steps as one script, compiled in a folder that holds their files.
fn steps(folder: &Path, steps: &str) -> Script {
    compile(
        &[written(folder, &format!("steps:\n{steps}"))],
        Purpose::Apply,
    )
    .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn result(run: &Run, id: &str) -> StepResult {
    assert_eq!(run.code, 0, "{}", run.log);
    run.results[id]
}

/// Applies a script twice: the first time its first step changes something, the second time nothing does.
fn settles(machine: &Machine, script: &Script) {
    let first = machine.run(script);
    assert_eq!(result(&first, "written/1"), Changed, "{}", first.log);
    machine.changes_nothing(script);
}

/// One machine for all, because it has to be built: each part stands on what the parts before it left.
#[test]
fn what_amazon_linux_alone_has_works_with_a_real_dnf() {
    let machine = Machine::start("goldseed/amazon-linux", "none", &[]);
    machine.sh(MAKE_REPOSITORIES);
    machine.sh(TALKATIVE);
    packages(&machine);
    repositories(&machine);
    services(&machine);
    extensions_of_php(&machine);
    transactions(&machine);
    security_updates(&machine);
    mounts(&machine);
}

fn packages(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let package = |names: &str| steps(folder.path(), &format!("  - package: {names}\n"));
    settles(
        machine,
        &package("{al2023: [site-tools], debian: [no-such-package]}"),
    );
    assert_eq!(
        machine.sh("rpm -q site-tools; rpm -q site-manual || :"),
        "site-tools-1.0-1.noarch\npackage site-manual is not installed\n",
        "what a package recommends does not come along"
    );
    // By what it provides, with its version, with its architecture.
    machine.changes_nothing(&package(
        "[tools-of-a-site, site-tools-1.0, site-tools-1.0-1, site-tools.noarch]",
    ));
    settles(machine, &package("[site-tools, site-manual-1.0]"));
    machine.changes_nothing(&package("{al2023: [], debian: [nginx]}"));

    let run = machine.run(&package("[no-such-package]"));
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("no-such-package"), "{}", run.log);
    let run = machine.run(&package("{debian: [nginx]}"));
    assert!(
        run.log.contains("the step names no packages for al2023"),
        "{}",
        run.log
    );

    let checks = |text: &str| {
        let bound = written(folder.path(), &format!("verify:\n  - package: {text}\n"));
        machine.run(&compile(&[bound], Purpose::Verify).unwrap())
    };
    assert_eq!(
        checks("{name: [site-tools, tools-of-a-site, site-tools-1.0]}").code,
        0
    );
    assert_eq!(checks("{name: site-old, installed: false}").code, 0);
    let run = checks("{name: site-old, within: 0s}");
    assert!(
        run.log.contains("the package site-old is not installed"),
        "{}",
        run.log
    );
    let run = checks("{name: tools-of-a-site, installed: false, within: 0s}");
    assert!(
        run.log.contains("the package tools-of-a-site is installed"),
        "{}",
        run.log
    );
}

fn repositories(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir(folder.path().join("files")).unwrap();
    fs_err::write(
        folder.path().join("files/key.asc"),
        machine.sh("cat /srv/key.asc"),
    )
    .unwrap();
    let from = |name: &str| {
        steps(
            folder.path(),
            &format!(
                "  - repository:\n      name: {name}\n      dnf: {{url: \"file:///srv/{name}/\", key: files/key.asc}}\n  \
                 - package: site-{name}\n"
            ),
        )
    };
    settles(machine, &from("signed"));
    assert_eq!(
        machine.sh("rpm -q site-signed"),
        "site-signed-1.0-1.noarch\n"
    );
    // What another key has signed does not get in.
    let run = machine.run(&from("forged"));
    assert_eq!(run.code, 1, "{}", run.log);
    assert_eq!(run.results["written/1"], Changed);
    assert!(
        matches!(run.results["written/2"], StepResult::Failed { .. }),
        "{}",
        run.log
    );
    assert_eq!(
        machine.sh("rpm -q site-forged || :"),
        "package site-forged is not installed\n"
    );
    machine.sh("rm /etc/yum.repos.d/forged.repo");
}

fn services(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let script = steps(
        folder.path(),
        "  - package: site-worker\n  - service: {name: site-worker, state: running, enabled: true}\n",
    );
    settles(machine, &script);
    assert_eq!(
        machine.sh("systemctl is-active site-worker; systemctl is-enabled site-worker"),
        "active\nenabled\n"
    );
    machine.sh("systemctl stop site-worker");
    let run = machine.run(&script);
    assert_eq!(result(&run, "written/1"), Unchanged);
    assert_eq!(result(&run, "written/2"), Changed);
}

fn extensions_of_php(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let extensions = |names: &str| steps(folder.path(), &format!("  - php-extension: {names}\n"));
    settles(machine, &extensions("[opcache, redis]"));
    assert_eq!(
        machine.sh("rpm -q php8.2-pecl-redis6; php -m | grep -x redis"),
        "php8.2-pecl-redis6-1.0-1.noarch\nredis\n"
    );
    let run = machine.run(&extensions("nothing"));
    assert!(
        run.log
            .contains("no package brings the extension nothing; looked for: php8.2-nothing php-nothing php8.2-pecl-nothing"),
        "{}",
        run.log
    );
    let settings = "  - php-ini: {name: site, settings: {memory_limit: 300M}}\n";
    settles(machine, &steps(folder.path(), settings));
    assert_eq!(
        machine.sh("php -r 'echo ini_get(\"memory_limit\");'"),
        "300M"
    );

    // The recipe takes the package, and builds nothing, on a machine that lacks it.
    machine.sh("dnf -q -y remove php8.2-pecl-redis6; ! php -m | grep -x redis");
    let recipe = [library("php-redis", "{}")];
    let apply = compile(&recipe, Purpose::Apply).unwrap();
    let run = machine.run(&apply);
    assert_eq!(result(&run, "php-redis/1"), Unchanged, "{}", run.log);
    assert_eq!(result(&run, "php-redis/2"), Changed, "{}", run.log);
    machine.changes_nothing(&apply);
    let checks = machine.run(&compile(&recipe, Purpose::Verify).unwrap());
    assert_eq!(checks.code, 0, "{}", checks.log);

    // A repository that cannot be asked may have the package.
    machine.sh("dnf -q -y remove php8.2-pecl-redis6");
    machine.sh(&unreachable_repository());
    let run = machine.run(&extensions("redis"));
    assert!(
        run.code == 1
            && run.log.contains(
                "the repositories cannot be asked which package brings the extension redis"
            )
            && !run.log.contains("no package brings"),
        "{}",
        run.log
    );
    let run = machine.run(&apply);
    assert!(
        run.code == 1 && run.log.contains("and so nothing is built"),
        "{}",
        run.log
    );
    machine.sh("rm /etc/yum.repos.d/gone.repo");
    assert_eq!(machine.run(&apply).code, 0);
}

/// A command that adds a repository at which nobody answers.
fn unreachable_repository() -> String {
    let gone = "[gone]\\nname=gone\\nbaseurl=file:///srv/gone\\nenabled=1\\ngpgcheck=0\\n";
    format!("printf '{gone}' >/etc/yum.repos.d/gone.repo")
}

fn transactions(machine: &Machine) {
    let folder = tempfile::tempdir().unwrap();
    let package = |names: &str| steps(folder.path(), &format!("  - package: {names}\n"));
    let run = machine.run(&package("[site-refused]"));
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(
        run.log.contains("this machine is not good enough"),
        "{}",
        run.log
    );

    // Somebody else's dnf holds the lock, until ours is seen to wait for it.
    machine.sh(
        "touch /srv/slow-goes-on; setsid dnf -y install site-slow-too >/srv/slow.log 2>&1 &\n\
         until [ -e /srv/slow-has-begun ]; do sleep 0.1; done",
    );
    let script = package("[site-old]");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| machine.run(&script));
        machine.sh(
            "until grep -qs 'Waiting for process' /srv/log; do sleep 0.1; done; rm /srv/slow-goes-on",
        );
        assert_eq!(result(&waiting.join().unwrap(), "written/1"), Changed);
    });
    assert_eq!(
        machine.sh("rpm -q site-slow site-slow-too site-old"),
        "site-slow-1.0-1.noarch\nsite-slow-too-1.0-1.noarch\nsite-old-1.0-1.noarch\n"
    );

    // One that is killed in the middle: what it had not come to is done by the next run.
    machine.sh(
        "dnf -q -y remove site-slow site-slow-too; rm /srv/slow-has-begun; touch /srv/slow-goes-on\n\
         setsid dnf -y install site-slow-too >/srv/slow.log 2>&1 & killed=$!\n\
         until [ -e /srv/slow-has-begun ]; do sleep 0.1; done\n\
         kill -KILL $killed; rm /srv/slow-goes-on; ! rpm -q site-slow-too",
    );
    settles(machine, &package("[site-slow-too]"));
    machine.sh("rpm -q site-slow site-slow-too && dnf -q check");
}

fn security_updates(machine: &Machine) {
    machine.sh(
        "dnf -q -y install site-both site-needs site-held; echo excludepkgs=site-held >>/etc/dnf/dnf.conf",
    );
    let versions = || machine.sh("rpm -q site-old site-both site-needs site-held site-tools");
    let recipe = [library("security-updates", "{}")];
    let apply = compile(&recipe, Purpose::Apply).unwrap();
    let run = machine.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(
        versions(),
        "site-old-1.0-1.noarch\nsite-both-1.1-1.noarch\nsite-needs-1.1-1.noarch\nsite-held-1.0-1.noarch\n\
         site-tools-1.0-1.noarch\n",
        "no more than security asks for, and nothing that is held"
    );
    assert_eq!(machine.sh("cat /etc/dnf/vars/releasever"), "latest\n");
    let notes = "cat /opt/goldseed/security-updates.txt";
    assert_eq!(
        machine.sh(&format!("{notes} | tail -n +2")),
        "site-both.noarch 1.0-1 -> 1.1-1\nsite-helper.noarch 1.0-1\nsite-needs.noarch 1.0-1 -> 1.1-1\n"
    );
    machine.changes_nothing(&apply);
    let checks = compile(&recipe, Purpose::Verify).unwrap();
    let run = machine.run(&checks);
    assert_eq!(run.code, 0, "{}", run.log);

    // What is published after the image was made does not make it a bad one; the next build takes it.
    machine.sh(
        "sed -i s/site-held/site-old/g /srv/updateinfo.xml\n\
         modifyrepo_c --mdtype=updateinfo /srv/updateinfo.xml /srv/main/latest/repodata >/dev/null",
    );
    assert_eq!(
        machine.sh("/opt/goldseed/bin/security-updates list | awk '{ print $1, $2 }'"),
        "site-old.noarch 1.1-1\n"
    );
    let run = machine.run(&checks);
    assert_eq!(run.code, 0, "{}", run.log);
    let run = machine.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(
        machine.sh(&format!("{notes} | tail -n +2")),
        "site-old.noarch 1.0-1 -> 1.1-1\n"
    );

    // A recipe that goes back behind an update does.
    machine.sh("dnf -q -y downgrade site-old-1.0");
    let run = machine.run(&checks);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(
        run.log
            .contains("site-old.noarch 1.0-1 where the security update to 1.1-1 was installed"),
        "{}",
        run.log
    );
    assert_eq!(machine.run(&apply).code, 0);

    // An update that was stopped between the new version and the removal of the old one.
    machine.sh(
        "rpm -i --justdb --nodeps --force-debian --oldpackage /srv/main/2023/site-both-1.0-1.noarch.rpm\n\
         ! dnf -q check",
    );
    let run = machine.run(&checks);
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("is a duplicate with"), "{}", run.log);
    let run = machine.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(machine.sh("rpm -q site-both"), "site-both-1.1-1.noarch\n");
    machine.changes_nothing(&apply);

    // A source that cannot be asked is no reason to be content, though dnf passes over it.
    machine.sh(&unreachable_repository());
    assert_eq!(
        machine.sh("/opt/goldseed/bin/security-updates list 2>/dev/null || echo $?"),
        "1\n"
    );
    machine.sh("rm /etc/yum.repos.d/gone.repo");

    // A machine may keep to one state of the distribution.
    let recipe = [library(
        "security-updates",
        "release: \"2023.8.20250818\"\n",
    )];
    let run = machine.run(&compile(&recipe, Purpose::Apply).unwrap());
    assert_eq!(run.code, 1, "there is no such state here: {}", run.log);
    assert_eq!(
        machine.sh("cat /etc/dnf/vars/releasever; echo latest >/etc/dnf/vars/releasever"),
        "2023.8.20250818\n"
    );
}

fn mounts(machine: &Machine) {
    machine.sh("mkdir /srv/share; echo here >/srv/share/file");
    let recipe = [library("mount-efs", "file_system: fs-0123456789abcdef0\n")];
    let apply = compile(&recipe, Purpose::Apply).unwrap();
    let run = machine.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(
        machine.sh("cat /mnt/efs/file; grep ' /mnt/efs ' /etc/fstab"),
        "here\nfs-0123456789abcdef0:/ /mnt/efs efs _netdev,nofail,x-systemd.mount-timeout=30s,tls 0 0\n"
    );
    machine.changes_nothing(&apply);
    let checks = machine.run(&compile(&recipe, Purpose::Verify).unwrap());
    assert_eq!(checks.code, 0, "{}", checks.log);
    machine.sh("rpm -q amazon-efs-utils");
}
