//! What an installation is about to do, as its journal keeps it: enough to go back, and enough to end it.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::agent::beneath::split;
use crate::agent::permissions::{Attributes, Label};

/// Whose installation it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Of the file's form.
    pub version: u32,
    /// The deployment group's id.
    pub group: String,
    /// The Deployment's name.
    pub deployment: String,
    /// Its uid: a later one may have its name. Empty in files of an agent that did not write it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deployment_uid: String,
    /// Part of the names that new files have until they are switched; no two installations have the same.
    pub token: String,
}

/// The form of files that is written, and the newest one that is read.
pub const VERSION: u32 = 1;

/// Something that is switched by one rename: a file or a link, or a new directory with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its path.
    pub target: Arc<str>,
    /// What is there and makes room.
    pub replaces: Replaced,
    /// Which items it has.
    pub items: Range<usize>,
}

/// What a unit takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Replaced {
    /// Nothing.
    Nothing,
    /// A file or a link.
    File,
    /// A directory in which everything is ours.
    Directory,
}

/// A directory of the group's that stays and gets other attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its path.
    pub path: Arc<str>,
    /// What it had.
    pub before: Attributes,
    /// What it gets.
    pub after: Attributes,
}

/// A path of another group that is replaced, and is this group's from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taking {
    /// The other group's id.
    pub group: String,
    /// The path.
    pub path: Arc<str>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Whose it is.
    pub header: Header,
    /// What is switched.
    pub units: Vec<Unit>,
    /// What is written; those of one unit stand together.
    pub items: Vec<Entry>,
    /// Directories that get other attributes.
    pub changes: Vec<Change>,
    /// What is taken from other groups.
    pub takings: Vec<Taking>,
    /// SELinux labels.
    pub labels: Vec<Label>,
    /// Those that the revision before has for the same paths.
    pub labels_before: Vec<Label>,
}

impl Work {
    /// The name that a unit has until it is switched, and that what it replaced has afterwards.
    pub fn beside(&self, unit: usize) -> String {
        let (parent, _) = split(&self.units[unit].target);
        format!("{parent}/.sluice-{}-{unit}", self.header.token)
    }

    /// A third name, where a file system cannot let two names change places.
    pub fn aside(&self, unit: usize) -> String {
        format!("{}-old", self.beside(unit))
    }

    /// Where an item is laid out.
    pub fn laid_at(&self, unit: usize, item: usize) -> String {
        let below = &self.items[item].path()[self.units[unit].target.len()..];
        format!("{}{below}", self.beside(unit))
    }

    /// Directories that have units in them; one of each file system is enough to write it to its disk.
    pub fn parents(&self) -> Vec<&str> {
        let mut parents: Vec<&str> = self.units.iter().map(|unit| split(&unit.target).0).collect();
        parents.extend(self.changes.iter().map(|change| &*change.path));
        parents.sort_unstable();
        parents.dedup();
        parents
    }
}
