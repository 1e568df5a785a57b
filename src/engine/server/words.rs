//! What server deployments say.

use super::fleet::Fleet;
use crate::api::ResolvedRevision;
use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::deployment_status::{DeploymentStatus, Overview};

/// The first `most` of the names, and how many more there are.
pub fn few(names: &[&str], most: usize) -> String {
    let (first, more) = names.split_at(names.len().min(most));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", first.join(", "))
}

/// `1 host`, `40 hosts`.
pub fn hosts(count: i32) -> String {
    if count == 1 { "1 host".into() } else { format!("{count} hosts") }
}

/// Targets by state, from their letters.
pub fn overview(letters: &str) -> Overview {
    let mut overview = Overview::default();
    for letter in letters.bytes() {
        match letter {
            b'P' => overview.pending += 1,
            b'I' => overview.in_progress += 1,
            b'S' => overview.succeeded += 1,
            b'F' => overview.failed += 1,
            _ => overview.skipped += 1,
        }
    }
    overview
}

/// What a server deployment says when it starts.
pub fn started(server: &ResolvedServer, revision: &ResolvedRevision, configuration: &str) -> String {
    let does = if server.restart { "restarting" } else { "deploying" };
    let count = i32::try_from(server.targets.len()).unwrap_or(i32::MAX);
    let zones = match server.zones.len() {
        0 | 1 => String::new(),
        n => format!(" in {n} zones"),
    };
    format!(
        "{does} {revision} to {}{zones} by {configuration} (minimum healthy {})",
        hosts(count),
        server.minimum_healthy
    )
}

/// `12 of 40 hosts done, 4 in progress, 1 failed; the next begin as these end (minimum healthy 20)`.
pub fn progress(fleet: &Fleet<'_>) -> String {
    let now = overview(&fleet.text());
    let total = i32::try_from(fleet.targets.len()).unwrap_or(i32::MAX);
    let also = |count: i32, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let next = match now.pending {
        0 => String::new(),
        _ => format!("; the next begin as these end (minimum healthy {})", fleet.run.server.minimum_healthy),
    };
    format!(
        "{} of {} done{}{}{}{next}",
        now.succeeded,
        hosts(total),
        also(now.in_progress, "in progress"),
        also(now.failed, "failed"),
        also(now.skipped, "gone"),
    )
}

/// What a server deployment says when it has succeeded.
pub fn succeeded(status: &DeploymentStatus, server: &ResolvedServer) -> String {
    let now = overview(&status.targets);
    let what = status.revision.as_ref().map(ToString::to_string).unwrap_or_default();
    if server.targets.is_empty() {
        return format!("every host has {what} already; nothing had to be done");
    }
    let runs = if server.restart { "runs again" } else { "is installed" };
    let also = |count: i32, what: &str| if count > 0 { format!("; {count} {what}") } else { String::new() };
    format!(
        "{what} {runs} on {}{}{}",
        hosts(now.succeeded),
        also(now.failed, "failed, which the configuration allows"),
        match now.skipped {
            0 => String::new(),
            1 => "; 1 was gone before its turn came".into(),
            n => format!("; {n} were gone before their turn came"),
        },
    )
}

/// What stands where after an end without a rollback.
pub fn repair(status: &DeploymentStatus) -> String {
    let now = overview(&status.targets);
    let what = status.revision.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![];
    if now.succeeded > 0 {
        parts.push(format!("{what} is installed on {}", hosts(now.succeeded)));
    }
    if now.failed > 0 {
        parts.push(format!("{} failed and may stand half-way (status.failedTargets)", hosts(now.failed)));
    }
    let rest = now.pending + now.in_progress + now.skipped;
    if rest > 0 {
        parts.push(format!(
            "{} not touched",
            if rest == 1 { "1 host was".into() } else { format!("{rest} hosts were") }
        ));
    }
    match parts.as_slice() {
        _ if now.succeeded + now.failed == 0 => "No host was touched.".into(),
        _ => format!("{}; deploy again to bring all to one revision.", parts.join(", ")),
    }
}

/// Of which hosts a sentence speaks.
pub fn in_zone(name: &str) -> String {
    if name.is_empty() { " among those that name no zone".into() } else { format!(" in zone {name}") }
}

/// Why too few hosts are left: the first failures by name.
pub fn too_few(status: &DeploymentStatus, floor: i32, whose: &str) -> String {
    let told = |failed: &crate::api::deployment_status::FailedTarget| {
        let event = failed.event.map(|e| format!(" at {e}")).unwrap_or_default();
        let known = &failed.diagnostics;
        let code = if known.error_code.is_empty() { "failed" } else { &known.error_code };
        let said = if known.message.is_empty() { String::new() } else { format!(": {}", known.message) };
        format!("{}{event} ({code}{said})", failed.name)
    };
    let first: Vec<String> = status.failed_targets.iter().take(3).map(told).collect();
    let gone = status.targets.bytes().filter(|l| *l == b'K').count();
    let lost = match (first.as_slice(), gone) {
        ([], 0) => "hosts that are healthy already would be missed".to_owned(),
        ([], n) => format!("{n} gone before their turn came"),
        (some, _) => format!("failed: {}", some.join("; ")),
    };
    format!("too few hosts would stay healthy{whose}: the configuration wants {floor}; {lost}")
}
