//! `goldseed bridge --into`: the bridge in a bundle or folder of the application's own, whose other files stay as they
//! are.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use super::splice::{self, SpliceError};
use super::{Code, Failure, mode, zipped};
use crate::recipe;

/// What every file of the bridge mentions: a file of its name without this is somebody else's.
const OURS: &str = "goldseed";

/// Adds the bridge to a bundle or folder and returns what to print.
pub(super) fn add(target: &Path) -> Result<String, Failure> {
    let files = recipe::bridge_parts();
    let metadata = fs_err::metadata(target)
        .map_err(|error| Failure::unexpected("the bridge was not added", &error))?;
    if metadata.is_dir() {
        folder(target, &files)?;
    } else {
        archive(target, files.clone())?;
    }
    let mut text = format!("{} holds the bridge now:\n", target.display());
    for (path, _) in &files {
        text.extend(["  ", path, "\n"]);
    }
    text.push_str(
        "no other file was changed; deploy it as you deploy your application, and add the bridge again after an update of goldseed\n",
    );
    Ok(text)
}

fn not_ours(target: &Path, path: &str) -> Failure {
    Failure::new(
        Code::Refused,
        format!(
            "{} has a file {path} that is not goldseed's",
            target.display()
        ),
    )
    .hint("rename it, then add the bridge again")
    .hint("nothing was changed")
}

/// Adds files to a folder, each in one motion. Links are not followed out of the folder.
fn folder(target: &Path, files: &[(String, &'static [u8])]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::unexpected("the bridge was not added", &error);
    for (path, _) in files {
        let mut above = PathBuf::from(target);
        for part in Path::new(path).components() {
            let Component::Normal(part) = part else {
                continue;
            };
            above.push(part);
            match fs_err::symlink_metadata(&above) {
                Ok(seen) if seen.is_symlink() => {
                    let reason = format!("{} is a symbolic link", above.display());
                    return Err(Failure::new(Code::Refused, reason)
                        .hint("replace it by a folder or file, then add the bridge again")
                        .hint("nothing was changed"));
                }
                _ => {}
            }
        }
        match fs_err::read(&above) {
            Ok(found) if !is_ours(&found) => return Err(not_ours(target, path)),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    for (path, content) in files {
        let place = target.join(path);
        let Some(parent) = place.parent() else {
            continue;
        };
        fs_err::create_dir_all(parent).map_err(failed)?;
        write(&place, content, mode(content))?;
    }
    Ok(())
}

/// Adds files to a zip archive, in one motion.
fn archive(target: &Path, files: Vec<(String, &'static [u8])>) -> Result<(), Failure> {
    let own = fs_err::read(target)
        .map_err(|error| Failure::unexpected("the bridge was not added", &error))?;
    let refuse = |error: SpliceError| {
        let failure = Failure::new(
            Code::Refused,
            format!(
                "the bridge cannot be added to {}: {error}",
                target.display()
            ),
        );
        failure
            .hint("unpack it and add the bridge to the folder (--into FOLDER), then zip it again")
            .hint("nothing was changed")
    };
    let damaged = |_: zip::result::ZipError| refuse(SpliceError::NotAnArchive);
    let mut zip = zip::ZipArchive::new(Cursor::new(own.as_slice())).map_err(damaged)?;
    for (path, _) in &files {
        for name in [path.clone(), format!("./{path}")] {
            let Some(index) = zip.index_for_name(&name) else {
                continue;
            };
            let mut found = Vec::new();
            let read = zip
                .by_index(index)
                .map_err(damaged)?
                .read_to_end(&mut found);
            read.map_err(|_| refuse(SpliceError::NotAnArchive))?;
            if !is_ours(&found) {
                return Err(not_ours(target, path));
            }
        }
    }
    let spliced = splice::splice(&own, &zipped(files)?).map_err(refuse)?;
    let mode = mode_of(target)?;
    write(target, &spliced, mode)
}

fn is_ours(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).contains(OURS)
}

fn mode_of(file: &Path) -> Result<u32, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::metadata(file)
        .map(|metadata| metadata.permissions().mode() & 0o7777)
        .map_err(|error| Failure::unexpected("the bridge was not added", &error))
}

/// Writes a file beside its place and moves it there: whoever reads it sees the old or the new one.
fn write(place: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |error: &dyn std::error::Error| {
        Failure::unexpected(format!("{} was not written", place.display()), error)
    };
    let folder = match place.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut fresh = tempfile::Builder::new()
        .prefix(".goldseed")
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    fresh.write_all(content).map_err(|error| failed(&error))?;
    let permissions = std::fs::Permissions::from_mode(mode);
    fresh
        .as_file()
        .set_permissions(permissions)
        .map_err(|error| failed(&error))?;
    fresh.as_file().sync_all().map_err(|error| failed(&error))?;
    fresh
        .persist(place)
        .map_err(|error| failed(&error.error))
        .map(drop)
}
