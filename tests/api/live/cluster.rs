//! A cluster as far as task sets show it: as many pods as are wanted are ready at once, behind every Service that selects them.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::parts::resource;

/// The controllers of ReplicaSets and of EndpointSlices of one namespace; there are no pods.
pub struct Cluster(JoinHandle<()>);

impl Cluster {
    /// Starts them.
    pub fn start(client: &Client, namespace: &str) -> Self {
        let api = |kind| Api::namespaced_with(client.clone(), namespace, &resource(kind));
        let parts =
            Parts { task_sets: api("ReplicaSet"), services: api("Service"), slices: api("EndpointSlice") };
        Self(tokio::spawn(parts.follow()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Parts {
    task_sets: Api<DynamicObject>,
    services: Api<DynamicObject>,
    slices: Api<DynamicObject>,
}

impl Parts {
    async fn follow(self) {
        let changes = |api: &Api<DynamicObject>| {
            watcher(api.clone(), watcher::Config::default())
                .default_backoff()
                .touched_objects()
                .map(drop)
                .boxed()
        };
        let mut changes = stream::select(changes(&self.task_sets), changes(&self.services));
        while changes.next().await.is_some() {
            // What has gone meanwhile is seen at the next change.
            let _ = self.settle().await;
        }
    }

    async fn settle(&self) -> kube::Result<()> {
        let mut sizes = BTreeMap::new();
        for task_set in self.task_sets.list(&Default::default()).await? {
            let name = task_set.metadata.name.clone().unwrap_or_default();
            let wanted = task_set.data["spec"]["replicas"].as_i64().unwrap_or(0);
            let generation = task_set.metadata.generation;
            let status = json!({
                "replicas": wanted, "readyReplicas": wanted, "observedGeneration": generation,
            });
            if task_set.data["status"]["observedGeneration"].as_i64() != generation {
                let patch = Patch::Merge(json!({"status": status}));
                self.task_sets.patch_status(&name, &PatchParams::default(), &patch).await?;
            }
            sizes.insert(name, wanted);
        }
        for service in self.services.list(&Default::default()).await? {
            let task_set = service.data["spec"]["selector"]["sluice.dev/task-set"].as_str();
            let ready = task_set.map_or(0, |name| sizes.get(name).copied().unwrap_or(0));
            let name = service.metadata.name.clone().unwrap_or_default();
            let slice = slice(&name, task_set.unwrap_or_default(), ready);
            self.slices.patch(&name, &PatchParams::apply("cluster").force(), &Patch::Apply(slice)).await?;
        }
        Ok(())
    }
}

/// The pods of a task set as a Service's endpoints.
fn slice(service: &str, task_set: &str, ready: i64) -> Value {
    let endpoint = |number| {
        json!({
            "addresses": [format!("10.1.2.{number}")], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "name": format!("{task_set}-{number}")},
        })
    };
    let labels = json!({"kubernetes.io/service-name": service});
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": service, "labels": labels},
        "addressType": "IPv4", "ports": [{"port": 8080}],
        "endpoints": (1..=ready).map(endpoint).collect::<Vec<_>>(),
    })
}
