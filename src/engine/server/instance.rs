//! What an Instance says of itself: whether its host is heard of, and which of its assignments nobody needs any more.

use jiff::{SignedDuration, Timestamp};

use super::host::HostFact;
use crate::api::condition::{Condition, TRUE, UNKNOWN, find};

/// A host that has not renewed its Lease for this long is not heard of (it does so every 40 s).
pub const SILENCE: SignedDuration = SignedDuration::from_secs(120);

/// What is known of a host's heartbeat.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// There is no Lease.
    Never,
    /// Its Lease was renewed then, by our clock or the API server's: hosts' own clocks may be minutes off.
    Last(Timestamp),
}

/// The Ready condition, if it must be written, and when to look again.
pub fn ready(
    before: &[Condition],
    heartbeat: Heartbeat,
    now: Timestamp,
) -> (Option<Condition>, Option<Timestamp>) {
    let (status, reason, message, wake) = match heartbeat {
        Heartbeat::Last(at) if now.duration_since(at) < SILENCE => {
            (TRUE, "Heard", "its agent renews its Lease".to_owned(), Some(at + SILENCE))
        }
        Heartbeat::Last(at) => {
            let message = format!("its agent has not renewed its Lease since {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"));
            (UNKNOWN, "Silent", message, None)
        }
        Heartbeat::Never => (
            UNKNOWN,
            "NeverHeard",
            "no agent has renewed its Lease yet; start sluice-agent there with the configuration that kubectl sluice register printed"
                .to_owned(),
            None,
        ),
    };
    let had = find(before, "Ready").filter(|c| c.status == status);
    if had.is_some_and(|c| c.reason == reason) {
        return (None, wake);
    }
    let since = had.map_or(now, |c| c.last_transition_time.0);
    let condition = Condition {
        type_: "Ready".into(),
        status: status.into(),
        reason: reason.into(),
        message,
        observed_generation: None,
        last_transition_time: crate::api::condition::at(since),
    };
    (Some(condition), wake)
}

/// The first assignment that belongs to a group which is no more: its index and the group's name. `is_needed` answers by a
/// group's name and uid and a Deployment's name and uid.
pub fn unneeded(
    host: &HostFact,
    is_needed: impl Fn((&str, &str), (&str, &str)) -> bool,
) -> Option<(usize, String)> {
    host.entries.iter().find_map(|entry| {
        let wanted = entry.wanted.as_ref()?;
        let (group, by) =
            ((&*entry.group, &*wanted.group_uid), (&*wanted.deployment, &*wanted.deployment_uid));
        (!is_needed(group, by)).then(|| (wanted.place, entry.group.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_silent_host_is_unknown_and_its_condition_is_written_on_change_only() {
        let (heard, wake) = ready(&[], Heartbeat::Last(at(100)), at(130));
        let heard = heard.unwrap();
        assert_eq!((heard.status.as_str(), wake), ("True", Some(at(220))));
        assert_eq!(
            ready(std::slice::from_ref(&heard), Heartbeat::Last(at(180)), at(200)),
            (None, Some(at(300)))
        );
        let (silent, wake) = ready(&[heard], Heartbeat::Last(at(180)), at(300));
        let silent = silent.unwrap();
        assert_eq!((silent.status.as_str(), silent.last_transition_time.0, wake), ("Unknown", at(300), None));
        assert_eq!(ready(&[silent], Heartbeat::Last(at(180)), at(900)), (None, None));
        let (never, _) = ready(&[], Heartbeat::Never, at(1));
        assert_eq!(never.unwrap().reason, "NeverHeard");
    }
}
