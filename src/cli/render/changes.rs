//! What changed between two looks at a Deployment, one line each: the live view where there is no terminal.

use jiff::Timestamp;

use super::age::length;
use super::bar::bar;
use super::frame::{whole_seconds, without_count_down};
use super::hosts;
use super::page::explain;
use super::service::stands_at;
use crate::api::deployment_status::Traffic;
use crate::api::{Deployment, DeploymentStatus, EventStatus, LifecycleEvent, Phase};

/// One line per change, each with the time `now`; `before` is `None` at the first look.
pub fn changes(before: Option<&Deployment>, after: &Deployment, now: Timestamp) -> Vec<String> {
    let nothing = DeploymentStatus::default();
    let old = before.and_then(|d| d.status.as_ref()).unwrap_or(&nothing);
    let new = after.status.as_ref().unwrap_or(&nothing);
    let is_first = before.is_none();
    let mut lines = Vec::new();
    let phase_changed = is_first || old.phase != new.phase;
    if phase_changed && !new.phase.has_ended() {
        lines.push(format!("{} {}", after.name(), new.phase));
    }
    lines.extend(new.lifecycle_events.iter().filter_map(|e| event_line(e, &old.lifecycle_events)));
    lines.extend(hosts::changes(old, new));
    let moved = new.traffic.as_ref().filter(|t| weights(old.traffic.as_ref()) != weights(Some(t)));
    lines.extend(moved.map(|t| traffic_line(t, new.phase, now)));
    let said = without_count_down(&new.message);
    let is_news = said != without_count_down(&old.message) && !said.is_empty();
    let waits = new.phase == Phase::Ready || stands_at(new, "WaitingForTermination");
    if is_news && (moved.is_none() || waits) && !new.phase.has_ended() {
        lines.push(said.to_owned());
    }
    if let Some(stop) = new.stop.as_ref().filter(|s| old.stop.as_ref() != Some(s)) {
        lines.push(format!("stop {:?}: {}", stop.status, stop.message));
    }
    if phase_changed && new.phase.has_ended() {
        lines.push(verdict(after));
    }
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    lines.iter().map(|line| format!("{time}  {}", line.trim_end_matches([':', ' ']))).collect()
}

/// The last line: how it ended, how long it took, why, and what follows.
pub fn verdict(deployment: &Deployment) -> String {
    let phase = deployment.phase();
    let mut text = format!("{} {phase}", deployment.name());
    let Some(status) = &deployment.status else { return text };
    let from = status.start_time.or(status.create_time);
    if let (Some(from), Some(to)) = (from, status.complete_time) {
        text += &format!(" after {}", length(to.duration_since(from)));
    }
    let code = status.error_information.as_ref().map(|e| e.code.as_str());
    let why = status.error_information.as_ref().map_or(status.message.as_str(), |e| &e.message);
    let parts = [code.unwrap_or_default(), why].into_iter().filter(|t| !t.is_empty());
    for part in parts.filter(|_| phase != Phase::Succeeded) {
        text += &format!(": {part}");
    }
    if let Some(next) = status.rollback_info.as_ref().and_then(|r| r.rollback_deployment.as_ref()) {
        text += &format!("; rollback: {next}");
    }
    text
}

fn weights(traffic: Option<&Traffic>) -> Option<(i32, i32)> {
    traffic.map(|t| (t.original.weight, t.replacement.weight))
}

fn traffic_line(traffic: &Traffic, phase: Phase, now: Timestamp) -> String {
    let next = traffic.next_step_time.filter(|_| !phase.has_ended()).map(|t| t.duration_since(now));
    let next = next.filter(|left| left.is_positive());
    let next = next.map(|left| format!("; next step in {}", length(whole_seconds(left)))).unwrap_or_default();
    format!("traffic {}{next}", bar(traffic))
}

