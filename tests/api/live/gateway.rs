//! A gateway as far as a route shows it: writes Accepted and ResolvedRefs for a route's generation while it is told to.

use futures::StreamExt;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::parts::resource;

/// Answers for every route of one namespace; starts out answering.
pub struct Gateway {
    answers: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Starts one.
    pub fn start(client: &Client, namespace: &str) -> Self {
        let (answers, is_answering) = watch::channel(true);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource("HTTPRoute"));
        Self { answers, task: tokio::spawn(serve(api, is_answering)) }
    }

    /// Falls silent: what routes say now stays.
    pub fn be_silent(&self) {
        self.answers.send_replace(false);
    }

    /// Answers again, also for what was written meanwhile.
    pub fn answer(&self) {
        self.answers.send_replace(true);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(api: Api<DynamicObject>, mut answers: watch::Receiver<bool>) {
    let routes = watcher(api.clone(), watcher::Config::default()).default_backoff().applied_objects();
    let mut routes = std::pin::pin!(routes);
    loop {
        tokio::select! {
            Some(route) = routes.next() => {
                let is_answering = *answers.borrow();
                if let (Ok(route), true) = (route, is_answering) {
                    answer(&api, &route).await;
                }
            }
            changed = answers.changed() => {
                if changed.is_err() {
                    return;
                }
                let is_answering = *answers.borrow();
                let listed = api.list(&Default::default()).await.map(|l| l.items).unwrap_or_default();
                for route in listed.iter().filter(|_| is_answering) {
                    answer(&api, route).await;
                }
            }
        }
    }
}

async fn answer(api: &Api<DynamicObject>, route: &DynamicObject) {
    let generation = route.metadata.generation.unwrap_or_default();
    if route.data["status"]["parents"][0]["conditions"][0]["observedGeneration"] == generation {
        return;
    }
    let name = route.metadata.name.as_deref().unwrap_or_default();
    // The route may have gone meanwhile.
    let _ = api.patch_status(name, &PatchParams::default(), &Patch::Merge(status(generation))).await;
}

fn status(generation: i64) -> Value {
    let word = |type_: &str| {
        json!({
            "type": type_, "status": "True", "reason": type_, "message": "", "observedGeneration": generation,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        })
    };
    let parent = json!({
        "parentRef": {"name": "gateway"}, "controllerName": "example.com/gateway",
        "conditions": [word("Accepted"), word("ResolvedRefs")],
    });
    json!({"status": {"parents": [parent]}})
}
