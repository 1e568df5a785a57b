//! Which objects a decision will want to look at, so that `observe` fetches just those.

use super::production::Production;
use crate::api::deployment_group::FunctionTarget;
use crate::api::{Deployment, DeploymentGroup, ServiceTarget, predefined};
use crate::appspec;

/// Names of objects in the Deployment's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The DeploymentConfig, unless it is predefined.
    pub config: Option<String>,
    /// The LifecycleHooks.
    pub hooks: Vec<String>,
    /// The production listener's HTTPRoute.
    pub route: Option<String>,
    /// The test listener's HTTPRoute.
    pub test_route: Option<String>,
    /// Services whose endpoints are wanted.
    pub services: Vec<String>,
    /// The PodTemplate.
    pub pod_template: Option<String>,
    /// ReplicaSets by name, beside those that the Services' selectors name.
    pub task_sets: Vec<String>,
}

/// What a Deployment with a snapshot still looks at.
pub fn of_running(deployment: &Deployment) -> Needs {
    let mut needs = Needs::default();
    let Some(status) = &deployment.status else { return needs };
    let Some(resolved) = status.resolved.as_ref().filter(|_| status.phase.is_running()) else { return needs };
    if resolved.server.is_some() {
        return needs;
    }
    let production = Production::of(resolved);
    let listener = production.listener.to_owned();
    needs.services = vec![production.pair.original.into(), production.pair.replacement.into()];
    if production.is_service {
        needs.services.push(listener);
    } else {
        needs.route = Some(listener);
    }
    needs.test_route = resolved.service.as_deref().and_then(|s| s.test.as_ref()).map(|t| t.name.clone());
    needs.task_sets = task_sets_of(deployment);
    needs.services.dedup();
    needs
}

/// The task sets of a Deployment's snapshot.
pub fn task_sets_of(deployment: &Deployment) -> Vec<String> {
    let resolved = deployment.status.as_ref().and_then(|s| s.resolved.as_ref());
    let Some(service) = resolved.and_then(|r| r.service.as_deref()) else { return vec![] };
    let sides = service.original.iter().chain(Some(&service.replacement));
    sides.filter_map(|side| side.task_set.clone()).chain(service.leftover.clone()).collect()
}

/// What the start of a Deployment looks at, once the content of its revision is known.
pub fn of_start(deployment: &Deployment, group: &DeploymentGroup, content: Option<&str>) -> Needs {
    let config =
        deployment.spec.deployment_config_name.as_ref().or(group.spec.deployment_config_name.as_ref());
    let config = config.filter(|name| !predefined::is_reserved(name)).cloned();
    let needs = Needs { config, ..Needs::default() };
    match (&group.spec.function, &group.spec.service) {
        (Some(target), _) => of_function(needs, target, content),
        (_, Some(target)) => of_service(needs, target, content),
        _ => needs,
    }
}

fn of_function(mut needs: Needs, target: &FunctionTarget, content: Option<&str>) -> Needs {
    let Some(spec) = content.and_then(|c| appspec::read_function(c.as_bytes()).ok()) else { return needs };
    needs.hooks = spec.hooks.iter().map(|h| h.hook.clone()).collect();
    needs.route = target.alias(&spec.alias).map(|a| a.http_route.name.clone());
    // The target's Service, and the current one's where the AppSpec says which it is.
    let of = |version: &str| target.service(&spec.name, version);
    needs.services = vec![of(&spec.target_version)];
    needs.services.extend(spec.current_version.as_deref().map(of));
    needs
}

fn of_service(mut needs: Needs, target: &ServiceTarget, content: Option<&str>) -> Needs {
    let Some(spec) = content.and_then(|c| appspec::read_service(c.as_bytes()).ok()) else { return needs };
    needs.hooks = spec.hooks.iter().map(|h| h.hook.clone()).collect();
    needs.pod_template = Some(spec.task_definition);
    needs.route = target.production_listener.http_route.as_ref().map(|r| r.name.clone());
    needs.test_route = target.test_listener.as_ref().map(|t| t.http_route.name.clone());
    needs.services = target.target_groups.clone();
    needs.services.extend(target.production_listener.service.as_ref().map(|s| s.name.clone()));
    needs
}
