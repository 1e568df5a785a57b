//! Hosts fall silent: each when its own Lease no longer holds, by the time that its agent said.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::parts;
use super::world::{World, condition, in_world};

/// What an agent writes that renews its Lease now.
fn renewal(holds_for: i64) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({"holderIdentity": "boot", "renewTime": now, "leaseDurationSeconds": holds_for})
}

/// A host that is heard of.
async fn heard(world: &World, name: &str, holds_for: i64) {
    world.apply(&parts::manifest("Instance", name, json!({}))).await;
    let mut lease = parts::manifest("Lease", name, renewal(holds_for));
    // As registration makes it: no other Lease is a host's.
    lease["metadata"]["labels"] = json!({"sluice.dev/instance": name});
    world.apply(&lease).await;
    world.until("Instance", name, "it is heard of", |i| condition(i, "Ready") == ("True", "Heard")).await;
}

#[test]
fn a_host_is_silent_when_its_own_lease_ends_also_one_that_held_longer_before() {
    in_world(|world| async move {
        heard(&world, "usual", 120).await;
        heard(&world, "hurried", 120).await;
        heard(&world, "lively", 60).await;
        world.merge("Lease", "hurried", json!({"spec": renewal(60)})).await;
        let renewed = Timestamp::now();
        for name in ["lively", "hurried"] {
            let is_silent = |i: &Value| condition(i, "Ready") == ("Unknown", "Silent");
            world.until("Instance", name, "it is silent", is_silent).await;
        }
        let lasted = Timestamp::now().duration_since(renewed).as_secs();
        assert!((50..90).contains(&lasted), "{lasted} s");
        assert_eq!(condition(&world.get("Instance", "usual").await, "Ready"), ("True", "Heard"));
        world.merge("Lease", "lively", json!({"spec": renewal(60)})).await;
        world.until("Instance", "lively", "it is back", |i| condition(i, "Ready") == ("True", "Heard")).await;
        world.expect_enough_rights();
    });
}
