//! Secrets: fetched, written, masked, gone.

use std::process::Command;

use goldseed::recipe::{Purpose, Script, StepResult, compile};

use super::{results, run, shells, written};

/// What is in the store, as JSON writes it; with what shells, awks and templates stumble over.
const SECRET_JSON: &str = r#"p\"a\\s's \u00fc\ud83d\ude00 $HOME `id`\nsecond line & more"#;
const SECRET: &str = "p\"a\\s's ü😀 $HOME `id`\nsecond line & more";

/// Answers as the metadata service and Parameter Store do; gives its address and the requests it has seen.
fn stores() -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let requests = std::sync::Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                let length = text
                    .to_lowercase()
                    .split("content-length: ")
                    .nth(1)
                    .map_or(0, |rest| {
                        rest.split("\r\n").next().unwrap().parse::<usize>().unwrap()
                    });
                if text
                    .split_once("\r\n\r\n")
                    .is_some_and(|(_, body)| body.len() >= length)
                {
                    break;
                }
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap();
            let body = match path {
                "/latest/api/token" => "the-token".to_owned(),
                "/latest/meta-data/placement/region" => "eu-central-1".to_owned(),
                "/latest/meta-data/iam/security-credentials/" => "seed-role".to_owned(),
                "/latest/meta-data/iam/security-credentials/seed-role" => {
                    r#"{"Code":"Success","AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"top/secret+key","Token":"session=="}"#.to_owned()
                }
                "/" => format!(r#"{{"Parameter":{{"Name":"\"Value\":\"wrong\"","Type":"SecureString","Value":"{SECRET_JSON}"}}}}"#),
                _ => String::new(),
            };
            requests.lock().unwrap().push(request);
            let status = if body.is_empty() {
                "404 Not Found"
            } else {
                "200 OK"
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    (address, seen)
}

/// A root folder with an instance id, and a script in it that writes and uses a secret.
fn prepared(awk: &str) -> (tempfile::TempDir, Script) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    fs_err::create_dir_all(place.join("var/lib/cloud/data")).unwrap();
    fs_err::write(
        place.join("var/lib/cloud/data/instance-id"),
        "i-0123456789abcdef0\n",
    )
    .unwrap();
    fs_err::create_dir_all(place.join("files")).unwrap();
    let template = "<?php\n$p = {{ secret | php }};\n$s = {{ secret | sh }}; # {{ secret }}\n";
    fs_err::write(place.join("files/db.php"), template).unwrap();
    let steps = format!(
        "steps:\n  - secret-file: {{path: /run/goldseed-test/db.php, template: files/db.php, secrets: [secret]}}\n    on: boot\n  \
         - run: {{command: 'printf \"%s\\n\" \"says $P here\"; printf %s \"$P\" > {0}/given', always: true, \
         secrets: {{P: secret}}}}\n    on: seed\n",
        place.display()
    );
    let script = compile(&[written(place, &steps)], Purpose::Apply).unwrap();
    // A secret-file stands below /run, where tests write nothing.
    let text = script
        .text
        .replace("/run/goldseed-test", &place.display().to_string())
        .replace("LC_ALL=C awk ", &format!("LC_ALL=C {awk} "));
    let text = text.replace("case $(awk ", &format!("case $({awk} "));
    (root, Script { text, ..script })
}

#[test]
fn secrets_are_fetched_on_the_node_written_and_masked() {
    let awks = ["awk", "mawk", "gawk", "busybox awk"];
    let there = |awk: &&str| {
        let trial = format!("{awk} 'BEGIN {{ exit 0 }}'");
        Command::new("sh")
            .args(["-c", &trial])
            .output()
            .unwrap()
            .status
            .success()
    };
    for shell in shells() {
        for awk in awks.into_iter().filter(there) {
            one_machine(&shell, awk);
        }
    }
}

fn one_machine(shell: &[&str], awk: &str) {
    let (root, script) = prepared(awk);
    let (address, seen) = stores();
    let environment = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", address.as_str()),
        ("AWS_ENDPOINT_URL", address.as_str()),
    ];
    let (code, lines, log) = run(&script, shell, root.path(), &environment);
    assert_eq!(code, 0, "{shell:?} {awk}: {log}");
    assert_eq!(results(&lines)["written/1"], StepResult::Changed, "{log}");
    assert_eq!(
        fs_err::read_to_string(root.path().join("given")).unwrap(),
        SECRET,
        "{shell:?} {awk}"
    );
    let php = SECRET.replace('\\', r"\\").replace('\'', r"\'");
    let shell_literal = SECRET.replace('\'', r"'\''");
    assert_eq!(
        fs_err::read_to_string(root.path().join("db.php")).unwrap(),
        format!("<?php\n$p = '{php}';\n$s = '{shell_literal}'; # {SECRET}\n"),
        "{shell:?} {awk}"
    );
    for line in SECRET.lines() {
        assert!(
            !log.contains(line) && !script.text.contains(line),
            "{shell:?} {awk}: {log}"
        );
    }
    assert!(
        log.contains("says ***") && log.contains("*** here"),
        "{shell:?} {awk}: {log}"
    );
    assert!(!log.contains(" mask"), "control lines stay inside: {log}");
    let left = fs_err::read_dir(root.path().join("run/goldseed")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["boot.ok", "scan"],
        "no other secret is left in memory-backed files"
    );
    // What generalise looks for on the disk, for nobody but root.
    let scan = root.path().join("run/goldseed/scan");
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::metadata(path).unwrap().permissions().mode() & 0o777
    };
    let kept = scan.join("ssm__shop_secret");
    assert_eq!((mode(&scan), mode(&kept)), (0o700, 0o600));
    assert_eq!(
        fs_err::read_to_string(&kept).unwrap(),
        format!("{SECRET}\n")
    );
    let requests = seen.lock().unwrap().clone();
    let asked: Vec<_> = requests
        .iter()
        .filter(|request| request.contains("AmazonSSM.GetParameter"))
        .collect();
    let [asked] = asked.as_slice() else {
        panic!("fetched {} times", asked.len())
    };
    assert!(
        asked.contains("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{asked}"
    );
    assert!(asked.contains("/eu-central-1/ssm/"), "{asked}");
    assert!(
        asked
            .to_lowercase()
            .contains("x-amz-security-token: session=="),
        "{asked}"
    );

    let (code, lines, log) = run(&script, shell, root.path(), &environment);
    assert_eq!(
        (code, results(&lines)["written/1"]),
        (0, StepResult::Ok),
        "{shell:?} {awk}: {log}"
    );
}

#[test]
fn a_secret_that_cannot_be_had_fails_the_step_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let steps = "migrations: compatible\nsteps:\n  - run: {command: 'echo $P', always: true, secrets: {P: secret}}\n    on: migrate\n";
    let script = compile(&[written(root.path(), steps)], Purpose::Migrate).unwrap();
    let (address, _) = stores();
    let wrong = format!("{address}/nothing-here");
    let environment = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", address.as_str()),
        ("AWS_ENDPOINT_URL", wrong.as_str()),
    ];
    let (code, lines, log) = run(&script, &["dash"], root.path(), &environment);
    assert_eq!(
        (code, results(&lines)["written/1"]),
        (1, StepResult::Failed { code: 1 }),
        "{log}"
    );
    assert!(
        log.contains("AmazonSSM.GetParameter of /shop/secret: HTTP 404"),
        "{log}"
    );
}
