//! A request on its way through the balancer.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::target::{Guard, Member};
use super::{Pool, Target};

type Payload = BoxBody<Bytes, hyper::Error>;

/// Headers that are between two neighbours and no business of the third (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Answers a client: from the target whose turn it is, or on the balancer's own account.
pub(super) async fn answer(
    pool: &Pool,
    client: SocketAddr,
    port: u16,
    request: Request<Incoming>,
) -> Result<Response<Payload>, Infallible> {
    let candidates = pool.healthy();
    let Some(first) = candidates.first() else {
        return Ok(own_answer(StatusCode::SERVICE_UNAVAILABLE));
    };
    let (mut parts, body) = request.into_parts();
    forwarded_headers(&mut parts.headers, client, port);
    // What may be sent twice is kept for a second target; a body can be read only once.
    let again = (parts.method.is_idempotent() && body.is_end_stream()).then(|| parts.clone());

    let request = Request::from_parts(parts, body.boxed());
    let mut outcome = send(first, request).await;
    if let (Err(()), Some((second, parts))) = (&outcome, candidates.get(1).zip(again)) {
        outcome = send(second, without_body(parts)).await;
    }
    Ok(outcome.unwrap_or_else(|()| own_answer(StatusCode::BAD_GATEWAY)))
}

/// Sends a request to a target. The error is that no answer came; why is of no interest to a client.
async fn send(member: &Member, request: Request<Payload>) -> Result<Response<Payload>, ()> {
    let address = match member.target {
        Target::Http(address) => address,
        Target::Simulated => {
            let text = format!("instance {}, simulated\n", member.instance_id);
            return Ok(Response::new(whole(text)));
        }
        Target::Page(status, page) => {
            let mut response = Response::new(whole(page.to_owned()));
            *response.status_mut() = StatusCode::from_u16(status).map_err(|_| ())?;
            return Ok(response);
        }
    };
    let guard = member.enter();
    let mut sender = connect(address).await.map_err(|_| ())?;
    let response = sender.send_request(request).await.map_err(|_| ())?;
    Ok(relay(response, guard))
}

/// Opens a connection of its own for a request.
async fn connect(
    address: SocketAddr,
) -> Result<SendRequest<Payload>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the request; what goes wrong shows in its answer.
    tokio::spawn(async move {
        drop(connection.await);
    });
    Ok(sender)
}

/// Passes a target's answer on; the request counts as under way until its last byte is through.
fn relay(response: Response<Incoming>, guard: Guard) -> Response<Payload> {
    let (mut parts, body) = response.into_parts();
    for name in HOP_BY_HOP {
        parts.headers.remove(name);
    }
    let body = body.map_frame(move |frame| {
        let _until_the_end = &guard;
        frame
    });
    Response::from_parts(parts, body.boxed())
}

/// Tells the target who asked, as an Application Load Balancer does.
fn forwarded_headers(headers: &mut HeaderMap, client: SocketAddr, port: u16) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    let client = client.ip().to_string();
    let chain = match headers.get("x-forwarded-for").map(HeaderValue::to_str) {
        Some(Ok(earlier)) => format!("{earlier}, {client}"),
        _ => client,
    };
    for (name, value) in [
        ("x-forwarded-for", chain),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-forwarded-port", port.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// The balancer's own page for a status.
fn own_answer(status: StatusCode) -> Response<Payload> {
    let mut response = Response::new(whole(format!("{status}\n")));
    *response.status_mut() = status;
    response
}

fn without_body(parts: Parts) -> Request<Payload> {
    let empty = Empty::new().map_err(|never: Infallible| match never {});
    Request::from_parts(parts, empty.boxed())
}

fn whole(text: String) -> Payload {
    Full::new(Bytes::from(text))
        .map_err(|never: Infallible| match never {})
        .boxed()
}
