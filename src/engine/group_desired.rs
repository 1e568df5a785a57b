//! `spec.revision`: each new value becomes one Deployment, recorded before it is created.

use super::draft::key;
use super::facts::RevisionFact;
use super::group::{GroupAct, GroupFacts, GroupPlan};
use super::plan::NewDeployment;
use super::resolve::{self, Obstacle};
use crate::api::deployment_group::DesiredRevision;
use crate::api::{DeploymentGroupStatus, DeploymentSpec, LocalRef, Revision};

/// Records a new value of `spec.revision`, and plans the creation of a recorded one that does not exist yet.
pub fn note(facts: &GroupFacts, status: &mut DeploymentGroupStatus, plan: &mut GroupPlan, is_fit: bool) {
    let Some(source) = facts.group.spec.revision.as_ref().filter(|_| is_fit) else { return };
    let Ok(found) = resolve::revision(facts.group.spec.platform(), source, &facts.revision) else { return };
    let is_new = status.desired.as_ref().is_none_or(|d| d.digest != found.revision.digest);
    if is_new {
        let before = status.desired.as_ref().map(|d| d.deployment.clone()).unwrap_or_default();
        status.desired = Some(DesiredRevision {
            generation: facts.group.metadata.generation.unwrap_or_default(),
            digest: found.revision.digest.clone(),
            deployment: name(facts, &before, &found.revision.digest),
            created: false,
        });
        status.target_revision = Some(found.revision);
    }
    let Some(desired) = status.desired.as_ref().filter(|d| !d.created) else { return };
    if facts.deployments.iter().any(|d| d.name() == desired.deployment) {
        return;
    }
    if status.active_deployment.is_none() {
        status.phase = Some(crate::api::GroupPhase::Deploying);
    }
    let spec = spec(facts, source);
    plan.acts.push(GroupAct::Create(NewDeployment {
        name: desired.deployment.clone(),
        spec,
        rollback_of: None,
    }));
}

/// Chained to the name before it, so that A, B, A are three Deployments and every believer computes the same names.
fn name(facts: &GroupFacts, before: &str, digest: &str) -> String {
    let (group, uid) = (facts.group.metadata.name.as_deref(), facts.group.metadata.uid.as_deref());
    let group = group.unwrap_or_default();
    let stem = group.get(..200).unwrap_or(group).trim_end_matches(['-', '.']);
    format!("{stem}-{}", key(&[uid.unwrap_or_default(), before, digest], 8))
}

fn spec(facts: &GroupFacts, source: &Revision) -> DeploymentSpec {
    DeploymentSpec {
        deployment_group_ref: LocalRef::new(facts.group.metadata.name.clone().unwrap_or_default()),
        revision: source.clone(),
        description: Some("the group's spec.revision".into()),
        deployment_config_name: None,
        auto_rollback: None,
        stop: None,
        continue_: None,
        hook_results: vec![],
    }
}

/// Why the desired revision cannot become a Deployment: reason, sentence, and whether it may come right by itself.
pub fn obstacle(facts: &GroupFacts) -> Option<(&'static str, String, bool)> {
    let source = facts.group.spec.revision.as_ref()?;
    if facts.revision == RevisionFact::NotRead {
        return None;
    }
    match resolve::revision(facts.group.spec.platform(), source, &facts.revision).err()? {
        Obstacle::Missing(reason, message) => Some((reason, message, true)),
        Obstacle::Invalid(reason, message) => Some((reason, message, false)),
        Obstacle::Unknown => None,
    }
}
