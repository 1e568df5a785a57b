//! The agent's record on disk: which Deployment came, which event began, how it ended. Written, and made to last, before what it says
//! is done; after a kill, a reboot or a power cut it tells which event ran.
//!
//! Lines of JSON, only ever appended; rewritten whole, beside and then in place, when it has grown. A last line that was torn by a
//! power cut says nothing and goes. It never holds credentials.

mod record;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Error;
use super::layout::{replace, sync_folder_of};
use crate::api::deployment_status::Diagnostics;
use crate::api::{Assignment, EventName, EventStatus};

pub use record::{Bundle, Entry, Past, Process, Record, is_agents};

/// How large it may grow before it is rewritten, in bytes.
const REWRITE_AT: u64 = 256 * 1024;

/// Whether an entry must have reached the disk before what it says is done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// It must: what follows cannot be taken back.
    Yes,
    /// It need not: without it the same is decided again.
    No,
}

/// The journal and what it says, by the groups' ids.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    rewrite_at: u64,
    records: BTreeMap<String, Record>,
}

impl Journal {
    /// Opens the journal, or begins one. What of it is not readable is kept beside it, with a word in the log. A disk that is full holds up
    /// nothing but the tidying.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::options().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(Error::disk("open", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::disk("read", path))?;
        sync_folder_of(path).map_err(Error::disk("write", path))?;
        let mut journal =
            Self { path: path.into(), file, size: 0, rewrite_at: REWRITE_AT, records: BTreeMap::new() };
        let (unreadable, whole) = journal.replay(&bytes);
        if let Err(error) = journal.tidy(&bytes, &unreadable) {
            tracing::warn!(%error, "the journal was not rewritten");
            // Half a line would spoil the next one.
            journal.file.set_len(whole).map_err(Error::disk("write", path))?;
            journal.size = whole;
        }
        Ok(journal)
    }

    /// Writes anew what `bytes` came to; lines that say nothing are kept beside it.
    fn tidy(&mut self, bytes: &[u8], unreadable: &[usize]) -> Result<(), Error> {
        if !unreadable.is_empty() {
            let aside = self.path.with_added_extension("unreadable");
            tracing::error!(lines = ?unreadable, kept = %aside.display(), "the journal has lines that cannot be read");
            replace(&aside, bytes, 0o600)?;
        }
        if bytes.is_empty() { Ok(()) } else { self.rewrite() }
    }

    /// Applies every line. The numbers of those that say nothing, and how many bytes stand; a torn last line is none of either.
    fn replay(&mut self, bytes: &[u8]) -> (Vec<usize>, u64) {
        let mut whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let mut unreadable = vec![];
        let lines: Vec<&[u8]> = bytes[..whole].split(|b| *b == b'\n').collect();
        let count = lines.len().saturating_sub(1);
        for (number, line) in lines.into_iter().take(count).enumerate() {
            match serde_json::from_slice(line) {
                Ok(entry) => self.apply(entry),
                // What a power cut left of the last write may be as long as that, but not its bytes.
                Err(_) if number + 1 == count => whole -= line.len() + 1,
                Err(_) => unreadable.push(number + 1),
            }
        }
        (unreadable, whole as u64)
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Accepted { sequence, assignment } => {
                let group = assignment.deployment_group_id.clone();
                let earlier = self.records.remove(&group);
                self.records.insert(group, Record::accepted(sequence, *assignment, earlier));
            }
            Entry::Whole { record } => {
                self.records.insert(record.group().to_owned(), *record);
            }
            Entry::Forgotten { group } => {
                self.records.remove(&group);
            }
            Entry::Begun { group, event, time } => self.change(&group, |r| r.begin(event, time)),
            Entry::Started { group, process } => self.change(&group, |r| r.process = Some(process)),
            Entry::Ended { group, event, status, time, diagnostics } => {
                self.change(&group, |r| r.end_event(event, status, time, diagnostics));
            }
            Entry::Fetched { group, bundle } => self.change(&group, |r| r.bundle = bundle),
            Entry::Told { group, message } => self.change(&group, |r| r.tell(&message)),
            Entry::Placed { group, time } => self.change(&group, |r| r.place(time)),
            Entry::Finished { group, status, time } => self.change(&group, |r| r.finish(status, time)),
        }
    }

    fn change(&mut self, group: &str, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(group) {
            change(record);
        }
    }

    /// Puts an entry on record. If that fails nothing has changed, and what it says must not be done.
    pub fn write(&mut self, entry: Entry, lasting: Lasting) -> Result<(), Error> {
        let mut line = serde_json::to_vec(&entry).map_err(|e| Error::disk("write", &self.path)(e.into()))?;
        line.push(b'\n');
        if let Err(error) = self.append(&line, lasting) {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(self.size);
            return Err(Error::disk("write", &self.path)(error));
        }
        self.size += line.len() as u64;
        self.apply(entry);
        if self.size > self.rewrite_at
            && let Err(error) = self.rewrite()
        {
            // What was to be recorded is; the file is merely longer than it need be.
            tracing::warn!(%error, "the journal was not rewritten");
            self.rewrite_at += REWRITE_AT;
        }
        Ok(())
    }

    fn append(&mut self, line: &[u8], lasting: Lasting) -> io::Result<()> {
        self.file.write_all(line)?;
        if lasting == Lasting::Yes { self.file.sync_data() } else { Ok(()) }
    }

    /// Writes what is known now in the place of how it came about.
    fn rewrite(&mut self) -> Result<(), Error> {
        let mut bytes = vec![];
        for record in self.records.values() {
            let whole = Entry::Whole { record: Box::new(record.clone()) };
            serde_json::to_writer(&mut bytes, &whole)
                .map_err(|e| Error::disk("write", &self.path)(e.into()))?;
            bytes.push(b'\n');
        }
        replace(&self.path, &bytes, 0o600)?;
        let opened = File::options().append(true).open(&self.path);
        self.file = opened.map_err(Error::disk("open", &self.path))?;
        self.size = bytes.len() as u64;
        self.rewrite_at = REWRITE_AT.max(2 * self.size);
        Ok(())
    }

    /// Every group's newest Deployment, in the order in which they came.
    pub fn in_order(&self) -> Vec<&Record> {
        let mut records: Vec<_> = self.records.values().collect();
        records.sort_by_key(|record| record.sequence);
        records
    }

    /// A group's newest Deployment.
    pub fn record(&self, group: &str) -> Option<&Record> {
        self.records.get(group)
    }

    /// Puts a Deployment at the end of the queue.
    pub fn accept(&mut self, assignment: &Assignment) -> Result<(), Error> {
        let assignment = Box::new(Assignment { sealed_credentials: None, ..assignment.clone() });
        self.write(Entry::Accepted { sequence: self.next_sequence(), assignment }, Lasting::No)
    }

    /// The record of a Deployment that would be accepted now.
    pub fn record_of(&self, assignment: &Assignment) -> Record {
        let earlier = self.records.get(&assignment.deployment_group_id).cloned();
        Record::accepted(self.next_sequence(), assignment.clone(), earlier)
    }

    fn next_sequence(&self) -> u64 {
        self.records.values().map(|r| r.sequence).max().unwrap_or(0) + 1
    }

    /// To be called before anything of the event is done.
    pub fn begin(
        &mut self,
        group: &str,
        event: EventName,
        time: Timestamp,
        lasting: Lasting,
    ) -> Result<(), Error> {
        self.write(Entry::Begun { group: group.into(), event, time }, lasting)
    }

    /// To be called when the event has ended.
    pub fn end(
        &mut self,
        group: &str,
        event: EventName,
        end: (EventStatus, Option<Diagnostics>),
        time: Timestamp,
        lasting: Lasting,
    ) -> Result<(), Error> {
        let (status, diagnostics) = end;
        self.write(Entry::Ended { group: group.into(), event, status, time, diagnostics }, lasting)
    }

    /// Something that people should know of a group's Deployment.
    pub fn tell(&mut self, group: &str, message: &str) -> Result<(), Error> {
        self.write(Entry::Told { group: group.into(), message: message.into() }, Lasting::No)
    }

    /// The Deployment's end on this host.
    pub fn finish(&mut self, group: &str, status: EventStatus, time: Timestamp) -> Result<(), Error> {
        self.write(Entry::Finished { group: group.into(), status, time }, Lasting::Yes)
    }

    /// The group is no longer this host's.
    pub fn forget(&mut self, group: &str) -> Result<(), Error> {
        self.write(Entry::Forgotten { group: group.into() }, Lasting::No)
    }
}

#[cfg(test)]
mod tests;
