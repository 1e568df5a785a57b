//! Building blocks of stories: a small shop with one function, and what people do to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use sluice::api::{
    Application, ConcurrencyPolicy, Deployment, DeploymentConfig, DeploymentGroup, LifecycleHook, Phase,
    ROLLBACK_OF_ANNOTATION,
};

use super::objects::{Backend, ConfigMap, Kind, Object, Route, Rule, Service};
use super::script::beat;
use super::store::{Actor, Store};
use super::world::{Pace, World};

/// The group of every story.
pub const GROUP: &str = "hello-prod";
/// Its route.
pub const ROUTE: &str = "hello";

/// A value of a kind from JSON.
pub fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Creates an object as a user does.
pub fn create(world: &mut World, object: Object) {
    world.store.create(&Actor::User, object).unwrap();
}

/// A world with an application, a group, a route that serves version 1, and versions 1 to 3 with two endpoints each.
pub fn shop(seed: u64, pace: Pace, group: serde_json::Value) -> World {
    let mut world = World::new(seed, pace);
    let w = &mut world;
    create(w, application());
    for (name, routing) in [
        ("linear-25", json!({"type": "TimeBasedLinear", "linear": {"percentage": 25, "interval": "1m"}})),
        ("linear-40", json!({"type": "TimeBasedLinear", "linear": {"percentage": 40, "interval": "10s"}})),
        ("canary-20", json!({"type": "TimeBasedCanary", "canary": {"percentage": 20, "interval": "2m"}})),
    ] {
        let spec = read(json!({"computePlatform": "Function", "trafficRouting": routing}));
        create(w, Object::Config(Arc::new(DeploymentConfig::new(name, spec))));
    }
    for version in 1..=3 {
        create(w, service(&format!("hello-{version}"), 2));
    }
    create(w, route(&[("hello-1", 100)]));
    create(w, Object::Group(group_of(group)));
    world
}

/// The group, with those fields.
pub fn group_of(more: serde_json::Value) -> Arc<DeploymentGroup> {
    let mut spec = json!({
        "applicationRef": {"name": "shop"},
        "function": {"versionService": "{name}-{version}", "aliases": [{"name": "live", "httpRoute": {"name": ROUTE}}]},
    });
    merge(&mut spec, more);
    Arc::new(DeploymentGroup::new(GROUP, read(spec)))
}

/// Puts the fields of `from` over those of `into`.
pub fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    if let (Some(into), serde_json::Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

/// The application.
pub fn application() -> Object {
    Object::Application(Arc::new(Application::new("shop", read(json!({"computePlatform": "Function"})))))
}

/// A Service with so many ready endpoints.
pub fn service(name: &str, ready: usize) -> Object {
    let service = Service { name: name.into(), ports: vec![8080], ready: Some(ready), ..Service::default() };
    Object::Service(Arc::new(service))
}

/// The route with one rule.
pub fn route(backends: &[(&str, i32)]) -> Object {
    let backend = |(service, weight): &(&str, i32)| Backend {
        service: (*service).into(),
        weight: *weight,
        port: 8080,
        filters: "add-header".into(),
    };
    Object::Route(Arc::new(Route {
        name: ROUTE.into(),
        uid: String::new(),
        generation: 1,
        is_going: false,
        rules: vec![Rule {
            matches: "/".into(),
            backends: backends.iter().map(backend).collect(),
            filters: "none".into(),
        }],
        rest: "hostnames: hello.example".into(),
        status: None,
    }))
}

/// True once a rollback is there; it has not begun yet.
pub fn has_rollback(store: &Store) -> bool {
    rollbacks(store).next().is_some()
}

fn rollbacks(store: &Store) -> impl Iterator<Item = &Arc<Deployment>> {
    store.all(Kind::Deployment).filter_map(Object::deployment).filter(|d| is_rollback(d))
}

/// True if it says that it rolls back another one.
pub fn is_rollback(deployment: &Deployment) -> bool {
    deployment.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(ROLLBACK_OF_ANNOTATION))
}

