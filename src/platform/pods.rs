//! The pods of task sets: only what holds one back is kept of it.

use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Deserialize;

use crate::api::TASK_SET_LABEL;

/// What is read of a pod.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::Pod)]
pub struct TaskPod {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Status,
    /// What holds it back, in a sentence.
    #[serde(skip)]
    problem: Option<String>,
    #[serde(skip)]
    task_set: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
}

impl TaskPod {
    /// The pod with its problem worked out, and without what that was read from.
    pub fn pruned(self) -> Self {
        let task_set = self.labels().get(TASK_SET_LABEL).cloned().unwrap_or_default();
        let problem = problem(&self.name_any(), &self.status);
        let mut pruned = crate::cluster::view::prune_hard(self);
        (pruned.status, pruned.problem, pruned.task_set) = (Status::default(), problem, task_set);
        pruned
    }

    /// What holds it back, in a sentence without counters, so that it changes only when the cause does.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The task set that it belongs to.
    pub fn task_set(&self) -> &str {
        &self.task_set
    }
}

fn problem(pod: &str, status: &Status) -> Option<String> {
    let unscheduled = status.conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        return Some(format!("pod {pod} cannot be scheduled: {}", condition.message));
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    containers.filter_map(|c| held_back(pod, c)).next()
}

fn held_back(pod: &str, container: &ContainerStatus) -> Option<String> {
    let who = format!("container {} of pod {pod}", container.name);
    let waiting = container.state.waiting.as_ref()?;
    match waiting.reason.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => Some(format!(
            "{who} cannot pull its image {} (kubectl describe pod {pod} tells why)",
            container.image
        )),
        "CrashLoopBackOff" => {
            let code = container
                .last_state
                .terminated
                .as_ref()
                .map_or_else(String::new, |t| format!(" ({}, exit code {})", t.reason, t.exit_code));
            Some(format!(
                "{who} ends again and again{code}; kubectl logs {pod} -c {} --previous tells why",
                container.name
            ))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(format!("{who} cannot be started: {}", waiting.message))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> TaskPod {
        let labels = json!({(TASK_SET_LABEL): "web-1"});
        let pod = json!({"metadata": {"name": "web-1-x", "labels": labels}, "status": status});
        serde_json::from_value::<TaskPod>(pod).unwrap().pruned()
    }

    #[test]
    fn what_holds_a_pod_back_is_said_and_the_rest_forgotten() {
        let waiting = |reason: &str| {
            json!({"containerStatuses": [{"name": "web", "image": "shop/web:9",
            "state": {"waiting": {"reason": reason, "message": "m"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]})
        };
        let said = |status: Value| pod(status).problem().map(str::to_owned).unwrap_or_default();
        assert!(said(waiting("ErrImagePull")).contains("cannot pull its image shop/web:9"));
        assert_eq!(said(waiting("ErrImagePull")), said(waiting("ImagePullBackOff")));
        assert!(said(waiting("CrashLoopBackOff")).contains("exit code 3"));
        assert!(said(waiting("CreateContainerConfigError")).contains("cannot be started: m"));
        assert_eq!(said(waiting("ContainerCreating")), "");
        let scheduling =
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]});
        assert!(said(scheduling).contains("cannot be scheduled: 0/1 nodes"));
        assert_eq!(pod(json!({})).task_set(), "web-1");
    }
}
