//! How a check reaches the site: from here, to the load balancer or to where DNS leads, or from an instance.

use std::time::Duration;

use crate::cloud::{Cloud, Environment, InstanceState, Probe, ProbeFailure, without_login};
use crate::id::{InstanceId, RunId};
use crate::node::{Job, Node};
use crate::pace;
use crate::pipeline::{Context, Site, names, observe};
use crate::recipe::{HeaderValue, HttpCheck, SLOWER_THAN, Via, question};

/// How long an instance has for one check, redirects and all.
const ON_AN_INSTANCE: Duration = Duration::from_mins(2);

/// Makes a check once.
pub(super) async fn ask(
    context: &Context<'_>,
    environment: &Environment,
    check: &HttpCheck,
) -> Result<(), ProbeFailure> {
    let check = resolved(check, &context.plan.site);
    let (url, dial) = address(&check, environment).map_err(ProbeFailure::unreachable)?;
    if check.via == Some(Via::Instance) {
        return from_an_instance(context, environment, &check, url, dial).await;
    }
    let mut headers = Vec::new();
    for header in &check.headers {
        let value = match &header.value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Secret(reference) => {
                let fetched = context.cloud.secret(&reference.parameter()).await;
                let picked = fetched
                    .map_err(|error| error.to_string())
                    .and_then(|stored| {
                        let missing = || "it does not hold a text of that key".to_owned();
                        reference.pick(&stored).ok_or_else(missing)
                    });
                picked.map_err(|why| {
                    let name = &header.name;
                    ProbeFailure::unreachable(format!(
                        "{}: no value for `{name}` ({reference}): {why}",
                        without_login(&url)
                    ))
                })?
            }
        };
        headers.push((header.name.clone(), value));
    }
    let probe = Probe {
        url,
        dial,
        headers,
        anywhere: check.anywhere,
        insecure: check.insecure,
        status: check.status,
        contains: check.contains.clone(),
        slower_than: check.slower_than.unwrap_or(SLOWER_THAN),
    };
    probe.ask().await
}

/// The check with what the site says of all its requests.
pub(super) fn resolved(check: &HttpCheck, site: &Site) -> HttpCheck {
    let mut check = check.clone();
    check.slower_than = check.slower_than.or(site.slower_than);
    // A whole address is a probe's own: it says for itself how it is asked, and is asked as visitors ask.
    if !check.path.starts_with('/') {
        check.via = check.via.or(Some(Via::Dns));
        return check;
    }
    let origin = site.url.as_deref().and_then(|url| url.split_once("://"));
    check.via = check.via.or(site.via);
    check.resolve = check.resolve.or_else(|| site.resolve.clone());
    check.insecure |= site.insecure;
    check.https = check
        .https
        .or(site.https)
        .or(origin.map(|(scheme, _)| scheme == "https"));
    check.host = check
        .host
        .or_else(|| origin.map(|(_, host)| host.to_owned()));
    for header in &site.headers {
        let said = |other: &crate::recipe::Header| other.name.eq_ignore_ascii_case(&header.name);
        if !check.headers.iter().any(said) {
            check.headers.push(header.clone());
        }
    }
    check
}

/// The address that a check asks for, and where to connect to, where that is not its host.
pub(super) fn address(
    check: &HttpCheck,
    environment: &Environment,
) -> Result<(String, Option<String>), String> {
    let endpoint = || {
        let endpoint = environment.endpoint.clone();
        endpoint.ok_or_else(|| format!("{} has no address yet", environment.name))
    };
    let by_name = check.via == Some(Via::Dns);
    if !check.path.starts_with('/') {
        let dial = match (&check.resolve, by_name) {
            (Some(address), _) => Some(address.clone()),
            (None, true) => None,
            (None, false) => Some(endpoint()?),
        };
        return Ok((check.path.clone(), dial));
    }
    let scheme = if check.https == Some(true) {
        "https"
    } else {
        "http"
    };
    let (host, dial) = match (&check.host, &check.resolve) {
        (Some(host), None) if by_name => (host.clone(), None),
        (Some(host), None) => (host.clone(), Some(endpoint()?)),
        (Some(host), Some(address)) => (host.clone(), Some(address.clone())),
        (None, address) => (endpoint()?, address.clone()),
    };
    Ok((format!("{scheme}://{host}{}", check.path), dial))
}

/// Has one of the environment's instances ask, by Run Command.
async fn from_an_instance(
    context: &Context<'_>,
    environment: &Environment,
    check: &HttpCheck,
    url: String,
    dial: Option<String>,
) -> Result<(), ProbeFailure> {
    let script = question(check, url.clone(), dial.unwrap_or_default());
    let nobody = |why: String| {
        let name = &environment.name;
        let url = without_login(&url);
        ProbeFailure::unreachable(format!("{url}: no instance of {name} could ask: {why}"))
    };
    let instance = asking_instance(context.cloud, environment)
        .await
        .map_err(nobody)?;
    // A name of its own each time: what a machine has done once it does not do again.
    let once = RunId::starting_at(pace::now(), fastrand::u16(..));
    let job = Job {
        unit: names::unit(&once, "probe"),
        script: &script,
        contents: &[],
        limit: ON_AN_INSTANCE,
    };
    let mut log = Vec::new();
    let ended = Node::new(context.cloud, &instance)
        .run(&job, |bytes| log.extend_from_slice(bytes))
        .await;
    match ended {
        Ok(0) => Ok(()),
        Ok(code) => {
            let log = String::from_utf8_lossy(&log).into_owned();
            let said = log
                .lines()
                .rfind(|line| !line.is_empty() && !line.starts_with("@@"));
            Err(ProbeFailure {
                reason: format!(
                    "asked from {instance}: {}",
                    said.unwrap_or("nothing was said")
                ),
                unreachable: code == 2,
            })
        }
        Err(error) => Err(nobody(error.to_string())),
    }
}

