//! The files beside recipes.

use std::path::PathBuf;

use include_dir::Dir;

use super::EMBEDDED;

/// The files beside a recipe.
#[derive(Clone, Debug)]
pub(crate) enum Files {
    /// A folder on the disk.
    Folder(PathBuf),
    /// A folder of the library in the binary, by its path there.
    Embedded(PathBuf),
}

impl Files {
    /// Reads a file by its path relative to the recipe.
    ///
    /// # Errors
    /// Why there is no such file, for a diagnostic.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if !path.starts_with("files/")
            || path
                .split('/')
                .any(|part| part.is_empty() || part.starts_with('.'))
        {
            return Err("a recipe's files stand under `files/` beside it".to_owned());
        }
        match self {
            Self::Folder(folder) => {
                let path = folder.join(path);
                fs_err::read(path).map_err(|error| error.to_string())
            }
            Self::Embedded(folder) => EMBEDDED
                .get_file(folder.join(path))
                .map(|file| file.contents().to_vec())
                .ok_or_else(|| format!("the recipe has no file `{path}`")),
        }
    }
}

/// The files of the application version that brings an image's code into place, by their path in it: the recipe
/// `bridge`'s own for `.platform`, and the page of machines without an application.
///
/// A deployment of a configuration stages the bundle anew and runs `.platform/confighooks` in place of
/// `.platform/hooks`, so each hook is there twice (AWS, Platform hooks: "Configuration deployment").
pub fn bridge_files() -> Vec<(String, &'static [u8])> {
    let mut files = bridge_parts();
    if let Some(page) = EMBEDDED.get_file("bridge/files/placeholder.php") {
        files.push(("index.php".to_owned(), page.contents()));
    }
    files
}

/// Those of the bridge's files that an application version of any kind can hold beside its own: all below `.platform`.
pub fn bridge_parts() -> Vec<(String, &'static [u8])> {
    const FOLDER: &str = "bridge/files/platform";
    fn gather(folder: &Dir<'static>, files: &mut Vec<(String, &'static [u8])>) {
        for file in folder.files() {
            let Ok(path) = file.path().strip_prefix(FOLDER) else {
                continue;
            };
            if let Ok(hook) = path.strip_prefix("hooks") {
                let again = format!(".platform/confighooks/{}", hook.display());
                files.push((again, file.contents()));
            }
            files.push((format!(".platform/{}", path.display()), file.contents()));
        }
        for inner in folder.dirs() {
            gather(inner, files);
        }
    }
    let mut files = Vec::new();
    if let Some(folder) = EMBEDDED.get_dir(FOLDER) {
        gather(folder, &mut files);
    }
    files
}
