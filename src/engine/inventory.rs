//! The small kinds: what an Application, a DeploymentConfig or a LifecycleHook says of itself.

use jiff::Timestamp;

use crate::api::condition::{Verdict, conditions};
use crate::api::{
    Application, ApplicationStatus, DeploymentConfig, DeploymentConfigStatus, LifecycleHook,
    LifecycleHookStatus,
};

/// An application's new status, if it differs.
pub fn application(application: &Application, groups: usize, now: Timestamp) -> Option<ApplicationStatus> {
    let before = application.status.clone().unwrap_or_default();
    let generation = application.metadata.generation;
    let message = match groups {
        0 => "no DeploymentGroup names it yet".into(),
        1 => "1 DeploymentGroup".into(),
        n => format!("{n} DeploymentGroups"),
    };
    let after = ApplicationStatus {
        observed_generation: generation,
        deployment_groups: i64::try_from(groups).unwrap_or(i64::MAX),
        conditions: conditions(&before.conditions, &Verdict::Ready, "Valid", &message, generation, now),
    };
    (application.status.as_ref() != Some(&after)).then_some(after)
}

/// A configuration's new status, if it differs: what the schema let in is valid.
pub fn deployment_config(config: &DeploymentConfig, now: Timestamp) -> Option<DeploymentConfigStatus> {
    let before = config.status.clone().unwrap_or_default();
    let generation = config.metadata.generation;
    let after = DeploymentConfigStatus {
        observed_generation: generation,
        conditions: conditions(
            &before.conditions,
            &Verdict::Ready,
            "Valid",
            "can be named by groups and Deployments",
            generation,
            now,
        ),
    };
    (config.status.as_ref() != Some(&after)).then_some(after)
}

/// A hook's new status, if it differs; `fault` is the API server's word on its Job, or what is wrong with its URL.
pub fn lifecycle_hook(
    hook: &LifecycleHook,
    fault: Option<(&str, String)>,
    now: Timestamp,
) -> Option<LifecycleHookStatus> {
    let before = hook.status.clone().unwrap_or_default();
    let generation = hook.metadata.generation;
    let (verdict, reason, message) = match fault {
        Some((reason, message)) => (Verdict::Stalled, reason.to_owned(), message),
        None => (Verdict::Ready, "Valid".into(), "can be named by the Hooks of an AppSpec".into()),
    };
    let after = LifecycleHookStatus {
        observed_generation: generation,
        conditions: conditions(
            &before.conditions,
            &verdict,
            &reason,
            &super::draft::clip(message, 1_000),
            generation,
            now,
        ),
    };
    (hook.status.as_ref() != Some(&after)).then_some(after)
}
