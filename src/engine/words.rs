//! Sentences that more than one decision says.

use super::production::Production;
use super::server::words;
use super::service::snapshot::selector_text;
use super::weights::Pair;
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::deployment_status::{Resolved, RollbackInfo, Share, Traffic};
use crate::api::{OriginalAction, ResolvedRevision, predefined};

/// Why no rule of a route is touched any more.
pub fn rules_changed(route: &str) -> String {
    format!(
        "somebody else changed the rules of HTTPRoute {route} so that those which this deployment concerns cannot be told from the others"
    )
}

/// `70 % on hello-1, 30 % on hello-2`.
pub fn split(pair: Pair<'_>, percent: i32) -> String {
    match percent {
        0 => format!("100 % on {}", pair.original),
        100 => format!("100 % on {}", pair.replacement),
        _ => format!("{} % on {}, {percent} % on {}", 100 - percent, pair.original, pair.replacement),
    }
}

/// The traffic block for `percent` on the replacement; steps and times stay as they were.
pub fn traffic(before: Option<&Traffic>, resolved: &Resolved, percent: i32) -> Traffic {
    let production = Production::of(resolved);
    let Pair { original: gives, replacement: takes, .. } = production.pair;
    let (original, replacement) = (100 - percent, percent);
    let summary = if production.is_still() {
        format!("{takes} 100")
    } else {
        format!("{gives} {original} / {takes} {replacement}")
    };
    Traffic {
        original: Share { name: gives.into(), weight: original },
        replacement: Share { name: takes.into(), weight: replacement },
        summary,
        start_time: before.and_then(|t| t.start_time),
        next_step_time: None,
        steps: before.map(|t| t.steps.clone()).unwrap_or_default(),
    }
}

/// CodeDeploy's code for a function or a service that does not stand as the AppSpec says.
pub fn invalid_code(resolved: &Resolved) -> &'static str {
    if resolved.service.is_some() { "InvalidServiceConfiguration" } else { "InvalidFunctionConfiguration" }
}

/// What a Deployment deploys: `version 2 of hello`, `PodTemplate web-42`.
pub fn deployed(resolved: &Resolved) -> String {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) => format!("version {} of {}", f.target_version, f.name),
        (_, Some(s)) => side(&s.replacement),
        _ => String::new(),
    }
}

/// What served before, in the same words; what a rollback goes back to.
pub fn before(resolved: &Resolved) -> Option<String> {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) => Some(format!("version {}", f.current_version)),
        (_, Some(s)) => s.original.as_ref().map(side),
        _ => None,
    }
}

/// What a rollback goes back to, if Sluice did not make it: its AppSpec has no task definition to name.
pub fn unmade(resolved: &Resolved) -> Option<String> {
    let replacement = &resolved.service.as_deref()?.replacement;
    (replacement.task_set.is_none()).then(|| side(replacement))
}

fn side(side: &ResolvedSide) -> String {
    match (&side.task_definition, &side.task_set) {
        (Some(definition), _) => format!("PodTemplate {definition} behind Service {}", side.target_group),
        (None, Some(name)) => format!("task set {name} behind Service {}", side.target_group),
        (None, None) => format!("what stood behind Service {}", side.target_group),
    }
}

/// What a Deployment says when it starts.
pub fn started(resolved: &Resolved, revision: &ResolvedRevision, rollback: Option<&RollbackInfo>) -> String {
    if let Some(server) = &resolved.server {
        let failed = rollback.and_then(|i| i.rollback_triggering_deployment.as_deref());
        let back = failed.map(|f| format!("rolling back {f}: ")).unwrap_or_default();
        return back + &words::started(server, revision, &resolved.deployment_config_name);
    }
    if let Some(failed) = rollback.and_then(|i| i.rollback_triggering_deployment.as_deref()) {
        return format!("rolling back {failed}: {} gets all traffic again", deployed(resolved));
    }
    let configuration = &resolved.deployment_config_name;
    match (&resolved.function, &resolved.service) {
        (Some(f), _) if f.original == f.replacement => {
            format!("deploying {} version {}, which is served already", f.name, f.target_version)
        }
        (Some(f), _) => format!(
            "deploying {} version {} over version {} by {configuration}",
            f.name, f.target_version, f.current_version
        ),
        (_, Some(s)) => started_service(s, configuration),
        _ => String::new(),
    }
}

fn started_service(service: &ResolvedService, configuration: &str) -> String {
    let new = side(&service.replacement);
    match &service.original {
        None => format!("deploying {new}; nothing served before, so that its traffic is there already"),
        Some(original) if original.task_set.is_none() => format!(
            "deploying {new} by {configuration}; the original behind Service {} is not Sluice's, and is never scaled by it",
            original.target_group
        ),
        Some(original) => format!("deploying {new} over {} by {configuration}", side(original)),
    }
}

