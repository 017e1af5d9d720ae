//! The search for the secrets that were fetched: every spelling, every disk, every size.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::tree::{Tree, shells};
use super::with_mounts;

/// A tree with what was fetched beside it: the two folders that `scan.sh` gets.
fn with_fetched(shell: &'static [&'static str], secret: &str) -> (Tree, [String; 2]) {
    let tree = Tree::bare(shell);
    let beside = tree.root.parent().unwrap();
    let [files, values] = ["files", "values"].map(|name| beside.join(name));
    fs_err::create_dir(&values).unwrap();
    fs_err::write(values.join("ssm__shop_key"), format!("{secret}\n")).unwrap();
    let folders = [files, values].map(|path| path.to_str().unwrap().to_owned());
    (tree, folders)
}

/// The files of a tree in which the secret is found.
fn found(tree: &Tree, folders: &[String; 2]) -> Vec<String> {
    let failures = tree.failures("scan.sh", &[&folders[0], &folders[1]]);
    let files = failures.iter().map(|line| {
        let named = line.strip_prefix("FAIL secrets: ").unwrap();
        let file = named.strip_suffix(": holds the secret that was fetched as ssm__shop_key");
        file.unwrap_or_else(|| panic!("{line}")).to_owned()
    });
    files.collect()
}

/// It has everything that any language escapes.
const SECRET: &str = r#"p"a\s's <b>&ü😀 $x/%`^~"#;

