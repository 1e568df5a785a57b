//! Unpacks a bundle: takes a tar, tgz or zip file, gives a directory that holds what it says, whole or not at all.
//!
//! Bytes are streamed; what is kept in memory does not grow with the bundle's files. Headers are parsed by kept crates and every write is made
//! here, beneath one directory that no path and no link leads out of. What a bundle may not hold is refused by its name
//! ([`Refusal`]), whatever the archive's other readers would make of it.

mod error;
mod inflate;
mod kind;
mod name;
mod options;
mod refusal;
mod review;
mod sink;
mod staging;
mod tar;
#[cfg(test)]
mod tests;
mod window;
mod zip;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::agent::beneath::Beneath;
use crate::agent::warnings::Warnings;
use crate::api::BundleType;
use inflate::Inflated;
use kind::Packing;
use sink::Sink;
use staging::Staging;

pub use error::Error;
pub use options::{Allowed, Limits, Options};
pub use refusal::Refusal;

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files, hard links included.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What was let through or left out, one sentence each.
    pub warnings: Warnings,
}

/// Unpacks `archive` into the directory `into`, which is made, or replaced when it is there.
///
/// `kind` is what the revision says; without one, or where it says tar, the content tells (GitHub packs its tar archives with gzip). If the archive
/// holds nothing but one directory that has an `appspec.yml` or `appspec.yaml`, that directory is the bundle. When this returns, what was unpacked is on the disk;
/// when it fails, nothing of it is left.
pub fn unpack(
    archive: &Path,
    kind: Option<BundleType>,
    into: &Path,
    options: &Options,
) -> Result<Report, Error> {
    let file = File::open(archive).map_err(Error::host("open", archive))?;
    let packed = file.metadata().map_err(Error::host("read", archive))?.len();
    let packing = kind::of(&file, kind).map_err(Error::host("read", archive))??;
    let staging = Staging::beside(into)?;
    let mut sink = Sink::new(staging.path(), packed, options)?;
    read(file, packing, &mut sink)?;
    let root = staging.bundle_root()?;
    let tree = Beneath::at(&root).map_err(Error::host("open", &root))?;
    review::review(&tree, options, &mut sink.report.warnings)?;
    sink.sync()?;
    let report = std::mem::take(&mut sink.report);
    staging.become_bundle(&root, into)?;
    Ok(report)
}

/// Bytes that are read from the archive at once.
const READ: usize = 128 * 1024;

fn read(file: File, packing: Packing, sink: &mut Sink<'_>) -> Result<(), Error> {
    match packing {
        Packing::Tar => tar::read(&mut BufReader::with_capacity(READ, file), sink),
        Packing::Tgz => {
            let mut inflated = Inflated::from(file).map_err(|e| Error::reading("at its beginning", e))?;
            tar::read(&mut inflated, sink)
        }
        Packing::Zip => zip::read(file, sink),
    }
}
