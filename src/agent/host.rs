//! A host and what was done on it: the folders, the journal, and the events of Deployments one after the other.
//!
//! An event is put on record before anything of it is done, and its end before anything of the next one.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::course::{self, Next, Orders};
use super::cut::Cut;
use super::download::{self, Supply};
use super::environment::Inheritance;
use super::event;
use super::install;
use super::journal::{Entry, Journal, Lasting, Record};
use super::layout::{DeploymentDir, Mark, Root};
use super::log::tail_of;
use super::script::{Code, Failure};
use super::{Error, archive, clock, process};
use crate::api::deployment_status::Diagnostics;
use crate::api::{Assignment, EventName, EventStatus};
use crate::source::bundle::FetchOptions;

/// The pauses between tries to put the end of an event on record.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How scripts and bundles are treated on this host.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where scripts run.
    pub working_directory: WorkingDirectory,
    /// What they get of the agent's environment.
    pub inheritance: Inheritance,
    /// How many of a group's revisions stay on the host.
    pub max_revisions: usize,
    /// The AppSpec's name, where it is not one of the usual ones.
    pub appspec: Option<String>,
    /// Which bundles are let through.
    pub unpacking: archive::Options,
    /// Which AppSpecs are.
    pub installing: install::Options,
    /// How bundles are fetched.
    pub fetching: FetchOptions,
    /// True if every event ends well at once, and nothing is done: see [`Configured::idle`](super::Configured::idle).
    pub is_idle: bool,
}

impl Settings {
    /// Whether a bundle's files are left to the agent's user, whoever they belong to in it.
    pub fn ignore_ownership(&mut self, ignores: bool) {
        self.unpacking.ignores_ownership = ignores;
        self.installing.ignores_ownership = ignores;
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            working_directory: WorkingDirectory::Path("/".into()),
            inheritance: Inheritance::default(),
            max_revisions: 5,
            appspec: None,
            unpacking: archive::Options::default(),
            installing: install::Options::default(),
            fetching: FetchOptions::of_hosts(),
            is_idle: false,
        }
    }
}

/// Where scripts run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkingDirectory {
    /// In one folder of the host.
    Path(PathBuf),
    /// In the root of the revision whose script it is.
    Revision,
}

impl WorkingDirectory {
    /// The folder for scripts of the revision in `archive`.
    pub fn of(&self, archive: &Path) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Revision => archive.to_owned(),
        }
    }
}

/// The end of an event that has come now.
fn ended(group: &str, event: EventName, outcome: Result<Option<Diagnostics>, (Failure, String)>) -> Entry {
    let (status, diagnostics) = match outcome {
        Ok(said) => (EventStatus::Succeeded, said),
        Err((failure, log_tail)) => (EventStatus::Failed, Some(diagnostics(&failure, log_tail))),
    };
    Entry::Ended { group: group.to_owned(), event, status, time: clock::now(), diagnostics }
}

/// Whose files lie on the host, as seen from one Deployment.
enum Stands {
    This,
    Earlier,
    Nothing,
}

/// What became of a group's installation that was cut off, if one was.
type Recovery<'a> = Option<&'a Result<install::Recovered, install::Error>>;

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Where things lie.
    pub root: Root,
    /// How things are done.
    pub settings: Settings,
    /// Given when even what runs must end.
    pub cut: Cut,
    journal: Mutex<Journal>,
    /// What was found at the start and is not on record yet, as the disk may have no room for it; the earliest first.
    owed: Mutex<VecDeque<Entry>>,
    changes: watch::Sender<()>,
}

impl Host {
    /// Takes the root folder and puts in order what an earlier life of the agent left: an installation that was cut off is ended forward
    /// or back, a script that still runs is ended, and the event that ran has failed. It is not run again.
    pub async fn open(root: Root, settings: Settings) -> Result<Self, Error> {
        let journal = Mutex::new(Journal::open(&root.own("journal"))?);
        let (owed, changes) = (Mutex::default(), watch::Sender::new(()));
        let host = Self { root, settings, cut: Cut::default(), journal, owed, changes };
        // No event goes on after a start.
        download::clear(&host.root);
        let recovered = install::recover(&host.root.installed())?;
        for (group, outcome) in &recovered {
            if let Err(error) = outcome {
                tracing::error!(group, %error, reason = error.reason(), "an installation that was cut off could not be put in order; it is tried again before the group's next one");
            }
        }
        let records: Vec<Record> = host.journal().in_order().into_iter().cloned().collect();
        for record in &records {
            let of_group = recovered.iter().find(|(group, _)| group == record.group());
            let recovery = of_group.map(|(_, outcome)| outcome);
            host.note_what_stands(record, recovery);
            host.end_interrupted(record, recovery).await;
        }
        if let Err(error) = host.put_owed_on_record() {
            tracing::error!(%error, "what was found at the start could not be put on record; it is tried again before anything else is done");
        }
        Ok(host)
    }

    async fn end_interrupted(&self, record: &Record, recovery: Recovery<'_>) {
        let Some(event) = record.running() else { return };
        let mut message = format!(
            "{event} was under way when the agent or the host ended; it is not run again, and may have been done in part"
        );
        let mut script = String::new();
        if let Some(process) = &record.process {
            script.clone_from(&process.script);
            if process::end_leftover(process).await {
                message += "; its script was still running and has been ended";
            }
        }
        if let Some(Err(error)) = recovery {
            message += &format!(
                "; its files could not be put in order, which is tried again before the group's next installation: {}: {error}",
                error.reason()
            );
        } else if event == EventName::Install || recovery.is_some() {
            message += match self.what_stands(record, recovery) {
                Some(Stands::This) => "; this revision's files are in place, whole",
                Some(Stands::Earlier) => "; the earlier revision is in place, whole",
                Some(Stands::Nothing) => "; nothing of it is in place",
                None => "",
            };
        }
        tracing::warn!(deployment = record.assignment.deployment, %event, "{message}");
        let log = self.dir(record).ok().map(|dir| tail_of(&dir.log())).unwrap_or_default();
        let failure = Failure { code: Code::AgentRestarted, script, message };
        self.owed().push_back(ended(record.group(), event, Err((failure, log))));
    }