/// The instance that has run longest of those whose agent answers. The error says why there is none.
async fn asking_instance(cloud: &Cloud, environment: &Environment) -> Result<InstanceId, String> {
    let instances = observe::instances(cloud, environment).await;
    let mut instances = instances.map_err(|error| error.to_string())?;
    instances.retain(|instance| instance.state == InstanceState::Running);
    instances.sort_by_key(|instance| instance.launched);
    for instance in &instances {
        let status = cloud.agent_status(&instance.id).await;
        if status.map_err(|error| error.to_string())?.as_deref() == Some("Online") {
            return Ok(instance.id.clone());
        }
    }
    Err("Systems Manager reaches none of them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Header;

    fn check(path: &str) -> HttpCheck {
        HttpCheck {
            path: path.to_owned(),
            host: None,
            https: None,
            headers: Vec::new(),
            resolve: None,
            insecure: false,
            via: None,
            slower_than: None,
            status: 200,
            contains: Vec::new(),
            anywhere: false,
            within: Duration::ZERO,
        }
    }

    /// Where a check goes: the address, and what is connected to.
    fn way(check: &HttpCheck, site: &Site) -> (String, String) {
        let environment = Environment {
            id: crate::id::EnvironmentId::new("e-0123456789"),
            name: "shop-prod".to_owned(),
            application: "shop".to_owned(),
            status: "Ready".to_owned(),
            health: "Green".to_owned(),
            health_status: None,
            version: None,
            platform: String::new(),
            endpoint: Some("lb.example:81".to_owned()),
            tier: "WebServer".to_owned(),
            abortable: false,
        };
        let (url, dial) = address(&resolved(check, site), &environment).unwrap();
        (url, dial.unwrap_or_default())
    }

    #[test]
    fn a_check_goes_where_it_says_else_where_the_site_does() {
        let to = |url: &str, dial: &str| (url.to_owned(), dial.to_owned());
        let nothing = Site::default();
        let site = Site {
            url: Some("https://www.shop.example".to_owned()),
            ..Site::default()
        };
        let at_balancer = check("/a?b");
        assert_eq!(
            way(&at_balancer, &nothing),
            to("http://lb.example:81/a?b", "")
        );
        let public = "https://www.shop.example/a?b";
        assert_eq!(way(&at_balancer, &site), to(public, "lb.example:81"));
        let plain = Site {
            https: Some(false),
            ..site.clone()
        };
        assert_eq!(
            way(&at_balancer, &plain),
            to(&public.replace("https", "http"), "lb.example:81")
        );
        let visitors = Site {
            via: Some(Via::Dns),
            ..site.clone()
        };
        assert_eq!(way(&at_balancer, &visitors), to(public, ""));
        let fixed = Site {
            resolve: Some("192.0.2.7".to_owned()),
            ..site.clone()
        };
        assert_eq!(way(&at_balancer, &fixed), to(public, "192.0.2.7"));
        let own = HttpCheck {
            host: Some("img.shop.example".to_owned()),
            https: Some(false),
            via: Some(Via::Balancer),
            ..check("/")
        };
        assert_eq!(
            way(&own, &visitors),
            to("http://img.shop.example/", "lb.example:81")
        );
        // A probe is asked as visitors ask, unless it says otherwise.
        let probe = check("https://www.shop.example/shop");
        assert_eq!(way(&probe, &fixed), to("https://www.shop.example/shop", ""));
        let probe = HttpCheck {
            via: Some(Via::Balancer),
            ..probe
        };
        assert_eq!(
            way(&probe, &site),
            to("https://www.shop.example/shop", "lb.example:81")
        );
    }

    #[test]
    fn a_header_of_the_check_comes_before_the_sites() {
        let header = |name: &str, value: &str| Header::of(name.to_owned(), value.to_owned());
        let site = Site {
            headers: vec![header("X-A", "site"), header("X-B", "ssm:/shop/origin")],
            ..Site::default()
        };
        let mut one = check("/");
        one.headers = vec![header("x-a", "check")];
        let names: Vec<_> = resolved(&one, &site).headers;
        assert_eq!(
            names,
            [header("x-a", "check"), header("X-B", "ssm:/shop/origin")]
        );
        assert!(matches!(names[1].value, HeaderValue::Secret(_)));
        assert!(
            resolved(&check("https://other.example/"), &site)
                .headers
                .is_empty()
        );
    }
}
