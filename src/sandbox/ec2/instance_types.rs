//! The instance types that the sandbox knows.

use std::collections::BTreeSet;

use super::filters::Filters;
use super::tags::Tags;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// A size of machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InstanceType {
    pub(crate) name: &'static str,
    pub(crate) architecture: &'static str,
    cpus: u32,
    mebibytes: u32,
}

impl InstanceType {
    /// Graviton boots by UEFI alone.
    fn boot_modes(self) -> &'static [&'static str] {
        match self.architecture {
            "arm64" => &["uefi"],
            _ => &["legacy-bios", "uefi"],
        }
    }
}

const fn of(
    name: &'static str,
    architecture: &'static str,
    cpus: u32,
    mebibytes: u32,
) -> InstanceType {
    InstanceType {
        name,
        architecture,
        cpus,
        mebibytes,
    }
}

/// Sizes as EC2's user guide lists them.
const ALL: &[InstanceType] = &[
    of("t3.nano", "x86_64", 2, 512),
    of("t3.micro", "x86_64", 2, 1024),
    of("t3.small", "x86_64", 2, 2048),
    of("t3.medium", "x86_64", 2, 4096),
    of("t3.large", "x86_64", 2, 8192),
    of("t3.xlarge", "x86_64", 4, 16_384),
    of("t3a.micro", "x86_64", 2, 1024),
    of("t3a.small", "x86_64", 2, 2048),
    of("t3a.medium", "x86_64", 2, 4096),
    of("m5.large", "x86_64", 2, 8192),
    of("m5.xlarge", "x86_64", 4, 16_384),
    of("m6i.large", "x86_64", 2, 8192),
    of("c5.large", "x86_64", 2, 4096),
    of("c6i.large", "x86_64", 2, 4096),
    of("t4g.nano", "arm64", 2, 512),
    of("t4g.micro", "arm64", 2, 1024),
    of("t4g.small", "arm64", 2, 2048),
    of("t4g.medium", "arm64", 2, 4096),
    of("t4g.large", "arm64", 2, 8192),
    of("m6g.large", "arm64", 2, 8192),
    of("m7g.large", "arm64", 2, 8192),
    of("c7g.large", "arm64", 2, 4096),
];

/// Finds a type by its name.
pub(crate) fn find(name: &str) -> Option<InstanceType> {
    ALL.iter().find(|one| one.name == name).copied()
}

/// `DescribeInstanceTypes`.
pub(super) fn describe(call: &Call) -> Result<Xml, ApiError> {
    let names = call.query.list("InstanceType");
    let filters = Filters::read(
        &call.query,
        &[
            "instance-type",
            "processor-info.supported-architecture",
            "current-generation",
            "vcpu-info.default-vcpus",
        ],
    )?;
    let unknown: Vec<&str> = names
        .iter()
        .filter(|name| find(name).is_none())
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(ApiError::new(
            "InvalidInstanceType",
            format!(
                "The following supplied instance types do not exist: [{}]",
                unknown.join(", ")
            ),
        ));
    }
    let found = ALL
        .iter()
        .filter(|one| names.is_empty() || names.iter().any(|name| name == one.name))
        .filter(|one| {
            filters.pass(&Tags::new(), |name| {
                vec![match name {
                    "instance-type" => one.name.to_owned(),
                    "processor-info.supported-architecture" => one.architecture.to_owned(),
                    "current-generation" => "true".to_owned(),
                    _ => one.cpus.to_string(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &names, found)?;
    let mut xml = Xml::new();
    xml.list(
        "instanceTypeSet",
        "item",
        page,
        |xml, one: &InstanceType| {
            xml.text("instanceType", one.name)
                .text("currentGeneration", true)
                .texts("supportedUsageClasses", "item", ["on-demand", "spot"])
                .texts("supportedRootDeviceTypes", "item", ["ebs"])
                .texts("supportedVirtualizationTypes", "item", ["hvm"])
                .text("bareMetal", false)
                .text("hypervisor", "nitro")
                .within("processorInfo", |xml| {
                    xml.texts("supportedArchitectures", "item", [one.architecture]);
                })
                .within("vCpuInfo", |xml| {
                    xml.text("defaultVCpus", one.cpus);
                })
                .within("memoryInfo", |xml| {
                    xml.text("sizeInMiB", one.mebibytes);
                })
                .text("instanceStorageSupported", false)
                .texts(
                    "supportedBootModes",
                    "item",
                    one.boot_modes().iter().copied(),
                );
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}

/// `DescribeInstanceTypeOfferings`: every zone sells every type.
pub(super) fn describe_offerings(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let filters = Filters::read(&call.query, &["instance-type", "location"])?;
    let location_type = call.query.get("LocationType").unwrap_or("region");
    let locations: BTreeSet<String> = match location_type {
        "region" => BTreeSet::from([state.region.clone()]),
        "availability-zone" => state
            .subnets
            .iter()
            .map(|subnet| subnet.availability_zone.clone())
            .collect(),
        other => {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Value ({other}) for parameter locationType is invalid."),
            ));
        }
    };
    let all = ALL
        .iter()
        .flat_map(|one| locations.iter().map(move |location| (one.name, location)));
    let found = all
        .filter(|(name, location)| {
            filters.pass(&Tags::new(), |filter| {
                vec![match filter {
                    "instance-type" => (*name).to_owned(),
                    _ => (*location).clone(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &[], found)?;
    let mut xml = Xml::new();
    xml.list(
        "instanceTypeOfferingSet",
        "item",
        page,
        |xml, (name, location)| {
            xml.text("instanceType", name)
                .text("locationType", location_type)
                .text("location", location);
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}
