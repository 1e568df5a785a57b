//! Everything that the watches of a story's namespace saw of its Deployments and its route, in order.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use jiff::Timestamp;
use kube::Client;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;

use crate::story::{DEPLOYMENT, GROUP, Kind, ROUTE, api, value};

/// Every state that was seen, with the time of seeing it.
#[derive(Clone, Default)]
pub struct Record {
    seen: Arc<Mutex<Vec<(Timestamp, Value)>>>,
}

impl Record {
    /// Begins to watch.
    pub fn start(client: &Client, namespace: &str) -> Self {
        let record = Self::default();
        for kind in [DEPLOYMENT, GROUP, ROUTE] {
            tokio::spawn(record.clone().follow(client.clone(), namespace.to_owned(), kind));
        }
        record
    }

    async fn follow(self, client: Client, namespace: String, kind: Kind) {
        let config = watcher::Config::default();
        let mut objects =
            watcher(api(&client, &namespace, kind), config).default_backoff().applied_objects().boxed();
        while let Some(object) = objects.next().await {
            let Ok(object) = object else { continue };
            self.seen.lock().unwrap().push((Timestamp::now(), value(&object)));
        }
    }

    /// The states of one object.
    pub fn of(&self, kind: Kind, name: &str) -> Vec<(Timestamp, Value)> {
        let seen = self.seen.lock().unwrap();
        let is_it =
            |o: &Value| o["kind"] == kind.1 && o["apiVersion"] == kind.0 && o["metadata"]["name"] == name;
        seen.iter().filter(|(_, o)| is_it(o)).cloned().collect()
    }

    /// The percentages that a Service had of the route, change by change; every rule must say the same.
    pub fn shares(&self, service: &str) -> Vec<i64> {
        let mut shares = vec![];
        for (_, route) in self.of(ROUTE, "hello") {
            let rules = route["spec"]["rules"].as_array().cloned().unwrap_or_default();
            let by_rule: Vec<i64> = rules.iter().map(|rule| share(rule, service)).collect();
            assert!(by_rule.windows(2).all(|w| w[0] == w[1]), "the rules differ: {rules:?}");
            shares.extend(by_rule.first());
        }
        shares.dedup();
        shares
    }

    /// The replacement's share moved only forward.
    pub fn moved_forward(&self, replacement: u32) {
        let shares = self.shares(&format!("hello-{replacement}"));
        assert!(shares.is_sorted(), "the weights of hello-{replacement} moved backwards: {shares:?}");
    }
}

/// A Service's percentage of one rule.
pub fn share(rule: &Value, service: &str) -> i64 {
    let refs = rule["backendRefs"].as_array().cloned().unwrap_or_default();
    let weight = |r: &Value| r["weight"].as_i64().unwrap_or(1);
    let sum: i64 = refs.iter().map(weight).sum();
    let own: i64 = refs.iter().filter(|r| r["name"] == service).map(weight).sum();
    if sum == 0 { 0 } else { own * 100 / sum }
}
