//! Plans an installation: takes what is wanted and what is there, gives the work, or the first thing that stands against it. Touches nothing.

mod attributes;
mod present;
mod turned;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, is_below};
use super::error::Error;
use super::host::{Host, is_directory};
use super::record::{self, Record};
use super::walk::{self, Wanted};
use super::way::Way;
use super::work::{Change, Header, Taking, Unit, VERSION, Work};
use super::{Job, Report};
use crate::agent::permissions::Attributes;
use attributes::Permissions;
use present::{Present, Verdict};

/// An installation that can begin.
pub struct Plan {
    /// What is done, and undone.
    pub work: Work,
    /// The directory of the archive that has each item's bytes, under the item's name.
    pub folders: Vec<Arc<str>>,
    /// What each item gets: an index into `attributes`.
    pub given: Vec<usize>,
    /// The different attributes that items get.
    pub attributes: Vec<Attributes>,
    /// What the group has afterwards, beside the items.
    pub record: Record,
    /// What is known already.
    pub report: Report,
}

/// Plans it.
pub fn plan(job: &Job<'_>, host: &Host<'_>) -> Result<Plan, Error> {
    if job.spec.os != crate::appspec::Os::Linux {
        return Err(Error::WrongOs);
    }
    let mut before = Record::read(&record::path_of(job.state, job.group_id))?;
    let turned = turned::follow(&mut before, job);
    let others = record::others(job.state, job.group_id)?;
    let behavior = job.spec.file_exists_behavior.unwrap_or(job.behavior);
    let present = Present::new(host, &before, &others, behavior);
    let is_ours = |path: &str| present.is_ours(path);
    let (wanted, ways) = walk::wanted(job, host, &is_ours)?;
    let mut permissions = Permissions::resolve(job, &wanted, &is_ours)?;
    let mut planning =
        Planning { plan: Plan::empty(job)?, present, permissions: &mut permissions, conflicts: Vec::new() };
    planning.plan.record.ways = ways;
    planning.plan.report.warnings = turned;
    planning.plan.make_room(wanted.len());
    for wanted in wanted {
        planning.take(wanted)?;
    }
    let Planning { mut plan, conflicts, present, .. } = planning;
    if let Some(first) = conflicts.first() {
        return Err(Error::FileExists { path: first.into(), more: conflicts.len() - 1 });
    }
    plan.report.warnings.extend(present.warnings());
    plan.report.warnings.extend(permissions.warnings());
    (plan.attributes, plan.work.labels) = permissions.into_parts();
    plan.keep_record(before);
    Ok(plan)
}

struct Planning<'a, 'b> {
    plan: Plan,
    present: Present<'a>,
    permissions: &'b mut Permissions,
    conflicts: Vec<String>,
}

impl Planning<'_, '_> {
    fn take(&mut self, wanted: Wanted) -> Result<(), Error> {
        if let Some(unit) = self.plan.work.units.last_mut()
            && is_below(wanted.entry.path(), &unit.target)
        {
            unit.items.end += 1;
            return self.item(wanted);
        }
        match self.present.judge(&wanted)? {
            Verdict::Stays { is_own } => self.stays(wanted, is_own),
            Verdict::Retained => {
                self.plan.report.retained += 1;
                Ok(())
            }
            Verdict::Conflict => {
                self.conflicts.push(wanted.entry.path().to_string());
                Ok(())
            }
            Verdict::Put { replaces, taken_from } => {
                let path = Arc::clone(wanted.entry.shared_path());
                if let Some(group) = taken_from {
                    self.plan.work.takings.push(Taking { group, path: path.clone() });
                }
                let begin = self.plan.work.items.len();
                self.plan.work.units.push(Unit { target: path, replaces, items: begin..begin + 1 });
                self.item(wanted)
            }
        }
    }

