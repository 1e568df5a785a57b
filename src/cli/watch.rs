//! Follows one Deployment to its end, by a watch on its name: no polling, and no end before its end when the API server
//! goes away for a while.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::error::{Error, root_cause};
use super::host_looks::HostLooks;
use super::screen::Screen;
use crate::api::{Deployment, Instance, Phase};

/// How often a terminal's ages and count-downs are drawn anew.
const BEAT: Duration = Duration::from_secs(1);

/// The first and the longest pause before a lost connection is tried again: a person is looking on.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Pauses that double up to the longest; the default ones of kube grow to 30 s, which suits controllers.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(PAUSES.0)
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSES.1);
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0 = PAUSES.0;
    }
}

/// What to follow.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Name of the Deployment.
    pub name: String,
    /// Its uid, if the caller has just created it: then a connection that fails at the start is tried again.
    pub uid: Option<String>,
    /// The longest that is waited.
    pub timeout: Option<SignedDuration>,
}

/// Shows every change until the Deployment has ended, and gives it as it was then.
///
/// # Errors
/// No such Deployment, one that goes away, an API server that refuses at the start, a timeout.
pub async fn follow(
    api: &Api<Deployment>,
    instances: &Api<Instance>,
    followed: &Followed,
    screen: &mut Screen,
    clock: fn() -> Timestamp,
) -> Result<Deployment, Error> {
    let end = until_end(api, instances, followed, screen, clock);
    match followed.timeout {
        None => end.await,
        Some(after) => timeout(after.unsigned_abs(), end)
            .await
            .unwrap_or_else(|_| Err(Error::TimedOut { name: followed.name.clone(), after })),
    }
}

/// The exit code that an end stands for.
pub fn exit_code(end: Phase) -> u8 {
    u8::from(end != Phase::Succeeded)
}

async fn until_end(
    api: &Api<Deployment>,
    instances: &Api<Instance>,
    followed: &Followed,
    screen: &mut Screen,
    clock: fn() -> Timestamp,
) -> Result<Deployment, Error> {
    let mut looks = pin!(watcher::watch_object(api.clone(), &followed.name).backoff(Pauses::new()));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen: Option<Deployment> = None;
    let mut hosts = HostLooks::none();
    loop {
        let look = tokio::select! {
            look = looks.next() => look,
            look = hosts.next() => {
                hosts.take(look, screen);
                continue;
            }
            _ = beat.tick(), if screen.counts_down() && seen.is_some() => {
                seen.iter().try_for_each(|d| screen.redraw(d, clock()))?;
                continue;
            }
        };
        match look {
            Some(Ok(Some(deployment))) => {
                check_identity(followed, seen.as_ref(), &deployment)?;
                hosts.begin(instances, &deployment, screen);
                screen.update(seen.as_ref(), &deployment, clock())?;
                if deployment.phase().has_ended() {
                    return Ok(deployment);
                }
                seen = Some(deployment);
            }
            Some(Ok(None)) | None => return Err(gone(followed, seen.is_some())),
            Some(Err(error)) if seen.is_none() && followed.uid.is_none() => return Err(server(error)),
            Some(Err(error)) if is_stale(&error) => {}
            Some(Err(error)) => screen.lose(&root_cause(&error), clock()),
        }
    }
}

fn check_identity(followed: &Followed, seen: Option<&Deployment>, new: &Deployment) -> Result<(), Error> {
    let known = seen.map(Deployment::uid).or(followed.uid.as_deref());
    if known.is_some_and(|uid| uid != new.uid()) {
        return Err(Error::Recreated(followed.name.clone()));
    }
    Ok(())
}

fn gone(followed: &Followed, was_seen: bool) -> Error {
    if was_seen || followed.uid.is_some() {
        Error::Deleted(followed.name.clone())
    } else {
        Error::NotFound(followed.name.clone())
    }
}

/// A watch that was too far behind; the watcher lists and goes on.
fn is_stale(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

fn server(error: watcher::Error) -> Error {
    match error {
        watcher::Error::InitialListFailed(inner)
        | watcher::Error::WatchStartFailed(inner)
        | watcher::Error::WatchFailed(inner) => Error::Server(inner),
        watcher::Error::WatchError(status) => Error::Server(kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => Error::Unwatchable,
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::fixture;
    use super::*;

    fn followed(uid: Option<&str>) -> Followed {
        Followed { name: "d".into(), uid: uid.map(Into::into), timeout: None }
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_begin_anew_after_success() {
        let mut pauses = Pauses::new();
        let millis: Vec<u128> = pauses.by_ref().take(5).map(|p| p.as_millis()).collect();
        assert_eq!(millis, [250, 500, 1000, 2000, 2000]);
        pauses.reset();
        assert_eq!(pauses.next(), Some(PAUSES.0));
    }

    #[test]
    fn only_success_is_exit_code_zero() {
        assert_eq!([Phase::Succeeded, Phase::Failed, Phase::Stopped].map(exit_code), [0, 1, 1]);
    }

    #[test]
    fn another_object_of_the_name_is_another_deployment() {
        let deployment = fixture::shifting();
        assert!(check_identity(&followed(None), None, &deployment).is_ok());
        assert!(check_identity(&followed(Some("u1")), None, &deployment).is_ok());
        assert!(check_identity(&followed(Some("u0")), None, &deployment).is_err());
        let mut other = fixture::shifting();
        other.metadata.uid = Some("u2".into());
        assert!(check_identity(&followed(None), Some(&deployment), &other).is_err());
    }

    #[test]
    fn what_was_never_there_is_told_from_what_went_away() {
        assert!(matches!(gone(&followed(None), false), Error::NotFound(_)));
        assert!(matches!(gone(&followed(None), true), Error::Deleted(_)));
        assert!(matches!(gone(&followed(Some("u")), false), Error::Deleted(_)));
    }
}
