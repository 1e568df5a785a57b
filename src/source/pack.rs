//! A folder as a bundle: the same content gives the same bytes, so that a digest tells whether anything changed.
//!
//! Entries are sorted by name, their times are fixed, their owner is root; modes are kept but for setuid, setgid and sticky. What
//! the hosts would refuse (devices, sockets, links out of the folder, links to nowhere inside of it aside) is refused here by name.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Error;
use super::entries::{Found, Leads, folded, follow};
use crate::api::BundleType;

/// 1980-01-01: the earliest time that a zip archive can tell.
const TIME: u64 = 315_532_800;

/// One entry, by its path below the folder.
struct Entry {
    name: PathBuf,
    what: What,
    mode: u32,
}

enum What {
    Folder,
    File(u64),
    Link(PathBuf),
}

/// Packs `dir` into `into`, and gives the number of entries. `hidden`: whether names that begin with a dot are taken along.
///
/// Errors: [`Error::InvalidRevision`] for what no host would take; [`Error::Disk`].
pub fn pack(dir: &Path, kind: BundleType, hidden: bool, into: File) -> Result<usize, Error> {
    let mut entries = Vec::new();
    collect(dir, Path::new(""), hidden, &mut entries)?;
    entries.sort_by(|a, b| a.name.as_os_str().as_encoded_bytes().cmp(b.name.as_os_str().as_encoded_bytes()));
    let out = BufWriter::new(into);
    let written = match kind {
        BundleType::Tar => tar(dir, &entries, out).map(drop),
        BundleType::Tgz => {
            let packed = tar(dir, &entries, GzEncoder::new(out, Compression::default()));
            packed.and_then(|gz| gz.finish()?.flush())
        }
        BundleType::Zip => zip(dir, &entries, out),
        BundleType::Yaml | BundleType::Json => {
            return Err(Error::InvalidRevision("a folder is packed as tar, tgz or zip".into()));
        }
    };
    written.map_err(|e| Error::Disk(format!("{} cannot be packed: {e}", dir.display())))?;
    Ok(entries.len())
}

fn collect(root: &Path, below: &Path, hidden: bool, found: &mut Vec<Entry>) -> Result<(), Error> {
    let dir = root.join(below);
    let unreadable =
        |path: &Path, e: io::Error| Error::Disk(format!("{} cannot be read: {e}", path.display()));
    let mut names = HashMap::new();
    for entry in fs::read_dir(&dir).map_err(|e| unreadable(&dir, e))? {
        let entry = entry.map_err(|e| unreadable(&dir, e))?;
        if !hidden && entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let (name, path) = (below.join(entry.file_name()), entry.path());
        if let Some(other) = names.insert(folded(&entry.file_name().to_string_lossy()), entry.file_name()) {
            return Err(Error::InvalidRevision(format!(
                "{} and {} differ in case or in Unicode's spelling alone, and hosts refuse such; rename one of them",
                below.join(other).display(),
                name.display()
            )));
        }
        let meta = entry.metadata().map_err(|e| unreadable(&path, e))?;
        let mode = meta.permissions().mode() & 0o777;
        let kind = meta.file_type();
        let what = if kind.is_dir() {
            collect(root, &name, hidden, found)?;
            What::Folder
        } else if kind.is_file() {
            What::File(meta.len())
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(|e| unreadable(&path, e))?;
            judge(root, &name, &target, hidden)?;
            What::Link(target)
        } else {
            return Err(Error::InvalidRevision(format!(
                "{} is neither a file nor a folder nor a link; remove it from the folder",
                name.display()
            )));
        };
        found.push(Entry { name, what, mode });
    }
    Ok(())
}

/// Refuses a link that hosts refuse; they see nothing of what is hidden.
fn judge(root: &Path, link: &Path, target: &Path, hidden: bool) -> Result<(), Error> {
    let look = |path: &str| {
        let is_packed = hidden || !path.split('/').any(|part| part.starts_with('.'));
        Ok::<_, Infallible>(Found::at(&root.join(path)).filter(|_| is_packed))
    };
    let Ok(leads) = follow(&link.to_string_lossy(), &target.to_string_lossy(), look);
    let (problem, cure) = match leads {
        Leads::Inside | Leads::Nowhere => return Ok(()),
        Leads::Outside => ("out of the folder", "make it relative to a file inside"),
        Leads::Around => ("back to itself or to a folder that it lies in", "remove it"),
    };
    let link = link.display();
    Err(Error::InvalidRevision(format!(
        "{link} is a link that leads {problem}, and hosts refuse such; {cure}"
    )))
}

fn tar<W: Write>(root: &Path, entries: &[Entry], out: W) -> io::Result<W> {
    let mut archive = tar::Builder::new(out);
    for Entry { name, what, mode } in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(TIME);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        match what {
            What::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, name.join(""), io::empty())?;
            }
            What::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, name, target)?;
            }
            What::File(size) => {
                header.set_size(*size);
                let file = exact(&root.join(name), *size)?;
                archive.append_data(&mut header, name, file)?;
            }
        }
    }
    archive.into_inner()
}

fn zip<W: Write + Seek>(root: &Path, entries: &[Entry], out: W) -> io::Result<()> {
    let mut archive = ZipWriter::new(out);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for Entry { name, what, mode } in entries {
        let text = name.to_str().ok_or_else(|| {
            io::Error::other(format!("{} is not UTF-8, and a zip archive's names are", name.display()))
        })?;
        let options = options.unix_permissions(*mode);
        match what {
            What::Folder => archive.add_directory(text, options)?,
            What::Link(target) => archive.add_symlink(text, target.to_string_lossy(), options)?,
            What::File(size) => {
                archive.start_file(text, options.large_file(*size > u64::from(u32::MAX)))?;
                io::copy(&mut exact(&root.join(name), *size)?, &mut archive)?;
            }
        }
    }
    archive.finish()?.flush()
}

/// The file, to be read to `size`: one that grows or shrinks meanwhile would break the archive.
fn exact(path: &Path, size: u64) -> io::Result<Exact> {
    Ok(Exact { file: File::open(path)?, left: size, name: path.display().to_string() })
}

struct Exact {
    file: File,
    left: u64,
    name: String,
}

impl Read for Exact {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut into[..room])?;
        if read == 0 && room > 0 {
            return Err(io::Error::other(format!("{} shrank while it was packed", self.name)));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[path = "pack/tests.rs"]
mod tests;
