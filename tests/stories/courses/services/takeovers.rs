//! Where Sluice meets what was there before, or leaves what serves behind: adoption, a front Service, the group's end.

use serde_json::{Value, json};

use super::{POD, SERVICE, TASK_SET, begin, size, task_set, task_set_of};
use crate::checks;
use crate::manifests::{ROLLS_BACK, deployment, job_hook, workload};
use crate::service_manifests::{SOON, app_spec, group, pod_template, routes, settings};
use crate::story::{DEPLOYMENT, GROUP, Story, WORKLOAD};

const OWN_SERVICE: &str = r#"
---
apiVersion: v1
kind: Service
metadata: {name: hello-a}
spec: {selector: {app: hello, version: "1"}, ports: [{name: http, port: 80, targetPort: 8080}]}
"#;

/// A Deployment and a Service that somebody ran before: they serve as the original and are never scaled.
pub async fn adoption(mut story: Story) {
    story.apply(&(workload(1) + OWN_SERVICE)).await;
    story.apply(&routes(&story.host.clone())).await;
    story.await_version(1).await;
    story.begin_load().await;
    story.apply(&settings()).await;
    story.apply(&(pod_template(1) + &pod_template(2))).await;
    story.apply(&group("canary", SOON, ROLLS_BACK)).await;
    story.apply(&deployment("overlap", &app_spec(1, &[]), "")).await;
    let refused = story.phase("overlap", "Failed").await;
    let message = refused["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("SelectorOverlap"), "{message}");
    begin(&story, &[]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    let message = deployed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("not Sluice's"), "{message}");
    assert_eq!(story.get(WORKLOAD, "hello-1").await["spec"]["replicas"], 1, "never scaled by us");
    story.end_on(Some("hello-b"), Some(2)).await;
}

const FRONT: &str = r#"
---
apiVersion: v1
kind: Service
metadata: {name: hello-front}
spec: {selector: {app: hello, version: "1"}, ports: [{name: http, port: 80, targetPort: 8080}]}
"#;

/// The group `hello` with `hello-front` for its production listener, and no test listener.
fn fronted(config: &str) -> String {
    group(config, SOON, ROLLS_BACK)
        .replace("{httpRoute: {name: hello}}", "{service: {name: hello-front}}")
        .replace("    testListener: {httpRoute: {name: hello-test}}\n", "")
}

/// A front Service whose selector is switched: all at once, back by a stop, and nothing but all-at-once.
pub async fn front(mut story: Story) {
    story.apply(&(workload(1) + FRONT)).await;
    story.apply(&routes(&story.host.clone()).replace("hello-a", "hello-front")).await;
    story.await_version(1).await;
    story.begin_load().await;
    story.apply(&settings()).await;
    story.apply(&(pod_template(2) + &pod_template(3))).await;
    story.apply(&fronted("canary")).await;
    story.apply(&deployment("refused", &app_spec(2, &[]), "")).await;
    let refused = story.phase("refused", "Failed").await;
    let message = refused["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("all at once"), "{message}");
    story.apply(&fronted("CodeDeployDefault.ECSAllAtOnce")).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    story.apply(&deployment("to-3", &app_spec(3, &[]), "")).await;
    story.phase("to-3", "Succeeded").await;
    let front = story.get(SERVICE, "hello-front").await;
    let serving = task_set(&story, "hello-b").await;
    assert_eq!(front["spec"]["selector"]["sluice.dev/task-set"], serving["metadata"]["name"]);
    assert_eq!(story.get(WORKLOAD, "hello-1").await["spec"]["replicas"], 1, "never scaled by us");
    story.end_on(None, None).await.is_lossless();
}

/// Clients inside of the cluster, who reach the front Service by its own address: no gateway sees their requests, and half of them
/// keep their connections. Over to `web-2`, from there to `web-3`, and back to `web-2` by a rollback.
pub async fn front_inside(mut story: Story) {
    story.apply(&(workload(1) + FRONT)).await;
    story.await_version(1).await;
    story.apply(&settings()).await;
    story.apply(&(pod_template(2) + &pod_template(3))).await;
    story.apply(&fronted("CodeDeployDefault.ECSAllAtOnce")).await;
    let address =
        story.get(SERVICE, "hello-front").await["spec"]["clusterIP"].as_str().expect("an IP").to_owned();
    story.begin_load_inside(&format!("http://{address}/")).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    // Connections that are kept end with the pods that hold them; those of before are the user's own.
    story.patch(WORKLOAD, "hello-1", &json!({"spec": {"replicas": 0}})).await;
    let is_gone = |w: &Value| w["status"].get("replicas").is_none();
    story.until(WORKLOAD, "hello-1", "its pod is gone", is_gone).await;
    let second = leads_to(&story, "hello-front").await;

    story.apply(&job_hook("check", &["sleep", "5s", "1", "no good"])).await;
    let spec = app_spec(3, &[("AfterAllowTraffic", "check")]);
    story.apply(&deployment("to-3", &spec, "")).await;
    let failed = story.phase("to-3", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
    let third = task_set_of(&failed);
    let rollback =
        failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a name").to_owned();
    let back = story.phase(&rollback, "Succeeded").await;
    assert_eq!(back["status"]["creator"], "AutoRollback");
    assert_eq!(leads_to(&story, "hello-front").await, second, "back where it was");
    assert_eq!((size(&story, &second).await, size(&story, &third).await), (2, 0));
    // While its pods end, connections that are kept are still answered by them.
    for pod in story.list(POD).await {
        if pod["metadata"]["labels"]["sluice.dev/task-set"] == third.as_str() {
            story.gone(POD, pod["metadata"]["name"].as_str().expect("a name")).await;
        }
    }

    let load = story.end_unrouted(2).await;
    let moved = [&failed, &back].map(|d| checks::steps(d)[0].time);
    let seen = load.between((moved[0], moved[1]));
    assert!(seen.contains_key("3"), "new connections reached web-3 while it served: {seen:?}");
}

/// The task set that a Service selects.
async fn leads_to(story: &Story, service: &str) -> String {
    let found = story.get(SERVICE, service).await;
    found["spec"]["selector"]["sluice.dev/task-set"].as_str().expect("a task set").to_owned()
}

/// The group goes, what serves stays; a new group of that name takes it up and deploys on.
pub async fn orphaned(mut story: Story) {
    story.delete(GROUP, "hello").await;
    story.gone(GROUP, "hello").await;
    let left = task_set(&story, "hello-a").await;
    assert_eq!(left["spec"]["replicas"], 2);
    assert!(left["metadata"]["labels"].get("sluice.dev/deployment-group-uid").is_none(), "nobody's");
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, "")).await;
    let name = left["metadata"]["name"].as_str().expect("a name");
    let uid = story.get(GROUP, "hello").await["metadata"]["uid"].clone();
    let is_adopted = |t: &Value| t["metadata"]["labels"]["sluice.dev/deployment-group-uid"] == uid;
    story.until(TASK_SET, name, "the new group has it", is_adopted).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    assert_eq!(super::size(&story, name).await, 0, "what was adopted is terminated like any original");
    story.end_on(Some("hello-b"), Some(2)).await;
}

/// `deletionPolicy: Delete` takes what serves with the group.
pub async fn deleted(mut story: Story) {
    story.patch(GROUP, "hello", &json!({"spec": {"deletionPolicy": "Delete"}})).await;
    let name = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    story.pause_load().await;
    story.delete(GROUP, "hello").await;
    story.gone(GROUP, "hello").await;
    story.gone(TASK_SET, &name).await;
    story.gone(SERVICE, "hello-a").await;
}

/// Two groups that share a target group: the younger one says so and deploys nothing.
pub async fn shared(mut story: Story) {
    let second = group("CodeDeployDefault.ECSAllAtOnce", SOON, "")
        .replace("metadata: {name: hello}", "metadata: {name: thief}");
    story.apply(&second).await;
    let is_named = |g: &Value| checks::reason(g) == "TargetGroupShared";
    story.until(GROUP, "thief", "it names the other group", is_named).await;
    let stolen = deployment("stolen", &app_spec(2, &[]), "")
        .replace("deploymentGroupRef: {name: hello}", "deploymentGroupRef: {name: thief}");
    story.apply(&stolen).await;
    let waits = |d: &Value| checks::reason(d) == "DeploymentGroupNotReady";
    story.until(DEPLOYMENT, "stolen", "it waits", waits).await;
    story.delete(DEPLOYMENT, "stolen").await;
    story.gone(DEPLOYMENT, "stolen").await;
    assert_eq!(story.list(TASK_SET).await.len(), 1);
    story.end_on(Some("hello-a"), Some(1)).await;
}
