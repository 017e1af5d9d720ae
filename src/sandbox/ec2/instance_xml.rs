//! Instances as the answers show them.

use super::images::ROOT_DEVICE;
use super::instances::{Instance, InstanceState};
use super::network::VPC;
use super::tags;
use crate::sandbox::state::State;
use crate::sandbox::wire::moment;
use crate::sandbox::wire::xml::Xml;

impl State {
    /// Writes an instance as `DescribeInstances` and `RunInstances` show it.
    pub(crate) fn write_instance(&self, xml: &mut Xml, instance: &Instance) {
        let region = &self.region;
        let there = instance.state != InstanceState::Terminated;
        let launched = moment(instance.launched);
        xml.text("instanceId", &instance.id)
            .text("imageId", &instance.image_id);
        instance.state.write(xml, "instanceState");
        xml.optional("privateDnsName", there.then(|| instance.host_name(region)))
            .text("reason", &instance.transition)
            .optional("keyName", instance.key_name.as_ref())
            .text("amiLaunchIndex", 0)
            .text("instanceType", &instance.size)
            .text("launchTime", &launched)
            .within("placement", |xml| {
                xml.text("availabilityZone", &instance.availability_zone)
                    .text("tenancy", "default");
            })
            .within("monitoring", |xml| {
                xml.text("state", "disabled");
            });
        if there {
            xml.text("subnetId", &instance.subnet_id)
                .text("vpcId", VPC)
                .text("privateIpAddress", &instance.private_ip)
                .text("sourceDestCheck", true);
        }
        self.write_groups(xml, &instance.security_groups);
        if let Some((code, message)) = &instance.reason {
            xml.within("stateReason", |xml| {
                xml.text("code", code).text("message", message);
            });
        }
        xml.text("architecture", &instance.architecture)
            .text("rootDeviceType", "ebs")
            .text("rootDeviceName", ROOT_DEVICE)
            .list(
                "blockDeviceMapping",
                "item",
                instance
                    .volumes
                    .iter()
                    .filter_map(|id| self.volumes.get(id)),
                |xml, volume| {
                    xml.text("deviceName", &volume.disk.device)
                        .within("ebs", |xml| {
                            xml.text("volumeId", &volume.id)
                                .text("status", "attached")
                                .text("attachTime", &launched)
                                .text("deleteOnTermination", volume.disk.delete_on_termination);
                        });
                },
            )
            .text("virtualizationType", "hvm")
            .optional("clientToken", instance.client_token.as_ref());
        tags::write(xml, &instance.tags);
        xml.text("hypervisor", "xen");
        if let Some(arn) = &instance.profile {
            xml.within("iamInstanceProfile", |xml| {
                xml.text("arn", arn).text("id", "AIPASANDBOXSANDBOXSA");
            });
        }
        xml.text("ebsOptimized", false)
            .text("enaSupport", true)
            .within("metadataOptions", |xml| {
                xml.text("state", "applied")
                    .text("httpTokens", instance.tokens)
                    .text("httpPutResponseHopLimit", instance.hop_limit)
                    .text("httpEndpoint", "enabled")
                    .text("instanceMetadataTags", "disabled");
            })
            .text("platformDetails", "Linux/UNIX");
    }

    /// Writes security groups with their names.
    pub(crate) fn write_groups(&self, xml: &mut Xml, ids: &[String]) {
        let groups = self
            .security_groups
            .iter()
            .filter(|group| ids.contains(&group.id));
        xml.list("groupSet", "item", groups, |xml, group| {
            xml.text("groupId", &group.id)
                .text("groupName", &group.name);
        });
    }
}
