//! Building blocks of Server stories: hosts with agents, a group of them, bundles, and what people do.

use std::sync::Arc;

use serde_json::{Value, json};
use sluice::api::instance::Installed;
use sluice::api::{
    Application, Deployment, DeploymentConfig, DeploymentGroup, EventName, EventStatus, Instance, Phase,
    Revision,
};

use super::agents::{Fate, What};
use super::objects::{Kind, Object, Service};
use super::setup::{create, merge, read};
use super::store::{Actor, Store};
use super::world::{Pace, World};

/// The group of every Server story.
pub const GROUP: &str = "shop-prod";
/// The Service of its load balancer.
pub const SERVICE: &str = "shop";

/// Hosts of no zone.
pub fn names(count: usize) -> Vec<(String, &'static str)> {
    (1..=count).map(|n| (format!("h{n:02}"), "")).collect()
}

/// A world with an application, configurations, hosts that nothing was ever deployed to, and a group of them.
pub fn empty(seed: u64, pace: Pace, hosts: &[(String, &str)], group: Value, server: Value) -> World {
    let mut world = World::new(seed, pace);
    let w = &mut world;
    let application = json!({"computePlatform": "Server"});
    create(w, Object::Application(Arc::new(Application::new("shop", read(application)))));
    for (name, config) in [
        ("keep-8", json!({"minimumHealthyHosts": {"type": "HostCount", "value": 8}})),
        ("keep-all", json!({"minimumHealthyHosts": {"type": "FleetPercent", "value": 95}})),
        ("keep-2", json!({"minimumHealthyHosts": {"type": "HostCount", "value": 2}})),
        (
            "zones",
            json!({"minimumHealthyHosts": {"type": "HostCount", "value": 2}, "zonalConfig": {
                "firstZoneMonitorDuration": "2m", "monitorDuration": "30s",
                "minimumHealthyHostsPerZone": {"type": "HostCount", "value": 1}}}),
        ),
    ] {
        configure(w, name, config);
    }
    for (index, (name, zone)) in hosts.iter().enumerate() {
        host(w, name, index, zone);
    }
    let object = DeploymentGroup::new(GROUP, read(spec(group, server)));
    create(w, Object::Group(Arc::new(object)));
    world
}

/// A deployment configuration.
pub fn configure(world: &mut World, name: &str, config: Value) {
    let mut spec = json!({"computePlatform": "Server"});
    merge(&mut spec, config);
    create(world, Object::Config(Arc::new(DeploymentConfig::new(name, read(spec)))));
}

/// The spec of the group, with what a story says otherwise.
pub fn spec(group: Value, server: Value) -> Value {
    let mut block = json!({"tagSets": [[{"key": "env", "value": "prod"}]]});
    merge(&mut block, server);
    let mut spec = json!({"applicationRef": {"name": "shop"}, "server": block});
    merge(&mut spec, group);
    spec
}

/// A host, its agent up; some clocks are minutes off.
pub fn host(world: &mut World, name: &str, index: usize, zone: &str) {
    let mut spec = json!({"tags": {"env": "prod"}, "address": format!("10.0.0.{}", index + 1)});
    if !zone.is_empty() {
        spec["zone"] = zone.into();
    }
    create(world, Object::Instance(Arc::new(Instance::new(name, read(spec)))));
    let skew = [0, 420, -300][index % 3];
    world.start_host(name, skew);
}

/// The same, with version 1 on every host.
pub fn standing(seed: u64, pace: Pace, hosts: &[(String, &str)], group: Value, server: Value) -> World {
    let mut world = empty(seed, pace, hosts, group, server);
    let w = &mut world;
    for (name, _) in hosts {
        install(w, name, "1");
    }
    let time = "2026-01-04T00:00:00Z";
    let last = json!({"name": "d0", "revision": resolved("1"), "completeTime": time});
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "as an earlier one left it", "lastTransitionTime": time});
    let status = json!({"phase": "Ready", "lastSuccessfulDeployment": last, "conditions": [ready]});
    let _ = w.store.change(&Actor::User, &(Kind::Group, GROUP.into()), |o| {
        if let Object::Group(group) = o {
            Arc::make_mut(group).status = Some(read(status));
        }
    });
    world
}

