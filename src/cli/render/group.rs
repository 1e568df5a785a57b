//! One DeploymentGroup on a screen.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::fmt::Write;

use super::age::age;
use crate::api::blue_green::{DeploymentReady, OriginalAction, ReadyAction, TerminateOriginal};
use crate::api::deployment_group::{DeploymentGroupSpec, FunctionTarget};
use crate::api::{AutoRollback, DeletionPolicy, DeploymentGroup, DeploymentGroupStatus, ServiceTarget};

/// What the group is set to and what runs in it; empty fields are left out.
pub fn group(group: &DeploymentGroup, now: Timestamp) -> String {
    let spec = &group.spec;
    let nothing = DeploymentGroupStatus::default();
    let status = group.status.as_ref().unwrap_or(&nothing);
    let mut fields = vec![
        ("Group", group.metadata.name.clone().unwrap_or_default()),
        ("Application", spec.application_ref.name.clone()),
        ("Phase", status.phase.map(|p| p.to_string()).unwrap_or_default()),
        ("Message", status.message.clone()),
        ("Config", spec.deployment_config_name.clone().unwrap_or_default()),
        ("Concurrency", format!("{:?}", spec.concurrency_policy)),
        ("Rolls back", spec.auto_rollback.as_ref().map_or_else(|| "never".into(), rolls_back)),
    ];
    fields.extend(spec.function.iter().flat_map(function));
    fields.extend(spec.service.iter().flat_map(|target| service(spec, target, status)));
    fields.extend(running(status, now));
    let mut text = String::new();
    for (label, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{label:<15}{value}");
    }
    text
}

fn function(target: &FunctionTarget) -> Vec<(&'static str, String)> {
    let aliases = target.aliases.iter().map(|a| format!("{} (HTTPRoute {})", a.name, a.http_route.name));
    vec![
        ("Aliases", aliases.collect::<Vec<_>>().join(", ")),
        ("Versions", format!("Service {}", target.version_service)),
    ]
}

fn service(
    spec: &DeploymentGroupSpec,
    target: &ServiceTarget,
    status: &DeploymentGroupStatus,
) -> Vec<(&'static str, String)> {
    let route = |name: &str| format!("HTTPRoute {name}");
    let listener = &target.production_listener;
    let production = listener.http_route.as_ref().map(|r| route(&r.name));
    let blue_green = spec.blue_green.clone().unwrap_or_default();
    let front = listener.service.as_ref().map(|s| format!("Service {}", s.name));
    vec![
        ("Production", production.or(front).unwrap_or_default()),
        ("Test", target.test_listener.as_ref().map(|t| route(&t.http_route.name)).unwrap_or_default()),
        ("Target groups", target.target_groups.join(", ")),
        ("Replicas", format!("{} wanted{}", target.replicas, standing(status))),
        ("Ready wait", ready_wait(blue_green.deployment_ready)),
        ("Original", original(blue_green.terminate_original)),
        ("On deletion", on_deletion(spec.deletion_policy).into()),
    ]
}

fn standing(status: &DeploymentGroupStatus) -> String {
    status.replicas.map(|n| format!(", {n} on the side that serves")).unwrap_or_default()
}

fn ready_wait(ready: DeploymentReady) -> String {
    let then = match ready.action_on_timeout {
        _ if ready.wait.length().is_zero() => return "none".into(),
        ReadyAction::ContinueDeployment => "traffic moves",
        ReadyAction::StopDeployment => "it is stopped",
    };
    format!("{} for continue-deployment, then {then}", ready.wait)
}

fn original(end: TerminateOriginal) -> String {
    match end.action {
        OriginalAction::Terminate => format!("terminated after {}", end.wait),
        OriginalAction::KeepAlive => "kept alive until its target group is needed".into(),
    }
}

fn on_deletion(policy: DeletionPolicy) -> &'static str {
    match policy {
        DeletionPolicy::Orphan => "task sets and target groups stay",
        DeletionPolicy::Delete => "task sets, and target groups that it made, are deleted",
    }
}

fn running(status: &DeploymentGroupStatus, now: Timestamp) -> Vec<(&'static str, String)> {
    let ago = |time| format!("{} ago", age(Some(&Time(time)), now));
    let queued = status.queued_deployments.iter().map(|q| q.name.as_str());
    let mut fields = vec![
        ("Active", status.active_deployment.as_ref().map(|a| a.name.clone()).unwrap_or_default()),
        ("Queued", queued.collect::<Vec<_>>().join(", ")),
    ];
    if let Some(last) = &status.last_successful_deployment {
        fields
            .push(("Last success", format!("{}, {}, {}", last.name, last.revision, ago(last.complete_time))));
    }
    if let Some(last) = &status.last_attempted_deployment {
        let ended = last.complete_time.map(|t| format!(", {}", ago(t))).unwrap_or_default();
        let rolled = last.rollback.as_ref().map(|r| format!(", rolled back by {r}")).unwrap_or_default();
        fields.push(("Last attempt", format!("{} {}{ended}{rolled}", last.name, last.phase)));
    }
    fields
}

fn rolls_back(settings: &AutoRollback) -> String {
    if !settings.enabled {
        return "never".into();
    }
    let events = settings.events.iter().map(|e| format!("{e:?}"));
    format!("after {}", events.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_group_shows_its_settings_and_its_last_deployments() {
        insta::assert_snapshot!(group(&fixture::group(), fixture::now()), @r"
        Group          hello-prod
        Application    hello
        Phase          RolledBack
        Message        hello version 2 was rolled back; hello version 1 serves
        Config         CodeDeployDefault.LambdaLinear10PercentEvery1Minute
        Concurrency    Queue
        Rolls back     after DeploymentFailure
        Aliases        live (HTTPRoute hello)
        Versions       Service {name}-{version}
        Active         hello-prod-9x
        Queued         hello-prod-a1, hello-prod-b2
        Last success   hello-prod-7f3k2-rollback, hello version 1 (sha256:fedcba987654), 30s ago
        Last attempt   hello-prod-7f3k2 Failed, 59s ago, rolled back by hello-prod-7f3k2-rollback
        ");
    }

    #[test]
    fn a_service_group_shows_its_listeners_sides_and_waits() {
        insta::assert_snapshot!(group(&fixture::service_group(), fixture::now()), @r"
        Group          web-prod
        Application    web
        Phase          Deploying
        Message        Deployment web-2 is running
        Config         web-canary
        Concurrency    Queue
        Rolls back     never
        Production     HTTPRoute web
        Test           HTTPRoute web-test
        Target groups  web, web-b
        Replicas       5 wanted, 3 on the side that serves
        Ready wait     10m for continue-deployment, then it is stopped
        Original       terminated after 5m
        On deletion    task sets and target groups stay
        Active         web-2
        ");
    }

    #[test]
    fn a_group_that_nobody_looked_at_yet_shows_its_settings() {
        let fresh = DeploymentGroup { status: None, ..fixture::group() };
        insta::assert_snapshot!(group(&fresh, fixture::now()), @r"
        Group          hello-prod
        Application    hello
        Config         CodeDeployDefault.LambdaLinear10PercentEvery1Minute
        Concurrency    Queue
        Rolls back     after DeploymentFailure
        Aliases        live (HTTPRoute hello)
        Versions       Service {name}-{version}
        ");
    }
}
