//! Assignments are carried out as far as they say, in order, and told with few writes.

use serde_json::{Value, json};
use sluice::source::sealing;

use super::agent::{COURSE, Host, assignment, events, uid_of, with, with_host};
use super::bundles::{COMMIT, Store};
use crate::server::{audit, eventually};

fn note(host: &Host) -> String {
    format!("echo $DEPLOYMENT_ID $LIFECYCLE_EVENT >> {}", host.path("notes").display())
}

fn all(status: &str) -> Vec<String> {
    COURSE.iter().map(|event| format!("{event} {status}")).collect()
}

#[test]
fn an_assignment_is_carried_out_and_what_is_installed_is_told() {
    with_host(|host| async move {
        let store = Store::start().await;
        let hooks = [("ApplicationStop", note(&host)), ("ValidateService", note(&host))];
        let revision = store.bundle(&hooks);
        host.assign(&[assignment("one", &revision)]).await;
        assert_eq!(host.until_ended("one", "Succeeded").await, all("Succeeded"));
        let status = json!(host.instance().await.status);
        let web = &status["assignments"][0];
        assert_eq!((&web["event"], &web["bundleDigest"]), (&json!("ValidateService"), &revision["digest"]));
        assert!(web["events"][6]["startTime"].as_str() <= web["events"][6]["endTime"].as_str(), "{web:#}");
        let installed = &status["installed"][0];
        assert_eq!(
            (&installed["deployment"], &installed["deploymentUid"]),
            (&json!("one"), &json!("one-uid"))
        );
        assert_eq!(installed["revision"], revision);
        assert_eq!(host.read("notes"), "one ValidateService\n");
        host.assign(&[assignment("two", &revision)]).await;
        host.until_ended("two", "Succeeded").await;
        assert_eq!(host.read("notes"), "one ValidateService\ntwo ApplicationStop\ntwo ValidateService\n");
        assert_eq!(store.asked(), 1, "the second time the bundle is here");
    });
}

#[test]
fn a_restart_uses_what_is_on_the_host() {
    with_host(|host| async move {
        let store = Store::start().await;
        let revision = store.bundle(&[("ApplicationStart", note(&host))]);
        host.assign(&[assignment("one", &revision)]).await;
        host.until_ended("one", "Succeeded").await;
        std::fs::remove_dir_all(host.path("root/sluice/bundles")).unwrap();
        host.assign(&[with(assignment("two", &revision), json!({"restart": true}))]).await;
        host.until_ended("two", "Succeeded").await;
        assert_eq!(host.read("notes"), "one ApplicationStart\ntwo ApplicationStart\n");
        assert_eq!(store.asked(), 1);
        let status = json!(host.instance().await.status);
        assert_eq!(status["assignments"][0]["bundleDigest"], revision["digest"]);
        host.assign(&[assignment("three", &revision)]).await;
        host.until_ended("three", "Succeeded").await;
        assert_eq!(store.asked(), 2, "another deployment than a restart fetches what is not kept");
    });
}

#[test]
fn a_quick_course_costs_two_writes_of_the_status() {
    with_host(|host| async move {
        let agent = format!("system:serviceaccount:{}:sluice-agent-web-1", host.namespace);
        let writes = |user: &str| {
            let of_status = |entry: &Value| {
                entry["objectRef"]["subresource"] == "status" && entry["stage"] == "ResponseComplete"
            };
            audit(user).iter().filter(|entry| of_status(entry)).count()
        };
        eventually("the agent speaks of itself", || async { (writes(&agent) == 1).then_some(()) }).await;
        let store = Store::start().await;
        host.assign(&[assignment("one", &store.bundle(&[("AfterInstall", note(&host))]))]).await;
        host.until_ended("one", "Succeeded").await;
        eventually("the audit log has it", || async { (writes(&agent) >= 2).then_some(()) }).await;
        let written = writes(&agent);
        assert!(
            written <= 3,
            "{written} writes of the status: one of its own, at most two of the deployment"
        );
    });
}

