//! Sluice's part: groups with two target groups and a route each, PodTemplates of two versions, a Deployment of each.

use futures::{StreamExt, stream};
use kube::api::DynamicObject;
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::contender::Way;
use super::{PATIENCE, SCALE_DOWN_DELAY, Times, template};
use crate::objects::{
    AT_ONCE, GATEWAY, all, group_is_settled, own, place, post, resource, route_resource, spread,
};
use crate::settings::Settings;

/// Makes everything, with a Deployment of the first version.
pub async fn create(client: &Client, settings: &Settings, way: Way) {
    for namespace in settings.namespaces() {
        post(client, None, &resource("v1", "Namespace", "namespaces"), &namespace, json!({})).await;
        let application = json!({"spec": {"computePlatform": "Service"}});
        post(client, Some(&namespace), &own("Application", "applications"), "shop", application).await;
        let routing = match way {
            Way::AtOnce => json!({"type": "AllAtOnce"}),
            Way::Steps => json!({"type": "TimeBasedLinear", "linear": {
                "percentage": settings.percentage(), "interval": format!("{}ms", settings.interval.as_millis()),
            }}),
        };
        let config = json!({"spec": {"computePlatform": "Service", "trafficRouting": routing}});
        post(client, Some(&namespace), &own("DeploymentConfig", "deploymentconfigs"), "bench", config).await;
    }
    stream::iter(0..settings.deployments)
        .for_each_concurrent(AT_ONCE, |index| async move {
            let (namespace, name) = place(index);
            service(client, settings, &namespace, &name).await;
            for version in 1..=2 {
                let kind = resource("v1", "PodTemplate", "podtemplates");
                let content = json!({"template": template(index, &name, version)});
                post(client, Some(&namespace), &kind, &format!("{name}-{version}"), content).await;
            }
            deploy(client, &namespace, &name, 1).await;
        })
        .await;
}

async fn service(client: &Client, settings: &Settings, namespace: &str, name: &str) {
    let targets = [format!("{name}-a"), format!("{name}-b")];
    for target in &targets {
        let content = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}});
        post(client, Some(namespace), &resource("v1", "Service", "services"), target, content).await;
    }
    let backend = |target: &String, weight: i32| json!({"name": target, "port": 80, "weight": weight});
    let route = json!({"spec": {
        "parentRefs": [{"name": GATEWAY}],
        "hostnames": [format!("{name}.example")],
        "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [backend(&targets[0], 100), backend(&targets[1], 0)],
        }],
    }});
    post(client, Some(namespace), &route_resource(), name, route).await;
    let group = json!({"spec": {
        "applicationRef": {"name": "shop"},
        "deploymentConfigName": "bench",
        "blueGreen": {"terminateOriginal": {"action": "Terminate", "wait": SCALE_DOWN_DELAY}},
        "service": {
            "replicas": settings.replicas,
            "targetGroups": targets,
            "productionListener": {"httpRoute": {"name": name}},
            "drain": SCALE_DOWN_DELAY,
        },
    }});
    post(client, Some(namespace), &own("DeploymentGroup", "deploymentgroups"), name, group).await;
}

async fn deploy(client: &Client, namespace: &str, name: &str, version: usize) {
    let app_spec = json!({
        "version": 0.0,
        "Resources": [{"TargetService": {"Type": "Sluice::Service", "Properties": {
            "TaskDefinition": format!("{name}-{version}"),
            "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8080},
        }}}],
    });
    let spec = json!({
        "deploymentGroupRef": {"name": name},
        "revision": {"appSpecContent": {"content": app_spec.to_string()}},
    });
    let kind = own("Deployment", "deployments");
    post(client, Some(namespace), &kind, &format!("{name}-{version}"), json!({"spec": spec})).await;
}

fn is_over(deployment: &DynamicObject, version: usize) -> bool {
    let is_of_version = deployment.name_any().ends_with(&format!("-{version}"));
    let is_over = deployment.data["status"]["phase"] == "Succeeded" && deployment.finalizers().is_empty();
    is_of_version && is_over
}

/// Waits until the first version serves and nothing is left to do.
pub async fn settle_first(client: &Client, settings: &Settings) {
    let kind = own("Deployment", "deployments");
    all(client, &kind, settings.deployments, PATIENCE, |d| is_over(d, 1)).await;
    let groups = own("DeploymentGroup", "deploymentgroups");
    all(client, &groups, settings.deployments, PATIENCE, |group| group_is_settled(group, true)).await;
    // A group that is Ready counts its pods once more when the last of them is.
    let has_all = |group: &DynamicObject| group.data["status"]["replicas"] == json!(settings.replicas);
    all(client, &groups, settings.deployments, PATIENCE, has_all).await;
}

/// Creates the Deployments of the second version.
pub async fn update(client: &Client, settings: &Settings) -> Times {
    let update = |index| async move {
        let (namespace, name) = place(index);
        let asked = Instant::now();
        deploy(client, &namespace, &name, 2).await;
        ((namespace, name), asked)
    };
    spread(settings, update).await.into_iter().collect()
}

/// Waits until every second Deployment has succeeded, which is after the original's end.
pub async fn settle_second(client: &Client, settings: &Settings) -> Times {
    let kind = own("Deployment", "deployments");
    let done = all(client, &kind, settings.deployments, PATIENCE, |d| is_over(d, 2)).await;
    let group = |name: String| name.trim_end_matches("-2").to_owned();
    done.into_iter().map(|((namespace, name), at)| ((namespace, group(name)), at)).collect()
}
