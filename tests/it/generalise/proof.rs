//! What the machine that proves an image is asked beside its traces: the pipeline's own scripts, with a systemd that is
//! played by a function and folders of the test's own. The whole of it runs on real machines in `shop`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Plays systemd. Units whose stop ends badly are failed from then on; the boot is over when it was asked for three times.
const SYSTEMCTL: &str = r#"
sleep() { :; }
command() { return 1; }
systemctl() {
  case "$*" in
    is-system-running)
      echo >> ROOT/asked
      [ "$(wc -l < ROOT/asked)" -ge 3 ] && echo degraded || echo starting ;;
    --failed*)
      [ -e ROOT/failed ] || return 0
      [ "$(wc -l < ROOT/asked)" -ge 3 ] && sed 's/$/ loaded failed failed A unit/' ROOT/failed ;;
    stop*) [ "$2" != rude.service ] || echo "$2" >> ROOT/failed ;;
    reset-failed*) [ ! -e ROOT/failed ] || sed -i "/^$2\$/d" ROOT/failed ;;
    'show --property Result'*) echo exit-code ;;
    *show*FragmentPath*) echo ;;
    *goldseed-expiry.timer) return 0 ;;
    is-active*|is-enabled*) return 3 ;;
    daemon-reload) ;;
    *) echo "not foreseen: systemctl $*"; return 1 ;;
  esac
}
"#;

struct Proof {
    folder: tempfile::TempDir,
}

impl Proof {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proof = Self { folder };
        proof.write("run/goldseed/leftovers/assert.sh", "echo pass units\n");
        proof.write("var/lib/cloud/data/instance-id", "i-0123\n");
        proof.write("run/goldseed/held/rude.service", "");
        proof
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// Runs a script of the pipeline; gives whether it ended well and what it said.
    fn run(&self, script: &str) -> (bool, String) {
        let root = self.folder.path().to_str().unwrap();
        let script = fs_err::read_to_string(Path::new("src/pipeline").join(script)).unwrap();
        let mut script = format!("{SYSTEMCTL}{script}").replace("ROOT", root);
        for folder in [
            "/run/goldseed",
            "/run/systemd",
            "/var/lib/",
            "/opt/goldseed",
            "/proc/",
        ] {
            script = script.replace(folder, &format!("{root}{folder}"));
        }
        let output = Command::new("dash").args(["-c", &script]).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

#[test]
fn a_unit_that_fails_on_the_proof_is_named_when_the_boot_is_over() {
    let proof = Proof::new();
    assert_eq!(proof.run("leftovers.sh"), (true, String::new()));

    fs_err::remove_file(proof.path("asked")).unwrap();
    let own = "goldseed-20261123-034512-7f3a-proof-quiet-a1.service";
    proof.write("failed", &format!("app.service\n{own}\nold.mount\n"));
    proof.write("opt/goldseed/generalise.d/shop", "allow old.mount\n");
    let (well, said) = proof.run("leftovers.sh");
    assert!(!well, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("app.service has failed on this machine (exit-code): see journalctl"));
    assert!(said.contains("`allow app.service`"), "{said}");
}

#[test]
fn what_a_machine_of_ours_stops_is_no_failed_unit_of_the_image() {
    let proof = Proof::new();
    assert_eq!(proof.run("quiet.sh"), (true, String::new()));
    assert_eq!(proof.run("leftovers.sh"), (true, String::new()));
}
