//! Instances: launched with a derived token, looked at, stopped, terminated.

use aws_sdk_ec2::types as sdk;
use base64::Engine as _;

use super::super::{Cloud, CloudError, ErrorKind, present, tags};
use super::{Instance, InstanceState, Tags, filter, tag_specifications};
use crate::id::{ImageId, InstanceId, SecurityGroupId, SubnetId};

/// What an instance is launched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRequest {
    /// The client token: derived from run, step, attempt and parameters. EC2 answers a repeated token with the same
    /// instance, and refuses one whose parameters changed or whose instance is terminated.
    pub token: String,
    /// The image.
    pub image: ImageId,
    /// The instance type.
    pub instance_type: String,
    /// The subnet.
    pub subnet: SubnetId,
    /// The security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// The instance profile's name or ARN.
    pub instance_profile: Option<String>,
    /// Our own cloud-config; an image carries no user data, and Beanstalk's is never copied.
    pub user_data: String,
    /// The devices of the image whose volumes would outlive the machine: here they go with it. No others are named: that
    /// EC2 takes what a mapping does not say from the image is documented for the root device alone.
    pub lasting_devices: Vec<String>,
    /// The root device's name and its size in GiB, where it is to differ from the image's.
    pub root_volume: Option<(String, u32)>,
    /// The tags of instance and volumes.
    pub tags: Tags,
}

/// An instance that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensured {
    /// Its id.
    pub id: InstanceId,
    /// The state in which it was found; `None` where it was launched just now.
    pub found: Option<InstanceState>,
}

