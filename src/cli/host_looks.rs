//! The hosts of a followed Deployment, by a watch on the namespace's Instances: only for a view on a terminal, and only for a
//! Deployment on Server. It is an extra: where it may not be had, the Deployment's record is shown alone.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, ResourceExt};

use super::render::server_of;
use super::screen::Screen;
use super::watch::Pauses;
use crate::api::{Deployment, Instance};

type Look = Result<Event<Instance>, watcher::Error>;

/// Looks at the hosts, once there are any to look at.
pub(super) struct HostLooks {
    looks: Option<BoxStream<'static, Look>>,
    /// Names that a list in progress has given so far.
    listed: BTreeSet<String>,
}

impl HostLooks {
    /// Nothing is looked at yet.
    pub(super) fn none() -> Self {
        Self { looks: None, listed: BTreeSet::new() }
    }

    /// Begins to look, if the Deployment has hosts and somebody looks at the screen; once.
    pub(super) fn begin(&mut self, api: &Api<Instance>, deployment: &Deployment, screen: &mut Screen) {
        if self.looks.is_none() && screen.hosts().is_some() && server_of(deployment).is_some() {
            let looks = watch(api.clone(), watcher::Config::default()).backoff(Pauses::new());
            self.looks = Some(looks.boxed());
        }
    }

    /// The next look; never comes before [`Self::begin`].
    pub(super) async fn next(&mut self) -> Option<Look> {
        match &mut self.looks {
            Some(looks) => looks.next().await,
            None => std::future::pending().await,
        }
    }

    /// Keeps what was seen for the next drawing. Who may not look is not told again and again.
    pub(super) fn take(&mut self, look: Option<Look>, screen: &mut Screen) {
        let Some(hosts) = screen.hosts() else { return };
        match look {
            None => self.looks = Some(stream::pending().boxed()),
            Some(Err(error)) if is_refusal(&error) => self.looks = Some(stream::pending().boxed()),
            Some(Err(_)) => {}
            Some(Ok(Event::Init)) => self.listed.clear(),
            Some(Ok(Event::InitApply(host))) => {
                self.listed.insert(host.name_any());
                hosts.insert(host.name_any(), host);
            }
            Some(Ok(Event::InitDone)) => hosts.retain(|name, _| self.listed.contains(name)),
            Some(Ok(Event::Apply(host))) => {
                hosts.insert(host.name_any(), host);
            }
            Some(Ok(Event::Delete(host))) => {
                hosts.remove(&host.name_any());
            }
        }
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    let is_403 = |inner: &kube::Error| matches!(inner, kube::Error::Api(status) if status.code == 403);
    match error {
        watcher::Error::InitialListFailed(inner)
        | watcher::Error::WatchStartFailed(inner)
        | watcher::Error::WatchFailed(inner) => is_403(inner),
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::fixture;
    use super::super::screen::Live;
    use super::*;

    #[test]
    fn hosts_come_and_go_as_they_are_seen() {
        let mut screen = Screen::Live(Live::default());
        let mut looks = HostLooks::none();
        let all = fixture::hosts();
        let (first, second) = (all["web-1"].clone(), all["web-2"].clone());
        let names = |screen: &mut Screen| screen.hosts().unwrap().keys().cloned().collect::<Vec<_>>();
        for event in
            [Event::Init, Event::InitApply(first.clone()), Event::InitApply(second.clone()), Event::InitDone]
        {
            looks.take(Some(Ok(event)), &mut screen);
        }
        assert_eq!(names(&mut screen), ["web-1", "web-2"]);
        looks.take(Some(Ok(Event::Delete(first.clone()))), &mut screen);
        assert_eq!(names(&mut screen), ["web-2"]);
        looks.take(Some(Ok(Event::Apply(first))), &mut screen);
        for event in [Event::Init, Event::InitApply(second), Event::InitDone] {
            looks.take(Some(Ok(event)), &mut screen);
        }
        assert_eq!(names(&mut screen), ["web-2"], "a new list forgets what is gone");
    }

    #[tokio::test]
    async fn only_a_view_of_a_deployment_on_hosts_asks_for_them() {
        let mut looks = HostLooks::none();
        let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        let api = Api::namespaced(kube::Client::try_from(config).unwrap(), "prod");
        looks.begin(&api, &fixture::in_place(), &mut Screen::Silent);
        assert!(looks.looks.is_none(), "nobody looks");
        let mut live = Screen::Live(Live::default());
        looks.begin(&api, &fixture::shifting(), &mut live);
        assert!(looks.looks.is_none(), "a function has no hosts");
        looks.begin(&api, &fixture::in_place(), &mut live);
        assert!(looks.looks.is_some());
    }
}
