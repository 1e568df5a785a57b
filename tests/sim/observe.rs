//! A believer's facts: from its cache and its memory, as the real observe builds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice::api::{Deployment, DeploymentGroup, EventName, ROLLBACK_OF_ANNOTATION, Revision, TASK_SET_LABEL};
use sluice::engine::facts::{
    BackendFact, Facts, GatewayFact, JobFact, JobState, PodTemplateFact, RevisionFact, RollbackFact,
    RouteFact, RuleFact, ServiceFact, TaskSetFact,
};
use sluice::engine::group::GroupFacts;
use sluice::engine::server::facts::{PortFact, ServerFacts, ServerGroupFacts, SliceFact};
use sluice::engine::server::host::HostFact;
use sluice::engine::{group_service, hooks, needs, orphaned};

use super::cache::Cache;
use super::kubelet::selects;
use super::memory::Memory;
use super::objects::{JobEnd, Key, Kind, Object, Route};
use super::store::Store;

/// The facts of one Deployment; `None` if it is gone, or if the cache lacks what this believer wrote itself.
pub fn deployment(cache: &Cache, memory: &Memory, store: &Store, name: &str) -> Option<Facts> {
    let deployment = cache.get(Kind::Deployment, name)?.deployment()?.clone();
    let group_name = &deployment.spec.deployment_group_ref.name;
    let group = cache.get(Kind::Group, group_name).and_then(Object::group).cloned();
    let triggering = triggering(cache, &deployment);
    let begins_by = orphaned::begins_by(&deployment, group.as_ref(), triggering.as_deref());
    let begins_by = begins_by.or_else(|| group.clone());
    let revision = content(cache, &deployment, begins_by.as_deref());
    let needs = match (&begins_by, deployment.phase().is_running() && has_snapshot(&deployment)) {
        (_, true) => needs::of_running(&deployment),
        (Some(group), false) if !deployment.phase().has_ended() => {
            let content = if let RevisionFact::Content(c) = &revision { Some(c.as_str()) } else { None };
            needs::of_start(&deployment, group, content)
        }
        _ => needs::Needs::default(),
    };
    let own = [(Kind::Deployment, name.to_owned())];
    let server = server(cache, memory, &deployment, group.as_deref());
    let hosts = server.hosts.keys().map(|h| (Kind::Instance, h.clone()));
    let routes = needs.route.iter().chain(&needs.test_route).map(|r| (Kind::Route, r.clone()));
    let services: BTreeMap<String, ServiceFact> =
        needs.services.iter().map(|s| (s.clone(), service(cache, memory, s))).collect();
    let mut task_sets = needs.task_sets.clone();
    task_sets.extend(triggering.as_deref().map(needs::task_sets_of).unwrap_or_default());
    task_sets.extend(services.values().filter_map(|s| s.selector.get(TASK_SET_LABEL).cloned()));
    let written = own.into_iter().chain(routes).chain(hosts);
    let written = written.chain(needs.services.iter().map(|s| (Kind::Service, s.clone())));
    let written = written.chain(task_sets.iter().map(|t| (Kind::TaskSet, t.clone())));
    let jobs = jobs(cache, store, &deployment);
    let written: Vec<Key> =
        written.chain(job_names(&deployment).into_iter().map(|(_, n)| (Kind::Job, n))).collect();
    if written.iter().any(|key| !memory.is_current(cache, key)) || lacks_a_host(cache, store, &deployment) {
        return None;
    }
    let application = group.as_ref().and_then(|g| cache.get(Kind::Application, &g.spec.application_ref.name));
    let config = needs.config.as_deref().and_then(|c| cache.get(Kind::Config, c));
    Some(Facts {
        application: application
            .and_then(|o| if let Object::Application(a) = o { Some(a.clone()) } else { None }),
        config: config.and_then(|o| if let Object::Config(c) = o { Some(c.clone()) } else { None }),
        hooks: needs.hooks.iter().filter_map(|h| hook(cache, h)).collect(),
        revision,
        rival: rival(cache, &deployment, group.as_deref()),
        triggering,
        rollback: rollback(cache, &deployment),
        pod_template: needs.pod_template.as_deref().and_then(|name| pod_template(cache, name)),
        task_sets: task_sets.iter().filter_map(|t| Some((t.clone(), task_set(cache, t)?))).collect(),
        task_set_refused: memory.refused_task_sets.get(deployment.uid()).cloned(),
        route: needs.route.as_deref().and_then(|r| route(cache, memory, r)),
        test_route: needs.test_route.as_deref().and_then(|r| route(cache, memory, r)),
        services,
        jobs,
        calls: memory.calls.clone(),
        namespace_is_going: false,
        server,
        deployment,
        group,
    })
}

