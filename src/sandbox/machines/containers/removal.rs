//! Removing what was made: containers, images, networks, folders.

use std::io;
use std::path::Path;

use super::ContainersError;
use super::engine::Engine;

/// Removes containers, images and networks with a label.
pub(super) async fn remove_labelled(engine: &Engine, label: &str) -> Result<(), ContainersError> {
    let filter = format!("label={label}");
    let containers = engine
        .run(["ps", "--all", "--quiet", "--filter", &filter])
        .await?;
    for container in containers.lines() {
        remove_container(engine, container).await?;
    }
    let images = engine
        .run([
            "images",
            "--all",
            "--quiet",
            "--no-trunc",
            "--filter",
            &filter,
        ])
        .await?;
    // Newest first, as an image that others stand on cannot go before them.
    for image in images.lines() {
        // An image that several names point to is listed as often, and is gone the second time.
        drop(engine.run(["rmi", "--force", image]).await);
    }
    let networks = engine
        .run([
            "network",
            "ls",
            "--filter",
            &filter,
            "--format",
            "{{.Name}}",
        ])
        .await?;
    for network in networks.lines() {
        engine.run(["network", "rm", network]).await?;
    }
    Ok(())
}

/// Removes a container without waiting for its shutdown.
pub(super) async fn remove_container(
    engine: &Engine,
    container: &str,
) -> Result<(), ContainersError> {
    // A container that does not run cannot be killed, which is as good.
    drop(engine.run(["kill", "--signal", "KILL", container]).await);
    engine
        .run(["rm", "--force", "--volumes", container])
        .await?;
    Ok(())
}

/// Removes a folder that may be gone already.
pub(super) fn remove_folder(folder: &Path) -> Result<(), ContainersError> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
