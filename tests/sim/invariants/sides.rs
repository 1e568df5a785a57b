//! Invariants on the two sides of a service: nothing is taken away from under production traffic.
//!
//! A believer knows the world a little late. What breaks an invariant must have held for as long as the oldest picture
//! that somebody may act on is old, and must not be somebody else's doing of that time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice::api::{
    Creator, DeletionPolicy, Deployment, DeploymentGroup, EventStatus, OriginalAction, TASK_SET_LABEL,
};

use super::super::kubelet::{ready_behind, selects};
use super::super::objects::{Key, Kind, Labels, Object, Route, Rule, Service, TaskSet};
use super::super::store::{Actor, Commit, Store};
use super::{Breach, Holds, Ledger, listener};

/// One generation of a route.
struct Written {
    generation: i64,
    at: Timestamp,
    by: Actor,
    rules: Vec<Rule>,
}

/// What is remembered of listeners and endpoints.
#[derive(Default)]
pub struct Sides {
    /// By Service: how many endpoints were ready since when.
    endpoints: BTreeMap<String, Vec<(Timestamp, usize)>>,
    /// By route: its generations.
    routes: BTreeMap<String, Vec<Written>>,
    /// By group: the size that was wanted since when.
    wanted: BTreeMap<String, Vec<(Timestamp, i32)>>,
    /// By Service: whom it has sent to since when, and by whose hand.
    selectors: BTreeMap<String, Vec<(Timestamp, Actor, Labels)>>,
    /// Task sets made by each Deployment's uid.
    made: BTreeMap<String, usize>,
}

