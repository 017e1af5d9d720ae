//! The check `http`: one table of cases, asked by an instance's shell and by the client that asks the load balancer.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use goldseed::cloud::{Probe, ProbeFailure};
use goldseed::recipe::{Purpose, compile};

use super::{run, shells, written};

/// A web server that answers until the test ends; gives its port.
fn site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // Each by itself, for one of them is slow.
            std::thread::spawn(move || serve(stream, port));
        }
    });
    port
}

fn serve(mut stream: TcpStream, port: u16) {
    let mut request = Vec::new();
    let mut bytes = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => request.extend_from_slice(&bytes[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let header = |name: &str| {
        let mut lines = request.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    if path == "/slow" {
        // Ends when the client leaves.
        drop(stream.read(&mut bytes));
        return;
    }
    let (head, body) = answer(path, port, &header);
    let length = body.len() + usize::from(path == "/broken") * 9;
    let answer =
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // Whoever asked may be content already.
    drop(
        stream
            .write_all(answer.as_bytes())
            .and_then(|()| stream.write_all(&body)),
    );
}

/// Status and headers, and the page.
fn answer(path: &str, port: u16, header: &dyn Fn(&str) -> String) -> (String, Vec<u8>) {
    let to = |location: &str| (format!("302 Found\r\nLocation: {location}"), Vec::new());
    let page = |kind: &str, body: &[u8]| (format!("200 OK\r\nContent-Type: {kind}"), body.to_vec());
    let cookie = header("Cookie");
    match path {
        // Every form of a reference (RFC 3986), and what browsers make of it.
        "/a/file" => to("login/index.php"),
        "/a/dot" => to("./x"),
        "/a/up" => to("../x"),
        "/a/far-up" => to("../../../x"),
        "/a/query" => to("?lang=de"),
        "/a/path" | "/4/long" => to("/x"),
        "/a/root-query" => to("/?a=b&c=/../d"),
        "/a/network" => to(&format!("//{}/x", header("Host"))),
        "/a/capitals" => to(&format!("HTTP://{}/x", header("Host"))),
        "/a/fragment" => to("/x#part"),
        "/a/blank" => to("/a b"),
        "/a/umlaut" => to("/größe"),
        "/a/long" => to("/1/long"),
        "/1/long" => to("/2/long"),
        "/2/long" => to("/3/long"),
        "/3/long" => to("/4/long"),
        "/loop" => to("/loop"),
        "/elsewhere" => to(&format!("http://localhost:{port}/x")),
        "/disguised" => to(&format!("http://127.0.0.1:80@localhost:{port}/x")),
        "/named" => to("http://SHOP.example/x"),
        "/dialled" => to(&format!("http://127.0.0.1:{port}/x")),
        "/own-port" => to(&format!("http://shop.example:{port}/x")),
        "/secure" => to("https://shop.example/x"),
        "/mail" => to("mailto:a@shop.example"),
        "/nowhere" => to("http://127.0.0.1:1/x"),
        // Cookies.
        "/cookie" if cookie != "seen=1" => {
            let (head, body) = to("/cookie");
            (format!("{head}\r\nSet-Cookie: seen=1"), body)
        }
        "/deleted" if cookie.is_empty() => {
            let (head, body) = to("/deleted-2");
            (format!("{head}\r\nSet-Cookie: old=1; Path=/"), body)
        }
        "/deleted-2" if cookie == "old=1" => {
            let (head, body) = to("/show");
            let over = "Set-Cookie: old=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
            (format!("{head}\r\n{over}"), body)
        }
        "/deep/cookie" => {
            let (head, body) = to("/show");
            (format!("{head}\r\nSet-Cookie: deep=1"), body)
        }
        "/elsewhere-cookie" => {
            let (head, body) = to(&format!("http://localhost:{port}/show"));
            (format!("{head}\r\nSet-Cookie: mine=1; Path=/"), body)
        }
        "/show" => page("text/plain", format!("[{cookie}][{}]", header("X-Origin")).as_bytes()),
        // Charsets.
        "/latin-1" => page("text/html; charset=ISO-8859-1", b"Gr\xf6\xdfe \x80"),
        "/latin-9" => page("text/html;charset=\"iso-8859-15\"", b"\xa4 Gr\xf6\xdfe"),
        "/meta" => page("text/html", b"<html><META http-equiv=x charset='latin1'>Gr\xf6\xdfe"),
        "/meta-content" => page(
            "text/html",
            b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1252\">Gr\xf6\xdfe",
        ),
        "/header-wins" => page("text/html; charset=utf-8", "<meta charset=latin1>Größe".as_bytes()),
        "/utf-16" => page("text/html", b"\xff\xfeG\0r\0\xf6\0\xdf\0e\0"),
        "/unknown-charset" => page("text/html; charset=x-nobody", "Größe".as_bytes()),
        "/no-charset" => page("text/html", "Größe".as_bytes()),
        // Sizes.
        "/large" => page("text/html", &[&vec![b'x'; 1_300_000][..], b"</html>"].concat()),
        "/large-latin-1" => page(
            "text/html; charset=iso-8859-1",
            &[&vec![0xe4; 1_300_000][..], b"Gr\xf6\xdfe</html>"].concat(),
        ),
        "/lines" => page("text/plain", b"one\ntwo\nthree\n"),
        "/empty" => page("text/html", b""),
        "/broken" => page("text/html", b"Welcome"),
        "/missing" => ("404 Not Found".to_owned(), b"Welcome".to_vec()),
        "/rule" => ("403 Forbidden\r\nServer: awselb/2.0".to_owned(), Vec::new()),
        "/rule-redirect" => {
            let (head, body) = to("https://elsewhere.example/");
            (format!("{head}\r\nServer: awselb/2.0"), body)
        }
        "/no-target" => ("503 Service Unavailable\r\nServer: awselb/2.0".to_owned(), Vec::new()),
        _ => {
            // Bytes are encoded with digits of either case.
            let path = path.to_lowercase();
            let text = format!("{path} of {} by {}", header("Host"), header("User-Agent"));
            page("text/plain", text.as_bytes())
        }
    }
}

/// What comes of a case.
enum Comes {
    /// The check passes.
    Good,
    /// The application's answer is wrong; the reason holds this.
    Wrong(&'static str),
    /// The application was not asked; the reason holds this.
    Unreachable(&'static str),
}
use Comes::{Good, Unreachable, Wrong};

/// A case: path, what else the check says, the text that it wants, what comes of it.
const CASES: [(&str, &str, &str, Comes); 56] = [
    ("/a/file", "", "/a/login/index.php of", Good),
    ("/a/dot", "", "/a/x of", Good),
    ("/a/up", "", "/x of", Good),
    ("/a/far-up", "", "/x of", Good),
    ("/a/query", "", "/a/query?lang=de of", Good),
    ("/a/path", "", "/x of", Good),
    ("/a/root-query", "", "/?a=b&c=/../d of", Good),
    ("/a/network", "", "/x of", Good),
    ("/a/capitals", "", "/x of", Good),
    ("/a/fragment", "", "/x of", Good),
    ("/a/blank", "", "/a%20b of", Good),
    ("/a/umlaut", "", "/gr%c3%b6%c3%9fe of", Good),
    (
        "/a/network",
        "host: shop.example",
        "/x of shop.example by goldseed",
        Good,
    ),
    (
        "/a/capitals",
        "host: shop.example",
        "/x of shop.example by goldseed",
        Good,
    ),
    (
        "/a/file",
        "host: shop.example",
        "/a/login/index.php of shop.example",
        Good,
    ),
    ("/x?q=1#part", "", "/x?q=1 of", Good),
    ("/x", "host: Shop.Example", "/x of shop.example", Good),
    (
        "/x",
        "host: \"shop.example:8080\"",
        "/x of shop.example:8080 by",
        Good,
    ),
    ("/a/long", "", "/x of", Good),
    ("/loop", "", "x", Wrong("more than 5 redirects")),
    ("/elsewhere", "", "x", Wrong("another host")),
    ("/elsewhere", "follow: anywhere", "/x of localhost", Good),
    (
        "/elsewhere",
        "host: shop.example, follow: anywhere",
        "/x of localhost",
        Good,
    ),
    ("/disguised", "", "x", Wrong("another host")),
    ("/named", "", "x", Wrong("another host")),
    (
        "/named",
        "host: shop.example",
        "/x of shop.example by",
        Good,
    ),
    (
        "/dialled",
        "host: shop.example",
        "/x of shop.example by",
        Good,
    ),
    (
        "/own-port",
        "host: shop.example",
        "/x of shop.example by",
        Good,
    ),
    (
        "/secure",
        "host: shop.example",
        "x",
        Unreachable("does not answer"),
    ),
    ("/mail", "", "x", Wrong("`mailto:` is not followed")),
    (
        "/nowhere",
        "follow: anywhere",
        "x",
        Unreachable("does not answer"),
    ),
    ("/elsewhere", "status: 302", "", Good),
    ("/cookie", "", "/cookie of", Good),
    (
        "/cookie",
        "host: shop.example",
        "/cookie of shop.example",
        Good,
    ),
    ("/deleted", "", "[][]", Good),
    ("/deep/cookie", "", "[][]", Good),
    ("/show", "headers: {X-Origin: me}", "[][me]", Good),
    (
        "/elsewhere-cookie",
        "headers: {X-Origin: me}, follow: anywhere",
        "[][]",
        Good,
    ),
    ("/latin-1", "", "Größe €", Good),
    ("/latin-9", "", "€ Größe", Good),
    ("/meta", "", "Größe", Good),
    ("/meta-content", "", "Größe", Good),
    ("/header-wins", "", "Größe", Good),
    ("/utf-16", "", "Größe", Good),
    ("/unknown-charset", "", "Größe", Good),
    ("/no-charset", "", "Größe", Good),
    ("/large", "", "x</html>", Good),
    ("/large-latin-1", "", "äGröße</html>", Good),
    ("/lines", "", "one\\ntwo", Good),
    ("/lines", "", "two\\none", Wrong("two\none")),
    ("/empty", "", "Welcome", Wrong("Welcome")),
    ("/broken", "", "Welcome", Wrong("broke off")),
    ("/missing", "", "Welcome", Wrong("answers 404")),
    (
        "/rule",
        "",
        "x",
        Unreachable("answers 403 (the load balancer by itself)"),
    ),
    (
        "/rule-redirect",
        "",
        "x",
        Unreachable("answers 302 (the load balancer by itself)"),
    ),
    ("/no-target", "", "x", Wrong("answers 503")),
];

/// The value of a key among the other things that a case says.
fn said<'a>(more: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = more.split_once(&format!("{key}: "))?;
    let end = if rest.starts_with('{') { '}' } else { ',' };
    Some(rest.split(end).next()?.trim_matches(['"', '{', '}']))
}

/// The case as the client of the load balancer's checks asks it.
fn probed(port: u16, path: &str, more: &str, text: &str) -> Result<(), ProbeFailure> {
    let host = said(more, "host");
    let header = said(more, "headers").and_then(|header| header.split_once(": "));
    let probe = Probe {
        url: match host {
            Some(host) => format!("http://{host}{path}"),
            None => format!("http://127.0.0.1:{port}{path}"),
        },
        dial: host.map(|_| format!("127.0.0.1:{port}")),
        headers: header
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        anywhere: said(more, "follow").is_some(),
        insecure: false,
        status: said(more, "status").map_or(200, |status| status.parse().unwrap()),
        contains: Some(text.replace("\\n", "\n"))
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect(),
        slower_than: Duration::from_secs(5),
    };
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(probe.ask())
}

#[test]
fn one_table_holds_on_an_instance_and_at_the_load_balancer() {
    let port = site();
    let root = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (path, more, text, comes) in &CASES {
        let answer = probed(port, path, more, text);
        let as_it_should = match (comes, &answer) {
            (Good, Ok(())) => true,
            (Wrong(why), Err(failure)) => !failure.unreachable && failure.reason.contains(why),
            (Unreachable(why), Err(failure)) => failure.unreachable && failure.reason.contains(why),
            _ => false,
        };
        if !as_it_should {
            wrong.push(format!("{path} ({more}), asked from here: {answer:?}"));
        }
        let comma = if more.is_empty() { "" } else { ", " };
        let contains = match *text {
            "" => String::new(),
            text => format!(", contains: \"{text}\""),
        };
        let steps = format!(
            "verify:\n  - http: {{url: \"http://127.0.0.1:{port}{path}\"{comma}{more}{contains}, within: 0s}}\n"
        );
        let script = compile(&[written(root.path(), &steps)], Purpose::Verify).unwrap();
        for shell in shells() {
            let (code, _, log) = run(&script, &shell, root.path(), &[]);
            let as_it_should = match comes {
                Good => code == 0,
                Wrong(why) | Unreachable(why) => code == 1 && log.contains(why),
            };
            if !as_it_should {
                wrong.push(format!("{path} ({more}), asked by {shell:?}: {code} {log}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_that_takes_longer_than_it_may_is_not_waited_for() {
    let port = site();
    let root = tempfile::tempdir().unwrap();
    let probe = Probe {
        url: format!("http://127.0.0.1:{port}/slow"),
        dial: None,
        headers: Vec::new(),
        anywhere: false,
        insecure: false,
        status: 200,
        contains: Vec::new(),
        slower_than: Duration::from_secs(1),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failure = runtime.block_on(probe.ask()).unwrap_err();
    assert!(!failure.unreachable, "{failure:?}");
    assert!(
        failure.reason.contains("no whole page within 1 s"),
        "{failure:?}"
    );
    let steps = format!(
        "verify:\n  - http: {{url: \"http://127.0.0.1:{port}/slow\", slower-than: 1s, within: 0s}}\n"
    );
    let script = compile(&[written(root.path(), &steps)], Purpose::Verify).unwrap();
    for shell in shells() {
        let (code, _, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{shell:?}: {log}");
        assert!(log.contains("no whole page within 1 s"), "{shell:?}: {log}");
    }
}