#[test]
fn a_course_goes_as_far_as_it_is_told_and_waits() {
    with_host(|host| async move {
        let store = Store::start().await;
        let course = [
            &["BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"],
            &COURSE[..],
            &["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"],
        ]
        .concat();
        let hooks = [("BeforeAllowTraffic", note(&host)), ("AfterAllowTraffic", note(&host))];
        let whole = with(assignment("one", &store.bundle(&hooks)), json!({"course": course}));
        let ran = |through: &str, count: usize| {
            let assigned = with(whole.clone(), json!({"runThrough": through}));
            let host = &host;
            async move {
                host.assign(&[assigned]).await;
                let is_there = |a: &Value| {
                    a["status"] == "InProgress"
                        && events(a).len() == count
                        && events(a).iter().all(|e| e.ends_with("Succeeded"))
                };
                host.until(&format!("{count} events"), is_there).await
            }
        };
        let first = ran("BeforeBlockTraffic", 1).await;
        assert_eq!(first["event"], "BeforeBlockTraffic");
        ran("BeforeAllowTraffic", 10).await;
        assert_eq!(host.read("notes"), "one BeforeAllowTraffic\n");
        host.assign(&[with(whole, json!({"runThrough": "AfterAllowTraffic"}))]).await;
        assert_eq!(host.until_ended("one", "Succeeded").await.len(), 11);
        assert_eq!(host.read("notes"), "one BeforeAllowTraffic\none AfterAllowTraffic\n");
    });
}

#[test]
fn a_failure_is_told_with_what_the_script_said() {
    with_host(|host| async move {
        let store = Store::start().await;
        let revision = store.bundle(&[("AfterInstall", "echo no luck; exit 3".into())]);
        host.assign(&[assignment("one", &revision)]).await;
        let events = host.until_ended("one", "Failed").await;
        assert_eq!(
            events[4..],
            ["AfterInstall Failed", "ApplicationStart Skipped", "ValidateService Skipped"]
        );
        let status = json!(host.instance().await.status);
        let said = &status["assignments"][0]["events"][4]["diagnostics"];
        assert_eq!(
            (&said["errorCode"], &said["scriptName"]),
            (&json!("ScriptFailed"), &json!("ops/AfterInstall.sh"))
        );
        assert!(said["logTail"].as_str().unwrap().contains("[stdout]no luck\n"), "{said:#}");
        assert!(status["installed"].is_null(), "{status:#}");
        assert_eq!(
            status["standing"][0]["deployment"], "one",
            "its files lie there all the same: {status:#}"
        );
    });
}

#[test]
fn a_stop_lets_the_running_event_end_and_starts_none() {
    with_host(|host| async move {
        let store = Store::start().await;
        let slow = format!(
            "echo began > {0}/began; while [ ! -e {0}/go ]; do sleep 0.1; done",
            host.path("").display()
        );
        let one = assignment("one", &store.bundle(&[("BeforeInstall", slow), ("AfterInstall", note(&host))]));
        host.assign(std::slice::from_ref(&one)).await;
        eventually("the script runs", || async { (!host.read("began").is_empty()).then_some(()) }).await;
        host.assign(&[with(one, json!({"stop": true}))]).await;
        host.until("it runs", |a| events(a).last().is_some_and(|e| e == "BeforeInstall InProgress")).await;
        std::fs::write(host.path("go"), "").unwrap();
        let events = host.until_ended("one", "Skipped").await;
        assert_eq!(events[2..4], ["BeforeInstall Succeeded", "Install Skipped"]);
        assert_eq!(host.read("notes"), "");
    });
}

