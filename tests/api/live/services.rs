//! A service with the chart's rights: it is deployed, rolled back, scaled and deleted, and nothing of that is refused.

use serde_json::{Value, json};

use super::callee::Callee;
use super::cluster::Cluster;
use super::parts;
use super::world::{World, in_world, weights};
use crate::server::eventually;

/// PodTemplates web-1 to web-3, the routes, and a group that deletes what it made.
async fn prepare(world: &World) {
    for version in 1..=3 {
        let container = json!({"name": "web", "image": "web:9", "ports": [{"containerPort": 8080}]});
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
        let name = format!("web-{version}");
        world
            .apply(&json!({
                "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": template,
            }))
            .await;
    }
    for route in ["web", "web-test"] {
        let rule = json!({"backendRefs": [{"name": "web-a", "port": 80, "weight": 100}]});
        let spec = json!({"parentRefs": [{"name": "gateway"}], "hostnames": ["web.test"], "rules": [rule]});
        world.create(parts::manifest("HTTPRoute", route, spec)).await;
    }
    world.apply(&parts::application("web", "Service")).await;
    let group = json!({
        "applicationRef": {"name": "web"},
        "deletionPolicy": "Delete",
        "autoRollback": {"enabled": true, "events": ["DeploymentFailure"]},
        "blueGreen": {"terminateOriginal": {"wait": "0s"}},
        "service": {
            "replicas": 2, "targetGroups": ["web-a", "web-b"], "drain": "5s",
            "productionListener": {"httpRoute": {"name": "web"}},
            "testListener": {"httpRoute": {"name": "web-test"}},
        },
    });
    world.apply(&parts::manifest("DeploymentGroup", "web", group)).await;
}

async fn deploy(world: &World, name: &str, template: &str, hooks: Value) {
    let balancer = json!({"ContainerName": "web", "ContainerPort": 8080});
    let properties = json!({"TaskDefinition": template, "LoadBalancerInfo": balancer});
    let target = json!({"TargetService": {"Type": "Sluice::Service", "Properties": properties}});
    let content = json!({"version": 0.0, "Resources": [target], "Hooks": hooks}).to_string();
    let revision = json!({"appSpecContent": {"content": content}});
    world.create(parts::deployment(name, "web", revision, json!({}))).await;
}

fn all_on(target_group: &str) -> Vec<(String, i64)> {
    let weight = |name: &str| (name.to_owned(), if name == target_group { 100 } else { 0 });
    ["web-a", "web-b"].map(weight).into()
}

/// `in_world` looks for refusals in the API server's audit log; what is found there of the rest shows that there was something to refuse.
#[test]
fn a_service_is_deployed_rolled_back_scaled_and_deleted_with_the_charts_rights() {
    in_world(|world| async move {
        let _cluster = Cluster::start(&world.client, &world.namespace);
        let callee = Callee::start(400, "no").await;
        world.apply(&parts::http_hook("check", &callee.url, None)).await;
        prepare(&world).await;
        deploy(&world, "first", "web-1", json!([])).await;
        world.until_settled("first", "Succeeded").await;
        deploy(&world, "second", "web-2", json!([])).await;
        world.until_settled("second", "Succeeded").await;
        assert_eq!(weights(&world.get("HTTPRoute", "web").await), all_on("web-b"));

        deploy(&world, "third", "web-3", json!([{"AfterAllowTraffic": "check"}])).await;
        let failed = world.until_settled("third", "Failed").await;
        let rollback = failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback");
        world.until_settled(rollback, "Succeeded").await;
        assert_eq!(weights(&world.get("HTTPRoute", "web").await), all_on("web-b"));

        let service = world.get("Service", "web-b").await;
        let serving = service["spec"]["selector"]["sluice.dev/task-set"].as_str().expect("a task set");
        world.merge("DeploymentGroup", "web", json!({"spec": {"service": {"replicas": 3}}})).await;
        world.until("ReplicaSet", serving, "it has three pods", |t| t["status"]["replicas"] == 3).await;
        world.delete("DeploymentGroup", "web").await;
        world.until_gone("DeploymentGroup", "web").await;
        for (kind, name) in [("ReplicaSet", serving), ("Service", "web-a"), ("Service", "web-b")] {
            world.until_gone(kind, name).await;
        }
        let told = || async {
            let events = world.list("Event").await;
            events.iter().any(|e| e["reason"] == "Retired").then_some(())
        };
        eventually("what became of it is told", told).await;
        did(&world, 201, &["create replicasets", "create services", "create deployments", "create events"]);
        did(
            &world,
            200,
            &[
                "patch replicasets",
                "patch services",
                "patch httproutes",
                "delete replicasets",
                "delete services",
                "watch podtemplates",
                "watch pods",
                "watch endpointslices",
            ],
        );
    });
}

/// The controllers asked for all of that, and it was granted.
fn did(world: &World, code: i64, what: &[&str]) {
    let done = world.answered(code);
    for wanted in what {
        assert!(done.iter().any(|d| d.starts_with(wanted)), "{wanted} was not asked for: {done:?}");
    }
}
