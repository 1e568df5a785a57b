//! LifecycleHooks that cannot be used yet: what they say, and that they go on when the cause goes.

use std::process::Command;

use serde_json::{Value, json};

use super::callee::Callee;
use super::kstatus::{KStatus, kstatus};
use super::parts;
use super::world::{SLOW, World, condition, in_world, message, split, untouched, weights};
use crate::server::{eventually, kubectl, stdout_of};

#[test]
fn a_job_template_that_the_api_server_refuses_stalls_its_hook_until_it_is_corrected() {
    in_world(|world| async move {
        world.apply(&parts::job_hook("check", "")).await;
        let stalled = |h: &Value| condition(h, "Stalled") == ("True", "InvalidJobTemplate");
        let refused = world.until("LifecycleHook", "check", "Stalled", stalled).await;
        let says = refused["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
        assert!(says.contains("image") && says.contains("correct it"), "{says}");
        assert_eq!(kstatus(&refused), KStatus::Failed);
        world.apply(&parts::job_hook("check", "probe:1")).await;
        let ready = |h: &Value| condition(h, "Ready") == ("True", "Valid");
        let good = world.until("LifecycleHook", "check", "Ready", ready).await;
        assert_eq!(kstatus(&good), KStatus::Current);
    });
}

#[test]
fn a_template_that_is_no_job_at_all_is_named_in_the_words_of_whoever_read_it() {
    in_world(|world| async move {
        let template = json!({"spec": {"template": {"spec": {"containers": "none"}}}});
        world.apply(&parts::manifest("LifecycleHook", "check", json!({"job": {"template": template}}))).await;
        let stalled = |h: &Value| condition(h, "Stalled") == ("True", "InvalidJobTemplate");
        world.until("LifecycleHook", "check", "Stalled", stalled).await;
    });
}

#[test]
fn a_secret_that_was_not_granted_is_named_with_the_very_command_that_grants_it() {
    in_world(|world| async move {
        let callee = Callee::start(200, r#"{"status": "Succeeded"}"#).await;
        world.prepare("hello", json!({})).await;
        let data = json!({"authorization": "Bearer open sesame"});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}, "stringData": data});
        world.apply(&secret).await;
        world.apply(&parts::http_hook("check", &callee.url, Some("probe"))).await;
        let revision = parts::revision("hello", "2", &[("BeforeAllowTraffic", "check")]);
        world.create(parts::deployment("first", "hello", revision, json!({}))).await;
        let named = |d: &Value| condition(d, "Reconciling") == ("True", "SecretNotGranted");
        let waiting = world.until("Deployment", "first", "SecretNotGranted", named).await;
        assert!(callee.calls().is_empty(), "it is not called without its headers");
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), untouched("hello"));
        let (_, command) = message(&waiting).split_once("grant it: ").expect("the command");
        let file = kubectl("default", &["config", "view", "--raw"]);
        let folder = crate::server::folder(&format!("{}-admin", world.namespace));
        std::fs::write(folder.join("kubeconfig"), file).expect("written");
        stdout_of(Command::new("bash").args(["-c", command]).env("KUBECONFIG", folder.join("kubeconfig")));
        world.until_settled("first", "Succeeded").await;
        let calls = callee.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        let (headers, body) = &calls[0];
        assert!(headers.contains(&("authorization".into(), "Bearer open sesame".into())), "{headers:?}");
        assert_eq!(body["DeploymentId"], "first");
        let refused = world.answered(403);
        assert!(refused.iter().all(|what| what == "get secrets probe") && !refused.is_empty(), "{refused:?}");
    });
}

#[test]
fn a_later_answer_is_taken_from_the_spec_and_a_wrong_status_fails() {
    in_world(|world| async move {
        let callee = Callee::start(202, "").await;
        world.prepare("hello", json!({})).await;
        world.apply(&parts::http_hook("later", &callee.url, None)).await;
        let revision = parts::revision("hello", "2", &[("AfterAllowTraffic", "later")]);
        world.create(parts::deployment("first", "hello", revision, json!({}))).await;
        let asked = |d: &Value| d["status"]["lifecycleEvents"][2]["executionId"].is_string();
        let running = world.until("Deployment", "first", "the hook's execution", asked).await;
        let id = &running["status"]["lifecycleEvents"][2]["executionId"];
        let results = json!([{"executionId": id, "status": "Succeeded", "message": "looks well"}]);
        world.merge("Deployment", "first", json!({"spec": {"hookResults": results}})).await;
        let done = world.until_settled("first", "Succeeded").await;
        assert_eq!(done["status"]["lifecycleEvents"][2]["diagnostics"]["message"], "looks well");

        callee.answer(400, "no");
        let revision = parts::revision("hello", "1", &[("BeforeAllowTraffic", "later")]);
        world.create(parts::deployment("second", "hello", revision, json!({}))).await;
        let failed = world.until_settled("second", "Failed").await;
        assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
    });
}

/// Starts a slow deployment of a function whose first hook, of the function's name, answers 503; waits for the first call.
async fn start_busy(world: &World, function: &str) -> (Callee, String) {
    let callee = Callee::start(503, "busy").await;
    world.prepare(function, json!({})).await;
    world.apply(&parts::http_hook(function, &callee.url, None)).await;
    let revision = parts::revision(function, "2", &[("BeforeAllowTraffic", function)]);
    let more = json!({"deploymentConfigName": SLOW});
    let made = world.create(parts::deployment(function, function, revision, more)).await;
    eventually("the hook is called", || async { (!callee.calls().is_empty()).then_some(()) }).await;
    let uid = made["metadata"]["uid"].as_str().expect("a uid");
    let before = sluice::api::EventName::BeforeAllowTraffic;
    (callee, sluice::engine::hooks::execution_id(uid, before, function))
}

#[test]
fn a_hook_is_not_called_any_more_once_its_event_is_over() {
    in_world(|world| async move {
        let (answered, id) = start_busy(&world, "hello").await;
        let answer = json!({"executionId": id, "status": "Succeeded", "message": "seen by a person"});
        world.merge("Deployment", "hello", json!({"spec": {"hookResults": [answer]}})).await;
        let moved = |r: &Value| weights(r) == split("hello", 90, 10);
        world.until("HTTPRoute", "hello", "traffic moves", moved).await;
        let calls = answered.calls().len();
        // Somebody who is called from now on tells how much time has passed: the first one's turn would have come.
        let (busy, _) = start_busy(&world, "other").await;
        eventually("the other one is called again and again", || async {
            (busy.calls().len() >= 5).then_some(())
        })
        .await;
        assert_eq!(answered.calls().len(), calls, "nobody awaits its answer");
    });
}
