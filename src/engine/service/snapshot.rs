//! From an AppSpec to what a Service deployment runs by: the template, the two sides and the listeners.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{sides, task_set, way_back};
use crate::api::deployment_snapshot::{ResolvedListener, ResolvedService, ResolvedSide};
use crate::api::service_target::ServiceTarget;
use crate::api::{Creator, DeploymentGroup, RoutingType, TrafficRouting};
use crate::appspec::ServiceSpec;
use crate::engine::draft::digest;
use crate::engine::facts::{BackendFact, Facts, RouteFact, ServiceFact};
use crate::engine::resolve::Obstacle;
use crate::engine::scope;
use crate::engine::shift;
use crate::engine::weights::{self, Pair};

/// CodeDeploy's code for a service that cannot be deployed to.
const INVALID: &str = "InvalidServiceConfiguration";

/// The snapshot keeps the template: it has to fit into an object together with all the rest.
const MAX_TEMPLATE: usize = 256 * 1024;

pub(super) fn invalid(message: impl Into<String>) -> Obstacle {
    Obstacle::Invalid(INVALID, message.into())
}

/// The Service platform's part of a Deployment's snapshot.
pub fn service(
    facts: &Facts,
    group: &DeploymentGroup,
    target: &ServiceTarget,
    spec: &ServiceSpec,
    creator: Creator,
    routing: &TrafficRouting,
) -> Result<ResolvedService, Obstacle> {
    if creator == Creator::AutoRollback {
        return way_back::service(facts, group, target, spec);
    }
    if target.replicas == 0 {
        return Err(Obstacle::NotReady(
            "NoReplicas",
            "the group's spec.service.replicas is 0, so that nothing could take the traffic; set it to 1 or more".into(),
        ));
    }
    let template = template(facts, spec)?;
    let found = listener(facts, group, target)?;
    let replacement = replacement(facts, group, target, spec, &found)?;
    check_selectors(facts, target, &found, &template)?;
    check_route(facts, target, &found, &replacement, routing)?;
    let test = test_listener(facts, target)?;
    let blue_green = group.spec.blue_green.clone().unwrap_or_default();
    Ok(ResolvedService {
        task_definition: spec.task_definition.clone(),
        container_name: spec.container_name.clone(),
        container_port: i32::from(spec.container_port),
        pod_template_digest: digest(template.to_string().as_bytes()),
        pod_template: Some(template),
        leftover: leftover(facts, &found, &replacement),
        other_target_group: target.other_than(&replacement.target_group).unwrap_or_default().into(),
        original: found.original,
        replacement,
        production: found.listener,
        test,
        deployment_ready: blue_green.deployment_ready,
        terminate_original: blue_green.terminate_original,
        install_timeout: target.install_timeout,
        drain: target.drain,
    })
}

/// The PodTemplate's template, which must hold the container and its port.
pub(super) fn template(facts: &Facts, spec: &ServiceSpec) -> Result<Value, Obstacle> {
    let name = &spec.task_definition;
    let found = facts.pod_template.as_ref().filter(|t| t.name == *name).ok_or_else(|| {
        let message = format!("there is no PodTemplate {name}, which the AppSpec's TaskDefinition names; create it, or correct the AppSpec");
        Obstacle::Missing("PodTemplateMissing", message)
    })?;
    let size = found.template.to_string().len();
    if size > MAX_TEMPLATE {
        return Err(invalid(format!(
            "PodTemplate {name} has {size} bytes, at most {MAX_TEMPLATE} are allowed; move what is large into a ConfigMap"
        )));
    }
    let containers = found.template.pointer("/spec/containers").and_then(Value::as_array);
    let named = |c: &&Value| c["name"].as_str() == Some(&spec.container_name);
    let container = containers.into_iter().flatten().find(named).ok_or_else(|| {
        let known: Vec<_> = containers.into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        invalid(format!(
            "PodTemplate {name} has no container {} (it has {}); correct the AppSpec's LoadBalancerInfo.ContainerName",
            spec.container_name,
            known.join(", ")
        ))
    })?;
    let ports = container["ports"].as_array();
    let known: Vec<i64> = ports.into_iter().flatten().filter_map(|p| p["containerPort"].as_i64()).collect();
    if !known.contains(&i64::from(spec.container_port)) {
        return Err(invalid(format!(
            "container {} of PodTemplate {name} has no containerPort {}; add it to the container's ports, or correct the AppSpec's LoadBalancerInfo.ContainerPort",
            spec.container_name, spec.container_port
        )));
    }
    Ok(found.template.clone())
}

