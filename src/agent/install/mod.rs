//! Installs a revision: takes what its AppSpec says and its unpacked archive, puts files where they belong, and removes the earlier revision's.
//!
//! In stages, so that a failure or a power cut at any step leaves the old revision or the new one whole (decision 2 of the design):
//! everything is planned and every conflict found before anything is touched; new files are laid out beside the old ones under names of their own; they are
//! switched by renames, with a journal on disk; only then do the old files go.

mod copy;
mod entry;
mod error;
mod host;
mod journal;
mod layout;
mod lines;
mod links;
mod plan;
mod record;
mod settle;
mod steps;
mod switch;
#[cfg(test)]
mod tests;
mod walk;
mod way;
mod work;

use std::fs;
use std::path::Path;

use host::Host;
use journal::Phase;
use plan::Plan;
use steps::Steps;
use work::Work;

use super::warnings::Warnings;
use crate::appspec::{FileExists, ServerSpec};

pub use error::Error;

/// One installation.
#[derive(Debug)]
pub struct Job<'a> {
    /// What the AppSpec says.
    pub spec: &'a ServerSpec,
    /// The unpacked bundle; only read.
    pub archive: &'a Path,
    /// The directory that keeps what each group has installed, the agent's own.
    pub state: &'a Path,
    /// The deployment group's id; part of file names.
    pub group_id: &'a str,
    /// The Deployment's name.
    pub deployment_id: &'a str,
    /// Its uid, by which it is told from a later one of that name.
    pub deployment_uid: &'a str,
    /// What happens to files that are there and not the group's, where the AppSpec does not say.
    pub behavior: FileExists,
    /// Opt-outs.
    pub options: &'a Options,
}

/// Opt-outs of an installation; the default trusts an AppSpec with nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Modes with set-id bits for files.
    pub allow_set_id: bool,
    /// Links that lead out of the archive: copied as they are.
    pub allow_outside_links: bool,
    /// Sources that leave the archive by `..`.
    pub allow_outside_sources: bool,
    /// Directories below a destination that are links on the host: followed, whoever can turn them.
    pub follow_directory_links: bool,
    /// The owners that files have in the archive: theirs on the host, too, unless the AppSpec gives others.
    pub keep_owners: bool,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files and links that were put in place.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that were kept because they were there (RETAIN).
    pub retained: u64,
    /// Paths of the earlier revision that were removed.
    pub removed: u64,
    /// What is worth knowing, one sentence each; at most a hundred, the last one counts the rest.
    pub warnings: Vec<String>,
}

/// Which Deployment's an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    name: String,
    uid: String,
}

impl Whose {
    /// True if it is that one's. By its name alone only where no uid was written.
    pub fn is(&self, name: &str, uid: &str) -> bool {
        if self.uid.is_empty() { self.name == name } else { self.uid == uid }
    }
}

/// What became of an installation that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The group.
    pub group_id: String,
    /// The Deployment that was cut off.
    pub deployment: Whose,
    /// True if the new revision is in place, false if the old one is.
    pub is_installed: bool,
    /// What is worth knowing, one sentence each.
    pub warnings: Vec<String>,
}

/// Installs a revision. An installation of the same group that was cut off is recovered first.
///
/// When this returns, the new revision is on the disk and the earlier one's other files are gone; when it fails, the earlier one is whole. Should
/// even the way back fail (the disk is gone), the journal stays and [`recover`] goes that way later; if it is the journal's last word that failed, which of the two
/// revisions is whole is only known when [`recover`] says so.
pub fn install(job: &Job<'_>) -> Result<Report, Error> {
    install_by(job, &Steps::default())
}

/// What became of each group's installation that was cut off. One that could be ended neither way is tried again before its group's next one.
pub type Recoveries = Vec<(String, Result<Recovered, Error>)>;

/// Ends every installation that was cut off, forward or back; to be called before anything else is done with the host's groups. What fails one
/// group holds up no other.
pub fn recover(state: &Path) -> Result<Recoveries, Error> {
    recover_by(state, &Steps::default())
}

/// The Deployment whose files a group has in place; nothing if it never installed anything.
pub fn standing(state: &Path, group: &str) -> Result<Option<Whose>, Error> {
    Ok(record::Record::header_at(&record::path_of(state, group))?.map(whose))
}

fn whose(header: work::Header) -> Whose {
    Whose { name: header.deployment, uid: header.deployment_uid }
}

fn install_by(job: &Job<'_>, steps: &Steps) -> Result<Report, Error> {
    let group = job.group_id;
    if group.is_empty() || group.len() > 200 || group.starts_with('.') || group.contains(['/', '\0']) {
        return Err(Error::GroupIdInvalid(group.chars().take(200).collect()));
    }
    fs::create_dir_all(job.state).map_err(Error::host("make", job.state))?;
    let host = Host::new(steps)?;
    recover_group(&host, job.state, group)?;
    let plan = plan::plan(job, &host)?;
    let mut inodes = None;
    match put(job, &host, &plan, &mut inodes) {
        Ok(()) => Ok(settled(job, &host, plan)),
        // Switched, and the journal may or may not say so: whichever way is taken at the next start ends whole.
        Err((error, true)) if inodes.is_some() => Err(error),
        Err((error, _)) => {
            // What does not go now is still in the journal, for the next start.
            let _ = go_back(&host, job.state, &plan.work, inodes.as_deref());
            Err(error)
        }
    }
}

