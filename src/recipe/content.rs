//! What is too large for a script: bytes that are sent to the machine apart from it and named there by their digest.

use crate::id::Digest;

/// From how many bytes on a file's content leaves the script. What is smaller travels with it in one command.
pub(crate) const LARGE: usize = 16 * 1024;

/// Bytes that a script works with and does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Of the bytes; the script asks for them by it.
    pub digest: Digest,
    /// All of them.
    pub bytes: Vec<u8>,
    /// Where they are needed.
    pub place: Standing,
}

/// Where a content is to stand on the machine: one that stands there already need not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nowhere that could be looked at.
    Nowhere,
    /// As a file.
    File {
        /// The file.
        path: String,
    },
    /// Unpacked, with a stamp that says of what.
    Archive {
        /// The folder.
        path: String,
        /// The stamp's name.
        stamp: String,
        /// What the stamp says when the folder is of this archive.
        state: String,
    },
}

impl Content {
    /// A content with its place.
    pub fn new(bytes: Vec<u8>, place: Standing) -> Self {
        Self {
            digest: Digest::of(&bytes),
            bytes,
            place,
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        match &self.place {
            Standing::Nowhere => "a script",
            Standing::File { path } | Standing::Archive { path, .. } => path,
        }
    }
}
