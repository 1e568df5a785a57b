//! What goes away or changes under a running Deployment: its group, its configuration, its route, its namespace, a hook's Job, pods.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::hooks::was_rolled_back;
use super::stops::has_share;
use crate::manifests::{ROLLS_BACK, app_spec, deployment, group, http_hook, job_hook};
use crate::story::{DEPLOYMENT, GROUP, JOB, ROUTE, Story, WORKLOAD};
use crate::{checks, load};

/// A Deployment runs by its snapshot: the group turns to another configuration and then goes, and so do configuration and hook.
pub async fn snapshot(mut story: Story) {
    story.apply(&http_hook("check", "succeed", "1m")).await;
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[("AfterAllowTraffic", "check")]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.delete(("sluice.dev/v1alpha1", "DeploymentConfig"), "canary").await;
    story.delete(("sluice.dev/v1alpha1", "LifecycleHook"), "check").await;
    story.delete(GROUP, "hello").await;
    story.gone(GROUP, "hello").await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    checks::course_is(&deployed, ["Succeeded"; 3]);
    story.end(Some(2)).await;
}

/// The namespace goes while traffic moves: nothing of ours holds it.
pub async fn namespace(mut story: Story) {
    story.apply(&job_hook("check", &["sleep", "1m"])).await;
    story.apply(&group("slow-canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 30).await;
    story.pause_load().await;
    let namespaces = Api::<Namespace>::all(story.client.clone());
    namespaces.delete(&story.namespace, &DeleteParams::default()).await.expect("deleted");
    let gone = kube::runtime::wait::await_condition(namespaces, &story.namespace, |n: Option<&Namespace>| {
        n.is_none()
    });
    tokio::time::timeout(crate::story::DEADLINE, gone).await.expect("in time").expect("gone");
}

/// The route goes: named, and the Deployment can be deleted at once.
pub async fn route(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.pause_load().await;
    story.delete(ROUTE, "hello").await;
    let is_named = |d: &Value| checks::reason(d) == "HTTPRouteMissing";
    story.until(DEPLOYMENT, "to-2", "it names the missing route", is_named).await;
    story.delete(DEPLOYMENT, "to-2").await;
    story.gone(DEPLOYMENT, "to-2").await;
    load::is_forgotten(&story.production, &story.host).await;
    story.apply(&crate::manifests::route(&story.host)).await;
    story.remember_route().await;
    story.resume_load().await;
    story.apply(&deployment("again", &app_spec(Some(1), 2, &[]), "")).await;
    let deployed = story.phase("again", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
}

/// Somebody deletes a hook's Job while it runs: it counts as failed and is not started a second time.
pub async fn job(mut story: Story) {
    story.apply(&job_hook("check", &["sleep", "1m"])).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", ROLLS_BACK)).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[("AfterAllowTraffic", "check")]), "")).await;
    let runs = |d: &Value| d["status"]["lifecycleEvents"][2]["started"] == true;
    story.until(DEPLOYMENT, "to-2", "its hook runs", runs).await;
    let job = story.list(JOB).await.remove(0)["metadata"]["name"].as_str().expect("a name").to_owned();
    story.delete(JOB, &job).await;
    let failed = story.phase("to-2", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
    let diagnostics = &checks::event(&failed, "AfterAllowTraffic")["diagnostics"];
    assert_eq!(diagnostics["errorCode"], "UnknownError", "{diagnostics}");
    was_rolled_back(&story, "to-2").await;
    story.gone(JOB, &job).await;
    assert_eq!(story.list(JOB).await.len(), 0, "not started again");
    story.end(Some(1)).await;
}

/// Both versions' pods are replaced by rolling updates while traffic moves.
pub async fn pods(mut story: Story) {
    story.apply(&group("slow-linear", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    story.step("to-2", 20).await;
    for version in [1, 2] {
        let annotations = json!({"restarted": "yes"});
        let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        story.patch(WORKLOAD, &format!("hello-{version}"), &patch).await;
    }
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    story.end(Some(2)).await;
    story.moved_forward(2);
}

/// The replacement's last pod goes in the middle of a shift: no further step until it has one again, and the sentence says so.
pub async fn endpoints(mut story: Story) {
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.pause_load().await;
    story.patch(WORKLOAD, "hello-2", &json!({"spec": {"replicas": 0}})).await;
    let is_named = |d: &Value| checks::reason(d) == "NoReadyEndpoints";
    let held = story.until(DEPLOYMENT, "to-2", "it names the missing endpoints", is_named).await;
    assert_eq!(checks::weights(&held), [25]);
    story.patch(WORKLOAD, "hello-2", &json!({"spec": {"replicas": 1}})).await;
    story.await_version(2).await;
    story.resume_load().await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
}