fn has_snapshot(deployment: &Deployment) -> bool {
    deployment.status.as_ref().is_some_and(|s| s.resolved.is_some())
}

fn hook(cache: &Cache, name: &str) -> Option<(String, Arc<sluice::api::LifecycleHook>)> {
    match cache.get(Kind::Hook, name)? {
        Object::Hook(hook) => Some((name.into(), hook.clone())),
        _ => None,
    }
}

fn content(cache: &Cache, deployment: &Deployment, group: Option<&DeploymentGroup>) -> RevisionFact {
    if group.is_none() || deployment.phase().has_ended() || has_snapshot(deployment) {
        return RevisionFact::NotRead;
    }
    deployment.spec.revision.as_ref().map_or(RevisionFact::NotRead, |r| source(cache, r))
}

fn source(cache: &Cache, revision: &Revision) -> RevisionFact {
    if let Some(content) = &revision.app_spec_content {
        return RevisionFact::Content(content.content.clone());
    }
    let Some(wanted) = &revision.config_map else { return RevisionFact::NotRead };
    let data = match cache.get(Kind::ConfigMap, &wanted.name) {
        Some(Object::ConfigMap(map)) => map.data.get(&wanted.key).cloned(),
        _ => None,
    };
    data.map_or_else(
        || RevisionFact::Missing {
            reason: "RevisionMissing",
            message: format!("there is no key {} in ConfigMap {}; create it", wanted.key, wanted.name),
        },
        RevisionFact::Content,
    )
}

fn by_uid(cache: &Cache, uid: &str) -> Option<Arc<Deployment>> {
    cache.all(Kind::Deployment).filter_map(Object::deployment).find(|d| d.uid() == uid).cloned()
}

fn rival(cache: &Cache, deployment: &Deployment, group: Option<&DeploymentGroup>) -> Option<Arc<Deployment>> {
    let active = group?.status.as_ref()?.active_deployment.as_ref()?;
    if active.uid == deployment.uid() { None } else { by_uid(cache, &active.uid) }
}

fn triggering(cache: &Cache, deployment: &Deployment) -> Option<Arc<Deployment>> {
    by_uid(cache, deployment.metadata.annotations.as_ref()?.get(ROLLBACK_OF_ANNOTATION)?)
}

fn rollback(cache: &Cache, deployment: &Deployment) -> RollbackFact {
    let info = deployment.status.as_ref().and_then(|s| s.rollback_info.as_ref());
    let named = info.and_then(|i| i.rollback_deployment.as_deref());
    let found = named.and_then(|n| cache.get(Kind::Deployment, n)).and_then(Object::deployment);
    RollbackFact::of(deployment, found.map(Arc::as_ref))
}

fn job_names(deployment: &Deployment) -> Vec<(EventName, String)> {
    let resolved = deployment.status.as_ref().and_then(|s| s.resolved.as_ref());
    let hooks = resolved.map(|r| r.hooks.as_slice()).unwrap_or_default();
    let (name, uid) = (deployment.name(), deployment.uid());
    let jobs = hooks.iter().filter(|h| h.job.is_some());
    jobs.map(|h| (h.event, hooks::job_name(name, uid, h.event, &h.name))).collect()
}

