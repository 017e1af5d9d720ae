//! Trial: EC2 checks the launch of a fleet's instance from an image, and launches nothing.
//!
//! The trial asks for what the fleet asks for: type, subnets, security groups, tags and metadata options. Only what EC2
//! says of the image itself counts against the image. A refused permission is one of goldseed's caller, while the fleet
//! launches with Auto Scaling's role; and neither capacity nor quotas are part of a dry run.

use std::collections::BTreeMap;

use super::{Facts, LAUNCH};
use crate::cloud::{
    CloudError, Image, ImageState, InstanceKind, InstanceState, Tags, TrialLaunch, tags,
};
use crate::id::{SecurityGroupId, SubnetId};
use crate::pipeline::{Context, PipelineError, observe};

/// What a trial launch says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Trial {
    /// EC2 takes such a launch.
    Accepted,
    /// The environment cannot launch the image.
    Unfit {
        /// Why, after the image's id: "is pending".
        reason: String,
        /// What to do about it.
        way_out: &'static str,
    },
    /// The trial says nothing of the image, for this reason.
    Inconclusive(String),
}

impl Trial {
    fn unfit(reason: impl Into<String>, way_out: &'static str) -> Self {
        Self::Unfit {
            reason: reason.into(),
            way_out,
        }
    }

    /// What to warn of; none: the trial has a result.
    pub(in crate::pipeline) fn warning(&self, facts: &Facts, image: &Image) -> Option<String> {
        let Self::Inconclusive(reason) = self else {
            return None;
        };
        Some(format!(
            "no trial launch shows whether {} can launch {}: {reason}",
            facts.environment.name, image.id
        ))
    }
}

/// Tries a launch from an image. An error is one of the call or of the account; nothing is known of the image then.
pub(super) async fn of(
    context: &Context<'_>,
    facts: &Facts,
    image: &Image,
) -> Result<Trial, PipelineError> {
    Ok(tried(context, facts, image).await?)
}

/// Tries a launch from an image that an environment is to go back to: no failed call stops a rollback.
pub(in crate::pipeline) async fn for_rollback(
    context: &Context<'_>,
    facts: &Facts,
    image: &Image,
) -> Trial {
    match tried(context, facts, image).await {
        Ok(trial) => trial,
        Err(error) => Trial::Inconclusive(error.to_string()),
    }
}

async fn tried(context: &Context<'_>, facts: &Facts, image: &Image) -> Result<Trial, CloudError> {
    let cloud = context.cloud;
    match &image.state {
        ImageState::Available => {}
        ImageState::Pending => return Ok(Trial::unfit("is pending", "wait until it is available")),
        ImageState::Unusable(state) => {
            return Ok(Trial::unfit(format!("is {state}"), "build another"));
        }
    }
    let mut unclear = Unclear::default();
    let mut types = Vec::new();
    let mut mismatched = None;
    for instance_type in facts.instance_types() {
        match cloud.instance_kind(instance_type).await {
            Ok(kind) => match mismatch(image, instance_type, &kind) {
                None => types.push(instance_type),
                Some(reason) => mismatched = mismatched.or(Some(reason)),
            },
            Err(error) => {
                unclear.add(error)?;
                types.push(instance_type);
            }
        }
    }
    if let (true, Some(reason)) = (types.is_empty(), mismatched) {
        let way_out = "build an image on the environment's own architecture";
        return Ok(Trial::unfit(reason, way_out));
    }
    if types.is_empty() {
        return Ok(Trial::Inconclusive(
            "its settings name no instance type".to_owned(),
        ));
    }
    let fleet = Fleet::of(context, facts).await?;
    let known: Vec<SubnetId> = fleet.subnets.iter().flatten().cloned().collect();
    let zones = match cloud.subnet_zones(&known).await {
        Ok(zones) => zones,
        Err(error) => {
            unclear.add(error)?;
            BTreeMap::new()
        }
    };
    for instance_type in types {
        let sold = match cloud.zones_that_sell(instance_type).await {
            Ok(sold) => Some(sold),
            Err(error) => {
                unclear.add(error)?;
                None
            }
        };
        for subnet in &fleet.subnets {
            let zone = subnet.as_ref().and_then(|subnet| zones.get(subnet));
            if let (Some(sold), Some(zone)) = (&sold, zone)
                && !sold.contains(zone)
            {
                unclear.unsold(instance_type, zone);
                continue;
            }
            let trial = TrialLaunch {
                image: image.id.clone(),
                instance_type: instance_type.to_owned(),
                subnet: subnet.clone(),
                security_groups: fleet.security_groups.clone(),
                tokens_required: facts.option(LAUNCH, "DisableIMDSv1") != Some("false"),
                tags: fleet.tags.clone(),
            };
            match cloud.try_launch(&trial).await {
                Ok(()) => return Ok(Trial::Accepted),
                Err(error) if is_of_the_image(&error) => {
                    let reason = format!("cannot be launched as {instance_type}: {error}");
                    let way_out = "share the image and its key with this account, or build another";
                    return Ok(Trial::unfit(reason, way_out));
                }
                Err(error) => unclear.add(error)?,
            }
        }
    }
    if image.allowed == Some(false) {
        return Ok(Trial::unfit(
            "is not among the images that this account allows (Allowed AMIs)",
            "add it to the account's Allowed AMIs, or build one in this account",
        ));
    }
    Ok(Trial::Inconclusive(unclear.to_string()))
}

