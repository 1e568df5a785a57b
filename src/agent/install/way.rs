//! How a path is written and where it is: an AppSpec and its scripts go through the host's links, records and renames never do.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::entry::is_below;

/// A directory that things are put into.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// As the AppSpec has it: a destination, and what lies below it by its names in the bundle.
    pub written: String,
    /// Where that was, without links; the empty path is `/`.
    pub real: String,
}

impl Way {
    /// What lies at `path`, by its written name.
    pub fn written<'a>(&self, path: &'a str) -> Cow<'a, str> {
        moved(path, &self.real, &self.written).map_or(Cow::Borrowed(path), Cow::Owned)
    }
}

/// `path` as it is called when `from` is called `to`; nothing where that changes nothing.
pub fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let is_about = from != to && (path == from || is_below(path, from));
    is_about.then(|| format!("{to}{}", &path[from.len()..]))
}

/// What wants a path: the line of an entry of the AppSpec, and the way on which it comes there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The way; nothing for directories that a link's target lies in.
    pub way: Option<Way>,
    /// The line.
    pub line: usize,
}

impl Origin {
    /// What lies at `path`, by its written name.
    pub fn written<'a>(&self, path: &'a str) -> Cow<'a, str> {
        self.way.as_ref().map_or(Cow::Borrowed(path), |way| way.written(path))
    }
}
