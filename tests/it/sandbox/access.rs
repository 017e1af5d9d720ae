//! Who gets into `goldseed sandbox serve`, and whose folder it takes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A served sandbox with simulated machines.
struct Served {
    process: Child,
    address: String,
    key_id: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn command(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goldseed"));
    command
        .args(["sandbox", "serve", "--machines", "simulated"])
        .args(["--listen", listen, "--state", "state"])
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn serve(folder: &Path) -> Served {
    let mut process = command(folder, "127.0.0.1:0").spawn().unwrap();
    let mut exports = String::new();
    let out = process.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut exports).unwrap();
    let value = |name: &str| {
        let start = exports.find(name).unwrap() + name.len() + 1;
        exports[start..]
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    Served {
        process,
        address: value("AWS_ENDPOINT_URL").replace("http://", ""),
        key_id: value("AWS_ACCESS_KEY_ID"),
    }
}

/// What a second sandbox says that cannot be served.
fn refused(folder: &Path, listen: &str) -> String {
    let output = command(folder, listen).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

impl Served {
    /// Sends the form that launches an instance with user data, and returns status and body.
    fn launch(&self, host: &str, headers: &str) -> (u16, String) {
        let image = "ami-0b8a5e1d3c7f20431";
        let body = format!(
            "Action=RunInstances&Version=2016-11-15&ImageId={image}&MinCount=1&MaxCount=1&UserData=IyEvYmluL3No"
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    fn authorization(key_id: &str) -> String {
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={key_id}/20260101/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0\r\n"
        )
    }
}

#[test]
fn a_page_a_rebound_name_and_another_user_launch_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve(folder.path());
    let ours = Served::authorization(&served.key_id);
    let here = &served.address;
    for (host, headers, wanted) in [
        // A plain form of any page, and one that knows the key.
        (
            here.as_str(),
            "Origin: https://evil.example\r\n".to_owned(),
            403,
        ),
        (here, format!("Origin: null\r\n{ours}"), 403),
        ("evil.example", ours.clone(), 403),
        ("127.0.0.1.evil.example:80", ours.clone(), 403),
        // Another user of this computer.
        (here, String::new(), 403),
        (here, Served::authorization("sandbox"), 401),
        (here, Served::authorization("AKIAOTHER"), 401),
    ] {
        let (status, answer) = served.launch(host, &headers);
        assert_eq!(status, wanted, "{host} {headers}: {answer}");
        assert!(!answer.contains("<instanceId>"), "{answer}");
    }
    let (status, answer) = served.launch(here, &ours);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn every_sandbox_has_a_key_of_its_own() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, other] = folders.each_ref().map(|folder| serve(folder.path()));
    assert_ne!(one.key_id, other.key_id);
    let (status, _) = one.launch(&one.address, &Served::authorization(&other.key_id));
    assert_eq!(status, 401);
}

#[test]
fn a_second_sandbox_leaves_the_first_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve(folder.path());
    let nodes = folder.path().join("state/nodes");
    fs_err::create_dir_all(&nodes).unwrap();
    let said = refused(folder.path(), "127.0.0.1:0");
    assert!(said.contains("another sandbox uses state"), "{said}");
    assert!(
        said.contains(&format!("process {}", served.process.id())),
        "{said}"
    );
    let said = refused(folder.path(), &served.address);
    assert!(said.contains("cannot listen on"), "{said}");
    assert!(nodes.exists());
    let ours = Served::authorization(&served.key_id);
    assert_eq!(served.launch(&served.address, &ours).0, 200);
}

#[test]
fn a_folder_that_no_sandbox_made_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("state/nodes/mine");
    fs_err::create_dir_all(&kept).unwrap();
    let said = refused(folder.path(), "127.0.0.1:0");
    assert!(
        said.contains("state/nodes was not made by a sandbox"),
        "{said}"
    );
    assert!(kept.exists());
}

#[test]
fn other_computers_are_served_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4566"] {
        let said = refused(folder.path(), listen);
        assert!(said.contains("--exposed"), "{said}");
    }
    assert!(!folder.path().join("state").exists());
}