/// Whether a refused trial launch says something of the image. Codes: EC2 API reference, "Error codes".
fn is_of_the_image(error: &CloudError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    code.starts_with("InvalidAMIID.")
}

/// Whether a refused trial launch holds for every launch of the account, whatever is launched and whoever asks.
fn is_of_the_account(error: &CloudError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    matches!(code, "Blocked" | "PendingVerification" | "OptInRequired")
}

/// Why an instance type cannot run an image; none: it can, as far as EC2 describes both.
fn mismatch(image: &Image, instance_type: &str, kind: &InstanceKind) -> Option<String> {
    if !kind.architectures.contains(&image.architecture) {
        return Some(format!(
            "is for {}, and {instance_type} runs {}",
            image.architecture,
            kind.architectures.join(" or ")
        ));
    }
    // `uefi-preferred` boots either way (EC2 user guide, "Instance launch behavior with EC2 boot modes").
    let mode = image.boot_mode.as_deref();
    let mode = mode.filter(|mode| matches!(*mode, "uefi" | "legacy-bios"))?;
    let boots = kind.boot_modes.is_empty() || kind.boot_modes.iter().any(|one| one == mode);
    (!boots).then(|| {
        format!(
            "boots by {mode}, and {instance_type} by {}",
            kind.boot_modes.join(" or ")
        )
    })
}

/// Why a trial has no result: the first message of each kind.
#[derive(Debug, Default)]
struct Unclear(BTreeMap<String, String>);

impl Unclear {
    /// Adds an error that says nothing of the image. One that says nothing of the fleet either, because the call did not
    /// get through or the account may launch nothing at all, is returned.
    fn add(&mut self, error: CloudError) -> Result<(), CloudError> {
        if error.is_transient() || is_of_the_account(&error) {
            return Err(error);
        }
        let key = format!(
            "{} {}",
            error.operation,
            error.code.as_deref().unwrap_or_default()
        );
        let text = if error.code.as_deref() == Some("UnauthorizedOperation") {
            format!(
                "{error}; this is a permission of goldseed's caller, and the fleet launches with Auto Scaling's role"
            )
        } else {
            error.to_string()
        };
        self.0.entry(key).or_insert(text);
        Ok(())
    }

    fn unsold(&mut self, instance_type: &str, zone: &str) {
        let text = format!("AWS does not sell {instance_type} in {zone}");
        self.0
            .entry(format!("{instance_type} {zone}"))
            .or_insert(text);
    }
}

impl std::fmt::Display for Unclear {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list: Vec<&str> = self.0.values().map(String::as_str).collect();
        formatter.write_str(&list.join("; "))
    }
}

/// What the fleet launches its instances with, beside image and type.
struct Fleet {
    subnets: Vec<Option<SubnetId>>,
    security_groups: Vec<SecurityGroupId>,
    tags: Tags,
}

impl Fleet {
    /// Reads it from the settings, and what they do not say from an instance that runs.
    async fn of(context: &Context<'_>, facts: &Facts) -> Result<Self, CloudError> {
        let environment = &facts.environment;
        let instances = observe::instances(context.cloud, environment).await?;
        let mut running = instances
            .iter()
            .filter(|instance| instance.state == InstanceState::Running);
        let of_members: Vec<SubnetId> = running
            .clone()
            .filter_map(|instance| instance.subnet.clone())
            .collect();
        let member = running.next();
        let mut subnets: Vec<Option<SubnetId>> = Vec::new();
        let set: Vec<SubnetId> = facts.subnets().map(SubnetId::new).collect();
        for subnet in if set.is_empty() { of_members } else { set } {
            if !subnets.contains(&Some(subnet.clone())) {
                subnets.push(Some(subnet));
            }
        }
        if subnets.is_empty() {
            subnets.push(None);
        }
        let of_environment = || {
            Tags::from([
                ("Name".to_owned(), environment.name.clone()),
                (
                    "elasticbeanstalk:environment-name".to_owned(),
                    environment.name.clone(),
                ),
                (
                    "elasticbeanstalk:environment-id".to_owned(),
                    environment.id.to_string(),
                ),
            ])
        };
        let of_fleet = member.map_or_else(of_environment, |member| member.tags.clone());
        Ok(Self {
            subnets,
            security_groups: member.map_or_else(Vec::new, |member| member.security_groups.clone()),
            // AWS alone sets tags that begin so. Policies may let goldseed launch only what carries its own tag.
            tags: of_fleet
                .into_iter()
                .filter(|(key, _)| !key.starts_with("aws:"))
                .chain([(tags::RUN.to_owned(), "trial".to_owned())])
                .collect(),
        })
    }
}

