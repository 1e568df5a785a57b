//! What the API server refuses: the object says so in the server's words, and goes on by itself when it is taken.

use kube::api::PostParams;
use serde_json::{Value, json};

use super::parts;
use super::world::{World, condition, in_world, message};
use crate::chart::deployment;
use crate::server::eventually;

/// Refuses the creation of deployments in the world's namespace, but of a group `nobody`; answers the binding's name once it is
/// in force.
async fn freeze(world: &World) -> String {
    let name = format!("freeze-{}", world.namespace);
    let (group, version, all) = (json!(["sluice.dev"]), json!(["v1alpha1"]), json!(["deployments"]));
    let rule =
        json!({"apiGroups": group, "apiVersions": version, "operations": ["CREATE"], "resources": all});
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": world.namespace}});
    let refusal = json!({
        "expression": "object.spec.deploymentGroupRef.name == 'nobody'", "message": "nothing is created on a Friday",
    });
    let object = |kind: &str, spec: Value| {
        let version = "admissionregistration.k8s.io/v1";
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    };
    let constraints = json!({"resourceRules": [rule], "namespaceSelector": here});
    let policy = json!({"matchConstraints": constraints, "validations": [refusal]});
    world.apply(&object("ValidatingAdmissionPolicy", policy)).await;
    let binding = json!({"policyName": name, "validationActions": ["Deny"]});
    world.apply(&object("ValidatingAdmissionPolicyBinding", binding)).await;

    let dry = PostParams { dry_run: true, ..Default::default() };
    let (api, trial) = (world.api("Deployment"), deployment("trial", json!({})));
    eventually("the freeze", || async { api.create(&dry, &trial).await.err() }).await;
    name
}

#[test]
fn a_desired_revision_that_is_refused_is_said_by_its_group_and_deploys_once_it_is_taken() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let freeze = freeze(&world).await;
        let wanted = json!({"spec": {"revision": parts::revision("hello", "2", &[])}});
        world.merge("DeploymentGroup", "hello", wanted).await;
        let reconciles = |g: &Value| condition(g, "Reconciling") == ("True", "DeploymentRefused");
        let said = world.until("DeploymentGroup", "hello", "it is said", reconciles).await;
        for part in ["nothing is created on a Friday", "it is tried again every 30s"] {
            assert!(message(&said).contains(part), "{}", message(&said));
        }
        let stalls = |g: &Value| condition(g, "Stalled") == ("True", "DeploymentRefused");
        let stalled = world.until("DeploymentGroup", "hello", "Stalled", stalls).await;
        assert_eq!(condition(&stalled, "Ready"), ("False", "DeploymentRefused"));
        assert!(world.list("Deployment").await.is_empty());

        world.delete("ValidatingAdmissionPolicyBinding", &freeze).await;
        let serves = |g: &Value| {
            condition(g, "Ready").0 == "True" && !g["status"]["lastSuccessfulDeployment"].is_null()
        };
        world.until("DeploymentGroup", "hello", "it serves", serves).await;
    });
}

#[test]
fn a_desired_revision_whose_name_is_taken_is_said_by_its_group_and_deploys_once_it_is_free() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let freeze = freeze(&world).await;
        let wanted = json!({"spec": {"revision": parts::revision("hello", "2", &[])}});
        world.merge("DeploymentGroup", "hello", wanted).await;
        let is_on_record = |g: &Value| g["status"]["desired"]["deployment"].is_string();
        let group = world.until("DeploymentGroup", "hello", "a name is on record", is_on_record).await;
        let taken = group["status"]["desired"]["deployment"].as_str().expect("a name").to_owned();
        let refused = |g: &Value| condition(g, "Reconciling") == ("True", "DeploymentRefused");
        world.until("DeploymentGroup", "hello", "it is refused at first", refused).await;

        let intruder = parts::deployment(&taken, "nobody", parts::revision("hello", "2", &[]), json!({}));
        world.create(intruder).await;
        world.delete("ValidatingAdmissionPolicyBinding", &freeze).await;
        let is_taken = |g: &Value| condition(g, "Ready") == ("False", "NameTaken");
        let said = world.until("DeploymentGroup", "hello", "the name is taken", is_taken).await;
        assert!(message(&said).contains("delete it, and this group creates its own"), "{}", message(&said));
        world.delete("Deployment", &taken).await;
        world.until_settled(&taken, "Succeeded").await;
    });
}
