//! Argo Rollouts' part: a Rollout each, with two Services; steps move the weights of an Ingress, the one router that it has
//! built in and that needs neither definitions nor a program of its own to be written to.

use std::path::PathBuf;

use futures::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::contender::Way;
use super::{PATIENCE, Times, image, template};
use crate::objects::{AT_ONCE, all, is_served, place, post, resource, spread};
use crate::server::{Server, module};
use crate::settings::Settings;

/// Where its account is.
pub const NAMESPACE: &str = "argo-rollouts";
/// Its account.
pub const ACCOUNT: &str = "argo-rollouts";
/// The user that the audit log shows.
pub const USER: &str = "system:serviceaccount:argo-rollouts:argo-rollouts";
/// `SCALE_DOWN_DELAY` in its own unit.
const SCALE_DOWN_SECONDS: i32 = 10;

fn rollouts() -> ApiResource {
    resource("argoproj.io/v1alpha1", "Rollout", "rollouts")
}

fn folder() -> PathBuf {
    module("argo-rollouts", "github.com/argoproj/argo-rollouts")
}

/// Its version: Go names a module's folder after it.
pub fn version() -> String {
    folder().to_string_lossy().rsplit('@').next().unwrap_or_default().into()
}

/// Applies its own manifest, rights and all; nobody runs the Deployment in it.
pub async fn install(server: &Server, client: &Client) {
    let manifest = folder().join("manifests/install.yaml").to_string_lossy().into_owned();
    server.kubectl(&["create", "namespace", NAMESPACE]);
    server.kubectl(&["apply", "--server-side", "--namespace", NAMESPACE, "-f", &manifest]);
    server.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    is_served(client, &rollouts()).await;
}

/// Makes everything, with Rollouts of the first version.
pub async fn create(client: &Client, settings: &Settings, way: Way) {
    for namespace in settings.namespaces() {
        post(client, None, &resource("v1", "Namespace", "namespaces"), &namespace, json!({})).await;
    }
    stream::iter(0..settings.deployments)
        .for_each_concurrent(AT_ONCE, |index| async move {
            let (namespace, name) = place(index);
            for side in ["a", "b"] {
                let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
                let content = json!({"spec": {"selector": {"app": name}, "ports": ports}});
                let kind = resource("v1", "Service", "services");
                post(client, Some(&namespace), &kind, &format!("{name}-{side}"), content).await;
            }
            if way == Way::Steps {
                ingress(client, &namespace, &name).await;
            }
            let spec = json!({
                "replicas": settings.replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": template(index, &name, 1),
                "strategy": strategy(settings, &name, way),
            });
            post(client, Some(&namespace), &rollouts(), &name, json!({"spec": spec})).await;
        })
        .await;
}

async fn ingress(client: &Client, namespace: &str, name: &str) {
    let backend = json!({"service": {"name": format!("{name}-a"), "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let spec = json!({
        "ingressClassName": "nginx",
        "rules": [{"host": format!("{name}.example"), "http": {"paths": [path]}}],
    });
    let kind = resource("networking.k8s.io/v1", "Ingress", "ingresses");
    post(client, Some(namespace), &kind, name, json!({"spec": spec})).await;
}

fn strategy(settings: &Settings, name: &str, way: Way) -> Value {
    let (a, b) = (format!("{name}-a"), format!("{name}-b"));
    if way == Way::AtOnce {
        return json!({"blueGreen": {
            "activeService": a, "previewService": b, "scaleDownDelaySeconds": SCALE_DOWN_SECONDS,
        }});
    }
    let pause = json!({"pause": {"duration": format!("{}s", settings.interval.as_secs())}});
    let weights = (1..).map(|step| step * settings.percentage()).take_while(|weight| *weight < 100);
    let steps: Vec<Value> =
        weights.flat_map(|weight| [json!({"setWeight": weight}), pause.clone()]).collect();
    json!({"canary": {
        "stableService": a,
        "canaryService": b,
        "trafficRouting": {"nginx": {"stableIngress": name}},
        "scaleDownDelaySeconds": SCALE_DOWN_SECONDS,
        "steps": steps,
    }})
}

/// Gives every Rollout the second version.
pub async fn update(client: &Client, settings: &Settings) -> Times {
    let update = |index| async move {
        let (namespace, name) = place(index);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &rollouts());
        let asked = Instant::now();
        let patch = Patch::Merge(json!({"spec": {"template": template(index, &name, 2)}}));
        api.patch(&name, &PatchParams::default(), &patch).await.expect("a Rollout takes a new version");
        ((namespace, name), asked)
    };
    spread(settings, update).await.into_iter().collect()
}

/// Waits until that version serves everywhere and no pod of another is left.
pub async fn settled(client: &Client, settings: &Settings, version: usize) -> Times {
    let wanted = json!(settings.replicas);
    let is_settled = |rollout: &DynamicObject| {
        let (spec, status) = (&rollout.data["spec"], &rollout.data["status"]);
        let is_of_version = spec["template"]["spec"]["containers"][0]["image"] == json!(image(version));
        let generation = rollout.metadata.generation.unwrap_or_default().to_string();
        let is_current = status["observedGeneration"].as_str() == Some(generation.as_str());
        let is_whole = status["phase"] == "Healthy" && status["stableRS"] == status["currentPodHash"];
        let has_no_other = status["replicas"] == wanted && status["availableReplicas"] == wanted;
        is_of_version && is_current && is_whole && has_no_other
    };
    all(client, &rollouts(), settings.deployments, PATIENCE, is_settled).await
}
