//! Which objects a decision will want to look at, so that `observe` fetches just those.

use crate::api::{Deployment, DeploymentGroup, predefined};
use crate::appspec::{self, FunctionSpec};

/// Names of objects in the Deployment's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The DeploymentConfig, unless it is predefined.
    pub config: Option<String>,
    /// The LifecycleHooks.
    pub hooks: Vec<String>,
    /// The HTTPRoute.
    pub route: Option<String>,
    /// Services whose endpoints are wanted.
    pub services: Vec<String>,
}

/// What a Deployment with a snapshot still looks at.
pub fn of_running(deployment: &Deployment) -> Needs {
    let mut needs = Needs::default();
    let Some(status) = &deployment.status else { return needs };
    let Some(resolved) = status.resolved.as_ref().filter(|_| status.phase.is_running()) else { return needs };
    needs.route = Some(resolved.function.route.clone());
    needs.services = vec![resolved.function.original.clone(), resolved.function.replacement.clone()];
    needs.services.dedup();
    needs
}

/// What the start of a Deployment looks at, once the content of its revision is known.
pub fn of_start(deployment: &Deployment, group: &DeploymentGroup, content: Option<&str>) -> Needs {
    let config =
        deployment.spec.deployment_config_name.as_ref().or(group.spec.deployment_config_name.as_ref());
    let mut needs =
        Needs { config: config.filter(|name| !predefined::is_reserved(name)).cloned(), ..Needs::default() };
    let Some(spec) = content.and_then(|c| appspec::read_function(c.as_bytes()).ok()) else { return needs };
    needs.hooks = spec.hooks.iter().map(|h| h.hook.clone()).collect();
    needs.route = group.spec.function.alias(&spec.alias).map(|a| a.http_route.name.clone());
    needs.services = services(group, &spec);
    needs
}

/// The Services that a start cares about: the target's, and the current one's where the AppSpec says which it is.
fn services(group: &DeploymentGroup, spec: &FunctionSpec) -> Vec<String> {
    let of = |version: &str| group.spec.function.service(&spec.name, version);
    let mut services = vec![of(&spec.target_version)];
    services.extend(spec.current_version.as_deref().map(of));
    services
}
