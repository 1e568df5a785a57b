//! A rollback's snapshot: the sides of the Deployment that it rolls back, swapped, on the listeners as they are now.

use super::snapshot::{invalid, template};
use super::{sides, task_set};
use crate::api::blue_green::{DeploymentReady, OriginalAction, TerminateOriginal};
use crate::api::deployment_snapshot::{ResolvedListener, ResolvedService};
use crate::api::service_target::ServiceTarget;
use crate::api::{Deployment, DeploymentGroup, GoDuration};
use crate::appspec::ServiceSpec;
use crate::engine::draft::digest;
use crate::engine::facts::{Facts, RouteFact};
use crate::engine::resolve::Obstacle;
use crate::engine::scope::{self, Scope};

/// The Service platform's part of a rollback's snapshot; a task set is made only if the original's is gone.
pub fn service(
    facts: &Facts,
    group: &DeploymentGroup,
    target: &ServiceTarget,
    spec: &ServiceSpec,
) -> Result<ResolvedService, Obstacle> {
    let failed = facts
        .triggering
        .as_deref()
        .and_then(|t: &Deployment| t.status.as_ref())
        .and_then(|s| s.resolved.as_ref())
        .and_then(|r| r.service.as_deref())
        .ok_or_else(|| invalid("the Deployment that is rolled back is gone, and with it what it had moved; deploy the revision that you want again"))?;
    let mut back = failed
        .original
        .clone()
        .ok_or_else(|| invalid("nothing served before the Deployment that is rolled back"))?;
    let stands = back.task_set.as_ref().is_none_or(|name| facts.task_sets.contains_key(name));
    let mut template_digest = String::new();
    let pod_template = if stands {
        None
    } else {
        let template = template(facts, spec)?;
        template_digest = digest(template.to_string().as_bytes());
        let name = task_set::name(group.metadata.name.as_deref().unwrap_or_default(), facts.deployment.uid());
        back.selector = task_set::selector(&name);
        back.task_set = Some(name);
        Some(template)
    };
    // An original behind a front Service alone has no target group: the test listener goes back to the one that was idle.
    let other_target_group = match target.target_groups.contains(&back.target_group) {
        true => target.other_than(&back.target_group).unwrap_or_default(),
        false => &failed.other_target_group,
    };
    Ok(ResolvedService {
        task_definition: spec.task_definition.clone(),
        container_name: spec.container_name.clone(),
        container_port: i32::from(spec.container_port),
        pod_template,
        pod_template_digest: template_digest,
        other_target_group: other_target_group.into(),
        original: Some(failed.replacement.clone()),
        replacement: back,
        leftover: None,
        production: production(facts, target, &failed.production),
        test: failed.test.as_ref().map(|listener| {
            let route = facts.test_route.as_deref().filter(|r| r.name == listener.name && !r.is_going);
            route.map_or_else(|| listener.clone(), |route| seen(route, target, listener))
        }),
        deployment_ready: DeploymentReady::default(),
        terminate_original: TerminateOriginal {
            action: OriginalAction::Terminate,
            wait: GoDuration::from_secs(0),
        },
        install_timeout: target.install_timeout,
        drain: target.drain,
    })
}

/// The production listener as it is now. While there is none, whichever comes under that name: all of its rules.
fn production(facts: &Facts, target: &ServiceTarget, failed: &ResolvedListener) -> ResolvedListener {
    if failed.is_service {
        let front = facts.services.get(&failed.name).filter(|s| s.exists);
        return ResolvedListener { uid: front.map(|s| s.uid.clone()).unwrap_or_default(), ..failed.clone() };
    }
    let listeners = &target.production_listener.http_route;
    if listeners.as_ref().is_none_or(|r| r.name != failed.name) {
        // The group has another listener meanwhile, which had none of the traffic that is to go back.
        return failed.clone();
    }
    match facts.route.as_deref().filter(|r| !r.is_going) {
        Some(route) => seen(route, target, failed),
        None => ResolvedListener {
            uid: String::new(),
            rules: vec![],
            rule_count: 0,
            rule_keys: vec![],
            ..failed.clone()
        },
    }
}

/// A listener that was deleted and made anew has another uid and maybe other rules: those that can still be told are meant,
/// else those that name either target group.
fn seen(route: &RouteFact, target: &ServiceTarget, failed: &ResolvedListener) -> ResolvedListener {
    if route.uid == failed.uid {
        return failed.clone();
    }
    let found = Scope::of_listener(failed).find(route).unwrap_or_default();
    let of_either = sides::rules_of_either(route, target);
    let mut rules: Vec<i32> = found.into_iter().filter_map(|i| i32::try_from(i).ok()).collect();
    rules.retain(|rule| of_either.contains(rule));
    ResolvedListener {
        is_service: false,
        name: route.name.clone(),
        uid: route.uid.clone(),
        rules: if rules.is_empty() { of_either } else { rules },
        rule_count: scope::count(route),
        rule_keys: scope::keys(route),
    }
}
