//! The chart's rights and policies, as helm renders them, on the test's API server.

use std::sync::LazyLock;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use crate::server::{apply, client_as, documents, eventually, root, stdout_of, tool};

/// Where the release is said to live.
pub const RELEASE_NAMESPACE: &str = "sluice-system";
/// Whom the controller acts as there.
pub const CONTROLLER: &str = "system:serviceaccount:sluice-system:sluice";

const KINDS: [&str; 8] = [
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "FlowSchema",
];

/// Applies them and waits until the API server goes by them; `namespace` is for its trials. Tests may do so at the same time.
pub async fn install(client: &Client, namespace: &str) {
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELEASE_NAMESPACE}});
    apply(client, "", &space).await;
    let rendered = render();
    for kind in KINDS {
        assert!(rendered.iter().any(|object| object["kind"] == kind), "the chart holds no {kind}");
    }
    for object in rendered.iter().filter(|object| KINDS.iter().any(|kind| object["kind"] == *kind)) {
        apply(client, RELEASE_NAMESPACE, object).await;
    }
    are_in_force(client, namespace).await;
}

/// The chart's objects; the definitions are the server's already.
fn render() -> Vec<Value> {
    documents(&template(RELEASE_NAMESPACE, &[]))
}

fn template(namespace: &str, settings: &[String]) -> String {
    let mut helm = tool("helm");
    helm.args(["template", "sluice"]).arg(root().join("charts/sluice"));
    helm.args(["--namespace", namespace, "--set", "crds.enabled=false"]);
    for setting in settings {
        helm.args(["--set", setting]);
    }
    stdout_of(&mut helm)
}

/// Stand in the release that every test with a controller gets, in place of where it lives and what it watches.
const HOME: &str = "the-release-of-a-test";
const WATCHED: &str = "what-it-watches";

/// A release of its own in the namespace `home`: its ServiceAccount has that name, and the chart's rights; those over every
/// namespace, or over `watched` alone.
pub async fn install_at(client: &Client, home: &str, watched: Option<&str>) {
    static WIDE: LazyLock<String> = LazyLock::new(|| template(HOME, &[format!("fullnameOverride={HOME}")]));
    static NARROW: LazyLock<String> = LazyLock::new(|| {
        template(HOME, &[format!("fullnameOverride={HOME}"), format!("watchNamespaces={{{WATCHED}}}")])
    });
    let rendered = match watched {
        Some(watched) => NARROW.replace(WATCHED, watched),
        None => WIDE.clone(),
    };
    let rendered = documents(&rendered.replace(HOME, home));
    for object in rendered.iter().filter(|object| KINDS.iter().any(|kind| object["kind"] == *kind)) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(home);
        apply(client, namespace, object).await;
    }
}

/// The controller holds a finalizer, which it may, and asks for a stop, which it may not; it sees its Lease at home.
async fn are_in_force(client: &Client, namespace: &str) {
    create_deployment(client, namespace, "trial", json!({})).await;
    let trial = deployments(&client_as(CONTROLLER).await, namespace);
    let dry = PatchParams { dry_run: true, ..Default::default() };
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["sluice.dev/traffic"]}}));
    eventually("the controller's rights", || async { trial.patch("trial", &dry, &hold).await.ok() }).await;
    let stop = Patch::Merge(json!({"spec": {"stop": {}}}));
    eventually("the policy of the verbs", || async { trial.patch("trial", &dry, &stop).await.err() }).await;
    trial.patch("trial", &PatchParams::default(), &hold).await.expect("held");
    let leases: Api<Lease> = Api::namespaced(client_as(CONTROLLER).await, RELEASE_NAMESPACE);
    eventually("the rights at home", || async { leases.get_opt("sluice-controller").await.ok() }).await;
}

/// Untyped, so that a test can say what our types could not.
pub fn deployments(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<sluice::api::Deployment>(&()))
}

/// The least deployment of that name, with `more` in its spec.
pub fn deployment(name: &str, more: Value) -> DynamicObject {
    let mut spec =
        json!({"deploymentGroupRef": {"name": "none"}, "revision": {"configMap": {"name": "a", "key": "b"}}});
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let manifest = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec,
    });
    serde_json::from_value(manifest).expect("a deployment")
}

/// Creates it as that client's user.
pub async fn create_deployment(client: &Client, namespace: &str, name: &str, more: Value) {
    let created =
        deployments(client, namespace).create(&PostParams::default(), &deployment(name, more)).await;
    created.unwrap_or_else(|error| panic!("{name}: {error}"));
}
