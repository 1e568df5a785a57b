//! DownloadBundle: makes room, brings the bundle here, unpacks it, and reads its AppSpec before anything of it runs.

use std::fs::{self, File, FileType};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::process::Command;

use super::archive::Refusal;
use super::event::{cut_off, event_timeout};
use super::host::Host;
use super::journal::{Bundle, Entry, Lasting, Record};
use super::layout::{DeploymentDir, Mark, Root, create_all};
use super::script::Failure;
use super::warnings::Warnings;
use super::{Error, archive, revision};
use crate::api::{BundleType, ResolvedRevision};
use crate::source::bundle::{self, FetchOptions, Fetched};
use crate::source::cache::Cache;
use crate::source::sealing::{self, PrivateKey};
use crate::source::{self, Credentials};

/// Where the bundle of a Deployment is to be had.
#[derive(Debug)]
pub enum Supply {
    /// A folder of this host is the bundle.
    Folder(PathBuf),
    /// A file of this host is.
    File(PathBuf, BundleType),
    /// The revision that is assigned says where it is.
    Source {
        /// Credentials, sealed to this host, and the uid of the Instance that they were sealed for.
        sealed: Option<(String, String)>,
        /// Opens them.
        key: Arc<PrivateKey>,
    },
}

/// A bundle on this host's disk.
struct OnDisk {
    file: PathBuf,
    kind: Option<BundleType>,
    /// What was left out of it on the way.
    warnings: Warnings,
}

/// What bundles are while they are on their way, by their names below [`Root::own`].
const ON_THE_WAY: [&str; 2] = [FETCHED, PACKED];
/// One that is fetched.
const FETCHED: &str = "bundle";
/// A folder that is packed.
const PACKED: &str = "bundle.tar";

/// Removes bundles that are on their way nowhere: the event that wanted them is over.
pub fn clear(root: &Root) {
    for path in ON_THE_WAY.map(|name| root.own(name)) {
        if let Err(error) = fs::remove_file(&path).or_else(none_there) {
            tracing::warn!(%error, file = %path.display(), "a bundle of which nothing more is wanted stays on the disk");
        }
    }
}

/// Brings the revision here. Of the bundle nothing stays but what the cache keeps, however it ends.
pub async fn run(host: &Host, record: &Record, supply: &Supply) -> Result<(), Failure> {
    let brought = bring_revision(host, record, supply).await;
    clear(&host.root);
    brought
}

async fn bring_revision(host: &Host, record: &Record, supply: &Supply) -> Result<(), Failure> {
    let unknown = |error: Error| Failure::unknown(error.to_string());
    let dir = host.dir(record).map_err(unknown)?;
    create_all(dir.path(), 0o755).map_err(unknown)?;
    prune(host, record, &dir).await.map_err(unknown)?;
    let mut warnings = Warnings::default();
    if !reuse(host, record, &dir).await {
        let brought = tokio::select! {
            brought = bring(host, record, supply) => brought?,
            () = host.cut.wait() => return Err(cut_off("the download was given up")),
        };
        warnings = unpack(host, &dir, brought).await?;
    }
    let found = revision::read(&dir, &host.settings).map_err(|error| Failure::unknown(error.to_string()))?;
    let noted = revision::note(&dir, Some(&found.name));
    noted
        .map_err(|e| Failure::unknown(format!("failed to write beside {}: {e}", dir.archive().display())))?;
    let of_the_appspec = found.spec.warnings.into_iter().map(|warning| format!("{}: {warning}", found.name));
    warnings.append(of_the_appspec.collect());
    host.root.set_mark(record.group(), Mark::MostRecent, &dir).map_err(unknown)?;
    host.tell(record.group(), warnings.sentences()).map_err(unknown)
}

/// Deletes old revisions. One that cannot be deleted is in nobody's way but the disk's.
async fn prune(host: &Host, record: &Record, dir: &DeploymentDir) -> Result<(), Error> {
    let (root, group, dir, keep) =
        (host.root.clone(), record.group().to_owned(), dir.clone(), host.settings.max_revisions);
    let pruned = tokio::task::spawn_blocking(move || root.prune(&group, &dir, keep)).await;
    match pruned {
        Ok(Err(error)) => host.tell(record.group(), [format!("An old revision stays on the disk: {error}.")]),
        _ => Ok(()),
    }
}

