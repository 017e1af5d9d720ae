//! Checks through the load balancer: how they reach the site, and what follows where they do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::world::{Output, STOCK, World};
use goldseed::sandbox::Behaviour;

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/trust/authority.pem");

/// The heads of requests that a server got.
type Requests = Arc<Mutex<Vec<String>>>;

/// Answers each request with a page until the runtime ends.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, requests: &Requests) {
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(read) if read > 0 => head.extend_from_slice(&bytes[..read]),
            _ => return,
        }
    }
    requests
        .lock()
        .unwrap()
        .push(String::from_utf8(head).unwrap());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nWelcome";
    // The client may have what it wants.
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}

/// A web server; by TLS with the certificate of 127.0.0.1 and localhost. Returns its port and what it is asked.
fn server(world: &World, secure: bool) -> (u16, Requests) {
    let requests = Requests::default();
    let kept = requests.clone();
    let port = world.wait_for(async move {
        let chain = CertificateDer::from_pem_slice(include_bytes!("trust/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("trust/server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, requests) = (acceptor.clone(), kept.clone());
                tokio::spawn(async move {
                    if !secure {
                        answer(stream, &requests).await;
                    } else if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, &requests).await;
                    }
                });
            }
        });
        port
    });
    (port, requests)
}

/// Gives the recipe a check at the balancer, and the pipeline more keys.
fn with_check(world: &World, check: &str, keys: &str) {
    let file = world.project().join("recipes/greeting.yaml");
    let recipe = fs_err::read_to_string(file).unwrap();
    let check = format!("  - http: {{path: /shop{check}}}\n    at: balancer\n");
    world.write("recipes/greeting.yaml", &(recipe + &check));
    if !keys.is_empty() {
        world.edit("    watch:", &format!("    {keys}\n    watch:"));
    }
}

fn assert_says(output: &Output, text: &str) {
    let said = output.stderr.split_whitespace().collect::<Vec<_>>();
    assert!(said.join(" ").contains(text), "{text}: {output}");
}

/// Nobody listens on port 1; port 0 of the sandbox's balancer speaks no TLS; a name that DNS does not know.
const NO_WAY: [(&str, &str); 5] = [
    (", resolve: \"127.0.0.1:1\"", ""),
    (", host: 127.0.0.1, https: true", ""),
    (
        "",
        "site: {url: \"https://shop.example\", resolve: \"127.0.0.1:1\"}",
    ),
    ("", "site: \"https://shop.example\""),
    ("", "site: {url: \"http://shop.invalid\", via: dns}"),
];

#[test]
fn a_check_that_does_not_reach_the_site_refuses_a_promotion_before_anything_is_done() {
    for (check, keys) in NO_WAY {
        let world = World::new();
        with_check(&world, check, keys);
        let rebuild = world.run(["rebuild", "shop"]);
        assert_eq!(rebuild.code, Some(4), "{check} {keys}: {rebuild}");
        assert_says(&rebuild, "a check of a recipe does not reach the site: ");
        assert_says(&rebuild, "no image cures that");
        assert!(world.images("golden").is_empty(), "an image was built");

        world.succeed(["build", "shop"]);
        let promote = world.run(["promote", "shop"]);
        assert_eq!(promote.code, Some(4), "{promote}");
        assert_says(&promote, "--accept-unreachable");
        assert_eq!(world.count("UpdateEnvironment"), 0);
    }
}

