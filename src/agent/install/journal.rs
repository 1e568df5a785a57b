//! The journal of an installation: `<group>.journal`, there from before the first change until after the last.
//!
//! It says what is about to be done, then that everything is laid out, then that everything is switched. Up to the last word the way is back, from it on
//! forward. A word counts when its line is whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::error::Error;
use super::lines::{self, Draft};
use super::steps::Steps;
use super::work::{Change, Header, Taking, Unit, VERSION, Work};
use crate::agent::permissions::Label;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Header(Header),
    Unit(Unit),
    Item(Entry),
    Change(Change),
    Taking(Taking),
    Label(Label),
    LabelBefore(Label),
    Phase(Phase),
}

/// How far an installation has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// New files are being laid out.
    Begun,
    /// They all are, each unit under the inode number that stands here; some may be switched.
    LaidOut(Vec<u64>),
    /// All are switched: the new revision is the host's.
    Switched,
}

/// Where a group's journal is.
pub fn path_of(state: &Path, group: &str) -> PathBuf {
    state.join(format!("{group}.journal"))
}

/// Writes down what is about to be done.
pub fn begin(steps: &Steps, path: &Path, work: &Work) -> Result<(), Error> {
    let mut draft = Draft::begin(steps, path)?;
    draft.line(&Line::Header(work.header.clone()))?;
    for unit in &work.units {
        draft.line(&Line::Unit(unit.clone()))?;
    }
    for item in &work.items {
        draft.line(&Line::Item(item.clone()))?;
    }
    for change in &work.changes {
        draft.line(&Line::Change(change.clone()))?;
    }
    for taking in &work.takings {
        draft.line(&Line::Taking(taking.clone()))?;
    }
    for label in &work.labels {
        draft.line(&Line::Label(label.clone()))?;
    }
    for label in &work.labels_before {
        draft.line(&Line::LabelBefore(label.clone()))?;
    }
    draft.finish()?;
    lines::publish(steps, path)
}

/// Writes down how far it has come. `Err(true)` says that nobody can know whether this stands.
pub fn mark(steps: &Steps, path: &Path, phase: Phase) -> Result<(), (Error, bool)> {
    lines::append(steps, path, &Line::Phase(phase))
}

/// The journal at `path`, if there is one.
pub fn read(path: &Path) -> Result<Option<(Work, Phase)>, Error> {
    let mut header = None;
    let (mut units, mut items) = (Vec::new(), Vec::new());
    let (mut changes, mut takings) = (Vec::new(), Vec::new());
    let (mut labels, mut labels_before) = (Vec::new(), Vec::new());
    let mut phase = Phase::Begun;
    let is_there = lines::read(path, |line: Line| {
        match line {
            Line::Header(found) if found.version == VERSION => header = Some(found),
            Line::Header(found) => return Err(format!("it is of version {}", found.version)),
            Line::Unit(unit) => units.push(unit),
            Line::Item(item) => items.push(item),
            Line::Change(change) => changes.push(change),
            Line::Taking(taking) => takings.push(taking),
            Line::Label(label) => labels.push(label),
            Line::LabelBefore(label) => labels_before.push(label),
            Line::Phase(reached) => phase = reached,
        }
        Ok(())
    })?;
    let unreadable =
        |problem: &str| Error::StateUnreadable { path: path.to_owned(), problem: problem.to_owned() };
    match header {
        None if is_there => Err(unreadable("it does not begin as a journal")),
        None => Ok(None),
        Some(header) => {
            if units.iter().any(|unit: &Unit| unit.items.end > items.len()) {
                return Err(unreadable("it lacks items"));
            }
            let work = Work { header, units, items, changes, takings, labels, labels_before };
            Ok(Some((work, phase)))
        }
    }
}
