//! Debian's packages while somebody else has dpkg's lock, and when a dpkg was stopped half-way: on a machine with
//! systemd, and with a repository that is built on it.

use goldseed::recipe::StepResult::Changed;
use goldseed::recipe::{Purpose, Script, compile};

use super::machine::{Machine, Run};
use super::{applied, library, with_functions};

/// Packages below /srv/repository, which is all that apt knows: `nfs-common` with a helper that binds a folder, and
/// `half-way`, which cannot be configured before /srv/configurable is there.
const GROUND: &str = r#"
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list
# apt says what it waits for; that it waits it does not always say.
echo 'Debug::Locking "true";' >/etc/apt/apt.conf.d/locking
mkdir -p /srv/repository /srv/share /srv/build
package() {
    mkdir -p "/srv/build/$1-$2/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.com>\nDescription: a test\n' \
        "$1" "$2" >"/srv/build/$1-$2/DEBIAN/control"
    [ -z "${3:-}" ] || install -D -m 0755 /dev/stdin "/srv/build/$1-$2/$3"
}
offer() {
    dpkg-deb --build --root-owner-group "/srv/build/$1-$2" "/srv/repository/$1-$2.deb" >/dev/null
    {
        dpkg-deb --field "/srv/repository/$1-$2.deb"
        echo "Filename: ./$1-$2.deb"
        echo "Size: $(stat -c %s "/srv/repository/$1-$2.deb")"
        echo "SHA256: $(sha256sum <"/srv/repository/$1-$2.deb" | cut -d ' ' -f 1)"
        echo
    } >>/srv/repository/Packages
}
for name in first second third fourth fifth sixth; do package "$name" 1.0 </dev/null && offer "$name" 1.0; done
package nfs-common 1.0 usr/sbin/mount.nfs4 <<'SH' && offer nfs-common 1.0
#!/bin/sh
exec mount -n -i --bind /srv/share "$2"
SH
package half-way 1.0 </dev/null
printf '#!/bin/sh\n[ -e /srv/configurable ]\n' >/srv/build/half-way-1.0/DEBIAN/postinst
chmod 0755 /srv/build/half-way-1.0/DEBIAN/postinst
offer half-way 1.0
# No other helper of a share is to be found.
rm -f /usr/sbin/mount.efs /usr/sbin/mount.nfs4
# Holds the lock, as dpkg and apt do, until the file of the second argument holds the text of the first.
cat >/srv/hold <<'PYTHON'
import fcntl, sys, time
text, log = sys.argv[1:3]
path = sys.argv[3] if sys.argv[3:] else "/var/lib/dpkg/lock-frontend"
with open(path, "a+") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    open("/run/held", "w").close()
    while text not in open(log).read():
        time.sleep(0.1)
PYTHON
"#;

/// Leaves the package `half-way` unpacked and not configured, as a dpkg that was stopped does.
const STOP_HALF_WAY: &str = "rm -f /srv/configurable; dpkg --purge half-way >/dev/null 2>&1 || :
if dpkg --install /srv/repository/half-way-1.0.deb >/dev/null 2>&1; then exit 1; fi
touch /srv/configurable; dpkg --audit | grep -q half-way";

/// What apt and dpkg say of a lock that somebody has.
const DPKG_IS_REFUSED: &str = "locked by another process";
const APT_WAITS: &str = "lock-frontend wait 300";

/// Lets somebody hold dpkg's lock until the log of the next script says so.
fn hold_until(machine: &Machine, text: &str) {
    hold_lock_until(machine, "/var/lib/dpkg/lock-frontend", text);
}

fn hold_lock_until(machine: &Machine, lock: &str, text: &str) {
    machine.sh(&format!(
        "rm -f /run/held; : >/srv/log; (python3 /srv/hold '{text}' /srv/log {lock} >/dev/null 2>&1 &); \
         timeout 60 sh -c 'until [ -e /run/held ]; do sleep 0.1; done'"
    ));
}

fn settles(machine: &Machine, script: &Script) -> Run {
    let run = machine.run(script);
    assert_eq!(run.code, 0, "{}", run.log);
    machine.changes_nothing(script);
    run
}

