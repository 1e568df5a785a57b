//! From references to a snapshot: what a Deployment will run by, or what is missing, or what does not hold.

use std::sync::Arc;

pub use super::app_spec::Spec;
use super::draft::digest;
use super::facts::{Facts, RevisionFact, RouteFact, RuleFact};
use super::scope::{self, Lost, Scope};
use super::service::snapshot;
use super::weights::{self, Pair};
use super::{server, shift, words};
use crate::api::deployment_group::FunctionTarget;
use crate::api::deployment_status::{Resolved, ResolvedFunction, ResolvedHook};
use crate::api::{
    ComputePlatform, Creator, DeploymentConfigSpec, DeploymentGroup, ResolvedRevision, Revision, RoutingType,
    TrafficRouting, predefined,
};
use crate::appspec::FunctionSpec;

/// The snapshot keeps a hook's template: it has to fit into an object together with all the rest.
const MAX_TEMPLATE: usize = 64 * 1024;

/// What a snapshot says of traffic where no weights move.
const ALL_AT_ONCE: TrafficRouting =
    TrafficRouting { type_: RoutingType::AllAtOnce, canary: None, linear: None };

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// An object that is referred to is not there. It may come at any time, and is waited for.
    Missing(&'static str, String),
    /// What is deployed, or what it is deployed to, is not ready for it; that is waited for for a while only.
    NotReady(&'static str, String),
    /// It cannot become right without another Deployment.
    Invalid(&'static str, String),
    /// Not known yet, because a cache is still filling.
    Unknown,
}

/// A snapshot in the making: the revision's identity is known first.
pub struct Found {
    /// The revision with its digest.
    pub revision: ResolvedRevision,
    /// The parsed AppSpec.
    pub spec: Spec,
}

/// Reads the revision: digest first, then the AppSpec as one of `platform`.
pub fn revision(
    platform: ComputePlatform,
    source: &Revision,
    fact: &RevisionFact,
) -> Result<Found, Obstacle> {
    if platform == ComputePlatform::Server {
        return Ok(Found { revision: server::snapshot::revision(source)?, spec: Spec::Bundle });
    }
    let content = match fact {
        RevisionFact::Content(content) => content,
        RevisionFact::Missing { reason, message } => return Err(Obstacle::Missing(reason, message.clone())),
        RevisionFact::NotReady { reason, message } => {
            return Err(Obstacle::NotReady(reason, message.clone()));
        }
        RevisionFact::Invalid { reason, message } => return Err(Obstacle::Invalid(reason, message.clone())),
        RevisionFact::NotRead => return Err(Obstacle::Unknown),
    };
    let digest = digest(content.as_bytes());
    let wanted = source.app_spec_content.as_ref().and_then(|c| c.sha256.as_deref());
    if wanted.is_some_and(|w| !digest["sha256:".len()..].eq_ignore_ascii_case(w)) {
        let message = format!(
            "spec.revision.appSpecContent.sha256 is not the digest of its content, which is {}; correct one of the two",
            &digest["sha256:".len()..]
        );
        return Err(Obstacle::Invalid("InvalidRevision", message));
    }
    let spec = Spec::read(platform, content)
        .map_err(|e| Obstacle::Invalid("InvalidRevision", format!("the AppSpec cannot be used: {e}")))?;
    let mut revision = ResolvedRevision::new(source, digest);
    revision.summary = Some(spec.summary());
    Ok(Found { revision, spec })
}

/// The snapshot of a Deployment that has its turn.
pub fn snapshot(
    facts: &Facts,
    group: &DeploymentGroup,
    found: &Found,
    creator: Creator,
) -> Result<Resolved, Obstacle> {
    let (name, config) = configuration(facts, group, creator)?;
    let routing = config.traffic_routing.clone().unwrap_or(ALL_AT_ONCE);
    let (mut function, mut service, mut server) = (None, None, None);
    let spec = &group.spec;
    match (&found.spec, &spec.function, &spec.service, &spec.server) {
        (Spec::Function(spec), Some(target), ..) => {
            function = Some(self::function(facts, target, spec, creator, &routing)?);
        }
        (Spec::Service(spec), _, Some(target), _) => {
            service = Some(snapshot::service(facts, group, target, spec, creator, &routing)?);
        }
        (Spec::Bundle, .., Some(target)) => {
            let (revision, config) = (&found.revision, (name.as_str(), &config));
            server = Some(server::snapshot::server(facts, group, target, revision, config, creator)?);
        }
        _ => return Err(Obstacle::Unknown),
    }
    let hooks = if creator.is_rollback() { vec![] } else { hooks(facts, &found.spec)? };
    let own = facts.deployment.spec.auto_rollback.as_ref();
    Ok(Resolved {
        group_generation: group.metadata.generation.unwrap_or_default(),
        group_uid: group.metadata.uid.clone().unwrap_or_default(),
        application: group.spec.application_ref.name.clone(),
        deployment_config_name: name,
        traffic_routing: routing,
        function,
        service: service.map(Box::new),
        server: server.map(Box::new),
        hooks,
        auto_rollback: own.or(group.spec.auto_rollback.as_ref()).cloned().unwrap_or_default(),
    })
}

fn configuration(
    facts: &Facts,
    group: &DeploymentGroup,
    creator: Creator,
) -> Result<(String, DeploymentConfigSpec), Obstacle> {
    let platform = group.spec.platform();
    let default = match creator {
        Creator::AutoRollback => predefined::all_at_once(platform),
        _ => predefined::default_name(platform),
    };
    let named =
        facts.deployment.spec.deployment_config_name.as_ref().or(group.spec.deployment_config_name.as_ref());
    let name = if creator.is_rollback() { default } else { named.map_or(default, String::as_str) };
    let spec = if predefined::is_reserved(name) {
        predefined::find(name)
            .ok_or_else(|| Obstacle::Invalid("DeploymentConfigMissing", words::unknown_predefined(name)))?
    } else {
        let config = facts.config.as_ref().filter(|c| c.metadata.name.as_deref() == Some(name));
        config.map(|c| c.spec.clone()).ok_or_else(|| {
            Obstacle::Missing(
                "DeploymentConfigMissing",
                format!("there is no DeploymentConfig {name}; create it, or name a predefined one such as {default}"),
            )
        })?
    };
    if spec.compute_platform == platform {
        return Ok((name.into(), spec));
    }
    Err(Obstacle::Invalid(
        "PlatformMismatch",
        format!(
            "deployment configuration {name} is for platform {}, the application's is {platform}; name one of platform {platform}, such as {default}",
            spec.compute_platform
        ),
    ))
}

fn function(
    facts: &Facts,
    target: &FunctionTarget,
    spec: &FunctionSpec,
    creator: Creator,
    routing: &TrafficRouting,
) -> Result<ResolvedFunction, Obstacle> {
    let invalid = |message| Obstacle::Invalid("InvalidFunctionConfiguration", message);
    let alias = target.alias(&spec.alias).ok_or_else(|| {
        let known: Vec<_> = target.aliases.iter().map(|a| a.name.as_str()).collect();
        invalid(format!(
            "the AppSpec names alias {}, which the group does not have (it has {}); correct the AppSpec, or add the alias to the group's spec.function.aliases",
            spec.alias,
            known.join(", ")
        ))
    })?;
    let whole = facts.route.as_ref().filter(|r| !r.is_going).ok_or_else(|| {
        let message = format!(
            "there is no HTTPRoute {} behind alias {}; create it with a backendRef to the Service of the version that serves",
            alias.http_route.name, alias.name
        );
        Obstacle::Missing("HTTPRouteMissing", message)
    })?;
    let inherited = inherited_rules(facts, whole).map_err(|_| invalid(words::rules_changed(&whole.name)))?;
    let seen = scope::only(whole, inherited.as_deref().unwrap_or_default());
    let current_version = current_version(&seen, target, spec, creator).map_err(invalid)?;
    let original = target.service(&spec.name, &current_version);
    let replacement = target.service(&spec.name, &spec.target_version);
    let rules = inherited.unwrap_or_else(|| scope::rules_with(whole, &original));
    let route = &scope::only(whole, &rules);
    if original != replacement {
        let pair = Pair { original: &original, replacement: &replacement, keeps: false };
        let percents = shift::percents(routing);
        weights::check(route, pair, &percents).map_err(|e| invalid(format!("{}: {e}", e.reason())))?;
    }
    serves(facts, route, &original, &replacement)?;
    Ok(ResolvedFunction {
        name: spec.name.clone(),
        alias: spec.alias.clone(),
        current_version,
        target_version: spec.target_version.clone(),
        route: route.name.clone(),
        route_uid: route.uid.clone(),
        rules,
        rule_count: scope::count(whole),
        rule_keys: scope::keys(whole),
        original,
        replacement,
    })
}

/// A rollback concerns the rules that the Deployment which it rolls back concerned; a route made anew is looked at anew.
fn inherited_rules(facts: &Facts, route: &RouteFact) -> Result<Option<Vec<i32>>, Lost> {
    let triggering = facts.triggering.as_ref().and_then(|t| t.status.as_ref());
    let failed = triggering.and_then(|s| s.resolved.as_ref()).and_then(|r| r.function.as_ref());
    let Some(failed) = failed.filter(|f| f.route_uid == route.uid) else { return Ok(None) };
    let found = Scope::of(failed).find(route)?;
    if found.is_empty() {
        return Err(Lost);
    }
    Ok(Some(found.into_iter().filter_map(|i| i32::try_from(i).ok()).collect()))
}

/// The version of `function` that a Service serves, by the group's naming rule.
pub fn version_of<'a>(target: &FunctionTarget, function: &str, service: &'a str) -> Option<&'a str> {
    let pattern = target.version_service.replace("{name}", function);
    let (before, after) = pattern.split_once("{version}")?;
    let after = after.split("{version}").last().unwrap_or_default();
    let version = service.strip_prefix(before)?.strip_suffix(after)?;
    (!version.is_empty() && target.service(function, version) == service).then_some(version)
}

