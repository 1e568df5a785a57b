//! Objects of the bench's worlds: made without a type of their own, and waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio::time::Instant;

use crate::server::DEADLINE;
use crate::settings::{NAMESPACES, Settings};

/// The Gateway that all routes name.
pub const GATEWAY: &str = "bench";
/// Requests under way at once while a world is made.
pub const AT_ONCE: usize = 16;

/// Asks for each deployment, spread evenly over one interval, and collects the answers.
pub async fn spread<T, F: Future<Output = T>>(settings: &Settings, ask: impl Fn(usize) -> F) -> Vec<T> {
    let (began, ask) = (Instant::now(), &ask);
    stream::iter(0..settings.deployments)
        .map(|index| async move {
            let share = index as f64 / settings.deployments as f64;
            tokio::time::sleep_until(began + settings.interval.mul_f64(share)).await;
            ask(index).await
        })
        .buffer_unordered(settings.deployments.max(1))
        .collect()
        .await
}

/// A kind by its names.
pub fn resource(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.into(),
        version: version.into(),
        api_version: api_version.into(),
        kind: kind.into(),
        plural: plural.into(),
    }
}

/// Gateway API's HTTPRoute.
pub fn route_resource() -> ApiResource {
    resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
}

/// One of Sluice's own kinds.
pub fn own(kind: &str, plural: &str) -> ApiResource {
    resource("sluice.dev/v1alpha1", kind, plural)
}

/// Waits until the kinds can be listed: they are, a moment after their definitions are established.
pub async fn kinds_are_served(client: &Client) {
    let kinds = [
        route_resource(),
        own("Application", "applications"),
        own("DeploymentConfig", "deploymentconfigs"),
        own("DeploymentGroup", "deploymentgroups"),
        own("Deployment", "deployments"),
        own("LifecycleHook", "lifecyclehooks"),
    ];
    for kind in kinds {
        is_served(client, &kind).await;
    }
}

/// Waits until a kind can be listed.
pub async fn is_served(client: &Client, kind: &ApiResource) {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let until = Instant::now() + DEADLINE;
    while let Err(error) = api.list(&Default::default()).await {
        assert!(Instant::now() < until, "{} is not served: {error}", kind.plural);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Creates an object; labels stand at the top of its content. Panics when it is refused.
pub async fn post(client: &Client, namespace: Option<&str>, kind: &ApiResource, name: &str, content: Value) {
    let mut object = DynamicObject::new(name, kind);
    let mut content = content;
    if let Some(labels) = content.as_object_mut().and_then(|c| c.remove("labels")) {
        object.metadata.labels = serde_json::from_value(labels).expect("labels");
    }
    object.data = content;
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    };
    let created = api.create(&PostParams::default(), &object).await;
    created.unwrap_or_else(|error| panic!("{} {name}: {error}", kind.kind));
}

/// The name of everything that belongs to the Deployment of that number, and its namespace.
pub fn place(index: usize) -> (String, String) {
    (format!("bench-{}", index % NAMESPACES), format!("f{index:05}"))
}

/// Waits until `count` objects of a kind are as they are to be, and answers when each of them was; panics past the deadline.
pub async fn all(
    client: &Client,
    kind: &ApiResource,
    count: usize,
    deadline: Duration,
    is_done: impl Fn(&DynamicObject) -> bool,
) -> BTreeMap<(String, String), Instant> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let mut done = BTreeMap::new();
    let mut last = String::new();
    let watched = async {
        let mut events =
            std::pin::pin!(watcher(api, watcher::Config::default().streaming_lists()).applied_objects());
        while done.len() < count {
            let object =
                events.next().await.expect("a watch does not end").expect("the objects can be watched");
            let key = (object.namespace().unwrap_or_default(), object.name_any());
            if is_done(&object) {
                done.entry(key).or_insert_with(Instant::now);
            } else {
                last = format!("{}/{}: {:#}", key.0, key.1, object.data["status"]);
                done.remove(&key);
            }
        }
    };
    let outcome = tokio::time::timeout(deadline, watched).await;
    assert!(
        outcome.is_ok(),
        "{} of {count} {} after {deadline:?}; one of the others: {last}",
        done.len(),
        kind.plural
    );
    done
}

/// True if a group is Ready and holds no grant; `deployed` also asks for a success.
pub fn group_is_settled(group: &DynamicObject, deployed: bool) -> bool {
    let status = &group.data["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let is_ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let is_current = status["observedGeneration"].as_i64() == group.metadata.generation;
    let has_success = !status["lastSuccessfulDeployment"].is_null();
    is_ready && is_current && status["activeDeployment"].is_null() && (has_success || !deployed)
}
