//! ConfigMaps that groups desire, each watched by its name: a look-up in a map for the API server, not a scan.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::context::Context;
use crate::cluster::expectations::ObjectKey;

/// The kind under which looks at ConfigMaps are noted.
pub const KIND: &str = "ConfigMap";

/// What is known of the watched ConfigMaps.
#[derive(Default)]
pub struct ConfigMaps {
    watched: Mutex<HashMap<(String, String), Watched>>,
}

struct Watched {
    task: tokio::task::AbortHandle,
    state: State,
}

/// A ConfigMap as far as it is known.
#[derive(Clone, Debug)]
pub enum State {
    /// Not listed yet.
    Unknown,
    /// There is none.
    Absent,
    /// It is there.
    Present(Arc<ConfigMap>),
}

impl ConfigMaps {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<(String, String), Watched>) -> T) -> T {
        f(&mut self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of one.
    pub fn state(&self, namespace: &str, name: &str) -> State {
        self.with(|all| all.get(&(namespace.into(), name.into())).map_or(State::Unknown, |w| w.state.clone()))
    }

    /// Ends the watches that nobody needs any more.
    pub fn prune(&self, is_needed: impl Fn(&str, &str) -> bool) {
        self.with(|all| {
            all.retain(|(namespace, name), watched| {
                let stays = is_needed(namespace, name);
                if !stays {
                    watched.task.abort();
                }
                stays
            });
        });
    }
}

/// Watches a ConfigMap, unless that is done already.
pub fn watch(context: &Arc<Context>, namespace: &str, name: &str) {
    context.config_maps.with(|all| {
        let key = (namespace.to_owned(), name.to_owned());
        if all.contains_key(&key) {
            return;
        }
        let client = context.watch_client(all.len() / 50);
        let task = tokio::spawn(follow(Arc::clone(context), client, key.clone())).abort_handle();
        all.insert(key, Watched { task, state: State::Unknown });
    });
}

async fn follow(context: Arc<Context>, client: Client, key: (String, String)) {
    let api = Api::<ConfigMap>::namespaced(client, &key.0);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", key.1)).streaming_lists();
    let events = watcher(api, config).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed = State::Absent;
    while let Some(event) = events.next().await {
        let state = match event {
            Ok(watcher::Event::Apply(found)) => State::Present(Arc::new(found)),
            Ok(watcher::Event::Delete(_)) => State::Absent,
            Ok(watcher::Event::Init) => {
                listed = State::Absent;
                continue;
            }
            Ok(watcher::Event::InitApply(found)) => {
                listed = State::Present(Arc::new(found));
                continue;
            }
            Ok(watcher::Event::InitDone) => listed.clone(),
            Err(error) => {
                tracing::warn!(%error, namespace = key.0, name = key.1, "failed to watch a ConfigMap; trying again");
                continue;
            }
        };
        context.config_maps.with(|all| {
            if let Some(watched) = all.get_mut(&key) {
                watched.state = state;
            }
        });
        let object = ObjectKey::new(KIND, &key.0, &key.1);
        context.wake_lookers(&object);
    }
}
