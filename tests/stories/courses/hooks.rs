//! Lifecycle hooks: Jobs and HTTP calls that succeed, fail, answer later, or never.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::checks;
use crate::manifests::{ROLLS_BACK, app_spec, deployment, group, http_hook, job_hook};
use crate::story::{DEPLOYMENT, GROUP, JOB, Story};

/// Deploys version 2 all at once with a hook `check` at that event.
async fn deploy(story: &Story, hook: &str, event: &str) {
    story.apply(hook).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", ROLLS_BACK)).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[(event, "check")]), "")).await;
}

/// The failed Deployment was rolled back by another one; both say so. Answers the rollback.
pub async fn was_rolled_back(story: &Story, name: &str) -> Value {
    let failed = story.get(DEPLOYMENT, name).await;
    let info = &failed["status"]["rollbackInfo"];
    let rollback = info["rollbackDeployment"].as_str().expect("the rollback's name");
    assert!(!info["rollbackMessage"].as_str().unwrap_or_default().is_empty());
    let back = story.phase(rollback, "Succeeded").await;
    assert_eq!(back["status"]["creator"], "AutoRollback");
    assert_eq!(back["status"]["rollbackInfo"]["rollbackTriggeringDeployment"], name);
    checks::course_is(&back, ["Skipped", "Succeeded", "Skipped"]);
    assert_eq!(back["status"]["resolved"]["deploymentConfigName"], "CodeDeployDefault.LambdaAllAtOnce");
    let is_told = |g: &Value| g["status"]["phase"] == "RolledBack";
    let group = story.until(GROUP, "hello", "it says that it was rolled back", is_told).await;
    assert_eq!(checks::conditions(&group), [("Ready", "False"), ("Stalled", "True")]);
    assert_eq!(group["status"]["lastAttemptedDeployment"]["name"], rollback);
    back
}

/// The Deployment failed at that event by its hook.
fn failed_by_hook(failed: &Value, event: &str, code: &str) {
    assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
    assert_eq!(checks::reason(failed), "HookExecutionFailure");
    let diagnostics = &checks::event(failed, event)["diagnostics"];
    assert_eq!(diagnostics["errorCode"], code, "{diagnostics}");
    assert_eq!(diagnostics["scriptName"], "check");
    let course = match event {
        "BeforeAllowTraffic" => ["Failed", "Skipped", "Skipped"],
        _ => ["Succeeded", "Succeeded", "Failed"],
    };
    checks::course_is(failed, course);
}

/// A Job at each of the two events, which learns from its environment what it checks.
pub async fn job_succeeds(mut story: Story) {
    story.apply(&job_hook("check", &["exit", "0", "fine"])).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    let hooks = [("BeforeAllowTraffic", "check"), ("AfterAllowTraffic", "check")];
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &hooks), "")).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::course_is(&deployed, ["Succeeded"; 3]);
    checks::steps_are(&deployed, &[100]);
    story.released("to-2").await;
    let jobs = story.list(JOB).await;
    assert_eq!(jobs.len(), 2, "one Job an event");
    for job in jobs {
        let name = job["metadata"]["name"].as_str().unwrap_or_default();
        story.until(JOB, name, "its finalizer is gone", |j| j["metadata"].get("finalizers").is_none()).await;
        let env = &job["spec"]["template"]["spec"]["containers"][0]["env"];
        let told = |name: &str| {
            env.as_array().and_then(|e| e.iter().find(|v| v["name"] == name)).map(|v| &v["value"])
        };
        assert_eq!(told("DEPLOYMENT_ID"), Some(&json!("to-2")));
        assert_eq!(told("APPLICATION_NAME"), Some(&json!("shop")));
        assert_eq!(told("DEPLOYMENT_GROUP_NAME"), Some(&json!("hello")));
        let event = told("LIFECYCLE_EVENT").and_then(Value::as_str).expect("the event");
        let id = &checks::event(&deployed, event)["executionId"];
        assert_eq!(told("LIFECYCLE_EVENT_HOOK_EXECUTION_ID"), Some(id));
    }
    story.end(Some(2)).await;
}

