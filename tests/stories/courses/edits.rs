//! Somebody else's hand on the route, and what a Deployment refuses or waits for.

use serde_json::{Value, json};

use super::stops::has_share;
use crate::checks;
use crate::manifests::{app_spec, deployment, group, service, workload};
use crate::story::{DEPLOYMENT, GROUP, ROUTE, Story, WORKLOAD};

/// Sets the weights of the first two backendRefs of every rule.
pub async fn weigh(story: &Story, weights: [i64; 2]) {
    let operation = |rule: usize, backend: usize| json!({"op": "add", "path": format!("/spec/rules/{rule}/backendRefs/{backend}/weight"), "value": weights[backend]});
    story
        .edit(ROUTE, "hello", json!([operation(0, 0), operation(0, 1), operation(1, 0), operation(1, 1)]))
        .await;
}

/// A filter that a human adds survives; weights that a human sets are named and not fought over; put right, the shift goes on.
pub async fn human_edits(mut story: Story) {
    story.apply(&group("slow-linear", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 20).await;
    let filter = json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-human", "value": "was here"}]}});
    story
        .edit(ROUTE, "hello", json!([{"op": "add", "path": "/spec/rules/1/filters/-", "value": filter}]))
        .await;
    story.remember_route().await;
    has_share(&story, "hello-2", 40).await;
    weigh(&story, [45, 55]).await;
    let is_held = |d: &Value| checks::reason(d) == "WeightsChanged";
    let held = story.until(DEPLOYMENT, "to-2", "the change is named", is_held).await;
    assert_eq!(held["status"]["waiting"]["reason"], "WeightsChanged");
    let message = held["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("45 % on hello-1, 55 % on hello-2"), "{message}");
    let span = story.measure(5).await;
    let still = story.get(DEPLOYMENT, "to-2").await;
    assert_eq!(checks::weights(&still), checks::weights(&held), "nothing moves meanwhile");
    let left = held["status"]["traffic"]["replacement"]["weight"].as_i64().expect("a weight");
    weigh(&story, [100 - left, left]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    let events = story.events(DEPLOYMENT, "to-2").await;
    assert!(events.iter().any(|e| e["reason"] == "WeightsChanged" && e["type"] == "Warning"), "{events:?}");
    let load = story.end(Some(2)).await;
    load.share_is(2, 55, span);
}

/// The target's Service is missing: named; when it comes, with pods, the deployment goes on by itself.
pub async fn missing_service(mut story: Story) {
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.apply(&deployment("to-3", &app_spec(Some(1), 3, &[]), "")).await;
    let says = |reason: &'static str| move |d: &Value| checks::reason(d) == reason;
    let waiting =
        story.until(DEPLOYMENT, "to-3", "it names the missing Service", says("ServiceMissing")).await;
    let message = waiting["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("there is no Service hello-3"), "{message}");
    assert_eq!(checks::conditions(&waiting), [("Ready", "False"), ("Reconciling", "True")]);
    story.apply(&service(3)).await;
    story.until(DEPLOYMENT, "to-3", "it names the missing endpoints", says("NoReadyEndpoints")).await;
    let untouched = story.get(ROUTE, "hello").await;
    assert_eq!(untouched["metadata"]["generation"], 1, "the route is untouched");
    story.apply(&workload(3)).await;
    let deployed = story.phase("to-3", "Succeeded").await;
    checks::steps_are(&deployed, &[100]);
    story.end(Some(3)).await;
}

async fn is_refused(story: &Story, name: &str, words: &str) {
    let failed = story.phase(name, "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidFunctionConfiguration");
    let message = failed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{message}");
    assert_eq!(checks::weights(&failed), [0_i64; 0]);
    assert!(failed["status"]["rollbackInfo"].get("rollbackDeployment").is_none(), "nothing to roll back");
}

/// CurrentVersion is not what the alias serves: refused before anything moves.
pub async fn mismatch(mut story: Story) {
    story.apply(&group("canary", crate::manifests::ROLLS_BACK)).await;
    story.apply(&deployment("to-2", &app_spec(Some(3), 2, &[]), "")).await;
    is_refused(&story, "to-2", "CurrentVersion is 3, but alias live serves version 1").await;
    assert_eq!(story.get(ROUTE, "hello").await["metadata"]["generation"], 1);
    story.end(Some(1)).await;
}

/// An alias that is split has no current version; when one version has all of the weight again, deployments work again.
pub async fn split_alias(mut story: Story) {
    let second = |rule: usize| json!({"op": "add", "path": format!("/spec/rules/{rule}/backendRefs/-"), "value": {"name": "hello-2", "port": 80, "weight": 1}});
    story.edit(ROUTE, "hello", json!([second(0), second(1)])).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.apply(&deployment("refused", &app_spec(None, 2, &[]), "")).await;
    is_refused(&story, "refused", "alias live is split between versions 1 (weight 1) and 2 (weight 1)").await;
    weigh(&story, [1, 0]).await;
    story.apply(&deployment("to-2", &app_spec(None, 2, &[]), "")).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[100]);
    story.end(Some(2)).await;
}

/// A third backend keeps its fifth of the traffic throughout.
pub async fn third_backend(mut story: Story) {
    let other = service(3).replace("name: hello-3", "name: other");
    story.apply(&(workload(3) + &other)).await;
    story.await_version(3).await;
    let third = |rule: usize| {
        let refs = json!([{"name": "hello-1", "port": 80, "weight": 160}, {"name": "other", "port": 80, "weight": 40}]);
        json!({"op": "replace", "path": format!("/spec/rules/{rule}/backendRefs"), "value": refs})
    };
    story.edit(ROUTE, "hello", json!([third(0), third(1)])).await;
    story.remember_route().await;
    has_share(&story, "other", 20).await;
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    let steps = checks::steps(&deployed);
    let span = (steps[0].served.expect("served") + crate::load::LAG, steps[1].time);
    let (after, _) = story.measure(0).await;
    let load = story.end(None).await;
    assert!(load.share_is(3, 20, span) >= 100, "too few requests");
    load.share_is(2, 20, span);
    load.share_is(1, 60, span);
    load.share_is(3, 20, (after + crate::load::LAG, jiff::Timestamp::now()));
    load.share_is(2, 80, (after + crate::load::LAG, jiff::Timestamp::now()));
    assert_eq!(story.record.shares("other").last(), Some(&20));
    assert_eq!(story.record.shares("hello-2"), [0, 20, 80]);
}

/// Git sets the route back to a version that is gone: put right once, and named; a second time it is only named.
pub async fn route_reset(mut story: Story) {
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    story.phase("to-2", "Succeeded").await;
    let is_told = |g: &Value| g["status"]["lastSuccessfulDeployment"]["name"] == "to-2";
    story.until(GROUP, "hello", "it knows its last success", is_told).await;
    // The drain that docs/function.md asks for: a gateway says that it has accepted a route before it serves it.
    story.measure(5).await;
    story.patch(WORKLOAD, "hello-1", &json!({"spec": {"replicas": 0}})).await;
    story
        .until(WORKLOAD, "hello-1", "its pods are gone", |w| w["status"].get("readyReplicas").is_none())
        .await;
    // From here to the restoration the gateway has nobody to ask: no load can be without loss.
    story.pause_load().await;
    story.apply(&crate::manifests::route(&story.host)).await;
    has_share(&story, "hello-2", 100).await;
    story.resume_load().await;
    let is_noted = |g: &Value| g["status"]["routeRestored"]["route"] == "hello";
    let group = story.until(GROUP, "hello", "it noted the restoration", is_noted).await;
    assert_eq!(group["status"]["routeRestored"]["deployment"], "to-2");
    let is_ready = |g: &Value| checks::conditions(g) == [("Ready", "True")];
    story.until(GROUP, "hello", "it is ready again", is_ready).await;
    let events = story.events(GROUP, "hello").await;
    assert!(events.iter().any(|e| e["reason"] == "RouteRestored"), "{events:?}");
    story.pause_load().await;
    story.apply(&crate::manifests::route(&story.host)).await;
    let is_named = |g: &Value| checks::reason(g) == "RouteDrifted";
    let group = story.until(GROUP, "hello", "the second time is named", is_named).await;
    assert_eq!(checks::conditions(&group), [("Ready", "False"), ("Stalled", "True")]);
    let rule = |n: usize| json!({"op": "replace", "path": format!("/spec/rules/{n}/backendRefs/0/name"), "value": "hello-2"});
    story.edit(ROUTE, "hello", json!([rule(0), rule(1)])).await;
    story.until(GROUP, "hello", "it is ready again", is_ready).await;
    story.resume_load().await;
    story.end(Some(2)).await;
}

/// What `kubectl get sluice` shows can be read.
pub async fn reads_well(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    let look = || crate::cluster::kubectl(&["-n", &story.namespace, "get", "sluice"]);
    let during = look();
    let line =
        |table: &str, of: &str| table.lines().find(|l| l.starts_with(of)).unwrap_or_default().to_owned();
    let row = line(&during, "deployment.sluice.dev/to-2");
    for word in
        [" hello ", "InProgress", "User", "hello-1 75 / hello-2 25", "75 % on hello-1, 25 % on hello-2"]
    {
        assert!(row.contains(word), "{word} in {during}");
    }
    let row = line(&during, "deploymentgroup.sluice.dev/hello");
    assert!(row.contains("Deploying") && row.contains("to-2"), "{during}");
    story.phase("to-2", "Succeeded").await;
    story.until(GROUP, "hello", "it is ready again", |g| g["status"]["phase"] == "Ready").await;
    let after = look();
    let row = line(&after, "deployment.sluice.dev/to-2");
    for word in
        ["Succeeded", "hello-1 0 / hello-2 100", "version 2 of hello serves all traffic of alias live"]
    {
        assert!(row.contains(word), "{word} in {after}");
    }
    for kind in [
        "application.sluice.dev/shop",
        "deploymentconfig.sluice.dev/canary",
        "deploymentgroup.sluice.dev/hello",
    ] {
        assert!(after.contains(kind), "{kind} in {after}");
    }
    for headline in after.lines().filter(|l| l.starts_with("NAME")) {
        assert!(headline.contains("AGE"), "{headline}");
    }
    story.end(Some(2)).await;
}
