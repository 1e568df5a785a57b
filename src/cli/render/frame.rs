//! One Deployment on a screen: what it is, its lifecycle events, its traffic and what comes next.

use jiff::{SignedDuration, Timestamp};

use super::age::{age, length};
use super::bar::bar;
use super::look::Look;
use super::page::Page;
use super::service;
use super::target::Hosts;
use crate::api::deployment_snapshot::ResolvedService;
use crate::api::deployment_status::{RollbackInfo, Traffic};
use crate::api::{Deployment, DeploymentStatus};

/// Everything a person wants to see of one Deployment; `hosts` are those Instances of its namespace that were read, `now` counts
/// ages, running events and the next step.
pub fn frame(deployment: &Deployment, hosts: &Hosts, look: Look, now: Timestamp) -> String {
    let mut page = Page::new(look);
    let nothing = DeploymentStatus::default();
    let status = deployment.status.as_ref().unwrap_or(&nothing);
    page.head(deployment, status, now);
    page.events(status.lifecycle_events.iter().map(Into::into), now);
    page.hosts(deployment, hosts, now);
    let service = status.resolved.as_ref().and_then(|r| r.service.as_deref());
    if let Some(service) = service {
        page.text += &service::sides(service, status);
        page.line("");
    }
    if let Some(traffic) = &status.traffic {
        page.field("Traffic", &bar(traffic));
        if let Some(next) = next_step(traffic, deployment.phase().has_ended(), now) {
            page.field("Next step", &next);
        }
    }
    if let Some(service) = service {
        page.listens_and_waits(service, status, now);
    }
    page.ends(status);
    page.text
}

impl Page {
    fn head(&mut self, deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) {
        let spec = &deployment.spec;
        self.field("Deployment", deployment.name());
        self.field("Group", &spec.deployment_group_ref.name);
        let creator = status.creator.map(|c| format!("by {c}, ")).unwrap_or_default();
        let created = age(deployment.metadata.creation_timestamp.as_ref(), now);
        let phase = self.look.phase(deployment.phase(), 0);
        self.field("Phase", &format!("{phase}  ({creator}age {created})"));
        self.sentence("Description", spec.description.as_deref().unwrap_or_default());
        if let Some(revision) = &status.revision {
            self.field("Revision", &revision.to_string());
        }
        let used = status.resolved.as_ref().map(|r| &r.deployment_config_name);
        if let Some(config) = used.or(spec.deployment_config_name.as_ref()) {
            self.field("Config", config);
        }
        if let Some(of) =
            status.rollback_info.as_ref().and_then(|r| r.rollback_triggering_deployment.as_ref())
        {
            self.field("Rollback of", of);
        }
    }

    fn listens_and_waits(&mut self, service: &ResolvedService, status: &DeploymentStatus, now: Timestamp) {
        if let Some(test) = service::test_listener(service, status) {
            self.field("Test", &test);
        }
        if let Some((label, value)) = service::wait(service, status, now) {
            self.field(label, &value);
        }
    }

    fn ends(&mut self, status: &DeploymentStatus) {
        self.sentence("Message", without_count_down(&status.message));
        if let Some(stop) = &status.stop {
            self.sentence("Stop", &format!("{:?}: {}", stop.status, stop.message));
        }
        if let Some(error) = &status.error_information {
            let repeats = status.message.contains(&error.message);
            let more = if repeats { String::new() } else { format!(": {}", error.message) };
            self.sentence("Error", &format!("{}{more}", error.code));
        }
        if let Some(rollback) = &status.rollback_info {
            self.sentence("Rollback", &followed_by(rollback));
        }
    }
}

fn followed_by(rollback: &RollbackInfo) -> String {
    let by = rollback.rollback_deployment.as_deref().unwrap_or_default();
    [by, &rollback.rollback_message].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ")
}

/// `in 42s`, counted here: the API server is not asked for it.
fn next_step(traffic: &Traffic, has_ended: bool, now: Timestamp) -> Option<String> {
    let left = traffic.next_step_time.filter(|_| !has_ended)?.duration_since(now);
    Some(if left.is_positive() { format!("in {}", length(whole_seconds(left))) } else { "due now".into() })
}

/// Rounded up: what has begun its last second is not over.
pub(super) fn whole_seconds(left: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(left.as_secs() + i64::from(left.subsec_nanos() > 0))
}