/// For a restart: copies the revision that is installed. False if there is none of that source, and it has to be brought here.
async fn reuse(host: &Host, record: &Record, dir: &DeploymentDir) -> bool {
    let Some(installed) = record.installed.as_ref().filter(|_| record.assignment.restart) else {
        return false;
    };
    let wanted = record.assignment.revision.clone().unwrap_or_default();
    let is_same = installed.revision.source == wanted.source
        && (wanted.digest == installed.revision.digest || wanted.digest == record.installed_digest);
    let earlier = host.root.marked(record.group(), Mark::LastSuccessful).ok().flatten();
    let Some(earlier) = earlier.filter(|earlier| is_same && earlier.archive().is_dir()) else { return false };
    let beside = dir.path().join(".deployment-archive.new");
    let (from, into) = (earlier.archive(), dir.archive());
    let copied = async {
        let gone = |path: &Path| fs::remove_dir_all(path).or_else(none_there);
        gone(&beside)?;
        let status = Command::new("cp").arg("-a").arg("--").arg(&from).arg(&beside).status().await?;
        if !status.success() {
            return Err(io::Error::other(format!("cp ended with {status}")));
        }
        gone(&into)?;
        fs::rename(&beside, &into)
    };
    let copied = copied.await.map_err(Error::disk("copy", &earlier.archive()));
    let bundle = Bundle { digest: record.installed_digest.clone(), ..Bundle::default() };
    match copied.and_then(|()| learn(host, record, bundle)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the revision on this host cannot be used again; it is fetched");
            false
        }
    }
}

fn none_there(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Gets the bundle's file.
async fn bring(host: &Host, record: &Record, supply: &Supply) -> Result<OnDisk, Failure> {
    match supply {
        Supply::File(file, kind) => {
            let is_there = fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
            if !is_there {
                return Err(Failure::unknown(format!(
                    "the bundle {} is no file that is there",
                    file.display()
                )));
            }
            Ok(OnDisk { file: file.clone(), kind: Some(*kind), warnings: Warnings::default() })
        }
        Supply::Folder(folder) => {
            let folder = folder.clone();
            let file = host.root.own(PACKED);
            let (into, root, from) = (file.clone(), host.root.path().to_owned(), folder.clone());
            let leaves_out = host.settings.unpacking.allowed.special_files;
            let packed = tokio::task::spawn_blocking(move || pack(&from, &root, &into, leaves_out)).await;
            let packed = packed.map_err(|e| Failure::unknown(format!("the bundle was not read: {e}")))?;
            let packed = packed.map_err(|e| {
                Failure::unknown(format!("the bundle {} cannot be read: {e}", folder.display()))
            })?;
            let warnings = packed.map_err(|e| Failure::unknown(format!("{}: {e}", e.reason())))?;
            Ok(OnDisk { file, kind: Some(BundleType::Tar), warnings })
        }
        Supply::Source { sealed, key } => fetch(host, record, sealed.as_ref(), key).await,
    }
}

/// Gets the bundle from the host's cache or from its source, and puts on record what was learned of it.
async fn fetch(
    host: &Host,
    record: &Record,
    sealed: Option<&(String, String)>,
    key: &PrivateKey,
) -> Result<OnDisk, Failure> {
    let told = |error: source::Error| Failure::unknown(format!("{}: {error}", error.reason()));
    let revision = wanted(record).ok_or_else(|| Failure::unknown("the assignment names no revision"))?;
    let file = host.root.own(FETCHED);
    // As many as there are revisions of all groups.
    let groups = host.journal().in_order().len().max(1);
    let cache = Cache::new(host.root.own("bundles"), host.settings.max_revisions * groups);
    let (into, asked) = (file.clone(), revision.clone());
    let found = tokio::task::spawn_blocking({
        let cache = cache.clone();
        move || cache.lookup(&asked, &into)
    });
    let found =
        found.await.map_err(|e| Failure::unknown(format!("the cache was not read: {e}")))?.map_err(told)?;
    let fetched = match found {
        Some(fetched) => fetched,
        None => {
            let credentials = sealed.map(|sealed| unseal(record, sealed, key)).transpose().map_err(told)?;
            let options = FetchOptions { total: event_timeout(record), ..host.settings.fetching.clone() };
            let fetched =
                bundle::fetch(&revision, credentials.as_ref(), &file, &options).await.map_err(told)?;
            keep(&cache, &revision, &fetched, &file).await;
            fetched
        }
    };
    let bundle = Bundle {
        digest: fetched.digest,
        e_tag: fetched.e_tag.unwrap_or_default(),
        version: fetched.version.unwrap_or_default(),
    };
    learn(host, record, bundle).map_err(|error| Failure::unknown(error.to_string()))?;
    Ok(OnDisk { file, kind: fetched.kind, warnings: Warnings::default() })
}

/// The revision that is assigned. One that is started again without a digest of its own is the one that is here.
fn wanted(record: &Record) -> Option<ResolvedRevision> {
    let mut revision = record.assignment.revision.clone()?;
    let installed = record.installed.as_ref().filter(|i| i.revision.source == revision.source);
    if record.assignment.restart && revision.digest.is_empty() && installed.is_some() {
        revision.digest.clone_from(&record.installed_digest);
    }
    Some(revision)
}

fn unseal(
    record: &Record,
    (sealed, instance_uid): &(String, String),
    key: &PrivateKey,
) -> Result<Credentials, source::Error> {
    let bound_to = sealing::binding(instance_uid, &record.assignment.deployment_uid);
    Credentials::from_json(&key.unseal(&bound_to, sealed)?)
}

/// Keeps a bundle for the next time. Without it that time is merely longer.
async fn keep(cache: &Cache, revision: &ResolvedRevision, fetched: &Fetched, file: &Path) {
    let (cache, revision, fetched, file) =
        (cache.clone(), revision.clone(), fetched.clone(), file.to_owned());
    let kept = tokio::task::spawn_blocking(move || cache.insert(&revision, &fetched, &file)).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "the bundle is not kept for the next time");
    }
}