#[test]
fn an_accepted_check_is_left_out_goes_on_record_and_stops_no_rollback() {
    let world = World::new();
    with_check(&world, ", resolve: \"127.0.0.1:1\"", "");
    let output = world.succeed(["rebuild", "shop", "--accept-unreachable"]);
    assert_says(
        &output,
        "a check is left out, because it does not reach the site: ",
    );
    let golden = world.images("golden")[0].id.clone();
    assert_eq!(world.base_image().as_ref(), Some(&golden));
    let record = &world.parameters()[&format!("/goldseed/shop/runs/{}/1", output.run_id())];
    let record = record.last().unwrap();
    assert!(record.contains(r#""accept-unreachable":"yes""#), "{record}");
    assert!(record.contains(r#""u":[0]"#), "{record}");

    let rollback = world.succeed(["rollback", "shop"]);
    assert_says(
        &rollback,
        "a check is left out, because it does not reach the site: ",
    );
    assert_eq!(world.base_image(), None);
    assert_eq!(world.member_images(), [STOCK; 2]);
}

#[test]
fn a_bad_image_is_taken_back_although_a_check_is_left_out() {
    let world = World::new();
    with_check(&world, ", resolve: \"127.0.0.1:1\"", "");
    world.sandbox.behave("golden", Behaviour::Unhealthy);
    let output = world.run(["rebuild", "shop", "--accept-unreachable"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert_eq!(world.base_image(), None);
}

#[test]
fn an_https_site_is_asked_at_an_address_by_its_name_and_its_certificate_must_be_of_that_name() {
    let world = World::new();
    let (port, requests) = server(&world, true);
    let site = |name: &str, more: &str| {
        format!("site: {{url: \"https://{name}\", resolve: \"127.0.0.1:{port}\"{more}}}")
    };
    with_check(&world, ", contains: Welcome", &site("localhost", ""));
    let trusting = |verb: &str| {
        let run = world.goldseed([verb, "shop"]);
        run.env("SSL_CERT_FILE", AUTHORITY).run()
    };
    let known = trusting("rebuild");
    assert_eq!(known.code, Some(0), "{known}");
    let asked = requests.lock().unwrap().last().unwrap().clone();
    assert!(asked.starts_with("GET /shop HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.to_lowercase().contains("\r\nhost: localhost\r\n"),
        "{asked}"
    );

    // An authority that is not trusted, then a name that is not the certificate's.
    world.edit("text: Hello", "text: Good evening");
    let stranger = world.run(["rebuild", "shop"]);
    assert_eq!(stranger.code, Some(4), "{stranger}");
    world.edit(&site("localhost", ""), &site("shop.example", ""));
    let other = trusting("rebuild");
    assert_eq!(other.code, Some(4), "{other}");
    assert_says(&other, "https://shop.example/shop");

    let said = site("shop.example", ", insecure: true");
    world.edit(&site("shop.example", ""), &said);
    let any = world.run(["rebuild", "shop"]);
    assert_eq!(any.code, Some(0), "{any}");
    let record = &world.parameters()[&format!("/goldseed/shop/runs/{}/1", any.run_id())];
    assert!(record.last().unwrap().contains(r#""k":1"#), "{record:?}");
    let asked = requests.lock().unwrap().last().unwrap().to_lowercase();
    assert!(asked.contains("\r\nhost: shop.example\r\n"), "{asked}");
}

#[test]
fn a_header_may_be_a_secret_which_nobody_sees() {
    let world = World::new();
    let (port, requests) = server(&world, false);
    world.put_parameter("/shop/origin", "correct-horse");
    let keys = format!(
        "site: {{resolve: \"127.0.0.1:{port}\", headers: {{X-Origin-Verify: \"ssm:/shop/origin\", X-Plain: a}}}}"
    );
    with_check(&world, ", contains: Welcome, headers: {X-Plain: b}", &keys);
    let output = world.succeed(["rebuild", "shop"]);
    let asked = requests.lock().unwrap().last().unwrap().to_lowercase();
    assert!(
        asked.contains("\r\nx-origin-verify: correct-horse\r\n"),
        "{asked}"
    );
    assert!(asked.contains("\r\nx-plain: b\r\n"), "{asked}");
    assert!(!output.to_string().contains("correct-horse"), "{output}");
    let mut parameters: BTreeMap<_, _> = world.parameters();
    parameters.remove("/shop/origin");
    assert!(!format!("{parameters:?}").contains("correct-horse"));

    // Without the secret nobody is asked.
    world.edit("ssm:/shop/origin", "ssm:/shop/nothing");
    world.edit("text: Hello", "text: Good evening");
    let refused = world.run(["rebuild", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(
        &refused,
        "no value for `X-Origin-Verify` (ssm:/shop/nothing)",
    );
}

#[test]
fn a_proxy_of_the_environment_is_asked_unless_it_is_not_for_that_host() {
    let world = World::new();
    let (port, requests) = server(&world, false);
    with_check(
        &world,
        ", contains: Welcome",
        "site: {url: \"http://shop.example\", via: dns}",
    );
    let proxy = format!("http://ada:lovelace@127.0.0.1:{port}");
    let run = world.goldseed(["rebuild", "shop"]);
    let rebuild = run
        .env("HTTP_PROXY", &proxy)
        .env("NO_PROXY", "127.0.0.1")
        .run();
    assert_eq!(rebuild.code, Some(0), "{rebuild}");
    let asked = requests.lock().unwrap().last().unwrap().clone();
    assert!(
        asked.starts_with("GET http://shop.example/shop HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("Basic YWRhOmxvdmVsYWNl"), "{asked}");
    assert!(!rebuild.to_string().contains("lovelace"), "{rebuild}");

    world.edit("text: Hello", "text: Good evening");
    let count = requests.lock().unwrap().len();
    let run = world
        .goldseed(["rebuild", "shop"])
        .env("HTTP_PROXY", &proxy);
    let direct = run.env("NO_PROXY", "127.0.0.1,shop.example").run();
    assert_eq!(direct.code, Some(4), "{direct}");
    assert_eq!(requests.lock().unwrap().len(), count, "the proxy was asked");

    // A proxy that does not answer is no fault of an image's either.
    let run = world.goldseed(["rebuild", "shop"]);
    let refused = run
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "127.0.0.1")
        .run();
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "by the proxy 127.0.0.1:1");
}

#[test]
fn an_instance_asks_where_the_operator_cannot_reach_the_balancer() {
    let world = World::new();
    with_check(
        &world,
        ", contains: Welcome",
        "site: {url: \"https://shop.example\", via: instance}",
    );
    let asks = |script: &str| {
        script
            .lines()
            .nth(1)
            .is_some_and(|line| line.contains("-probe"))
    };
    let answer = |code: i32, log: &str| {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(log);
        let length = log.len();
        format!(
            "goldseed 1\nstate finished\ncode {code}\nfresh yes\noffset {length}\ndata {data}\n"
        )
    };
    let none = "https://shop.example/shop (at 127.0.0.1) does not answer";
    world.sandbox.script_result(asks, 0, &answer(2, none));
    let refused = world.run(["rebuild", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "does not reach the site: asked from i-");
    assert_says(&refused, none);

    world.sandbox.script_result(asks, 0, &answer(0, ""));
    world.succeed(["rebuild", "shop"]);

    // What the application answers is the image's, and is judged as ever.
    world.edit("text: Hello", "text: Good evening");
    let wrong = "https://shop.example/shop (at 127.0.0.1) answers 500, not 200";
    world.sandbox.script_result(asks, 0, &answer(1, wrong));
    let taken_back = world.run(["rebuild", "shop"]);
    assert_eq!(taken_back.code, Some(7), "{taken_back}");
    assert_says(&taken_back, wrong);
}

#[test]
fn the_sites_address_is_the_url_of_recipes_that_want_one() {
    let world = World::new();
    let recipe = "recipe: 1\nname: greeting\nparams:\n  text: {type: string}\n  url: {type: string, optional: true}\n\
                  steps:\n  - file: {path: /etc/motd, content: \"${{ url }}\"}\n    when: url\n  - file: {path: /etc/motd, content: none}\n    when: not url\n";
    world.write("recipes/greeting.yaml", recipe);
    let digest = |world: &World| {
        world.succeed(["build", "shop"]);
        let images = world.images("golden");
        images
            .iter()
            .map(|image| image.tags["goldseed:recipes"].clone())
            .collect::<Vec<_>>()
    };
    let without = digest(&world);
    world.edit(
        "    watch:",
        "    site: https://www.shop.example/\n    watch:",
    );
    let with = digest(&world);
    world.edit(
        "text: Hello",
        "text: Hello, url: \"https://www.shop.example\"",
    );
    let said = digest(&world);
    assert_eq!(without.len() + 2, said.len());
    let new = with
        .iter()
        .find(|digest| !without.contains(digest))
        .unwrap();
    assert_eq!(
        said.iter().filter(|digest| *digest == new).count(),
        2,
        "{said:?}"
    );
}

#[test]
fn checks_that_ask_for_the_front_page_alone_are_reported() {
    let world = World::new();
    let (port, _) = server(&world, false);
    let front = |path: &str| {
        format!(
            "probes: [{{url: \"http://127.0.0.1:{port}{path}\", contains: Welcome}}]\n    watch:"
        )
    };
    world.edit("watch:", &front("/?lang=de"));
    let output = world.succeed(["rebuild", "shop"]);
    assert_says(&output, "the checks of shop ask for the front page alone");

    world.edit("text: Hello", "text: Good evening");
    world.edit(&front("/?lang=de"), &front("/login"));
    let output = world.succeed(["rebuild", "shop"]);
    assert!(!output.stderr.contains("front page alone"), "{output}");
}
