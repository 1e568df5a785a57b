//! Task sets: their names, whose they are, and how many pods they are wanted to have.

use std::collections::BTreeMap;

use crate::api::deployment_snapshot::ResolvedService;
use crate::api::deployment_status::Resolved;
use crate::api::{Deployment, DeploymentGroup, EventName, EventStatus, TASK_SET_LABEL};
use crate::engine::draft::{Draft, key};
use crate::engine::facts::TaskSetFact;
use crate::engine::plan::{Act, ScaleTaskSet};

/// The longest name of a ReplicaSet under which its pods' names still begin with the whole of it.
const MAX_NAME: usize = 57;

/// The name of the task set that a Deployment makes: the same for every believer, and nobody else's.
pub fn name(group: &str, deployment_uid: &str) -> String {
    let key = key(&[deployment_uid, "task-set"], 8);
    let stem: String = group.replace('.', "-").chars().take(MAX_NAME - 1 - key.len()).collect();
    format!("{}-{key}", stem.trim_end_matches('-'))
}

/// The selector of a task set's pods.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(TASK_SET_LABEL.to_owned(), name.to_owned())])
}

/// True if the task set is the group's.
pub fn is_of_group(task_set: &TaskSetFact, group: &DeploymentGroup) -> bool {
    task_set.group_uid.is_some() && task_set.group_uid == group.metadata.uid
}

/// True if the Deployment made the task set.
pub fn is_made_by(task_set: &TaskSetFact, deployment: &Deployment) -> bool {
    task_set.deployment_uid.as_deref() == Some(deployment.uid())
}

/// How many pods each side is wanted to have: the group's word, which an HPA may change at any time.
pub fn wanted(draft: &Draft<'_>) -> Option<i32> {
    let group = draft.facts.group.as_ref()?;
    group.spec.service.as_deref().map(|s| s.replicas)
}

/// The act that gives a task set `replicas` pods; `None` if it has them, or is not there.
pub fn scale(draft: &Draft<'_>, name: &str, replicas: i32) -> Option<Act> {
    let task_set = draft
        .facts
        .task_sets
        .get(name)
        .filter(|t| !t.is_going && t.group_uid.is_some() && t.replicas != replicas)?;
    Some(Act::ScaleTaskSet(ScaleTaskSet {
        name: name.into(),
        uid: task_set.uid.clone(),
        generation: task_set.generation,
        replicas,
    }))
}

/// A higher wanted count goes to both sides at once; a lower one waits for the end of the deployment.
pub fn follow_wanted(draft: &mut Draft<'_>, resolved: &Resolved) {
    let Some(service) = &resolved.service else { return };
    let Some(wanted) = wanted(draft).filter(|_| draft.status.termination_time.is_none()) else { return };
    for name in standing(draft, service) {
        let has = draft.facts.task_sets.get(&name).map_or(wanted, |t| t.replicas);
        if let Some(act) = scale(draft, &name, wanted).filter(|_| has > 0 && has < wanted) {
            draft.act(act);
        }
    }
}

/// The task sets of ours that stand while the deployment runs.
fn standing(draft: &Draft<'_>, service: &ResolvedService) -> Vec<String> {
    let original = service.original.as_ref().and_then(|o| o.task_set.clone());
    let replacement = service.replacement.task_set.clone().filter(|_| has_begun(draft, EventName::Install));
    original.into_iter().chain(replacement).collect()
}

/// True once `event` has begun.
pub fn has_begun(draft: &Draft<'_>, event: EventName) -> bool {
    let found = draft.status.lifecycle_events.iter().find(|e| e.name == event);
    found.is_some_and(|e| !matches!(e.status, EventStatus::Pending | EventStatus::Skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_and_leaves_room_for_its_pods_suffix() {
        let long = "a.group-with-a-name-that-goes-on-and-on-and-on-for-ever-and-ever".repeat(3);
        let name = name(&long, "uid");
        assert!(name.len() <= MAX_NAME && !name.contains('.'), "{name}");
        assert_ne!(name, super::name(&long, "other"));
    }
}
