//! What a stretch of steps looks at before it begins: a row for each thing, and one `awk` that says which differ.

use super::quote::quote;

/// One thing that a step compares with what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Type, owner, group and mode of a folder.
    Directory {
        path: String,
        attributes: Attributes,
    },
    /// The same of a file, and its content.
    File {
        path: String,
        attributes: Attributes,
        digest: String,
    },
    /// A file of root's in one of the system's own folders, which stand below the root that tests move.
    System {
        path: String,
        bits: u32,
        digest: String,
    },
    /// A line of a file, as the lines that the steps before it write leave the file.
    Line {
        path: String,
        line: String,
        pattern: String,
    },
    /// An entry of `/etc/passwd`; what is empty is not compared.
    User {
        name: String,
        uid: String,
        home: String,
        shell: String,
        groups: String,
    },
}

/// Who has a file or folder, and what it is: `st_mode` of `inode(7)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) bits: u32,
    pub(crate) owner: String,
    pub(crate) group: String,
}

impl Look {
    /// The row that `gs_compare` reads: fields between tabs, of which the second is the step.
    fn row(&self, id: &str) -> String {
        let attributes;
        let fields: &[&str] = match self {
            Self::Directory {
                path,
                attributes: wanted,
            } => {
                attributes = wanted.word();
                &["directory", id, path, &attributes]
            }
            Self::File {
                path,
                attributes: wanted,
                digest,
            } => {
                attributes = wanted.word();
                &["file", id, path, &attributes, digest]
            }
            Self::System { path, bits, digest } => {
                attributes = format!("{bits:x}|root|root");
                &["system", id, path, &attributes, digest]
            }
            Self::Line {
                path,
                line,
                pattern,
            } => &["line", id, path, line, pattern],
            Self::User {
                name,
                uid,
                home,
                shell,
                groups,
            } => &["user", id, name, uid, home, shell, groups],
        };
        fields.join("\t")
    }

    /// The path as a word of the script, where `stat` is to look.
    fn place(&self) -> Option<String> {
        match self {
            Self::Directory { path, .. } | Self::File { path, .. } | Self::Line { path, .. } => {
                Some(quote(path))
            }
            Self::System { path, .. } => Some(format!("\"$gs_root\"{}", quote(path))),
            Self::User { .. } => None,
        }
    }

    /// What must be the same when the step's turn comes as when it was looked at, beside the paths that it claims.
    pub(crate) fn needs(&self) -> Vec<String> {
        match self {
            Self::Directory { attributes, .. } | Self::File { attributes, .. } => {
                [&attributes.owner, &attributes.group]
                    .map(|name| account(name))
                    .to_vec()
            }
            Self::System { .. } | Self::Line { .. } => Vec::new(),
            Self::User { .. } => ["/etc/passwd", "/etc/group"].map(str::to_owned).to_vec(),
        }
    }
}

impl Attributes {
    /// What `stat -c '%f|%U|%G'` prints when all is as it should be.
    pub(crate) fn word(&self) -> String {
        format!("{:x}|{}|{}", self.bits, self.owner, self.group)
    }
}

/// What a step that makes or changes a user claims.
pub(crate) fn account(name: &str) -> String {
    format!("account {name}")
}

/// The looks at everything that a stretch compares, as lines of the script; each look with its step's id.
pub(crate) fn write<'a>(looks: impl Iterator<Item = (&'a str, &'a Look)>, text: &mut String) {
    let (mut attributes, mut contents, mut rows) = (Vec::new(), Vec::new(), String::new());
    for (id, look) in looks {
        if let Some(place) = look.place() {
            if matches!(look, Look::File { .. } | Look::System { .. }) {
                contents.push(place.clone());
            }
            // Many lines may be of one file, and stand together then.
            if attributes.last() != Some(&place) {
                attributes.push(place);
            }
        }
        rows.push_str(&look.row(id));
        rows.push('\n');
    }
    // Everything that is looked at has a row.
    if rows.is_empty() {
        return;
    }
    let lines = [
        ("gs_look_attributes", attributes.join(" ")),
        ("gs_look_contents", contents.join(" ")),
        ("gs_compare", quote(&rows)),
    ];
    for (function, words) in lines.iter().filter(|(_, words)| !words.is_empty()) {
        text.push_str(function);
        text.push(' ');
        text.push_str(words);
        text.push('\n');
    }
}
