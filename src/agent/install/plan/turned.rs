//! Links that were turned since the group put something through them: takes its record and the host, gives the record as it is to be read now.
//!
//! Clean-up goes by names as they are written, as in CodeDeploy: a `BeforeInstall` that turns a destination to a new release keeps the
//! earlier one, and what lies under the written names now is the group's. All of it is decided here, before anything is touched: what is removed later is removed at
//! real paths, whatever a link has become by then.

use std::path::Path;

use super::super::Job;
use super::super::entry::{Entry, is_below};
use super::super::links::{chased, real_path};
use super::super::record::Record;
use super::super::way::{Way, moved};

/// Reads `before` as its written names lead now; gives what is worth knowing.
pub fn follow(before: &mut Record, job: &Job<'_>) -> Vec<String> {
    let now: Vec<Option<String>> = before.ways.iter().map(|way| leads(way, before, job)).collect();
    let mut turned: Vec<(Way, Option<String>)> = before.ways.drain(..).zip(now).collect();
    if turned.iter().any(|(way, now)| now.as_ref() != Some(&way.real)) {
        // The nearest one counts: a directory of one way may lie in that of another.
        turned.sort_by_key(|(way, now)| (std::cmp::Reverse(way.real.len()), now.as_ref() != Some(&way.real)));
        for entries in [&mut before.own, &mut before.leaving] {
            let all = std::mem::take(entries);
            let read = all.into_iter().filter_map(|entry| {
                let is_taken = before.taken.contains_key(entry.path());
                if is_taken { Some(entry) } else { read(entry, &turned) }
            });
            entries.extend(read);
        }
    }
    let warnings = turned.iter().filter_map(|(way, now)| left(way, now.as_deref())).collect();
    before.ways = turned.into_iter().filter_map(|(way, now)| Some(Way { real: now?, ..way })).collect();
    warnings
}

/// An entry where its written name leads now; nothing if that is nowhere.
fn read(entry: Entry, turned: &[(Way, Option<String>)]) -> Option<Entry> {
    // Everything lies below the root: what was put there through a link stays what it is, the group's at its real place.
    let is_way_of = |way: &Way| !way.real.is_empty() && is_below(entry.path(), &way.real);
    let way = turned.iter().find(|(way, _)| is_way_of(way));
    let Some((way, now)) = way else { return Some(entry) };
    match moved(entry.path(), &way.real, now.as_deref()?) {
        Some(path) => Some(entry.at(path.into())),
        None => Some(entry),
    }
}

/// Where a way leads now; nothing if it leads nowhere, or if others than root can turn it: what lies there would be the group's by its name
/// alone, to be replaced and given other owners.
fn leads(way: &Way, before: &Record, job: &Job<'_>) -> Option<String> {
    let written = Path::new(named(&way.written));
    let is_ours = |path: &str| {
        let mut all = before.own.iter().chain(&before.leaving);
        !before.taken.contains_key(path) && all.any(|entry| entry.path() == path)
    };
    let real = real_path(written, &is_ours).ok()?;
    let real = real.to_str()?.trim_end_matches('/').to_owned();
    let is_followed = real == way.real || real == way.written;
    if is_followed || job.options.follow_directory_links || chased(written).is_ok_and(|way| way.is_ok()) {
        return Some(real);
    }
    None
}

/// The path as it is said: ways have no slash at their end, so the root's is empty.
fn named(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// The sentence on what a turned way leaves behind, if that is still there.
fn left(way: &Way, now: Option<&str>) -> Option<String> {
    let is_left = now != Some(way.real.as_str())
        && Path::new(&way.real).symlink_metadata().is_ok_and(|found| found.is_dir());
    let now = now.map_or_else(|| "elsewhere".to_owned(), |now| format!("to {}", named(now)));
    is_left.then(|| {
        format!(
            "what was installed into {} is kept and is this deployment group's no more: {} leads {now} now",
            way.real, way.written
        )
    })
}

#[cfg(test)]
mod tests;
