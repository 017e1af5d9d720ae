//! The check `http` on the machine, and redirects.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use goldseed::recipe::{Purpose, compile};

use goldseed::recipe::StepResult::Ok as Unchanged;

use super::{applied, failure, first_result, run, shells, written};

/// A web server that answers until the test ends: `/` is a page, and other paths redirect; the page says which host was
/// asked for. Gives its port.
fn site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut bytes = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut bytes).unwrap();
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&bytes[..read]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let host = request
                .lines()
                .find_map(|line| line.strip_prefix("Host: "))
                .unwrap_or_default();
            let to = match path {
                "/" => None,
                "/relative" => Some("/".to_owned()),
                "/absolute" => Some(format!("http://127.0.0.1:{port}/relative")),
                "/named" => Some("http://SHOP.example/absolute".to_owned()),
                "/bare" => Some("http://shop.example".to_owned()),
                "/secure" => Some("https://shop.example/".to_owned()),
                "/user" => Some(format!("http://me:secret@127.0.0.1:{port}/")),
                "/disguised" => Some(format!("http://127.0.0.1:80@localhost:{port}/")),
                "/elsewhere" => Some(format!("http://localhost:{port}/")),
                _ => Some("/loop".to_owned()),
            };
            let answer = match to {
                None => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nasked for {host}\n"),
                Some(to) => format!(
                    "HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                ),
            };
            // Whoever asked may be content already.
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    port
}

#[test]
fn a_check_follows_redirects_of_its_own_host_and_others_only_when_asked() {
    let port = site();
    let root = tempfile::tempdir().unwrap();
    let shop = ", host: shop.example";
    let own = format!("asked for 127.0.0.1:{port}");
    let other = format!("asked for localhost:{port}");
    let named = "asked for shop.example";
    let good = [
        ("relative", "", own.as_str()),
        ("absolute", "", &own),
        ("user", "", &own),
        ("relative", shop, named),
        ("named", shop, named),
        ("bare", shop, named),
        ("elsewhere", ", follow: anywhere", &other),
        (
            "elsewhere",
            ", host: shop.example, follow: anywhere",
            &other,
        ),
    ];
    let elsewhere = |path: &str, to: &str| {
        format!(
            "http://127.0.0.1:{port}/{path} answers 301 to {to}: that is another host, where only `follow: anywhere` goes"
        )
    };
    let bad = [
        (
            "elsewhere",
            "",
            elsewhere("elsewhere", &format!("http://localhost:{port}/")),
        ),
        (
            "named",
            "",
            elsewhere("named", "http://SHOP.example/absolute"),
        ),
        (
            "disguised",
            "",
            elsewhere(
                "disguised",
                &format!("http://127.0.0.1:80@localhost:{port}/"),
            ),
        ),
        (
            "secure",
            shop,
            "answers 301 to https://shop.example/: that is https of the same host".to_owned(),
        ),
        ("loop", "", "more than 5 redirects".to_owned()),
    ];
    let check = |path: &str, more: &str, contains: &str| {
        let steps = format!(
            "verify:\n  - http: {{url: \"http://127.0.0.1:{port}/{path}\"{more}, contains: \"{contains}\", within: 0s}}\n"
        );
        compile(&[written(root.path(), &steps)], Purpose::Verify).unwrap()
    };
    for shell in shells() {
        for (path, more, contains) in good {
            let (code, _, log) = run(&check(path, more, contains), &shell, root.path(), &[]);
            assert_eq!(code, 0, "{shell:?} {path}{more}: {log}");
        }
        for (path, more, reason) in &bad {
            let (code, _, log) = run(&check(path, more, "asked"), &shell, root.path(), &[]);
            assert_eq!(code, 1, "{shell:?} {path}{more}: {log}");
            assert!(log.contains(reason), "{shell:?} {path}{more}: {log}");
        }
        // A redirect that is wanted is the answer.
        let steps = format!(
            "verify:\n  - http: {{url: \"http://127.0.0.1:{port}/elsewhere\", status: 301, within: 0s}}\n"
        );
        let wanted = compile(&[written(root.path(), &steps)], Purpose::Verify).unwrap();
        assert_eq!(run(&wanted, &shell, root.path(), &[]).0, 0);
    }
}

#[test]
fn what_waits_for_an_address_goes_on_when_that_answers_and_names_it_otherwise() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let step = |within: &str| {
            let step =
                format!("  - wait-for: {{url: \"http://127.0.0.1:{port}/\", within: {within}}}\n");
            applied(root.path(), &step)
        };
        // A site that is not ready the first time; then it goes.
        let site = std::thread::spawn(move || {
            for status in ["503 Not Yet", "200 OK"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 1024];
                assert_ne!(stream.read(&mut bytes).unwrap(), 0);
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let (result, log) = first_result(&step("30s"), &shell, root.path());
        assert_eq!(result, Unchanged, "{shell:?}: {log}");
        site.join().unwrap();
        let log = failure(&step("0s"), &shell, root.path());
        let wanted = format!("http://127.0.0.1:{port}/ does not answer");
        assert!(log.contains(&wanted), "{shell:?}: {log}");
    }
}
