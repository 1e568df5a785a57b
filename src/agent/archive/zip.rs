//! Reads a zip archive: takes a file, gives its entries to the sink. The crate `zip` parses headers and checks each file's sum.
//!
//! The central directory is walked entry by entry, never held; it must agree with the headers beside the files, and no two entries may share bytes.

use std::fs;
use std::io::Read;

use ::zip::read::{Config, ZipFileEntry};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use ::zip::{CompressionMethod, System, ZipReadOptions};

use super::error::Error;
use super::refusal::{Refusal, shown};
use super::sink::{File, Sink};
use super::window::Window;

/// The type bits of a mode.
const TYPE: u32 = 0o170_000;
/// The longest target that a link can have.
const LINK: u64 = 4095;

/// Reads the whole archive into `sink`.
pub(super) fn read(archive: fs::File, sink: &mut Sink<'_>) -> Result<(), Error> {
    let second = archive.try_clone().map_err(|e| Error::reading("at its beginning", e))?;
    let mut body = Window::new(second).map_err(|e| Error::reading("at its beginning", e))?;
    let directory = Window::new(archive).map_err(|e| Error::reading("at its beginning", e))?;
    let config = Config { archive_offset: ::zip::read::ArchiveOffset::Known(0) };
    let zip =
        ZipIterable::try_new(directory, config).map_err(|error| unreadable(error, "in its directory"))?;
    let mut zip = zip.enforce_header_consistency(true);
    if zip.len() as u64 > sink.options().limits.entries {
        return Err(Refusal::TooManyEntries(sink.options().limits.entries).into());
    }
    no_two_share_bytes(&mut zip)?;
    let files = zip.files().map_err(|error| unreadable(error, "in its directory"))?;
    for entry in files {
        sink.count()?;
        let entry = entry.map_err(|error| unreadable(error, "in its directory"))?;
        unpack(entry, &mut body, sink)?;
    }
    Ok(())
}

/// Where each entry begins and the least that it takes; sorted, none may reach into the next.
fn no_two_share_bytes(zip: &mut ZipIterable<Window>) -> Result<(), Error> {
    let mut taken: Vec<(u64, u64, u64)> = Vec::with_capacity(zip.len());
    let files = zip.files().map_err(|error| unreadable(error, "in its directory"))?;
    for (index, entry) in files.enumerate() {
        let entry = entry.map_err(|error| unreadable(error, "in its directory"))?;
        let header = 30 + entry.name_raw().len() as u64;
        let end = entry.header_start().saturating_add(header).saturating_add(entry.compressed_size());
        taken.push((entry.header_start(), end, index as u64));
    }
    taken.sort_unstable();
    match taken.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(Refusal::OverlappingEntries(format!("number {}", pair[1].2 + 1)).into()),
        None => Ok(()),
    }
}

fn unpack(entry: ZipFileEntry<'_>, body: &mut Window, sink: &mut Sink<'_>) -> Result<(), Error> {
    let raw = name_of(&entry);
    let show = shown(&raw);
    if entry.encrypted() {
        return Err(Refusal::EncryptedFile(show).into());
    }
    let path = sink.clean(&raw)?;
    let mode = mode_of(&entry);
    let size = entry.size();
    let is_directory = raw.ends_with(b"/");
    match mode.map(|mode| mode & TYPE) {
        _ if is_directory && size != 0 => return Err(Refusal::SizeDesync(show, 0, size).into()),
        Some(0o120_000) if is_directory => {
            return Err(Refusal::HeaderDesync(show, "it is a link and a directory".into()).into());
        }
        Some(0o120_000) if size > LINK => return Err(Refusal::PathTooLong(show, LINK as usize).into()),
        None | Some(0 | 0o040_000 | 0o100_000 | 0o120_000) => {}
        Some(kind) if sink.options().allowed.special_files => {
            sink.warn(format!("the bundle's {} {show} was left out", special(kind)));
            return Ok(());
        }
        Some(kind) => return Err(Refusal::SpecialFile(show, special(kind)).into()),
    }
    if is_directory {
        return sink.directory(&path);
    }
    if path.is_empty() {
        return Err(Refusal::NameEmpty(show).into());
    }
    if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(Refusal::UnsupportedEntry(show, entry.compression().to_string()).into());
    }
    let changed = entry.last_modified().and_then(seconds);
    let place = format!("within {show}");
    let is_link = mode.is_some_and(|mode| mode & TYPE == 0o120_000);
    let mut content =
        entry.with_reader(body, ZipReadOptions::new()).map_err(|error| unreadable(error, &place))?;
    if is_link {
        let mut target = Vec::new();
        content.by_ref().take(LINK + 1).read_to_end(&mut target).map_err(|e| Error::reading(&place, e))?;
        return sink.link(&path, &target);
    }
    let file = File { path, mode: mode.unwrap_or(0o644) & 0o7777, changed, owner: None, size };
    sink.file(&file, &mut content)
}

/// The name in the form that this system gives it: archives made on Windows may have its slashes.
fn name_of(entry: &ZipFileEntry<'_>) -> Vec<u8> {
    let raw = entry.name_raw();
    let mut name = match std::str::from_utf8(raw) {
        Ok(_) => raw.to_vec(),
        Err(_) => match entry.name() {
            Ok(name) if !name.contains(char::REPLACEMENT_CHARACTER) => name.into_owned().into_bytes(),
            _ => raw.to_vec(),
        },
    };
    if entry.system() != System::Unix && !name.contains(&b'/') {
        name.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    name
}

/// The mode, set-id bits and all; nothing where the archive was not made on Unix.
fn mode_of(entry: &ZipFileEntry<'_>) -> Option<u32> {
    let mode = entry.external_attributes() >> 16;
    (mode != 0 && matches!(entry.system(), System::Unix)).then_some(mode)
}

fn special(kind: u32) -> &'static str {
    match kind {
        0o020_000 => "character device",
        0o060_000 => "block device",
        0o010_000 => "named pipe",
        0o140_000 => "socket",
        _ => "file of an unknown kind",
    }
}

/// Zip's times have no zone; they are taken for UTC.
fn seconds(time: ::zip::DateTime) -> Option<i64> {
    let part = |number: u8| i8::try_from(number).ok();
    let year = i16::try_from(time.year()).ok()?;
    let date = jiff::civil::DateTime::new(
        year,
        part(time.month())?,
        part(time.day())?,
        part(time.hour())?,
        part(time.minute())?,
        part(time.second())?,
        0,
    );
    Some(date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

fn unreadable(error: ZipError, place: &str) -> Error {
    match error {
        ZipError::Io(error) => Error::reading(place, error),
        other => {
            let text = other.to_string();
            if text.contains("header inconsistency") {
                return Refusal::HeaderDesync(place.into(), text).into();
            }
            Error::Damaged(format!("{place}: {text}"))
        }
    }
}
