//! The sandbox's own folder: one sandbox at a time, and nothing of anybody else is removed.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The file that marks a folder as a sandbox's; it is locked while one runs there, and names the process.
const MARK: &str = ".goldseed-sandbox";

/// What a sandbox keeps in its folder; all but the storage is removed when it starts and stops.
const CONTENTS: [&str; 3] = ["nodes", "file-systems", "storage"];

/// A folder that is a running sandbox's alone, until this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    _lock: fs_err::File,
}

/// The folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another sandbox runs there.
    #[error(
        "another sandbox uses {}{}; stop it, or give this one another folder (--state)",
        folder.display(),
        if process.is_empty() { String::new() } else { format!(" (process {process})") }
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process id of the other sandbox; empty where it wrote none.
        process: String,
    },
    /// It has contents that a sandbox would remove, and no sandbox's mark.
    #[error(
        "{} was not made by a sandbox, which would remove what is in it; give another folder (--state)",
        .0.display()
    )]
    Foreign(PathBuf),
    /// It cannot be made or written to.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Folder {
    /// Makes the folder where it is not there, marks it, and locks it. Nothing of it is removed here.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        fs_err::create_dir_all(path)?;
        let mark = path.join(MARK);
        if !mark.exists()
            && let Some(foreign) = CONTENTS
                .iter()
                .map(|name| path.join(name))
                .find(|one| one.exists())
        {
            return Err(FolderError::Foreign(foreign));
        }
        let mut lock = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&mark)?;
        match lock.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut process = String::new();
                lock.read_to_string(&mut process)?;
                return Err(FolderError::InUse {
                    folder: path.to_owned(),
                    process: process.trim().to_owned(),
                });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { _lock: lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_sandboxs_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let first = Folder::take(&path).unwrap();
        let refused = Folder::take(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        fs_err::create_dir_all(path.join("nodes")).unwrap();
        drop(Folder::take(&path).unwrap());
    }

    #[test]
    fn a_foreign_folder_is_left_alone() {
        for name in CONTENTS {
            let folder = tempfile::tempdir().unwrap();
            let kept = folder.path().join(name);
            fs_err::create_dir_all(&kept).unwrap();
            let refused = Folder::take(folder.path()).unwrap_err();
            assert!(matches!(&refused, FolderError::Foreign(path) if *path == kept));
            assert!(!folder.path().join(MARK).exists());
        }
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("notes.txt"), "mine").unwrap();
        drop(Folder::take(folder.path()).unwrap());
        assert!(folder.path().join("notes.txt").exists());
    }
}
