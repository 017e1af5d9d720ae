use std::time::Instant;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use tokio::sync::Notify;

use super::*;

/// A web server for one test: answers `/health` with a status, `/slow` when it is told to, others with what it saw.
struct Web {
    address: SocketAddr,
    health: Arc<Mutex<u16>>,
    release: Arc<Notify>,
    task: AbortHandle,
}

impl Web {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let health = Arc::new(Mutex::new(200));
        let release = Arc::new(Notify::new());
        let (shown, told) = (health.clone(), release.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shown, told) = (shown.clone(), told.clone());
                connections.spawn(async move {
                    let service = service_fn(|request: Request<Incoming>| {
                        let (shown, told) = (shown.clone(), told.clone());
                        async move { Ok::<_, hyper::Error>(page(name, request, shown, told).await) }
                    });
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                });
            }
        })
        .abort_handle();
        Self {
            address,
            health,
            release,
            task,
        }
    }
}

async fn page(
    name: &str,
    request: Request<Incoming>,
    health: Arc<Mutex<u16>>,
    release: Arc<Notify>,
) -> Response<Full<Bytes>> {
    let header = |name| {
        let value = request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap());
        value.unwrap_or("none").to_owned()
    };
    let about = format!(
        "{name} host={} for={} proto={} port={}",
        header("host"),
        header("x-forwarded-for"),
        header("x-forwarded-proto"),
        header("x-forwarded-port"),
    );
    let mut status = 200;
    match request.uri().path() {
        "/health" => status = *lock(&health),
        "/slow" => release.notified().await,
        _ => {}
    }
    let sent = request.into_body().collect().await.unwrap().to_bytes();
    let text = format!("{about} body={}", String::from_utf8_lossy(&sent));
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status.try_into().unwrap();
    response
}

async fn ask(balancer: &Balancer, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = balancer.listen;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Host", "shop.example.com")
        .header("X-Forwarded-For", "192.0.2.7")
        .body(Full::<Bytes>::from(body.to_owned()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    (status, String::from_utf8_lossy(&text).into_owned())
}

async fn balancer() -> Balancer {
    let balancer = Balancer::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    balancer.set_pace(0.01);
    balancer.set_health_path("/health");
    balancer
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        clock::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn requests_go_round_the_healthy_targets_with_the_client_named() {
    let (one, two) = (Web::start("one").await, Web::start("two").await);
    let balancer = balancer().await;
    assert_eq!(
        ask(&balancer, "GET", "/", "").await.0,
        503,
        "nobody is there"
    );
    for (name, web) in [("i-1", &one), ("i-2", &two)] {
        balancer.register(name, Target::Http(web.address));
        until("healthy", || balancer.health(name) == TargetHealth::Healthy).await;
    }
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask(&balancer, "POST", "/", "cart=1").await.1);
    }
    answers.sort();
    let port = balancer.listen.port();
    let expected = |name| {
        format!(
            "{name} host=shop.example.com for=192.0.2.7, 127.0.0.1 proto=http port={port} body=cart=1"
        )
    };
    assert_eq!(
        answers,
        [
            expected("one"),
            expected("one"),
            expected("two"),
            expected("two")
        ]
    );
    balancer.shutdown();
}

#[tokio::test]
async fn a_target_whose_checks_fail_gets_no_requests_until_they_pass_again() {
    let (one, two) = (Web::start("one").await, Web::start("two").await);
    let balancer = balancer().await;
    balancer.register("i-1", Target::Http(one.address));
    balancer.register("i-2", Target::Http(two.address));
    until("both healthy", || {
        ["i-1", "i-2"].map(|id| balancer.health(id)) == [const { TargetHealth::Healthy }; 2]
    })
    .await;
    *lock(&one.health) = 500;
    let reason = TargetHealth::Unhealthy("Health checks failed with these codes: [500]".to_owned());
    until("i-1 unhealthy", || balancer.health("i-1") == reason).await;
    for _ in 0..3 {
        assert!(ask(&balancer, "GET", "/", "").await.1.starts_with("two "));
    }
    *lock(&one.health) = 200;
    until("i-1 healthy", || {
        balancer.health("i-1") == TargetHealth::Healthy
    })
    .await;
}

#[tokio::test]
async fn a_dead_target_costs_a_reader_nothing_and_a_writer_a_502() {
    let (one, two) = (Web::start("one").await, Web::start("two").await);
    let balancer = Balancer::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    for (name, web) in [("i-1", &one), ("i-2", &two)] {
        balancer.register(name, Target::Http(web.address));
    }
    until("both healthy", || {
        ["i-1", "i-2"].map(|id| balancer.health(id)) == [const { TargetHealth::Healthy }; 2]
    })
    .await;
    // The checks come every five seconds, so the balancer does not know yet.
    one.task.abort();
    let mut codes = Vec::new();
    for _ in 0..2 {
        let (code, text) = ask(&balancer, "GET", "/", "").await;
        assert!(text.starts_with("two "), "{code} {text}");
        codes.push(ask(&balancer, "POST", "/", "cart=1").await.0);
        codes.push(ask(&balancer, "POST", "/", "cart=1").await.0);
    }
    assert!(codes.contains(&502), "{codes:?}");
    assert!(codes.contains(&200), "{codes:?}");
}

#[tokio::test]
async fn an_instance_that_is_taken_out_finishes_what_it_began() {
    let web = Web::start("one").await;
    let balancer = balancer().await;
    balancer.register("i-1", Target::Http(web.address));
    until("healthy", || {
        balancer.health("i-1") == TargetHealth::Healthy
    })
    .await;

    let asking = tokio::spawn({
        let balancer = balancer.clone();
        async move { ask(&balancer, "GET", "/slow", "").await }
    });
    let member = lock(&balancer.pool.members)["i-1"].clone();
    until("the request is under way", || {
        member.requests_under_way() == 1
    })
    .await;

    let in_flight = balancer.deregister("i-1").unwrap();
    assert_eq!(ask(&balancer, "GET", "/", "").await.0, 503);
    let finished = tokio::spawn(in_flight.finished());
    assert!(!finished.is_finished());
    web.release.notify_one();
    assert_eq!(asking.await.unwrap().0, 200);
    finished.await.unwrap();
}

#[tokio::test]
async fn simulated_targets_are_well_and_say_who_they_are() {
    let balancer = balancer().await;
    balancer.register("i-7", Target::Simulated);
    assert_eq!(balancer.health("i-7"), TargetHealth::Healthy);
    let answer = ask(&balancer, "GET", "/", "").await;
    assert_eq!(answer, (200, "instance i-7, simulated\n".to_owned()));
}