/// A Job that was seen by somebody and is not in the cache is asked for: a cache that lags does not make it vanish.
fn jobs(cache: &Cache, store: &Store, deployment: &Deployment) -> BTreeMap<EventName, JobFact> {
    let mut facts = BTreeMap::new();
    for (event, name) in job_names(deployment) {
        let events = deployment.status.as_ref().map(|s| s.lifecycle_events.as_slice()).unwrap_or_default();
        let was_seen = events.iter().any(|e| e.name == event && e.started);
        let asked = || store.get(Kind::Job, &name).filter(|_| was_seen);
        let Some(job) = cache.get(Kind::Job, &name).or_else(asked).and_then(Object::job) else { continue };
        let is_ours = job.deployment_uid == deployment.uid();
        let state = match &job.end {
            _ if !is_ours => JobState::NameTaken,
            Some(JobEnd::Complete) => JobState::Succeeded,
            Some(JobEnd::Failed { message, log_tail }) => {
                JobState::Failed { message: message.clone(), log_tail: log_tail.clone() }
            }
            None if job.is_going => JobState::Deleted,
            None => JobState::Running,
        };
        facts.insert(event, JobFact { name, state, is_held: is_ours && job.is_held });
    }
    facts
}

fn route(cache: &Cache, memory: &Memory, name: &str) -> Option<Arc<RouteFact>> {
    let route = cache.get(Kind::Route, name).and_then(Object::route)?;
    Some(Arc::new(route_fact(route, memory)))
}

fn route_fact(route: &Route, memory: &Memory) -> RouteFact {
    let backend = |b: &super::objects::Backend| BackendFact {
        service: Some(b.service.clone()),
        weight: b.weight,
        port: Some(b.port),
    };
    let gateway = match &route.status {
        None => GatewayFact::Silent,
        Some(s) if s.generation < route.generation => GatewayFact::Behind,
        Some(s) => s.refused.clone().map_or(GatewayFact::Taken, GatewayFact::Refused),
    };
    RouteFact {
        name: route.name.clone(),
        uid: route.uid.clone(),
        generation: route.generation,
        is_going: route.is_going,
        rules: route
            .rules
            .iter()
            .map(|r| RuleFact { key: r.matches.clone(), backends: r.backends.iter().map(backend).collect() })
            .collect(),
        gateway,
        sightings: memory.sightings.get(&route.name).cloned().unwrap_or_default(),
        refused_at: memory.refused.get(&route.name).copied(),
        write_refused: None,
        rules_are_lost: false,
        added: Default::default(),
    }
}

fn service(cache: &Cache, memory: &Memory, name: &str) -> ServiceFact {
    match cache.get(Kind::Service, name).and_then(Object::service) {
        None => ServiceFact::default(),
        Some(s) => {
            let slice = cache.get(Kind::Slice, name).and_then(Object::slice);
            let mut ready_of = BTreeMap::new();
            for owner in slice.iter().flat_map(|s| s.pods.values()) {
                *ready_of.entry(owner.clone()).or_default() += 1;
            }
            let mut pods = cache.all(Kind::Pod).filter_map(Object::pod);
            let has_unready = pods.any(|p| !p.is_ready && selects(&s.selector, &p.labels));
            ServiceFact {
                exists: true,
                ports: s.ports.clone(),
                has_unready,
                ready: Some(s.ready.unwrap_or_else(|| slice.map_or(0, |s| s.pods.len()))),
                ready_since: memory.ready_since.get(name).copied(),
                ready_of,
                uid: s.uid.clone(),
                version: cache
                    .objects
                    .get(&(Kind::Service, name.to_owned()))
                    .map(|s| s.version.to_string())
                    .unwrap_or_default(),
                group: s.group.clone(),
                group_uid: s.group_uid.clone(),
                selector: s.selector.clone(),
                target_ports: s.target_ports.clone(),
            }
        }
    }
}

fn pod_template(cache: &Cache, name: &str) -> Option<Arc<PodTemplateFact>> {
    match cache.get(Kind::PodTemplate, name)? {
        Object::PodTemplate(t) => {
            Some(Arc::new(PodTemplateFact { name: name.into(), template: t.template.clone() }))
        }
        _ => None,
    }
}

fn task_set(cache: &Cache, name: &str) -> Option<TaskSetFact> {
    let found = cache.get(Kind::TaskSet, name)?.task_set()?;
    let held = cache.all(Kind::Pod).filter_map(Object::pod).filter(|p| p.owner == name);
    let refused = found.failure.as_ref().map(|words| format!("pods cannot be created: {words}"));
    Some(TaskSetFact {
        uid: found.uid.clone(),
        generation: found.generation,
        group_uid: found.group_uid.clone(),
        deployment_uid: found.deployment_uid.clone(),
        created: found.created,
        task_definition: found.task_definition.clone(),
        container: found.container.clone(),
        replicas: found.replicas,
        total: found.total,
        ready: found.ready,
        is_observed: found.observed_generation >= found.generation,
        is_going: false,
        problem: refused.or_else(|| held.filter_map(|p| p.problem.clone()).next()),
    })
}

