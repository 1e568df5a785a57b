//! Two controllers, one Lease: one acts, and the other takes over.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{in_world, split, weights};

/// The Lease's length and two seconds more, and what a busy machine may add.
const TAKE_OVER: Duration = Duration::from_secs(15 + 2 + 5);

#[test]
fn one_of_two_acts_hands_over_within_three_seconds_when_asked_to_end_and_is_replaced_when_killed() {
    in_world(|world| async move {
        world.start("two");
        world.prepare("hello", json!({})).await;
        let record = world.record("HTTPRoute").await;
        let config = json!({"deploymentConfigName": "quick"});
        world.deploy("first", "hello", "2", config.clone()).await;
        let begun = |d: &Value| d["status"]["traffic"]["steps"].as_array().is_some_and(|s| !s.is_empty());
        world.until("Deployment", "first", "the first step", begun).await;

        let asked = Instant::now();
        let ended = world.take("one").terminate().await;
        world.until_led_by("two").await;
        let took = asked.elapsed();
        assert!(ended < Duration::from_secs(3) && took < Duration::from_secs(5), "{ended:?}, {took:?}");
        let done = world.until_settled("first", "Succeeded").await;
        assert_eq!(done["status"]["traffic"]["steps"].as_array().map(Vec::len), Some(4));

        world.start("one");
        let before = world.get("Lease", &world.lease()).await;
        let killed = Instant::now();
        world.take("two").kill();
        world.until_led_by("one").await;
        assert!(killed.elapsed() < TAKE_OVER, "{:?}", killed.elapsed());
        let after = world.get("Lease", &world.lease()).await;
        let transitions = |lease: &Value| lease["spec"]["leaseTransitions"].as_i64().unwrap_or_default();
        assert_eq!(transitions(&after), transitions(&before) + 1);
        world.deploy("second", "hello", "1", config).await;
        world.until_settled("second", "Succeeded").await;

        let mut shares: Vec<_> = record.of("hello").iter().map(weights).collect();
        shares.dedup();
        let there = [25, 50, 75, 100].map(|n| split("hello", 100 - n, n));
        let back = [75, 50, 25, 0].map(|n| split("hello", 100 - n, n));
        assert_eq!(shares[1..], [there, back].concat(), "each step once, whoever took it");
    });
}