/// The versions of `function` that have weight in the route, each with its greatest weight, in order of name.
///
/// Where `like` is a number only numbers count: a Service hello-api beside hello-1 and hello-2 is no version of hello.
pub fn served(route: &RouteFact, target: &FunctionTarget, function: &str, like: &str) -> Vec<(String, i32)> {
    let is_number = |version: &str| version.bytes().all(|b| b.is_ascii_digit());
    let mut served = std::collections::BTreeMap::<String, i32>::new();
    for backend in route.rules.iter().flat_map(|r| &r.backends).filter(|b| b.weight > 0) {
        let version = backend.service.as_deref().and_then(|s| version_of(target, function, s));
        if let Some(version) = version.filter(|v| is_number(v) || !is_number(like)) {
            let weight = served.entry(version.into()).or_default();
            *weight = backend.weight.max(*weight);
        }
    }
    served.into_iter().collect()
}

fn current_version(
    route: &Arc<RouteFact>,
    target: &FunctionTarget,
    spec: &FunctionSpec,
    creator: Creator,
) -> Result<String, String> {
    let mut served = served(route, target, &spec.name, &spec.target_version);
    // Rules that serve nothing but the target are pinned to it, and say nothing about what is current.
    let pinned = pinned(route, target, spec);
    if served.len() > 1 && !pinned.is_empty() && !creator.is_rollback() {
        let rest = scope::only(route, &unpinned(route, &pinned));
        served = self::served(&rest, target, &spec.name, &spec.target_version);
    }
    let split = || served.iter().map(|(v, w)| format!("{v} (weight {w})")).collect::<Vec<_>>().join(" and ");
    let repair = format!(
        "give one version all of the weight (kubectl edit httproute {}) and create the Deployment again",
        route.name
    );
    if creator.is_rollback() {
        let current = spec.current_version.clone().unwrap_or_else(|| spec.target_version.clone());
        let known = served.iter().all(|(v, _)| *v == current || *v == spec.target_version);
        return if known {
            Ok(current)
        } else {
            Err(format!(
                "HTTPRoute {} serves {}, which is neither of the two versions that the rollback knows ({current} and {}); nothing is moved",
                route.name,
                split(),
                spec.target_version
            ))
        };
    }
    match (served.as_slice(), &spec.current_version) {
        ([], _) => Err(format!(
            "HTTPRoute {} gives no weight to any version of {} (Services named {}); add a backendRef to the version that serves",
            route.name, spec.name, target.version_service
        )),
        ([(version, _)], None) => Ok(version.clone()),
        ([(version, _)], Some(current)) if version == current => Ok(version.clone()),
        ([(version, _)], Some(current)) => Err(format!(
            "the AppSpec's CurrentVersion is {current}, but alias {} serves version {version}; correct CurrentVersion, or leave it out",
            spec.alias
        )),
        (_, _) => Err(format!("alias {} is split between versions {}; {repair}", spec.alias, split())),
    }
}

