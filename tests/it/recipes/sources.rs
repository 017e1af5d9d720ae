//! Where software comes from: repositories of packages, of git, objects of S3.

use std::path::Path;
use std::process::Command;

use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};

use super::{applied, failure, first_result, run, shells, with_functions};

/// Runs a command of the shell in a folder; gives what it prints.
fn sh(folder: &Path, command: &str) -> String {
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.trim().to_owned()
}

const COMMIT: &str = "git -c user.name=a -c user.email=a@example.com -c commit.gpgsign=false";

#[test]
fn a_checkout_is_that_commit_and_what_drifted_is_brought_back() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let origin = root.path().join("origin");
        fs_err::create_dir(&origin).unwrap();
        let make = |text: &str, tag: &str| {
            sh(
                &origin,
                &format!(
                    "[ -d .git ] || git init -q; echo {text} > file; git add file; {COMMIT} commit -qm {text}; git tag {tag}; git rev-parse HEAD"
                ),
            )
        };
        let (one, two) = (make("one", "v1"), make("two", "v2"));
        let path = root.path().join("out/app");
        let git = |reference: &str| {
            applied(
                root.path(),
                &format!(
                    "  - git: {{repo: {}, {reference}, path: {}}}\n",
                    origin.display(),
                    path.display()
                ),
            )
        };
        let text = || fs_err::read_to_string(path.join("file")).unwrap();
        let first = git(&format!("ref: {one}"));
        assert_eq!(first_result(&first, &shell, root.path()).0, Changed);
        assert_eq!(
            (
                text().as_str(),
                sh(&path, "git rev-parse --abbrev-ref HEAD").as_str()
            ),
            ("one\n", "HEAD")
        );
        fs_err::write(path.join("uploaded"), "kept").unwrap();

        let listing = || sh(root.path(), "find out -printf '%p %T@ %C@ %s\\n' | sort");
        let before = listing();
        assert_eq!(first_result(&first, &shell, root.path()).0, Unchanged);
        assert_eq!(listing(), before, "nothing is written when all is equal");

        fs_err::write(path.join("file"), "drift").unwrap();
        assert_eq!(first_result(&first, &shell, root.path()).0, Changed);
        assert_eq!(text(), "one\n");

        assert_eq!(
            first_result(
                &git(&format!("ref: v2, commit: {two}")),
                &shell,
                root.path()
            )
            .0,
            Changed
        );
        assert_eq!(
            (text().as_str(), path.join("uploaded").exists()),
            ("two\n", true)
        );
    }
}

#[test]
fn a_tag_that_was_moved_and_a_folder_that_is_no_checkout_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let origin = root.path().join("origin");
    fs_err::create_dir(&origin).unwrap();
    let make = format!(
        "git init -q; echo a > file; git add file; {COMMIT} commit -qm a; git tag v1; git rev-parse HEAD"
    );
    let commit = sh(&origin, &make);
    let other = "0123456789abcdef0123456789abcdef01234567";
    let git = |reference: &str, path: &str| {
        applied(
            root.path(),
            &format!(
                "  - git: {{repo: {}, {reference}, path: {}/{path}}}\n",
                origin.display(),
                root.path().display()
            ),
        )
    };
    let log = failure(
        &git(&format!("ref: v1, commit: \"{other}\""), "a"),
        &["dash"],
        root.path(),
    );
    assert!(
        log.contains(&format!("is the commit {commit}, not {other}")),
        "{log}"
    );
    assert!(!root.path().join("a").exists());
    let log = failure(
        &git(&format!("ref: \"{other}\""), "a"),
        &["dash"],
        root.path(),
    );
    assert!(log.contains(&format!("has no commit {other}")), "{log}");
    fs_err::create_dir(root.path().join("full")).unwrap();
    fs_err::write(root.path().join("full/x"), "").unwrap();
    let log = failure(
        &git(&format!("ref: {commit}"), "full"),
        &["dash"],
        root.path(),
    );
    assert!(log.contains("is there and is no checkout"), "{log}");
}

const KEY: &str =
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n";

