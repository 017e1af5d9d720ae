//! What can be seen of a machine from outside. Every look may be forbidden to the caller: it is optional.

use crate::cloud::{
    Checks, Cloud, CloudError, Egress, Endpoint, ErrorKind, InstanceState, Placement, Route,
};
use crate::id::InstanceId;

/// How many lines of the console are read: EC2 keeps 64 KB.
const CONSOLE_LINES: usize = 2_000;

/// What a look showed, or why it could not be made.
type Looked<T> = Result<T, String>;

/// What was seen of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The region: endpoints are named after it.
    pub(super) region: String,
    /// The machine's state.
    pub(super) state: Looked<InstanceState>,
    /// EC2's own checks; none where it has none of this machine.
    pub(super) checks: Looked<Option<Checks>>,
    /// Where it stands, and as whom.
    pub(super) placement: Looked<Placement>,
    /// The routes of its subnet.
    pub(super) routes: Looked<Vec<Route>>,
    /// The interface endpoints of its VPC.
    pub(super) endpoints: Looked<Vec<Endpoint>>,
    /// What its security groups let out.
    pub(super) egress: Looked<Vec<Egress>>,
    /// The last lines of its console.
    pub(super) console: Looked<Vec<String>>,
}

impl Facts {
    /// What could not be looked at, and why.
    pub(super) fn unseen(&self) -> Vec<String> {
        let list = [
            ("the machine's state", self.state.as_ref().err()),
            ("its status checks", self.checks.as_ref().err()),
            ("its instance profile", self.placement.as_ref().err()),
            ("the routes of its subnet", self.routes.as_ref().err()),
            ("the endpoints of its VPC", self.endpoints.as_ref().err()),
            ("its security groups", self.egress.as_ref().err()),
            ("its console", self.console.as_ref().err()),
        ];
        list.into_iter()
            .filter_map(|(what, why)| Some(format!("{what} could not be looked at: {}", why?)))
            .collect()
    }
}

/// Looks at everything that may be the cause.
pub(super) async fn look(cloud: &Cloud, id: &InstanceId) -> Facts {
    let placement = cloud.placement(id).await.map_err(|error| why(&error));
    let placed = placement.clone().unwrap_or_default();
    let unplaced = || "nobody knows where it stands".to_owned();
    let routes = match (&placed.vpc, &placed.subnet) {
        (Some(vpc), Some(subnet)) => cloud.routes(vpc, subnet).await.map_err(|error| why(&error)),
        _ => Err(unplaced()),
    };
    let endpoints = match &placed.vpc {
        Some(vpc) => cloud.endpoints(vpc).await.map_err(|error| why(&error)),
        None => Err(unplaced()),
    };
    let egress = match &placement {
        Ok(placed) => cloud
            .egress(&placed.groups)
            .await
            .map_err(|error| why(&error)),
        Err(_) => Err(unplaced()),
    };
    Facts {
        region: cloud.region().to_owned(),
        state: match cloud.instance(id).await {
            Ok(instance) => Ok(instance.state),
            Err(error) => Err(why(&error)),
        },
        checks: cloud.checks(id).await.map_err(|error| why(&error)),
        placement,
        routes,
        endpoints,
        egress,
        console: cloud
            .console(id, CONSOLE_LINES)
            .await
            .map_err(|error| why(&error)),
    }
}

/// Why a look could not be made, in few words.
fn why(error: &CloudError) -> String {
    if error.kind == ErrorKind::Denied {
        format!("no permission ec2:{}", error.operation)
    } else {
        error.to_string()
    }
}