/// Somebody deletes every rollback.
pub fn delete_rollbacks(world: &mut World) {
    let names: Vec<String> = rollbacks(&world.store).map(|d| d.name().to_owned()).collect();
    for name in names {
        delete(world, &name);
    }
}

/// A hook that is a Job: `passes`, `fails`, `vanishes` or `hangs`.
pub fn job_hook(world: &mut World, name: &str, plan: &str) {
    let spec = json!({"timeout": "10m", "job": {"template": {"plan": plan}}});
    create(world, Object::Hook(Arc::new(LifecycleHook::new(name, read(spec)))));
}

/// A hook that is a call: `passes`, `fails`, `400`, `busy`, `later` or `never`.
pub fn http_hook(world: &mut World, name: &str, plan: &str) {
    let spec = json!({"timeout": "10m", "http": {"url": format!("http://probe.tools/{plan}")}});
    create(world, Object::Hook(Arc::new(LifecycleHook::new(name, read(spec)))));
}

/// An AppSpec: target version, current version, hooks by event.
pub fn appspec(target: &str, current: Option<&str>, hooks: &[(&str, &str)]) -> String {
    let mut text = format!(
        "version: 0.0\nResources:\n  - hello:\n      Type: Sluice::Function\n      Properties:\n        Name: hello\n        Alias: live\n        TargetVersion: \"{target}\"\n"
    );
    if let Some(current) = current {
        text.push_str(&format!("        CurrentVersion: \"{current}\"\n"));
    }
    if !hooks.is_empty() {
        text.push_str("Hooks:\n");
    }
    for (event, hook) in hooks {
        text.push_str(&format!("  - {event}: {hook}\n"));
    }
    text
}

/// How the pods of a template fare.
pub fn plan_of(template: &serde_json::Value) -> String {
    let plan = template.pointer("/metadata/annotations/plan").and_then(|p| p.as_str());
    plan.unwrap_or("starts").into()
}

/// Creates a Deployment of an AppSpec; `more` is merged into its spec.
pub fn deploy(world: &mut World, name: &str, content: &str, more: serde_json::Value) {
    deploy_to(world, GROUP, name, content, more);
}

/// The same in a group.
pub fn deploy_to(world: &mut World, group: &str, name: &str, content: &str, more: serde_json::Value) {
    let mut spec = json!({
        "deploymentGroupRef": {"name": group},
        "revision": {"appSpecContent": {"content": content}},
    });
    merge(&mut spec, more);
    create(world, Object::Deployment(Arc::new(Deployment::new(name, read(spec)))));
}

/// Asks for a stop. An ended Deployment refuses.
pub fn stop(world: &mut World, name: &str, auto_rollback: Option<bool>) {
    let asked = sluice::api::StopRequest { auto_rollback };
    let _ = world.store.edit_spec(name, |d| {
        d.spec.stop.get_or_insert(asked);
    });
}

/// Deletes a Deployment.
pub fn delete(world: &mut World, name: &str) {
    world.store.delete(&Actor::User, &(Kind::Deployment, name.into()));
}

/// Edits the route's spec as a person or Git does.
pub fn edit_route(world: &mut World, edit: impl FnOnce(&mut Route)) {
    let _ = world.store.change(&Actor::User, &(Kind::Route, ROUTE.into()), |o| {
        if let Object::Route(route) = o {
            let before = route.rules.clone();
            let route = Arc::make_mut(route);
            edit(route);
            if route.rules != before {
                route.generation += 1;
            }
        }
    });
}

/// A rule that sends what it matches to one Service.
pub fn rule(matches: &str, service: &str) -> Rule {
    let filters = "add-header".into();
    let backend = Backend { service: service.into(), weight: 1, port: 8080, filters };
    Rule { matches: matches.into(), backends: vec![backend], filters: "none".into() }
}

/// Gives the route's first rule other backends.
pub fn set_backends(world: &mut World, backends: &[(&str, i32)]) {
    let Object::Route(wanted) = route(backends) else { return };
    edit_route(world, |r| r.rules[0].backends.clone_from(&wanted.rules[0].backends));
}

