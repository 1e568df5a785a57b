//! How one host stands with the deployment that works on it: what its Instance says, and what its silence means by now.

use jiff::{SignedDuration, Timestamp};

use super::host::{Entry, HostFact, Reach, Said, Wanted};
use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::deployment_status::Diagnostics;
use crate::api::duration::Spoken;
use crate::api::{EventName, EventStatus};

/// An event must begin within this time, and a host be heard of again (CodeDeploy: 5 minutes).
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(300);
/// What an agent may need beyond its event: to end what did not end, and to say so.
const SLACK: SignedDuration = SignedDuration::from_secs(300);

/// What a deployment knows of one of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its assignment is not there yet.
    Unassigned,
    /// The agent has something to do, or does it: since when it is due to be given up, at the latest.
    Running(Timestamp),
    /// The agent waits for an event of the controller's, which is given up then, at the latest.
    Turn(EventName, Timestamp),
    /// Its whole course has succeeded.
    Succeeded,
    /// It has failed: at which event, and why.
    Failed(Option<EventName>, Diagnostics),
    /// It was stopped; true if an event had begun.
    Stopped(bool),
}

/// A target of a deployment, looked for.
#[derive(Copy, Clone, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// The Instance of that name.
    pub host: Option<&'a HostFact>,
}

impl<'a> Target<'a> {
    /// The host, as long as it is the one that was chosen.
    pub fn present(&self) -> Option<&'a HostFact> {
        self.host.filter(|h| h.uid == self.uid && !h.is_going)
    }

    /// What became of a host that is not there any more.
    pub fn loss(&self) -> String {
        match self.host {
            Some(host) if host.uid != self.uid => {
                format!("Instance {} was deleted and created anew meanwhile: another host", self.name)
            }
            _ => format!("Instance {} was deleted meanwhile", self.name),
        }
    }
}

/// The deployment that looks.
#[derive(Copy, Clone, Debug)]
pub struct Run<'a> {
    /// The group's name.
    pub group: &'a str,
    /// The Deployment's uid.
    pub uid: &'a str,
    /// What it runs by.
    pub server: &'a ResolvedServer,
    /// The digest that every host's bundle must have; empty while it is not known.
    pub digest: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// A failure that the controller sees, not the agent.
fn failed(event: Option<EventName>, code: &str, message: String) -> State {
    State::Failed(event, Diagnostics { error_code: code.into(), message, ..Diagnostics::default() })
}

/// What a list of assignments holds at most.
const MAX_ASSIGNED: usize = 32;

/// A host that is to be given its assignment, if there is room.
fn unassigned(host: &HostFact, entry: Option<&Entry>) -> State {
    if host.assigned < MAX_ASSIGNED || entry.is_some_and(|e| e.wanted.is_some()) {
        return State::Unassigned;
    }
    let message = format!(
        "Instance {} has assignments of {MAX_ASSIGNED} groups already: let it belong to fewer, or delete groups that are no longer used",
        host.name
    );
    failed(None, "TooManyGroups", message)
}

