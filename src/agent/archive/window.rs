//! A file read through a window: a reader that jumps back and forth a little without reading again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Bytes of the window.
const SIZE: usize = 64 * 1024;

/// The file, the part of it that is in memory, and the place where the next byte is read.
#[derive(Debug)]
pub(super) struct Window {
    file: File,
    length: u64,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
    position: u64,
}

impl Window {
    /// At the file's beginning.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, buffer: vec![0; SIZE], start: 0, filled: 0, position: 0 })
    }

    fn held(&self) -> &[u8] {
        let skip = self.position.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.buffer[..self.filled].get(skip..)).unwrap_or_default()
    }
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.held().is_empty() {
            self.filled = self.file.read_at(&mut self.buffer, self.position)?;
            self.start = self.position;
        }
        let held = self.held();
        let taken = held.len().min(out.len());
        out[..taken].copy_from_slice(&held[..taken]);
        self.position += taken as u64;
        Ok(taken)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
        };
        let wanted = wanted.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.position = wanted;
        Ok(wanted)
    }
}
