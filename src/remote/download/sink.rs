//! Where a download's bytes go: a file, or memory when they are known to be few.

use std::io;

use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::Fault;

/// Where the bytes go.
#[derive(Debug)]
pub enum Sink {
    /// To a file, from its beginning.
    File(File),
    /// To memory: the limits have to be small.
    Memory(Vec<u8>),
}

impl Sink {
    /// Cuts off what lies behind `bytes`: a write that was broken off may have left something there.
    pub(super) async fn settle(&mut self, bytes: u64) -> Result<(), Fault> {
        match self {
            Self::Memory(memory) => memory.truncate(usize::try_from(bytes).unwrap_or(usize::MAX)),
            Self::File(file) => settle(file, bytes).await.map_err(Fault::Disk)?,
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Memory(memory) => memory.extend_from_slice(data),
            Self::File(file) => file.write_all(data).await.map_err(Fault::Disk)?,
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.flush().await.map_err(Fault::Disk),
        }
    }

    /// What is in memory; nothing of a file.
    pub fn into_memory(self) -> Vec<u8> {
        match self {
            Self::Memory(memory) => memory,
            Self::File(_) => Vec::new(),
        }
    }
}

async fn settle(file: &mut File, bytes: u64) -> io::Result<()> {
    file.flush().await?;
    file.set_len(bytes).await?;
    file.seek(io::SeekFrom::Start(bytes)).await.map(drop)
}
