//! Bundles kept on a host by their digest, so that what was here once is not fetched again.
//!
//! Eats and gives files. The bytes lie under `sha256-HEX`; a note (`KEY.json`) leads to them from what a revision knows before it
//! is fetched. Both get there by a rename, the note last. What is handed out is a hard link (a copy across file systems), and
//! its digest is computed anew each time: a link that was written to is found out. One program uses a cache at a time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bundle::Fetched;
use super::{Error, transfer};
use crate::api::{ResolvedRevision, Revision};
use crate::remote::download::hex;

const NOTE: &str = ".json";
const PART: &str = ".part";

/// The bundles of a host: at most `max` of them.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    max: usize,
}

#[derive(Serialize, Deserialize)]
struct Note {
    source: Revision,
    fetched: Fetched,
}

impl Cache {
    /// A cache in `dir`, which is made when it is first needed.
    pub fn new(dir: impl Into<PathBuf>, max: usize) -> Self {
        Self { dir: dir.into(), max }
    }

    /// Hands out the bundle of `revision` as the file `into`, if it is here and whole; what is broken is thrown away.
    ///
    /// Errors: [`Error::Disk`] if `into` cannot be made.
    pub fn lookup(&self, revision: &ResolvedRevision, into: &Path) -> Result<Option<Fetched>, Error> {
        let Some(key) = key(revision) else { return Ok(None) };
        let Some(note) = self.note(&key) else { return Ok(None) };
        let content = self.content(&note.fetched.digest);
        let Some(head) = checked(&content, &note.fetched) else {
            let _ = (fs::remove_file(self.note_path(&key)), fs::remove_file(&content));
            return Ok(None);
        };
        place(&content, into).map_err(|e| disk(into, &e))?;
        touch(&content);
        let is_same = note.source == revision.source;
        let kind = transfer::declared(&revision.source)?.or_else(|| transfer::detected(&head));
        let Fetched { digest, bytes, e_tag, version, .. } = note.fetched;
        let (e_tag, version) = (e_tag.filter(|_| is_same), version.filter(|_| is_same));
        Ok(Some(Fetched { digest, bytes, e_tag, version, kind }))
    }

    /// Keeps `file`, which was fetched for `revision`, and prunes.
    ///
    /// Errors: [`Error::Disk`]; the deployment needs no cache, so whoever calls this may pass over it.
    pub fn insert(&self, revision: &ResolvedRevision, fetched: &Fetched, file: &Path) -> Result<(), Error> {
        self.keep(revision, fetched, file).map_err(|e| disk(&self.dir, &e))?;
        self.prune(&[&fetched.digest])
    }

    fn keep(&self, revision: &ResolvedRevision, fetched: &Fetched, file: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let content = self.content(&fetched.digest);
        if content.exists() {
            touch(&content);
        } else {
            let part = self.dir.join(format!("content{PART}"));
            place(file, &part)?;
            File::open(&part)?.sync_all()?;
            fs::rename(&part, &content)?;
        }
        let by_digest = fetched.digest.replace(':', "-");
        let note = Note { source: revision.source.clone(), fetched: fetched.clone() };
        let note = serde_json::to_vec(&note).map_err(io::Error::other)?;
        for key in key(revision).iter().filter(|k| **k != by_digest).chain([&by_digest]) {
            self.write(&self.note_path(key), &note)?;
        }
        File::open(&self.dir)?.sync_all()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let part = self.dir.join(format!("note{PART}"));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(part, path)
    }

    /// Throws away the bundles that were used longest ago, until `max` remain; never those of the digests in `kept`. Notes that
    /// lead nowhere and parts of earlier runs go, too.
    ///
    /// Errors: [`Error::Disk`] if the folder cannot be read.
    pub fn prune(&self, kept: &[&str]) -> Result<(), Error> {
        self.sweep(kept).map_err(|e| disk(&self.dir, &e))
    }

    fn sweep(&self, kept: &[&str]) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let kept: Vec<PathBuf> = kept.iter().map(|digest| self.content(digest)).collect();
        let (mut contents, mut notes) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.ends_with(PART) {
                fs::remove_file(path)?;
            } else if name.ends_with(NOTE) {
                notes.push(path);
            } else if name.starts_with("sha256-") && !kept.contains(&path) {
                contents.push((entry.metadata()?.modified()?, path));
            }
        }
        contents.sort();
        let spare = (contents.len() + kept.iter().filter(|k| k.exists()).count()).saturating_sub(self.max);
        for (_, path) in contents.iter().take(spare) {
            fs::remove_file(path)?;
        }
        for path in notes {
            let note: Option<Note> = fs::read(&path).ok().and_then(|n| serde_json::from_slice(&n).ok());
            if !note.is_some_and(|n| self.content(&n.fetched.digest).exists()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn note(&self, key: &str) -> Option<Note> {
        serde_json::from_slice(&fs::read(self.note_path(key)).ok()?).ok()
    }

    fn note_path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}{NOTE}"))
    }

    fn content(&self, digest: &str) -> PathBuf {
        self.dir.join(digest.replace([':', '/'], "-"))
    }
}

/// What a bundle is known by before it is fetched; nothing for an object in S3 whose digest is not on record yet.
fn key(revision: &ResolvedRevision) -> Option<String> {
    let source = &revision.source;
    if let Some(file) = &source.http {
        return Some(format!("sha256-{}", file.sha256.to_ascii_lowercase()));
    }
    if let Some(oci) = &source.oci {
        let (_, digest) = oci.image.rsplit_once("@sha256:")?;
        return Some(format!("oci-{}", hex(&Sha256::digest(digest))));
    }
    if let Some(commit) = &source.git_hub {
        let parts = [
            commit.api_url.as_deref().unwrap_or_default(),
            &commit.repository,
            &commit.commit_id.to_ascii_lowercase(),
            &format!("{:?}", transfer::declared(source).ok()),
        ];
        return Some(format!("git-{}", hex(&Sha256::digest(parts.join("\n")))));
    }
    let digest = revision.digest.strip_prefix("sha256:").filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    digest.map(|digest| format!("sha256-{digest}"))
}

/// The first bytes of the file, if it is what the note says.
fn checked(path: &Path, fetched: &Fetched) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let (mut hash, mut head, mut chunk, mut bytes) = (Sha256::new(), Vec::new(), vec![0; 256 * 1024], 0);
    loop {
        let read = file.read(&mut chunk).ok()?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
        let room = 512usize.saturating_sub(head.len()).min(read);
        head.extend_from_slice(&chunk[..room]);
        bytes += read as u64;
    }
    let digest = format!("sha256:{}", hex(&hash.finalize()));
    (bytes == fetched.bytes && digest == fetched.digest).then_some(head)
}

/// Makes `to` the same file as `from`, or a copy of it.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

/// Marks it as used now; whether that works is of no weight.
fn touch(path: &Path) {
    let now = crate::remote::clock::now().into();
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now));
}

fn disk(path: &Path, error: &io::Error) -> Error {
    Error::Disk(format!("{} cannot be used: {error}", path.display()))
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
