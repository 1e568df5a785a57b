//! What a Service deployment shows beside events and traffic: its two sides, its test listener, and what it waits for.

use jiff::Timestamp;

use super::age::length;
use super::frame::whole_seconds;
use super::table::table;
use crate::api::deployment_snapshot::{ResolvedListener, ResolvedService, ResolvedSide};
use crate::api::{DeploymentStatus, EventName, EventStatus, ReadyAction, condition};

/// True if the reason of the conditions is `reason`.
pub fn stands_at(status: &DeploymentStatus, reason: &str) -> bool {
    condition::find(&status.conditions, "Ready").is_some_and(|c| c.reason == reason)
}

/// A line each for what had the traffic and what gets it: target group, task set, PodTemplate and share.
pub fn sides(service: &ResolvedService, status: &DeploymentStatus) -> String {
    let moved = status.traffic.as_ref().map_or(0, |t| t.replacement.weight);
    let moved = if service.original.is_none() { 100 } else { moved };
    let original = service.original.as_ref().map(|side| row("original", side, 100 - moved));
    let rows: Vec<_> =
        original.into_iter().chain([row("replacement", &service.replacement, moved)]).collect();
    table(&["SIDE", "TARGET GROUP", "TASK SET", "TASK DEFINITION", "TRAFFIC"], &rows)
}

fn row(name: &str, side: &ResolvedSide, percent: i32) -> Vec<String> {
    let task_set = side.task_set.clone().unwrap_or_else(|| "(not Sluice's)".into());
    let definition = side.task_definition.clone().unwrap_or_default();
    vec![name.into(), side.target_group.clone(), task_set, definition, format!("{percent} %")]
}

/// `HTTPRoute web-test sends to web-b`
pub fn test_listener(service: &ResolvedService, status: &DeploymentStatus) -> Option<String> {
    let ResolvedListener { name, .. } = service.test.as_ref()?;
    let to = match status.test_traffic {
        None => return Some(format!("HTTPRoute {name}, not moved yet")),
        Some(step) if step.weight == 0 => &service.other_target_group,
        Some(_) => &service.replacement.target_group,
    };
    Some(format!("HTTPRoute {name} sends to {to}"))
}

/// What a Deployment waits for by its settings, as a field's label and its value with the time that is left.
pub fn wait(
    service: &ResolvedService,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    let left = |until: Timestamp| {
        let left = until.duration_since(now);
        if left.is_positive() { format!("in {}", length(whole_seconds(left))) } else { "now".into() }
    };
    if stands_at(status, "WaitingForContinue") {
        let until = last_end(status)? + service.deployment_ready.wait.length();
        return Some(match service.deployment_ready.action_on_timeout {
            ReadyAction::ContinueDeployment => {
                ("Continues", format!("{}, or when somebody says so", left(until)))
            }
            ReadyAction::StopDeployment => {
                ("Stops", format!("{}, unless somebody says continue", left(until)))
            }
        });
    }
    if stands_at(status, "WaitingForTermination") {
        return Some(("Termination", left(status.termination_wait_end_time?)));
    }
    if stands_at(status, "TaskSetNotReady") {
        let install = status.lifecycle_events.iter().find(|e| e.name == EventName::Install)?;
        let begun = install.start_time.filter(|_| install.status == EventStatus::InProgress)?;
        return Some(("Gives up", left(begun + service.install_timeout.length())));
    }
    None
}

fn last_end(status: &DeploymentStatus) -> Option<Timestamp> {
    status.lifecycle_events.iter().filter_map(|e| e.end_time).max()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::api::Deployment;

    fn of(deployment: &Deployment) -> (&ResolvedService, &DeploymentStatus) {
        let status = deployment.status.as_ref().unwrap();
        (status.resolved.as_ref().unwrap().service.as_deref().unwrap(), status)
    }

    fn waits(deployment: &Deployment) -> String {
        let (service, status) = of(deployment);
        wait(service, status, fixture::now())
            .map(|(label, text)| format!("{label} {text}"))
            .unwrap_or_default()
    }

    #[test]
    fn an_original_that_sluice_did_not_make_is_told_as_such() {
        let mut adopting = fixture::service_shifting();
        let resolved = adopting.status.as_mut().unwrap().resolved.as_mut().unwrap();
        let original = resolved.service.as_mut().unwrap().original.as_mut().unwrap();
        (original.task_set, original.task_definition) = (None, None);
        let (service, status) = of(&adopting);
        insta::assert_snapshot!(sides(service, status), @r"
        SIDE          TARGET GROUP   TASK SET            TASK DEFINITION   TRAFFIC
        original      web            (not Sluice's)      <none>            80 %
        replacement   web-b          web-prod-4e5f6a7b   web-2             20 %
        ");
    }

    #[test]
    fn where_nothing_served_before_there_is_one_side_with_all_of_it() {
        let first = fixture::service_installing();
        let (service, status) = of(&first);
        insta::assert_snapshot!(sides(service, status), @r"
        SIDE          TARGET GROUP   TASK SET            TASK DEFINITION   TRAFFIC
        replacement   web            web-prod-4e5f6a7b   web-2             100 %
        ");
    }

    #[test]
    fn each_wait_says_what_comes_and_when() {
        assert_eq!(waits(&fixture::service_ready()), "Continues in 9m5s, or when somebody says so");
        let mut strict = fixture::service_ready();
        let resolved = strict.status.as_mut().unwrap().resolved.as_mut().unwrap();
        let ready = &mut resolved.service.as_mut().unwrap().deployment_ready;
        ready.action_on_timeout = ReadyAction::StopDeployment;
        assert_eq!(waits(&strict), "Stops in 9m5s, unless somebody says continue");
        assert_eq!(waits(&fixture::service_terminating()), "Termination in 4m50s");
        assert_eq!(waits(&fixture::service_installing()), "Gives up in 56m");
        assert_eq!(waits(&fixture::service_shifting()), "");
    }

    #[test]
    fn a_wait_that_is_over_is_due_now() {
        let mut ending = fixture::service_terminating();
        ending.status.as_mut().unwrap().termination_wait_end_time = Some(fixture::now());
        assert_eq!(waits(&ending), "Termination now");
    }

    #[test]
    fn the_test_listener_says_where_it_sends() {
        let said = |deployment: &Deployment| {
            let (service, status) = of(deployment);
            test_listener(service, status).unwrap_or_default()
        };
        assert_eq!(said(&fixture::service_installing()), "HTTPRoute web-test, not moved yet");
        assert_eq!(said(&fixture::service_shifting()), "HTTPRoute web-test sends to web-b");
        let mut back = fixture::service_shifting();
        back.status.as_mut().unwrap().test_traffic.as_mut().unwrap().weight = 0;
        assert_eq!(said(&back), "HTTPRoute web-test sends to web");
    }
}
