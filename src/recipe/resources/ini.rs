//! `ini: {path, set: {SECTION: {key: value}}}`: keys of a file that is there already.

use super::{Resource, Site, Work, path, single_line};
use crate::document::{self, Node};

pub(super) const RESOURCE: Resource = Resource {
    name: "ini",
    keys: &["path", "set"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let path = fields.required("path", path);
    let sections = fields.required("set", document::entries)?;
    let mut settings = String::new();
    for (section, keys) in sections {
        if section.text.contains(['\n', '\t', ']', '[']) {
            review
                .error(
                    section.span.clone(),
                    format!("`{}` is no section's name", section.text),
                )
                .help("a section is named by what stands between its brackets, and holds none: {PHP: {memory_limit: 256M}}");
            return None;
        }
        for (key, value) in document::entries(keys, review)? {
            if key.text.is_empty()
                || key.text.contains(['\n', '\t', '=', '['])
                || key.text.trim() != key.text
            {
                review
                    .error(
                        key.span.clone(),
                        format!("`{}` is no key of an ini file", key.text),
                    )
                    .help("a key is what stands before the `=`: {PHP: {memory_limit: 256M}}");
                return None;
            }
            let value = single_line(value, review)?;
            settings = format!(
                "{settings}{}\t{}\t{}\n",
                section.text,
                key.text,
                value.trim()
            );
        }
    }
    let path = path?;
    Some(Work {
        claims: vec![path.clone()],
        ..Work::call("gs_ini", [path, settings])
    })
}
