//! Launching instances, once for each client token.

use super::dry_run;
use super::images::{self, Image, ImageState};
use super::instance_types;
use super::instances::{Instance, InstanceState, Machine};
use super::launch_request::{self, Launch};
use super::volumes::Volume;
use crate::sandbox::clock;
use crate::sandbox::jobs::Job;
use crate::sandbox::machines::LaunchSpec;
use crate::sandbox::state::State;
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// What was launched with a client token.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    parameters: Query,
    instances: Vec<String>,
}

/// `RunInstances`.
pub(super) fn run(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let token = query.owned("ClientToken");
    if token.as_ref().is_some_and(|token| token.len() > 64) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "The client token must not be longer than 64 characters",
        ));
    }
    if let Some(known) = token
        .as_ref()
        .and_then(|token| state.reservations.get(token))
    {
        return again(state, call, known);
    }
    let least = count(query, "MinCount")?;
    let most = count(query, "MaxCount")?;
    if least > most || most > 100 {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "MinCount must not be above MaxCount, nor MaxCount above 100",
        ));
    }
    let launch = launch_request::read(state, query)?;
    dry_run(call)?;
    let reservation_id = state.new_id("r");
    let instances: Vec<String> = (0..most)
        .map(|_| state.launch(&launch, &reservation_id))
        .collect();
    if let Some(token) = token {
        state.reservations.insert(
            token,
            Reservation {
                parameters: query.clone(),
                instances: instances.clone(),
            },
        );
    }
    Ok(write(state, &instances))
}

fn again(state: &State, call: &Call, known: &Reservation) -> Result<Xml, ApiError> {
    if known.parameters != call.query {
        return Err(ApiError::new(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        ));
    }
    let terminated = known
        .instances
        .iter()
        .filter_map(|id| state.instances.get(id))
        .any(|instance| !instance.has_machine());
    if terminated {
        return Err(ApiError::new(
            "IdempotentInstanceTerminated",
            "The instance that was launched with this client token has been terminated.",
        ));
    }
    Ok(write(state, &known.instances))
}

fn write(state: &State, instances: &[String]) -> Xml {
    let mut xml = Xml::new();
    let known: Vec<&Instance> = instances
        .iter()
        .filter_map(|id| state.instances.get(id))
        .collect();
    xml.optional(
        "reservationId",
        known.first().map(|instance| &instance.reservation_id),
    )
    .text("ownerId", &state.account);
    xml.list("instancesSet", "item", known, |xml, instance| {
        state.write_instance(xml, instance);
    });
    xml
}

fn count(query: &Query, name: &str) -> Result<usize, ApiError> {
    query.required(name)?;
    match query.number(name)? {
        Some(count) if count > 0 => Ok(count),
        _ => Err(ApiError::new(
            "InvalidParameterValue",
            format!("{name} must be at least 1"),
        )),
    }
}

/// Finds an image that can be launched.
pub(crate) fn launchable<'a>(state: &'a State, image_id: &str) -> Result<&'a Image, ApiError> {
    let image = images::known_image(state, image_id)?;
    match image.state {
        ImageState::Available => Ok(image),
        ImageState::Deregistered => Err(ApiError::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{image_id}]' does not exist"),
        )),
        ImageState::Pending | ImageState::Failed | ImageState::Disabled => Err(ApiError::new(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{image_id}' is {}", image.state.name()),
        )),
    }
}

/// Refuses an instance type that cannot run the image.
pub(crate) fn check_architecture(instance_type: &str, image: &Image) -> Result<(), ApiError> {
    let known = instance_types::find(instance_type).ok_or_else(|| {
        ApiError::new(
            "InvalidParameterValue",
            format!("Invalid value '{instance_type}' for InstanceType."),
        )
    })?;
    if known.architecture == image.architecture {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidParameterValue",
        format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
            known.architecture, image.architecture
        ),
    ))
}

impl State {
    /// Launches one instance; what it is launched with was checked before.
    pub(crate) fn launch(&mut self, launch: &Launch, reservation_id: &str) -> String {
        let id = self.new_id("i");
        let turn = self.instances.len() % self.subnets.len();
        let subnet = self
            .subnets
            .iter()
            .find(|subnet| Some(&subnet.id) == launch.subnet_id.as_ref())
            .unwrap_or(&self.subnets[turn])
            .clone();
        let private_ip = self.new_address(subnet.third);
        let now = clock::now();
        let volumes: Vec<String> = launch
            .disks
            .iter()
            .map(|disk| {
                let mut disk = disk.clone();
                if let (false, Some(key)) = (disk.encrypted, &self.default_key) {
                    disk.encrypted = true;
                    disk.key = Some(key.clone());
                }
                let volume = Volume {
                    id: self.new_id("vol"),
                    disk,
                    instance_id: id.clone(),
                    availability_zone: subnet.availability_zone.clone(),
                    created: now,
                    tags: launch.volume_tags.clone(),
                };
                let volume_id = volume.id.clone();
                self.volumes.insert(volume_id.clone(), volume);
                volume_id
            })
            .collect();
        let architecture = self
            .images
            .get(&launch.image_id)
            .map_or_else(|| "x86_64".to_owned(), |image| image.architecture.clone());
        self.jobs.push(Job::Launch(LaunchSpec {
            instance_id: id.clone(),
            image_id: launch.image_id.clone(),
            region: self.region.clone(),
            private_ip: Some(private_ip.clone()),
        }));
        let instance = Instance {
            id: id.clone(),
            reservation_id: reservation_id.to_owned(),
            image_id: launch.image_id.clone(),
            size: launch.instance_type.clone(),
            architecture,
            subnet_id: subnet.id,
            availability_zone: subnet.availability_zone,
            security_groups: launch.security_groups.clone(),
            profile: launch.profile.clone(),
            key_name: launch.key_name.clone(),
            user_data: launch.user_data.clone(),
            tags: launch.instance_tags.clone(),
            launched: now,
            state: InstanceState::Pending,
            ripening: None,
            machine: Machine::Busy,
            reason: None,
            transition: String::new(),
            private_ip,
            address: None,
            volumes,
            tokens: if launch.tokens_required {
                "required"
            } else {
                "optional"
            },
            hop_limit: launch.hop_limit,
            client_token: launch.client_token.clone(),
            agent: None,
            agent_answered: false,
            registered: None,
            carries_marker: false,
            rebooted: false,
        };
        self.instances.insert(id.clone(), instance);
        self.enter(&id, InstanceState::Pending, "");
        id
    }
}
