//! Rarer courses: a Secret that is not granted, a gateway that falls silent, two groups on one route, history, a stop in the queue.

use std::process::Command;

use serde_json::{Value, json};

use super::stops::has_share;
use crate::checks;
use crate::manifests::{app_spec, deployment, group, http_hook, revision};
use crate::story::{DEPLOYMENT, GROUP, ROUTE, Story};

/// A hook's headers come from a Secret: without the right to read it the object says which command grants it; that command does.
pub async fn secret(mut story: Story) {
    story.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: probe-auth}\nstringData: {Authorization: Bearer xyz}").await;
    let hook = http_hook("check", "succeed", "2m");
    story
        .apply(
            &hook.replace("/hook/succeed\"", "/hook/succeed\", headersFrom: {secretRef: {name: probe-auth}}"),
        )
        .await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[("BeforeAllowTraffic", "check")]), "")).await;
    let says = |d: &Value| checks::reason(d) == "SecretNotGranted";
    let waiting = story.until(DEPLOYMENT, "to-2", "it asks for the right", says).await;
    let message = waiting["status"]["message"].as_str().unwrap_or_default();
    let command = message.find("kubectl create role").map(|at| &message[at..]).expect("the command");
    let granted = Command::new("bash").args(["-c", command]).output().expect("bash");
    assert!(granted.status.success(), "{command}: {}", String::from_utf8_lossy(&granted.stderr));
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::course_is(&deployed, ["Succeeded"; 3]);
    story.end(Some(2)).await;
}

/// The route turns to a gateway that is not there: the next step waits, and says for what; turned back, the shift goes on.
pub async fn gateway_silent(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.pause_load().await;
    let parent = |name: &str| json!([{"op": "replace", "path": "/spec/parentRefs/0/name", "value": name}]);
    story.edit(ROUTE, "hello", parent("nobody")).await;
    let says = |d: &Value| checks::reason(d) == "GatewaySilent";
    let silent = story.until(DEPLOYMENT, "to-2", "it names the silence", says).await;
    assert_eq!(checks::weights(&silent), [25]);
    story.edit(ROUTE, "hello", parent("sluice-demo")).await;
    story.resume_load().await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
}

/// A second group on the same route: while the first one's shift has the alias split, the second one's Deployment is refused.
pub async fn two_groups(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&group("canary", "").replace("metadata: {name: hello}", "metadata: {name: second}")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    let other = deployment("other", &app_spec(None, 1, &[]), "");
    story
        .apply(&other.replace("deploymentGroupRef: {name: hello}", "deploymentGroupRef: {name: second}"))
        .await;
    let refused = story.phase("other", "Failed").await;
    assert_eq!(refused["status"]["errorInformation"]["code"], "InvalidFunctionConfiguration");
    let message = refused["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("is split between versions"), "{message}");
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
    assert_eq!(story.record.shares("hello-2"), [0, 25, 100]);
}

/// Of what the group made itself the history keeps as many as it should, and the last success always.
pub async fn history(mut story: Story) {
    let mut made: Vec<String> = vec![];
    for version in [2, 1, 2] {
        let more =
            format!("  revisionHistoryLimit: 1\n  revision: {}", revision(&app_spec(None, version, &[])));
        story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", &more)).await;
        let name = |g: &Value| g["status"]["desired"]["deployment"].as_str().unwrap_or_default().to_owned();
        let is_new = |g: &Value| !name(g).is_empty() && !made.contains(&name(g));
        let carrier = name(&story.until(GROUP, "hello", "a new Deployment", is_new).await);
        story.phase(&carrier, "Succeeded").await;
        made.push(carrier);
    }
    story.gone(DEPLOYMENT, &made[0]).await;
    story.gone(DEPLOYMENT, &made[1]).await;
    story.end(Some(2)).await;
    let left: Vec<_> = story.list(DEPLOYMENT).await.iter().map(|d| d["metadata"]["name"].clone()).collect();
    assert_eq!(left, [made[2].as_str()]);
}

/// A Deployment in the queue is stopped at once; the one before it is not touched.
pub async fn stop_in_queue(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.apply(&deployment("back", &app_spec(None, 1, &[]), "")).await;
    story.phase("back", "Queued").await;
    story.plugin(&["stop-deployment", "back"]).await;
    let stopped = story.phase("back", "Stopped").await;
    assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
    assert_eq!(story.get(DEPLOYMENT, "to-2").await["status"]["phase"], "InProgress");
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
}
