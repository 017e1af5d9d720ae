//! What one poll of a watch saw.

use crate::id::{ImageId, InstanceId};

/// What one poll saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Seconds since the watch began.
    pub at: u64,
    /// Whether it saw anything: where a read failed the status is that of the poll before, and the rest is not known.
    pub seen: bool,
    /// The environment's status: `Ready`, `Updating`, …
    pub status: String,
    /// The image that the deployed settings name; none where the read failed.
    pub deployed: Option<ImageId>,
    /// What is pending beside the deployed settings.
    pub draft: Option<Draft>,
    /// The application version that the environment names; none where it has none, or the read failed.
    pub version: Option<String>,
    /// The instances that run.
    pub members: Vec<Member>,
    /// The least number of instances that the group should have.
    pub least: usize,
    /// What health says.
    pub health: Health,
    /// What the probes say: none passed or failed where they were not sent. During an update only those count that
    /// passed before it.
    pub probes: Result<(), String>,
}

/// Settings beside the deployed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// How Beanstalk calls their state.
    pub status: String,
    /// The image that they name.
    pub image: Option<ImageId>,
}

/// An instance of the environment that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub id: InstanceId,
    /// The image that it runs.
    pub image: ImageId,
    /// Whether it serves.
    pub standing: Standing,
    /// What its own answers to visitors show against it.
    pub wrong_answers: Option<String>,
}

/// Whether an instance is in service. With enhanced health Beanstalk says so, which asks the balancer and the instance;
/// with basic health every instance that runs counts, for nothing more is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    InService,
    /// Not yet, or it is not known: Beanstalk's word for it.
    Coming(String),
    /// It is not, for this reason.
    Ill(String),
}

/// Health, as the judgement takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// `Ok` or `Info`; `Green` without enhanced health.
    Good(String),
    /// `Pending`, `Unknown`, `NoData`, `Suspended`, `Grey`, or a read that failed: neither good nor bad.
    Unknown(String),
    /// `Warning`, `Degraded`, `Severe`; `Yellow` or `Red`: with its causes.
    Bad(String),
}

fn with_causes(status: &str, causes: &[String]) -> String {
    if causes.is_empty() {
        status.to_owned()
    } else {
        let causes: Vec<_> = causes
            .iter()
            .map(|cause| cause.trim_end_matches('.'))
            .collect();
        format!("{status}: {}", causes.join("; "))
    }
}

impl Health {
    /// Whether it is good.
    pub(in crate::pipeline) fn is_good(&self) -> bool {
        matches!(self, Self::Good(_))
    }

    /// Sorts a health status or colour (Beanstalk developer guide, enhanced health).
    pub fn read(status: &str, causes: &[String]) -> Self {
        let text = with_causes(status, causes);
        match status {
            "Ok" | "Info" | "Green" => Self::Good(text),
            "Warning" | "Degraded" | "Severe" | "Yellow" | "Red" => Self::Bad(text),
            _ => Self::Unknown(text),
        }
    }
}

impl Standing {
    /// Sorts the enhanced health of an instance. One with a warning serves; one that is not deployed to does not.
    pub fn read(status: &str, causes: &[String], deployment: Option<&str>) -> Self {
        let text = with_causes(status, causes);
        match (status, deployment) {
            (_, Some("Failed")) => Self::Ill(format!("its deployment failed ({text})")),
            ("Degraded" | "Severe", _) => Self::Ill(text),
            ("Ok" | "Info" | "Warning", _) => Self::InService,
            _ => Self::Coming(text),
        }
    }
}

/// Of so many requests within ten seconds an instance's answers say something.
const TELLING: u32 = 5;

/// Tells what the answers of an instance show against it: at least half of enough requests ended in a server's error.
pub(in crate::pipeline) fn wrong_answers(requests: u32, failed: u32) -> Option<String> {
    (requests >= TELLING && failed * 2 >= requests)
        .then(|| format!("answers 5xx to {failed} of {requests} requests"))
}

impl Sample {
    /// The instances in service.
    pub fn in_service(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.standing == Standing::InService)
    }
}
