//! `spec.revision` of the group, as Git would apply it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::hooks::was_rolled_back;
use crate::checks;
use crate::manifests::{ROLLS_BACK, app_spec, group, http_hook, revision, versions};
use crate::story::{DEPLOYMENT, GROUP, Story};

/// Applies the group with that revision.
async fn wish(story: &Story, revision: &str) {
    let more = format!("{ROLLS_BACK}\n  revision: {revision}");
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", &more)).await;
}

/// Waits for the Deployment that carries the group's present wish, other than `before`, to be on record; answers its name.
async fn carrier(story: &Story, before: &[String]) -> String {
    let name = |g: &Value| g["status"]["desired"]["deployment"].as_str().unwrap_or_default().to_owned();
    let is_new = |g: &Value| !name(g).is_empty() && !before.contains(&name(g));
    name(&story.until(GROUP, "hello", "a new Deployment carries the wish", is_new).await)
}

async fn comes_true(story: &Story, name: &str) {
    let deployed = story.phase(name, "Succeeded").await;
    assert_eq!(deployed["status"]["creator"], "DesiredRevision");
    let group = story.get(GROUP, "hello").await;
    assert_eq!(deployed["metadata"]["ownerReferences"][0]["uid"], group["metadata"]["uid"]);
    let is_ready = |g: &Value| {
        g["status"]["lastSuccessfulDeployment"]["name"] == name
            && checks::conditions(g) == [("Ready", "True")]
    };
    story.until(GROUP, "hello", "it is ready", is_ready).await;
}

/// A, B and A again are three Deployments; one that fails is rolled back and not tried again until the wish changes.
pub async fn like_git(mut story: Story) {
    story.apply(&versions(&[3])).await;
    story.await_version(3).await;
    let mut names = vec![];
    for version in [2, 3, 2] {
        wish(&story, &revision(&app_spec(None, version, &[]))).await;
        let name = carrier(&story, &names).await;
        comes_true(&story, &name).await;
        names.push(name);
    }
    story.apply(&http_hook("check", "fail", "1m")).await;
    let bad = revision(&app_spec(None, 3, &[("AfterAllowTraffic", "check")]));
    wish(&story, &bad).await;
    let failing = carrier(&story, &names).await;
    story.phase(&failing, "Failed").await;
    let back = was_rolled_back(&story, &failing).await;
    checks::traffic_is(&back, ("hello-3", 0), ("hello-2", 100));
    let count = story.list(DEPLOYMENT).await.len();
    assert_eq!(count, 5, "three wishes, a failed one, and its rollback");
    // Git applies the same again and again.
    for _ in 0..2 {
        wish(&story, &bad).await;
        story.measure(2).await;
    }
    assert_eq!(story.list(DEPLOYMENT).await.len(), count, "a failed wish is not tried again");
    let group = story.get(GROUP, "hello").await;
    let message = group["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("version 3") && message.contains("version 2"), "both revisions: {message}");
    names.push(failing);
    wish(&story, &revision(&app_spec(None, 3, &[]))).await;
    let name = carrier(&story, &names).await;
    comes_true(&story, &name).await;
    story.end(Some(3)).await;
}

/// The wish is a ConfigMap's content: a new content is a new Deployment, which records the digest.
pub async fn config_map(mut story: Story) {
    let mut names = vec![];
    for version in [2, 1] {
        let text = app_spec(None, version, &[]);
        let data = serde_json::json!({"appspec.yaml": text});
        story
            .apply(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app-spec}}\ndata: {data}"))
            .await;
        wish(&story, "{configMap: {name: app-spec, key: appspec.yaml}}").await;
        let name = carrier(&story, &names).await;
        comes_true(&story, &name).await;
        let deployed = story.get(DEPLOYMENT, &name).await;
        let hex: String = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(deployed["status"]["revision"]["digest"], format!("sha256:{hex}"));
        assert_eq!(deployed["status"]["revision"]["configMap"]["name"], "app-spec");
        names.push(name);
    }
    story.end(Some(1)).await;
}