/// What languages make of it.
const SPELLINGS: &[(&str, &str)] = &[
    ("raw", r#"p"a\s's <b>&ü😀 $x/%`^~"#),
    ("PHP, single quotes", r#"'p"a\\s\'s <b>&ü😀 $x/%`^~'"#),
    ("PHP, double quotes", r#""p\"a\\s's <b>&ü😀 \$x/%`^~""#),
    (
        "PHP, code points",
        r#""p\"a\\s's <b>&\u{fc}\u{1F600} \$x/%`^~""#,
    ),
    (
        "PHP, bytes",
        r#""p\x22a\x5cs\x27s <b>&\xc3\xbc\xf0\x9f\x98\x80 \x24x/%`^~""#,
    ),
    ("addslashes", r#"p\"a\\s\'s <b>&ü😀 $x/%`^~"#),
    ("sh, single quotes", r#"'p"a\s'\''s <b>&ü😀 $x/%`^~'"#),
    ("sh, shlex.quote", r#"'p"a\s'"'"'s <b>&ü😀 $x/%`^~'"#),
    ("sh, double quotes", r#""p\"a\\s's <b>&ü😀 \$x/%\`^~""#),
    ("sh, printf %q", r#"p\"a\\s\'s\ \<b\>\&ü😀\ \$x/%\`\^\~"#),
    ("YAML, SQL", r#"'p"a\s''s <b>&ü😀 $x/%`^~'"#),
    ("a unit of systemd", r#""p\"a\\s's <b>&ü😀 $$x/%%`^~""#),
    ("JSON", r#""p\"a\\s's <b>&ü😀 $x/%`^~""#),
    (
        "JSON of PHP",
        r#""p\"a\\s's <b>&\u00fc\ud83d\ude00 $x\/%`^~""#,
    ),
    (
        "JSON of Go",
        r#""p\"a\\s's \u003cb\u003e\u0026ü😀 $x/%`^~""#,
    ),
    (
        "JSON, hexadecimal",
        r#""p\u0022a\\s\u0027s \u003Cb\u003E\u0026\u00FC\uD83D\uDE00 $x\/%`^~""#,
    ),
    ("JSON inside of sh", r#"'"p\"a\\s'\''s <b>&ü😀 $x/%`^~"'"#),
    (
        "JSON inside of JSON",
        r#""\"p\\\"a\\\\s's <b>&ü😀 $x/%`^~\"""#,
    ),
    ("XML", r"p&quot;a\s&apos;s &lt;b&gt;&amp;ü😀 $x/%`^~"),
    (
        "HTML of PHP",
        r"p&quot;a\s&#039;s &lt;b&gt;&amp;&uuml;😀 $x/%`^~",
    ),
    (
        "HTML of Jinja",
        r"p&#34;a\s&#39;s &lt;b&gt;&amp;ü😀 $x/%`^~",
    ),
    (
        "HTML of minijinja",
        r"p&quot;a\s&#x27;s &lt;b&gt;&amp;ü😀 $x&#x2f;%`^~",
    ),
    (
        "XML, numbers",
        r"p&#x22;a\s&#x27;s &#60;b&#62;&#38;&#xFC;&#128512; $x/%`^~",
    ),
    (
        "URL",
        "p%22a%5Cs%27s%20%3Cb%3E%26%C3%BC%F0%9F%98%80%20%24x%2F%25%60%5E%7E",
    ),
    (
        "a form",
        "p%22a%5cs%27s+%3cb%3e%26%c3%bc%f0%9f%98%80+%24x%2f%25%60%5e~",
    ),
    (
        "encodeURIComponent",
        "p%22a%5Cs's%20%3Cb%3E%26%C3%BC%F0%9F%98%80%20%24x%2F%25%60%5E~",
    ),
    (
        "a URL inside of a URL",
        "p%2522a%255Cs%2527s%2520%253Cb%253E%2526%25C3%25BC%25F0%259F%2598%2580%2520%2524x%252F%2525%2560%255E~",
    ),
];

#[test]
fn a_fetched_secret_is_found_in_every_spelling() {
    for shell in shells() {
        let (tree, folders) = with_fetched(shell, SECRET);
        for (index, (_, text)) in SPELLINGS.iter().enumerate() {
            tree.write(&format!("data/{index}"), &format!("before{text}after\n"));
        }
        // Nothing is said of what is like it, or of a piece.
        let others =
            "p\"a\\s's <b>&ü😁 $x/%`^~\np%22a%5Cs\np&quot;a\\s&gt;s &lt;b&gt;&amp;ü😀 $x/%`^~\n";
        tree.write("data/others", others);
        let found = found(&tree, &folders);
        for (index, (language, text)) in SPELLINGS.iter().enumerate() {
            let file = format!("/data/{index}");
            assert!(found.contains(&file), "{shell:?}: {language}: {text}");
        }
        assert_eq!(found.len(), SPELLINGS.len(), "{shell:?}: {found:?}");
    }
}

/// Each awk that machines have makes the same of a secret.
#[test]
fn every_awk_looks_for_the_same() {
    let secrets = format!("{SECRET}\nk3y!\nhunter2\n{}ü\r\n", "ä".repeat(120));
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("secrets");
    fs_err::write(&input, secrets).unwrap();
    let made = |awk: &[&str]| {
        let output = Command::new(awk[0])
            .args(&awk[1..])
            .args(["-f", "recipes/generalise/files/patterns.awk"])
            .arg(&input)
            .env("LC_ALL", "C")
            .output();
        output.ok().filter(|output| output.status.success())
    };
    let wanted = made(&["awk"]).unwrap().stdout;
    assert!(wanted.starts_with(b"p("));
    for awk in [&["mawk"][..], &["gawk", "--posix"], &["busybox", "awk"]] {
        if let Some(output) = made(awk) {
            assert!(output.stdout == wanted, "{awk:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(24) })]

    /// Wherever in a text a secret stands, it is found in what base64 makes of that text; so it is in lines of 64 digits
    /// or more, and in the alphabet of URLs.
    #[test]
    fn a_fetched_secret_is_found_in_base64(
        secret in "[!-,.-~][!-~ü]{6,90}",
        before in "[ -~]{0,80}",
        after in "[ -~]{0,9}",
        width in 64_usize..90,
        shell in prop::sample::select(shells()),
    ) {
        let (tree, folders) = with_fetched(shell, &secret);
        let text = format!("{before}{secret}{after}");
        let plain = STANDARD.encode(&text);
        tree.write("data/plain", &plain);
        tree.write("data/urls", &format!("auth={}", URL_SAFE.encode(&text)));
        // A short one may be torn into pieces that say nothing.
        if secret.len() >= 20 {
            let lines = plain.as_bytes().chunks(width).map(String::from_utf8_lossy);
            tree.write("data/lines", &lines.collect::<Vec<_>>().join("\n"));
        }
        let files = fs_err::read_dir(tree.root.join("data")).unwrap().count();
        prop_assert_eq!(found(&tree, &folders).len(), files, "{:?}", shell);
    }
}

#[test]
fn a_short_secret_is_found_in_base64_by_its_end() {
    for shell in shells() {
        let (tree, folders) = with_fetched(shell, "k3y!");
        tree.write("data/alone", &STANDARD.encode("k3y!"));
        tree.write("data/line", &STANDARD.encode("k3y!\n"));
        tree.write("data/other", "azN5IA==\n");
        assert_eq!(found(&tree, &folders), ["/data/alone", "/data/line"]);
    }
}

/// Of a secret that is a JSON object as a whole, an application takes the parts.
#[test]
fn the_texts_of_a_secret_in_json_are_looked_for() {
    for secret in [
        r#"{"username":"adminadmin","password":"hunt\"er2\\x\/y","host":"db.example.com","api_key":"k1k2k3k4"}"#,
        "{\n  \"username\": \"adminadmin\",\n  \"password\" : \"hunt\\\"er2\\\\x/y\",\n  \"host\": \"db.example.com\",\n  \"api_key\": \"k1k2k3k4\"\n}",
    ] {
        for shell in shells() {
            let (tree, folders) = with_fetched(shell, secret);
            tree.write("data/password", "<?php $p = 'hunt\"er2\\\\x/y';\n");
            tree.write("data/key", "key: k1k2k3k4\n");
            tree.write("data/others", "adminadmin@db.example.com\n");
            assert_eq!(
                found(&tree, &folders),
                ["/data/key", "/data/password"],
                "{shell:?}"
            );
        }
    }
}

#[test]
fn a_fetched_secret_is_found_on_the_whole_disk_in_files_of_any_size() {
    for shell in shells() {
        let (tree, folders) = with_fetched(shell, "hunter2-of-the-shop");
        let places = [
            "boot/x",
            "data/a file.sql",
            "mnt/data/x",
            "srv/x",
            "usr/bin/x",
            "usr/share/app/x",
            "var/lib/mysql/ib",
            "x",
        ];
        for place in places {
            tree.write(place, "…\0hunter2-of-the-shop\0…");
        }
        // In one line of 24 MB, and behind a hole of 3 GB.
        let line = "abcdefgh".repeat(3 << 20);
        tree.write("large/line", &format!("{line}hunter2-of-the-shop"));
        let hole = fs_err::File::create(tree.root.join("large/hole")).unwrap();
        hole.file()
            .write_all_at(b"hunter2-of-the-shop", 3 << 30)
            .unwrap();
        // What is no disk's is in no image.
        for place in ["run/x", "proc/x", "sys/x", "dev/x"] {
            tree.write(place, "hunter2-of-the-shop");
        }
        let mut wanted: Vec<_> = places.iter().map(|place| format!("/{place}")).collect();
        wanted.extend(["/large/hole".to_owned(), "/large/line".to_owned()]);
        let mut found = found(&tree, &folders);
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{shell:?}");
        tree.write("opt/goldseed/generalise.d/own", "allow /data/a file.sql\n");
        let fewer = self::found(&tree, &folders).len();
        assert_eq!(fewer, wanted.len() - 1, "{shell:?}");
    }
}

#[test]
fn a_secret_of_a_few_characters_is_no_secret_of_a_program() {
    for shell in shells() {
        let (tree, folders) = with_fetched(shell, "k3y!");
        tree.write("usr/bin/program", "\u{7f}ELF\0\0k3y!\0");
        tree.write("data/settings", "key=k3y!\n");
        tree.write("var/lib/app/cache", "\0k3y!\0");
        let wanted = ["/data/settings", "/var/lib/app/cache"];
        assert_eq!(found(&tree, &folders), wanted, "{shell:?}");
    }
}

#[test]
fn the_disks_of_a_machine_are_told_from_memory_and_network() {
    let mounts = r"/dev/nvme0n1p1 / xfs rw 0 0
/dev/nvme1n1 ROOT/data ext4 rw 0 0
overlay ROOT/var/lib/x overlay rw 0 0
/dev/md0 ROOT/mnt/my\040disk btrfs rw 0 0
tmpfs ROOT/tmp tmpfs rw 0 0
proc ROOT/proc proc rw 0 0
host:/ ROOT/mnt/efs nfs4 rw 0 0
s3fs ROOT/mnt/s3 fuse.s3fs rw 0 0
/dev/x ROOT/run/disk ext4 rw 0 0
";
    for shell in shells() {
        let tree = Tree::bare(shell);
        let ground =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/generalise/files/ground.sh");
        let script = tree.root.parent().unwrap().join("places.sh");
        fs_err::write(&script, format!(". {}\nlocal_places\n", ground.display())).unwrap();
        let output = with_mounts(&tree, script.to_str().unwrap(), mounts);
        let places = String::from_utf8(output.stdout).unwrap();
        let places: Vec<_> = places.lines().collect();
        let wanted = [".", "./data", "./var/lib/x", "./mnt/my disk"];
        assert_eq!(places, wanted, "{shell:?}");
    }
}
