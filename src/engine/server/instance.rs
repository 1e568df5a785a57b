//! What an Instance says of itself: whether its host is heard of, and which of its assignments nobody needs any more.

use jiff::{SignedDuration, Timestamp};

use super::host::HostFact;
use crate::api::condition::{Condition, TRUE, UNKNOWN, find};

/// After how many seconds without a renewal a host is not heard of whose Lease does not say it: three times the 40 s of an agent
/// that nothing else is told.
pub const SILENCE: i64 = 120;
/// What is believed of what a Lease says, in seconds: agents renew every 20 s to every 10 minutes. A watch that died is noticed after half a minute, in
/// which no host may seem silent; and nobody is to keep a dead host among the healthy by a large number.
const BELIEVED: (i64, i64) = (60, 1_800);

/// How long a host may be silent whose Lease says that a renewal holds for so many seconds.
pub fn silence(said: Option<i64>) -> SignedDuration {
    SignedDuration::from_secs(said.unwrap_or(SILENCE).clamp(BELIEVED.0, BELIEVED.1))
}

/// What is known of a host's heartbeat.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// There is no Lease.
    Never,
    /// Its Lease was renewed.
    Last {
        /// When, by our clock or the API server's: hosts' own clocks may be minutes off.
        at: Timestamp,
        /// After how long without another it is not heard of any more.
        silence: SignedDuration,
    },
}

/// The Ready condition, if it must be written, and when to look again.
pub fn ready(
    before: &[Condition],
    heartbeat: Heartbeat,
    now: Timestamp,
) -> (Option<Condition>, Option<Timestamp>) {
    let (status, reason, message, wake) = match heartbeat {
        Heartbeat::Last { at, silence } if now.duration_since(at) < silence => {
            (TRUE, "Heard", "its agent renews its Lease".to_owned(), Some(at + silence))
        }
        Heartbeat::Last { at, .. } => {
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

    fn last(secs: i64) -> Heartbeat {
        Heartbeat::Last { at: at(secs), silence: silence(None) }
    }

    #[test]
    fn a_silent_host_is_unknown_and_its_condition_is_written_on_change_only() {
        let (heard, wake) = ready(&[], last(100), at(130));
        let heard = heard.unwrap();
        assert_eq!((heard.status.as_str(), wake), ("True", Some(at(220))));
        assert_eq!(ready(std::slice::from_ref(&heard), last(180), at(200)), (None, Some(at(300))));
        let (silent, wake) = ready(&[heard], last(180), at(300));
        let silent = silent.unwrap();
        assert_eq!((silent.status.as_str(), silent.last_transition_time.0, wake), ("Unknown", at(300), None));
        assert_eq!(ready(&[silent], last(180), at(900)), (None, None));
        let (never, _) = ready(&[], Heartbeat::Never, at(1));
        assert_eq!(never.unwrap().reason, "NeverHeard");
    }

    #[test]
    fn a_lease_says_how_long_a_silence_is_one_within_what_is_believed() {
        for (said, seconds) in [
            (None, 120),
            (Some(60), 60),
            (Some(1_800), 1_800),
            (Some(59), 60),
            (Some(86_400), 1_800),
            (Some(-1), 60),
        ] {
            assert_eq!(silence(said), SignedDuration::from_secs(seconds), "{said:?}");
        }
        let short = Heartbeat::Last { at: at(100), silence: silence(Some(60)) };
        let (heard, wake) = ready(&[], short, at(159));
        assert_eq!((heard.unwrap().reason.as_str(), wake), ("Heard", Some(at(160))));
        assert_eq!(ready(&[], short, at(160)).0.unwrap().reason, "Silent");
        let long = Heartbeat::Last { at: at(100), silence: silence(Some(1_800)) };
        assert_eq!(ready(&[], long, at(1_899)).0.unwrap().reason, "Heard");
    }
}
