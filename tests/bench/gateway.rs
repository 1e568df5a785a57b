//! Plays the gateway: every generation of every route is accepted at once, with all references resolved.

use std::collections::HashMap;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::objects::{GATEWAY, route_resource};

/// Plays it in a world that may have no routes.
pub async fn play_if_there(client: Client) {
    let routes: Api<DynamicObject> = Api::all_with(client.clone(), &route_resource());
    if routes.list(&Default::default()).await.is_ok() {
        play(client).await;
    }
}

/// Answers until the end of the process.
pub async fn play(client: Client) {
    let routes: Api<DynamicObject> = Api::all_with(client.clone(), &route_resource());
    let mut events =
        std::pin::pin!(watcher(routes, watcher::Config::default().streaming_lists()).applied_objects());
    let mut answered: HashMap<String, i64> = HashMap::new();
    while let Some(event) = events.next().await {
        let route = event.expect("the routes can be watched");
        let generation = route.metadata.generation.unwrap_or_default();
        let last = answered.entry(route.uid().unwrap_or_default()).or_default();
        if *last < generation {
            *last = generation;
            tokio::spawn(answer(client.clone(), route, generation));
        }
    }
}

async fn answer(client: Client, route: DynamicObject, generation: i64) {
    let namespace = route.namespace().unwrap_or_default();
    let routes: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &route_resource());
    let patch = Patch::Merge(json!({"status": status(generation, Timestamp::now())}));
    routes.patch_status(&route.name_any(), &PatchParams::default(), &patch).await.expect("a status is taken");
}

fn status(generation: i64, now: Timestamp) -> Value {
    let word = |type_: &str| {
        json!({
            "type": type_, "status": "True", "reason": type_, "message": "",
            "observedGeneration": generation, "lastTransitionTime": now.round(jiff::Unit::Second).expect("a second").to_string(),
        })
    };
    json!({"parents": [{
        "parentRef": {"name": GATEWAY},
        "controllerName": "sluice.dev/bench",
        "conditions": [word("Accepted"), word("ResolvedRefs")],
    }]})
}