#[test]
fn groups_take_turns_in_the_order_in_which_they_were_assigned() {
    with_host(|host| async move {
        let store = Store::start().await;
        let gate = |name: &str| {
            format!("{}; while [ ! -e {} ]; do sleep 0.1; done", note(&host), host.path(name).display())
        };
        let first = with(
            assignment("one", &store.bundle(&[("AfterInstall", gate("go"))])),
            json!({"deploymentGroup": "api", "deploymentGroupId": "api-id"}),
        );
        let second = assignment("two", &store.bundle(&[("AfterInstall", note(&host))]));
        host.assign(&[first.clone(), second.clone()]).await;
        let waiting = host.until("it waits", |a| a["status"] == "Pending").await;
        assert!(waiting["message"].as_str().unwrap().contains("waits for Deployment one"), "{waiting:#}");
        eventually("the first runs", || async { (!host.read("notes").is_empty()).then_some(()) }).await;
        std::fs::write(host.path("go"), "").unwrap();
        host.until_ended("two", "Succeeded").await;
        assert_eq!(host.read("notes"), "one AfterInstall\ntwo AfterInstall\n");
        assert_eq!(host.instance().await.status.unwrap().installed.len(), 2);
    });
}

#[test]
fn a_stop_of_one_that_waits_for_its_turn_need_not_wait() {
    with_host(|host| async move {
        let store = Store::start().await;
        let first = with(
            assignment("one", &store.bundle(&[])),
            json!({"deploymentGroup": "api", "deploymentGroupId": "api-id", "runThrough": "DownloadBundle"}),
        );
        let second = assignment("two", &store.bundle(&[]));
        host.assign(&[first.clone(), second.clone()]).await;
        host.until("it waits", |a| a["status"] == "Pending").await;
        host.assign(&[first, with(second, json!({"stop": true}))]).await;
        assert_eq!(host.until_ended("two", "Skipped").await, all("Skipped"));
    });
}

#[test]
fn a_later_deployment_of_the_group_takes_the_earlier_ones_place() {
    with_host(|host| async move {
        let store = Store::start().await;
        let one = with(assignment("one", &store.bundle(&[])), json!({"runThrough": "DownloadBundle"}));
        host.assign(&[one]).await;
        host.until("it waits", |a| events(a).len() == 2 && a["events"][1]["status"] == "Succeeded").await;
        host.assign(&[assignment("two", &store.bundle(&[]))]).await;
        host.until_ended("two", "Succeeded").await;
    });
}

#[test]
fn credentials_that_are_sealed_to_the_host_open_its_source() {
    with_host(|host| async move {
        let store = Store::start().await;
        let revision = store.commit(&[(
            "ValidateService",
            format!("echo $BUNDLE_COMMIT > {}", host.path("commit").display()),
        )]);
        let key = eventually("the host's key", || async {
            let agent = host.instance().await.status?.agent?;
            (!agent.sealing_key.is_empty()).then_some(agent.sealing_key)
        })
        .await;
        let bound_to = sealing::binding(&uid_of(&host).await, "one-uid");
        let sealed = sealing::seal(&key, &bound_to, br#"{"token":"t0k3n"}"#).expect("sealed");
        host.assign(&[with(assignment("one", &revision), json!({"sealedCredentials": sealed}))]).await;
        host.until_ended("one", "Succeeded").await;
        assert_eq!(host.read("commit").trim(), COMMIT);
        assert!(!host.log().contains("t0k3n"));
        let other = sealing::seal(&key, &sealing::binding("another", "two-uid"), br#"{"token":"t0k3n"}"#);
        let commit =
            with(assignment("two", &store.commit(&[])), json!({"sealedCredentials": other.expect("sealed")}));
        std::fs::remove_dir_all(host.path("root/sluice/bundles")).unwrap();
        host.assign(&[commit]).await;
        host.until_ended("two", "Failed").await;
        let status = json!(host.instance().await.status);
        let said =
            status["assignments"][0]["events"][1]["diagnostics"]["message"].as_str().unwrap().to_owned();
        assert!(said.starts_with("SealingFailed"), "{said}");
    });
}
