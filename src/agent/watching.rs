//! The one watch: this host's own Instance, by its exact name.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use super::clock;
use crate::api::Instance;

/// How long the API server is asked to keep a watch open, in seconds; its own limit may be shorter.
const LENGTH: u32 = 30 * 60;
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What the watch said last.
#[derive(Clone, Debug, Default)]
pub enum Seen {
    /// Nothing yet.
    #[default]
    Nothing,
    /// This is the Instance.
    Here(Arc<Instance>),
    /// There is none.
    Gone,
}

impl Seen {
    /// The Instance, if there is one.
    pub fn instance(&self) -> Option<&Arc<Instance>> {
        match self {
            Self::Here(instance) => Some(instance),
            Self::Nothing | Self::Gone => None,
        }
    }
}

/// Follows the Instance for ever.
pub async fn follow(client: Client, namespace: &str, name: &str, seen: &watch::Sender<Seen>) {
    let api: Api<Instance> = Api::namespaced(client, namespace);
    let length = clock::jittered(Duration::from_secs(LENGTH.into())).as_secs();
    let config = watcher::Config::default()
        .fields(&format!("metadata.name={name}"))
        .timeout(u32::try_from(length).unwrap_or(LENGTH))
        .streaming_lists();
    let mut events = Box::pin(watcher(api, config));
    let (mut listed, mut failures) = (None, 0_u32);
    let mut uid = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if failures > 0 {
                    tracing::info!(failures, "the watch of the Instance is back");
                }
                failures = 0;
                if let Some(now) = take(event, &mut listed) {
                    seen.send_replace(same(now, &mut uid));
                }
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(%error, "the watch of the Instance was cut; what is known goes on");
                }
                clock::sleep(pause(failures)).await;
            }
        }
    }
}

/// What an event says, if it says something by itself.
fn take(event: Event<Instance>, listed: &mut Option<Instance>) -> Option<Seen> {
    match event {
        Event::Init => *listed = None,
        Event::InitApply(instance) => *listed = Some(instance),
        Event::InitDone => return Some(listed.take().map_or(Seen::Gone, here)),
        Event::Apply(instance) => return Some(here(instance)),
        Event::Delete(_) => return Some(Seen::Gone),
    }
    None
}

/// Another object of the name is another host's.
fn same(seen: Seen, uid: &mut Option<String>) -> Seen {
    let Some(instance) = seen.instance() else { return seen };
    let known = uid.get_or_insert_with(|| instance.uid().unwrap_or_default());
    if instance.uid().as_ref() == Some(known) { seen } else { Seen::Gone }
}

fn here(mut instance: Instance) -> Seen {
    instance.metadata.managed_fields = None;
    Seen::Here(Arc::new(instance))
}

/// Anything up to a bound that doubles: a fleet that lost its server does not come back all at once.
fn pause(failures: u32) -> Duration {
    let bound = Duration::from_secs(1 << failures.min(5)).min(MAX_PAUSE);
    clock::anything_up_to(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(uid: &str) -> Instance {
        let mut instance = Instance::new("web-1", crate::api::InstanceSpec::default());
        instance.metadata.uid = Some(uid.into());
        instance
    }

    fn told(events: Vec<Event<Instance>>) -> Vec<&'static str> {
        let (mut listed, mut uid) = (None, None);
        let said = events.into_iter().filter_map(|event| take(event, &mut listed));
        let said = said.map(|seen| same(seen, &mut uid));
        said.map(|seen| if seen.instance().is_some() { "here" } else { "gone" }).collect()
    }

    #[test]
    fn an_empty_list_a_deletion_and_another_object_of_the_name_all_say_gone() {
        assert_eq!(told(vec![Event::Init, Event::InitDone]), ["gone"]);
        let begun = || vec![Event::Init, Event::InitApply(instance("u")), Event::InitDone];
        assert_eq!(told(begun()), ["here"]);
        let after = |event| told(begun().into_iter().chain([event]).collect());
        assert_eq!(after(Event::Apply(instance("u"))), ["here", "here"]);
        assert_eq!(after(Event::Delete(instance("u"))), ["here", "gone"]);
        assert_eq!(after(Event::Apply(instance("another"))), ["here", "gone"]);
    }

    #[test]
    fn the_first_pause_is_short_and_none_is_longer_than_half_a_minute() {
        assert!((0..200).all(|_| pause(1) <= Duration::from_secs(2)));
        assert!((0..200).all(|_| pause(40) <= MAX_PAUSE));
    }
}
