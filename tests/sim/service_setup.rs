//! Building blocks of Service stories: a shop with one service behind two target groups, and what people do to it.

use std::sync::Arc;

use serde_json::{Value, json};
use sluice::api::{DeploymentConfig, DeploymentGroup, EventName, EventStatus, Phase, TASK_SET_LABEL};

use super::objects::{Backend, Kind, Labels, Object, Pod, PodTemplate, Route, Rule, Service, Slice, TaskSet};
use super::setup::{create, deploy_to, edit_named_group, merge, read};
use super::store::{Actor, Store};
use super::world::{Pace, World};

/// The group of every Service story.
pub const GROUP: &str = "web-prod";
/// Its production listener.
pub const ROUTE: &str = "web";
/// Its test listener.
pub const TEST_ROUTE: &str = "web-test";
/// Its target groups.
pub const A: &str = "web-a";
pub const B: &str = "web-b";
/// The task set of an earlier deployment.
pub const FIRST: &str = "web-prod-first";

/// A world with an application, configurations, PodTemplates web-1 to web-4, routes that give web-a everything, a group;
/// nothing serves yet.
pub fn empty(seed: u64, pace: Pace, group: Value, service: Value) -> World {
    let mut world = World::new(seed, pace);
    let w = &mut world;
    let application = json!({"computePlatform": "Service"});
    create(w, Object::Application(Arc::new(sluice::api::Application::new("shop", read(application)))));
    for (name, routing) in [
        ("linear-25", json!({"type": "TimeBasedLinear", "linear": {"percentage": 25, "interval": "1m"}})),
        ("linear-40", json!({"type": "TimeBasedLinear", "linear": {"percentage": 40, "interval": "10s"}})),
        ("canary-20", json!({"type": "TimeBasedCanary", "canary": {"percentage": 20, "interval": "2m"}})),
    ] {
        let spec = read(json!({"computePlatform": "Service", "trafficRouting": routing}));
        create(w, Object::Config(Arc::new(DeploymentConfig::new(name, spec))));
    }
    for version in 1..=4 {
        pod_template(w, &format!("web-{version}"), "starts");
    }
    create(w, route(ROUTE, &[(A, 100), (B, 0)]));
    create(w, route(TEST_ROUTE, &[(A, 100), (B, 0)]));
    let spec = spec(group, service);
    create(w, Object::Group(Arc::new(DeploymentGroup::new(GROUP, read(spec)))));
    world
}

/// The spec of a group, with what a story says otherwise.
pub fn spec(group: Value, service: Value) -> Value {
    let mut block = json!({
        "replicas": 2,
        "targetGroups": [A, B],
        "productionListener": {"httpRoute": {"name": ROUTE}},
        "testListener": {"httpRoute": {"name": TEST_ROUTE}},
    });
    merge(&mut block, service);
    block.as_object_mut().unwrap().retain(|_, v| !v.is_null());
    let mut spec = json!({"applicationRef": {"name": "shop"}, "service": block});
    merge(&mut spec, group);
    spec
}

/// The same, with a task set of PodTemplate web-1 that an earlier deployment left serving behind web-a.
pub fn standing(seed: u64, pace: Pace, group: Value, service: Value) -> World {
    let mut world = empty(seed, pace, group, service);
    let w = &mut world;
    let group_uid =
        w.store.get(Kind::Group, GROUP).and_then(Object::group).and_then(|g| g.metadata.uid.clone());
    let labels = labels(&[("app", "web"), (TASK_SET_LABEL, FIRST)]);
    serve(
        w,
        TaskSet {
            name: FIRST.into(),
            group: Some(GROUP.into()),
            group_uid,
            deployment_uid: Some("an-earlier-one".into()),
            task_definition: Some("web-1".into()),
            container: Some(("web".into(), 8080)),
            labels: labels.clone(),
            ..TaskSet::default()
        },
    );
    target_group(w, A, &self::labels(&[(TASK_SET_LABEL, FIRST)]));
    endpoints(w, A, FIRST);
    target_group(w, B, &Labels::new());
    world
}

/// The same, with a Deployment of the user's own behind web-a.
pub fn foreign(seed: u64, pace: Pace, group: Value, service: Value) -> World {
    let mut world = empty(seed, pace, group, service);
    legacy(&mut world, A);
    world
}

/// A Deployment of the user's own, and its Service.
pub fn legacy(world: &mut World, service: &str) {
    let own = labels(&[("app", "legacy")]);
    serve(world, TaskSet { name: "legacy".into(), labels: own.clone(), ..TaskSet::default() });
    target_group(world, service, &own);
    endpoints(world, service, "legacy");
}

/// The same as `standing`, with a front Service in place of the production route.
pub fn fronted(seed: u64, pace: Pace, group: Value) -> World {
    let listener = json!({"productionListener": {"service": {"name": "web"}}, "testListener": null});
    let mut world = standing(seed, pace, group, listener);
    target_group(&mut world, "web", &labels(&[(TASK_SET_LABEL, FIRST)]));
    endpoints(&mut world, "web", FIRST);
    world
}