/// A Job that fails after the traffic moved: its last lines are on record, and the traffic goes back.
pub async fn job_fails(mut story: Story) {
    let (before, _) = story.measure(2).await;
    deploy(
        &story,
        &job_hook("check", &["exit", "3", "checking /pay", "got 503 from /pay"]),
        "AfterAllowTraffic",
    )
    .await;
    let failed = story.phase("to-2", "Failed").await;
    failed_by_hook(&failed, "AfterAllowTraffic", "ScriptFailed");
    let tail =
        checks::event(&failed, "AfterAllowTraffic")["diagnostics"]["logTail"].as_str().unwrap_or_default();
    assert!(tail.contains("checking /pay") && tail.contains("got 503 from /pay"), "the last lines: {tail:?}");
    let message = failed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("got 503 from /pay"), "{message}");
    assert!(failed["status"]["rollbackInfo"]["rollbackDeployment"].is_string(), "named with the failure");
    let back = was_rolled_back(&story, "to-2").await;
    checks::steps_are(&back, &[100]);
    checks::traffic_is(&back, ("hello-2", 0), ("hello-1", 100));
    let load = story.end(Some(1)).await;
    let there = checks::steps(&failed)[0].time;
    load.all_on(1, (before, there));
    assert_eq!(story.record.shares("hello-2"), [0, 100, 0]);
}

/// An answer that cannot become a good one fails the hook at once; before any traffic moved the rollback finds all as it was.
pub async fn http_400(mut story: Story) {
    deploy(&story, &http_hook("check", "400", "1m"), "BeforeAllowTraffic").await;
    let failed = story.phase("to-2", "Failed").await;
    failed_by_hook(&failed, "BeforeAllowTraffic", "ScriptFailed");
    let message =
        checks::event(&failed, "BeforeAllowTraffic")["diagnostics"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("400"), "{message}");
    assert_eq!(checks::weights(&failed), [0_i64; 0], "no traffic moved");
    was_rolled_back(&story, "to-2").await;
    assert_eq!(calls(&story).await.len(), 1, "a refusal is not tried again");
    story.end(Some(1)).await;
    assert_eq!(story.record.shares("hello-2"), [0]);
}

/// The endpoint says "later"; the answer comes through spec.hookResults.
pub async fn later_answer(mut story: Story) {
    deploy(&story, &http_hook("check", "later", "1m"), "BeforeAllowTraffic").await;
    let runs = |d: &Value| d["status"]["lifecycleEvents"][0]["status"] == "InProgress";
    let waiting = story.until(DEPLOYMENT, "to-2", "the hook runs", runs).await;
    let id = checks::event(&waiting, "BeforeAllowTraffic")["executionId"].as_str().expect("an id").to_owned();
    let call = await_calls(&story, 1).await.remove(0);
    assert_eq!(call["body"]["LifecycleEventHookExecutionId"], id.as_str());
    assert_eq!(call["body"]["DeploymentId"], "to-2");
    assert_eq!(call["body"]["LifecycleEvent"], "BeforeAllowTraffic");
    let (_, asked) = story.measure(2).await;
    let verb = "put-lifecycle-event-hook-execution-status";
    let answer =
        ["--lifecycle-event-hook-execution-id", &id, "--status", "Succeeded", "--message", "looks good"];
    story.plugin(&[&[verb, "to-2"], &answer[..]].concat()).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::course_is(&deployed, ["Succeeded"; 3]);
    let event = checks::event(&deployed, "BeforeAllowTraffic");
    assert_eq!(event["diagnostics"]["message"], "looks good");
    let ended: Timestamp = event["endTime"].as_str().expect("an end").parse().expect("a time");
    assert!(ended >= asked, "it waited for the answer");
    assert_eq!(calls(&story).await.len(), 1, "an endpoint that said \"later\" is not called again");
    story.end(Some(2)).await;
}

