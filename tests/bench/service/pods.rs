//! When the old version's pods are gone: seen by the bench, as controllers do not agree on when that is.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use tokio::time::Instant;

use super::{PATIENCE, Times, image};
use crate::settings::Settings;

/// Waits until no pod of the first version is left anywhere, and answers since when each group has had none.
pub async fn old_are_gone(client: &Client, settings: &Settings) -> Times {
    let mut left: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut gone = Times::new();
    let watched = async {
        let config = watcher::Config::default().streaming_lists();
        let mut events = std::pin::pin!(watcher::watcher(Api::<Pod>::all(client.clone()), config));
        while gone.len() < settings.deployments {
            let event = events.next().await.expect("a watch does not end").expect("pods can be watched");
            match event {
                Event::InitApply(pod) | Event::Apply(pod) if is_old(&pod) => {
                    left.entry(group_of(&pod)).or_default().insert(pod.name_any());
                }
                Event::Delete(pod) if is_old(&pod) => {
                    let others = left.entry(group_of(&pod)).or_default();
                    others.remove(&pod.name_any());
                    if others.is_empty() {
                        gone.insert(group_of(&pod), Instant::now());
                    }
                }
                _ => {}
            }
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, watched).await;
    assert!(outcome.is_ok(), "pods of the first version after {PATIENCE:?}: {left:?}");
    gone
}

fn is_old(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.into_iter().any(|c| c.image.as_deref() == Some(image(1).as_str()))
}

fn group_of(pod: &Pod) -> (String, String) {
    let name = pod.labels().get("app").cloned().unwrap_or_default();
    (pod.namespace().unwrap_or_default(), name)
}
