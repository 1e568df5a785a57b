//! Takes gzip off on a thread of its own, so that one processor inflates while another writes files.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;

/// Bytes that go from one thread to the other at once.
const PIECE: usize = 128 * 1024;
/// Pieces that may wait.
const WAITING: usize = 4;

/// What comes out, as a stream. The thread ends when this is dropped.
pub(super) struct Inflated {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    read: usize,
}

impl Inflated {
    /// Starts to inflate.
    pub fn from(file: File) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(WAITING);
        thread::Builder::new().name("inflate".into()).spawn(move || {
            let mut stream = MultiGzDecoder::new(BufReader::with_capacity(PIECE, file));
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = stream.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                let is_last = piece.len() < PIECE;
                // What was read before an error counts: tar's end may lie in it.
                let is_sent = piece.is_empty() || sender.send(Ok(piece)).is_ok();
                let failed = read.err().map(|error| sender.send(Err(error)));
                if !is_sent || is_last || failed.is_some() {
                    return;
                }
            }
        })?;
        Ok(Self { pieces, piece: Vec::new(), read: 0 })
    }
}

impl Read for Inflated {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.piece.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.read) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let taken = (self.piece.len() - self.read).min(out.len());
        out[..taken].copy_from_slice(&self.piece[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}
