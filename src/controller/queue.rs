//! One reconciled kind: its queue, its reconciler, and the fate of its errors. No object is reconciled twice at once.
//!
//! Each reconcile is a task of its own, so that news for one costs nothing for the others that are under way.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Resource;
use tokio::task::JoinSet;

use super::clock;
use super::context::Context;
use super::kinds::{Kind, Kinds};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, Fate};

/// After a failure on the way to the API server.
const RETRY: Duration = Duration::from_secs(1);
/// After a refusal: only a change of rights or policies can help.
const REFUSED: Duration = Duration::from_secs(30);
/// Reconciles of one kind under way at once: more of them make the API server no faster, and each holds its object, a request
/// and a stream of the connection, some 15 KiB.
const AT_ONCE: usize = 64;
/// A pause that stands for none.
const FAR: SignedDuration = SignedDuration::from_hours(24);

/// When to look again if no news comes before.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Action(Option<Duration>);

impl Action {
    /// Not before there is news.
    pub fn await_change() -> Self {
        Self(None)
    }

    /// After that long.
    pub fn requeue(after: Duration) -> Self {
        Self(Some(after))
    }
}

/// Reconciles what the kind's queue names, until the process ends. Dropped, it ends every reconcile under way.
pub async fn drain<K, F, R>(context: &Arc<Context>, kind: fn(&Kinds) -> &Kind<K>, reconcile: F)
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
    F: Fn(Arc<K>, Arc<Context>) -> R,
    R: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let kind = kind(&context.kinds);
    let Some(mut queue) = kind.take_queue() else { return };
    let (mut line, mut under_way, mut news) = (Line::default(), JoinSet::new(), Vec::new());
    loop {
        let pause = line.next_due().map_or(FAR, |due| due.duration_since(clock::now()));
        tokio::select! {
            count = queue.recv_many(&mut news, AT_ONCE) => {
                if count == 0 { return }
                news.drain(..).for_each(|key| line.want(key));
            }
            Some(ended) = under_way.join_next() => match ended {
                Ok((key, action)) => line.end(&key, action, clock::now()),
                // Only a panic ends a task otherwise, and it ends us.
                Err(error) => return tracing::error!(%error, kind = kind.name, "a reconcile broke off"),
            },
            () = clock::sleep(pause) => line.ring(clock::now()),
        }
        while let Some(key) = line.next() {
            let Some(object) = kind.get(&key.namespace, &key.name) else {
                line.end(&key, Action::await_change(), clock::now());
                continue;
            };
            let (outcome, context) = (reconcile(object, Arc::clone(context)), Arc::clone(context));
            let kind = kind.name;
            under_way.spawn(async move {
                let outcome = outcome.await;
                context.metrics.count_reconcile(kind, outcome.is_err());
                let action = outcome.unwrap_or_else(|error| decide_fate(&key, &error));
                (key, action)
            });
        }
    }
}

/// Who is under way, who is next, and who is due when.
#[derive(Debug, Default)]
struct Line {
    /// Under way; true if there was news since.
    under_way: HashMap<ObjectKey, bool>,
    /// Next, each once, in the order in which they came.
    waiting: VecDeque<ObjectKey>,
    is_waiting: HashSet<ObjectKey>,
    due: HashMap<ObjectKey, Timestamp>,
    by_time: BTreeSet<(Timestamp, ObjectKey)>,
}

impl Line {
    /// There is news for `key`.
    fn want(&mut self, key: ObjectKey) {
        match self.under_way.get_mut(&key) {
            Some(has_news) => *has_news = true,
            None => self.push(key),
        }
    }

    fn push(&mut self, key: ObjectKey) {
        if self.is_waiting.insert(key.clone()) {
            self.waiting.push_back(key);
        }
    }

    /// The next one, now under way; its time is looked up anew when it ends.
    fn next(&mut self) -> Option<ObjectKey> {
        if self.under_way.len() >= AT_ONCE {
            return None;
        }
        let key = self.waiting.pop_front()?;
        self.is_waiting.remove(&key);
        self.forget_due(&key);
        self.under_way.insert(key.clone(), false);
        Some(key)
    }

    fn end(&mut self, key: &ObjectKey, action: Action, now: Timestamp) {
        if self.under_way.remove(key) == Some(true) {
            return self.push(key.clone());
        }
        if let Action(Some(after)) = action {
            let after = SignedDuration::try_from(after).unwrap_or(FAR);
            let due = now.checked_add(after).unwrap_or(now);
            self.due.insert(key.clone(), due);
            self.by_time.insert((due, key.clone()));
        }
    }

    fn forget_due(&mut self, key: &ObjectKey) {
        if let Some((key, due)) = self.due.remove_entry(key) {
            self.by_time.remove(&(due, key));
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Puts everybody who is due into the line.
    fn ring(&mut self, now: Timestamp) {
        while self.next_due().is_some_and(|due| due <= now) {
            if let Some((_, key)) = self.by_time.pop_first() {
                self.due.remove(&key);
                self.want(key);
            }
        }
    }
}

fn decide_fate(key: &ObjectKey, error: &Error) -> Action {
    let (kind, name) = (key.kind, key.name.as_ref());
    match error.fate() {
        Fate::Wait => {
            tracing::debug!(kind, name, %error, "looking again when there is news");
            // News may have come while we wrote: one more look costs no request.
            Action::requeue(RETRY)
        }
        Fate::Retry => {
            tracing::warn!(kind, name, %error, "trying again");
            Action::requeue(RETRY)
        }
        Fate::Refuse => {
            tracing::warn!(kind, name, %error, "refused");
            Action::requeue(REFUSED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("Deployment", "a", name)
    }

    #[test]
    fn nobody_is_under_way_twice_and_news_meanwhile_is_not_lost() {
        let mut line = Line::default();
        line.want(key("a"));
        line.want(key("a"));
        assert_eq!(line.next(), Some(key("a")));
        line.want(key("a"));
        assert_eq!(line.next(), None, "it is under way");
        line.end(&key("a"), Action::requeue(Duration::from_secs(9)), at(0));
        assert_eq!(line.next(), Some(key("a")), "there was news");
        line.end(&key("a"), Action::await_change(), at(0));
        assert_eq!((line.next(), line.next_due()), (None, None));
    }

    #[test]
    fn a_wake_up_rings_at_its_time_unless_news_came_before() {
        let mut line = Line::default();
        for name in ["a", "b"] {
            line.want(key(name));
            assert_eq!(line.next(), Some(key(name)));
            line.end(&key(name), Action::requeue(Duration::from_secs(9)), at(0));
        }
        line.want(key("b"));
        assert_eq!(line.next(), Some(key("b")));
        line.end(&key("b"), Action::await_change(), at(1));
        line.ring(at(8));
        assert_eq!((line.next(), line.next_due()), (None, Some(at(9))));
        line.ring(at(9));
        assert_eq!((line.next(), line.next()), (Some(key("a")), None));
    }

    #[test]
    fn a_line_that_is_full_goes_on_when_somebody_ends() {
        let mut line = Line::default();
        (0..=AT_ONCE).for_each(|n| line.want(key(&n.to_string())));
        let first = line.next().unwrap();
        assert_eq!(std::iter::from_fn(|| line.next()).count(), AT_ONCE - 1);
        line.end(&first, Action::await_change(), at(0));
        assert!(line.next().is_some() && line.next().is_none());
    }
}