impl Sides {
    /// Takes a commit down.
    pub fn take_down(&mut self, commit: &Commit) {
        match (&commit.before, &commit.after) {
            (_, Some(Object::Slice(slice))) => {
                let known = self.endpoints.entry(slice.service.clone()).or_default();
                known.push((commit.at, slice.pods.len()));
            }
            (Some(Object::Slice(slice)), None) => {
                self.endpoints.entry(slice.service.clone()).or_default().push((commit.at, 0));
            }
            (_, Some(Object::Route(route))) => {
                let known = self.routes.entry(route.name.clone()).or_default();
                let is_new = commit.before.is_none();
                if is_new || known.last().is_none_or(|w| w.generation != route.generation) {
                    known.push(Written {
                        generation: route.generation,
                        at: commit.at,
                        by: commit.by.clone(),
                        rules: route.rules.clone(),
                    });
                }
            }
            (_, Some(Object::Service(service))) => {
                let known = self.selectors.entry(service.name.clone()).or_default();
                if known.last().is_none_or(|(_, _, selector)| *selector != service.selector) {
                    known.push((commit.at, commit.by.clone(), service.selector.clone()));
                }
            }
            (_, Some(Object::Group(group))) => {
                let replicas = group.spec.service.as_deref().map_or(0, |s| s.replicas);
                self.wanted.entry(commit.key.1.clone()).or_default().push((commit.at, replicas));
            }
            (None, Some(Object::TaskSet(made))) if matches!(commit.by, Actor::Controller(..)) => {
                *self.made.entry(made.deployment_uid.clone().unwrap_or_default()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The rules that a route had at each moment since `since`.
    pub fn rules_since(&self, route: &str, since: Timestamp) -> Vec<&[Rule]> {
        let all = self.routes.get(route).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().rev().find(|w| w.at <= since);
        let later = all.iter().filter(|w| w.at > since);
        before.into_iter().chain(later).map(|w| w.rules.as_slice()).collect()
    }

    /// How many endpoints a Service had at each moment since `since`.
    fn counts(&self, service: &str, since: Timestamp) -> Vec<usize> {
        let all = self.endpoints.get(service).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().rev().find(|(at, _)| *at <= since).map_or(0, |(_, n)| *n);
        let later = all.iter().filter(|(at, _)| *at > since).map(|(_, n)| *n);
        std::iter::once(before).chain(later).collect()
    }

    /// True if a group has wanted that many at some moment since `since`.
    fn was_wanted(&self, group: &str, replicas: i32, since: Timestamp) -> bool {
        let all = self.wanted.get(group).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().rev().find(|(at, _)| *at <= since).map(|(_, n)| *n);
        let mut later = all.iter().filter(|(at, _)| *at > since).map(|(_, n)| *n);
        before == Some(replicas) || later.any(|n| n == replicas)
    }

    /// The least size that a group has wanted since `since`.
    fn least_wanted(&self, group: &str, since: Timestamp) -> i32 {
        let all = self.wanted.get(group).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().rev().find(|(at, _)| *at <= since);
        let later = all.iter().filter(|(at, _)| *at > since);
        before.into_iter().chain(later).map(|(_, n)| *n).min().unwrap_or(0)
    }

    fn was_dead(&self, service: &str, since: Timestamp) -> bool {
        self.counts(service, since).iter().all(|n| *n == 0)
    }

    fn was_alive(&self, service: &str, since: Timestamp) -> bool {
        self.counts(service, since).iter().all(|n| *n > 0)
    }
}

fn weight(rules: &[Rule], service: &str) -> i32 {
    rules.iter().flat_map(|r| &r.backends).filter(|b| b.service == service).map(|b| b.weight).sum()
}

fn groups(store: &Store) -> impl Iterator<Item = &DeploymentGroup> {
    store.all(Kind::Group).filter_map(Object::group).map(|g| &**g).filter(|g| g.spec.service.is_some())
}

/// Checks one commit of a controller.
pub fn check(ledger: &Ledger, commit: &Commit, store: &Store) -> Holds {
    let Actor::Controller(_, key) = &commit.by else { return Ok(()) };
    match (&commit.before, &commit.after) {
        (Some(Object::Route(before)), Some(Object::Route(after))) => {
            no_weight_for_the_dead(ledger, commit.at, before, after, store)
        }
        (Some(Object::Service(before)), Some(Object::Service(after)))
            if before.selector != after.selector =>
        {
            no_front_for_the_dead(ledger, commit.at, before, after, store)?;
            no_side_in_use_is_touched(ledger, commit.at, &after.name, "pointed elsewhere", store)
        }
        (Some(Object::TaskSet(before)), Some(Object::TaskSet(after)))
            if before.replicas != after.replicas =>
        {
            only_own_task_sets_are_scaled(after)?;
            the_ended_scales_nothing(ledger, key, after)?;
            if before.replicas < after.replicas {
                return Ok(());
            }
            a_lower_count_waits(ledger, commit.at, key, after)?;
            if is_resize(ledger, commit.at, key, after.replicas) {
                return Ok(());
            }
            the_original_outlives_its_wait(ledger, commit.at, key, after)?;
            the_last_that_answers_is_not_ended(ledger, key, after, store)?;
            for service in selecting(store, after) {
                no_side_in_use_is_touched(ledger, commit.at, &service, "scaled down", store)?;
            }
            Ok(())
        }
        (None, Some(Object::TaskSet(made))) => {
            one_task_set_per_deployment(ledger, made)?;
            a_rollback_makes_none_while_the_original_stands(ledger, key, store)
        }
        (Some(Object::TaskSet(gone)), None) => only_a_deleted_group_deletes(ledger, key, gone.replicas),
        (Some(Object::Service(_)), None) => only_a_deleted_group_deletes(ledger, key, 1),
        _ => Ok(()),
    }
}

/// An original's end is not put on record while nobody answers on the other side. Behind a front Service that may be somebody's own
/// pods, which no target group sends to.
fn the_last_that_answers_is_not_ended(
    ledger: &Ledger,
    key: &Key,
    task_set: &TaskSet,
    store: &Store,
) -> Holds {
    let by = store.deployment(&key.1).filter(|_| key.0 == Kind::Deployment);
    let ended = by.and_then(|d| d.status.as_ref()).and_then(|s| s.termination_time);
    let own = by.and_then(|d| d.metadata.uid.clone());
    let Some(ended) = ended.filter(|_| own != task_set.deployment_uid) else { return Ok(()) };
    let since = ended - ledger.staleness;
    for service in selecting(store, task_set) {
        let targets = groups(store).filter_map(|g| g.spec.service.as_deref());
        let others = targets
            .filter(|t| t.production_listener.http_route.is_some() && t.target_groups.contains(&service))
            .filter_map(|t| t.other_than(&service));
        for other in others {
            if ledger.sides.was_dead(other, since) && ledger.sides.was_alive(&service, since) {
                let words = format!("{} behind {service}, and {other} is dead", task_set.name);
                return Err(Breach::new("the_last_that_answers_is_not_ended", words));
            }
        }
    }
    Ok(())
}

/// The Services that send to a task set.
fn selecting(store: &Store, task_set: &TaskSet) -> Vec<String> {
    let services = store.all(Kind::Service).filter_map(Object::service);
    services.filter(|s| selects(&s.selector, &task_set.labels)).map(|s| s.name.clone()).collect()
}

/// A group gives the side that serves the size that is wanted, or was until a moment ago.
fn is_resize(ledger: &Ledger, at: Timestamp, key: &Key, replicas: i32) -> bool {
    key.0 == Kind::Group && ledger.sides.was_wanted(&key.1, replicas, at - ledger.staleness)
}

/// While a deployment runs its group takes no pods from either side: a lower count waits for the end.
fn a_lower_count_waits(ledger: &Ledger, at: Timestamp, key: &Key, task_set: &TaskSet) -> Holds {
    let since = at - ledger.staleness;
    let uses = |d: &Deployment| {
        let Some(status) = d.status.as_ref().filter(|s| !s.phase.has_ended()) else { return false };
        let service = status.resolved.as_ref().and_then(|r| r.service.as_deref());
        let has_begun = status.start_time.is_some_and(|begun| begun < since);
        has_begun
            && service.is_some_and(|s| {
                let mut sides = s.original.iter().chain([&s.replacement]);
                sides.any(|side| side.task_set.as_ref() == Some(&task_set.name))
            })
    };
    let mut own =
        ledger.deployments.values().filter(|d| d.spec.deployment_group_ref.name == key.1 && uses(d));
    match own.next().filter(|_| key.0 == Kind::Group) {
        Some(d) => {
            let what =
                format!("{} goes down to {} while {} runs", task_set.name, task_set.replicas, d.name());
            Err(Breach::new("a_lower_count_waits", what))
        }
        None => Ok(()),
    }
}

/// No traffic moves forward before every pod of the replacement is among its endpoints, while the original lives.
pub fn a_step_has_all_pods(ledger: &Ledger, at: Timestamp, deployment: &Deployment, store: &Store) -> Holds {
    let Some(status) = deployment.status.as_ref().filter(|s| s.creator != Some(Creator::AutoRollback)) else {
        return Ok(());
    };
    let Some(service) = status.resolved.as_ref().and_then(|r| r.service.as_deref()) else { return Ok(()) };
    let (Some(original), Some(name)) = (&service.original, &service.replacement.task_set) else {
        return Ok(());
    };
    let since = at - ledger.staleness;
    let group = &deployment.spec.deployment_group_ref.name;
    let wanted = store.task_set(name).map_or(0, |t| t.replicas).min(ledger.sides.least_wanted(group, since));
    let counts = ledger.sides.counts(&service.replacement.target_group, since);
    let most = counts.into_iter().max().and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
    // A replacement of which nobody at all answers is `no_weight_for_the_dead`'s.
    if (1..wanted).contains(&most) && ledger.sides.was_alive(&original.target_group, since) {
        let what = format!("{} has moved traffic to {most} of {wanted} pods of {name}", deployment.name());
        return Err(Breach::new("a_step_has_all_pods", what));
    }
    Ok(())
}

/// Weight never moves to a side that nobody has answered for, away from one that somebody has.
fn no_weight_for_the_dead(
    ledger: &Ledger,
    at: Timestamp,
    before: &Route,
    after: &Route,
    store: &Store,
) -> Holds {
    let since = at - ledger.staleness;
    for group in groups(store) {
        let Some(target) = &group.spec.service else { continue };
        let production = target.production_listener.http_route.as_ref().map(|r| r.name.as_str());
        if production != Some(&after.name) {
            continue;
        }
        for name in &target.target_groups {
            let other = target.other_than(name).unwrap_or_default();
            let gains = weight(&after.rules, name) * weight(&before.rules, other)
                > weight(&before.rules, name) * weight(&after.rules, other)
                || weight(&after.rules, other) < weight(&before.rules, other)
                    && weight(&after.rules, name) > weight(&before.rules, name);
            if gains && ledger.sides.was_dead(name, since) && ledger.sides.was_alive(other, since) {
                return Err(Breach::new("no_weight_for_the_dead", format!("{name} in {}", after.name)));
            }
        }
    }
    Ok(())
}

/// The same of a front Service.
fn no_front_for_the_dead(
    ledger: &Ledger,
    at: Timestamp,
    before: &Service,
    after: &Service,
    store: &Store,
) -> Holds {
    let since = at - ledger.staleness;
    let is_front = groups(store).any(|g| {
        let front = g.spec.service.as_deref().and_then(|s| s.production_listener.service.as_ref());
        front.is_some_and(|f| f.name == after.name)
    });
    let services = store.all(Kind::Service).filter_map(Object::service);
    let twin = services.clone().find(|s| s.selector == after.selector && s.name != after.name);
    let was = services.clone().find(|s| s.selector == before.selector && s.name != after.name);
    // Those behind an original of somebody's own have no Service but the front.
    let nobody = || ready_behind(store, &after.selector).is_empty();
    let is_dead = twin.map_or_else(nobody, |s| ledger.sides.was_dead(&s.name, since));
    let other_lives = was.is_some_and(|s| ledger.sides.was_alive(&s.name, since));
    if is_front && is_dead && other_lives {
        return Err(Breach::new("no_weight_for_the_dead", format!("front {}", after.name)));
    }
    Ok(())
}

/// A side that has production weight, or has had some less than the drain ago, is neither scaled down nor pointed
/// elsewhere, unless nobody answers there anyway.
fn no_side_in_use_is_touched(
    ledger: &Ledger,
    at: Timestamp,
    service: &str,
    what: &str,
    store: &Store,
) -> Holds {
    let since = at - ledger.staleness;
    if ledger.sides.counts(service, since).contains(&0) {
        return Ok(());
    }
    for group in groups(store) {
        let Some(target) = &group.spec.service else { continue };
        if !target.target_groups.iter().any(|t| t == service) {
            continue;
        }
        let drain = target.drain.length().max(SignedDuration::from_secs(5));
        let listener = &target.production_listener;
        let why = match (&listener.http_route, &listener.service) {
            (Some(route), _) => in_use(ledger, at, since, &route.name, service, drain),
            (_, Some(front)) => fronted(ledger, at, since, &front.name, service, drain),
            _ => None,
        };
        if let Some(why) = why {
            let what = format!("{service} is {what}: {why}");
            return Err(Breach::new("no_side_in_use_is_touched", what));
        }
    }
    Ok(())
}

/// Why a side counts as in use; nothing that somebody else has done since `since` counts.
fn in_use(
    ledger: &Ledger,
    at: Timestamp,
    since: Timestamp,
    route: &str,
    service: &str,
    drain: SignedDuration,
) -> Option<String> {
    let written = ledger.sides.routes.get(route)?;
    if written.iter().any(|w| w.at >= since && w.by == Actor::User) {
        return None;
    }
    let rules = |generation: i64| written.iter().rev().find(|w| w.generation == generation).map(|w| &w.rules);
    if written.last().is_some_and(|w| weight(&w.rules, service) > 0) {
        return Some(format!("route {route} gives it weight"));
    }
    let taken = ledger.taken.get(route).map(Vec::as_slice).unwrap_or_default();
    let mut left: Option<Timestamp> = None;
    let mut has = false;
    for (generation, when) in taken {
        let has_now = rules(*generation).is_some_and(|r| weight(r, service) > 0);
        if has && !has_now {
            left = Some(*when);
        }
        has = has_now;
    }
    if has {
        return Some(format!("the gateway still gives it weight by route {route}"));
    }
    let ago = at.duration_since(left?);
    (ago < drain).then(|| format!("it has had weight until {ago:#} ago"))
}

/// The same of a side to which a front Service sends, or has sent.
fn fronted(
    ledger: &Ledger,
    at: Timestamp,
    since: Timestamp,
    front: &str,
    service: &str,
    drain: SignedDuration,
) -> Option<String> {
    let history = ledger.sides.selectors.get(front)?;
    if history.iter().any(|(when, by, _)| *when >= since && *by == Actor::User) {
        return None;
    }
    let (_, _, own) = ledger.sides.selectors.get(service)?.last()?;
    if history.last().is_some_and(|(_, _, selector)| selector == own) {
        return Some(format!("the front {front} sends to it"));
    }
    let left = history.windows(2).rev().find(|pair| pair[0].2 == *own).map(|pair| pair[1].0)?;
    let ago = at.duration_since(left);
    (ago < drain).then(|| format!("the front {front} has sent to it until {ago:#} ago"))
}

/// No controller scales what it did not make, or what is another group's.
fn only_own_task_sets_are_scaled(task_set: &TaskSet) -> Holds {
    if task_set.deployment_uid.is_some() && task_set.group_uid.is_some() {
        return Ok(());
    }
    Err(Breach::new("only_own_task_sets_are_scaled", task_set.name.clone()))
}

/// An ended deployment scales nothing, not even by an act that was recorded before.
fn the_ended_scales_nothing(ledger: &Ledger, key: &Key, task_set: &TaskSet) -> Holds {
    let by = ledger.deployments.get(&key.1).filter(|d| key.0 == Kind::Deployment && d.phase().has_ended());
    match by {
        Some(d) => {
            let what = format!("{} is {} and scaled {}", d.name(), d.phase(), task_set.name);
            Err(Breach::new("the_ended_scales_nothing", what))
        }
        None => Ok(()),
    }
}

/// A deployment scales its original down only when all events have ended well and the wait is over, or was ended.
fn the_original_outlives_its_wait(ledger: &Ledger, at: Timestamp, key: &Key, task_set: &TaskSet) -> Holds {
    let Some(deployment) = ledger.deployments.get(&key.1).filter(|_| key.0 == Kind::Deployment) else {
        return Ok(());
    };
    let status = deployment.status.clone().unwrap_or_default();
    let Some(service) = status.resolved.as_ref().and_then(|r| r.service.as_deref()) else { return Ok(()) };
    let original = service.original.as_ref().and_then(|o| o.task_set.as_ref());
    if original != Some(&task_set.name) {
        return Ok(());
    }
    let broken = |what: &str| {
        let what = format!("{} scaled {} down {what}", deployment.name(), task_set.name);
        Err(Breach::new("the_original_outlives_its_wait", what))
    };
    if service.terminate_original.action == OriginalAction::KeepAlive {
        return broken("though it is kept alive");
    }
    let is_done = |s: EventStatus| matches!(s, EventStatus::Succeeded | EventStatus::Skipped);
    if !status.lifecycle_events.iter().all(|e| is_done(e.status)) {
        return broken("before the last event");
    }
    let asked = deployment.spec.continue_.as_ref().and_then(|c| c.termination_wait) == Some(true);
    let last = status.lifecycle_events.iter().filter_map(|e| e.end_time).max().unwrap_or(at);
    if !asked && at < last + service.terminate_original.wait.length() {
        return broken("before its wait was over");
    }
    Ok(())
}

/// A deployment makes one task set in its whole life.
fn one_task_set_per_deployment(ledger: &Ledger, made: &TaskSet) -> Holds {
    let uid = made.deployment_uid.clone().unwrap_or_default();
    match ledger.sides.made.get(&uid) {
        Some(n) if *n > 1 => Err(Breach::new("one_task_set_per_deployment", made.name.clone())),
        _ => Ok(()),
    }
}

/// A rollback goes back to the original, and makes a new one only if that is gone.
fn a_rollback_makes_none_while_the_original_stands(ledger: &Ledger, key: &Key, store: &Store) -> Holds {
    let creator = |d: &Deployment| d.status.as_ref().and_then(|s| s.creator);
    let Some(rollback) = ledger.deployments.get(&key.1).filter(|d| creator(d) == Some(Creator::AutoRollback))
    else {
        return Ok(());
    };
    let info = rollback.status.as_ref().and_then(|s| s.rollback_info.as_ref());
    let failed = info.and_then(|i| i.rollback_triggering_deployment.as_ref());
    let failed = failed.and_then(|name| ledger.deployments.get(name)).and_then(|d| d.status.as_ref());
    let resolved = failed.and_then(|s| s.resolved.as_ref()).and_then(|r| r.service.as_deref());
    let original = resolved.and_then(|s| s.original.as_ref());
    let stands = original.is_some_and(|o| o.task_set.as_ref().is_none_or(|t| store.task_set(t).is_some()));
    if stands {
        let what = rollback.name().to_owned();
        return Err(Breach::new("a_rollback_makes_none_while_the_original_stands", what));
    }
    Ok(())
}

/// What has pods, and every target group, is deleted only with its group, where that says so.
fn only_a_deleted_group_deletes(ledger: &Ledger, key: &Key, replicas: i32) -> Holds {
    let group = ledger.groups.get(&key.1).filter(|_| key.0 == Kind::Group);
    let deletes = group.is_some_and(|g| {
        g.metadata.deletion_timestamp.is_some() && g.spec.deletion_policy == DeletionPolicy::Delete
    });
    if deletes || replicas == 0 {
        return Ok(());
    }
    Err(Breach::new("only_a_deleted_group_deletes", key.1.clone()))
}

/// At rest no task set stands to which nobody sends and whose deployment ended before it moved any traffic.
pub fn nothing_is_left_running(store: &Store) -> Holds {
    let services = store.all(Kind::Service).filter_map(Object::service);
    let is_foreign = |s: &Service| !s.selector.is_empty() && !s.selector.contains_key(TASK_SET_LABEL);
    if services.clone().any(|s| is_foreign(s)) {
        return Ok(());
    }
    let has_moved_nothing = |d: &Deployment| {
        let status = d.status.as_ref();
        let service = status.and_then(|s| s.resolved.as_ref()).and_then(|r| r.service.as_deref());
        let has_moved = status.and_then(|s| s.traffic.as_ref()).is_some_and(|t| !t.steps.is_empty());
        d.phase().has_ended() && !has_moved && service.is_some_and(|s| s.original.is_some())
    };
    for deployment in
        store.all(Kind::Deployment).filter_map(Object::deployment).filter(|d| has_moved_nothing(d))
    {
        let group =
            store.get(Kind::Group, &deployment.spec.deployment_group_ref.name).and_then(Object::group);
        // One that waits without end for what it names keeps the turn, and a group sweeps between turns.
        if group.and_then(|g| g.status.as_ref()).is_some_and(|s| s.active_deployment.is_some()) {
            continue;
        }
        let group_uid = group.and_then(|g| g.metadata.uid.clone());
        let own = store.all(Kind::TaskSet).filter_map(Object::task_set);
        let mut own = own.filter(|t| t.deployment_uid.as_deref() == Some(deployment.uid()));
        let is_left = |t: &&std::sync::Arc<TaskSet>| {
            t.replicas > 0
                && t.group_uid.is_some()
                && t.group_uid == group_uid
                && selecting(store, t).is_empty()
        };
        if let Some(t) = own.find(is_left) {
            return Err(Breach::new(
                "nothing_is_left_running",
                format!("{} has {} pods", t.name, t.replicas),
            ));
        }
    }
    Ok(())
}

/// True if a route is the production listener of a Deployment.
pub fn is_production(deployment: &Deployment, route: &str) -> bool {
    let resolved = deployment.status.as_ref().and_then(|s| s.resolved.as_ref());
    resolved.is_some_and(|r| listener(r) == route)
}
