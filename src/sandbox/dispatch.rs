//! Finds out what a request asks for, lets the hook decide its fate, and has it served.

use serde_json::{Map, Value};

use super::core::{Core, RequestSeen};
use super::faults::Fate;
use super::server::{Answer, Origin, Received};
use super::wire::json::Json;
use super::wire::query::Query;
use super::wire::xml::Xml;
use super::wire::{ApiError, Call, Reply, Service};
use super::{beanstalk, clock, ec2, parameters, ssm, sts};

/// What a request to `/` asks for.
struct Asked {
    service: Service,
    operation: String,
    query: Query,
    /// The parameters as the hook and the tests see them; for JSON the body itself.
    parameters: Value,
    /// Why it cannot be served.
    unreadable: Option<ApiError>,
}

/// Answers a request to one of the services. What is done is done whole, also when the client has left meanwhile.
pub(crate) async fn answer(core: &Core, origin: &Origin, received: &Received) -> Answer {
    let underway = core.underway();
    let asked = read(received);
    let request_id = core.state().new_uuid();
    let at = clock::now();
    let fate = core.fate(asked.service, &asked.operation, &asked.parameters);
    let (core, origin, id) = (core.clone(), origin.clone(), request_id.clone());
    let doing = tokio::spawn(async move {
        let reply = outcome(&core, &origin, &asked, &id, &fate).await;
        core.remember(RequestSeen {
            service: asked.service,
            operation: asked.operation,
            parameters: asked.parameters,
            request_id: id,
            at,
            fate,
            status: reply.as_ref().map(|reply| reply.status),
        });
        drop(underway);
        reply
    });
    match doing.await {
        Ok(Some(reply)) => Answer::Reply(reply, request_id),
        // A task that panicked has said so; its client hears nothing, as with any server.
        Ok(None) | Err(_) => Answer::Cut,
    }
}

/// What the client gets of a request that has this fate.
async fn outcome(
    core: &Core,
    origin: &Origin,
    asked: &Asked,
    request_id: &str,
    fate: &Fate,
) -> Option<Reply> {
    match fate {
        Fate::LoseRequest => None,
        Fate::Refuse {
            status,
            code,
            message,
        } => Some(Reply::refused(
            asked.service,
            &asked.operation,
            request_id,
            ApiError::with_status(*status, code, message),
        )),
        Fate::Stall(duration) => {
            clock::sleep(*duration).await;
            Some(serve(core, origin, asked, request_id).await)
        }
        Fate::Serve => Some(serve(core, origin, asked, request_id).await),
        Fate::LoseAnswer => {
            serve(core, origin, asked, request_id).await;
            None
        }
        Fate::Empty => {
            let (service, operation) = (asked.service, asked.operation.as_str());
            let empty = Ok(Xml::new());
            Some(Reply::of_query(service, operation, request_id, empty))
        }
        Fate::Garble(status) => {
            serve(core, origin, asked, request_id).await;
            Some(Reply::text(*status, "upstream connect error"))
        }
    }
}

fn read(received: &Received) -> Asked {
    if let Some(target) = received.header("x-amz-target") {
        return read_json(target, &received.body);
    }
    let query = Query::parse(&received.body);
    let operation = query.owned("Action").unwrap_or_default();
    let version = query.get("Version").unwrap_or_default();
    let parameters = query
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect::<Map<_, _>>();
    let service = Service::of_version(version);
    let unreadable = service.is_none().then(|| {
        ApiError::new(
            "NoSuchVersion",
            format!("The requested version ({version}) of service is not valid."),
        )
    });
    Asked {
        service: service.unwrap_or(Service::Ec2),
        operation,
        query,
        parameters: Value::Object(parameters),
        unreadable,
    }
}

fn read_json(target: &str, body: &[u8]) -> Asked {
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    let body = if body.is_empty() { b"{}" } else { body };
    let parsed = serde_json::from_slice::<Value>(body);
    let unreadable = if service == "AmazonSSM" {
        parsed
            .as_ref()
            .err()
            .map(|error| ApiError::new("SerializationException", error.to_string()))
    } else {
        Some(ApiError::new(
            "UnknownOperationException",
            format!("the sandbox has no service {service}"),
        ))
    };
    Asked {
        service: Service::Ssm,
        operation: operation.to_owned(),
        query: Query::default(),
        parameters: parsed.unwrap_or(Value::Null),
        unreadable,
    }
}

async fn serve(core: &Core, origin: &Origin, asked: &Asked, request_id: &str) -> Reply {
    let (service, operation) = (asked.service, asked.operation.as_str());
    if let Some(error) = &asked.unreadable {
        return Reply::refused(service, operation, request_id, error.clone());
    }
    if let (Service::Ec2, "GetConsoleOutput", Some(instance_id)) =
        (service, operation, asked.query.get("InstanceId"))
    {
        let text = core.machines().console(instance_id).await;
        core.state().consoles.insert(instance_id.to_owned(), text);
    }
    if service == Service::Ec2 && operation.starts_with("DescribeInstance") {
        core.notice_shutdowns().await;
    }
    let reply = if service == Service::Ssm {
        Reply::of_json(serve_json(core, operation, &asked.parameters))
    } else {
        let call = Call {
            operation: operation.to_owned(),
            query: asked.query.clone(),
            request_id: request_id.to_owned(),
        };
        let mut state = core.state();
        let outcome = match service {
            Service::Ec2 => ec2::serve(&mut state, &call),
            Service::Beanstalk => beanstalk::serve(&mut state, &call),
            Service::Sts => sts::serve(&state, origin, &call),
            Service::Ssm | Service::Storage => Err(ApiError::invalid_action(operation)),
        };
        Reply::of_query(service, operation, request_id, outcome)
    };
    core.settle().await;
    reply
}

fn serve_json(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    let body = Json::new(body)?;
    let mut state = core.state();
    if let Some(answer) = parameters::serve(&mut state, operation, body) {
        return answer;
    }
    ssm::serve(&mut state, operation, body).unwrap_or_else(|| {
        Err(ApiError::new(
            "UnknownOperationException",
            format!("the operation {operation} is not known"),
        ))
    })
}
