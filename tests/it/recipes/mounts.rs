//! Mounts: what stands in fstab, when something is mounted, and what is refused.

use std::path::Path;

use goldseed::recipe::Script;
use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};

use super::machine::Machine;
use super::{applied, failure, first_result, instance, run, set_mode, shells, with_functions};

/// A kernel that mounts whatever fstab names: the mounts stand in a file, calls of it in another.
const KERNEL: &str = r#"
gs_region=eu-west-1
PATH=$GOLDSEED_ROOT/bin:$PATH
gs_mounted() { grep -qxF -e "$1" "$GOLDSEED_ROOT/mounts"; }
note() { printf '%s\n' "$*" >> "$GOLDSEED_ROOT/calls"; }
mount() { note "mount $*"; echo "$1" >> "$GOLDSEED_ROOT/mounts"; }
umount() { note "umount $*"; : > "$GOLDSEED_ROOT/mounts"; }
chattr() { note "chattr $*"; }
systemctl() { :; }
"#;

/// A root folder in which `script` finds that kernel, and Amazon's helper where it is said to be there.
fn ground(helper: bool) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    instance(root.path());
    for folder in ["etc", "bin", "a", "b"] {
        fs_err::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs_err::write(
        root.path().join("etc/fstab"),
        "UUID=1 / ext4 defaults 0 1\n# /mnt old\n",
    )
    .unwrap();
    for file in ["mounts", "calls"] {
        fs_err::write(root.path().join(file), "").unwrap();
    }
    let program = root.path().join(if helper {
        "bin/mount.efs"
    } else {
        "bin/mount.nfs4"
    });
    fs_err::write(&program, "#!/bin/sh\n").unwrap();
    set_mode(&program, 0o755);
    root
}

fn step(root: &Path, rest: &str) -> Script {
    let step = format!("  - mount: {{path: ROOT/mnt, type: {rest}}}\n")
        .replace("ROOT", root.to_str().unwrap());
    with_functions(&applied(root, &step), KERNEL)
}

/// What fstab says behind the path.
fn line(root: &Path) -> String {
    let text = fs_err::read_to_string(root.join("etc/fstab")).unwrap();
    let (kept, line) = text.split_at(text.find("# /mnt old\n").unwrap() + "# /mnt old\n".len());
    assert!(kept.starts_with("UUID=1 / ext4 "), "{text}");
    assert_eq!(line.lines().count(), 1, "{text}");
    line.trim_end().replace(&root.display().to_string(), "ROOT")
}

#[test]
fn what_stands_in_fstab() {
    // What makes a boot not hang where the network or the server is away, and Amazon's advice for NFS, which holds
    // unless it is said otherwise.
    const NET: &str = "_netdev,nofail,x-systemd.mount-timeout=30s";
    const NFS: &str = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport";
    const SIZES: &str = "rsize=1048576,wsize=1048576";
    const HELPER: bool = true;
    let rows = [
        (
            !HELPER,
            "nfs4, source: 'nfs.example:/a'",
            "nfs.example:/a ROOT/mnt nfs4 NET,NFS",
        ),
        (
            !HELPER,
            "nfs4, source: 'nfs.example:/a', options: [ro, noatime]",
            "nfs.example:/a ROOT/mnt nfs4 NET,NFS,ro,noatime",
        ),
        (
            !HELPER,
            "nfs4, source: 'nfs.example:/a', options: [soft, timeo=50, vers=4.2, resvport]",
            "nfs.example:/a ROOT/mnt nfs4 NET,SIZES,retrans=2,soft,timeo=50,vers=4.2,resvport",
        ),
        (
            HELPER,
            "efs, source: 'fs-0123456789abcdef0:/', options: [tls, iam, accesspoint=fsap-0abc]",
            "fs-0123456789abcdef0:/ ROOT/mnt efs NET,tls,iam,accesspoint=fsap-0abc",
        ),
        (
            HELPER,
            "efs, source: 'fs-0123456789abcdef0:/a'",
            "fs-0123456789abcdef0:/a ROOT/mnt efs NET",
        ),
        (
            !HELPER,
            "efs, source: 'fs-0123456789abcdef0:/a', options: []",
            "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/a ROOT/mnt nfs4 NET,NFS",
        ),
        (
            !HELPER,
            "efs, source: 'fs-0123456789abcdef0:/', options: [hard, timeo=100]",
            "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/ ROOT/mnt nfs4 \
             NET,nfsvers=4.1,SIZES,retrans=2,noresvport,hard,timeo=100",
        ),
        (
            !HELPER,
            "bind, source: ROOT/a",
            "ROOT/a ROOT/mnt none bind,nofail",
        ),
        (
            !HELPER,
            "bind, source: ROOT/a, options: [ro]",
            "ROOT/a ROOT/mnt none bind,nofail,ro",
        ),
    ];
    let rows = rows.map(|(helper, step, line)| {
        let words = [("NET", NET), ("NFS", NFS), ("SIZES", SIZES)];
        let line = words.iter().fold(line.to_owned(), |line, (word, options)| {
            line.replace(word, options)
        });
        (helper, step, line + " 0 0")
    });
    for shell in shells() {
        for (helper, rest, expected) in &rows {
            let root = ground(*helper);
            let script = step(root.path(), rest);
            assert_eq!(first_result(&script, &shell, root.path()).0, Changed);
            assert_eq!(line(root.path()), *expected, "{rest}");
            assert_eq!(first_result(&script, &shell, root.path()).0, Unchanged);
            assert_eq!(line(root.path()), *expected, "{rest}");
        }
    }
}

