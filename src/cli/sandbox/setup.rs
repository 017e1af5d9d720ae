//! `goldseed sandbox setup`: runs `scripts/setup` from what the binary carries, so that an installed binary needs no
//! checkout.

use std::path::Path;

use clap::Args;
use include_dir::{Dir, DirEntry, include_dir};

use crate::cli::{ExitCode, Failure, signals};

/// The script.
const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup"));
/// The folder beside it of which it makes the images.
static IMAGES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scripts/images");

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct Setup {
    /// Report what is missing and change nothing
    #[arg(long, conflicts_with = "remove")]
    check: bool,
    /// Remove the images and the kept files; installed programs stay
    #[arg(long)]
    remove: bool,
}

pub(super) async fn run(setup: Setup) -> Result<ExitCode, Failure> {
    let failed =
        |error: &std::io::Error| Failure::unexpected("the set-up could not be started", error);
    let folder = tempfile::Builder::new()
        .prefix("goldseed-setup-")
        .tempdir()
        .map_err(|error| failed(&error))?;
    unpack(folder.path()).map_err(|error| failed(&error))?;
    signals::listen();
    let mut child = tokio::process::Command::new("bash")
        .arg(folder.path().join("setup"))
        .args(setup.check.then_some("--check"))
        .args(setup.remove.then_some("--remove"))
        .env("GOLDSEED_SETUP_NAME", "goldseed sandbox setup")
        .spawn()
        .map_err(|error| failed(&error))?;
    // A terminal sends Ctrl-C to the script as well, which removes what it was building; its folder must last until then.
    let (status, interrupted) = tokio::select! {
        status = child.wait() => (status, false),
        _ = signals::interrupted() => (child.wait().await, true),
    };
    match status.map_err(|error| failed(&error))? {
        _ if interrupted => Ok(ExitCode::Interrupted),
        status if status.success() => Ok(ExitCode::Done),
        _ => Err(Failure::new(
            ExitCode::Unexpected,
            "the sandbox's machines are not set up",
        )),
    }
}

/// Writes the script and its images into a folder. Programs are told by their first line, as no mode is embedded.
fn unpack(folder: &Path) -> std::io::Result<()> {
    fs_err::write(folder.join("setup"), SCRIPT)?;
    unpack_folder(&IMAGES, &folder.join("images"))
}

fn unpack_folder(from: &Dir<'_>, images: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs_err::create_dir_all(images.join(from.path()))?;
    for entry in from.entries() {
        match entry {
            DirEntry::Dir(folder) => unpack_folder(folder, images)?,
            DirEntry::File(file) => {
                let path = images.join(file.path());
                fs_err::write(&path, file.contents())?;
                if file.contents().starts_with(b"#!") {
                    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    /// All files below a folder: their path in it, their content, and whether they are programs.
    fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>, bool)> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Links are followed: the script's own copies follow them, too.
                let metadata = fs_err::metadata(&path).unwrap();
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs_err::read(&path).unwrap();
                    let program = metadata.permissions().mode() & 0o100 != 0;
                    found.push((
                        path.strip_prefix(root).unwrap().to_owned(),
                        content,
                        program,
                    ));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn what_the_binary_carries_is_what_the_checkout_has() {
        let folder = tempfile::tempdir().unwrap();
        super::unpack(folder.path()).unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let wanted = files(&scripts.join("images"));
        assert!(wanted.len() > 20, "{}", wanted.len());
        assert_eq!(files(&folder.path().join("images")), wanted);
        assert_eq!(
            fs_err::read(folder.path().join("setup")).unwrap(),
            fs_err::read(scripts.join("setup")).unwrap()
        );
    }
}