/// Labels from pairs.
pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Two pods that have been ready for a while.
fn serve(world: &mut World, task_set: TaskSet) {
    let (name, own) = (task_set.name.clone(), task_set.labels.clone());
    let ready = TaskSet {
        replicas: 2,
        total: 2,
        ready: 2,
        observed_generation: 1,
        plan: "starts".into(),
        ..task_set
    };
    create(world, Object::TaskSet(Arc::new(ready)));
    for (node, pod) in pods(&name).into_iter().enumerate() {
        let (owner, labels) = (name.clone(), own.clone());
        let pod = Pod { name: pod, owner, labels, is_ready: true, problem: None, node };
        create(world, Object::Pod(Arc::new(pod)));
    }
}

fn pods(owner: &str) -> [String; 2] {
    [format!("{owner}-x"), format!("{owner}-y")]
}

fn endpoints(world: &mut World, service: &str, owner: &str) {
    let pods = pods(owner).into_iter().map(|p| (p, owner.to_owned())).collect();
    create(world, Object::Slice(Arc::new(Slice { service: service.into(), pods })));
}

/// A Service with a selector.
pub fn target_group(world: &mut World, name: &str, selector: &Labels) {
    let service = Service {
        name: name.into(),
        ports: vec![80],
        selector: selector.clone(),
        target_ports: vec!["8080".into()],
        ..Service::default()
    };
    create(world, Object::Service(Arc::new(service)));
}

/// A PodTemplate with one container `web` at port 8080, whose pods fare as `plan` says (see `kubelet`).
pub fn pod_template(world: &mut World, name: &str, plan: &str) {
    let template = json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {"plan": plan}},
        "spec": {"containers": [{"name": "web", "image": "web:9", "ports": [{"containerPort": 8080}]}]},
    });
    template_of(world, name, template);
}

/// A PodTemplate.
pub fn template_of(world: &mut World, name: &str, template: Value) {
    let key = (Kind::PodTemplate, name.to_owned());
    let object = Object::PodTemplate(Arc::new(PodTemplate { name: name.into(), template }));
    if world.store.objects.contains_key(&key) {
        let _ = world.store.change(&Actor::User, &key, |o| *o = object);
    } else {
        create(world, object);
    }
}

/// A route with one rule.
pub fn route(name: &str, backends: &[(&str, i32)]) -> Object {
    let backend = |(service, weight): &(&str, i32)| Backend {
        service: (*service).into(),
        weight: *weight,
        port: 80,
        filters: "add-header".into(),
    };
    Object::Route(Arc::new(Route {
        name: name.into(),
        uid: String::new(),
        generation: 1,
        is_going: false,
        rules: vec![Rule {
            backends: backends.iter().map(backend).collect(),
            filters: "none".into(),
            matches: "/".into(),
        }],
        rest: "hostnames: web.example".into(),
        status: None,
    }))
}

/// An AppSpec of a PodTemplate: its name, hooks by event.
pub fn appspec(template: &str, hooks: &[(&str, &str)]) -> String {
    appspec_at(template, "web", 8080, hooks)
}

/// An AppSpec: PodTemplate, container, port, hooks by event.
pub fn appspec_at(template: &str, container: &str, port: i32, hooks: &[(&str, &str)]) -> String {
    let mut text = format!(
        "version: 0.0\nResources:\n  - TargetService:\n      Type: Sluice::Service\n      Properties:\n        TaskDefinition: {template}\n        LoadBalancerInfo: {{ContainerName: {container}, ContainerPort: {port}}}\n"
    );
    if !hooks.is_empty() {
        text.push_str("Hooks:\n");
    }
    for (event, hook) in hooks {
        text.push_str(&format!("  - {event}: {hook}\n"));
    }
    text
}

/// Creates a Deployment of an AppSpec.
pub fn deploy(world: &mut World, name: &str, content: &str) {
    deploy_to(world, GROUP, name, content, json!({}));
}

/// Edits the group's service block.
pub fn resize(world: &mut World, replicas: i32) {
    edit_named_group(world, GROUP, move |g| {
        if let Some(service) = &mut g.spec.service {
            service.replicas = replicas;
        }
    });
}

/// Says continue.
pub fn go_on(world: &mut World, name: &str) {
    let _ = world.store.edit_spec(name, |d| {
        d.spec.continue_ =
            Some(sluice::api::deployment::Continue { ready_wait: Some(true), termination_wait: Some(true) });
    });
}