/// The message without the count-down that was true when it was written.
pub(super) fn without_count_down(message: &str) -> &str {
    message.split_once("; next step in ").map_or(message, |(head, _)| head)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_deployment_under_way_shows_events_traffic_and_the_next_step() {
        insta::assert_snapshot!(frame(&fixture::shifting(), &Hosts::new(), Look::PLAIN, fixture::now()), @r"
        Deployment   hello-prod-7f3k2
        Group        hello-prod
        Phase        InProgress  (by User, age 5m)
        Description  the new greeting
        Revision     hello version 2 (sha256:0123456789ab)

        EVENT                STATUS       START      DURATION
        BeforeAllowTraffic   Succeeded    12:00:01Z  2s
        AllowTraffic         InProgress   12:00:03Z  4m57s
        AfterAllowTraffic    Pending

        Traffic      hello-1 ██████████░░░░ 70 % | hello-2 30 %
        Next step    in 42s
        Message      traffic 30 % on hello-2
        ");
    }

    #[test]
    fn a_failed_deployment_shows_what_the_hook_said_and_the_rollback() {
        let narrow = Look { width: 60, ..Look::PLAIN };
        insta::assert_snapshot!(frame(&fixture::failed(), &Hosts::new(), narrow, fixture::now()), @r"
        Deployment   hello-prod-7f3k2
        Group        hello-prod
        Phase        Failed  (by DesiredRevision, age 5m)
        Description  the new greeting
        Revision     hello version 2 (sha256:0123456789ab)

        EVENT                STATUS       START      DURATION
        BeforeAllowTraffic   Succeeded    12:00:01Z  2s
        AllowTraffic         Succeeded    12:00:03Z  3m
        AfterAllowTraffic    Failed       12:03:03Z  58s
                     ScriptFailed: web-probe: exit code 1
                     GET / 200
                     GET /cart 500

        Traffic      hello-1 ░░░░░░░░░░░░░░ 0 % | hello-2 100 %
        Message      AfterAllowTraffic failed: web-probe said 3 of 5
                     pages are broken
        Error        LifecycleEventHookFailed
        Rollback     hello-prod-7f3k2-rollback: DeploymentFailure
        ");
    }

    #[test]
    fn a_service_deployment_shows_eight_events_and_its_two_sides() {
        insta::assert_snapshot!(frame(&fixture::service_shifting(), &Hosts::new(), Look::PLAIN, fixture::now()), @r"
        Deployment   web-2
        Group        web-prod
        Phase        InProgress  (by User, age 5m)
        Revision     PodTemplate web-2 (sha256:0123456789ab)
        Config       web-canary

        EVENT                   STATUS       START      DURATION
        BeforeInstall           Succeeded    12:04:00Z  1s
        Install                 Succeeded    12:04:01Z  1s
        AfterInstall            Succeeded    12:04:02Z  1s
        AllowTestTraffic        Succeeded    12:04:03Z  1s
        AfterAllowTestTraffic   Succeeded    12:04:04Z  1s
        BeforeAllowTraffic      Succeeded    12:04:05Z  1s
        AllowTraffic            InProgress   12:04:06Z  54s
        AfterAllowTraffic       Pending

        SIDE          TARGET GROUP   TASK SET            TASK DEFINITION   TRAFFIC
        original      web            web-prod-0a1b2c3d   web-1             80 %
        replacement   web-b          web-prod-4e5f6a7b   web-2             20 %

        Traffic      web ███████████░░░ 80 % | web-b 20 %
        Next step    in 4m49s
        Test         HTTPRoute web-test sends to web-b
        Message      80 % on web, 20 % on web-b; step 1 of 2; the next one 5m after the gateway has taken it
        ");
    }

    #[test]
    fn the_termination_wait_is_counted_down() {
        let shown = frame(&fixture::service_terminating(), &Hosts::new(), Look::PLAIN, fixture::now());
        insta::assert_snapshot!(shown.split_once("SIDE").unwrap().1, @r"
                  TARGET GROUP   TASK SET            TASK DEFINITION   TRAFFIC
        original      web            web-prod-0a1b2c3d   web-1             0 %
        replacement   web-b          web-prod-4e5f6a7b   web-2             100 %

        Traffic      web ░░░░░░░░░░░░░░ 0 % | web-b 100 %
        Test         HTTPRoute web-test sends to web-b
        Termination  in 4m50s
        Message      all traffic has moved; task set web-prod-0a1b2c3d (PodTemplate web-1) behind Service
                     web stands at full scale until 12:09:50Z, when it is terminated
        ");
    }

    #[test]
    fn a_first_deployment_that_is_held_back_says_by_what_and_for_how_long() {
        let shown = frame(&fixture::service_installing(), &Hosts::new(), Look::PLAIN, fixture::now());
        insta::assert_snapshot!(shown.split_once("SIDE").unwrap().1, @r"
                  TARGET GROUP   TASK SET            TASK DEFINITION   TRAFFIC
        replacement   web            web-prod-4e5f6a7b   web-2             100 %

        Traffic      web ██████████████ 100 %
        Test         HTTPRoute web-test, not moved yet
        Gives up     in 56m
        Message      Install: container web of pod web-prod-4e5f6a7b-x cannot pull its image web:2 (kubectl
                     describe pod web-prod-4e5f6a7b-x tells why); task set web-prod-4e5f6a7b (PodTemplate
                     web-2) behind Service web waits for its 3 pods to be ready, at most 1h
        ");
    }

    #[test]
    fn a_deployment_that_nobody_looked_at_yet_is_created() {
        insta::assert_snapshot!(frame(&fixture::created(), &Hosts::new(), Look::PLAIN, fixture::now()), @r"
        Deployment   hello-prod-7f3k2
        Group        hello-prod
        Phase        Created  (age 5m)
        Description  the new greeting
        ");
    }

    #[test]
    fn a_step_that_is_late_is_due_and_an_ended_deployment_has_none() {
        let status = fixture::shifting().status.unwrap();
        let traffic = status.traffic.unwrap();
        let due = traffic.next_step_time.unwrap();
        assert_eq!(next_step(&traffic, false, due).as_deref(), Some("due now"));
        let just_before = due - SignedDuration::from_millis(1);
        assert_eq!(next_step(&traffic, false, just_before).as_deref(), Some("in 1s"));
        assert_eq!(next_step(&traffic, true, fixture::now()), None);
    }
}
