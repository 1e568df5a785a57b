//! Sentences that more than one decision says.

use super::weights::Pair;
use crate::api::deployment_status::{Resolved, RollbackInfo, Share, Traffic};
use crate::api::predefined;

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
    let f = &resolved.function;
    let (original, replacement) = (100 - percent, percent);
    let summary = if f.original == f.replacement {
        format!("{} 100", f.replacement)
    } else {
        format!("{} {original} / {} {replacement}", f.original, f.replacement)
    };
    Traffic {
        original: Share { name: f.original.clone(), weight: original },
        replacement: Share { name: f.replacement.clone(), weight: replacement },
        summary,
        start_time: before.and_then(|t| t.start_time),
        next_step_time: None,
        steps: before.map(|t| t.steps.clone()).unwrap_or_default(),
    }
}

/// What a Deployment says when it starts.
pub fn started(resolved: &Resolved, rollback: Option<&RollbackInfo>) -> String {
    let f = &resolved.function;
    if let Some(failed) = rollback.and_then(|i| i.rollback_triggering_deployment.as_deref()) {
        return format!(
            "rolling back {failed}: version {} of {} gets all traffic again",
            f.target_version, f.name
        );
    }
    if f.original == f.replacement {
        return format!("deploying {} version {}, which is served already", f.name, f.target_version);
    }
    format!(
        "deploying {} version {} over version {} by {}",
        f.name, f.target_version, f.current_version, resolved.deployment_config_name
    )
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

/// How a split that stays is repaired.
pub fn repair(resolved: &Resolved, percent: i32) -> String {
    let f = &resolved.function;
    let pair = Pair { original: &f.original, replacement: &f.replacement };
    match percent {
        0 => format!("All traffic is on {}.", f.original),
        100 => format!(
            "All traffic stays on {}. To go back, deploy version {} again.",
            f.replacement, f.current_version
        ),
        _ => format!(
            "Traffic stays as it is: {}. To repair, give one of the two all of the weight (kubectl edit httproute {}), then deploy again.",
            split(pair, percent),
            f.route
        ),
    }
}
