//! What waits for the boot steps of a machine of the image: deployments, and the machine that migrates. Systemd is played
//! by a function; the real one is asked in the test beside the recipe `bridge`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

/// The unit waits for something else, then works longer than anybody used to wait, and ends with the state END.
const SYSTEMD: &str = r#"
sleep() { :; }
journalctl() { echo 'the share is away'; }
systemctl() {
  asked=$(wc -l < ROOT/asked)
  case "$*" in
    'show --property ActiveState --value goldseed-boot.service')
      echo >> ROOT/asked
      if [ "$asked" -lt 3 ]; then echo inactive
      elif [ "$asked" -lt 400 ]; then echo activating
      else
        [ END = failed ] || : > ROOT/run/goldseed/boot.ok
        echo END
      fi ;;
    'show --property Job --value goldseed-boot.service') [ "$asked" -gt 3 ] || echo 1017 ;;
    'is-failed -q goldseed-boot.service' | '-q is-failed goldseed-boot.service') [ "$asked" -ge 400 ] && [ END = failed ] ;;
    *) return 3 ;;
  esac
}
"#;

/// A machine of the image whose boot steps end in this state; gives whether the script ended well, and what it said.
fn told(script: &str, end: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |path: &str, content: &str| {
        let path: PathBuf = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    };
    write("opt/goldseed/boot/boot.sh", "");
    write("opt/goldseed/app/index.php", "<?php\n");
    write("opt/goldseed/bridge/mounts.d/.kept", "");
    let root = root.to_str().unwrap();
    let apps = format!("copy . {root}/opt/goldseed/app\n");
    write("opt/goldseed/bridge/apps.d/shop", &apps);
    write("run/goldseed/.kept", "");
    write("staging/.kept", "");
    write("opt/goldseed/bridge/guard-php", "#!/bin/sh\n");
    let guard = folder.path().join("opt/goldseed/bridge/guard-php");
    fs_err::set_permissions(guard, Permissions::from_mode(0o755)).unwrap();
    write("asked", "");
    let script = fs_err::read_to_string(script).unwrap();
    let mut script = format!("{SYSTEMD}{script}")
        .replace("ROOT", root)
        .replace("END", end);
    for folder in [
        "/opt/goldseed",
        "/run/goldseed",
        "/opt/elasticbeanstalk",
        "/var/proxy",
    ] {
        // Those that the function names are there already.
        script = script.replace(&format!("{root}{folder}"), folder);
        script = script.replace(folder, &format!("{root}{folder}"));
    }
    let output = Command::new("dash")
        .args(["-c", &script, "deploy", &format!("{root}/staging")])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn boot_steps_have_the_time_that_their_unit_has() {
    let (well, said) = told("recipes/bridge/files/deploy", "active");
    assert!(well && said.contains("brought 1 application(s)"), "{said}");
    assert_eq!(
        told("src/pipeline/booted.sh", "active"),
        (true, String::new())
    );
}

#[test]
fn what_came_of_them_is_told_where_they_failed() {
    let (well, said) = told("recipes/bridge/files/deploy", "failed");
    assert!(!well, "{said}");
    assert!(said.contains("the share is away"), "{said}");
    assert!(
        said.contains("the boot steps of this machine are not done"),
        "{said}"
    );
    let (well, said) = told("src/pipeline/booted.sh", "failed");
    assert_eq!((well, said.as_str()), (false, "the share is away\n"));
}