fn settled(job: &Job<'_>, host: &Host<'_>, plan: Plan) -> Report {
    let settled = settle::settle(host, job.state, &plan.work);
    let mut report = plan.report;
    report.removed = settled.removed;
    report.warnings.extend(settled.warnings);
    report.warnings = report.warnings.into_iter().collect::<Warnings>().sentences();
    report
}

/// Everything up to the switch, and it; `inodes` are set when all is laid out. `Err(true)` when nobody can know whether the last word of the
/// journal stands.
fn put(
    job: &Job<'_>,
    host: &Host<'_>,
    plan: &Plan,
    inodes: &mut Option<Vec<u64>>,
) -> Result<(), (Error, bool)> {
    let (steps, work) = (host.steps(), &plan.work);
    let journal = journal::path_of(job.state, job.group_id);
    let record = record::path_of(job.state, job.group_id);
    let back = |error| (error, false);
    journal::begin(steps, &journal, work).map_err(back)?;
    let laid = layout::lay_out(host, plan, job.archive).map_err(back)?;
    plan.record.draft(steps, &record, &work.items).map_err(back)?;
    lines::sync_directory(steps, &record).map_err(back)?;
    sync(host, work).map_err(back)?;
    journal::mark(steps, &journal, Phase::LaidOut(laid.clone())).map_err(|(error, _)| back(error))?;
    *inodes = Some(laid);
    switch::switch(host, work).map_err(back)?;
    sync(host, work).map_err(back)?;
    journal::mark(steps, &journal, Phase::Switched)
}

/// Writes every file system that the work is on to its disk.
fn sync(host: &Host<'_>, work: &Work) -> Result<(), Error> {
    let mut seen = Vec::new();
    for parent in work.parents() {
        let found = host.directory(parent).and_then(|fd| rustix::fs::fstat(&*fd));
        let device = found.map_err(Error::host("look at", parent))?.st_dev;
        if !seen.contains(&device) {
            seen.push(device);
            host.sync(parent)?;
        }
    }
    Ok(())
}

fn inodes_of(phase: Phase) -> Option<Vec<u64>> {
    if let Phase::LaidOut(inodes) = phase { Some(inodes) } else { None }
}

/// Puts the old revision back and forgets the installation; gives warnings.
fn go_back(host: &Host<'_>, state: &Path, work: &Work, inodes: Option<&[u64]>) -> Result<Vec<String>, Error> {
    let back = switch::switch_back(host, work, inodes);
    if let Some(error) = back.failure {
        return Err(error);
    }
    if inodes.is_some() {
        sync(host, work)?;
    }
    let group = &work.header.group;
    lines::remove_draft(host.steps(), &record::path_of(state, group))?;
    let journal = journal::path_of(state, group);
    lines::remove_draft(host.steps(), &journal)?;
    lines::remove(host.steps(), &journal)?;
    lines::sync_directory(host.steps(), &journal)?;
    Ok(back.warnings)
}

fn recover_by(state: &Path, steps: &Steps) -> Result<Recoveries, Error> {
    let host = Host::new(steps)?;
    let mut groups = Vec::new();
    let entries = match fs::read_dir(state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::host("list", state)(error)),
    };
    for entry in entries {
        let name = entry.map_err(Error::host("list", state))?.file_name().to_string_lossy().into_owned();
        let group = name.strip_suffix(".journal").or_else(|| name.strip_suffix(".journal.new"));
        groups.extend(group.map(str::to_owned));
    }
    groups.sort();
    groups.dedup();
    let recovered = groups.into_iter().filter_map(|group| {
        let outcome = recover_group(&host, state, &group).transpose()?;
        Some((group, outcome))
    });
    Ok(recovered.collect())
}

/// Ends one group's installation, if one was cut off.
fn recover_group(host: &Host<'_>, state: &Path, group: &str) -> Result<Option<Recovered>, Error> {
    let path = journal::path_of(state, group);
    let Some((work, phase)) = journal::read(&path)? else {
        lines::remove_draft(host.steps(), &path)?;
        return Ok(None);
    };
    let is_installed = phase == Phase::Switched;
    let warnings = if is_installed {
        settle::settle(host, state, &work).warnings
    } else {
        go_back(host, state, &work, inodes_of(phase).as_deref())?
    };
    let Work { header, .. } = work;
    Ok(Some(Recovered {
        group_id: header.group.clone(),
        deployment: whose(header),
        is_installed,
        warnings: warnings.into_iter().collect::<Warnings>().sentences(),
    }))
}
