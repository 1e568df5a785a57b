//! What somebody gets wrong, or changes meanwhile: each has a reason by name, and no request is lost for it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::stops::{begin_hook, message};
use super::swaps::swapped;
use super::{SERVICE, TASK_SET, begin, task_set, task_set_of};
use crate::checks;
use crate::courses::edits::weigh;
use crate::courses::stops::has_share;
use crate::load::LAG;
use crate::manifests::{deployment, service, workload};
use crate::service_manifests::{SOON, app_spec, group, pod_template};
use crate::story::{DEPLOYMENT, GROUP, Kind, ROUTE, Story};

const QUOTA: Kind = ("v1", "ResourceQuota");

/// The AppSpec names a container that the PodTemplate lacks: refused before anything is made.
pub async fn missing_container(mut story: Story) {
    let before = story.get(ROUTE, "hello").await;
    let spec = app_spec(2, &[]).replace("ContainerName: sample", "ContainerName: sidecar");
    story.apply(&deployment("to-2", &spec, "")).await;
    let failed = story.phase("to-2", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidServiceConfiguration");
    assert_eq!(checks::reason(&failed), "InvalidServiceConfiguration");
    for said in ["PodTemplate web-2 has no container sidecar (it has sample)", "No traffic was moved"] {
        assert!(message(&failed).contains(said), "{}", message(&failed));
    }
    assert_eq!(story.list(TASK_SET).await.len(), 1, "no task set was made");
    let after = story.get(ROUTE, "hello").await;
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"], "the route is untouched");
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// Somebody edits the PodTemplate between the Deployment's start and its Install: the pods are those of its start.
pub async fn template_changed(mut story: Story) {
    let from = Timestamp::now();
    begin_hook(&story, "BeforeInstall", "").await;
    let taken = story.get(DEPLOYMENT, "to-2").await;
    assert_eq!(story.list(TASK_SET).await.len(), 1, "Install is still to come");
    story.apply(&pod_template(2).replace("value: \"2\"", "value: \"9\"")).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    let moved = story.until(DEPLOYMENT, "to-2", "all traffic has moved", waits).await;
    let digest = |d: &Value| d["status"]["resolved"]["service"]["podTemplateDigest"].clone();
    assert!(digest(&taken).is_string(), "{}", taken["status"]["resolved"]);
    assert_eq!(digest(&moved), digest(&taken), "what it runs is what it took");
    let made = story.get(TASK_SET, &task_set_of(&moved)).await;
    let env = &made["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env[0]["value"], "2", "{env}");
    story.plugin(&["continue-deployment", "to-2", "--deployment-wait-type", "TERMINATION_WAIT"]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::service_course_is(&deployed, "Succeeded", &[]);
    let load = story.end_on(Some("hello-b"), Some(2)).await;
    let seen = load.between((from, Timestamp::now()));
    assert!(seen.keys().eq(["1", "2"]), "nobody was answered by what was edited: {seen:?}");
}

/// Another group, with target groups of its own, names the same route: it says so and makes nothing; the older one deploys on.
pub async fn shared_route(mut story: Story) {
    let thief = group("CodeDeployDefault.ECSAllAtOnce", SOON, "")
        .replace("metadata: {name: hello}", "metadata: {name: thief}")
        .replace("[hello-a, hello-b]", "[other-a, other-b]")
        .replace("    testListener: {httpRoute: {name: hello-test}}\n", "");
    story.apply(&thief).await;
    let is_named = |g: &Value| checks::reason(g) == "TargetGroupShared";
    let named = story.until(GROUP, "thief", "it names the other group", is_named).await;
    let words = "HTTPRoute hello is DeploymentGroup hello's already";
    assert!(message(&named).contains(words), "{}", message(&named));
    let stolen = deployment("stolen", &app_spec(2, &[]), "")
        .replace("deploymentGroupRef: {name: hello}", "deploymentGroupRef: {name: thief}");
    story.apply(&stolen).await;
    let waits = |d: &Value| checks::reason(d) == "DeploymentGroupNotReady";
    let waiting = story.until(DEPLOYMENT, "stolen", "it waits", waits).await;
    assert!(message(&waiting).contains(words), "{}", message(&waiting));
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;

    let still = story.get(DEPLOYMENT, "stolen").await;
    assert!(waits(&still) && still["status"].get("resolved").is_none(), "{}", still["status"]);
    let made = story.list(SERVICE).await;
    let is_thiefs = |s: &Value| s["metadata"]["name"].as_str().is_some_and(|n| n.starts_with("other-"));
    assert!(!made.iter().any(is_thiefs), "no target group was made");
    assert_eq!(story.list(TASK_SET).await.len(), 2, "and no task set");
    story.delete(DEPLOYMENT, "stolen").await;
    story.gone(DEPLOYMENT, "stolen").await;
    story.end_on(Some("hello-b"), Some(2)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}

/// A third backend keeps its fifth of the traffic: before the deployment, between its steps, and after it.
pub async fn third_backend(mut story: Story) {
    let other = service(3).replace("name: hello-3", "name: other");
    story.apply(&(workload(3) + &other)).await;
    story.await_version(3).await;
    let third = |rule: usize| {
        let refs = json!([{"name": "hello-a", "port": 80, "weight": 160}, {"name": "other", "port": 80, "weight": 40}]);
        json!({"op": "replace", "path": format!("/spec/rules/{rule}/backendRefs"), "value": refs})
    };
    story.edit(ROUTE, "hello", json!([third(0), third(1)])).await;
    has_share(&story, "other", 20).await;
    story.remember_route().await;
    story.apply(&group("canary", SOON, "")).await;
    let (from, _) = story.measure(4).await;
    begin(&story, &[]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    checks::traffic_is(&deployed, ("hello-a", 0), ("hello-b", 100));
    let after = Timestamp::now();
    let load = story.end_on(Some("hello-b"), None).await;

    let steps = checks::steps(&deployed);
    let before = (from + LAG, steps[0].time);
    let between = (steps[0].served.expect("served") + LAG, steps[1].time);
    let after = (after + LAG, Timestamp::now());
    for (span, shares) in [(before, [80, 0, 20]), (between, [60, 20, 20]), (after, [0, 80, 20])] {
        for (version, percent) in (1..).zip(shares) {
            let told = load.share_is(version, percent, span);
            assert!(told >= 100, "only {told} requests in {span:?}");
        }
    }
    let others = story.record.shares("other");
    assert!(others == [0, 20] || others == [20], "its share is never touched: {others:?}");
    assert_eq!(story.record.shares("hello-b"), [0, 20, 80]);
}

/// Weights that somebody sets by hand are named and stand for as long as they do, past the time of the next step; put right, the
/// shift goes on.
pub async fn weights_by_hand(mut story: Story) {
    story.apply(&group("canary", SOON, "")).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 25).await;
    weigh(&story, [45, 55]).await;
    let is_held = |d: &Value| checks::reason(d) == "WeightsChanged";
    let held = story.until(DEPLOYMENT, "to-2", "the change is named", is_held).await;
    assert_eq!(held["status"]["waiting"]["reason"], "WeightsChanged");
    assert!(message(&held).contains("45 % on hello-a, 55 % on hello-b"), "{}", message(&held));
    has_share(&story, "hello-b", 55).await;
    let (from, to) = story.measure(12).await;
    let still = story.get(DEPLOYMENT, "to-2").await;
    checks::steps_are(&still, &[25]);
    assert!(is_held(&still), "{}", still["status"]);
    weigh(&story, [75, 25]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    let events = story.events(DEPLOYMENT, "to-2").await;
    assert!(events.iter().any(|e| e["reason"] == "WeightsChanged" && e["type"] == "Warning"), "{events:?}");
    let load = story.end_on(Some("hello-b"), Some(2)).await;
    load.share_is(2, 55, (from + LAG, to));
    assert_eq!(story.record.shares("hello-b"), [0, 25, 55, 25, 100]);
}

/// Gives a Service that selector and no other.
async fn point(story: &Story, target_group: &str, label: &str, value: &str) {
    let selector = json!({label: value});
    let whole = json!([{"op": "replace", "path": "/spec/selector", "value": selector}]);
    story.edit(SERVICE, target_group, whole).await;
}

fn leads_to(service: &Value, task_set: &str) -> bool {
    service["spec"]["selector"] == json!({"sluice.dev/task-set": task_set})
}

/// Somebody points the idle target group elsewhere during Install: set again at once, and the second time named, and set again
/// after a while. Nothing goes there meanwhile.
pub async fn selector_in_install(mut story: Story) {
    story
        .apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: tight}\nspec: {hard: {pods: \"3\"}}\n")
        .await;
    let counts = |q: &Value| q["status"]["used"]["pods"] == "2";
    story.until(QUOTA, "tight", "the original's pods are counted", counts).await;
    begin(&story, &[]).await;
    let is_held = |d: &Value| message(d).contains("exceeded quota");
    let name = task_set_of(&story.until(DEPLOYMENT, "to-2", "Install is held", is_held).await);
    let leads = |s: &Value| leads_to(s, &name);
    story.until(SERVICE, "hello-b", "it leads to the task set", leads).await;

    point(&story, "hello-b", "app", "else").await;
    story.until(SERVICE, "hello-b", "it leads there again", leads).await;
    let first = story.get(DEPLOYMENT, "to-2").await;
    assert_ne!(checks::reason(&first), "SelectorChanged", "the first time is put right without a word");
    point(&story, "hello-b", "app", "else").await;
    let is_named = |d: &Value| checks::reason(d) == "SelectorChanged";
    let named = story.until(DEPLOYMENT, "to-2", "the second time is named", is_named).await;
    let words = "keeps changing the selector or the target port of Service hello-b";
    assert!(message(&named).contains(words), "{}", message(&named));
    assert_eq!(checks::event(&named, "Install")["status"], "InProgress");
    assert_eq!(story.record.shares("hello-b"), [0], "no weight is moved meanwhile");

    story.delete(QUOTA, "tight").await;
    story.until(SERVICE, "hello-b", "it leads there again", leads).await;
    swapped(&mut story, &[100]).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}

/// Somebody points a target group at the pods of the other one while traffic moves, and back: named when the next step is due, no step
/// is taken meanwhile, and nobody's selector is set back for them.
async fn selector_mid_shift(mut story: Story, changed: &str, words: &str) {
    story.apply(&group("canary", SOON, "")).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 25).await;
    let replacement = task_set_of(&story.get(DEPLOYMENT, "to-2").await);
    let original = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    let (own, other) = match changed {
        "hello-a" => (original, replacement),
        _ => (replacement, original),
    };
    point(&story, changed, "sluice.dev/task-set", &other).await;
    let is_named = |d: &Value| checks::reason(d) == "SelectorChanged";
    let named = story.until(DEPLOYMENT, "to-2", "the change is named", is_named).await;
    let has = format!("of Service {changed}: it has sluice.dev/task-set={other}");
    for said in [has.as_str(), words, own.as_str()] {
        assert!(message(&named).contains(said), "{said}: {}", message(&named));
    }
    story.measure(10).await;
    let still = story.get(DEPLOYMENT, "to-2").await;
    checks::steps_are(&still, &[25]);
    assert!(is_named(&still), "{}", still["status"]);
    assert!(leads_to(&story.get(SERVICE, changed).await, &other), "nobody sets it back");
    point(&story, changed, "sluice.dev/task-set", &own).await;
    swapped(&mut story, &[25, 100]).await;
    assert_eq!(story.record.shares("hello-b"), [0, 25, 100]);
}

/// The replacement's.
pub async fn replacement_selector(story: Story) {
    selector_mid_shift(story, "hello-b", "this deployment left it at").await;
}

/// The original's.
pub async fn original_selector(story: Story) {
    selector_mid_shift(story, "hello-a", "when this deployment began it had").await;
}