/// The rules in which the target version is the only one of the function that has weight.
fn pinned(route: &RouteFact, target: &FunctionTarget, spec: &FunctionSpec) -> Vec<usize> {
    let versions = |rule: &RuleFact| {
        let with_weight = rule.backends.iter().filter(|b| b.weight > 0).filter_map(|b| b.service.clone());
        with_weight.filter_map(|s| version_of(target, &spec.name, &s).map(str::to_owned)).collect::<Vec<_>>()
    };
    let is_pinned = |rule: &RuleFact| versions(rule) == [spec.target_version.clone()];
    route.rules.iter().enumerate().filter(|(_, r)| is_pinned(r)).map(|(i, _)| i).collect()
}

fn unpinned(route: &RouteFact, pinned: &[usize]) -> Vec<i32> {
    (0..route.rules.len()).filter(|i| !pinned.contains(i)).filter_map(|i| i32::try_from(i).ok()).collect()
}

/// Checks that the replacement can serve what the route would send it.
fn serves(facts: &Facts, route: &RouteFact, original: &str, replacement: &str) -> Result<(), Obstacle> {
    let fact = facts.services.get(replacement).ok_or(Obstacle::Unknown)?;
    if !fact.exists {
        return Err(Obstacle::NotReady(
            "ServiceMissing",
            format!(
                "there is no Service {replacement} for the target version; create it, with the port that the route uses"
            ),
        ));
    }
    let named = |service: &str| service == original || service == replacement;
    let ports =
        route.rules.iter().flat_map(|r| &r.backends).filter(|b| b.service.as_deref().is_some_and(named));
    if let Some(port) = ports.filter_map(|b| b.port).find(|p| !fact.ports.contains(p)) {
        return Err(Obstacle::NotReady(
            "ServicePortMissing",
            format!(
                "Service {replacement} has no port {port}, to which HTTPRoute {} sends; add the port",
                route.name
            ),
        ));
    }
    match fact.ready {
        None => Err(Obstacle::Unknown),
        Some(0) => Err(Obstacle::NotReady("NoReadyEndpoints", words::no_endpoints(replacement))),
        Some(_) => Ok(()),
    }
}

fn hooks(facts: &Facts, spec: &Spec) -> Result<Vec<ResolvedHook>, Obstacle> {
    spec.hooks()
        .into_iter()
        .map(|(event, name)| {
            let hook = facts.hooks.get(name).ok_or_else(|| {
                let message = format!(
                    "the AppSpec's {event} names LifecycleHook {name}, which does not exist; create it, or correct the AppSpec"
                );
                Obstacle::Missing("LifecycleHookMissing", message)
            })?;
            let size = hook.spec.job.as_ref().map_or(0, |j| j.template.to_string().len());
            if size > MAX_TEMPLATE {
                let message = format!("the Job template of LifecycleHook {name} has {size} bytes, at most {MAX_TEMPLATE} are allowed; move what is large into a ConfigMap");
                return Err(Obstacle::Invalid("InvalidRevision", message));
            }
            Ok(ResolvedHook {
                event,
                name: name.into(),
                timeout: hook.spec.timeout,
                job: hook.spec.job.as_ref().map(|j| j.template.clone()),
                http: hook.spec.http.clone(),
            })
        })
        .collect()
}
