//! One path that a deployment wrote, and how it wrote it: what is still so is ours to remove.

use std::sync::Arc;

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::host::{Host, is_directory, is_file, is_link};

/// A path that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// A file: path, bytes, and when it was last changed in seconds and nanoseconds.
    File(Arc<str>, u64, i64, u32),
    /// A link: path and target.
    Link(Arc<str>, Box<str>),
    /// A directory.
    Directory(Arc<str>),
}

impl Entry {
    /// Where it is.
    pub fn path(&self) -> &str {
        self.shared_path()
    }

    /// The same, to be kept by others too: of fifty thousand paths nobody needs a second copy.
    pub fn shared_path(&self) -> &Arc<str> {
        match self {
            Self::File(path, ..) | Self::Link(path, _) | Self::Directory(path) => path,
        }
    }

    /// The same at another path.
    pub fn at(self, path: Arc<str>) -> Self {
        match self {
            Self::File(_, size, seconds, nanoseconds) => Self::File(path, size, seconds, nanoseconds),
            Self::Link(_, target) => Self::Link(path, target),
            Self::Directory(_) => Self::Directory(path),
        }
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        if let Self::File(_, size, ..) = self { *size } else { 0 }
    }

    /// True if what was found is of the same type.
    pub fn is_of_type(&self, found: &Stat) -> bool {
        match self {
            Self::File(..) => is_file(found),
            Self::Link(..) => is_link(found),
            Self::Directory(_) => is_directory(found),
        }
    }

    /// True if what was found at `path` is as it was written.
    pub fn is_as_written(&self, host: &Host<'_>, path: &str, found: &Stat) -> Result<bool, Error> {
        if !self.is_of_type(found) {
            return Ok(false);
        }
        match self {
            Self::Directory(_) => Ok(true),
            Self::File(_, size, seconds, nanoseconds) => Ok(u64::try_from(found.st_size) == Ok(*size)
                && found.st_mtime == *seconds
                && u64::from(*nanoseconds) == found.st_mtime_nsec),
            Self::Link(_, target) => Ok(host.link_target(path)? == **target),
        }
    }
}

/// The order of a tree: a directory comes right before what is in it.
pub fn tree_order(one: &str, other: &str) -> std::cmp::Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    one.bytes().map(key).cmp(other.bytes().map(key))
}

/// True if `path` lies below `directory`.
pub fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}