/// The facts of one group; `None` if it is gone, or if the cache lacks what this believer wrote itself.
pub fn group(cache: &Cache, memory: &Memory, store: &Store, name: &str) -> Option<GroupFacts> {
    let group = cache.get(Kind::Group, name)?.group()?.clone();
    let status = group.status.as_ref();
    let serving = status.and_then(|s| s.last_successful_deployment.as_ref()).and_then(|l| l.serving.as_ref());
    let target = group.spec.service.as_deref();
    let production = target.and_then(|t| t.production_listener.http_route.as_ref());
    let route_name = production.map(|r| r.name.clone()).or(serving.map(|s| s.route.clone()));
    let test_name = target.and_then(|t| t.test_listener.as_ref()).map(|t| t.http_route.name.clone());
    let routes = route_name.iter().chain(&test_name).map(|r| (Kind::Route, r.clone()));
    let own: Vec<Key> =
        routes.chain([(Kind::Group, name.to_owned())]).chain(of_service(cache, &group)).collect();
    if own.iter().any(|key| !memory.is_current(cache, key)) {
        return None;
    }
    let config = group.spec.deployment_config_name.as_deref().and_then(|c| cache.get(Kind::Config, c));
    let active = status.and_then(|s| s.active_deployment.as_ref());
    let is_grant_checked = active.is_none_or(|a| {
        by_uid(cache, &a.uid).is_some() || store.deployment(&a.name).is_none_or(|d| d.uid() != a.uid)
    });
    let own = cache.all(Kind::Deployment).filter_map(Object::deployment);
    let deployments: Vec<_> = own.filter(|d| d.spec.deployment_group_ref.name == name).cloned().collect();
    Some(GroupFacts {
        application: match cache.get(Kind::Application, &group.spec.application_ref.name) {
            Some(Object::Application(a)) => Some(a.clone()),
            _ => None,
        },
        config: config.and_then(|o| if let Object::Config(c) = o { Some(c.clone()) } else { None }),
        server: server_group(cache, memory, &group, &deployments),
        deployments,
        is_grant_checked,
        revision: group.spec.revision.as_ref().map_or(RevisionFact::NotRead, |r| source(cache, r)),
        refused: memory.refused_creations.get(name).cloned(),
        route: route_name.and_then(|r| route(cache, memory, &r)),
        test_route: test_name.and_then(|r| route(cache, memory, &r)),
        task_sets: task_sets_of(cache, name)
            .filter_map(|t| Some((t.clone(), task_set(cache, &t)?)))
            .collect(),
        rivals: cache
            .all(Kind::Group)
            .filter_map(Object::group)
            .filter(|g| group_service::may_share(g, &group) && g.metadata.name != group.metadata.name)
            .cloned()
            .collect(),
        services: services_of(cache, &group)
            .into_iter()
            .map(|n| (n.clone(), service(cache, memory, &n)))
            .collect(),
        group,
    })
}

/// Every host in the cache.
fn hosts(cache: &Cache) -> BTreeMap<String, Arc<HostFact>> {
    let of = |(key, stored): (&Key, &super::store::Stored)| {
        let mut fact = HostFact::of(stored.object.instance()?);
        fact.version = stored.version.to_string();
        Some((key.1.clone(), Arc::new(fact)))
    };
    cache.objects.iter().filter_map(of).collect()
}

/// True if the cache lacks a target that is there: asked of the API server.
fn lacks_a_host(cache: &Cache, store: &Store, deployment: &Deployment) -> bool {
    let status = deployment.status.as_ref();
    let Some(server) = status.and_then(|s| s.resolved.as_ref()?.server.as_deref()) else { return false };
    let letters = status.map(|s| s.targets.as_bytes()).unwrap_or_default();
    let uid =
        |object: Option<&Object>| object.and_then(Object::instance).and_then(|i| i.metadata.uid.clone());
    let mut named = server.targets.iter().zip(&server.uids).enumerate();
    named.any(|(index, (name, wanted))| {
        let is_open = matches!(letters.get(index), None | Some(b'P' | b'I' | b'S'));
        let is_missing = uid(cache.get(Kind::Instance, name)).as_ref() != Some(wanted);
        is_open && is_missing && uid(store.get(Kind::Instance, name)).as_ref() == Some(wanted)
    })
}

