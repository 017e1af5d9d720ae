//! The instance metadata service, version 2: what a machine can ask about itself, with a token.

use hyper::Method;
use sha2::Digest as _;

use super::clock;
use super::core::Core;
use super::ec2::instances::Instance;
use super::server::{Answer, Received};
use super::state::State;
use super::wire::Reply;

/// How long a token is valid at most, in seconds (six hours).
const LONGEST_TOKEN: u32 = 21_600;

/// The part of a path after its version: `latest` or a date, as cloud-init asks.
pub(crate) fn path_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let dated = version.len() == 10
        && version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    (version == "latest" || dated).then_some(rest)
}

/// Answers a machine's request.
pub(crate) fn answer(core: &Core, instance_id: &str, path: &str, received: &Received) -> Answer {
    let (reply, headers) = respond(core, instance_id, path, received);
    Answer::WithHeaders(reply, headers)
}

fn respond(
    core: &Core,
    instance_id: &str,
    path: &str,
    received: &Received,
) -> (Reply, Vec<(&'static str, String)>) {
    if path == "api/token" {
        return token(instance_id, received);
    }
    if received.method != Method::GET {
        return (Reply::text(405, ""), Vec::new());
    }
    let state = core.state();
    let Some(instance) = state.instances.get(instance_id) else {
        return (Reply::text(404, ""), Vec::new());
    };
    if !may_ask(instance, received) {
        return (Reply::text(401, ""), Vec::new());
    }
    if path.trim_end_matches('/') == "user-data" {
        return match &instance.user_data {
            Some(data) => {
                let reply = Reply {
                    status: 200,
                    content_type: "application/octet-stream",
                    body: data.clone(),
                };
                (reply, Vec::new())
            }
            None => (Reply::text(404, ""), Vec::new()),
        };
    }
    match tree(&state, instance, path) {
        Some(text) => (Reply::text(200, text), Vec::new()),
        None => (Reply::text(404, ""), Vec::new()),
    }
}

/// Who may ask: a request with the token, any where tokens are optional, and those for a dated version. Those are
/// cloud-init's: it takes no token on a machine whose firmware does not say that it is Amazon's, and a container has no
/// firmware. Scripts and SDKs ask for `latest`.
fn may_ask(instance: &Instance, received: &Received) -> bool {
    match received.header("x-aws-ec2-metadata-token") {
        Some(presented) => presented == token_of(&instance.id),
        None => instance.tokens == "optional" || !received.path.starts_with("/latest"),
    }
}

fn token(instance_id: &str, received: &Received) -> (Reply, Vec<(&'static str, String)>) {
    const SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";
    if received.method != Method::PUT {
        return (Reply::text(405, ""), Vec::new());
    }
    let seconds = received
        .header(SECONDS)
        .and_then(|text| text.parse::<u32>().ok())
        .filter(|seconds| (1..=LONGEST_TOKEN).contains(seconds));
    match seconds {
        Some(seconds) => (
            Reply::text(200, token_of(instance_id)),
            vec![(SECONDS, seconds.to_string())],
        ),
        None => (Reply::text(400, ""), Vec::new()),
    }
}

/// One token for each machine: that somebody asks for it is what counts here, not that it cannot be guessed.
fn token_of(instance_id: &str) -> String {
    let digest = sha2::Sha256::digest(format!("token of {instance_id}"));
    format!("AQAEA{digest:X}")
}

/// The text at a path, or the names below it.
fn tree(state: &State, instance: &Instance, path: &str) -> Option<String> {
    if path.trim_end_matches('/') == "dynamic/instance-identity/document" {
        return Some(identity(state, instance));
    }
    if path.is_empty() {
        return Some("dynamic\nmeta-data\nuser-data".to_owned());
    }
    let path = path.strip_prefix("meta-data")?.trim_start_matches('/');
    let leaves = leaves(state, instance);
    if let Some((_, text)) = leaves.iter().find(|(name, _)| *name == path) {
        return Some(text.clone());
    }
    // A folder: its names, those of folders with a slash at the end.
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{}/", path.trim_end_matches('/'))
    };
    let mut names: Vec<String> = leaves
        .iter()
        .filter_map(|(name, _)| {
            let rest = name.strip_prefix(&prefix)?;
            Some(match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
        })
        .collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.join("\n"))
}

fn leaves(state: &State, instance: &Instance) -> Vec<(String, String)> {
    let host = instance.host_name(&state.region);
    let mac = "0a:00:00:00:00:01";
    let plain = [
        ("ami-id", instance.image_id.clone()),
        ("ami-launch-index", "0".to_owned()),
        ("hostname", host.clone()),
        ("instance-action", "none".to_owned()),
        ("instance-id", instance.id.clone()),
        ("instance-life-cycle", "on-demand".to_owned()),
        ("instance-type", instance.size.clone()),
        ("local-hostname", host.clone()),
        ("local-ipv4", instance.private_ip.clone()),
        ("mac", mac.to_owned()),
        (
            "placement/availability-zone",
            instance.availability_zone.clone(),
        ),
        ("placement/region", state.region.clone()),
        ("reservation-id", instance.reservation_id.clone()),
        ("services/domain", "amazonaws.com".to_owned()),
        ("services/partition", "aws".to_owned()),
    ];
    let mut leaves: Vec<(String, String)> = plain
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    let groups = state
        .security_groups
        .iter()
        .filter(|group| instance.security_groups.contains(&group.id))
        .map(|group| group.name.clone())
        .collect::<Vec<_>>()
        .join("\n");
    leaves.push(("security-groups".to_owned(), groups));
    let interface = format!("network/interfaces/macs/{mac}");
    for (name, text) in [
        ("device-number", "0".to_owned()),
        ("local-hostname", host),
        ("local-ipv4s", instance.private_ip.clone()),
        ("mac", mac.to_owned()),
        ("subnet-id", instance.subnet_id.clone()),
    ] {
        leaves.push((format!("{interface}/{name}"), text));
    }
    if let (Some(arn), Some(role)) = (&instance.profile, instance.role()) {
        let info = serde_json::json!({
            "Code": "Success",
            "LastUpdated": whole_seconds(clock::now()),
            "InstanceProfileArn": arn,
            "InstanceProfileId": "AIPASANDBOXSANDBOXSA",
        });
        leaves.push(("iam/info".to_owned(), info.to_string()));
        leaves.push((
            format!("iam/security-credentials/{role}"),
            credentials(role),
        ));
    }
    leaves
}

/// Credentials that open nothing but the sandbox; they name the role, so that a request shows who made it.
fn credentials(role: &str) -> String {
    let now = clock::now();
    let expires = now + jiff::SignedDuration::from_hours(6);
    serde_json::json!({
        "Code": "Success",
        "LastUpdated": whole_seconds(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": format!("ASIASANDBOX{}", role.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "")),
        "SecretAccessKey": "sandbox",
        "Token": format!("sandbox-session-of-{role}"),
        "Expiration": whole_seconds(expires),
    })
    .to_string()
}

fn whole_seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn identity(state: &State, instance: &Instance) -> String {
    serde_json::json!({
        "accountId": state.account,
        "architecture": instance.architecture,
        "availabilityZone": instance.availability_zone,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.size,
        "pendingTime": whole_seconds(instance.launched),
        "privateIp": instance.private_ip,
        "region": state.region,
        "version": "2017-09-30",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_latest_or_a_date() {
        for (path, wanted) in [
            ("/latest/meta-data/", Some("meta-data/")),
            (
                "/2021-03-23/meta-data/instance-id",
                Some("meta-data/instance-id"),
            ),
            ("/latest", Some("")),
            ("/my-bucket12/key", None),
            ("/", None),
        ] {
            assert_eq!(path_of(path), wanted, "{path}");
        }
    }
}
