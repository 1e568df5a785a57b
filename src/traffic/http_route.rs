//! HTTPRoutes: a view of what matters for weights, the gateway's word on it, and JSON Patches that touch nothing else.
//!
//! A route's lists are atomic, so that server-side apply would own all of them; a JSON Patch that tests uid and
//! generation changes single numbers and leaves the rest byte for byte.

use std::borrow::Cow;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::{Client, Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cluster::{Error, write};
use crate::engine::facts::{BackendFact, GatewayFact, RouteFact, RuleFact, Sighting};
use crate::engine::plan::{Edit, SetWeights};

/// What is read of an HTTPRoute.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpRoute {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
    /// When the API server last took a status of a gateway; kept when the managed fields are pruned.
    #[serde(skip)]
    pub gateway_wrote: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    rules: Box<[Rule]>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: Option<String>,
    /// A digest: what a rule matches is compared, never read.
    #[serde(default, deserialize_with = "digest")]
    matches: String,
    #[serde(default)]
    backend_refs: Box<[BackendRef]>,
}

#[derive(Clone, Debug, Deserialize)]
struct BackendRef {
    group: Option<String>,
    kind: Option<String>,
    name: String,
    namespace: Option<String>,
    port: Option<i32>,
    weight: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
struct Status {
    #[serde(default)]
    parents: Box<[Parent]>,
}

#[derive(Clone, Debug, Deserialize)]
struct Parent {
    #[serde(default)]
    conditions: Box<[Word]>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Word {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    message: String,
    observed_generation: Option<i64>,
}

impl Resource for HttpRoute {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        "HTTPRoute".into()
    }
    fn group(_: &()) -> Cow<'_, str> {
        "gateway.networking.k8s.io".into()
    }
    fn version(_: &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural(_: &()) -> Cow<'_, str> {
        "httproutes".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl HttpRoute {
    /// Drops what is not needed, and keeps the time of the last status write.
    pub fn pruned(mut self) -> Self {
        let times = self.managed_fields().iter().filter(|m| m.subresource.as_deref() == Some("status"));
        self.gateway_wrote = times.filter_map(|m| m.time.as_ref().map(|t| t.0)).max();
        let mut pruned = crate::cluster::view::prune_hard(self);
        for word in pruned.status.iter_mut().flat_map(|s| &mut s.parents).flat_map(|p| &mut p.conditions) {
            if word.status == "True" {
                word.message = String::new();
            }
        }
        pruned
    }

    /// The route as the engine sees it; `sightings` come from [`super::sightings`].
    pub fn fact(&self, sightings: Vec<Sighting>) -> RouteFact {
        let namespace = self.metadata.namespace.as_deref();
        let backend = |b: &BackendRef| {
            let is_core = b.group.as_deref().unwrap_or_default().is_empty();
            let is_service = is_core && b.kind.as_deref().unwrap_or("Service") == "Service";
            let is_local = b.namespace.is_none() || b.namespace.as_deref() == namespace;
            BackendFact {
                service: (is_service && is_local).then(|| b.name.clone()),
                weight: b.weight.unwrap_or(1),
                port: b.port,
            }
        };
        let rules = self.spec.rules.iter();
        RouteFact {
            name: self.name_any(),
            uid: self.uid().unwrap_or_default(),
            generation: self.metadata.generation.unwrap_or_default(),
            is_going: self.metadata.deletion_timestamp.is_some(),
            rules: rules
                .map(|r| RuleFact { key: r.key(), backends: r.backend_refs.iter().map(backend).collect() })
                .collect(),
            gateway: self.gateway(),
            sightings,
            refused_at: None,
            write_refused: None,
            rules_are_lost: false,
            added: Default::default(),
        }
    }

    /// What the gateways say of the present generation. A parent that refuses the route does not serve it and does not
    /// count, as long as another one accepts it.
    pub fn gateway(&self) -> GatewayFact {
        let parents = self.status.iter().flat_map(|s| &s.parents);
        let generation = self.metadata.generation.unwrap_or_default();
        let words: Vec<_> = parents.map(|p| p.word(generation)).collect();
        let refused = |w: &GatewayFact| matches!(w, GatewayFact::Refused(_));
        if words.is_empty() {
            return GatewayFact::Silent;
        }
        if words.contains(&GatewayFact::Behind) {
            return GatewayFact::Behind;
        }
        match words.iter().find(|w| refused(w)) {
            Some(word) if !words.contains(&GatewayFact::Taken) => word.clone(),
            _ => GatewayFact::Taken,
        }
    }
}

/// The first 8 hex digits of the value's SHA-256; empty for none.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(String::new());
    }
    let hash = Sha256::digest(value.to_string());
    Ok(hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
}

impl Rule {
    /// A name is the rule's own in its route; a rule without one is known by what it matches.
    fn key(&self) -> String {
        self.name.as_ref().map_or_else(|| self.matches.clone(), |name| format!("={name}"))
    }
}

impl Parent {
    fn word(&self, generation: i64) -> GatewayFact {
        let find = |type_: &str| self.conditions.iter().find(|c| c.type_ == type_);
        let (Some(accepted), Some(resolved)) = (find("Accepted"), find("ResolvedRefs")) else {
            return GatewayFact::Behind;
        };
        let is_old = |w: &Word| w.observed_generation.is_none_or(|g| g < generation);
        match [accepted, resolved].into_iter().find(|w| is_old(w) || w.status != "True") {
            Some(word) if is_old(word) => GatewayFact::Behind,
            Some(word) => GatewayFact::Refused(word.message.clone()),
            None => GatewayFact::Taken,
        }
    }
}

/// The JSON Patch of `change`: tests first, then one operation a number.
pub fn operations(change: &SetWeights) -> Vec<Value> {
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": change.uid}),
        json!({"op": "test", "path": "/metadata/generation", "value": change.generation}),
    ];
    for edit in &change.edits {
        let refs = format!("/spec/rules/{}/backendRefs", edit.rule());
        match edit {
            Edit::Weight { backend, weight, .. } => {
                operations
                    .push(json!({"op": "add", "path": format!("{refs}/{backend}/weight"), "value": weight}));
            }
            Edit::Copy { from, service, weight, .. } => {
                // Right behind its model: the index is known without counting, and the model keeps its own.
                let at = format!("{refs}/{}", from + 1);
                operations.push(json!({"op": "copy", "from": format!("{refs}/{from}"), "path": at}));
                operations.push(json!({"op": "replace", "path": format!("{at}/name"), "value": service}));
                operations.push(json!({"op": "add", "path": format!("{at}/weight"), "value": weight}));
            }
            Edit::Remove { backend, .. } => {
                operations.push(json!({"op": "remove", "path": format!("{refs}/{backend}")}));
            }
        }
    }
    operations
}

