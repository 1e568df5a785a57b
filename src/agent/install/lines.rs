//! Files of one JSON value a line: written whole beside their name and renamed, or grown by a line; read line by line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::steps::Steps;
use super::work::VERSION;

/// A file that is written and has not got its name yet.
pub struct Draft<'a> {
    steps: &'a Steps,
    path: PathBuf,
    file: BufWriter<File>,
}

/// The name that a file has while it is written.
pub fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

impl<'a> Draft<'a> {
    /// Begins to write what is to be at `path`.
    pub fn begin(steps: &'a Steps, path: &Path) -> Result<Self, Error> {
        let draft = draft_of(path);
        let made = steps.step().map_err(std::io::Error::from).and_then(|()| {
            use std::os::unix::fs::OpenOptionsExt;
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)
        });
        let file = BufWriter::with_capacity(64 * 1024, made.map_err(Error::host("write", &draft))?);
        Ok(Self { steps, path: path.to_owned(), file })
    }

    /// One more line.
    pub fn line<T: Serialize>(&mut self, value: &T) -> Result<(), Error> {
        write_line(&mut self.file, value).map_err(Error::host("write", &self.path))
    }

    /// Everything on the disk; the name is still the draft's.
    pub fn finish(self) -> Result<(), Error> {
        let Self { steps, path, file } = self;
        let written = steps.step().map_err(std::io::Error::from).and_then(|()| {
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()
        });
        written.map_err(Error::host("write", &path))
    }
}

fn write_line<T: Serialize>(file: &mut impl Write, value: &T) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")
}

/// Gives a finished draft its name, for good.
pub fn publish(steps: &Steps, path: &Path) -> Result<(), Error> {
    let draft = draft_of(path);
    let renamed = steps.step().map_err(std::io::Error::from).and_then(|()| fs::rename(&draft, path));
    renamed.map_err(Error::host("rename", path))?;
    sync_directory(steps, path)
}

/// Writes the directory of `path` to the disk.
pub fn sync_directory(steps: &Steps, path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let synced = steps.step().map_err(std::io::Error::from).and_then(|()| File::open(parent)?.sync_all());
    synced.map_err(Error::host("write to the disk", parent))
}

/// Removes a file of ours, if it is there.
pub fn remove(steps: &Steps, path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let removed = steps.step().map_err(std::io::Error::from).and_then(|()| fs::remove_file(path));
    removed.map_err(Error::host("remove", path))
}

/// Removes what was written for `path` and never got its name.
pub fn remove_draft(steps: &Steps, path: &Path) -> Result<(), Error> {
    remove(steps, &draft_of(path))
}

/// Adds a line and writes it to the disk. When that fails the file is as it was, or `Err(true)` says that it may not be.
pub fn append<T: Serialize>(steps: &Steps, path: &Path, value: &T) -> Result<(), (Error, bool)> {
    let mut line = Vec::new();
    let host = |error: std::io::Error| Error::host("write", path)(error);
    write_line(&mut line, value).map_err(|error| (host(error), false))?;
    let opened = steps.step().map_err(std::io::Error::from).and_then(|()| {
        let file = fs::OpenOptions::new().append(true).open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let (mut file, length) = opened.map_err(|error| (host(error), false))?;
    let written = file.write_all(&line).and_then(|()| {
        steps.step()?;
        file.sync_all()
    });
    written.map_err(|error| {
        let undone = steps.step().is_ok() && file.set_len(length).and_then(|()| file.sync_all()).is_ok();
        (host(error), !undone)
    })
}

/// A first line, as far as it is the same in every form.
#[derive(Deserialize)]
struct First {
    header: Form,
}

#[derive(Deserialize)]
struct Form {
    version: u64,
}

/// Refuses a form that is not known yet before a word of it is taken for one that is.
fn check_form(path: &Path, line: &[u8]) -> Result<(), Error> {
    match serde_json::from_slice(line) {
        Ok(First { header: Form { version } }) if version > VERSION.into() => {
            Err(Error::StateNewer { path: path.to_owned(), version, known: VERSION })
        }
        _ => Ok(()),
    }
}

/// Reads line by line; a last line without its end was cut off and does not count. Nothing if there is no file.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(T) -> Result<(), String>,
) -> Result<bool, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::host("read", path)(error)),
    };
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(Error::host("read", path))?;
        if line.last() != Some(&b'\n') {
            return Ok(true);
        }
        number += 1;
        if number == 1 {
            check_form(path, &line)?;
        }
        let value = serde_json::from_slice(&line).map_err(|error| error.to_string());
        value.and_then(&mut each).map_err(|problem| Error::StateUnreadable {
            path: path.to_owned(),
            problem: format!("line {number}: {problem}"),
        })?;
    }
}
