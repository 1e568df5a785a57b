//! What the Deployments run in: groups, routes, Services with ready endpoints, spread over a few namespaces.
//!
//! Everything that belongs to one Deployment has its name, so that the audit log says whose request one is.

use futures::{StreamExt, stream};
use kube::api::DynamicObject;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::objects::{
    AT_ONCE, GATEWAY, all, group_is_settled, own, place, post, resource, route_resource, spread,
};
use crate::say;
use crate::server::DEADLINE;
use crate::settings::{NAMESPACES, Settings};

/// The route that the speed of light is measured on.
pub const SPARE: &str = "spare";

/// Makes everything but the Deployments.
pub async fn create(client: &Client, settings: &Settings) {
    say(&format!("making {} groups, as many routes, twice as many Services", settings.deployments));
    for namespace in settings.namespaces() {
        post(client, None, &resource("v1", "Namespace", "namespaces"), &namespace, json!({})).await;
        let application = json!({"spec": {"computePlatform": "Function"}});
        post(client, Some(&namespace), &own("Application", "applications"), "shop", application).await;
        config(client, &namespace, settings).await;
        function(client, &namespace, SPARE).await;
    }
    stream::iter(0..settings.deployments)
        .for_each_concurrent(AT_ONCE, |index| async move {
            let (namespace, name) = place(index);
            function(client, &namespace, &name).await;
            group(client, &namespace, &name).await;
        })
        .await;
}

async fn config(client: &Client, namespace: &str, settings: &Settings) {
    let linear = json!({"percentage": settings.percentage(), "interval": format!("{}ms", settings.interval.as_millis())});
    let routing = json!({"type": "TimeBasedLinear", "linear": linear});
    let spec = json!({"spec": {"computePlatform": "Function", "trafficRouting": routing}});
    post(client, Some(namespace), &own("DeploymentConfig", "deploymentconfigs"), "linear", spec).await;
}

async fn group(client: &Client, namespace: &str, name: &str) {
    let aliases = json!([{"name": "live", "httpRoute": {"name": name}}]);
    let spec = json!({
        "applicationRef": {"name": "shop"},
        "deploymentConfigName": "linear",
        "function": {"aliases": aliases},
    });
    let kind = own("DeploymentGroup", "deploymentgroups");
    post(client, Some(namespace), &kind, name, json!({"spec": spec})).await;
}

/// A function's two versions and the route that serves the first.
async fn function(client: &Client, namespace: &str, name: &str) {
    for version in 1..=2 {
        service(client, namespace, &format!("{name}-{version}")).await;
    }
    let route = json!({"spec": {
        "parentRefs": [{"name": GATEWAY}],
        "hostnames": [format!("{name}.example")],
        "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [{"name": format!("{name}-1"), "port": 80}],
        }],
    }});
    post(client, Some(namespace), &route_resource(), name, route).await;
}

async fn service(client: &Client, namespace: &str, name: &str) {
    let spec =
        json!({"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]});
    post(client, Some(namespace), &resource("v1", "Service", "services"), name, json!({"spec": spec})).await;
    let endpoints: Vec<Value> = (1..=2)
        .map(|n| {
            json!({
                "addresses": [format!("10.1.0.{n}")],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "name": format!("{name}-{n}"), "namespace": namespace},
            })
        })
        .collect();
    let slice = json!({
        "labels": {"kubernetes.io/service-name": name},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    });
    let kind = resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices");
    post(client, Some(namespace), &kind, &format!("{name}-abcde"), slice).await;
}

async fn deployment(
    client: &Client,
    namespace: &str,
    name: &str,
    group: &str,
    function: &str,
    config: Value,
) {
    let app_spec = json!({
        "version": 0.0,
        "Resources": [{function: {"Type": "Sluice::Function", "Properties": {
            "Name": function, "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2",
        }}}],
    });
    let mut spec = json!({
        "deploymentGroupRef": {"name": group},
        "revision": {"appSpecContent": {"content": app_spec.to_string()}},
    });
    if !config.is_null() {
        spec["deploymentConfigName"] = config;
    }
    let kind = own("Deployment", "deployments");
    post(client, Some(namespace), &kind, name, json!({"spec": spec})).await;
}

/// A Deployment in each namespace that waits between two steps throughout the run: endpoints are watched while some Deployment
/// looks at them, and a side gets weight only after three seconds of being seen ready, so that without it the first starts would
/// all fall together.
pub async fn warm_up(client: &Client, settings: &Settings) {
    for namespace in settings.namespaces() {
        group(client, &namespace, SPARE).await;
        deployment(
            client,
            &namespace,
            SPARE,
            SPARE,
            SPARE,
            json!("CodeDeployDefault.LambdaCanary10Percent30Minutes"),
        )
        .await;
    }
    // Its start is over when the gateway has taken the first step and its Event is out: nothing of it is left for the idle time.
    let is_taken = |route: &DynamicObject| {
        let conditions = &route.data["status"]["parents"][0]["conditions"];
        let has_both = route.data["spec"]["rules"][0]["backendRefs"][1].is_object();
        has_both && conditions[0]["observedGeneration"].as_i64() == route.metadata.generation
    };
    all(client, &route_resource(), NAMESPACES, DEADLINE, is_taken).await;
    let is_of_warm_up = |event: &DynamicObject| event.data["regarding"]["name"] == SPARE;
    all(client, &resource("events.k8s.io/v1", "Event", "events"), NAMESPACES, DEADLINE, is_of_warm_up).await;
}

/// Creates the Deployments, their starts spread evenly over one interval.
pub async fn deploy(client: &Client, settings: &Settings) {
    let create = |index| async move {
        let (namespace, name) = place(index);
        deployment(client, &namespace, &name, &name, &name, Value::Null).await;
    };
    spread(settings, create).await;
}

/// Waits until every group is Ready and holds no grant; `deployed` also asks for a success in each.
pub async fn groups_are_settled(client: &Client, settings: &Settings, deployed: bool) {
    let is_settled = move |group: &DynamicObject| group_is_settled(group, deployed);
    let shift = settings.interval * u32::try_from(settings.steps).expect("steps");
    let kind = own("DeploymentGroup", "deploymentgroups");
    all(client, &kind, settings.deployments, shift * 4 + DEADLINE, is_settled).await;
    if deployed {
        let has_let_go =
            |d: &DynamicObject| d.data["status"]["phase"] == "Succeeded" && d.finalizers().is_empty();
        all(client, &own("Deployment", "deployments"), settings.deployments, DEADLINE, has_let_go).await;
    }
}
