//! The hosts of a deployment on Server: counted and drawn in its view, listed, told one by one, and what changed among them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::age::length;
use super::grid::{grid, letter};
use super::look::Look;
use super::page::{Page, in_a_line};
use super::rows::Columns;
use super::table::table;
use super::target::{Hosts, Target, server_of, targets};
use crate::api::{Deployment, DeploymentStatus, EventName, EventStatus};
use crate::engine::server::words::few;

/// Failed hosts that a view names; the list names the others.
const NAMED: usize = 5;
/// Lines of a view that are not the grid's: head, counts, events that run, failures, message.
const OTHER_LINES: usize = 9 + 2 * NAMED;
/// The least lines that the grid gets, however low the screen.
const LEAST: usize = 4;

const STATES: [EventStatus; 6] = [
    EventStatus::Succeeded,
    EventStatus::InProgress,
    EventStatus::Failed,
    EventStatus::Unknown,
    EventStatus::Pending,
    EventStatus::Skipped,
];

impl Page {
    /// Counts, grid, what runs where, and the first failures; nothing of a deployment that has no hosts on record.
    pub(super) fn hosts(&mut self, deployment: &Deployment, hosts: &Hosts, now: Timestamp) {
        let Some((status, server)) = server_of(deployment) else { return };
        let targets = targets(deployment, hosts);
        self.line("");
        let floor = format!("; at least {} stay healthy", server.minimum_healthy);
        self.field("Hosts", &format!("{}{floor}", counts(&targets)));
        let room = self.look.height.saturating_sub(OTHER_LINES).max(LEAST);
        for line in grid(&targets, self.look, room) {
            self.line(&line);
        }
        self.sentence("Running", &running(&targets, now));
        self.failures(deployment, status, &targets);
        self.line("");
    }

    fn failures(&mut self, deployment: &Deployment, status: &DeploymentStatus, targets: &[Target]) {
        let failed: Vec<&Target> = targets.iter().filter(|t| t.status == EventStatus::Failed).collect();
        for (index, target) in failed.iter().take(NAMED).enumerate() {
            let at = target.event.map(|event| format!(" at {event}")).unwrap_or_default();
            let why = target.diagnostics.as_ref().map(in_a_line).filter(|why| !why.is_empty());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            self.sentence(if index == 0 { "Failed" } else { "" }, &format!("{}{at}{why}", target.target));
        }
        if failed.len() > NAMED {
            let more = failed.len() - NAMED;
            let name = deployment.name();
            let list = format!("kubectl sluice list-deployment-targets {name} --status Failed");
            self.sentence("", &format!("and {more} more: {list}"));
        }
        if failed.is_empty() && !status.failed_targets.is_empty() {
            self.sentence("Failed", &format!("{} hosts", status.failed_targets.len()));
        }
    }
}

/// `8: S 2 succeeded, I 2 in progress, F 1 failed, · 3 pending`: the grid's legend, too.
fn counts(targets: &[Target]) -> String {
    let words = STATES.iter().filter_map(|state| {
        let count = targets.iter().filter(|t| t.status == *state).count();
        (count > 0).then(|| format!("{} {count} {}", letter(*state), word(*state)))
    });
    format!("{}: {}", targets.len(), words.collect::<Vec<_>>().join(", "))
}

fn word(state: EventStatus) -> &'static str {
    match state {
        EventStatus::Pending => "pending",
        EventStatus::InProgress => "in progress",
        EventStatus::Succeeded => "succeeded",
        EventStatus::Failed => "failed",
        EventStatus::Skipped => "skipped",
        EventStatus::Unknown => "unknown",
    }
}

