//! `spec.hookResults` by server-side apply: each answerer owns its own entry.

use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::chart::{create_deployment, deployments};
use crate::server::with_namespace;

async fn answer(
    client: &Client,
    namespace: &str,
    manager: &PatchParams,
    results: Value,
) -> kube::Result<DynamicObject> {
    let applied = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Deployment", "metadata": {"name": "asked"},
        "spec": {"hookResults": results},
    });
    deployments(client, namespace).patch("asked", manager, &Patch::Apply(applied)).await
}

#[test]
fn two_answerers_apply_their_answers_side_by_side() {
    with_namespace(|client, namespace| async move {
        create_deployment(&client, &namespace, "asked", json!({})).await;
        let one = json!({"executionId": "one", "status": "Succeeded"});
        let two = json!({"executionId": "two", "status": "Failed", "message": "too slow"});
        let (first, second) = (PatchParams::apply("first"), PatchParams::apply("second"));
        answer(&client, &namespace, &first, json!([one])).await.expect("the first answer");
        let both = answer(&client, &namespace, &second, json!([two])).await.expect("the second answer");
        assert_eq!(both.data["spec"]["hookResults"], json!([one, two]));
        let again = answer(&client, &namespace, &first, json!([one])).await.expect("the first answer again");
        assert_eq!(
            again.metadata.resource_version, both.metadata.resource_version,
            "a repeat changes nothing"
        );
    });
}

#[test]
fn an_answerer_cannot_change_anothers_answer_not_even_by_force() {
    with_namespace(|client, namespace| async move {
        create_deployment(&client, &namespace, "asked", json!({})).await;
        let good = json!([{"executionId": "one", "status": "Succeeded"}]);
        let bad = json!([{"executionId": "one", "status": "Failed"}]);
        answer(&client, &namespace, &PatchParams::apply("first"), good).await.expect("the first answer");
        let second = PatchParams::apply("second");
        let conflict = answer(&client, &namespace, &second, bad.clone()).await.expect_err("a conflict");
        assert!(conflict.to_string().contains("conflict"), "{conflict}");
        let refused = answer(&client, &namespace, &second.force(), bad).await.expect_err("refused");
        let says = "spec.hookResults: an answer that was given cannot be changed or removed";
        assert!(refused.to_string().contains(says), "{refused}");
    });
}

#[test]
fn an_answerer_that_applies_nothing_anymore_does_not_take_its_answer_back() {
    with_namespace(|client, namespace| async move {
        create_deployment(&client, &namespace, "asked", json!({})).await;
        let first = PatchParams::apply("first");
        let one = json!([{"executionId": "one", "status": "Succeeded"}]);
        answer(&client, &namespace, &first, one).await.expect("the answer");
        let refused = answer(&client, &namespace, &first, json!([])).await.expect_err("refused");
        let says = "spec.hookResults: an answer that was given cannot be changed or removed";
        assert!(refused.to_string().contains(says), "{refused}");
    });
}
