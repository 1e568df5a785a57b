//! Ends an installation that is switched: the record becomes the group's, and what the revision before had goes, unless it is no longer as it was written.
//!
//! Nothing here can fail the installation. Each part may be done again.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, is_below};
use super::error::Error;
use super::host::{Host, is_directory};
use super::record::{self, Record};
use super::work::{Replaced, Work};
use super::{journal, lines};
use crate::agent::permissions;

/// What came of it.
#[derive(Debug, Default)]
pub struct Settled {
    /// Paths that were removed.
    pub removed: u64,
    /// What is worth knowing.
    pub warnings: Vec<String>,
}

/// Does all of it. The journal goes when everything else did.
pub fn settle(host: &Host<'_>, state: &Path, work: &Work) -> Settled {
    let mut settled = Settled::default();
    if let Err(error) = try_to_settle(host, state, work, &mut settled) {
        settled
            .warnings
            .push(format!("the installation stands, and what is left of it is done later: {error}"));
    }
    settled
}

fn try_to_settle(host: &Host<'_>, state: &Path, work: &Work, settled: &mut Settled) -> Result<(), Error> {
    let group = &work.header.group;
    let path = record::path_of(state, group);
    if Record::header_at(&path)?.as_ref() != Some(&work.header) {
        lines::publish(host.steps(), &path)?;
    }
    let record = Record::read_leaving(&path)?;
    remove_replaced(host, work, &record, settled)?;
    let others = record::others(state, group)?;
    give_away(host, state, work, &others)?;
    let kept = remove_leaving(host, &record, &others, settled)?;
    let labels = forget_labels(host, &record, settled)?;
    record::settle(host.steps(), &path, kept, labels)?;
    lines::remove(host.steps(), &journal::path_of(state, group))?;
    lines::sync_directory(host.steps(), &path)
}

/// Removes what units replaced, which has their names beside the targets now.
fn remove_replaced(
    host: &Host<'_>,
    work: &Work,
    record: &Record,
    settled: &mut Settled,
) -> Result<(), Error> {
    for (at, unit) in work.units.iter().enumerate() {
        match unit.replaces {
            Replaced::Nothing => {}
            Replaced::File => {
                host.remove_file(&work.beside(at))?;
            }
            Replaced::Directory => remove_replaced_directory(host, work, at, record, settled)?,
        }
    }
    Ok(())
}

/// Removes what was ours in a directory that made room for a file.
fn remove_replaced_directory(
    host: &Host<'_>,
    work: &Work,
    at: usize,
    record: &Record,
    settled: &mut Settled,
) -> Result<(), Error> {
    let (beside, target) = (work.beside(at), &work.units[at].target);
    for entry in record.leaving.iter().rev().filter(|entry| is_below(entry.path(), target)) {
        let moved = format!("{beside}{}", &entry.path()[target.len()..]);
        match host.find(&moved)? {
            Some(_) if entry.is_directory() => settled.removed += u64::from(host.remove_directory(&moved)?),
            Some(found) if entry.is_as_written(host, &moved, &found)? => {
                settled.removed += u64::from(host.remove_file(&moved)?);
            }
            _ => {}
        }
    }
    if host.find(&beside)?.is_some() && !host.remove_directory(&beside)? {
        settled.warnings.push(format!("what somebody else put into {target} is kept in {beside}"));
    }
    Ok(())
}

/// Says in other groups' records what was taken from them.
fn give_away(host: &Host<'_>, state: &Path, work: &Work, others: &[(String, Record)]) -> Result<(), Error> {
    for (other, record) in others {
        let taken = work.takings.iter().filter(|taking| taking.group == *other).map(|taking| &*taking.path);
        let new: Vec<&str> = taken.filter(|path| !record.taken.contains_key(*path)).collect();
        record::give_away(host.steps(), &record::path_of(state, other), &work.header.group, &new)?;
    }
    Ok(())
}

/// Removes what the revision before wrote and this one does not; gives what is still the group's all the same.
fn remove_leaving(
    host: &Host<'_>,
    record: &Record,
    others: &[(String, Record)],
    settled: &mut Settled,
) -> Result<HashSet<Arc<str>>, Error> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (group, other) in others {
        owners.extend(other.by_path().into_keys().map(|path| (path, group.as_str())));
    }
    let mut kept = HashSet::new();
    for entry in record.leaving.iter().rev() {
        let path = entry.path();
        let owner = record.taken.get(path).map(String::as_str).or_else(|| owners.get(path).copied());
        let Some(found) = host.find(path)? else { continue };
        if let Some(owner) = owner {
            settled.warnings.push(format!("{path} is kept: it is the deployment group {owner}'s now"));
        } else if !entry.is_as_written(host, path, &found)? {
            settled.warnings.push(format!("{path} is kept: it is not as this deployment group wrote it"));
            // A script's edit, or the link that it made of it, makes it nobody else's: a later revision may have it back, as a rollback does.
            if entry.is_of_type(&found) || !is_directory(&found) {
                kept.insert(Arc::clone(entry.shared_path()));
            }
        } else {
            match remove(host, entry) {
                Ok(true) => settled.removed += 1,
                Ok(false) => {
                    kept.insert(Arc::clone(entry.shared_path()));
                }
                Err(error) => {
                    settled.warnings.push(error.to_string());
                    kept.insert(Arc::clone(entry.shared_path()));
                }
            }
        }
    }
    Ok(kept)
}

/// True if it is gone; a directory with something in it stays, and stays the group's.
fn remove(host: &Host<'_>, entry: &Entry) -> Result<bool, Error> {
    if entry.is_directory() { host.remove_directory(entry.path()) } else { host.remove_file(entry.path()) }
}

/// Takes labels of paths that are the group's no more out of the policy; gives the paths of those that would not go, for the next installation.
fn forget_labels(
    host: &Host<'_>,
    record: &Record,
    settled: &mut Settled,
) -> Result<HashSet<Box<str>>, Error> {
    let Some(first) = record.leaving_labels.first() else { return Ok(HashSet::new()) };
    host.steps().step().map_err(Error::host("take the label off", &**first))?;
    let mut left = HashSet::new();
    for (path, error) in permissions::forget_each(&record.leaving_labels) {
        settled.warnings.push(format!(
            "the SELinux label of {path} is still in the policy, and the next installation tries again: {error}"
        ));
        left.insert(path);
    }
    Ok(left)
}
