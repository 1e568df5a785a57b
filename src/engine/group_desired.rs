//! `spec.revision`: each new value becomes one Deployment, recorded before it is created.

use jiff::{SignedDuration, Timestamp};

use super::draft::{clip, key};
use super::facts::{CreationRefused, RevisionFact};
use super::group::{GroupAct, GroupFacts, GroupPlan};
use super::group_queue::{is_own, settled_phase};
use super::identity;
use super::plan::NewDeployment;
use super::resolve::{self, Obstacle};
use crate::api::deployment_group::DesiredRevision;
use crate::api::{DeploymentGroupStatus, DeploymentSpec, GroupPhase, LocalRef, ResolvedRevision, Revision};

/// How long after a refusal a creation is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(30);

/// Records a new value of `spec.revision`, and plans the creation of a recorded one that does not exist yet.
pub fn note(
    facts: &GroupFacts,
    status: &mut DeploymentGroupStatus,
    plan: &mut GroupPlan,
    is_fit: bool,
    now: Timestamp,
) {
    let Some(source) = facts.group.spec.revision.as_ref().filter(|_| is_fit) else { return };
    let Some((identity, revision)) = identified(facts, source) else { return };
    let is_new = status.desired.as_ref().is_none_or(|d| d.digest != identity);
    if is_new {
        let before = status.desired.as_ref().map(|d| d.deployment.clone()).unwrap_or_default();
        status.desired = Some(DesiredRevision {
            generation: facts.group.metadata.generation.unwrap_or_default(),
            deployment: name(facts, &before, &identity),
            digest: identity,
            created: false,
        });
        status.target_revision = Some(revision);
    }
    let Some(desired) = status.desired.as_ref().filter(|d| !d.created) else { return };
    let found = facts.deployments.iter().find(|d| d.name() == desired.deployment);
    if found.is_some_and(|d| is_own(facts, d)) {
        return;
    }
    let is_refused = refusal(facts, status).is_some();
    if status.active_deployment.is_none() {
        status.phase = if is_refused { settled_phase(status) } else { Some(GroupPhase::Deploying) };
    }
    if found.is_some() {
        return;
    }
    let desired = desired.clone();
    let tried = facts.refused.as_ref().filter(|_| is_refused).map(|r| r.time + RETRY);
    if let Some(due) = tried.filter(|due| now < *due) {
        return plan.wake_at(due);
    }
    let spec = spec(facts, source);
    let new = NewDeployment { name: desired.deployment, spec, rollback_of: None, is_held: false };
    plan.acts.push(GroupAct::Create(Box::new(new)));
}

/// What the value is known by: the place of what is fetched later, the content of the rest. `None` while that does not hold.
fn identified(facts: &GroupFacts, source: &Revision) -> Option<(String, ResolvedRevision)> {
    identity::of_source(source).or_else(|| {
        let found = resolve::revision(facts.group.spec.platform(), source, &facts.revision).ok()?;
        Some((found.revision.digest.clone(), found.revision))
    })
}

/// Why the desired revision's Deployment cannot be created: reason and sentence.
pub fn refusal(facts: &GroupFacts, status: &DeploymentGroupStatus) -> Option<(&'static str, String)> {
    facts.group.spec.revision.as_ref()?;
    let name = &status.desired.as_ref().filter(|d| !d.created)?.deployment;
    let refused = facts.refused.as_ref().filter(|r| r.deployment == *name);
    let found = facts.deployments.iter().find(|d| d.name() == name);
    match (found, refused) {
        (Some(found), _) if is_own(facts, found) => None,
        (Some(_), _) | (None, Some(CreationRefused { words: None, .. })) => Some((
            "NameTaken",
            format!(
                "spec.revision is to be carried by a Deployment {name}, and somebody else's is named so; delete it, and this group creates its own"
            ),
        )),
        (None, Some(CreationRefused { words: Some(words), .. })) => Some((
            "DeploymentRefused",
            format!(
                "the API server refuses Deployment {name}, which is to carry spec.revision: {}; change spec.revision, or the quota, policy, webhook or right that refuses it: it is tried again every 30s",
                clip(words.clone(), 2_000)
            ),
        )),
        (None, None) => None,
    }
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
        revision: Some(source.clone()),
        description: Some("the group's spec.revision".into()),
        ..DeploymentSpec::default()
    }
}

/// Why the desired revision cannot become a Deployment: reason, sentence, and whether it may come right by itself.
pub fn obstacle(facts: &GroupFacts) -> Option<(&'static str, String, bool)> {
    let source = facts.group.spec.revision.as_ref()?;
    if facts.revision == RevisionFact::NotRead {
        return None;
    }
    match resolve::revision(facts.group.spec.platform(), source, &facts.revision).err()? {
        Obstacle::Missing(reason, message) | Obstacle::NotReady(reason, message) => {
            Some((reason, message, true))
        }
        Obstacle::Invalid(reason, message) => Some((reason, message, false)),
        Obstacle::Unknown => None,
    }
}