#[test]
fn the_lock_of_dpkg_is_waited_for_and_what_was_stopped_half_way_is_set_right() {
    let machine = Machine::start("goldseed/machine-base", "none", &[]);
    machine.sh(GROUND);
    let folder = tempfile::tempdir().unwrap();
    let package = |name: &str| applied(folder.path(), &format!("  - package: [{name}]\n"));

    // Somebody has the lock, and all is whole.
    hold_until(&machine, APT_WAITS);
    let run = settles(&machine, &package("first"));
    assert_eq!(run.results["written/1"], Changed);

    // Somebody fetches packages, or lists of them: apt waits for neither by itself.
    for (lock, name) in [
        ("/var/cache/apt/archives/lock", "fifth"),
        ("/var/lib/apt/lists/lock", "sixth"),
    ] {
        let refused = format!("Could not get lock {lock}");
        hold_lock_until(&machine, lock, &refused);
        let run = settles(&machine, &package(name));
        assert!(run.log.contains(&refused), "{}", run.log);
    }

    // Nobody has it, and a package is half-way.
    machine.sh(STOP_HALF_WAY);
    settles(&machine, &package("second"));
    machine.sh("test -z \"$(dpkg --audit)\"");

    // Both.
    machine.sh(STOP_HALF_WAY);
    hold_until(&machine, DPKG_IS_REFUSED);
    let run = settles(&machine, &package("third"));
    assert!(run.log.contains(DPKG_IS_REFUSED), "{}", run.log);
    machine.sh("test -z \"$(dpkg --audit)\"");

    // What can never be configured is said at once.
    machine.sh(STOP_HALF_WAY);
    machine.sh("rm /srv/configurable");
    let run = machine.run(&package("fourth"));
    assert_eq!(run.code, 1, "{}", run.log);
    assert!(run.log.contains("half-way"), "{}", run.log);
    machine.sh("touch /srv/configurable");
    settles(&machine, &package("fourth"));

    security_updates(&machine);
    share(&machine);
}

/// Lets somebody hold dpkg's lock until dpkg was asked to set right what is half-way.
fn hold_until_dpkg_was_asked(machine: &Machine) {
    machine.sh(STOP_HALF_WAY);
    machine.sh(
        "rm -f /run/held; : >/srv/asked; (python3 /srv/hold asked /srv/asked >/dev/null 2>&1 &); \
         timeout 60 sh -c 'until [ -e /run/held ]; do sleep 0.1; done'",
    );
}

/// Notes in /srv/asked each time that dpkg is asked to set right what is half-way.
const NOTE: &str = r#"
mv /usr/bin/dpkg /usr/bin/dpkg.real
cat >/usr/bin/dpkg <<'SH'
#!/bin/sh
[ "$*" != '--configure -a' ] || echo asked >>/srv/asked
exec /usr/bin/dpkg.real "$@"
SH
chmod 0755 /usr/bin/dpkg"#;

/// What shows that dpkg was refused, asked again, and did it.
const WAS_SET_RIGHT: &str =
    "test \"$(wc -l </srv/asked)\" -ge 2; test -z \"$(dpkg --audit)\"; rm /srv/asked";

fn security_updates(machine: &Machine) {
    machine.sh(
        "mkdir -p /var/lib/cloud/data; echo i-0123456789abcdef0 >/var/lib/cloud/data/instance-id",
    );
    let apply = compile(&[library("security-updates", "{}\n")], Purpose::Apply).unwrap();
    let run = machine.run(&apply);
    assert_eq!(run.code, 0, "{}", run.log);
    machine.sh(NOTE);
    hold_until_dpkg_was_asked(machine);
    machine.sh("/opt/goldseed/bin/security-updates apply");
    machine.sh(WAS_SET_RIGHT);
}

/// The recipe of a share brings what mounts it.
fn share(machine: &Machine) {
    let values = "file_system: fs-0123456789abcdef0\noptions: []\n";
    let apply = compile(&[library("mount-efs", values)], Purpose::Apply).unwrap();
    let apply = with_functions(&apply, "gs_region=eu-west-1");
    machine.sh("echo here >/srv/share/file");
    hold_until_dpkg_was_asked(machine);
    settles(machine, &apply);
    machine.sh(WAS_SET_RIGHT);
    assert_eq!(
        machine.sh("cat /mnt/efs/file; grep ' /mnt/efs ' /etc/fstab"),
        "here\nfs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ /mnt/efs nfs4 _netdev,nofail,x-systemd.mount-timeout=30s,\
         nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport 0 0\n"
    );
    machine.sh("umount /mnt/efs; dpkg --purge nfs-common >/dev/null");
    hold_until(machine, APT_WAITS);
    let run = settles(machine, &apply);
    assert!(run.log.contains(APT_WAITS), "{}", run.log);
}