impl Cloud {
    /// Returns the instances of those ids; an id that does not exist is an error of kind `NotFound`.
    pub async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list = ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.describe_instances(&list.join(", "), Some(list), Vec::new())
            .await
    }

    /// Returns those of these ids that EC2 shows now: unlike [`instances`](Self::instances) it does not fail for one that
    /// is not visible yet or any more. At most 200 ids are asked for at once (EC2 API reference, filters).
    pub async fn visible_instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CloudError> {
        let mut found = Vec::new();
        for some in ids.chunks(200) {
            let values: Vec<&str> = some.iter().map(InstanceId::as_str).collect();
            let filters = vec![filter("instance-id", &values)];
            found.extend(
                self.describe_instances(&values.join(", "), None, filters)
                    .await?,
            );
        }
        Ok(found)
    }

    /// Returns one instance.
    pub async fn instance(&self, id: &InstanceId) -> Result<Instance, CloudError> {
        let list = self.instances(std::slice::from_ref(id)).await?;
        present(
            list.into_iter().next(),
            "DescribeInstances",
            id.as_str(),
            "Instances",
        )
    }

    /// Returns the instances that carry all of these tags, gone ones included.
    pub async fn instances_tagged(&self, wanted: &Tags) -> Result<Vec<Instance>, CloudError> {
        let filters = wanted
            .iter()
            .map(|(key, value)| filter(&format!("tag:{key}"), &[value]))
            .collect();
        self.describe_instances("tagged instances", None, filters)
            .await
    }

    /// Returns all instances of the account and region that are not gone.
    pub async fn living_instances(&self) -> Result<Vec<Instance>, CloudError> {
        let mut list = self
            .describe_instances("all instances", None, Vec::new())
            .await?;
        list.retain(|instance| !instance.state.is_gone());
        Ok(list)
    }

    async fn describe_instances(
        &self,
        subject: &str,
        ids: Option<Vec<String>>,
        filters: Vec<sdk::Filter>,
    ) -> Result<Vec<Instance>, CloudError> {
        const OPERATION: &str = "DescribeInstances";
        let filters = (!filters.is_empty()).then_some(filters);
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ec2
                .describe_instances()
                .set_instance_ids(ids.clone())
                .set_filters(filters.clone())
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, subject, &error))?;
            for reservation in answer.reservations() {
                for instance in reservation.instances() {
                    found.push(Instance::read(instance, OPERATION)?);
                }
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Launches an instance unless there is one of this run and role: a run has one machine of a role at a time, whichever
    /// attempt launched it.
    pub async fn ensure_instance(&self, request: &LaunchRequest) -> Result<Ensured, CloudError> {
        const OPERATION: &str = "RunInstances";
        let ours: Tags = [tags::RUN, tags::ROLE]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), request.tags.get(key)?.clone())))
            .collect();
        let found = self.instances_tagged(&ours).await?;
        if let Some(found) = found.into_iter().find(|one| !one.state.is_gone()) {
            return Ok(Ensured {
                id: found.id,
                found: Some(found.state),
            });
        }
        let profile = request.instance_profile.as_ref().map(|profile| {
            let builder = sdk::IamInstanceProfileSpecification::builder();
            if profile.starts_with("arn:") {
                builder.arn(profile)
            } else {
                builder.name(profile)
            }
            .build()
        });
        let volumes = volumes(request);
        let groups = request
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect();
        let answer = self
            .ec2
            .run_instances()
            .client_token(&request.token)
            .image_id(request.image.as_str())
            .instance_type(sdk::InstanceType::from(request.instance_type.as_str()))
            .subnet_id(request.subnet.as_str())
            .set_security_group_ids(Some(groups))
            .set_iam_instance_profile(profile)
            .user_data(base64::engine::general_purpose::STANDARD.encode(&request.user_data))
            .set_block_device_mappings((!volumes.is_empty()).then_some(volumes))
            // With `terminate` a shutdown inside the machine would destroy it before it is imaged.
            .instance_initiated_shutdown_behavior(sdk::ShutdownBehavior::Stop)
            .metadata_options(
                sdk::InstanceMetadataOptionsRequest::builder()
                    .http_tokens(sdk::HttpTokensState::Required)
                    .http_put_response_hop_limit(2)
                    .build(),
            )
            .set_tag_specifications(Some(tag_specifications(
                &[sdk::ResourceType::Instance, sdk::ResourceType::Volume],
                &request.tags,
            )))
            .min_count(1)
            .max_count(1)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, request.image.as_str(), &error))?;
        let id = answer
            .instances()
            .first()
            .and_then(|instance| instance.instance_id());
        let id = present(id, OPERATION, request.image.as_str(), "InstanceId")?;
        Ok(Ensured {
            id: InstanceId::new(id),
            found: None,
        })
    }

    /// Asks for a stopped instance to be started.
    pub async fn start_instance(&self, id: &InstanceId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .start_instances()
            .instance_ids(id.as_str())
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| CloudError::of("StartInstances", id.as_str(), &error))
    }

    /// Asks for an instance to be stopped; one that is stopped already is fine.
    pub async fn stop_instance(&self, id: &InstanceId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .stop_instances()
            .instance_ids(id.as_str())
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| CloudError::of("StopInstances", id.as_str(), &error))
    }

    /// Asks for a running instance to be rebooted. EC2 only queues that, and cuts the power of a machine that does not
    /// shut down within some minutes (EC2 API reference, `RebootInstances`); asked twice, it may reboot twice.
    pub async fn reboot_instance(&self, id: &InstanceId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .reboot_instances()
            .instance_ids(id.as_str())
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| CloudError::of("RebootInstances", id.as_str(), &error))
    }

    /// Asks for an instance to be terminated; one that is gone already is fine.
    pub async fn ensure_terminated(&self, id: &InstanceId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .terminate_instances()
            .instance_ids(id.as_str())
            .send()
            .await;
        match answer.map_err(|error| CloudError::of("TerminateInstances", id.as_str(), &error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}

/// What is asked of the volumes of a machine where the image has it otherwise: that each goes with it, and the root's size.
fn volumes(request: &LaunchRequest) -> Vec<sdk::BlockDeviceMapping> {
    let root = request.root_volume.as_ref();
    let unnamed = root
        .map(|(device, _)| device)
        .filter(|device| !request.lasting_devices.contains(device));
    let mapping = |device: &String| {
        let volume = sdk::EbsBlockDevice::builder().delete_on_termination(true);
        let volume = match root {
            Some((name, size)) if name == device => volume
                .volume_size(i32::try_from(*size).unwrap_or(i32::MAX))
                .volume_type(sdk::VolumeType::Gp3),
            _ => volume,
        };
        sdk::BlockDeviceMapping::builder()
            .device_name(device)
            .ebs(volume.build())
            .build()
    };
    let devices = request.lasting_devices.iter().chain(unnamed);
    devices.map(mapping).collect()
}
