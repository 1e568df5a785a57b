//! Which hosts a group has, and in which order a deployment goes to them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::host::{HostFact, Reach};
use crate::api::{ResolvedRevision, ServerTarget, TagFilter, TagFilterType};

/// The hosts of a group, in order of name: the tag sets' matches united with the fleets' members.
pub fn select<'a>(
    target: &ServerTarget,
    hosts: &'a BTreeMap<String, Arc<HostFact>>,
) -> Vec<&'a Arc<HostFact>> {
    hosts.values().filter(|host| !host.is_going && belongs(target, host)).collect()
}

/// True if the host is one of the group's: it matches a filter of each tag set (AND of ORs), or is in one of the fleets.
pub fn belongs(target: &ServerTarget, host: &HostFact) -> bool {
    let sets = &target.tag_sets;
    let is_tagged = !sets.is_empty() && sets.iter().all(|set| set.iter().any(|filter| matches(filter, host)));
    is_tagged || host.fleet.as_ref().is_some_and(|fleet| target.fleets.contains(fleet))
}

fn matches(filter: &TagFilter, host: &HostFact) -> bool {
    let (key, value) = (filter.key.as_deref().unwrap_or_default(), filter.value.as_deref());
    let value = value.unwrap_or_default();
    match filter.type_ {
        TagFilterType::KeyOnly => host.tags.contains_key(key),
        TagFilterType::ValueOnly => host.tags.values().any(|has| has == value),
        TagFilterType::KeyAndValue => host.tags.get(key).is_some_and(|has| has == value),
    }
}

/// Where a host stands in the order of work: unhealthy ones go first (and those that are not heard of), then those whose
/// revision cannot be told, then old ones, then those that have it already.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The last deployment failed, or there was none; or nobody hears of it.
    Unhealthy,
    /// It has a revision, and which one is not known.
    Unknown,
    /// It has another revision.
    Old,
    /// It has the revision.
    Current,
}

/// Where a host stands to `revision` of `group`.
pub fn standing(host: &HostFact, group: &str, revision: &ResolvedRevision) -> Standing {
    let entry = host.entry(group).filter(|e| e.is_healthy() && !matches!(host.reach, Reach::Silent(_)));
    let Some(entry) = entry else { return Standing::Unhealthy };
    match entry.has(revision) {
        None => Standing::Unknown,
        Some(false) => Standing::Old,
        Some(true) => Standing::Current,
    }
}

/// True if the host has the revision, and nothing went wrong there since.
pub fn is_current(host: &HostFact, group: &str, revision: &ResolvedRevision) -> bool {
    host.entry(group).is_some_and(|e| e.is_healthy() && e.has(revision) == Some(true))
}