/// The production listener and what it sends to.
struct Found {
    listener: ResolvedListener,
    original: Option<ResolvedSide>,
    /// The target group that has the production traffic; absent when a front Service sends to neither.
    primary: Option<String>,
}

fn listener(facts: &Facts, group: &DeploymentGroup, target: &ServiceTarget) -> Result<Found, Obstacle> {
    if let Some(front) = &target.production_listener.service {
        return front_listener(facts, group, target, &front.name);
    }
    let name = target.production_listener.http_route.as_ref().map(|r| r.name.as_str()).unwrap_or_default();
    let route = facts.route.as_ref().filter(|r| !r.is_going).ok_or_else(|| missing_route(name, target))?;
    let primary = sides::primary(route, target).map_err(invalid)?;
    let service = existing(facts, &primary.target_group)?;
    let listener = ResolvedListener {
        is_service: false,
        name: route.name.clone(),
        uid: route.uid.clone(),
        rules: primary.rules,
        rule_count: scope::count(route),
        rule_keys: scope::keys(route),
    };
    let original = sides::standing(&primary.target_group, service, &facts.task_sets, group);
    Ok(Found { listener, original, primary: Some(primary.target_group) })
}

/// A front Service sends to a target group if it has that one's selector; whom else it sends to is an original of its own.
fn front_listener(
    facts: &Facts,
    group: &DeploymentGroup,
    target: &ServiceTarget,
    name: &str,
) -> Result<Found, Obstacle> {
    let front = facts.services.get(name).filter(|s| s.exists).ok_or_else(|| {
        let message = format!("there is no Service {name}, the group's production listener; create it with the port that clients use");
        Obstacle::Missing("ServiceMissing", message)
    })?;
    if front.target_ports.iter().any(|p| Some(p) != front.target_ports.first()) {
        return Err(invalid(format!(
            "the ports of Service {name}, the production listener, lead to different target ports, but the AppSpec's ContainerPort is one; give it ports that lead to one, or use an HTTPRoute"
        )));
    }
    let listener = ResolvedListener {
        is_service: true,
        name: name.into(),
        uid: front.uid.clone(),
        rules: vec![],
        rule_count: 0,
        rule_keys: vec![],
    };
    let mut primary = None;
    for target_group in &target.target_groups {
        if !front.selector.is_empty() && existing(facts, target_group)?.selector == front.selector {
            primary = Some(target_group.clone());
        }
    }
    let named = primary.as_deref().unwrap_or(name);
    let original = sides::standing(named, front, &facts.task_sets, group);
    Ok(Found { listener, original, primary })
}

fn missing_route(name: &str, target: &ServiceTarget) -> Obstacle {
    let first = target.target_groups.first().map_or("", String::as_str);
    Obstacle::Missing(
        "HTTPRouteMissing",
        format!(
            "there is no HTTPRoute {name}, one of the group's listeners; create it with a backendRef to Service {first}"
        ),
    )
}

fn existing<'a>(facts: &'a Facts, name: &str) -> Result<&'a ServiceFact, Obstacle> {
    let fact = facts.services.get(name).ok_or(Obstacle::Unknown)?;
    if !fact.exists {
        let message = format!(
            "Service {name}, a target group, is not there; the group creates it as soon as a listener's backendRef names it with a port"
        );
        return Err(Obstacle::Missing("ServiceMissing", message));
    }
    fact.ready.map(|_| fact).ok_or(Obstacle::Unknown)
}

/// The idle side: with an original the other target group, else the one that has the traffic already, or the first.
fn replacement(
    facts: &Facts,
    group: &DeploymentGroup,
    target: &ServiceTarget,
    spec: &ServiceSpec,
    found: &Found,
) -> Result<ResolvedSide, Obstacle> {
    let first = target.target_groups.first().map(String::as_str);
    let chosen = match (&found.original, &found.primary) {
        (Some(_), Some(primary)) => target.other_than(primary),
        (None, Some(primary)) => Some(primary.as_str()),
        (_, None) => first,
    };
    let target_group = chosen.unwrap_or_default();
    let service = existing(facts, target_group)?;
    if service.ports.is_empty() {
        return Err(invalid(format!(
            "Service {target_group}, a target group, has no port; add the port that the listener uses"
        )));
    }
    let name = task_set::name(group.metadata.name.as_deref().unwrap_or_default(), facts.deployment.uid());
    Ok(ResolvedSide {
        target_group: target_group.into(),
        selector: task_set::selector(&name),
        task_set: Some(name),
        task_definition: Some(spec.task_definition.clone()),
        target_port: Some(spec.container_port.to_string()),
    })
}

