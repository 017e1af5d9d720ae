//! Where recipes come from: a project's `recipes/`, then those in the binary.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::model::Recipe;
use super::{reading, trial};
use crate::document::{self, Diagnostics, Document, Review};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/recipes");

/// The recipes that a project can name.
#[derive(Clone, Debug)]
pub struct Library {
    project: Option<PathBuf>,
}

/// Why a recipe could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody knows it.
    #[error("there is no recipe `{name}`")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// A known recipe with a similar name.
        suggestion: Option<String>,
    },
    /// Its file is there and cannot be read.
    #[error("cannot read the recipe")]
    Unreadable(#[source] std::io::Error),
    /// It has mistakes; all of them are in here.
    #[error("{0}")]
    Invalid(Diagnostics),
}

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
    if let Some(page) = EMBEDDED.get_file("bridge/files/placeholder.php") {
        files.push(("index.php".to_owned(), page.contents()));
    }
    files
}

impl Library {
    /// The embedded recipes, and before them those in `recipes/` under a project's folder.
    pub fn new(project: Option<PathBuf>) -> Self {
        Self {
            project: project.map(|folder| folder.join("recipes")),
        }
    }

    /// The names of all recipes, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = EMBEDDED
            .files()
            .map(|file| file.path().to_owned())
            .chain(
                EMBEDDED
                    .dirs()
                    .map(|folder| folder.path().join("recipe.yaml")),
            )
            .filter(|path| EMBEDDED.get_file(path).is_some())
            .filter_map(|path| name_of(&path))
            .collect();
        let entries = self
            .project
            .as_ref()
            .and_then(|folder| fs_err::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            let path = if path.is_dir() {
                path.join("recipe.yaml")
            } else {
                path
            };
            names.extend(
                Some(path)
                    .filter(|path| path.is_file())
                    .and_then(|path| name_of(&path)),
            );
        }
        names.remove("test");
        names.into_iter().collect()
    }

    /// Whether the project has a recipe of this name itself.
    pub fn is_own(&self, name: &str) -> bool {
        self.project.as_ref().is_some_and(|folder| {
            [format!("{name}.yaml"), format!("{name}/recipe.yaml")]
                .iter()
                .any(|path| folder.join(path).is_file())
        })
    }

    /// Reads the recipe that tests another one: `NAME.test.yaml`, or `test.yaml` beside `recipe.yaml`; none where there
    /// is none.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_test(&self, name: &str) -> Option<Result<Recipe, LoadError>> {
        let own = self.is_own(name);
        let folder = self.project.as_ref().filter(|_| own);
        for candidate in [format!("{name}.test.yaml"), format!("{name}/test.yaml")] {
            if let Some(folder) = folder {
                let path = folder.join(&candidate);
                if path.is_file() {
                    return Some(Self::load_file(&path));
                }
            } else if !own && EMBEDDED.get_file(&candidate).is_some() {
                return embedded("test", &candidate);
            }
        }
        None
    }

    /// Reads a recipe and checks all of it.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, and every mistake of the recipe together.
    pub fn load(&self, name: &str) -> Result<Recipe, LoadError> {
        let candidates = [format!("{name}.yaml"), format!("{name}/recipe.yaml")];
        let well_formed = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        for candidate in candidates
            .iter()
            .filter(|_| well_formed && !name.starts_with('.'))
        {
            if let Some(path) = self
                .project
                .as_ref()
                .map(|folder| folder.join(candidate))
                .filter(|path| path.is_file())
            {
                let text = fs_err::read_to_string(&path).map_err(LoadError::Unreadable)?;
                let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
                return read(name, &path, text, Files::Folder(folder)).map_err(LoadError::Invalid);
            }
        }
        if let Some(read) = candidates.iter().find_map(|path| embedded(name, path)) {
            return read;
        }
        let names = self.names();
        let suggestion =
            document::suggestion(name, names.iter().map(String::as_str)).map(str::to_owned);
        Err(LoadError::Unknown {
            name: name.to_owned(),
            suggestion,
        })
    }

    /// Reads a recipe from any file, as `load` would.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_file(path: &Path) -> Result<Recipe, LoadError> {
        let text = fs_err::read_to_string(path).map_err(LoadError::Unreadable)?;
        let name = name_of(path).unwrap_or_default();
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        read(&name, path, text, Files::Folder(folder)).map_err(LoadError::Invalid)
    }
}

/// Reads a recipe of the binary, where it has that file.
fn embedded(name: &str, file: &str) -> Option<Result<Recipe, LoadError>> {
    let text = EMBEDDED.get_file(file)?.contents_utf8()?.to_owned();
    let path = Path::new("built-in/recipes").join(file);
    let folder = Path::new(file)
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned);
    Some(read(name, &path, text, Files::Embedded(folder)).map_err(LoadError::Invalid))
}

/// Tests of recipes lie beside them and are no recipes that a pipeline could name.
fn is_test(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "test")
}

/// `a.yaml` and `a/recipe.yaml` are both called `a`; `a.test.yaml` is called `test`, as `a/test.yaml` is.
fn name_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    if path.extension()? != "yaml" {
        return None;
    }
    if is_test(stem) {
        return Some("test".to_owned());
    }
    if stem == "recipe" {
        return path.parent()?.file_name()?.to_str().map(str::to_owned);
    }
    Some(stem.to_owned())
}

fn read(name: &str, path: &Path, text: String, files: Files) -> Result<Recipe, Diagnostics> {
    let document = Document::parse(path, text)?;
    let review = Review::of(&document.source);
    let recipe = reading::read(&document, name, files, &review);
    match recipe {
        Some(recipe) if review.count() == 0 => {
            trial::with_samples(&recipe, &review);
            review.finish(recipe)
        }
        Some(recipe) => {
            // The steps that could be read are tried too, so that all mistakes show at once.
            trial::with_samples(&recipe, &review);
            Err(review.take())
        }
        None => Err(review.take()),
    }
}
