//! Others write to the same objects meanwhile: the deployment ends all the same, and nobody's write is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{QUICK, World, in_world, split, weights};

/// Patches an object, each time with the next number, until it is told to end; answers how often.
struct Scribbler {
    ends: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<i64>,
}

impl Scribbler {
    fn start(api: Api<DynamicObject>, name: &str, pause: Duration, patch: fn(i64) -> Patch<Value>) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (is_over, count, name) = (Arc::clone(&ends), AtomicI64::new(0), name.to_owned());
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(pause);
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                let next = count.load(Ordering::Relaxed) + 1;
                api.patch(&name, &PatchParams::default(), &patch(next)).await.expect("patched");
                count.store(next, Ordering::Relaxed);
            }
            count.load(Ordering::Relaxed)
        });
        Self { ends, task }
    }

    async fn end(self) -> i64 {
        self.ends.store(true, Ordering::Relaxed);
        self.task.await.expect("the last patch")
    }
}

/// A lost race costs a refused write and a second look: at most one for each write of somebody else, never a storm.
fn expect_few_conflicts(world: &World, writes_of_others: i64) {
    let lost: Vec<_> = world.answered(409).into_iter().chain(world.answered(422)).collect();
    let bound = usize::try_from(writes_of_others).expect("a count");
    assert!(lost.len() <= bound, "{} lost races against {writes_of_others} writes: {lost:?}", lost.len());
}

fn annotate(n: i64) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"annotations": {"example.com/count": n.to_string()}}}))
}

#[test]
fn somebody_who_annotates_a_running_deployment_all_the_time_does_not_keep_it_from_ending() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.deploy("busy", "hello", "2", json!({"deploymentConfigName": QUICK})).await;
        let other = Scribbler::start(world.api("Deployment"), "busy", Duration::from_millis(50), annotate);
        world.until_settled("busy", "Succeeded").await;
        let count = other.end().await;
        let done = world.get("Deployment", "busy").await;
        assert_eq!(done["metadata"]["annotations"]["example.com/count"], count.to_string());
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 0, 100));
        expect_few_conflicts(&world, count);
    });
}

#[test]
fn somebody_who_edits_a_routes_filters_all_the_time_keeps_them_and_the_shift_ends() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let rename = |n: i64| {
            let path = "/spec/rules/0/filters/0/requestHeaderModifier/set/0/value";
            let operations = json!([{"op": "replace", "path": path, "value": n.to_string()}]);
            Patch::Json(serde_json::from_value(operations).expect("a patch"))
        };
        let other = Scribbler::start(world.api("HTTPRoute"), "hello", Duration::from_millis(300), rename);
        world.deploy("busy", "hello", "2", json!({"deploymentConfigName": QUICK})).await;
        world.until_settled("busy", "Succeeded").await;
        let count = other.end().await;
        let route = world.get("HTTPRoute", "hello").await;
        let set = &route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["set"];
        assert_eq!(*set, json!([{"name": "x-count", "value": count.to_string()}]));
        assert_eq!(weights(&route), split("hello", 0, 100));
        expect_few_conflicts(&world, count);
    });
}

#[test]
fn somebody_who_edits_the_group_all_the_time_does_not_change_what_runs() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let limit = |n: i64| Patch::Merge(json!({"spec": {"revisionHistoryLimit": 10 + n % 100}}));
        let other = Scribbler::start(world.api("DeploymentGroup"), "hello", Duration::from_millis(50), limit);
        world.deploy("busy", "hello", "2", json!({"deploymentConfigName": QUICK})).await;
        world.until_settled("busy", "Succeeded").await;
        let count = other.end().await;
        let seen = |g: &Value| {
            g["status"]["observedGeneration"] == g["metadata"]["generation"]
                && g["status"]["phase"] == "Ready"
        };
        let group = world.until("DeploymentGroup", "hello", "Ready at the last generation", seen).await;
        assert_eq!(group["spec"]["revisionHistoryLimit"], 10 + count % 100);
        assert_eq!(group["status"]["lastSuccessfulDeployment"]["name"], "busy");
        expect_few_conflicts(&world, count);
    });
}