/// Edits a route's spec as a person or Git does.
pub fn edit_route(world: &mut World, name: &str, edit: impl FnOnce(&mut Route)) {
    let _ = world.store.change(&Actor::User, &(Kind::Route, name.into()), |o| {
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

/// Gives a route's first rule other backends.
pub fn set_backends(world: &mut World, name: &str, backends: &[(&str, i32)]) {
    let Object::Route(wanted) = route(name, backends) else { return };
    edit_route(world, name, |r| r.rules[0].backends.clone_from(&wanted.rules[0].backends));
}

/// Edits a Service as a person does.
pub fn edit_service(world: &mut World, name: &str, edit: impl FnOnce(&mut Service)) {
    let _ = world.store.change(&Actor::User, &(Kind::Service, name.into()), |o| {
        if let Object::Service(service) = o {
            edit(Arc::make_mut(service));
        }
    });
}

/// The task set behind a target group.
pub fn behind(store: &Store, service: &str) -> Option<String> {
    store.service(service)?.selector.get(TASK_SET_LABEL).cloned()
}

/// How the pods that are made from now on behind a target group fare; those that are there are evicted.
pub fn evict(world: &mut World, service: &str, plan: Option<&str>) {
    let selector = world.store.service(service).map(|s| s.selector.clone()).unwrap_or_default();
    let own = |o: &&Object| o.pod().is_some_and(|p| super::kubelet::selects(&selector, &p.labels));
    let pods: Vec<_> = world.store.all(Kind::Pod).filter(own).map(Object::key).collect();
    let owner = pods.first().and_then(|p| world.store.get(Kind::Pod, &p.1)).and_then(Object::pod);
    if let (Some(owner), Some(plan)) = (owner.map(|p| p.owner.clone()), plan) {
        let plan = plan.to_owned();
        let _ = world.store.change(&Actor::Cluster, &(Kind::TaskSet, owner), |o| {
            if let Object::TaskSet(t) = o {
                Arc::make_mut(t).plan = plan;
            }
        });
    }
    for pod in pods {
        world.store.delete(&Actor::Kubelet, &pod);
    }
}

/// Deletes the task set behind a target group.
pub fn delete_behind(world: &mut World, service: &str) {
    if let Some(name) = behind(&world.store, service) {
        world.store.delete(&Actor::User, &(Kind::TaskSet, name));
    }
}

/// The pods behind a target group become ready or cease to be.
pub fn flap(world: &mut World, service: &str, is_ready: bool) {
    let selector = world.store.service(service).map(|s| s.selector.clone()).unwrap_or_default();
    let own = |o: &&Object| o.pod().is_some_and(|p| super::kubelet::selects(&selector, &p.labels));
    let pods: Vec<_> = world.store.all(Kind::Pod).filter(own).map(Object::key).collect();
    for (_, pod) in pods {
        world.pod_turns(&pod, is_ready, None);
    }
}

/// A node is lost, once in a world: its pods cease at once; after five minutes they are deleted, and others are made on the other node.
pub fn lose_node(world: &mut World, node: usize) {
    if world.lost_node.is_some() {
        return;
    }
    world.lost_node = Some(node);
    for pod in world.pods_on(node) {
        world.pod_turns(&pod, false, None);
    }
    let at = world.store.now + jiff::SignedDuration::from_mins(5);
    world.plan(at, super::actors::Happening::NodeIsEmptied(node));
}

/// One of the pods behind a target group becomes ready or ceases to be.
pub fn flap_one(world: &mut World, service: &str, is_ready: bool) {
    let selector = world.store.service(service).map(|s| s.selector.clone()).unwrap_or_default();
    let own = |o: &&Object| o.pod().is_some_and(|p| super::kubelet::selects(&selector, &p.labels));
    let pod = world.store.all(Kind::Pod).find(own).map(Object::key);
    if let Some((_, pod)) = pod {
        world.pod_turns(&pod, is_ready, None);
    }
}

/// Holds once the production route gives a Service that weight.
pub fn weight_is(service: &'static str, weight: i32) -> impl Fn(&Store) -> bool {
    routed(ROUTE, service, weight)
}

/// Holds once a route gives a Service that weight.
pub fn routed(route: &'static str, service: &'static str, weight: i32) -> impl Fn(&Store) -> bool {
    move |store| {
        let backends = store.route(route).map(|r| r.rules[0].backends.clone()).unwrap_or_default();
        backends.iter().any(|b| b.service == service && b.weight == weight)
    }
}

/// Holds once an event of a Deployment has that status.
pub fn event_is(name: &'static str, event: EventName, status: EventStatus) -> impl Fn(&Store) -> bool {
    move |store| {
        let events = store.deployment(name).and_then(|d| d.status.as_ref()).map(|s| &s.lifecycle_events);
        events.is_some_and(|e| e.iter().any(|e| e.name == event && e.status == status))
    }
}

/// Holds once a Deployment says that it waits for the original's termination.
pub fn waits_for_termination(name: &'static str) -> impl Fn(&Store) -> bool {
    move |store| reason_is(store, name, "WaitingForTermination")
}

/// Holds once a Deployment's first condition has that reason.
pub fn reason_is(store: &Store, name: &str, reason: &str) -> bool {
    let status = store.deployment(name).and_then(|d| d.status.as_ref());
    status.is_some_and(|s| s.conditions.iter().any(|c| c.reason == reason))
}

/// Holds once so many Deployments have ended and the group holds no grant.
pub fn all_ended(count: usize) -> impl Fn(&Store) -> bool {
    super::setup::all_ended_in(GROUP, count)
}

/// Holds once a Deployment has ended so.
pub fn phase_is(name: &'static str, phase: Phase) -> impl Fn(&Store) -> bool {
    super::setup::phase_is(name, phase)
}
