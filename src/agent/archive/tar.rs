//! Reads a tar archive: takes a stream, gives its entries to the sink. The crate `tar` parses headers; what they mean together is decided here.
//!
//! Readers of tar disagree where headers do (size in ustar and in PAX, two long names, holes, what follows the end), and an archive
//! that two readers see differently hides something from one of them: whatever is not one plain statement is refused.

mod extension;
mod header;

use std::io::{self, Read};

use ::tar::{EntryType, Header};

use super::error::Error;
use super::refusal::{Refusal, shown};
use super::sink::{File, Sink};
use extension::Extension;

/// A tar block.
const BLOCK: u64 = 512;
/// What may follow the end: tar pads to its record, which is rarely more than 512 KiB.
const PADDING: u64 = 4 << 20;

/// Reads the whole stream into `sink`.
pub(super) fn read(stream: &mut dyn Read, sink: &mut Sink<'_>) -> Result<(), Error> {
    let mut tar = Tar { stream, last: "before its first entry".to_owned() };
    let mut said = Extension::default();
    while let Some(header) = tar.header()? {
        sink.count()?;
        let size = header::size(&header).map_err(|what| tar.damaged(what))?;
        if header::is_extension(&header) {
            let body = tar.body_of_extension(size, &header)?;
            said.add(header.entry_type(), &body)?;
            continue;
        }
        tar.entry(&header, size, std::mem::take(&mut said), sink)?;
    }
    if !said.is_empty() {
        return Err(Error::Truncated("after a header that describes an entry".into()));
    }
    tar.end(sink)
}

struct Tar<'a> {
    stream: &'a mut dyn Read,
    last: String,
}

impl Tar<'_> {
    /// The next header; nothing at the archive's end mark.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header::new_old();
        let filled = fill(self.stream, header.as_mut_bytes()).map_err(|e| Error::reading(&self.last, e))?;
        if filled < header.as_bytes().len() {
            return Err(Error::Truncated(self.last.clone()));
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !header::sum_is_right(&header) {
            return Err(self.damaged("what follows is no tar header (its sum is wrong)".into()));
        }
        Ok(Some(header))
    }

    fn body_of_extension(&mut self, size: u64, header: &Header) -> Result<Vec<u8>, Error> {
        if size > extension::LIMIT {
            return Err(Refusal::PathTooLong(shown(&header.path_bytes()), extension::LIMIT as usize).into());
        }
        let mut body = Vec::new();
        let read =
            self.stream.take(size).read_to_end(&mut body).map_err(|e| Error::reading(&self.last, e))?;
        if (read as u64) < size {
            return Err(Error::Truncated(self.last.clone()));
        }
        self.skip_padding(size)?;
        Ok(body)
    }

    fn entry(
        &mut self,
        header: &Header,
        size: u64,
        said: Extension,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let raw = said.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let path = sink.clean(&raw)?;
        self.last = format!("after {}", shown(&raw));
        let size = said.size(size, &raw)?;
        let kind = header::kind(header, &raw);
        if kind != EntryType::Regular && size != 0 {
            return Err(Refusal::SizeDesync(shown(&raw), 0, size).into());
        }
        match kind {
            EntryType::Directory => sink.directory(&path),
            EntryType::Regular if path.is_empty() => Err(Refusal::NameEmpty(shown(&raw)).into()),
            EntryType::Regular => self.file(header, path, size, &said, sink),
            EntryType::Symlink | EntryType::Link => {
                let target = said.target.clone().or_else(|| header.link_name_bytes().map(|t| t.into_owned()));
                let target = target.unwrap_or_default();
                if kind == EntryType::Symlink {
                    return sink.link(&path, &target);
                }
                let target = sink.clean(&target)?;
                sink.hard_link(&path, &target)
            }
            EntryType::Char => special(&raw, "character device", sink),
            EntryType::Block => special(&raw, "block device", sink),
            EntryType::Fifo => special(&raw, "named pipe", sink),
            EntryType::GNUSparse => Err(Refusal::SparseFile(shown(&raw)).into()),
            other => {
                let what = format!("a tar entry of type {:?}", char::from(other.as_byte()));
                Err(Refusal::UnsupportedEntry(shown(&raw), what).into())
            }
        }
    }

    fn file(
        &mut self,
        header: &Header,
        path: String,
        size: u64,
        said: &Extension,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let mode = header.mode().map_err(|e| self.damaged(e.to_string()))?;
        let changed = said.changed.or_else(|| header.mtime().ok().and_then(|time| i64::try_from(time).ok()));
        let file = File { path, mode: mode & 0o7777, changed, owner: said.owner(header), size };
        sink.file(&file, &mut (&mut *self.stream).take(size))?;
        self.skip_padding(size)
    }

    fn skip_padding(&mut self, size: u64) -> Result<(), Error> {
        let mut rest = [0; BLOCK as usize];
        let wanted = (size.next_multiple_of(BLOCK) - size) as usize;
        let read = fill(self.stream, &mut rest[..wanted]).map_err(|e| Error::reading(&self.last, e))?;
        if read < wanted { Err(Error::Truncated(self.last.clone())) } else { Ok(()) }
    }

    /// What follows the end mark is padding, or something that hides there.
    fn end(&mut self, sink: &Sink<'_>) -> Result<(), Error> {
        if sink.options().allowed.trailing_data {
            return Ok(());
        }
        let mut buffer = [0; 16 * 1024];
        let mut seen = 0_u64;
        loop {
            let read = fill(self.stream, &mut buffer).map_err(|e| Error::reading("after its end mark", e))?;
            seen += read as u64;
            if seen > PADDING || buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(Refusal::TrailingData.into());
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    fn damaged(&self, what: String) -> Error {
        Error::Damaged(format!("{}: {what}", self.last))
    }
}

fn special(raw: &[u8], what: &'static str, sink: &mut Sink<'_>) -> Result<(), Error> {
    if !sink.options().allowed.special_files {
        return Err(Refusal::SpecialFile(shown(raw), what).into());
    }
    sink.warn(format!("the bundle's {what} {} was left out", shown(raw)));
    Ok(())
}

/// Reads until `buffer` is full or the stream ends; gives how much was read.
fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