/// Puts the hosts in their order: zone by zone if `is_zonal`, and in each by standing and name. Hosts without a zone are the
/// last one.
pub fn order(hosts: &mut [&Arc<HostFact>], group: &str, revision: &ResolvedRevision, is_zonal: bool) {
    let zones = |a: &HostFact, b: &HostFact| (a.zone.is_empty(), &a.zone).cmp(&(b.zone.is_empty(), &b.zone));
    let rank = |host: &HostFact| standing(host, group, revision);
    hosts.sort_by(|a, b| {
        let zone = if is_zonal { zones(a, b) } else { Ordering::Equal };
        zone.then_with(|| rank(a).cmp(&rank(b))).then_with(|| a.name.cmp(&b.name))
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Instance;

    fn host(name: &str, more: Value) -> Arc<HostFact> {
        let mut instance = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance",
            "metadata": {"name": name, "uid": name}, "spec": {},
        });
        if let (Some(object), Value::Object(more)) = (instance.as_object_mut(), more) {
            object.extend(more);
        }
        let instance: Instance = serde_json::from_value(instance).unwrap();
        Arc::new(HostFact::of(&instance))
    }

    fn fleet(hosts: Vec<Arc<HostFact>>) -> BTreeMap<String, Arc<HostFact>> {
        hosts.into_iter().map(|h| (h.name.clone(), h)).collect()
    }

    fn named(hosts: &[&Arc<HostFact>]) -> Vec<String> {
        hosts.iter().map(|h| h.name.clone()).collect()
    }

    #[test]
    fn hosts_are_the_and_of_ors_of_tags_united_with_the_fleets() {
        let all = fleet(vec![
            host("a", json!({"spec": {"tags": {"env": "prod", "web": ""}}})),
            host("b", json!({"spec": {"tags": {"env": "stage", "web": "yes"}}})),
            host("c", json!({"spec": {"tags": {"env": "prod", "role": "db"}}})),
            host("d", json!({"spec": {"tags": {"env": "test"}, "fleet": "burst"}})),
            host("e", json!({"spec": {"fleet": "other"}})),
        ]);
        let choose = |target: Value| {
            let target: ServerTarget = serde_json::from_value(target).unwrap();
            named(&select(&target, &all)).concat()
        };
        let prod = json!({"key": "env", "value": "prod"});
        let stage = json!({"key": "env", "value": "stage", "type": "KeyAndValue"});
        let web = json!({"key": "web", "type": "KeyOnly"});
        let db = json!({"value": "db", "type": "ValueOnly"});
        assert_eq!(choose(json!({"tagSets": [[prod]]})), "ac");
        assert_eq!(choose(json!({"tagSets": [[prod, stage]]})), "abc");
        assert_eq!(choose(json!({"tagSets": [[prod, stage], [web]]})), "ab");
        assert_eq!(choose(json!({"tagSets": [[prod], [web, db]]})), "ac");
        assert_eq!(choose(json!({"tagSets": [[db]]})), "c");
        assert_eq!(choose(json!({"fleets": ["burst", "none"]})), "d");
        assert_eq!(choose(json!({"tagSets": [[web]], "fleets": ["burst"]})), "abd");
        assert_eq!(choose(json!({"tagSets": [[{"key": "env", "value": ""}]]})), "");
    }

    fn revision(sha: char) -> Value {
        let sha = sha.to_string().repeat(64);
        json!({"http": {"url": "https://x.example/b.tgz", "sha256": sha}, "digest": format!("sha256:{sha}")})
    }

    fn installed(name: &str, zone: &str, revision: Value, status: Value) -> Arc<HostFact> {
        let had = json!({"deploymentGroup": "g", "deployment": "d0", "deploymentUid": "u0",
            "revision": revision, "time": "2026-01-01T00:00:00Z"});
        host(name, json!({"spec": {"zone": zone}, "status": {"installed": [had], "assignments": status}}))
    }

    fn said(status: &str, events: Value) -> Value {
        json!([{"deploymentGroup": "g", "deployment": "d1", "deploymentUid": "u1", "status": status, "events": events}])
    }

    #[test]
    fn unhealthy_hosts_go_first_then_unknown_old_and_current_ones() {
        let moving = json!({"s3": {"bucket": "b", "key": "k"}});
        let all = fleet(vec![
            installed("a-current", "z2", revision('a'), json!([])),
            installed("b-old", "z1", revision('b'), json!([])),
            installed("c-unknown", "z2", moving, json!([])),
            host("d-new", json!({"spec": {"zone": "z1"}})),
            installed(
                "e-failed",
                "z2",
                revision('b'),
                said("Failed", json!([{"name": "Install", "status": "Failed"}])),
            ),
            installed("f-nowhere", "", revision('b'), said("Skipped", json!([]))),
        ]);
        let wanted: ResolvedRevision = serde_json::from_value(revision('a')).unwrap();
        let mut hosts: Vec<_> = all.values().collect();
        order(&mut hosts, "g", &wanted, false);
        assert_eq!(named(&hosts), ["d-new", "e-failed", "c-unknown", "b-old", "f-nowhere", "a-current"]);
        order(&mut hosts, "g", &wanted, true);
        assert_eq!(named(&hosts), ["d-new", "b-old", "e-failed", "c-unknown", "a-current", "f-nowhere"]);
    }

    #[test]
    fn a_host_is_healthy_if_its_last_deployment_succeeded_and_a_stop_before_its_start_changes_nothing() {
        let with = |status: Value| installed("a", "", revision('a'), status).is_healthy("g");
        let begun = json!([{"name": "ApplicationStop", "status": "Succeeded"}]);
        assert!(
            with(json!([])) && with(said("Succeeded", begun.clone())) && with(said("Skipped", json!([])))
        );
        assert!(!with(said("Failed", begun.clone())) && !with(said("Skipped", begun.clone())));
        assert!(!with(said("InProgress", begun)), "it was given up while it ran");
        assert!(!host("b", json!({})).is_healthy("g"));
    }
}