/// New pods must not answer to the selector of the side that serves: they would get production traffic before their time.
fn check_selectors(
    facts: &Facts,
    target: &ServiceTarget,
    found: &Found,
    template: &Value,
) -> Result<(), Obstacle> {
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
    let has = |(key, value): (&String, &String)| {
        labels.and_then(|l| l.get(key)).and_then(Value::as_str) == Some(value.as_str())
    };
    let front = found.listener.is_service.then_some(&found.listener.name);
    for name in target.target_groups.iter().chain(front) {
        let Some(service) = facts.services.get(name) else { continue };
        if !service.selector.is_empty() && service.selector.iter().all(has) {
            let selector = selector_text(&service.selector);
            return Err(invalid(format!(
                "SelectorOverlap: the PodTemplate's labels answer to the selector of Service {name} ({}), which would send to the new pods before their time; give the PodTemplate other labels",
                selector
            )));
        }
    }
    Ok(())
}

fn check_route(
    facts: &Facts,
    target: &ServiceTarget,
    found: &Found,
    replacement: &ResolvedSide,
    routing: &TrafficRouting,
) -> Result<(), Obstacle> {
    if found.listener.is_service {
        if routing.type_ != RoutingType::AllAtOnce {
            return Err(invalid(format!(
                "productionListener is Service {}, whose selector is switched all at once; name an AllAtOnce configuration such as CodeDeployDefault.ECSAllAtOnce, or use an HTTPRoute",
                found.listener.name
            )));
        }
        return Ok(());
    }
    let (Some(original), Some(route)) = (&found.original, &facts.route) else { return Ok(()) };
    let route = scope::only(route, &found.listener.rules);
    let pair = Pair { original: &original.target_group, replacement: &replacement.target_group, keeps: true };
    weights::check(&route, pair, &shift::percents(routing))
        .map_err(|e| invalid(format!("{}: {e}", e.reason())))?;
    check_ports(facts, target, &route, &replacement.target_group)
}

/// The replacement's Service must have every port to which the route sends.
fn check_ports(
    facts: &Facts,
    target: &ServiceTarget,
    route: &RouteFact,
    target_group: &str,
) -> Result<(), Obstacle> {
    let service = existing(facts, target_group)?;
    let named = |b: &&BackendFact| b.service.as_ref().is_some_and(|s| target.target_groups.contains(s));
    let mut ports = route.rules.iter().flat_map(|r| &r.backends).filter(named).filter_map(|b| b.port);
    match ports.find(|p| !service.ports.contains(p)) {
        Some(port) => Err(Obstacle::NotReady(
            "ServicePortMissing",
            format!(
                "Service {target_group} has no port {port}, to which HTTPRoute {} sends; add the port",
                route.name
            ),
        )),
        None => Ok(()),
    }
}

fn test_listener(facts: &Facts, target: &ServiceTarget) -> Result<Option<ResolvedListener>, Obstacle> {
    let Some(named) = &target.test_listener else { return Ok(None) };
    let name = &named.http_route.name;
    let route =
        facts.test_route.as_ref().filter(|r| !r.is_going).ok_or_else(|| missing_route(name, target))?;
    let rules = sides::rules_of_either(route, target);
    if rules.is_empty() {
        return Err(invalid(format!(
            "NotServed: no rule of HTTPRoute {name}, the test listener, names {}; add a backendRef to one of them",
            target.target_groups.join(" or ")
        )));
    }
    Ok(Some(ResolvedListener {
        is_service: false,
        name: route.name.clone(),
        uid: route.uid.clone(),
        rules,
        rule_count: scope::count(route),
        rule_keys: scope::keys(route),
    }))
}

/// A task set that still stands on the idle side: kept alive, or left by a deployment without a rollback.
fn leftover(facts: &Facts, found: &Found, replacement: &ResolvedSide) -> Option<String> {
    let service = facts.services.get(&replacement.target_group)?;
    let name = service.selector.get(crate::api::TASK_SET_LABEL)?;
    let serves = found.original.as_ref().and_then(|o| o.task_set.as_ref());
    (Some(name) != serves && Some(name) != replacement.task_set.as_ref()).then(|| name.clone())
}

/// The labels of a selector in kubectl's notation.
pub fn selector_text(selector: &BTreeMap<String, String>) -> String {
    selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}
