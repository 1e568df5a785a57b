//! What stories do to the controller and to the API server.

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use kube::Client;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::root;
use crate::story::{LEASE, WORKLOAD, api, until, value};

const NAMESPACE: &str = "sluice-system";
const NAME: &str = "sluice";

/// The controller's pod that leads. One that is ending may still hold the Lease, or nobody for a while: waits for a standing one.
pub async fn leader(client: &Client) -> String {
    let standing = standing(client).await;
    holder(client, "a standing controller leads", |name| standing.iter().any(|pod| pod == name)).await
}

/// Waits until another pod than `before` holds the Lease.
pub async fn another_leads(client: &Client, before: &str) -> String {
    holder(client, &format!("another one than {before} leads"), |name| !name.is_empty() && name != before)
        .await
}

/// The Lease's holder, as soon as it is the one that is waited for; empty while nobody holds it.
async fn holder(client: &Client, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let leases = api(client, NAMESPACE, LEASE);
    let named = |l: &Value| l["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
    let is_held = |l: Option<&Value>| l.is_some_and(|l| is_wanted(&named(l)));
    let lease = until(&leases, LEASE, "sluice-controller", what, is_held).await;
    lease.as_ref().map(named).unwrap_or_default()
}

/// The controllers' pods that are not ending.
async fn standing(client: &Client) -> Vec<String> {
    let ours = ListParams::default().labels("app.kubernetes.io/name=sluice");
    let pods = api(client, NAMESPACE, ("v1", "Pod")).list(&ours).await.expect("the controllers' pods");
    let stays = |pod: &DynamicObject| pod.metadata.deletion_timestamp.is_none();
    pods.items.iter().filter(|pod| stays(pod)).filter_map(|pod| pod.metadata.name.clone()).collect()
}

/// Has that many controllers run, and waits until they are ready.
pub async fn scale(client: &Client, replicas: i64) {
    let controllers = api(client, NAMESPACE, WORKLOAD);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    controllers.patch(NAME, &PatchParams::default(), &patch).await.expect("scaled");
    ready(client).await;
}

/// Waits until all controllers are ready and of the newest template.
pub async fn ready(client: &Client) {
    let controllers = api(client, NAMESPACE, WORKLOAD);
    let is_ready = |w: Option<&Value>| {
        w.is_some_and(|w| {
            let (wanted, status) = (&w["spec"]["replicas"], &w["status"]);
            status["observedGeneration"] == w["metadata"]["generation"]
                && ["replicas", "readyReplicas", "updatedReplicas"]
                    .iter()
                    .all(|field| status[field] == *wanted)
        })
    };
    until(&controllers, WORKLOAD, NAME, "the controllers are ready", is_ready).await;
}

/// Replaces the controllers' pods one by one, as `kubectl rollout restart` does.
pub async fn restart(client: &Client) {
    let now = Timestamp::now().to_string();
    let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
    let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
    let controllers = api(client, NAMESPACE, WORKLOAD);
    controllers.patch(NAME, &PatchParams::default(), &patch).await.expect("restarted");
}

/// The machine's process of a controller's pod, while it runs.
pub fn process(pod: &str) -> Option<u32> {
    let wanted = format!("POD_NAME={pod}");
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut ids = processes.filter_map(|p| p.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let folder = PathBuf::from(format!("/proc/{id}"));
        let is_ours =
            std::fs::read_to_string(folder.join("comm")).is_ok_and(|c| c.starts_with("sluice-control"));
        let env = || std::fs::read(folder.join("environ")).unwrap_or_default();
        is_ours && env().split(|b| *b == 0).any(|v| v == wanted.as_bytes())
    })
}

/// Sends a signal to a controller's process. False if it does not run just now.
pub fn signal(pod: &str, signal: &str) -> bool {
    let Some(id) = process(pod) else { return false };
    let told = Command::new("kill").args([signal, &id.to_string()]).status().expect("kill");
    told.success()
}

/// Kills a pod's container, and deletes the pod before its container can come back.
pub async fn destroy(client: &Client, pod: &str) {
    let pods = api(client, NAMESPACE, ("v1", "Pod"));
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    assert!(signal(pod, "-KILL"), "{pod} runs");
    pods.delete(pod, &now).await.expect("deleted");
}

/// How often the containers of the only controller were started again.
pub async fn restarts(client: &Client, pod: &str) -> i64 {
    let pod = value(&api(client, NAMESPACE, ("v1", "Pod")).get(pod).await.expect("the pod"));
    pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_i64).unwrap_or(0)
}

/// Ends and starts the API server.
pub async fn restart_api_server() {
    let mut command = tokio::process::Command::new(root().join("e2e/restart.sh"));
    let ended = command.arg("kube-apiserver").status().await.expect("e2e/restart.sh");
    assert!(ended.success(), "the API server is back");
}