fn event_line(event: &LifecycleEvent, old: &[LifecycleEvent]) -> Option<String> {
    let before = old.iter().find(|e| e.name == event.name).map_or(EventStatus::Pending, |e| e.status);
    if before == event.status {
        return None;
    }
    let took = event.start_time.zip(event.end_time).map(|(from, to)| length(to.duration_since(from)));
    let took = took.map(|t| format!(" ({t})")).unwrap_or_default();
    let said = event.diagnostics.as_ref().filter(|_| event.status == EventStatus::Failed).map(explain);
    let said = said.map(|lines| format!(": {}", lines.join(" | "))).unwrap_or_default();
    Some(format!("{} {:?}{took}{said}", event.name, event.status))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn between(before: Option<&Deployment>, after: &Deployment) -> String {
        changes(before, after, fixture::now()).join("\n")
    }

    #[test]
    fn the_first_look_tells_everything_that_has_happened() {
        insta::assert_snapshot!(between(None, &fixture::created()), @"2026-03-01T12:05:00Z  hello-prod-7f3k2 Created");
        insta::assert_snapshot!(between(None, &fixture::shifting()), @r"
        2026-03-01T12:05:00Z  hello-prod-7f3k2 InProgress
        2026-03-01T12:05:00Z  BeforeAllowTraffic Succeeded (2s)
        2026-03-01T12:05:00Z  AllowTraffic InProgress
        2026-03-01T12:05:00Z  traffic hello-1 ██████████░░░░ 70 % | hello-2 30 %; next step in 42s
        ");
    }

    #[test]
    fn nothing_is_said_where_nothing_changed() {
        let mut counted = fixture::shifting();
        counted.status.as_mut().unwrap().message = "traffic 30 % on hello-2; next step in 1s".into();
        assert_eq!(between(Some(&fixture::shifting()), &counted), "");
    }

    #[test]
    fn each_change_is_a_line() {
        let mut next = fixture::shifting();
        let traffic = next.status.as_mut().unwrap().traffic.as_mut().unwrap();
        (traffic.original.weight, traffic.replacement.weight) = (60, 40);
        insta::assert_snapshot!(between(Some(&fixture::shifting()), &next), @"2026-03-01T12:05:00Z  traffic hello-1 ████████░░░░░░ 60 % | hello-2 40 %; next step in 42s");
        insta::assert_snapshot!(between(Some(&fixture::shifting()), &fixture::failed()), @r"
        2026-03-01T12:05:00Z  AllowTraffic Succeeded (3m)
        2026-03-01T12:05:00Z  AfterAllowTraffic Failed (58s): ScriptFailed: web-probe: exit code 1 | GET / 200 | GET /cart 500
        2026-03-01T12:05:00Z  traffic hello-1 ░░░░░░░░░░░░░░ 0 % | hello-2 100 %
        2026-03-01T12:05:00Z  hello-prod-7f3k2 Failed after 4m: LifecycleEventHookFailed: web-probe said 3 of 5 pages are broken; rollback: hello-prod-7f3k2-rollback
        ");
        insta::assert_snapshot!(between(Some(&fixture::shifting()), &fixture::succeeded()), @r"
        2026-03-01T12:05:00Z  AllowTraffic Succeeded (3m)
        2026-03-01T12:05:00Z  AfterAllowTraffic Succeeded (58s)
        2026-03-01T12:05:00Z  traffic hello-1 ░░░░░░░░░░░░░░ 0 % | hello-2 100 %
        2026-03-01T12:05:00Z  hello-prod-7f3k2 Succeeded after 4m
        ");
    }

    #[test]
    fn a_service_deployments_waits_are_told_when_they_begin() {
        let (ready, shifting) = (fixture::service_ready(), fixture::service_shifting());
        assert!(between(None, &ready).ends_with("the replacement is ready and has no production traffic"));
        insta::assert_snapshot!(between(Some(&fixture::service_tested()), &ready), @r"
        2026-03-01T12:05:00Z  web-2 Ready
        2026-03-01T12:05:00Z  AfterAllowTestTraffic Succeeded (1s)
        2026-03-01T12:05:00Z  the replacement is ready and has no production traffic
        ");
        insta::assert_snapshot!(between(Some(&ready), &shifting), @r"
        2026-03-01T12:05:00Z  web-2 InProgress
        2026-03-01T12:05:00Z  BeforeAllowTraffic Succeeded (1s)
        2026-03-01T12:05:00Z  AllowTraffic InProgress
        2026-03-01T12:05:00Z  traffic web ███████████░░░ 80 % | web-b 20 %; next step in 4m49s
        ");
        insta::assert_snapshot!(between(Some(&fixture::service_shifted()), &fixture::service_terminating()), @r"
        2026-03-01T12:05:00Z  AllowTraffic Succeeded (1s)
        2026-03-01T12:05:00Z  AfterAllowTraffic Succeeded (43s)
        2026-03-01T12:05:00Z  all traffic has moved; task set web-prod-0a1b2c3d (PodTemplate web-1) behind Service web stands at full scale until 12:09:50Z, when it is terminated
        ");
    }
}