    /// Puts on record that a Deployment's files lie here, where its Install ended otherwise: it was cut off, or nobody could know then.
    fn note_what_stands(&self, record: &Record, recovery: Recovery<'_>) {
        let install = record.event(EventName::Install).map(|event| event.status);
        let is_told =
            record.standing.as_ref().is_some_and(|s| s.deployment_uid == record.assignment.deployment_uid);
        if install.is_some()
            && !is_told
            && let Some(Stands::This) = self.what_stands(record, recovery)
        {
            self.owed().push_back(Entry::Placed { group: record.group().to_owned(), time: clock::now() });
        }
    }

    /// Whose files lie here, as seen from a Deployment; nothing if that cannot be told.
    fn what_stands(&self, record: &Record, recovery: Recovery<'_>) -> Option<Stands> {
        let Assignment { deployment, deployment_uid, .. } = &record.assignment;
        if let Some(Ok(recovered)) = recovery
            && recovered.deployment.is(deployment, deployment_uid)
            && recovered.is_installed
        {
            // What is left of it may have failed, and its record not be the group's yet.
            return Some(Stands::This);
        }
        match install::standing(&self.root.installed(), record.group()) {
            Ok(Some(stands)) if stands.is(deployment, deployment_uid) => Some(Stands::This),
            Ok(Some(_)) => Some(Stands::Earlier),
            Ok(None) => Some(Stands::Nothing),
            Err(error) => {
                tracing::error!(%error, reason = error.reason(), "what is in place cannot be told");
                None
            }
        }
    }

    fn owed(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts on record what was found at the start.
    pub fn put_owed_on_record(&self) -> Result<(), Error> {
        let mut owed = self.owed();
        while let Some(entry) = owed.front() {
            self.put_on_record(entry, Lasting::Yes)?;
            owed.pop_front();
        }
        Ok(())
    }

    fn put_on_record(&self, entry: &Entry, lasting: Lasting) -> Result<(), Error> {
        self.journal().write(entry.clone(), lasting)?;
        self.changed();
        Ok(())
    }

    /// The journal; nobody holds it across a wait.
    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group's newest Deployment as it stands now.
    pub fn record(&self, group: &str) -> Option<Record> {
        self.journal().record(group).cloned()
    }

    /// Hears of every change of the journal.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Tells everybody who listens that the journal has changed.
    pub fn changed(&self) {
        self.changes.send_replace(());
    }

    /// The folder of a Deployment.
    pub fn dir(&self, record: &Record) -> Result<DeploymentDir, Error> {
        self.root.deployment(record.group(), &record.assignment.deployment)
    }

    /// Does what comes next for a group's Deployment, and says what that was.
    pub async fn step(&self, group: &str, orders: Orders, supply: &Supply) -> Result<Next, Error> {
        self.put_owed_on_record()?;
        let Some(record) = self.record(group).filter(|r| r.end.is_none()) else { return Ok(Next::Wait) };
        let next = course::next(&record, orders);
        match next {
            Next::Wait => {}
            Next::Run(event) => event::run(self, &record, event, supply).await?,
            Next::Finish(status) => self.finish(&record, status)?,
        }
        Ok(next)
    }

    /// Puts an event on record before it is done.
    pub fn begin_event(&self, group: &str, event: EventName, lasting: Lasting) -> Result<(), Error> {
        self.journal().begin(group, event, clock::now(), lasting)?;
        self.changed();
        Ok(())
    }

    /// Puts an event's end on record. However long the disk is full, it is not lost: an error comes only when what runs must end, and the
    /// next start finds the event without an end.
    pub async fn end_event(
        &self,
        group: &str,
        event: EventName,
        outcome: Result<Option<Diagnostics>, (Failure, String)>,
        lasting: Lasting,
    ) -> Result<(), Error> {
        let end = ended(group, event, outcome);
        let mut pause = PAUSES.0;
        while let Err(error) = self.put_on_record(&end, lasting) {
            tracing::error!(%error, %event, "the end of an event could not be put on record; trying again");
            tokio::select! {
                () = clock::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                () = self.cut.wait() => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts the end of a Deployment on record. One that succeeded in whole is what its group has installed from now on.
    pub fn finish(&self, record: &Record, status: EventStatus) -> Result<(), Error> {
        let has_installed =
            record.event(EventName::Install).is_some_and(|e| e.status == EventStatus::Succeeded);
        if status == EventStatus::Succeeded && has_installed {
            self.root.set_mark(record.group(), Mark::LastSuccessful, &self.dir(record)?)?;
        }
        self.journal().finish(record.group(), status, clock::now())?;
        self.changed();
        Ok(())
    }

    /// Something that people should know of a Deployment.
    pub fn tell(&self, group: &str, messages: impl IntoIterator<Item = String>) -> Result<(), Error> {
        for message in messages {
            tracing::warn!(group, "{message}");
            self.journal().tell(group, &message)?;
        }
        Ok(())
    }
}

/// What is told of an event that failed, within what the API takes.
fn diagnostics(failure: &Failure, log_tail: String) -> Diagnostics {
    Diagnostics {
        error_code: failure.code.to_string(),
        script_name: shortened(&failure.script, 253),
        message: shortened(&failure.message, 2_048),
        log_tail,
    }
}

/// At most that many characters; what is left out is seen to be.
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
