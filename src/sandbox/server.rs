//! The HTTP server: the public port, and one Unix socket for each machine.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::Core;
use super::gate::{self, Refused};
use super::wire::Reply;
use super::{dispatch, engine, metadata, storage};

/// The largest body that is taken: an application bundle.
const LARGEST_BODY: usize = 256 << 20;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client on the public port.
    Client,
    /// The machine of this instance.
    Node(String),
}

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    /// A header's value, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What goes back over the connection.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An answer with its request id.
    Reply(Reply, String),
    /// An answer with headers of its own, as the storage gives them.
    WithHeaders(Reply, Vec<(&'static str, String)>),
    /// Nothing: the connection is cut.
    Cut,
}

/// The connection is to be cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct CutOff;

/// Takes connections until the task is ended.
pub(crate) async fn serve(core: Core, listener: tokio::net::TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that failed before it was taken concerns nobody but its client.
                let Ok((stream, _)) = accepted else { continue };
                // Without it each small answer waits 40 ms for the client's acknowledgement.
                drop(stream.set_nodelay(true));
                connections.spawn(connection(core.clone(), Origin::Client, stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection of a machine: its metadata, the services, and Beanstalk's engine.
pub(crate) async fn serve_node(core: Core, instance_id: String, stream: tokio::net::UnixStream) {
    connection(core, Origin::Node(instance_id), stream).await;
}

async fn connection<S>(core: Core, origin: Origin, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let core = core.clone();
        let origin = origin.clone();
        async move { respond(core, origin, request).await }
    });
    // The outcome says only how the client left, or that we cut the connection.
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(served);
}

async fn respond(
    core: Core,
    origin: Origin,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, CutOff> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return finish(Answer::Reply(
            Reply::text(413, "the body is too large or broken"),
            String::new(),
        ));
    };
    let received = Received {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
    };
    finish(route(&core, &origin, &received).await)
}

async fn route(core: &Core, origin: &Origin, received: &Received) -> Answer {
    if let Origin::Node(instance_id) = origin {
        if let Some(path) = metadata::path_of(&received.path) {
            return metadata::answer(core, instance_id, path, received);
        }
        if let Some(path) = received.path.strip_prefix("/_beanstalk/") {
            return engine::answer(core, instance_id, path, received);
        }
    } else if let Err(refused) = admit(core, received) {
        return refused;
    }
    if received.path == "/" && received.method == Method::POST {
        return dispatch::answer(core, origin, received).await;
    }
    storage::answer(core, received)
}

/// Refuses what may not ask on the public port. A machine's socket says itself who asks.
fn admit(core: &Core, received: &Received) -> Result<(), Answer> {
    let options = core.options();
    let key = options.access_key.as_ref();
    gate::admit(options.listen.ip(), key, received).map_err(|refused| match refused {
        Refused::Foreign(text) => Answer::Reply(Reply::text(403, text), String::new()),
        Refused::Client(service, error) => {
            let request_id = core.state().new_uuid();
            let reply = Reply::refused(service, "", &request_id, error);
            Answer::Reply(reply, request_id)
        }
    })
}

fn finish(answer: Answer) -> Result<Response<Full<Bytes>>, CutOff> {
    let (reply, headers) = match answer {
        Answer::Cut => return Err(CutOff),
        Answer::Reply(reply, request_id) => (reply, vec![("x-amzn-requestid", request_id)]),
        Answer::WithHeaders(reply, headers) => (reply, headers),
    };
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::machines::{Machines, Simulated};

    fn core() -> Core {
        Core::new(
            Options::simulated("/nonexistent"),
            Machines::Simulated(Simulated::default()),
        )
    }

    /// Asks over the socket of a machine; the answer's status and body.
    async fn ask(core: &Core, instance_id: &str, head: &str, body: &str) -> (u16, String) {
        let (mut client, server) = UnixStream::pair().unwrap();
        let serving = tokio::spawn(serve_node(core.clone(), instance_id.to_owned(), server));
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().flat_map(|one| [one, "\r\n"]).collect();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        serving.await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("\r\ndate: "), "{head}");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    async fn query(core: &Core, instance_id: &str, form: &str) -> String {
        let (status, body) = ask(core, instance_id, "POST /", form).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    fn between(text: &str, before: &str, after: &str) -> String {
        let start = text.find(before).unwrap() + before.len();
        let length = text[start..].find(after).unwrap();
        text[start..start + length].to_owned()
    }

    #[tokio::test]
    async fn a_machine_learns_about_itself_with_a_token_alone() {
        let core = core();
        let image = crate::sandbox::beanstalk::platforms::Platform::newest().image;
        let launched = query(
            &core,
            "i-none",
            &format!(
                "Version=2016-11-15&Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&IamInstanceProfile.Name=seed&UserData=I2Nsb3VkLWNvbmZpZwo="
            ),
        )
        .await;
        let id = between(&launched, "<instanceId>", "<");
        let (status, _) = ask(&core, &id, "GET /latest/meta-data/instance-id", "").await;
        assert_eq!(status, 401);
        let (status, token) = ask(
            &core,
            &id,
            "PUT /latest/api/token\nx-aws-ec2-metadata-token-ttl-seconds: 60",
            "",
        )
        .await;
        assert_eq!(status, 200);
        let get = async |path: &str| {
            let head = format!("GET {path}\nx-aws-ec2-metadata-token: {token}");
            ask(&core, &id, &head, "").await
        };
        assert_eq!(
            get("/latest/meta-data/instance-id").await,
            (200, id.clone())
        );
        let (_, listing) = get("/2021-03-23/meta-data/").await;
        assert!(listing.contains("placement/\n"), "{listing}");
        assert_eq!(
            get("/latest/meta-data/iam/security-credentials/").await.1,
            "seed"
        );
        let (_, credentials) = get("/latest/meta-data/iam/security-credentials/seed").await;
        assert!(credentials.contains("\"Expiration\""), "{credentials}");
        assert_eq!(get("/latest/user-data").await.1, "#cloud-config\n");
        assert_eq!(get("/latest/meta-data/public-keys/").await.0, 404);
        let (_, identity) = get("/latest/dynamic/instance-identity/document").await;
        assert!(
            identity.contains("\"region\":\"eu-central-1\""),
            "{identity}"
        );
        let caller = query(&core, &id, "Version=2011-06-15&Action=GetCallerIdentity").await;
        assert!(caller.contains(":assumed-role/seed/"), "{caller}");
    }

    #[tokio::test]
    async fn only_a_member_that_names_its_stack_gets_metadata_and_signals() {
        let core = core();
        let eb = "Version=2010-12-01&Action=";
        query(
            &core,
            "-",
            &format!("{eb}CreateApplication&ApplicationName=shop"),
        )
        .await;
        query(
            &core,
            "-",
            &format!("{eb}CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-prod&OptionSettings.member.1.Namespace=aws:elasticbeanstalk:application:environment&OptionSettings.member.1.OptionName=DB&OptionSettings.member.1.Value=db.internal"),
        )
        .await;
        // The first look launches the member.
        query(&core, "-", &format!("{eb}DescribeEnvironments")).await;
        let (id, stack) = {
            let state = core.state();
            let environment = state.environments.values().next().unwrap();
            let member = &environment.members[0];
            (member.instance_id.clone(), member.stack.clone())
        };
        let user_data = core.state().instances[&id].user_data.clone().unwrap();
        assert!(String::from_utf8(user_data).unwrap().contains(&stack));
        let path = format!("/_beanstalk/metadata?stack={stack}");
        let (status, metadata) = ask(&core, &id, &format!("GET {path}"), "").await;
        assert_eq!(status, 200);
        assert!(metadata.contains("\"DB\":\"db.internal\""), "{metadata}");
        assert_eq!(
            ask(&core, "i-other", &format!("GET {path}"), "").await.0,
            403
        );

        let signal = async |stack: &str, status: &str| {
            let head = format!("POST /_beanstalk/signal?stack={stack}&status={status}&reason=hook");
            ask(&core, &id, &head, "first line\nlast line\n").await.0
        };
        assert_eq!(signal("arn:of-an-older-stack", "SUCCESS").await, 403);
        assert_eq!(signal(&stack, "PERHAPS").await, 400);
        assert_eq!(signal(&stack, "FAILURE").await, 200);
        query(&core, "-", &format!("{eb}DescribeEnvironments")).await;
        let events = query(&core, "-", &format!("{eb}DescribeEvents")).await;
        assert!(events.contains("hook (last line)"), "{events}");
    }

    #[tokio::test]
    async fn nothing_that_is_sent_breaks_the_server() {
        let core = core();
        for (head, body) in [
            ("POST /", ""),
            ("POST /", "Version=2016-11-15"),
            (
                "POST /",
                "Version=2016-11-15&Action=RunInstances&MinCount=x&MaxCount=1",
            ),
            (
                "POST /",
                "Version=2016-11-15&Action=DescribeInstances&Filter.1.Value.1=x",
            ),
            ("POST /", "%ff%fe=&&&=="),
            (
                "POST /\nx-amz-target: AmazonSSM.GetParameter",
                "{\"Name\": 5}",
            ),
            ("POST /\nx-amz-target: AmazonSSM.SendCommand", "[1,2"),
            ("POST /\nx-amz-target: Nonsense", "{}"),
            ("DELETE /bucket/key", ""),
            ("GET /bucket/missing", ""),
            ("GET /", ""),
            ("POST /_beanstalk/signal", ""),
            ("GET /latest/api/token", ""),
        ] {
            let (status, body) = ask(&core, "i-1", head, body).await;
            assert!((400..500).contains(&status), "{head}: {status} {body}");
        }
    }
}
