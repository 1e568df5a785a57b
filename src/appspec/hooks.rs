//! The `Hooks` of an AppSpec: takes the top level and the events of a platform, gives at most one hook an
//! event, in the order in which the events happen.

use super::error::{Error, Position};
use super::names;
use super::platform::Platform;
use super::resource::entries_of;
use super::section::{Section, Warnings, scalar};
use super::spelling::{listed, nearest, shown};
use super::tree::Entry;

/// A hook for one event of a platform ([`FunctionEvent`](super::FunctionEvent),
/// [`ServiceEvent`](super::ServiceEvent)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRef<E> {
    /// When it runs.
    pub event: E,
    /// Name of a `LifecycleHook` in the deployment's namespace.
    pub hook: String,
}

/// The lifecycle events of all platforms; one that is not among a platform's own takes no hook there.
const EVENTS: [&str; 13] = [
    "ApplicationStop",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
];

/// Reads `Hooks`, which may be absent, null or empty.
///
/// `events` are the platform's events that can have a hook, with their names, in their order.
///
/// # Errors
/// For an event that takes no hook, one that is there twice, and a hook that is no name of a `LifecycleHook`.
pub(super) fn hooks_of<E: Copy + Ord>(
    top: &Section<'_>,
    platform: Platform,
    events: &[(E, &'static str)],
    warnings: &mut Warnings,
) -> Result<Vec<HookRef<E>>, Error> {
    let Some(node) = top.get("Hooks") else { return Ok(Vec::new()) };
    let mut found: Vec<(HookRef<E>, Position)> = Vec::new();
    for entry in entries_of(node, "Hooks")? {
        let (event, name) = event_of(entry, platform, events)?;
        let field = format!("Hooks.{name}");
        if entry.value.is_null() {
            warnings.add(entry.at, format!("{field} is empty: no hook runs then"));
            continue;
        }
        let hook = scalar(&entry.value, &field)?;
        names::check_hook(hook).map_err(|problem| Error::field(entry.value.at, &field, problem))?;
        if let Some((_, earlier)) = found.iter().find(|(known, _)| known.event == event) {
            let problem =
                format!("is here and in line {}: an event runs one hook, keep one of them", earlier.line);
            return Err(Error::field(entry.at, field, problem));
        }
        found.push((HookRef { event, hook: hook.into() }, entry.at));
    }
    found.sort_by_key(|(hook, _)| hook.event);
    Ok(found.into_iter().map(|(hook, _)| hook).collect())
}

fn event_of<E: Copy>(
    entry: &Entry,
    platform: Platform,
    events: &[(E, &'static str)],
) -> Result<(E, &'static str), Error> {
    if let Some(known) = events.iter().find(|(_, name)| name.eq_ignore_ascii_case(&entry.key)) {
        return Ok(*known);
    }
    let names: Vec<&str> = events.iter().map(|(_, name)| *name).collect();
    let problem = if let Some(other) = EVENTS.iter().find(|other| other.eq_ignore_ascii_case(&entry.key)) {
        format!("has {other}, an event that takes no hook on {platform}: only {} do", listed(&names))
    } else if let Some(near) = nearest(&entry.key, &names) {
        format!("has no event {}: {near} is the nearest", shown(&entry.key))
    } else {
        format!("has no event {}: there are {}", shown(&entry.key), listed(&names))
    };
    Err(Error::field(entry.at, "Hooks", problem))
}