impl Run<'_> {
    /// How a host stands that is worked on.
    pub fn state(&self, target: &Target<'_>) -> State {
        let Some(host) = target.present() else {
            return failed(None, "InstanceDeleted", target.loss());
        };
        let entry = host.entry(self.group);
        let Some(wanted) = entry.and_then(|e| e.wanted.as_ref()).filter(|w| w.deployment_uid == self.uid)
        else {
            return unassigned(host, entry);
        };
        let Some(entry) = entry else { return State::Unassigned };
        let is_held = wanted.run_through.is_none() && !wanted.stop;
        if is_held && !host.sealing_key.is_empty() {
            return State::Unassigned;
        }
        let said = entry.answer();
        if let Some(state) = said.and_then(|said| self.ended(said)) {
            return state;
        }
        if wanted.stop && wanted.run_through.is_none() && said.is_none() {
            // It was never told to do anything, and never will be.
            return State::Stopped(false);
        }
        match self.turn(wanted, said).filter(|_| !wanted.stop) {
            Some(event) => self.waiting(host, wanted, event),
            None => self.running(host, wanted, said),
        }
    }

    /// A host whose agent waits for us.
    fn waiting(&self, host: &HostFact, wanted: &Wanted, event: EventName) -> State {
        if let Some(state) = self.overdue(host, wanted, Some(event)) {
            return state;
        }
        if event == EventName::AllowTraffic && host.address.is_none() && self.server.load_balancer.is_some() {
            let message = format!(
                "Instance {} has no spec.address any more, to which its traffic could go; kubectl sluice register {} --address IP",
                host.name, host.name
            );
            return failed(Some(event), "AddressMissing", message);
        }
        // Our own drain is not what scripts may take.
        let drain = self.server.load_balancer.as_ref().map_or(SignedDuration::ZERO, |b| b.drain.length());
        let limit = self.server.event_timeout.length().max(drain + SLACK);
        let since = host.reported.max(wanted.time).unwrap_or(self.now);
        if self.now >= since + limit {
            return failed(Some(event), "Timeout", format!("{event} did not end within {}", Spoken(limit)));
        }
        State::Turn(event, since + limit)
    }

    /// The end that the agent reports.
    fn ended(&self, said: &Said) -> Option<State> {
        if let Some(digest) =
            said.bundle_digest.as_ref().filter(|d| !self.digest.is_empty() && *d != self.digest)
            && self.digest.starts_with("sha256:")
        {
            let message = format!(
                "it downloaded a bundle of {digest}, and another host one of {}: the object in S3 was replaced meanwhile; name its version",
                self.digest
            );
            return Some(failed(Some(EventName::DownloadBundle), "RevisionChanged", message));
        }
        match said.status {
            EventStatus::Succeeded => Some(State::Succeeded),
            EventStatus::Skipped => Some(State::Stopped(said.has_begun())),
            EventStatus::Failed => {
                let (event, known) = said.failure.as_deref().cloned().unwrap_or_default();
                Some(State::Failed(event, known))
            }
            _ => None,
        }
    }

    /// The controller's event that comes next, once the agent has gone as far as it may.
    fn turn(&self, wanted: &Wanted, said: Option<&Said>) -> Option<EventName> {
        let through = wanted.run_through?;
        said.filter(|s| s.has_passed(through))?;
        let next = self.server.course.iter().skip_while(|e| **e != through).nth(1)?;
        (!next.is_agents()).then_some(*next)
    }

    /// A host that was asked for something and is silent, or takes too long. One whose scripts run goes on without us: its
    /// event's own time is waited for.
    fn running(&self, host: &HostFact, wanted: &Wanted, said: Option<&Said>) -> State {
        let event = said.and_then(Said::running);
        let may_be_lost = event.is_none() || wanted.stop;
        if let Some(state) = self.overdue(host, wanted, event).filter(|_| may_be_lost) {
            return state;
        }
        let asked = wanted.time.unwrap_or(self.now);
        let since = host.reported.map_or(asked, |reported| reported.max(asked));
        let (due, code, message) = self.patience(host, wanted, said, since);
        if self.now >= due {
            return failed(event, code, message);
        }
        let lost = match host.reach {
            Reach::Silent(silent) if may_be_lost => silent.max(asked) + PATIENCE,
            _ => due,
        };
        State::Running(due.min(lost))
    }

    /// Until when it is waited for, and what it is called then.
    fn patience(
        &self,
        host: &HostFact,
        wanted: &Wanted,
        said: Option<&Said>,
        since: Timestamp,
    ) -> (Timestamp, &'static str, String) {
        let limit = self.server.event_timeout.length();
        if let Some(event) = said.and_then(Said::running) {
            return (
                since + limit + SLACK,
                "Timeout",
                format!("{event} did not end within {}", Spoken(limit)),
            );
        }
        if let Some(other) = host.works_for(self.group) {
            let message = format!(
                "the host works for group {other} and did not get to it within {}",
                Spoken(limit + SLACK)
            );
            return (since + limit + SLACK, "AgentIssue", message);
        }
        let does = if wanted.stop { "did not answer the stop" } else { "did not begin" };
        let message = format!(
            "the agent {does} within {}: does it run? (systemctl status sluice-agent)",
            Spoken(PATIENCE)
        );
        (since + PATIENCE, "AgentIssue", message)
    }

    /// A host that has not been heard of for too long.
    fn overdue(&self, host: &HostFact, wanted: &Wanted, event: Option<EventName>) -> Option<State> {
        let Reach::Silent(silent) = host.reach else { return None };
        let since = wanted.time.map_or(silent, |asked| silent.max(asked));
        (self.now >= since + PATIENCE).then(|| {
            let message = format!(
                "the host has not been heard of since {}: is it up, and its agent running?",
                silent.strftime("%H:%M:%SZ")
            );
            failed(event, "AgentIssue", message)
        })
    }
}