/// What a Server deployment looks at.
fn server(
    cache: &Cache,
    memory: &Memory,
    deployment: &Deployment,
    group: Option<&DeploymentGroup>,
) -> ServerFacts {
    let resolved = deployment.status.as_ref().and_then(|s| s.resolved.as_ref());
    let is_server =
        group.is_some_and(|g| g.spec.server.is_some()) || resolved.is_some_and(|r| r.server.is_some());
    let is_over = deployment.phase().has_ended()
        && deployment.metadata.finalizers.as_deref().unwrap_or_default().is_empty();
    if !is_server || is_over {
        return ServerFacts::default();
    }
    let balancer = group.and_then(|g| g.spec.server.as_deref()).and_then(|s| s.load_balancer.as_ref());
    ServerFacts {
        hosts: hosts(cache),
        service: balancer.map(|b| service(cache, memory, &b.service.name)),
        endpoints: memory.endpoints.clone(),
        written: memory.written.get(deployment.name()).copied(),
        ..ServerFacts::default()
    }
}

/// What a Server group looks at.
fn server_group(
    cache: &Cache,
    memory: &Memory,
    group: &DeploymentGroup,
    deployments: &[Arc<Deployment>],
) -> ServerGroupFacts {
    let Some(target) = &group.spec.server else { return ServerGroupFacts::default() };
    let balancer = sluice::engine::server::group::balancer(target, deployments);
    let service = balancer.map(|b| service(cache, memory, &b.service.name));
    let port = balancer.map_or(0, |b| b.service.port);
    let ports = service.iter().flat_map(|s| &s.ports);
    let port = |_: &i32| PortFact { name: String::new(), protocol: "TCP".into(), app_protocol: None, port };
    let is_own = |stored: &&super::store::Stored| {
        let slice = stored.object.host_slice();
        let is_for = |s: &SliceFact| balancer.is_some_and(|b| b.service.name == s.service);
        slice.is_some_and(|s| Some(&s.group_uid) == group.metadata.uid.as_ref() || is_for(s))
    };
    let slices = cache.objects.values().filter(is_own);
    ServerGroupFacts {
        hosts: hosts(cache),
        ports: ports.map(port).collect(),
        service,
        slices: slices
            .filter_map(|s| {
                Some(SliceFact { version: s.version.to_string(), ..s.object.host_slice()?.clone() })
            })
            .collect(),
    }
}

/// Every ReplicaSet that bears the group's name.
fn task_sets_of<'a>(cache: &'a Cache, group: &'a str) -> impl Iterator<Item = String> + 'a {
    let task_sets = cache.all(Kind::TaskSet).filter_map(Object::task_set);
    task_sets.filter(move |t| t.group.as_deref() == Some(group)).map(|t| t.name.clone())
}

/// The Services that a group looks at: on the Function platform every one, as the real one looks at those with weight.
fn services_of(cache: &Cache, group: &DeploymentGroup) -> Vec<String> {
    let Some(target) = &group.spec.service else {
        return cache.all(Kind::Service).map(|o| o.key().1).collect();
    };
    let front = target.production_listener.service.iter().map(|s| s.name.clone());
    target.target_groups.iter().cloned().chain(front).collect()
}

/// The task sets and Services that the cache must have seen our own writes of.
fn of_service(cache: &Cache, group: &DeploymentGroup) -> Vec<Key> {
    if group.spec.server.is_some() {
        return cache.objects.keys().filter(|k| k.0 == Kind::HostSlice).cloned().collect();
    }
    if group.spec.service.is_none() {
        return vec![];
    }
    let name = group.metadata.name.as_deref().unwrap_or_default();
    let task_sets = task_sets_of(cache, name).map(|t| (Kind::TaskSet, t));
    task_sets.chain(services_of(cache, group).into_iter().map(|s| (Kind::Service, s))).collect()
}
