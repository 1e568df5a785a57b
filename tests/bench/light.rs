//! The speed of light: how long one write takes when nothing else is going on, seen by a client that waits for each answer.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;

use crate::objects::route_resource;
use crate::{say, world};

const WARM_UP: usize = 50;
const WRITES: usize = 300;

/// Round trips of a JSON Patch like the one that a step writes, in order of length.
pub async fn round_trips(client: &Client) -> Vec<Duration> {
    say("measuring one write round trip");
    let namespace = "bench-0";
    let routes: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &route_resource());
    let mut trips = Vec::new();
    for round in 0..WARM_UP + WRITES {
        let patch = json!([
            {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": round % 100 + 1},
        ]);
        let patch: json_patch::Patch = serde_json::from_value(patch).expect("a patch");
        let began = Instant::now();
        let written = routes.patch(world::SPARE, &PatchParams::default(), &Patch::Json::<()>(patch)).await;
        trips.push(began.elapsed());
        written.expect("a write");
    }
    let mut trips = trips.split_off(WARM_UP);
    trips.sort();
    trips
}
