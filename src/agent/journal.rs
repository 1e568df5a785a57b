//! The agent's record on disk: which Deployment came, which event began, how it ended. Written, and made to last, before what it says
//! is done; after a kill, a reboot or a power cut it tells which event ran.
//!
//! Lines of JSON, only ever appended; rewritten whole, beside and then in place, when it has grown. A last line that was torn by a
//! power cut says nothing and goes. It never holds credentials.

mod record;
mod records;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Error;
use super::layout::{beside, replace, sync_folder_of};
use crate::api::{Assignment, EventName, EventStatus};

pub use record::{Bundle, Entry, Past, Process, Record};
pub use records::Records;

/// The form that is written, and the newest one that is read.
const FORM: u32 = 1;

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
    /// True once the file's name is on the disk, too.
    is_named: bool,
    records: Records,
}

impl Journal {
    /// Opens the journal, or begins one. What of it is not readable is kept beside it, with a word in the log; one in a newer form is left as it
    /// is. A disk that is full holds up nothing but the tidying.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::options().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(Error::disk("open", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::disk("read", path))?;
        let first = bytes.split(|b| *b == b'\n').next().map(serde_json::from_slice);
        if let Some(Ok(Entry::Form { version })) = first
            && version > FORM.into()
        {
            return Err(Error::StateNewer { path: path.to_owned(), version, known: FORM });
        }
        sync_folder_of(path).map_err(Error::disk("write", path))?;
        let (path_buf, records) = (path.to_owned(), Records::default());
        let mut journal =
            Self { path: path_buf, file, size: 0, rewrite_at: REWRITE_AT, is_named: true, records };
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
                Ok(entry) => self.records.apply(entry),
                // What a power cut left of the last write may be as long as that, but not its bytes.
                Err(_) if number + 1 == count => whole -= line.len() + 1,
                Err(_) => unreadable.push(number + 1),
            }
        }
        (unreadable, whole as u64)
    }

    /// Puts an entry on record. If that fails nothing has changed, and what it says must not be done.
    pub fn write(&mut self, entry: Entry, lasting: Lasting) -> Result<(), Error> {
        let mut line = if self.size == 0 { self.line(&form())? } else { vec![] };
        line.extend(self.line(&entry)?);
        if let Err(error) = self.append(&line, lasting) {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(self.size);
            return Err(Error::disk("write", &self.path)(error));
        }
        self.size += line.len() as u64;
        self.records.apply(entry);
        if self.size > self.rewrite_at
            && let Err(error) = self.rewrite()
        {
            // What was to be recorded is; the file is merely longer than it need be.
            tracing::warn!(%error, "the journal was not rewritten");
            self.rewrite_at += REWRITE_AT;
        }
        Ok(())
    }

    fn line(&self, entry: &Entry) -> Result<Vec<u8>, Error> {
        let mut line = serde_json::to_vec(entry).map_err(|e| Error::disk("write", &self.path)(e.into()))?;
        line.push(b'\n');
        Ok(line)
    }

    fn append(&mut self, line: &[u8], lasting: Lasting) -> io::Result<()> {
        if lasting == Lasting::Yes && !self.is_named {
            sync_folder_of(&self.path)?;
            self.is_named = true;
        }
        self.file.write_all(line)?;
        if lasting == Lasting::Yes { self.file.sync_data() } else { Ok(()) }
    }

    /// Writes what is known now in the place of how it came about. If that fails the journal goes on as it was.
    fn rewrite(&mut self) -> Result<(), Error> {
        let mut bytes = self.line(&form())?;
        for record in self.records.in_order() {
            bytes.extend(self.line(&Entry::Whole { record: Box::new(record.clone()) })?);
        }
        let (draft, file) = beside(&self.path, &bytes, 0o600)?;
        fs::rename(&draft, &self.path).map_err(Error::disk("write", &self.path))?;
        // From here on the old file has no name, and what were written into it would be lost, whatever fails now.
        (self.file, self.size) = (file, bytes.len() as u64);
        self.rewrite_at = REWRITE_AT.max(2 * self.size);
        self.is_named = sync_folder_of(&self.path).is_ok();
        Ok(())
    }

    /// All that it says.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Every group's newest Deployment, in the order in which they came.
    pub fn in_order(&self) -> Vec<&Record> {
        self.records.in_order()
    }

    /// A group's newest Deployment.
    pub fn record(&self, group: &str) -> Option<&Record> {
        self.records.get(group)
    }

    /// Puts a Deployment at the end of the queue.
    pub fn accept(&mut self, assignment: &Assignment) -> Result<(), Error> {
        self.write(self.records.accepting(assignment), Lasting::No)
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

    /// Something that people should know of a group's Deployment.
    pub fn tell(&mut self, group: &str, message: &str) -> Result<(), Error> {
        self.write(Entry::Told { group: group.into(), message: message.into() }, Lasting::No)
    }

    /// The Deployment's end on this host.
    pub fn finish(&mut self, group: &str, status: EventStatus, time: Timestamp) -> Result<(), Error> {
        self.write(Entry::Finished { group: group.into(), status, time }, Lasting::Yes)
    }
}

fn form() -> Entry {
    Entry::Form { version: FORM.into() }
}

#[cfg(test)]
mod tests;