impl Facts {
    /// The types that the environment's instances are launched as, the first choice first.
    pub(super) fn instance_types(&self) -> impl Iterator<Item = &str> {
        let list = self
            .option("aws:ec2:instances", "InstanceTypes")
            .filter(|list| !list.trim().is_empty())
            .or_else(|| self.option(LAUNCH, "InstanceType"));
        entries(list)
    }

    /// The type that the environment's instances are launched as first.
    pub(super) fn instance_type(&self) -> Option<&str> {
        self.instance_types().next()
    }

    /// The subnets that were chosen for instances.
    fn subnets(&self) -> impl Iterator<Item = &str> {
        entries(self.option("aws:ec2:vpc", "Subnets"))
    }
}

/// The entries of an option that is a list.
fn entries(list: Option<&str>) -> impl Iterator<Item = &str> {
    let entries = list.unwrap_or_default().split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::ErrorKind;
    use crate::id::ImageId;

    fn error(code: &str, kind: ErrorKind) -> CloudError {
        CloudError {
            operation: "RunInstances",
            subject: "ami-1".into(),
            kind,
            code: Some(code.into()),
            message: "not possible".into(),
            request_id: None,
        }
    }

    fn image(architecture: &str, boot_mode: Option<&str>) -> Image {
        Image {
            id: ImageId::new("ami-1"),
            name: "goldseed-shop".into(),
            state: ImageState::Available,
            architecture: architecture.into(),
            boot_mode: boot_mode.map(ToOwned::to_owned),
            allowed: None,
            root_device: "/dev/xvda".into(),
            root_size: Some(8),
            lasting_devices: Vec::new(),
            snapshots: Vec::new(),
            created: String::new(),
            tags: Tags::new(),
        }
    }

    #[test]
    fn only_what_is_said_of_the_image_counts_against_it() {
        for (code, of_image) in [
            ("InvalidAMIID.NotFound", true),
            ("InvalidAMIID.Unavailable", true),
            ("UnauthorizedOperation", false),
            ("Unsupported", false),
            ("VcpuLimitExceeded", false),
            ("InsufficientInstanceCapacity", false),
            ("InvalidParameterValue", false),
            ("InvalidSubnetID.NotFound", false),
            ("Blocked", false),
        ] {
            assert_eq!(
                is_of_the_image(&error(code, ErrorKind::Refused)),
                of_image,
                "{code}"
            );
        }
    }

    #[test]
    fn a_type_runs_its_architectures_and_boot_modes() {
        let kind = |architecture: &str, modes: &[&str]| InstanceKind {
            architectures: vec![architecture.to_owned()],
            boot_modes: modes.iter().map(ToString::to_string).collect(),
        };
        let fits = |image: &Image, kind: &InstanceKind| mismatch(image, "t3.small", kind).is_none();
        let modern = kind("x86_64", &["legacy-bios", "uefi"]);
        let old = kind("x86_64", &["legacy-bios"]);
        for mode in [
            None,
            Some("uefi"),
            Some("legacy-bios"),
            Some("uefi-preferred"),
        ] {
            assert!(fits(&image("x86_64", mode), &modern), "{mode:?}");
            assert!(!fits(&image("arm64", mode), &modern), "{mode:?}");
            assert!(
                fits(&image("x86_64", mode), &kind("x86_64", &[])),
                "{mode:?}"
            );
        }
        assert!(fits(&image("x86_64", Some("uefi-preferred")), &old));
        assert!(!fits(&image("x86_64", Some("uefi")), &old));
        assert!(!fits(
            &image("arm64", Some("legacy-bios")),
            &kind("arm64", &["uefi"])
        ));
    }

    #[test]
    fn a_call_that_did_not_get_through_is_no_result() {
        let mut unclear = Unclear::default();
        assert!(
            unclear
                .add(error("RequestLimitExceeded", ErrorKind::Throttled))
                .is_err()
        );
        assert!(unclear.add(error("Blocked", ErrorKind::Refused)).is_err());
        unclear
            .add(error("UnauthorizedOperation", ErrorKind::Denied))
            .unwrap();
        unclear
            .add(error("UnauthorizedOperation", ErrorKind::Denied))
            .unwrap();
        unclear.unsold("t3.small", "eu-central-1a");
        let text = unclear.to_string();
        assert_eq!(text.matches("Auto Scaling's role").count(), 1, "{text}");
        assert!(
            text.contains("does not sell t3.small in eu-central-1a"),
            "{text}"
        );
    }
}