/// The endpoint says "later", and the answer in spec.hookResults is no: the traffic, which has moved, goes back.
pub async fn later_failure(mut story: Story) {
    deploy(&story, &http_hook("check", "later", "1m"), "AfterAllowTraffic").await;
    let runs = |d: &Value| d["status"]["lifecycleEvents"][2]["status"] == "InProgress";
    let waiting = story.until(DEPLOYMENT, "to-2", "the hook runs", runs).await;
    let id = checks::event(&waiting, "AfterAllowTraffic")["executionId"].as_str().expect("an id").to_owned();
    let call = await_calls(&story, 1).await.remove(0);
    assert_eq!(call["body"]["LifecycleEventHookExecutionId"], id.as_str());
    assert_eq!(call["body"]["LifecycleEvent"], "AfterAllowTraffic");
    story.measure(2).await;
    let result = json!({"executionId": id, "status": "Failed", "message": "orders are lost"});
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"hookResults": [result]}})).await;
    let failed = story.phase("to-2", "Failed").await;
    failed_by_hook(&failed, "AfterAllowTraffic", "ScriptFailed");
    assert_eq!(checks::event(&failed, "AfterAllowTraffic")["diagnostics"]["message"], "orders are lost");
    let message = failed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("orders are lost"), "{message}");
    was_rolled_back(&story, "to-2").await;
    assert_eq!(calls(&story).await.len(), 1, "an endpoint that said \"later\" is not called again");
    story.end(Some(1)).await;
    assert_eq!(story.record.shares("hello-2"), [0, 100, 0]);
}

/// Nobody answers: the timeout fails the hook.
pub async fn silence(mut story: Story) {
    deploy(&story, &http_hook("check", "silence", "5s"), "BeforeAllowTraffic").await;
    let failed = story.phase("to-2", "Failed").await;
    failed_by_hook(&failed, "BeforeAllowTraffic", "ScriptTimedOut");
    let event = checks::event(&failed, "BeforeAllowTraffic");
    let at = |field: &str| event[field].as_str().expect("a time").parse::<Timestamp>().expect("a time");
    let lasted = at("endTime").duration_since(at("startTime")).as_secs_f64();
    assert!((5.0..20.0).contains(&lasted), "the timeout is 5 s, it lasted {lasted} s");
    was_rolled_back(&story, "to-2").await;
    story.end(Some(1)).await;
}

/// Two 503s, then a good answer: tried again under one execution id.
pub async fn flaky(mut story: Story) {
    deploy(&story, &http_hook("check", "flaky", "1m"), "AfterAllowTraffic").await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::course_is(&deployed, ["Succeeded"; 3]);
    let id = &checks::event(&deployed, "AfterAllowTraffic")["executionId"];
    let calls = calls(&story).await;
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|c| c["body"]["LifecycleEventHookExecutionId"] == *id), "{calls:?}");
    story.end(Some(2)).await;
}

/// The hook calls that version 1's pod received.
async fn calls(story: &Story) -> Vec<Value> {
    let pods = story.list(("v1", "Pod")).await;
    let is_first = |p: &&Value| p["metadata"]["labels"]["version"] == "1";
    let ip = pods.iter().find(is_first).expect("version 1's pod")["status"]["podIP"].clone();
    let url = format!("http://{}:8080/hook/seen", ip.as_str().expect("its address"));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let text = client.get(url).send().await.expect("an answer").text().await.expect("a body");
    serde_json::from_str(&text).expect("the calls")
}

/// Waits until that many hook calls were received.
async fn await_calls(story: &Story, count: usize) -> Vec<Value> {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
    let received = async {
        loop {
            ticks.tick().await;
            let calls = calls(story).await;
            if calls.len() >= count {
                return calls;
            }
        }
    };
    tokio::time::timeout(crate::story::DEADLINE, received).await.expect("the calls")
}