/// Packs a folder, so that it passes the same checks as any bundle. Links stay links; a root folder below it is left out. What
/// is no file, link or folder is decided on here, as a tar holds no sockets; gives a sentence for each that was left out.
///
/// Errors: outer, the folder cannot be read; inner, it is no bundle.
fn pack(folder: &Path, root: &Path, into: &Path, leaves_out: bool) -> io::Result<Result<Warnings, Refusal>> {
    let folder = folder.canonicalize()?;
    let mut builder = tar::Builder::new(BufWriter::new(File::create(into)?));
    builder.follow_symlinks(false);
    let mut folders = vec![folder.clone()];
    let mut warnings = Warnings::default();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let Ok(name) = path.strip_prefix(&folder) else { continue };
            if path == root {
                continue;
            }
            let found = fs::symlink_metadata(&path)?.file_type();
            if let Some(what) = special(found) {
                if !leaves_out {
                    return Ok(Err(Refusal::special(name, what)));
                }
                warnings.add(format!("the bundle's {what} {name:?} was left out"));
                continue;
            }
            builder.append_path_with_name(&path, name)?;
            if found.is_dir() {
                folders.push(path);
            }
        }
    }
    builder.into_inner()?.flush()?;
    Ok(Ok(warnings))
}

/// What it is that no bundle has.
fn special(found: FileType) -> Option<&'static str> {
    let kinds = [
        (found.is_socket(), "socket"),
        (found.is_fifo(), "named pipe"),
        (found.is_char_device(), "character device"),
        (found.is_block_device(), "block device"),
    ];
    kinds.into_iter().find_map(|(is_it, name)| is_it.then_some(name))
}

async fn unpack(host: &Host, dir: &DeploymentDir, bundle: OnDisk) -> Result<Warnings, Failure> {
    revision::note(dir, None)
        .map_err(|e| Failure::unknown(format!("failed to write beside {}: {e}", dir.archive().display())))?;
    let OnDisk { file, kind, warnings } = bundle;
    let (into, options) = (dir.archive(), host.settings.unpacking.clone());
    let done = tokio::task::spawn_blocking(move || archive::unpack(&file, kind, &into, &options)).await;
    let report = done.map_err(|e| Failure::unknown(format!("the bundle was not unpacked: {e}")))?;
    let unpacked = report.map_err(|e| Failure::unknown(format!("{}: {e}", e.reason())))?;
    // What was let through comes before what was merely left out.
    let mut all = unpacked.warnings;
    all.append(warnings);
    Ok(all)
}

/// Puts on record what was learned of a bundle.
fn learn(host: &Host, record: &Record, bundle: Bundle) -> Result<(), Error> {
    let entry = Entry::Fetched { group: record.group().to_owned(), bundle };
    host.journal().write(entry, Lasting::No)
}