#[test]
fn the_mount_point_is_made_immutable_and_what_is_mounted_otherwise_is_mounted_anew() {
    for shell in shells() {
        let root = ground(false);
        let calls = || {
            let calls = fs_err::read_to_string(root.path().join("calls")).unwrap();
            fs_err::write(root.path().join("calls"), "").unwrap();
            calls.replace(&root.path().display().to_string(), "ROOT")
        };
        let first = step(root.path(), "bind, source: ROOT/a");
        first_result(&first, &shell, root.path());
        assert_eq!(calls(), "chattr +i ROOT/mnt\nmount ROOT/mnt\n");
        first_result(&first, &shell, root.path());
        assert_eq!(calls(), "");
        let other = step(root.path(), "bind, source: ROOT/b");
        assert_eq!(first_result(&other, &shell, root.path()).0, Changed);
        assert_eq!(
            calls(),
            "umount ROOT/mnt\nchattr +i ROOT/mnt\nmount ROOT/mnt\n"
        );
    }
}

#[test]
fn encryption_and_roles_need_amazons_helper_and_a_full_folder_is_no_mount_point() {
    for shell in shells() {
        for options in ["tls", "tls, iam"] {
            let root = ground(false);
            let rest =
                format!("efs, source: 'fs-0123456789abcdef0:/', options: [noatime, {options}]");
            let (code, _, log) = run(&step(root.path(), &rest), &shell, root.path(), &[]);
            assert_eq!(code, 1, "{log}");
            assert!(log.contains("amazon-efs-utils"), "{log}");
        }
        let root = ground(false);
        fs_err::create_dir(root.path().join("mnt")).unwrap();
        fs_err::write(root.path().join("mnt/precious"), "x").unwrap();
        let before = fs_err::read_to_string(root.path().join("etc/fstab")).unwrap();
        let script = step(root.path(), "bind, source: ROOT/a");
        let (code, _, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{log}");
        assert!(log.contains("is not empty"), "{log}");
        assert_eq!(
            fs_err::read_to_string(root.path().join("etc/fstab")).unwrap(),
            before
        );
        assert_eq!(
            fs_err::read_to_string(root.path().join("calls")).unwrap(),
            ""
        );
    }
}

#[test]
fn what_is_to_be_bound_must_be_there() {
    for shell in shells() {
        let root = ground(false);
        let log = failure(
            &step(root.path(), "bind, source: ROOT/mistyped"),
            &shell,
            root.path(),
        );
        let wanted = "the folder ROOT/mistyped does not exist: add a step `directory: {path: ROOT/mistyped}`";
        let wanted = wanted.replace("ROOT", root.path().to_str().unwrap());
        assert!(log.contains(&wanted), "{shell:?}: {log}");
        let kept = fs_err::read_to_string(root.path().join("etc/fstab")).unwrap();
        assert!(!kept.contains("mistyped"), "{kept}");
        // A single file can be bound too.
        fs_err::write(root.path().join("file"), "x").unwrap();
        let file = step(root.path(), "bind, source: ROOT/file");
        assert_eq!(first_result(&file, &shell, root.path()).0, Changed);
    }
}

#[test]
fn a_folder_is_bound_elsewhere_now_and_at_every_boot() {
    let machine = Machine::start("goldseed/machine-base", "none", &[]);
    machine
        .sh("mkdir -p /srv/data /srv/full; echo here >/srv/data/file; echo x >/srv/full/precious");
    let folder = tempfile::tempdir().unwrap();
    let mount = |path: &str| {
        let step =
            format!("  - mount: {{path: {path}, source: /srv/data, type: bind, options: [ro]}}\n");
        applied(folder.path(), &step)
    };
    let script = mount("/srv/bound");
    let first = machine.run(&script);
    assert_eq!(
        (first.code, first.results["written/1"]),
        (0, Changed),
        "{}",
        first.log
    );
    assert_eq!(
        machine.sh("cat /srv/bound/file; cat /etc/fstab | grep /srv/bound"),
        "here\n/srv/data /srv/bound none bind,nofail,ro 0 0\n"
    );
    machine.changes_nothing(&script);
    // As a boot does it: by the unit that systemd makes of the line.
    machine.sh("umount /srv/bound; systemctl daemon-reload; systemctl start srv-bound.mount; cmp /srv/bound/file /srv/data/file");
    machine.changes_nothing(&script);
    // Nothing can be written to the mount point while nothing is mounted, where its file system knows that attribute.
    machine.sh("umount /srv/bound; if lsattr -d /srv/bound 2>/dev/null | grep -q '^[^ ]*i'; then ! touch /srv/bound/lost; fi; ls -A /srv/bound | (! grep .)");
    let again = machine.run(&script);
    assert_eq!(
        (again.code, again.results["written/1"]),
        (0, Changed),
        "{}",
        again.log
    );

    let refused = machine.run(&mount("/srv/full"));
    assert_eq!(refused.code, 1, "{}", refused.log);
    assert!(
        refused.log.contains("/srv/full is not empty"),
        "{}",
        refused.log
    );
    machine.sh("cat /srv/full/precious; ! grep /srv/full /etc/fstab; chattr -i /srv/bound 2>/dev/null || :");
}

/// Without amazon-efs-utils the address of a file system is put together on the machine.
#[test]
fn each_partition_has_its_domain() {
    let prelude = fs_err::read_to_string("src/recipe/prelude.sh").unwrap();
    let begin = prelude.find("gs_find_domain() {").unwrap();
    let length = prelude[begin..].find("\n}\n").unwrap();
    let function = &prelude[begin..begin + length + 3];
    for (region, domain) in [
        ("eu-central-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
    ] {
        let script = format!("{function}gs_find_domain {region}; printf %s \"$gs_domain\"");
        let output = std::process::Command::new("/bin/sh")
            .args(["-euc", &script])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            domain,
            "{region}"
        );
    }
}