/// What a Deployment says when it has succeeded.
pub fn succeeded(resolved: &Resolved) -> String {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) if f.original == f.replacement => {
            format!("version {} of {} was already served; nothing had to move", f.target_version, f.name)
        }
        (Some(f), _) => {
            format!("version {} of {} serves all traffic of alias {}", f.target_version, f.name, f.alias)
        }
        (_, Some(s)) => format!("{} serves all traffic{}", side(&s.replacement), original_after(s)),
        _ => String::new(),
    }
}

/// What became of the original.
fn original_after(service: &ResolvedService) -> String {
    match &service.original {
        None => String::new(),
        Some(side) if side.task_set.is_none() => format!(
            "; what stood behind Service {} before is not Sluice's and stands on without traffic: scale it down when you no longer want it back{}",
            side.target_group,
            if service.production.is_service { "" } else { " (the next deployment takes its Service)" }
        ),
        Some(side) if service.terminate_original.action == OriginalAction::KeepAlive => {
            format!("; {} is kept alive until its target group is needed", self::side(side))
        }
        Some(side) => format!("; {} was terminated", self::side(side)),
    }
}

/// What a name under the reserved prefix gets that is none of the 17.
pub fn unknown_predefined(name: &str) -> String {
    format!("{name} is not one of the predefined configurations; they are {}", predefined::NAMES.join(", "))
}

/// What a version without endpoints gets.
pub fn no_endpoints(service: &str) -> String {
    format!(
        "Service {service} has no ready endpoint; start its pods (kubectl get endpointslices -l kubernetes.io/service-name={service})"
    )
}

/// What stands where after an end without a rollback, and how it is repaired; `stands` says whether the replacement's
/// task set does.
pub fn repair(resolved: &Resolved, percent: i32, stands: bool) -> String {
    let production = Production::of(resolved);
    let Pair { original, replacement, .. } = production.pair;
    let traffic = match percent {
        _ if production.is_still() => format!("All traffic is on {replacement}."),
        0 => format!("All traffic is on {original}."),
        100 => format!("All traffic stays on {replacement}. {}", way_back(resolved)),
        _ => format!(
            "Traffic stays as it is: {}. To repair, give one of the two all of the weight (kubectl edit {}), then deploy again.",
            split(production.pair, percent),
            production.resource()
        ),
    };
    match resolved.service.as_deref().filter(|_| stands) {
        Some(service) => format!("{traffic}{}", left_standing(service, percent)),
        None => traffic,
    }
}

/// What is said of traffic that somebody else sends past both sides.
pub fn strayed(resolved: &Resolved) -> String {
    let production = Production::of(resolved);
    let Pair { original, replacement, .. } = production.pair;
    format!(
        "{} sends to neither {original} nor {replacement} any more. To repair, let it send to one of the two (kubectl edit {}), then deploy again.",
        production.described(),
        production.resource()
    )
}

/// What stands on both sides of a split, or without production traffic, and where the test listener points.
fn left_standing(service: &ResolvedService, percent: i32) -> String {
    let stands = match (percent, &service.original) {
        (0, _) => idle(&service.replacement),
        (100, original) => original.as_ref().and_then(idle),
        (_, Some(original)) => {
            Some(format!(" {} and {} are left as they are.", side(original), side(&service.replacement)))
        }
        _ => None,
    };
    let tested = service
        .test
        .as_ref()
        .map(|listener| format!(" HTTPRoute {}, the test listener, stays where it points.", listener.name));
    [stands, tested].into_iter().flatten().collect()
}

fn idle(side: &ResolvedSide) -> Option<String> {
    let name = side.task_set.as_ref()?;
    Some(format!(
        " Task set {name} is left as it is; the next deployment to its target group scales it down."
    ))
}

/// How all traffic gets back to the original. What Sluice did not make is no revision that could be deployed again.
fn way_back(resolved: &Resolved) -> String {
    let original = resolved.service.as_deref().and_then(|s| s.original.as_ref());
    if let Some(side) = original.filter(|o| o.task_set.is_none()) {
        let production = Production::of(resolved);
        let gets = match production.is_service {
            true => format!(
                "set the selector of Service {} to {} and its targetPort to {}",
                production.listener,
                selector_text(&side.selector),
                side.target_port.as_deref().unwrap_or("what it was")
            ),
            false => format!("give Service {} all of the weight", side.target_group),
        };
        return format!(
            "To go back, {gets} (kubectl edit {}): what stands there is not Sluice's and stands on.",
            production.resource()
        );
    }
    format!("To go back, deploy {} again.", again(resolved))
}

fn again(resolved: &Resolved) -> String {
    match (&resolved.function, &resolved.service) {
        (Some(f), _) => format!("version {}", f.current_version),
        (_, Some(s)) => s
            .original
            .as_ref()
            .and_then(|o| o.task_definition.as_ref())
            .map_or_else(|| "the revision before".into(), |t| format!("PodTemplate {t}")),
        _ => String::new(),
    }
}