#[test]
fn a_repository_is_trusted_with_its_own_key_alone() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("files")).unwrap();
        fs_err::write(root.path().join("files/shop.asc"), KEY).unwrap();
        let digest = sh(root.path(), "sha256sum < files/shop.asc")[..64].to_owned();
        let repository = |digest: &str| {
            applied(
                root.path(),
                &format!(
                    "  - repository:\n      name: shop\n      \
                 apt: {{url: \"https://deb.example.com/\", suites: bookworm, components: [main, contrib], key: files/shop.asc}}\n      \
                 dnf: {{url: \"https://rpm.example.com/$basearch/\", key: \"https://rpm.example.com/KEY\", sha256: {digest}}}\n"
                ),
            )
        };
        let apt = repository(&digest);
        assert_eq!(first_result(&apt, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&apt, &shell, root.path()).0, Unchanged);
        let read = |path: &str| fs_err::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(
            read("etc/apt/sources.list.d/shop.sources"),
            "# Written by goldseed.\nTypes: deb\nURIs: https://deb.example.com/\nSuites: bookworm\n\
             Components: main contrib\nSigned-By: /etc/apt/keyrings/shop.asc\n"
        );
        assert_eq!(read("etc/apt/keyrings/shop.asc"), KEY);
        fs_err::write(root.path().join("etc/apt/keyrings/shop.asc"), "another key").unwrap();
        assert_eq!(first_result(&apt, &shell, root.path()).0, Changed);
        assert_eq!(read("etc/apt/keyrings/shop.asc"), KEY);

        let functions = "dnf() { :; }\ncurl() { for at in \"$@\"; do [ \"$at\" != -o ] || break; done; \
                         while [ \"$1\" != -o ]; do shift; done; cat \"$GOLDSEED_ROOT/files/shop.asc\" > \"$2\"; }";
        let wrong = with_functions(&repository(&"0".repeat(64)), functions);
        let log = failure(&wrong, &shell, root.path());
        assert!(
            log.contains("has the digest")
                && !root.path().join("etc/yum.repos.d/shop.repo").exists(),
            "{log}"
        );
        let dnf = with_functions(&repository(&digest), functions);
        assert_eq!(first_result(&dnf, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&dnf, &shell, root.path()).0, Unchanged);
        assert_eq!(
            read("etc/yum.repos.d/shop.repo"),
            "# Written by goldseed.\n[shop]\nname=shop\nbaseurl=https://rpm.example.com/$basearch/\nenabled=1\ngpgcheck=1\n\
             gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-goldseed-shop\n"
        );
        assert_eq!(read("etc/pki/rpm-gpg/RPM-GPG-KEY-goldseed-shop"), KEY);
    }
}

#[test]
fn an_archive_comes_from_s3_with_the_machines_own_role() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        sh(
            root.path(),
            "mkdir top; echo v1 > top/file; tar -czf a.tar.gz top",
        );
        let digest = sh(root.path(), "sha256sum < a.tar.gz")[..64].to_owned();
        let step = format!(
            "  - archive: {{source: \"s3://shop-artifacts/app/a.tar.gz\", sha256: {digest}, path: {}/out, strip: 1}}\n",
            root.path().display()
        );
        let script = applied(root.path(), &step);
        let log = failure(
            &with_functions(&script, "command() { false; }"),
            &shell,
            root.path(),
        );
        assert!(log.contains("is fetched by the AWS CLI"), "{log}");
        let aws = with_functions(
            &script,
            "aws() { echo \"$AWS_DEFAULT_REGION $*\" >> \"$GOLDSEED_ROOT/calls\"; cat \"$GOLDSEED_ROOT/a.tar.gz\" > \"$5\"; }",
        );
        for _ in 0..2 {
            let (code, _, log) = run(&aws, &shell, root.path(), &[("AWS_REGION", "eu-central-1")]);
            assert_eq!(code, 0, "{shell:?}: {log}");
        }
        assert_eq!(
            fs_err::read_to_string(root.path().join("out/file")).unwrap(),
            "v1\n"
        );
        let calls = fs_err::read_to_string(root.path().join("calls")).unwrap();
        let expected = format!(
            "eu-central-1 s3 cp --only-show-errors s3://shop-artifacts/app/a.tar.gz {}/var/lib/goldseed/download\n",
            root.path().display()
        );
        assert_eq!(calls, expected);
    }
}
