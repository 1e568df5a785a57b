//! Shifts that go well: all at once, canary, linear.

use jiff::Timestamp;
use serde_json::Value;

use crate::checks;
use crate::load::{LAG, Summary};
use crate::manifests::{app_spec, deployment, group};
use crate::story::{DEPLOYMENT, GROUP, Story};

/// The load saw what the recorded steps say: version 1 alone before the first, each share between two steps, version 2 alone
/// after the last. Answers how many requests told of shares.
pub fn load_followed(load: &Summary, deployment: &Value, before: Timestamp) -> u64 {
    let steps = checks::steps(deployment);
    let first = steps.first().expect("a step").time;
    load.all_on(1, (before, first));
    let spans =
        steps.windows(2).filter_map(|pair| Some((pair[0].weight, pair[0].served? + LAG, pair[1].time)));
    spans.map(|(percent, from, to)| load.share_is(2, percent, (from, to))).sum()
}

async fn deploy(story: &Story, config: &str) -> (Value, Timestamp) {
    let (before, _) = story.measure(2).await;
    story.apply(&group(config, "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    (story.phase("to-2", "Succeeded").await, before)
}

async fn ended_well(story: &mut Story, deployed: &Value, steps: &[i64]) -> Summary {
    checks::steps_are(deployed, steps);
    checks::course_is(deployed, ["Succeeded"; 3]);
    checks::traffic_is(deployed, ("hello-1", 0), ("hello-2", 100));
    assert_eq!(deployed["status"]["creator"], "User");
    assert_eq!(checks::reason(deployed), "Succeeded");
    assert_eq!(deployed["status"]["overview"]["succeeded"], 1);
    let is_told = |g: &Value| g["status"]["lastSuccessfulDeployment"]["name"] == "to-2";
    let group = story.until(GROUP, "hello", "it knows its last success", is_told).await;
    assert_eq!(group["status"]["phase"], "Ready");
    assert_eq!(checks::conditions(&group), [("Ready", "True")]);
    assert!(group["status"].get("activeDeployment").is_none(), "{}", group["status"]);
    let load = story.end(Some(2)).await;
    story.moved_forward(2);
    let reasons = story.events(DEPLOYMENT, "to-2").await;
    let reasons: Vec<_> = reasons.iter().filter_map(|e| e["reason"].as_str()).collect();
    for reason in ["DeploymentStart", "DeploymentSuccess"] {
        assert!(reasons.contains(&reason), "no Event {reason}: {reasons:?}");
    }
    load
}

/// All traffic in one step.
pub async fn all_at_once(mut story: Story) {
    let (deployed, before) = deploy(&story, "CodeDeployDefault.LambdaAllAtOnce").await;
    let load = ended_well(&mut story, &deployed, &[100]).await;
    load_followed(&load, &deployed, before);
    assert_eq!(story.record.shares("hello-2"), [0, 100]);
}

/// A quarter, then all.
pub async fn canary(mut story: Story) {
    let (deployed, before) = deploy(&story, "canary").await;
    let load = ended_well(&mut story, &deployed, &[25, 100]).await;
    let told = load_followed(&load, &deployed, before);
    assert!(told >= 100, "only {told} requests while the canary had its share");
    assert_eq!(story.record.shares("hello-2"), [0, 25, 100]);
}

/// Ten steps, none skipped.
pub async fn linear(mut story: Story) {
    let (deployed, before) = deploy(&story, "slow-linear").await;
    let steps = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
    let load = ended_well(&mut story, &deployed, &steps).await;
    let told = load_followed(&load, &deployed, before);
    assert!(told >= 200, "only {told} requests between steps");
    let seen = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
    assert_eq!(story.record.shares("hello-2"), seen);
}
