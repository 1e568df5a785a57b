//! AppSpecs that lie outside of the cluster: fetched once, with credentials only where a namespace grants them, and named when they
//! cannot be had. What stores and networks do wrong is shown in `tests/source` and `tests/stores`.

use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::callee::Callee;
use super::parts;
use super::world::{condition, in_world, message};
use crate::server::{kubectl, stdout_of};

fn file(url: &str, content: &str) -> Value {
    let sha256: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"http": {"url": url, "sha256": sha256}})
}

fn object(callee: &Callee) -> Value {
    let endpoint = callee.url.trim_end_matches("/verify");
    json!({"s3": {"bucket": "b", "key": "app.yaml", "endpoint": endpoint, "secretRef": {"name": "store"}}})
}

#[test]
fn an_app_spec_is_fetched_once_and_deployed() {
    in_world(|world| async move {
        let content = parts::app_spec("hello", "2", &[]);
        let callee = Callee::start(200, &content).await;
        world.prepare("hello", json!({})).await;
        world.create(parts::deployment("first", "hello", file(&callee.url, &content), json!({}))).await;
        let done = world.until_settled("first", "Succeeded").await;
        let digest = format!("sha256:{}", file("", &content)["http"]["sha256"].as_str().unwrap_or_default());
        assert_eq!(done["status"]["revision"]["digest"], digest);
        assert_eq!(callee.calls().len(), 1);
    });
}

#[test]
fn a_groups_desired_revision_may_lie_outside_too() {
    in_world(|world| async move {
        let content = parts::app_spec("hello", "2", &[]);
        let callee = Callee::start(200, &content).await;
        world.prepare("hello", json!({})).await;
        world
            .merge("DeploymentGroup", "hello", json!({"spec": {"revision": file(&callee.url, &content)}}))
            .await;
        let done = |g: &Value| g["status"]["lastSuccessfulDeployment"]["name"].is_string();
        let group = world.until("DeploymentGroup", "hello", "the desired revision is deployed", done).await;
        let name = group["status"]["lastSuccessfulDeployment"]["name"].as_str().unwrap_or_default();
        assert_eq!(world.get("Deployment", name).await["status"]["creator"], "DesiredRevision");
        assert_eq!(callee.calls().len(), 1);
    });
}

#[test]
fn what_can_never_come_right_ends_at_once() {
    in_world(|world| async move {
        let callee = Callee::start(200, "version: 0.0\n").await;
        world.prepare("hello", json!({})).await;
        let metadata = file("http://169.254.169.254/latest/meta-data/", "x");
        let commit = json!({"gitHub": {"repository": "acme/web", "commitId": "ab".repeat(20)}});
        for (name, revision, code) in [
            ("digest", file(&callee.url, "another"), "DigestMismatch"),
            ("metadata", metadata, "EgressRefused"),
            ("archive", commit, "InvalidRevision"),
        ] {
            world.create(parts::deployment(name, "hello", revision, json!({}))).await;
            let failed = world.until_settled(name, "Failed").await;
            assert_eq!(failed["status"]["errorInformation"]["code"], code, "{}", message(&failed));
        }
    });
}

#[test]
fn credentials_are_read_when_granted_and_an_object_that_comes_late_is_found() {
    in_world(|world| async move {
        let callee = Callee::start(404, "<Error><Code>NoSuchKey</Code></Error>").await;
        world.prepare("hello", json!({})).await;
        let data = json!({"accessKeyId": "AKIA", "secretAccessKey": "open-sesame"});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store"}, "stringData": data});
        world.apply(&secret).await;
        world.create(parts::deployment("first", "hello", object(&callee), json!({}))).await;
        let says = |reason: &'static str| move |d: &Value| condition(d, "Reconciling") == ("True", reason);
        let waiting = world.until("Deployment", "first", "SecretNotGranted", says("SecretNotGranted")).await;
        assert!(callee.calls().is_empty(), "it is not asked without its credentials");
        let (_, command) = message(&waiting).split_once("grant it: ").expect("the command");
        let folder = crate::server::folder(&format!("{}-admin", world.namespace));
        std::fs::write(folder.join("kubeconfig"), kubectl("default", &["config", "view", "--raw"]))
            .expect("written");
        stdout_of(Command::new("bash").args(["-c", command]).env("KUBECONFIG", folder.join("kubeconfig")));
        let missing = world.until("Deployment", "first", "RevisionMissing", says("RevisionMissing")).await;
        assert!(
            message(&missing).contains("NoSuchKey") && !message(&missing).contains("Signature"),
            "{missing}"
        );
        callee.answer(200, &parts::app_spec("hello", "2", &[]));
        world.until_settled("first", "Succeeded").await;
    });
}