/// `Install on 2 (web-4 30s, web-5), BeforeInstall on 1 (web-6)`
fn running(targets: &[Target], now: Timestamp) -> String {
    let mut by_event: BTreeMap<EventName, Vec<String>> = BTreeMap::new();
    for target in targets.iter().filter(|t| t.status == EventStatus::InProgress) {
        let Some(event) = target.event else { continue };
        let begun = target.lifecycle_events.iter().find(|e| e.name == event).and_then(|e| e.start_time);
        let since = begun.map(|from| format!(" {}", length(now.duration_since(from)))).unwrap_or_default();
        by_event.entry(event).or_default().push(format!("{}{since}", target.target));
    }
    let said = by_event.iter().map(|(event, hosts)| {
        let (first, more) = hosts.split_at(hosts.len().min(3));
        let more = if more.is_empty() { "" } else { ", …" };
        format!("{event} on {} ({}{more})", hosts.len(), first.join(", "))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// One row a host.
pub fn target_rows(targets: &[Target], columns: Columns, now: Timestamp) -> String {
    let mut headers = vec!["NAME", "STATUS", "EVENT", "ZONE", "MESSAGE"];
    if columns.wide {
        headers.extend(["ADDRESS", "START", "DURATION", "BUNDLE"]);
    }
    let rows: Vec<Vec<String>> = targets.iter().map(|target| row(target, columns, now)).collect();
    table(&headers, &rows)
}

fn row(target: &Target, columns: Columns, now: Timestamp) -> Vec<String> {
    let why = target.diagnostics.as_ref().map(in_a_line).filter(|why| !why.is_empty());
    let mut cells = vec![
        target.target.clone(),
        format!("{:?}", target.status),
        target.event.map(|e| e.to_string()).unwrap_or_default(),
        target.zone.clone().unwrap_or_default(),
        why.unwrap_or_else(|| target.message.clone()),
    ];
    if columns.wide {
        let start = target.lifecycle_events.iter().filter_map(|e| e.start_time).min();
        let ended = target.status != EventStatus::InProgress;
        let last = target.lifecycle_events.iter().filter_map(|e| e.end_time).max().filter(|_| ended);
        let took = start.map(|from| length(last.unwrap_or(now).duration_since(from)));
        cells.extend([
            target.address.clone().unwrap_or_default(),
            start.map(|t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default(),
            took.unwrap_or_default(),
            target.bundle_digest.clone().unwrap_or_default(),
        ]);
    }
    cells
}

/// Everything that is known of a deployment on one host.
pub fn target_page(deployment: &Deployment, target: &Target, look: Look, now: Timestamp) -> String {
    let mut page = Page::new(look);
    page.field("Target", &target.target);
    page.field("Deployment", &target.deployment);
    page.field("Group", &deployment.spec.deployment_group_ref.name);
    page.field("Status", &look.status(target.status, 0));
    for (label, value) in
        [("Zone", &target.zone), ("Address", &target.address), ("Bundle", &target.bundle_digest)]
    {
        if let Some(value) = value {
            page.field(label, value);
        }
    }
    page.events(target.lifecycle_events.iter().map(Into::into), now);
    let is_told = target.lifecycle_events.iter().any(|e| e.diagnostics == target.diagnostics);
    if let Some(said) = target.diagnostics.as_ref().filter(|_| !is_told) {
        let at = target.event.map(|event| format!("{event}: ")).unwrap_or_default();
        page.sentence("Failed", &format!("{at}{}", in_a_line(said)));
        said.log_tail.lines().for_each(|line| page.sentence("", line));
    }
    if target.lifecycle_events.is_empty() {
        page.sentence("Events", "not known: the host is gone, or works on a later deployment of the group");
    }
    page.sentence("Message", &target.message);
    page.text
}

/// What changed among the hosts, a line for each state that some came into.
pub(super) fn changes(old: &DeploymentStatus, new: &DeploymentStatus) -> Vec<String> {
    let Some(server) = new.resolved.as_ref().and_then(|r| r.server.as_deref()) else { return Vec::new() };
    let before = old.targets.bytes().chain(std::iter::repeat(b'P'));
    let moved: Vec<(&str, u8)> = server
        .targets
        .iter()
        .zip(new.targets.bytes().zip(before))
        .filter(|(_, (now, then))| now != then)
        .map(|(name, (now, _))| (name.as_str(), now))
        .collect();
    let ended = new.targets.bytes().filter(|letter| b"SFK".contains(letter)).count();
    let states = [
        (b'I', "in progress"),
        (b'S', "succeeded"),
        (b'F', "failed"),
        (b'U', "not heard of"),
        (b'K', "skipped"),
    ];
    let told = states.iter().filter_map(|(letter, word)| {
        let names: Vec<&str> = moved.iter().filter(|(_, now)| now == letter).map(|(name, _)| *name).collect();
        let why =
            names.first().filter(|_| *letter == b'F' && names.len() == 1).and_then(|name| reason(new, name));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        (!names.is_empty()).then(|| {
            format!("{} {word} ({ended} of {} hosts done){why}", few(&names, NAMED), server.targets.len())
        })
    });
    told.collect()
}

fn reason(status: &DeploymentStatus, name: &str) -> Option<String> {
    let failed = status.failed_targets.iter().find(|failed| failed.name == name)?;
    let event = failed.event.map(|event| event.to_string());
    let said = Some(in_a_line(&failed.diagnostics)).filter(|said| !said.is_empty());
    Some([event, said].into_iter().flatten().collect::<Vec<_>>().join(": "))
}

#[cfg(test)]
mod tests {
    use super::super::{changes as lines, fixture, frame};
    use super::*;

    #[test]
    fn a_deployment_on_hosts_shows_counts_a_grid_what_runs_and_what_failed() {
        let shown = frame(&fixture::in_place(), &fixture::hosts(), Look::PLAIN, fixture::now());
        insta::assert_snapshot!(shown, @r"
        Deployment   shop-prod-7f3k2
        Group        shop-prod
        Phase        InProgress  (by User, age 5m)
        Revision     releases/shop/42.tgz (sha256:0123456789ab)
        Config       CodeDeployDefault.HalfAtATime

        Hosts        8: S 2 succeeded, I 2 in progress, F 1 failed, · 3 pending; at least 4 stay healthy
        eu-1a        SSFI
        eu-1b        I···
        Running      ApplicationStop on 1 (web-5 5s), Install on 1 (web-4 30s)
        Failed       web-3 at ValidateService: ScriptFailed: check.sh: exit code 1

        Message      2 of 8 hosts are done; a host begins when another has ended
        ");
    }

    #[test]
    fn without_the_hosts_the_record_is_shown() {
        let shown = frame(&fixture::in_place(), &Hosts::new(), Look::PLAIN, fixture::now());
        assert!(shown.contains("S 2 succeeded, I 2 in progress, F 1 failed, · 3 pending"), "{shown}");
        assert!(!shown.contains("Running"), "{shown}");
    }

    #[test]
    fn a_thousand_hosts_fit_a_usual_terminal() {
        let look = Look { width: 80, height: 40, colour: false };
        let shown = frame(&fixture::in_place_on(1000), &Hosts::new(), look, fixture::now());
        assert!(shown.lines().count() < 40, "{shown}");
        assert!(shown.contains("and 195 more: kubectl sluice list-deployment-targets"), "{shown}");
    }

    #[test]
    fn hosts_are_listed_a_row_each() {
        let targets = targets(&fixture::in_place(), &fixture::hosts());
        insta::assert_snapshot!(target_rows(&targets, Columns::default(), fixture::now()), @r"
        NAME    STATUS       EVENT             ZONE    MESSAGE
        web-1   Succeeded    <none>            eu-1a   <none>
        web-2   Succeeded    <none>            eu-1a   <none>
        web-3   Failed       ValidateService   eu-1a   ScriptFailed: check.sh: exit code 1
        web-4   InProgress   Install           eu-1a   <none>
        web-5   InProgress   ApplicationStop   eu-1b   <none>
        web-6   Pending      <none>            eu-1b   <none>
        web-7   Pending      <none>            eu-1b   <none>
        web-8   Pending      <none>            eu-1b   <none>
        ");
        let wide = Columns { namespace: false, wide: true };
        insta::assert_snapshot!(target_rows(&targets[2..4], wide, fixture::now()), @r"
        NAME    STATUS       EVENT             ZONE    MESSAGE                               ADDRESS    START                  DURATION   BUNDLE
        web-3   Failed       ValidateService   eu-1a   ScriptFailed: check.sh: exit code 1   10.0.0.3   2026-03-01T12:03:40Z   25s        sha256:0123456789abcdef0123
        web-4   InProgress   Install           eu-1a   <none>                                10.0.0.4   2026-03-01T12:03:40Z   80s        sha256:0123456789abcdef0123
        ");
    }

    #[test]
    fn one_host_is_told_event_by_event_with_its_log() {
        let (deployment, hosts) = (fixture::in_place(), fixture::hosts());
        let targets = targets(&deployment, &hosts);
        insta::assert_snapshot!(target_page(&deployment, &targets[2], Look::PLAIN, fixture::now()), @r"
        Target       web-3
        Deployment   shop-prod-7f3k2
        Group        shop-prod
        Status       Failed
        Zone         eu-1a
        Address      10.0.0.3
        Bundle       sha256:0123456789abcdef0123

        EVENT                STATUS       START      DURATION
        BeforeBlockTraffic   Succeeded    12:04:00Z  5s
        BlockTraffic         Succeeded    12:03:40Z  10s
        AfterBlockTraffic    Succeeded    12:04:00Z  5s
        ApplicationStop      Succeeded    12:04:00Z  5s
        DownloadBundle       Succeeded    12:04:00Z  5s
        BeforeInstall        Succeeded    12:04:00Z  5s
        Install              Succeeded    12:04:00Z  5s
        AfterInstall         Succeeded    12:04:00Z  5s
        ApplicationStart     Succeeded    12:04:00Z  5s
        ValidateService      Failed       12:04:00Z  5s
                     ScriptFailed: check.sh: exit code 1
                     [stdout]GET / 200
                     [stderr]GET /cart 500
        ");
    }

    #[test]
    fn a_host_that_was_not_read_is_told_by_the_record() {
        let deployment = fixture::in_place();
        let targets = targets(&deployment, &Hosts::new());
        insta::assert_snapshot!(target_page(&deployment, &targets[2], Look::PLAIN, fixture::now()), @r"
        Target       web-3
        Deployment   shop-prod-7f3k2
        Group        shop-prod
        Status       Failed
        Zone         eu-1a
        Failed       ValidateService: ScriptFailed: check.sh: exit code 1
                     [stdout]GET / 200
                     [stderr]GET /cart 500
        Events       not known: the host is gone, or works on a later deployment of the group
        ");
    }

    #[test]
    fn into_a_pipe_goes_a_line_for_each_state_that_hosts_came_into() {
        let mut before = fixture::in_place();
        before.status.as_mut().unwrap().targets = "SIIPPPPP".into();
        let told = lines(Some(&before), &fixture::in_place(), fixture::now()).join("\n");
        insta::assert_snapshot!(told, @r"
        2026-03-01T12:05:00Z  web-4, web-5 in progress (3 of 8 hosts done)
        2026-03-01T12:05:00Z  web-2 succeeded (3 of 8 hosts done)
        2026-03-01T12:05:00Z  web-3 failed (3 of 8 hosts done): ValidateService: ScriptFailed: check.sh: exit code 1
        ");
        let all = lines(None, &fixture::in_place_on(1000), fixture::now()).join("\n");
        assert!(all.contains("and 395 more succeeded"), "{all}");
    }
}
