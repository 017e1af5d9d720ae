//! The folder of the application that visitors see, as recipes list it for the bridge.

use std::collections::BTreeMap;

use crate::recipe::epoch::{Call, Unit};

/// Where recipes list what the bridge brings.
const APPS: &str = "/opt/goldseed/bridge/apps.d/";

/// Returns the last `root` of the lists in the order in which the bridge reads them, `.` where none says one; none where
/// no recipe lists anything by a `file`.
pub(super) fn root(units: &[Unit]) -> Option<String> {
    let lists: BTreeMap<&str, &str> = units.iter().filter_map(list).collect();
    if lists.is_empty() {
        return None;
    }
    let lines = lists.values().flat_map(|content| content.lines());
    let said = lines
        .rev()
        .find_map(|line| line.trim().strip_prefix("root "));
    Some(said.map_or(".", str::trim).to_owned())
}

/// The name and content of a list that a step writes.
fn list(unit: &Unit) -> Option<(&str, &str)> {
    let Call::Step { work, .. } = &unit.call else {
        return None;
    };
    match work.words.as_slice() {
        [function, path, .., encoding, content] if function == "gs_file" && encoding == "text" => {
            Some((path.strip_prefix(APPS)?, content))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::resources::Work;

    fn file(name: &str, content: &str) -> Unit {
        let path = format!("{APPS}{name}");
        let words = [
            "gs_file",
            path.as_str(),
            "root",
            "root",
            "0644",
            "",
            "text",
            content,
        ];
        Unit {
            id: name.to_owned(),
            call: Call::Step {
                work: Work {
                    words: words.map(ToOwned::to_owned).to_vec(),
                    ..Work::default()
                },
                notify: Vec::new(),
                seed_only: false,
            },
        }
    }

    #[test]
    fn the_last_list_that_names_a_folder_says_what_visitors_see() {
        assert_eq!(root(&[]), None);
        let whole = file("a", "copy . /opt/goldseed/app/a\n");
        assert_eq!(root(&[whole]).as_deref(), Some("."));
        let two = [
            file("z", "  root web \ncopy . /z\n"),
            file("a", "root public\n"),
            file("b", "copy b /b\n"),
        ];
        assert_eq!(root(&two).as_deref(), Some("web"));
    }
}
