//! What the API server refuses for a while, so that the controller stands between two of its writes for as long as a story needs.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::story::{DEADLINE, Story};

const GROUP: &str = "admissionregistration.k8s.io";

/// A policy for the story's namespace alone. It stands until it is ended.
pub struct Refusal {
    policies: Api<DynamicObject>,
    bindings: Api<DynamicObject>,
    name: String,
}

/// Cluster-wide objects of the API of admission.
fn all(story: &Story, kind: &str, plural: &str) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: GROUP.into(),
        version: "v1".into(),
        api_version: format!("{GROUP}/v1"),
        kind: kind.into(),
        plural: plural.into(),
    };
    Api::all_with(story.client.clone(), &resource)
}

impl Refusal {
    /// Has updates of these resources of an API group refused unless `allows` (CEL) is true, and waits until `trial`, a dry run
    /// that it must refuse, is.
    pub async fn begin<T>(
        story: &Story,
        (group, resources): (&str, &[&str]),
        allows: &str,
        trial: impl AsyncFn() -> kube::Result<T>,
    ) -> Self {
        let policies = all(story, "ValidatingAdmissionPolicy", "validatingadmissionpolicies");
        let bindings = all(story, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings");
        let name = story.namespace.clone();
        let policy = json!({
            "matchConstraints": {
                "resourceRules": [{"apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": resources}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            },
            "validations": [{"expression": allows, "message": "the story lets nobody do so now"}],
        });
        apply(&policies, "ValidatingAdmissionPolicy", &name, policy).await;
        let binding = json!({"policyName": name, "validationActions": ["Deny"]});
        apply(&bindings, "ValidatingAdmissionPolicyBinding", &name, binding).await;
        let refused = async {
            while trial().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(DEADLINE, refused).await.expect("the policy holds");
        Self { policies, bindings, name }
    }

    /// Lets everything pass again.
    pub async fn end(self) {
        for api in [&self.bindings, &self.policies] {
            api.delete(&self.name, &DeleteParams::default()).await.expect("deleted");
        }
    }
}

async fn apply(api: &Api<DynamicObject>, kind: &str, name: &str, spec: Value) {
    let object =
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name}, "spec": spec});
    let params = PatchParams::apply("story").force();
    api.patch(name, &params, &Patch::Apply(&object)).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
}

/// A trial changes nothing.
pub fn dry_run() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}