/// Changes how many endpoints of a Service are ready; a Service that is not there is created.
pub fn set_ready(world: &mut World, name: &str, ready: usize) {
    let key = (Kind::Service, name.to_owned());
    let changed = world.store.change(&Actor::Kubelet, &key, |o| {
        if let Object::Service(s) = o {
            Arc::make_mut(s).ready = Some(ready);
        }
    });
    if changed.is_err() {
        world.store.create(&Actor::Kubelet, service(name, ready)).unwrap();
    }
}

/// Edits the group's spec.
pub fn edit_group(world: &mut World, edit: impl FnOnce(&mut DeploymentGroup)) {
    edit_named_group(world, GROUP, edit);
}

/// Edits a group's spec.
pub fn edit_named_group(world: &mut World, name: &str, edit: impl FnOnce(&mut DeploymentGroup)) {
    let _ = world.store.change(&Actor::User, &(Kind::Group, name.into()), |o| {
        if let Object::Group(group) = o {
            let group = Arc::make_mut(group);
            edit(group);
            group.metadata.generation = group.metadata.generation.map(|g| g + 1);
        }
    });
}

/// Sets the group's desired revision, by value.
pub fn desire(world: &mut World, content: &str) {
    let revision = read(json!({"appSpecContent": {"content": content}}));
    edit_group(world, |g| g.spec.revision = Some(revision));
}

/// Sets the group's policy.
pub fn set_policy(world: &mut World, policy: ConcurrencyPolicy) {
    edit_group(world, |g| g.spec.concurrency_policy = policy);
}

/// Writes a ConfigMap.
pub fn config_map(world: &mut World, name: &str, content: &str) {
    let data: BTreeMap<_, _> = [("appspec.yaml".to_owned(), content.to_owned())].into();
    let map = Object::ConfigMap(Arc::new(ConfigMap { name: name.into(), data }));
    if world.store.get(Kind::ConfigMap, name).is_none() {
        return create(world, map);
    }
    let _ = world.store.change(&Actor::User, &(Kind::ConfigMap, name.into()), |o| *o = map);
}

/// Holds once the route gives a Service that weight in its first rule.
pub fn weight_is(service: &'static str, weight: i32) -> impl Fn(&Store) -> bool {
    move |store| {
        let backends = store.route(ROUTE).map(|r| r.rules[0].backends.clone()).unwrap_or_default();
        backends.iter().any(|b| b.service == service && b.weight == weight)
    }
}

/// Holds once a Deployment is in a phase.
pub fn phase_is(name: &'static str, phase: Phase) -> impl Fn(&Store) -> bool {
    move |store| store.deployment(name).is_some_and(|d| d.phase() == phase)
}

/// Holds once every Deployment has ended, at least `count` of them, and the group holds no grant.
pub fn all_ended(count: usize) -> impl Fn(&Store) -> bool {
    all_ended_in(GROUP, count)
}

/// The same of a group.
pub fn all_ended_in(group: &'static str, count: usize) -> impl Fn(&Store) -> bool {
    move |store| {
        let all: Vec<_> = store.all(Kind::Deployment).filter_map(Object::deployment).collect();
        let group = store.get(Kind::Group, group).and_then(Object::group);
        let is_free = group.and_then(|g| g.status.as_ref()).is_some_and(|s| s.active_deployment.is_none());
        all.len() >= count
            && is_free
            && all.iter().all(|d| {
                d.phase().has_ended() && d.metadata.finalizers.as_deref().unwrap_or_default().is_empty()
            })
    }
}

/// Always holds.
pub fn at_once(_: &Store) -> bool {
    true
}

impl World {
    /// Adds a beat to the script.
    pub fn then(
        &mut self,
        text: impl Into<String>,
        when: impl Fn(&Store) -> bool + 'static,
        after: i64,
        deed: impl FnOnce(&mut World) + 'static,
    ) -> &mut Self {
        self.script.push(beat(text, when, after, deed));
        self
    }
}