/// Writes weights. [`Error::Conflict`] when the route is no longer the one that they were computed from.
pub async fn set(client: &Client, namespace: &str, change: &SetWeights) -> Result<Option<String>, Error> {
    write::patch_json::<HttpRoute>(client, namespace, &change.route, &operations(change)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::weights::{Pair, edits, stands_at};

    fn route(rules: Value, generation: i64, parents: Value) -> Value {
        json!({
            "metadata": {"name": "hello", "namespace": "shop", "uid": "u", "generation": generation},
            "spec": {"rules": rules},
            "status": {"parents": parents}
        })
    }

    fn parse(route: &Value) -> HttpRoute {
        serde_json::from_value(route.clone()).unwrap()
    }

    fn shift(route: &mut Value, pair: Pair<'_>, percent: i32) {
        let fact = parse(route).fact(vec![]);
        let (name, uid) = (fact.name.clone(), fact.uid.clone());
        let change =
            SetWeights { route: name, uid, generation: fact.generation, edits: edits(&fact, pair, percent) };
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations(&change))).unwrap();
        json_patch::patch(route, &patch).unwrap();
        assert!(stands_at(&parse(route).fact(vec![]), pair, percent), "{percent} % in {route}");
    }

    #[test]
    fn a_rule_is_known_by_its_name_or_by_what_it_matches_whatever_its_weights_are() {
        let keys = |rules: Value| {
            let fact = parse(&route(rules, 1, json!([]))).fact(vec![]);
            fact.rules.into_iter().map(|r| r.key).collect::<Vec<_>>()
        };
        let of = |path: &str, weight: i32| json!({"matches": [{"path": {"value": path}}], "backendRefs": [{"name": "hello-1", "weight": weight}]});
        let before = keys(json!([of("/a", 100), of("/b", 100), {"name": "canary", "backendRefs": []}, {}]));
        assert_eq!(before[2..], ["=canary", ""]);
        assert!(before[0] != before[1] && before[0].len() == 8, "{before:?}");
        assert_eq!(keys(json!([of("/b", 1), of("/a", 7)])), [before[1].clone(), before[0].clone()]);
    }

    #[test]
    fn a_shift_touches_nothing_but_the_pairs_weights() {
        let filters = json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "1"}]}}]);
        let rules = json!([
            {"matches": [{"path": {"value": "/a"}}], "backendRefs": [{"name": "hello-1", "port": 80, "filters": filters}]},
            {"backendRefs": [{"name": "other", "port": 81}]},
            {"backendRefs": [{"name": "third", "port": 80, "weight": 50}, {"name": "hello-1", "port": 80, "weight": 150}]}
        ]);
        let mut it = route(rules.clone(), 3, json!([]));
        let pair = Pair { original: "hello-1", replacement: "hello-2", keeps: false };
        shift(&mut it, pair, 10);
        let refs = &it["spec"]["rules"];
        let first = json!([
            {"name": "hello-1", "port": 80, "filters": filters, "weight": 90},
            {"name": "hello-2", "port": 80, "filters": filters, "weight": 10}
        ]);
        assert_eq!(refs[0]["backendRefs"], first);
        assert_eq!(refs[1], rules[1]);
        let third = json!([
            {"name": "third", "port": 80, "weight": 50},
            {"name": "hello-1", "port": 80, "weight": 135},
            {"name": "hello-2", "port": 80, "weight": 15}
        ]);
        assert_eq!(refs[2]["backendRefs"], third);
        shift(&mut it, pair, 60);
        shift(&mut it, pair, 100);
        let last = json!([{"name": "hello-2", "port": 80, "filters": filters, "weight": 100}]);
        assert_eq!(it["spec"]["rules"][0]["backendRefs"], last);
        let back = Pair { original: "hello-2", replacement: "hello-1", keeps: false };
        shift(&mut it, back, 100);
        assert_eq!(it["spec"]["rules"][0]["backendRefs"][0]["name"], "hello-1");
    }

    #[test]
    fn the_gateways_word_counts_only_for_the_present_generation() {
        let word = |type_: &str, status: &str, generation: i64| json!({"type": type_, "status": status, "message": "m", "observedGeneration": generation});
        let parent = |accepted: Value, resolved: Value| json!({"conditions": [accepted, resolved]});
        let of = |parents: Value| parse(&route(json!([]), 3, parents)).gateway();
        let good = parent(word("Accepted", "True", 3), word("ResolvedRefs", "True", 3));
        let refusing = parent(word("Accepted", "False", 3), word("ResolvedRefs", "True", 3));
        assert_eq!(of(json!([])), GatewayFact::Silent);
        assert_eq!(of(json!([good])), GatewayFact::Taken);
        assert_eq!(
            of(json!([good, parent(word("Accepted", "True", 2), word("ResolvedRefs", "True", 3))])),
            GatewayFact::Behind
        );
        assert_eq!(of(json!([refusing])), GatewayFact::Refused("m".into()));
        assert_eq!(
            of(json!([refusing, good])),
            GatewayFact::Taken,
            "a parent that does not serve the route does not count"
        );
        assert_eq!(
            of(json!([parent(word("Accepted", "True", 3), word("ResolvedRefs", "False", 3))])),
            GatewayFact::Refused("m".into())
        );
    }
}
