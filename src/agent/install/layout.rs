//! Lays the new files out beside the old ones, under names of their own, with the owners and modes that they will have. Changes nothing that is there.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use super::copy::Copier;
use super::entry::Entry;
use super::error::Error;
use super::host::Host;
use super::plan::Plan;
use crate::agent::beneath::{Beneath, split};

/// Files below which one thread is as fast as several.
const FEW: usize = 256;
/// Threads at most.
const THREADS: usize = 4;

/// Lays everything out; gives the inode number of each unit. Directories first, then what is in them, then what the directories get, which may let
/// nobody write there.
pub fn lay_out(host: &Host<'_>, plan: &Plan, archive: &Path) -> Result<Vec<u64>, Error> {
    let work = &plan.work;
    let unit_of = units_of(plan);
    let layout = Layout {
        plan,
        unit_of: &unit_of,
        archive: Beneath::at(archive).map_err(Error::host("open", archive))?,
        everywhere: Beneath::at(Path::new("/")).map_err(Error::host("open", "/"))?,
        copier: Copier::default(),
    };
    let (directories, others): (Vec<usize>, Vec<usize>) =
        (0..work.items.len()).partition(|item| work.items[*item].is_directory());
    for item in &directories {
        drop(host.make_directory(&layout.at(*item))?);
    }
    layout.files(host, &others)?;
    for item in directories.iter().rev() {
        let at = layout.at(*item);
        let fd = layout.everywhere.directory(at.trim_start_matches('/')).map_err(Error::host("open", &at))?;
        layout.give(host, *item, &fd)?;
    }
    let inode = |unit| {
        let top = work.beside(unit);
        host.find(&top)?.map(|found| found.st_ino).ok_or_else(|| Error::host("find", top)(Errno::NOENT))
    };
    (0..work.units.len()).map(inode).collect()
}

/// The unit of each item.
fn units_of(plan: &Plan) -> Vec<usize> {
    let units = plan.work.units.iter().enumerate();
    units.flat_map(|(at, unit)| std::iter::repeat_n(at, unit.items.len())).collect()
}

struct Layout<'a> {
    plan: &'a Plan,
    unit_of: &'a [usize],
    archive: Beneath,
    everywhere: Beneath,
    copier: Copier,
}

impl Layout<'_> {
    fn at(&self, item: usize) -> String {
        self.plan.work.laid_at(self.unit_of[item], item)
    }

    /// Lays out files and links, with as many threads as there are processors if there are many.
    fn files(&self, host: &Host<'_>, items: &[usize]) -> Result<(), Error> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS);
        if items.len() < FEW || threads == 1 {
            return items.iter().try_for_each(|item| self.item(host, *item));
        }
        let failed = AtomicBool::new(false);
        let steps = host.steps();
        let part = |items: &[usize]| {
            let host = Host::new(steps)?;
            for item in items {
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                self.item(&host, *item).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let part = &part;
            let parts = items.chunks(items.len().div_ceil(threads));
            let running: Vec<_> = parts.map(|items| scope.spawn(move || part(items))).collect();
            let ended = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    fn item(&self, host: &Host<'_>, item: usize) -> Result<(), Error> {
        let at = self.at(item);
        match &self.plan.work.items[item] {
            Entry::File(_, size, seconds, nanoseconds) => {
                self.file(host, item, &at, *size, (*seconds, *nanoseconds))
            }
            Entry::Link(_, target) => host.link(&at, target),
            Entry::Directory(_) => Ok(()),
        }
    }

    fn file(
        &self,
        host: &Host<'_>,
        item: usize,
        at: &str,
        size: u64,
        changed: (i64, u32),
    ) -> Result<(), Error> {
        let (folder, name) = (&self.plan.folders[item], split(self.plan.work.items[item].path()).1);
        let source = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let shown = || Path::new(&source).to_owned();
        let tree = if source.starts_with('/') { &self.everywhere } else { &self.archive };
        let from = tree.open(source.trim_start_matches('/'), OFlags::RDONLY, Mode::empty());
        let from = from.map_err(Error::host("open", shown()))?;
        let to = host.create(at)?;
        let copied = host.steps().step().and_then(|()| self.copier.copy(&from, &to, size));
        if copied.map_err(Error::host("write", self.plan.work.items[item].path()))? != size {
            return Err(Error::ArchiveChanged(shown()));
        }
        self.give(host, item, &to)?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: changed.0, tv_nsec: changed.1.into() },
        };
        rustix::fs::futimens(&to, &times).map_err(Error::host("set the time of", at))
    }

    fn give(&self, host: &Host<'_>, item: usize, fd: &OwnedFd) -> Result<(), Error> {
        let path = self.plan.work.items[item].path();
        let attributes = &self.plan.attributes[self.plan.given[item]];
        let given = host.steps().step().and_then(|()| attributes.apply(fd));
        given.map_err(|errno| match errno {
            Errno::OPNOTSUPP if attributes.access.is_some() => Error::AclUnsupported(path.into()),
            _ => Error::host("set owner and mode of", path)(errno),
        })
    }
}

fn panicked() -> Error {
    Error::host("lay out", "the new files")(std::io::Error::other("a thread ended"))
}