/// Puts a version on a host, as an earlier deployment did.
pub fn install(world: &mut World, name: &str, version: &str) {
    let had: Installed =
        read(json!({"deploymentGroup": GROUP, "deployment": "d0", "deploymentUid": "an-earlier-one",
        "revision": resolved(version), "time": "2026-01-04T00:00:00Z"}));
    let group = world.store.get(Kind::Group, GROUP).and_then(Object::group);
    let group_id = group.and_then(|g| g.metadata.uid.clone()).unwrap_or_default();
    world.has_installed(name, GROUP, &group_id, &had);
    let _ = world.store.change(&Actor::User, &(Kind::Instance, name.into()), |o| {
        if let Object::Instance(instance) = o {
            let status = Arc::make_mut(instance).status.get_or_insert_default();
            status.installed = vec![had];
        }
    });
}

/// A load balancer and a Service without a selector, for the group's block.
pub fn balanced(drain: &str) -> Value {
    json!({
        "deploymentStyle": {"option": "WithTrafficControl"},
        "loadBalancer": {"service": {"name": SERVICE, "port": 8080}, "drain": drain},
    })
}

/// The Service of the load balancer.
pub fn service(world: &mut World) {
    let service = Service { name: SERVICE.into(), ports: vec![80], ..Service::default() };
    create(world, Object::Service(Arc::new(service)));
}

/// A bundle of that version, by its digest.
pub fn revision(version: &str) -> Value {
    json!({"http": {"url": format!("http://bundles/{version}"), "sha256": sha(version)}})
}

fn sha(version: &str) -> String {
    version.bytes().next().map_or_else(String::new, |b| format!("{b:02x}").repeat(32))
}

fn resolved(version: &str) -> Value {
    let mut resolved = revision(version);
    resolved["digest"] = format!("sha256:{}", sha(version)).into();
    resolved["summary"] = version.into();
    resolved
}

/// Which version a revision is.
pub fn version_of(source: &Revision) -> String {
    let http = source.http.as_ref().map(|h| h.url.as_str());
    let s3 = source.s3.as_ref().map(|s| s.key.as_str());
    let path = http.or(s3).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Creates a Deployment of a version; `more` is merged into its spec, and null takes a field away.
pub fn deploy(world: &mut World, name: &str, version: &str, more: Value) {
    deploy_to(world, GROUP, name, version, more);
}

/// The same in a group.
pub fn deploy_to(world: &mut World, group: &str, name: &str, version: &str, more: Value) {
    let mut spec = json!({"deploymentGroupRef": {"name": group}, "revision": revision(version)});
    merge(&mut spec, more);
    spec.as_object_mut().unwrap().retain(|_, v| !v.is_null());
    create(world, Object::Deployment(Arc::new(Deployment::new(name, read(spec)))));
}

/// Says how a script fares.
pub fn fate(world: &mut World, version: &str, host: &str, event: EventName, what: What) {
    world.fates.push(Fate { version: version.into(), host: host.into(), event, what });
}

/// Deletes a host.
pub fn delete_host(world: &mut World, name: &str) {
    world.store.delete(&Actor::User, &(Kind::Instance, name.into()));
}

/// The letters of a Deployment.
pub fn letters(store: &Store, name: &str) -> String {
    let status = store.deployment(name).and_then(|d| d.status.clone());
    status.map(|s| s.targets).unwrap_or_default()
}

/// Holds once so many letters of a Deployment are that one.
pub fn counts(name: &'static str, letter: char, count: usize) -> impl Fn(&Store) -> bool {
    move |store| letters(store, name).chars().filter(|l| *l == letter).count() >= count
}

/// Holds once that event runs, or has ended, on a host.
pub fn event_on(host: &'static str, event: EventName, status: EventStatus) -> impl Fn(&Store) -> bool {
    move |store| {
        let instance = store.get(Kind::Instance, host).and_then(Object::instance);
        let said = instance.and_then(|i| i.status.as_ref()).and_then(|s| s.assignment(GROUP));
        said.is_some_and(|s| s.events.iter().any(|e| e.name == event && e.status == status))
    }
}

/// Holds once every Deployment has ended.
pub fn all_ended(count: usize) -> impl Fn(&Store) -> bool {
    super::setup::all_ended_in(GROUP, count)
}

/// Holds once a Deployment is in a phase.
pub fn phase_is(name: &'static str, phase: Phase) -> impl Fn(&Store) -> bool {
    super::setup::phase_is(name, phase)
}
