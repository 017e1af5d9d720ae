//! `goldseed bridge`: the application version that brings the image's code into place on each deployment.

mod into;
mod lost;
mod splice;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer};
use crate::failure::ExitCode as Code;
use crate::recipe;

#[derive(Debug, Args)]
pub(super) struct Bridge {
    /// The pipeline whose deployed application version is compared; without it, those of all pipelines
    pipeline: Option<String>,
    /// The bundle to write
    #[arg(long, short, default_value = "bridge.zip", value_name = "FILE")]
    output: PathBuf,
    /// Add the bridge to this bundle (a .zip file) or folder of your application; everything else in it stays as it is
    #[arg(
        long,
        value_name = "BUNDLE|FOLDER",
        conflicts_with_all = ["output", "pipeline", "replace_deployed"]
    )]
    into: Option<PathBuf>,
    /// Write the bundle although deploying it removes what the deployed version holds, or although that is not known
    #[arg(long)]
    replace_deployed: bool,
}

pub(super) async fn run(invocation: &Invocation, bridge: &Bridge) -> Result<ExitCode, Failure> {
    if let Some(target) = &bridge.into {
        return answer(&into::add(target)?);
    }
    let mut text = String::new();
    if !bridge.replace_deployed {
        text = lost::compare(invocation, bridge.pipeline.as_deref()).await?;
    }
    let bytes = bundle()?;
    fs_err::write(&bridge.output, bytes)
        .map_err(|error| Failure::unexpected("the bundle could not be written", &error))?;
    answer(&format!(
        "{text}{} is written: upload it and make it an application version of your environment, once\n",
        bridge.output.display()
    ))
}

/// Zips the bridge's files, scripts executable; the same files give the same bytes.
pub(super) fn bundle() -> Result<Vec<u8>, Failure> {
    zipped(recipe::bridge_files())
}

/// Zips files by their path; the same files give the same bytes.
fn zipped(mut files: Vec<(String, &'static [u8])>) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::unexpected("the bundle could not be zipped", error)
    };
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    if files.is_empty() {
        return Err(Failure::new(
            Code::Unexpected,
            "this binary carries no bridge files",
        ));
    }
    files.sort();
    for (path, content) in files {
        let options = zip::write::SimpleFileOptions::default()
            .unix_permissions(mode(content))
            .last_modified_time(zip::DateTime::default());
        zip.start_file(path, options)
            .map_err(|error| failed(&error))?;
        zip.write_all(content).map_err(|error| failed(&error))?;
    }
    Ok(zip.finish().map_err(|error| failed(&error))?.into_inner())
}

/// The permissions of a file of the bridge: scripts are executable.
fn mode(content: &[u8]) -> u32 {
    if content.starts_with(b"#!") {
        0o755
    } else {
        0o644
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bundle_holds_the_hook_executable_and_is_the_same_each_time() {
        let bytes = super::bundle().unwrap();
        assert_eq!(bytes, super::bundle().unwrap());
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        // Of a deployment of a configuration only the second runs.
        for hooks in ["hooks", "confighooks"] {
            let hook = zip
                .by_name(&format!(".platform/{hooks}/predeploy/10-goldseed.sh"))
                .unwrap();
            assert_eq!(hook.unix_mode().unwrap() & 0o777, 0o755);
        }
    }
}