/// How far the agent may go next: up to the controller's next event behind `after`, or to the end.
pub fn next_stop(course: &[EventName], after: Option<EventName>) -> Option<EventName> {
    let rest =
        course.iter().skip_while(|e| after.is_some_and(|a| **e != a)).skip(usize::from(after.is_some()));
    let stretch = rest.take_while(|e| e.is_agents());
    stretch.last().copied()
}

/// The course on a host: 7 events, or 13 with a load balancer (CodeDeploy's order).
pub fn course(has_traffic: bool) -> Vec<EventName> {
    use EventName::*;
    let before: &[EventName] = &[BeforeBlockTraffic, BlockTraffic, AfterBlockTraffic];
    let own: &[EventName] = &[
        ApplicationStop,
        DownloadBundle,
        BeforeInstall,
        Install,
        AfterInstall,
        ApplicationStart,
        ValidateService,
    ];
    let after: &[EventName] = &[BeforeAllowTraffic, AllowTraffic, AfterAllowTraffic];
    if has_traffic { [before, own, after].concat() } else { own.to_vec() }
}

/// Where a host belongs in the load balancer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It gets traffic.
    In,
    /// It gets no new traffic, and has time for what it has.
    Draining,
    /// It is not there.
    Out,
}

/// Where a host belongs, by what is on record of it. Hosts that nobody hears of stay where they are: whether they serve is
/// for the gateway's own health checks to say.
pub fn place(entry: Option<&Entry>) -> Place {
    use EventName::{BeforeAllowTraffic, BeforeBlockTraffic, BlockTraffic};
    let Some(entry) = entry else { return Place::Out };
    let standing = if entry.installed.is_some() { Place::In } else { Place::Out };
    let Some(wanted) = entry.wanted.as_ref().filter(|w| w.has_traffic) else { return standing };
    // A host without traffic is assigned with its BlockTraffic skipped.
    let standing = if wanted.blocked == Some(EventStatus::Skipped) { standing } else { Place::In };
    let said = entry.answer();
    let is_waiting = said.is_some_and(|s| s.status == EventStatus::InProgress);
    let passed = |event| said.is_some_and(|s| s.has_passed(event));
    if wanted.is_allowed || (passed(BeforeAllowTraffic) && is_waiting && !wanted.stop) {
        return Place::In;
    }
    if wanted.blocked == Some(EventStatus::Skipped) || said.is_some_and(|s| s.has_begun_after(BlockTraffic)) {
        return Place::Out;
    }
    match wanted.blocked {
        // Nothing was touched: what served before serves on.
        Some(_) if said.is_some_and(Said::has_ended) => standing,
        Some(_) => Place::Out,
        None if passed(BeforeBlockTraffic) && is_waiting && standing == Place::In => Place::Draining,
        None => standing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Instance;

    const GROUP: &str = "g";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn time(secs: i64) -> String {
        at(secs).to_string()
    }

    fn host(spec: Value, status: Value, reported: Option<i64>) -> HostFact {
        let fields: Vec<Value> =
            reported.map(|secs| json!({"subresource": "status", "time": time(secs)})).into_iter().collect();
        let instance = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance",
            "metadata": {"name": "h", "uid": "h-1", "resourceVersion": "7", "managedFields": fields},
            "spec": spec, "status": status,
        });
        HostFact::of(&serde_json::from_value::<Instance>(instance).unwrap())
    }

    fn server(has_traffic: bool) -> ResolvedServer {
        serde_json::from_value(json!({
            "targets": ["h"], "uids": ["h-1"], "minimumHealthy": 0,
            "minimumHealthyHosts": {"type": "HostCount", "value": 0}, "course": course(has_traffic),
            "eventTimeout": "10m",
        }))
        .unwrap()
    }

    fn state(server: &ResolvedServer, host: &HostFact, now: i64) -> State {
        let run = Run { group: GROUP, uid: "d-1", server, digest: "", now: at(now) };
        run.state(&Target { name: "h", uid: "h-1", host: Some(host) })
    }

    fn wanted(more: Value) -> Value {
        let mut entry = json!({"deploymentGroup": GROUP, "deploymentGroupId": "g-1", "deployment": "d",
            "deploymentUid": "d-1", "application": "a", "course": course(true), "time": time(1_000)});
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        json!({"assignments": [entry]})
    }

    fn said(status: &str, events: &[(&str, &str)]) -> Value {
        let events: Vec<Value> = events.iter().map(|(n, s)| json!({"name": n, "status": s})).collect();
        json!({"assignments": [{"deploymentGroup": GROUP, "deployment": "d", "deploymentUid": "d-1",
            "status": status, "events": events}]})
    }

    fn code(state: &State) -> &str {
        match state {
            State::Failed(_, known) => &known.error_code,
            _ => "",
        }
    }

    #[test]
    fn the_agent_stops_where_traffic_is_the_controllers() {
        use EventName::*;
        let all = course(true);
        assert_eq!(next_stop(&all, None), Some(BeforeBlockTraffic));
        assert_eq!(next_stop(&all, Some(BlockTraffic)), Some(BeforeAllowTraffic));
        assert_eq!(next_stop(&all, Some(AllowTraffic)), Some(AfterAllowTraffic));
        assert_eq!(next_stop(&course(false), None), Some(ValidateService));
        assert_eq!((all.len(), course(false).len()), (13, 7));
    }

    #[test]
    fn an_event_that_does_not_begin_is_given_up_after_five_minutes_and_one_that_runs_after_its_own_time() {
        let server = server(true);
        let assigned = wanted(json!({"runThrough": "BeforeBlockTraffic"}));
        let silent = host(assigned.clone(), json!({}), None);
        assert_eq!(state(&server, &silent, 1_299), State::Running(at(1_300)));
        assert_eq!(code(&state(&server, &silent, 1_300)), "AgentIssue");
        // Its clock says nothing: what counts is when the API server took its last word.
        let runs = host(assigned, said("InProgress", &[("BeforeBlockTraffic", "InProgress")]), Some(1_200));
        assert_eq!(state(&server, &runs, 1_300), State::Running(at(1_200 + 600 + 300)));
        assert_eq!(code(&state(&server, &runs, 2_100)), "Timeout");
    }

    #[test]
    fn a_host_that_works_for_another_group_has_more_time() {
        let mut spec = wanted(json!({"runThrough": "BeforeBlockTraffic"}));
        let other = json!({"deploymentGroup": "other", "deploymentGroupId": "o", "deployment": "o",
            "deploymentUid": "o-1", "application": "a"});
        spec["assignments"].as_array_mut().unwrap().push(other);
        let works = json!({"assignments": [{"deploymentGroup": "other", "deployment": "o", "deploymentUid": "o-1",
            "status": "InProgress", "events": [{"name": "Install", "status": "InProgress"}]}]});
        let busy = host(spec, works, Some(1_001));
        assert_eq!(state(&server(true), &busy, 1_400), State::Running(at(1_001 + 600 + 300)));
        assert_eq!(code(&state(&server(true), &busy, 1_901)), "AgentIssue");
    }

    #[test]
    fn an_assignment_that_waits_for_the_hosts_key_is_written_anew_when_it_is_there() {
        let held = wanted(json!({}));
        assert_eq!(
            state(&server(true), &host(held.clone(), json!({}), None), 1_001),
            State::Running(at(1_300))
        );
        let agent = json!({"agent": {"version": "1", "sealingKey": "key"}});
        assert_eq!(state(&server(true), &host(held, agent, None), 1_001), State::Unassigned);
        let fence = wanted(json!({"stop": true}));
        assert_eq!(state(&server(true), &host(fence, json!({}), None), 1_001), State::Stopped(false));
    }

    #[test]
    fn a_host_that_has_no_room_for_another_group_fails_by_that_name() {
        let other = |n: usize| {
            json!({"deploymentGroup": format!("g{n}"), "deploymentGroupId": "x", "deployment": "x",
                "deploymentUid": "x", "application": "a"})
        };
        let full: Vec<Value> = (0..MAX_ASSIGNED).map(other).collect();
        let host = host(json!({"assignments": full}), json!({}), None);
        assert_eq!(code(&state(&server(true), &host, 1)), "TooManyGroups");
    }

    #[test]
    fn a_host_has_traffic_but_between_block_and_allow() {
        let had = json!([{"deploymentGroup": GROUP, "deployment": "d0", "deploymentUid": "d-0",
            "revision": {}, "time": time(1)}]);
        let stands = |spec: Value, mut status: Value, is_installed: bool| {
            if is_installed {
                status["installed"] = had.clone();
            }
            place(host(spec, status, None).entry(GROUP))
        };
        let through = |event: &str, more: Value| {
            let mut entry = wanted(json!({"runThrough": event}));
            if let (Some(entry), Value::Object(more)) = (entry["assignments"][0].as_object_mut(), more) {
                entry.extend(more);
            }
            entry
        };
        let noted = |status: &str| json!({"trafficEvents": [{"name": "BlockTraffic", "status": status}]});
        let first = || through("BeforeBlockTraffic", json!({}));
        let second = |status: &str| through("BeforeAllowTraffic", noted(status));
        let blocked = [("BeforeBlockTraffic", "Succeeded")];
        let works =
            [("BeforeBlockTraffic", "Succeeded"), ("AfterBlockTraffic", "Succeeded"), ("Install", "Failed")];
        let back = [("BeforeBlockTraffic", "Succeeded"), ("BeforeAllowTraffic", "Succeeded")];
        let cases = [
            (json!({}), json!({}), true, Place::In),
            (json!({}), json!({}), false, Place::Out),
            (first(), json!({}), true, Place::In),
            (first(), said("InProgress", &blocked), true, Place::Draining),
            (first(), said("InProgress", &blocked), false, Place::Draining),
            (first(), json!({}), false, Place::In),
            (first(), said("Failed", &[("BeforeBlockTraffic", "Failed")]), true, Place::In),
            (first(), said("Skipped", &blocked), true, Place::In),
            (second("Succeeded"), said("InProgress", &blocked), true, Place::Out),
            (second("Succeeded"), said("Failed", &works), true, Place::Out),
            (second("Succeeded"), said("Skipped", &blocked), true, Place::In),
            (second("Skipped"), said("Skipped", &[]), true, Place::Out),
            (second("Skipped"), said("InProgress", &back), false, Place::In),
            (second("Succeeded"), said("Skipped", &back), true, Place::Out),
        ];
        for (index, (spec, status, is_installed, wanted)) in cases.into_iter().enumerate() {
            assert_eq!(stands(spec, status, is_installed), wanted, "case {index}");
        }
    }
}
