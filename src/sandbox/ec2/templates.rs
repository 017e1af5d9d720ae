//! Launch templates: each environment has one, made by Beanstalk, that names the image of its instances.

use crate::sandbox::beanstalk::environments::Environment;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// `DescribeLaunchTemplateVersions`: of all templates, the latest or the default version, which are the same here.
pub(super) fn describe_versions(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let versions = call.query.list("LaunchTemplateVersion");
    let of_all = |version: &String| version == "$Latest" || version == "$Default";
    if call.query.get("LaunchTemplateId").is_some()
        || call.query.get("LaunchTemplateName").is_some()
    {
        return Err(ApiError::new(
            "InvalidLaunchTemplateId.NotFound",
            "The sandbox lists the versions of all launch templates only",
        ));
    }
    if versions.is_empty() || !versions.iter().all(of_all) {
        return Err(ApiError::new(
            "MissingParameter",
            "Either a launch template, or $Latest or $Default as the version, must be named",
        ));
    }
    let found = state
        .environments
        .values()
        .filter(|environment| environment.exists())
        .collect();
    let (page, token) = super::paged(call, &[], found)?;
    let mut xml = Xml::new();
    xml.list(
        "launchTemplateVersionSet",
        "item",
        page,
        |xml, environment: &Environment| {
            let settings = &environment.settings;
            xml.text("launchTemplateId", template_id(&environment.id))
                .text("launchTemplateName", &environment.group_name)
                .text("versionNumber", environment.generation.max(1))
                .text("createTime", moment(environment.updated))
                .text("createdBy", format!("arn:aws:iam::{}:root", state.account))
                .text("defaultVersion", true)
                .within("launchTemplateData", |xml| {
                    xml.text("imageId", settings.image(environment.platform))
                        .text("instanceType", settings.instance_type());
                });
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}

/// The id of an environment's launch template.
pub(crate) fn template_id(environment_id: &str) -> String {
    environment_id.replace("e-", "lt-0")
}
