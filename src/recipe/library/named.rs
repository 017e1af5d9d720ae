//! How recipes are called by their files, and what is wrong with a file that no recipe is called by.

use std::path::{Path, PathBuf};

use crate::document::{Diagnostics, Review, Source};
use crate::id::is_recipe_name;

/// `a.yaml` and `a/recipe.yaml` are both called `a`; `a.test.yaml` is called `test`, as `a/test.yaml` is.
pub(super) fn name_of(path: &Path) -> Option<String> {
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

/// What a file or folder of a project's `recipes/` is called by, wrong endings and names included: who wrote it takes it
/// for a recipe.
pub(super) fn meant_by(entry: &Path) -> Option<String> {
    let hidden = |path: &Path| path.file_name()?.to_str().map(|name| name.starts_with('.'));
    if hidden(entry)? {
        return None;
    }
    let inner = ["recipe.yaml", "recipe.yml"].map(|file| entry.join(file));
    let file = inner
        .into_iter()
        .chain([entry.to_owned()])
        .find(|path| path.is_file())?;
    name_of(&file.with_extension(file.extension().map(|extension| {
        if extension == "yml" {
            "yaml".as_ref()
        } else {
            extension
        }
    })?))
}

/// The files that a recipe of this name is looked for in, in a folder of recipes.
pub(super) fn candidates(name: &str) -> [String; 2] {
    [format!("{name}.yaml"), format!("{name}/recipe.yaml")]
}

/// What is wrong with the files that are meant to be a recipe of this name; nothing is where they are called as they
/// should be, or where there are none.
pub(super) fn mistakes(folder: &Path, name: &str) -> Result<(), Diagnostics> {
    let one_component = Path::new(name).file_name().is_some_and(|last| last == name);
    if !one_component {
        return Ok(());
    }
    let there = |names: &[String]| -> Vec<PathBuf> {
        let paths = names.iter().map(|name| folder.join(name));
        paths.filter(|path| path.is_file()).collect()
    };
    let good = candidates(name);
    let good = there(&good);
    if let [_, second] = good.as_slice() {
        let [first, last] = candidates(name);
        return Err(of_the_whole(
            second,
            format!("`{first}` and `{last}` are both called `{name}`"),
            "keep one of them, or give one another name",
        ));
    }
    if let [path] = good.as_slice() {
        return well_named(path, name);
    }
    let short = [format!("{name}.yml"), format!("{name}/recipe.yml")];
    there(&short)
        .first()
        .map_or(Ok(()), |path| well_ended(path))
}

/// Refuses a recipe's file that ends in `.yml`.
pub(super) fn well_ended(path: &Path) -> Result<(), Diagnostics> {
    if path.extension().is_none_or(|extension| extension != "yml") {
        return Ok(());
    }
    let right = path.with_extension("yaml");
    let right = right.file_name().unwrap_or_default().display().to_string();
    Err(of_the_whole(
        path,
        "a recipe's file ends in `.yaml`; by this name nobody finds it".to_owned(),
        &format!("rename it to `{right}`"),
    ))
}

/// Refuses a file whose recipe would have a name that it cannot have.
pub(super) fn well_named(path: &Path, name: &str) -> Result<(), Diagnostics> {
    if is_recipe_name(name) {
        return Ok(());
    }
    let allowed: String = name
        .trim_start_matches(['.', '-'])
        .chars()
        .take(64)
        .map(|letter| {
            if is_recipe_name(&format!("a{letter}")) {
                letter
            } else {
                '-'
            }
        })
        .flat_map(char::to_lowercase)
        .collect();
    Err(of_the_whole(
        path,
        format!("`{name}` cannot be a recipe's name"),
        &format!(
            "a name has up to 64 letters (a to z), digits, `-`, `_` and `.`, a letter or digit first: call the file `{allowed}.yaml`, and the recipe `name: {allowed}`"
        ),
    ))
}

/// A mistake in what a file is called.
fn of_the_whole(path: &Path, message: String, help: &str) -> Diagnostics {
    let text = fs_err::read(path).unwrap_or_default();
    let review = Review::of(&Source::new(path, String::from_utf8_lossy(&text)));
    review.error(0..0, message).help(help);
    review.take()
}

/// Tests of recipes lie beside them and are no recipes that a pipeline could name.
fn is_test(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "test")
}
