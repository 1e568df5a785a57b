//! What a group has on a host: `<group>.record`, the paths that its last installation wrote.
//!
//! A record is written before the switch and becomes the group's at it. It then also has what the revision before left to remove; a last
//! line says that this is done, so that what somebody else makes at such a path later is not taken for ours.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::error::Error;
use super::lines::{self, Draft};
use super::steps::Steps;
use super::way::Way;
use super::work::{Header, VERSION};
use crate::agent::permissions::Label;

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// Whose it is; the first line.
    Header(Header),
    /// What stands.
    Own(Entry),
    /// What the revision before wrote and this one does not.
    Leaving(Entry),
    /// An SELinux label that stands.
    Labelled(Label),
    /// A path with an SELinux label of the revision before that is to go.
    Label(Box<str>),
    /// A directory that things were put into, by its written name and its real one.
    Way(Way),
    /// A path that another group has taken over.
    Taken { group: String, path: Arc<str> },
    /// Everything that was leaving is gone, but for these paths; so are labels, but for those of these.
    Settled {
        kept: HashSet<Arc<str>>,
        #[serde(default, skip_serializing_if = "HashSet::is_empty")]
        labels: HashSet<Box<str>>,
    },
}

/// What a group has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Whose it is; nothing for a group that never installed anything.
    pub header: Option<Header>,
    /// What stands.
    pub own: Vec<Entry>,
    /// What is still to be removed of the revision before.
    pub leaving: Vec<Entry>,
    /// SELinux labels that stand.
    pub labels: Vec<Label>,
    /// Paths whose labels are still to be taken out of the policy.
    pub leaving_labels: Vec<Box<str>>,
    /// Directories that what stands or leaves was put into.
    pub ways: Vec<Way>,
    /// Paths that other groups have taken over, and which.
    pub taken: HashMap<Arc<str>, String>,
}

/// Where a group's record is.
pub fn path_of(state: &Path, group: &str) -> PathBuf {
    state.join(format!("{group}.record"))
}

impl Record {
    /// Reads a group's record; an empty one if there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_with(path, true)
    }

    /// Reads it without what stands.
    pub fn read_leaving(path: &Path) -> Result<Self, Error> {
        Self::read_with(path, false)
    }

    /// Whose it is; nothing if there is none.
    pub fn header_at(path: &Path) -> Result<Option<Header>, Error> {
        Ok(Self::read_with(path, false)?.header)
    }

    fn read_with(path: &Path, takes_own: bool) -> Result<Self, Error> {
        let mut record = Self::default();
        lines::read(path, |line: Line| {
            match line {
                Line::Header(header) if header.version == VERSION => record.header = Some(header),
                Line::Header(header) => return Err(format!("it is of version {}", header.version)),
                _ if record.header.is_none() => return Err("it does not begin as a record".into()),
                Line::Own(entry) if takes_own => record.own.push(entry),
                Line::Own(_) => {}
                Line::Leaving(entry) => record.leaving.push(entry),
                Line::Labelled(label) => record.labels.push(label),
                Line::Label(path) => record.leaving_labels.push(path),
                Line::Way(way) => record.ways.push(way),
                Line::Taken { group, path } => {
                    record.taken.insert(path, group);
                }
                Line::Settled { kept, labels } => {
                    record.leaving.retain(|entry| kept.contains(entry.path()));
                    record.leaving_labels.retain(|path| labels.contains(path));
                }
            }
            Ok(())
        })?;
        record.own.shrink_to_fit();
        Ok(record)
    }

    /// Writes what is to become a group's record, beside it; `items` are its own, too.
    pub fn draft(&self, steps: &Steps, path: &Path, items: &[Entry]) -> Result<(), Error> {
        let mut draft = Draft::begin(steps, path)?;
        if let Some(header) = &self.header {
            draft.line(&Line::Header(header.clone()))?;
        }
        for entry in self.own.iter().chain(items) {
            draft.line(&Line::Own(entry.clone()))?;
        }
        for entry in &self.leaving {
            draft.line(&Line::Leaving(entry.clone()))?;
        }
        for label in &self.labels {
            draft.line(&Line::Labelled(label.clone()))?;
        }
        for path in &self.leaving_labels {
            draft.line(&Line::Label(path.clone()))?;
        }
        for way in &self.ways {
            draft.line(&Line::Way(way.clone()))?;
        }
        for (path, group) in &self.taken {
            draft.line(&Line::Taken { group: group.clone(), path: path.clone() })?;
        }
        draft.finish()
    }

    /// Everything that the group wrote and nobody has taken over, by its path.
    pub fn by_path(&self) -> HashMap<&str, &Entry> {
        let all = self.own.iter().chain(&self.leaving);
        all.filter(|entry| !self.taken.contains_key(entry.path()))
            .map(|entry| (entry.path(), entry))
            .collect()
    }
}

/// Says that what was leaving is gone, but for `kept`, and for the `labels` of these paths.
pub fn settle(
    steps: &Steps,
    path: &Path,
    kept: HashSet<Arc<str>>,
    labels: HashSet<Box<str>>,
) -> Result<(), Error> {
    lines::append(steps, path, &Line::Settled { kept, labels }).map_err(|(error, _)| error)
}

/// Says that another group has taken over some of a group's paths.
pub fn give_away(steps: &Steps, path: &Path, group: &str, paths: &[&str]) -> Result<(), Error> {
    for taken in paths {
        let line = Line::Taken { group: group.to_owned(), path: (*taken).into() };
        lines::append(steps, path, &line).map_err(|(error, _)| error)?;
    }
    Ok(())
}

/// The other groups that have something on this host, by their ids.
pub fn others(state: &Path, group: &str) -> Result<Vec<(String, Record)>, Error> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(Error::host("list", state)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Error::host("list", state))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(other) = name.strip_suffix(".record")
            && other != group
        {
            found.push((other.to_owned(), Record::read(&entry.path())?));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}
