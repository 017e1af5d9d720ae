//! The platform versions that the sandbox has, and their stock images.

use super::{invalid, paged};
use crate::sandbox::clock::Ripening;
use crate::sandbox::ec2::images::{AMAZON, Capture, Image, ImageState, ROOT_DEVICE};
use crate::sandbox::ec2::tags::Tags;
use crate::sandbox::ec2::volumes::Disk;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// A version of the PHP platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Platform {
    version: &'static str,
    /// Its own image for `x86_64`.
    pub(crate) image: &'static str,
    /// Its own image for arm64.
    arm_image: &'static str,
    released: &'static str,
}

/// The branch that all versions belong to.
const BRANCH: &str = "PHP 8.2 running on 64bit Amazon Linux 2023";

/// Newest last.
const ALL: &[Platform] = &[
    Platform {
        version: "4.3.0",
        image: "ami-0b8a5e1d3c7f20430",
        arm_image: "ami-0c8a5e1d3c7f20430",
        released: "2026-01-14T00:00:00Z",
    },
    Platform {
        version: "4.3.1",
        image: "ami-0b8a5e1d3c7f20431",
        arm_image: "ami-0c8a5e1d3c7f20431",
        released: "2026-02-11T00:00:00Z",
    },
];

impl Platform {
    /// The newest version.
    pub(crate) fn newest() -> Self {
        ALL[ALL.len() - 1]
    }

    /// The version that an ARN or the name of a solution stack means.
    pub(crate) fn find(arn_or_stack: &str, region: &str) -> Option<Self> {
        ALL.iter()
            .find(|one| one.arn(region) == arn_or_stack || one.stack() == arn_or_stack)
            .copied()
    }

    /// Its ARN.
    pub(crate) fn arn(self, region: &str) -> String {
        format!(
            "arn:aws:elasticbeanstalk:{region}::platform/{BRANCH}/{}",
            self.version
        )
    }

    /// Its name as a solution stack.
    pub(crate) fn stack(self) -> String {
        format!("64bit Amazon Linux 2023 v{} running PHP 8.2", self.version)
    }

    fn images(self) -> [(&'static str, &'static str); 2] {
        [("x86_64", self.image), ("arm64", self.arm_image)]
    }
}

/// The ids of all stock images: with real machines, those of the platform's container image.
pub(crate) fn stock_image_ids() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|one| [one.image, one.arm_image])
}

/// The stock images of all versions.
pub(crate) fn stock_images() -> Vec<Image> {
    ALL.iter()
        .flat_map(|one| one.images().map(|(architecture, id)| (one, architecture, id)))
        .map(|(platform, architecture, id)| Image {
            id: id.to_owned(),
            name: format!(
                "aws-elasticbeanstalk-amzn-2023.{}.64bit-eb_php82_amazon_linux_2023-hvm-{architecture}",
                platform.version
            ),
            description: Some(format!("{BRANCH} {}", platform.version)),
            owner: Some(AMAZON),
            architecture: architecture.to_owned(),
            state: ImageState::Available,
            failure: None,
            created: platform.released.parse().unwrap_or_default(),
            disks: vec![Disk {
                device: ROOT_DEVICE.to_owned(),
                snapshot_id: Some(id.replace("ami-", "snap-")),
                gibibytes: 8,
                kind: "gp3".to_owned(),
                encrypted: false,
                key: None,
                delete_on_termination: true,
            }],
            tags: Tags::new(),
            source_instance: None,
            parent: None,
            ripening: None::<Ripening>,
            capture: Capture::Done,
        })
        .collect()
}

/// `DescribePlatformVersion`.
pub(super) fn describe(call: &Call) -> Result<Xml, ApiError> {
    let arn = call.query.required("PlatformArn")?;
    let platform = arn
        .split(':')
        .nth(3)
        .and_then(|region| Platform::find(arn, region))
        .ok_or_else(|| invalid(format!("No Platform named '{arn}' found.")))?;
    let mut xml = Xml::new();
    xml.within("PlatformDescription", |xml| {
        xml.text("PlatformArn", arn)
            .text("PlatformOwner", "AWSElasticBeanstalk")
            .text("PlatformName", BRANCH)
            .text("PlatformVersion", platform.version)
            .text("SolutionStackName", platform.stack())
            .text("PlatformStatus", "Ready")
            .text("DateCreated", platform.released)
            .text("DateUpdated", platform.released)
            .text("PlatformCategory", "PHP")
            .text("Description", platform.stack())
            .text("Maintainer", "aws-elasticbeanstalk-platforms@amazon.com")
            .text("OperatingSystemName", "Amazon Linux")
            .text("OperatingSystemVersion", "2023")
            .list("ProgrammingLanguages", "member", ["8.2"], |xml, version| {
                xml.text("Name", "PHP").text("Version", version);
            })
            .list(
                "CustomAmiList",
                "member",
                platform.images(),
                |xml, (_, image)| {
                    xml.text("VirtualizationType", "hvm").text("ImageId", image);
                },
            )
            .list(
                "DefaultAmiList",
                "member",
                platform.images(),
                |xml, (architecture, image)| {
                    xml.text("Architecture", architecture)
                        .text("ImageId", image);
                },
            )
            .texts(
                "SupportedTierList",
                "member",
                ["WebServer/Standard", "Worker/SQS/HTTP"],
            )
            .text("PlatformBranchName", BRANCH)
            .text("PlatformBranchLifecycleState", "Supported");
    });
    Ok(xml)
}

/// `ListPlatformVersions`, newest first.
pub(super) fn list(region: &str, call: &Call) -> Result<Xml, ApiError> {
    let filters = call.query.structures("Filters.member");
    let found = ALL
        .iter()
        .rev()
        .filter(|one| {
            filters.iter().all(|filter| {
                let values = filter.list("Values.member");
                let present = match filter.get("Type") {
                    Some("PlatformVersion") => one.version,
                    Some("PlatformBranchName" | "PlatformName") => BRANCH,
                    Some("PlatformStatus") => "Ready",
                    _ => return true,
                };
                values.iter().any(|value| present.contains(value.as_str()))
            })
        })
        .collect();
    let (page, token) = paged(call, found)?;
    let mut xml = Xml::new();
    xml.list(
        "PlatformSummaryList",
        "member",
        page,
        |xml, one: &Platform| {
            xml.text("PlatformArn", one.arn(region))
                .text("PlatformOwner", "AWSElasticBeanstalk")
                .text("PlatformStatus", "Ready")
                .text("PlatformCategory", "PHP")
                .text("OperatingSystemName", "Amazon Linux")
                .text("OperatingSystemVersion", "2023")
                .texts(
                    "SupportedTierList",
                    "member",
                    ["WebServer/Standard", "Worker/SQS/HTTP"],
                )
                .text("PlatformVersion", one.version)
                .text("PlatformBranchName", BRANCH)
                .text("PlatformBranchLifecycleState", "Supported");
        },
    )
    .optional("NextToken", token);
    Ok(xml)
}
