//! The calls on applications and their versions.

use super::applications::{Application, ApplicationVersion};
use super::{invalid, paged};
use crate::sandbox::clock;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// `CreateApplication`.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let name = call.query.required("ApplicationName")?;
    if state.applications.contains_key(name) {
        return Err(invalid(format!("Application {name} already exists.")));
    }
    let application = Application {
        name: name.to_owned(),
        description: call.query.owned("Description"),
        created: clock::now(),
    };
    state
        .applications
        .insert(name.to_owned(), application.clone());
    let mut xml = Xml::new();
    xml.within("Application", |xml| write(state, xml, &application));
    Ok(xml)
}

/// `DescribeApplications`.
pub(super) fn describe(state: &State, call: &Call) -> Xml {
    let names = call.query.list("ApplicationNames.member");
    let found = state
        .applications
        .values()
        .filter(|one| names.is_empty() || names.contains(&one.name));
    let mut xml = Xml::new();
    xml.list("Applications", "member", found, |xml, one| {
        write(state, xml, one);
    });
    xml
}

/// `CreateApplicationVersion`. A bundle that is missing shows only when it is deployed.
pub(super) fn create_version(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let application = call.query.required("ApplicationName")?;
    let label = call.query.required("VersionLabel")?;
    if !state.applications.contains_key(application) {
        if !call.query.flag("AutoCreateApplication")? {
            return Err(no_application(application));
        }
        let new = Application {
            name: application.to_owned(),
            description: None,
            created: clock::now(),
        };
        state.applications.insert(application.to_owned(), new);
    }
    if state.version(application, label).is_some() {
        return Err(invalid(format!(
            "Application Version {label} already exists."
        )));
    }
    let bundle = call
        .query
        .owned("SourceBundle.S3Bucket")
        .zip(call.query.owned("SourceBundle.S3Key"));
    let version = ApplicationVersion {
        application: application.to_owned(),
        label: label.to_owned(),
        description: call.query.owned("Description"),
        bundle,
        created: clock::now(),
    };
    state.versions.push(version.clone());
    let mut xml = Xml::new();
    xml.within("ApplicationVersion", |xml| {
        write_version(state, xml, &version);
    });
    Ok(xml)
}

/// `DescribeApplicationVersions`, newest first.
pub(super) fn describe_versions(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let application = call.query.get("ApplicationName");
    let labels = call.query.list("VersionLabels.member");
    let found = state
        .versions
        .iter()
        .rev()
        .filter(|one| application.is_none_or(|name| one.application == name))
        .filter(|one| labels.is_empty() || labels.contains(&one.label))
        .collect();
    let (page, token) = paged(call, found)?;
    let mut xml = Xml::new();
    xml.list("ApplicationVersions", "member", page, |xml, one| {
        write_version(state, xml, one);
    })
    .optional("NextToken", token);
    Ok(xml)
}

/// `CreateStorageLocation`.
pub(super) fn storage_location(state: &State) -> Xml {
    let mut xml = Xml::new();
    xml.text("S3Bucket", state.bucket());
    xml
}

/// The refusal of an application that does not exist.
pub(super) fn no_application(name: &str) -> ApiError {
    invalid(format!("No Application named '{name}' found."))
}

fn write(state: &State, xml: &mut Xml, application: &Application) {
    let versions = state
        .versions
        .iter()
        .filter(|one| one.application == application.name)
        .map(|one| &one.label);
    xml.text(
        "ApplicationArn",
        format!(
            "arn:aws:elasticbeanstalk:{}:{}:application/{}",
            state.region, state.account, application.name
        ),
    )
    .text("ApplicationName", &application.name)
    .optional("Description", application.description.as_ref())
    .text("DateCreated", moment(application.created))
    .text("DateUpdated", moment(application.created))
    .texts("Versions", "member", versions)
    .texts("ConfigurationTemplates", "member", [""; 0]);
}

fn write_version(state: &State, xml: &mut Xml, version: &ApplicationVersion) {
    xml.text(
        "ApplicationVersionArn",
        format!(
            "arn:aws:elasticbeanstalk:{}:{}:applicationversion/{}/{}",
            state.region, state.account, version.application, version.label
        ),
    )
    .text("ApplicationName", &version.application)
    .optional("Description", version.description.as_ref())
    .text("VersionLabel", &version.label);
    if let Some((bucket, key)) = &version.bundle {
        xml.within("SourceBundle", |xml| {
            xml.text("S3Bucket", bucket).text("S3Key", key);
        });
    }
    xml.text("DateCreated", moment(version.created))
        .text("DateUpdated", moment(version.created))
        .text("Status", "Processed");
}
