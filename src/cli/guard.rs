//! Settings, plan and connection of a verb, and the guard: only the account and region that the settings name.

use std::path::Path;

use super::Invocation;
use crate::cloud::{Cloud, Connection};
use crate::event::Emitter;
use crate::failure::{ExitCode, Failure};
use crate::recipe::Library;
use crate::settings::Settings;

/// Reads the settings and finds the project's recipes beside them.
pub(super) fn read(invocation: &Invocation) -> Result<(Settings, Library), Failure> {
    let file = &invocation.global.file;
    let settings = Settings::load(file)?;
    Ok((settings, library_beside(file)))
}

/// The library with the recipes of the project whose settings file this is: its folder `recipes/`, where there is one.
pub(super) fn library_beside(file: &Path) -> Library {
    Library::new(file.parent().map(Path::to_owned))
}

/// Connects and refuses another account or region than the settings name.
pub(super) async fn connect(
    invocation: &Invocation,
    settings: &Settings,
    events: Emitter,
) -> Result<Cloud, Failure> {
    let global = &invocation.global;
    let said = global
        .region
        .clone()
        .or_else(|| invocation.surroundings.region.clone());
    if let (Some(said), Some(wanted)) = (&said, &settings.region)
        && said != wanted
    {
        return Err(Failure::new(
            ExitCode::Refused,
            format!(
                "{} is for region {wanted}, and the region here is {said}",
                settings.path.display()
            ),
        )
        .hint(format!(
            "set AWS_REGION={wanted}, or use the settings of {said}"
        ))
        .hint("nothing was touched"));
    }
    let connection = Connection {
        region: settings.region.clone().or(global.region.clone()),
        profile: global.profile.clone(),
        pace: invocation.surroundings.pace,
        local: None,
    };
    let cloud = Cloud::connect(connection, events).await?;
    let identity = cloud.identity().await?;
    if let Some(wanted) = &settings.account
        && *wanted != identity.account
    {
        return Err(Failure::new(
            ExitCode::Refused,
            format!(
                "{} is for account {wanted}, and these credentials are of account {} ({})",
                settings.path.display(),
                identity.account,
                identity.arn
            ),
        )
        .hint("use the profile of the right account (--profile, AWS_PROFILE)")
        .hint("nothing was touched"));
    }
    Ok(cloud)
}
