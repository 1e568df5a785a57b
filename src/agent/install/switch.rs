//! Switches the host to the new revision by renames, and back.
//!
//! A unit and what it replaces change places in one step, so that every path is the old one or the new one at any time; on file systems that cannot, three renames
//! do it. Whether a unit was switched is told by inode numbers: nothing but the host itself needs to be believed after a crash.

use super::error::Error;
use super::host::{Host, is_directory};
use super::work::{Replaced, Work};
use crate::agent::permissions;

/// Switches everything.
pub fn switch(host: &Host<'_>, work: &Work) -> Result<(), Error> {
    for (at, unit) in work.units.iter().enumerate() {
        let (beside, target) = (work.beside(at), &unit.target);
        match unit.replaces {
            Replaced::Nothing => host.rename_new(&beside, target)?,
            Replaced::File | Replaced::Directory => change_places(host, work, at, &beside)?,
        }
    }
    for change in &work.changes {
        host.set_attributes(&change.path, &change.after)?;
    }
    if !work.labels.is_empty() {
        host.steps().step().map_err(Error::host("label", &*work.labels[0].path))?;
        permissions::label(&work.labels)?;
    }
    Ok(())
}

/// A unit and what it replaces; or a unit alone, if what it was to replace has gone since.
fn change_places(host: &Host<'_>, work: &Work, at: usize, beside: &str) -> Result<(), Error> {
    let target = &work.units[at].target;
    match host.exchange(beside, target) {
        Ok(true) => Ok(()),
        Ok(false) if host.find(target)?.is_some() => {
            let aside = work.aside(at);
            host.rename_new(target, &aside)?;
            host.rename_new(beside, target)?;
            host.rename_new(&aside, beside)
        }
        Err(error) if host.find(target)?.is_some() => Err(error),
        Ok(false) | Err(_) => host.rename_new(beside, target),
    }
}

/// Puts everything back as it was, as far as it had come; gives what could not be.
///
/// `inodes` are those of the units once all were laid out. What somebody else put in a unit's place meanwhile stays.
pub fn switch_back(host: &Host<'_>, work: &Work, inodes: Option<&[u64]>) -> Back {
    let mut back = Back::default();
    if inodes.is_some() && !work.labels.is_empty() {
        let labels = work.labels.iter().map(|label| &*label.path);
        if let Err(error) = permissions::unlabel(labels) {
            back.warnings.push(error.to_string());
        }
    }
    for change in work.changes.iter().rev().filter(|_| inodes.is_some()) {
        back.note(host.set_attributes(&change.path, &change.before));
    }
    for at in (0..work.units.len()).rev() {
        let undone = match inodes.and_then(|inodes| inodes.get(at)) {
            Some(inode) => unit_back(host, work, at, *inode, &mut back.warnings),
            None => host.remove_tree(&work.beside(at)),
        };
        back.note(undone);
    }
    // What stands at these paths is the revision before's again, and so is its label.
    if inodes.is_some()
        && let Err(error) = permissions::label(&work.labels_before)
    {
        back.warnings.push(error.to_string());
    }
    back
}

/// How the way back went.
#[derive(Debug, Default)]
pub struct Back {
    /// The first thing that did not go.
    pub failure: Option<Error>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
}

impl Back {
    fn note(&mut self, done: Result<(), Error>) {
        if let Err(error) = done
            && self.failure.is_none()
        {
            self.failure = Some(error);
        }
    }
}

fn unit_back(
    host: &Host<'_>,
    work: &Work,
    at: usize,
    inode: u64,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let target = &*work.units[at].target;
    let (beside, aside, spare) = (work.beside(at), work.aside(at), format!("{}-new", work.beside(at)));
    let is_new = |path: &str| Ok::<_, Error>(host.find(path)?.is_some_and(|found| found.st_ino == inode));
    let is_there = |path: &str| Ok::<_, Error>(host.find(path)?.is_some());
    if is_there(&aside)? {
        // Stopped between the three renames: what is aside is the old one.
        if is_new(target)? {
            host.rename_new(target, &beside)?;
        }
        if !is_there(target)? {
            host.rename_new(&aside, target)?;
        }
    } else if is_new(target)? {
        if !is_there(&beside)? {
            host.rename_new(target, &beside)?;
        } else if !host.exchange(&beside, target)? {
            host.rename_new(target, &spare)?;
            host.rename_new(&beside, target)?;
            host.rename_new(&spare, &beside)?;
        }
    } else if is_new(&spare)? {
        // Stopped between the three renames of an earlier way back.
        if !is_there(target)? && is_there(&beside)? {
            host.rename_new(&beside, target)?;
        }
        host.rename_new(&spare, &beside)?;
    } else if is_there(&beside)? && !is_new(&beside)? {
        warnings.push(format!(
            "{target} was changed by somebody else meanwhile and is kept; the earlier one is {beside}"
        ));
        return Ok(());
    }
    remove_unit(host, work, at, warnings)
}

/// Removes a unit that is at its name beside the target. What somebody put into a directory while it was switched is kept, in its place.
fn remove_unit(host: &Host<'_>, work: &Work, at: usize, warnings: &mut Vec<String>) -> Result<(), Error> {
    let beside = work.beside(at);
    let Some(found) = host.find(&beside)? else { return Ok(()) };
    if !is_directory(&found) {
        return host.remove_file(&beside).map(|_| ());
    }
    for item in work.units[at].items.clone().rev() {
        let laid = work.laid_at(at, item);
        if work.items[item].is_directory() {
            host.remove_directory(&laid)?
        } else {
            host.remove_file(&laid)?
        };
    }
    if host.find(&beside)?.is_some() {
        let target = &*work.units[at].target;
        host.rename_new(&beside, target)?;
        warnings
            .push(format!("{target} has files in it that somebody else put there meanwhile; they are kept"));
    }
    Ok(())
}
