//! The controller is killed, frozen or replaced, and the API server restarted, while traffic moves.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::hooks::was_rolled_back;
use super::stops::has_share;
use crate::manifests::{ROLLS_BACK, app_spec, deployment, group, job_hook};
use crate::story::{DEPLOYMENT, JOB, Story};
use crate::{checks, controllers};

const TEN_STEPS: [i64; 10] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];

async fn begin_linear(story: &Story) {
    story.apply(&group("slow-linear", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    story.step("to-2", 20).await;
}

/// Every step was taken once and in time, whatever happened.
async fn ended_well(story: &mut Story, deployed: &Value) {
    checks::steps_are(deployed, &TEN_STEPS);
    checks::course_is(deployed, ["Succeeded"; 3]);
    story.end(Some(2)).await;
    story.moved_forward(2);
}

/// The leader's container is killed and its pod gone: the other one takes over, and does not begin the interval again.
pub async fn leader_killed(mut story: Story) {
    controllers::scale(&story.client, 2).await;
    let before = controllers::leader(&story.client).await;
    begin_linear(&story).await;
    has_share(&story, "hello-2", 20).await;
    let killed = Timestamp::now();
    controllers::destroy(&story.client, &before).await;
    controllers::another_leads(&story.client, &before).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    let step = &checks::steps(&deployed)[1];
    let served = step.served.expect("served");
    assert!(served <= killed + SignedDuration::from_secs(2), "served before {killed}, but {step:?}");
    ended_well(&mut story, &deployed).await;
    controllers::scale(&story.client, 1).await;
}

/// The leader is frozen until another one leads, and then goes on: what it still believes must not count.
pub async fn leader_frozen(mut story: Story) {
    controllers::scale(&story.client, 2).await;
    let before = controllers::leader(&story.client).await;
    begin_linear(&story).await;
    assert!(controllers::signal(&before, "-STOP"), "the leader runs");
    controllers::another_leads(&story.client, &before).await;
    story.step("to-2", 40).await;
    controllers::signal(&before, "-CONT");
    let deployed = story.phase("to-2", "Succeeded").await;
    ended_well(&mut story, &deployed).await;
    controllers::scale(&story.client, 1).await;
}

/// Kills the controller every few seconds until `goal` is reached. Now and then it lives for longer than the three seconds for
/// which endpoints must have been ready before the first step.
pub async fn while_killed<T>(pod: &str, goal: impl Future<Output = T>) -> T {
    let kills = async {
        for pause in [2_300, 3_700, 7_100].into_iter().cycle() {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            controllers::signal(pod, "-KILL");
        }
    };
    tokio::select! {
        reached = goal => reached,
        () = kills => unreachable!("kills never end"),
    }
}

/// A Job runs once however often the controller dies, its end is seen, and the rollback after it happens once.
pub async fn hooks_while_killed(mut story: Story) {
    let pod = controllers::leader(&story.client).await;
    story.apply(&job_hook("before", &["sleep", "6s"])).await;
    story.apply(&job_hook("after", &["sleep", "6s", "1", "no good"])).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", ROLLS_BACK)).await;
    let hooks = [("BeforeAllowTraffic", "before"), ("AfterAllowTraffic", "after")];
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &hooks), "")).await;
    let failed = while_killed(&pod, story.phase("to-2", "Failed")).await;
    checks::course_is(&failed, ["Succeeded", "Succeeded", "Failed"]);
    let tail = &checks::event(&failed, "AfterAllowTraffic")["diagnostics"]["logTail"];
    assert!(tail.as_str().is_some_and(|t| t.contains("no good")), "the last lines: {tail}");
    while_killed(&pod, was_rolled_back(&story, "to-2")).await;
    assert_eq!(story.list(DEPLOYMENT).await.len(), 2, "one rollback");
    assert_eq!(story.list(JOB).await.len(), 2, "one Job an event");
    let pods = story.list(("v1", "Pod")).await;
    let of_jobs =
        pods.iter().filter(|p| p["metadata"]["labels"].get("batch.kubernetes.io/job-name").is_some());
    assert_eq!(of_jobs.count(), 2, "one pod a Job");
    story.end(Some(1)).await;
    controllers::ready(&story.client).await;
}

/// The only controller is killed every few seconds until it is done.
pub async fn controller_killed_often(mut story: Story) {
    let pod = controllers::leader(&story.client).await;
    let before = controllers::restarts(&story.client, &pod).await;
    begin_linear(&story).await;
    let deployed = while_killed(&pod, story.phase("to-2", "Succeeded")).await;
    let times = controllers::restarts(&story.client, &pod).await - before;
    assert!(times >= 5, "killed only {times} times");
    ended_well(&mut story, &deployed).await;
    controllers::ready(&story.client).await;
}

/// The API server goes and comes back.
pub async fn api_server_restarted(mut story: Story) {
    begin_linear(&story).await;
    controllers::restart_api_server().await;
    let deployed = story.phase("to-2", "Succeeded").await;
    ended_well(&mut story, &deployed).await;
}

/// The controller is updated: it hands the Lease over, and no step waits for the Lease to run out.
pub async fn graceful_hand_over(mut story: Story) {
    let before = controllers::leader(&story.client).await;
    begin_linear(&story).await;
    controllers::restart(&story.client).await;
    controllers::another_leads(&story.client, &before).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    let latest = checks::latest(&deployed).expect("steps");
    assert!(latest < SignedDuration::from_secs(10), "a step came {latest:#} late");
    ended_well(&mut story, &deployed).await;
    controllers::ready(&story.client).await;
}