    /// A directory that is there. One of the group's stays the group's and gets what the AppSpec says of it.
    fn stays(&mut self, wanted: Wanted, is_own: bool) -> Result<(), Error> {
        if !is_own {
            return Ok(());
        }
        let path = Arc::clone(wanted.entry.shared_path());
        if let Some(resolved) = self.permissions.of_present(&wanted)? {
            let before = self.present.attributes_of(&path)?;
            let after = resolved.attributes(before.mode.unwrap_or(0o755));
            if !before.covers(&after) {
                self.plan.work.changes.push(Change { path, before, after });
            }
        }
        self.plan.record.own.push(wanted.entry);
        Ok(())
    }

    fn item(&mut self, wanted: Wanted) -> Result<(), Error> {
        let given = self.permissions.of_new(&wanted)?;
        self.plan.report.files += u64::from(!wanted.entry.is_directory());
        self.plan.report.bytes += wanted.entry.size();
        self.plan.given.push(given);
        self.plan.folders.push(wanted.folder);
        self.plan.work.items.push(wanted.entry);
        Ok(())
    }
}

impl Plan {
    fn empty(job: &Job<'_>) -> Result<Self, Error> {
        let header = Header {
            version: VERSION,
            group: job.group_id.to_owned(),
            deployment: job.deployment_id.to_owned(),
            deployment_uid: job.deployment_uid.to_owned(),
            token: token().map_err(Error::host("read random bytes for", Path::new("new names")))?,
        };
        let record = Record { header: Some(header.clone()), ..Record::default() };
        let work = Work {
            header,
            units: Vec::new(),
            items: Vec::new(),
            changes: Vec::new(),
            takings: Vec::new(),
            labels: Vec::new(),
            labels_before: Vec::new(),
        };
        Ok(Self {
            work,
            folders: Vec::new(),
            given: Vec::new(),
            attributes: Vec::new(),
            record,
            report: Report::default(),
        })
    }

    /// Makes room for so many items at once: lists that double as they grow would take a host's memory twice.
    fn make_room(&mut self, items: usize) {
        self.work.items.reserve_exact(items);
        self.folders.reserve_exact(items);
        self.given.reserve_exact(items);
    }

    /// What of the revision before is not in this one, leaves.
    fn keep_record(&mut self, before: Record) {
        let stays = self.record.own.iter().chain(&self.work.items);
        let stays: HashSet<&str> = stays.map(Entry::path).collect();
        let Record { own, leaving, labels, leaving_labels, ways, taken, .. } = before;
        let mut gone: Vec<Entry> =
            own.into_iter().chain(leaving).filter(|entry| !stays.contains(entry.path())).collect();
        gone.sort_by(|one, other| super::entry::tree_order(one.path(), other.path()));
        gone.dedup_by(|one, other| one.path() == other.path());
        let is_gone = |path: &str| gone.iter().any(|entry| entry.path() == path);
        self.record.taken = taken.into_iter().filter(|(path, _)| is_gone(path)).collect();
        let is_used = |way: &Way| gone.iter().any(|entry| is_below(entry.path(), &way.real));
        let used = ways.into_iter().filter(|way| is_used(way) && !self.record.ways.contains(way));
        self.record.ways.extend(used.collect::<Vec<_>>());
        self.record.leaving = gone;
        let new: HashSet<&str> = self.work.labels.iter().map(|label| &*label.path).collect();
        let (again, old): (Vec<_>, Vec<_>) = labels.into_iter().partition(|label| new.contains(&*label.path));
        let old = old.into_iter().map(|label| label.path).chain(leaving_labels);
        self.record.leaving_labels = old.filter(|path| !new.contains(&**path)).collect();
        self.record.labels.clone_from(&self.work.labels);
        self.work.labels_before = again;
    }
}

/// Eight random bytes.
fn token() -> rustix::io::Result<String> {
    let mut bytes = [0_u8; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// True for what a directory is wanted for and can be put into.
fn is_usable(wanted: &Wanted, found: &rustix::fs::Stat) -> bool {
    wanted.entry.is_directory() && is_directory(found)
}
