//! The kinds of `sluice.dev/v1alpha1`: their fields, defaults and CEL rules, as words without behaviour.
//!
//! No client, no clock, no async. What a field means and who may write it is said at the field.

// The printer columns repeat their keys by design; the lint mistakes them for doubled attributes.
#![allow(clippy::duplicated_attributes)]

pub mod application;
pub mod blue_green;
pub mod condition;
pub mod definitions;
pub mod deployment;
pub mod deployment_config;
pub mod deployment_group;
pub mod deployment_snapshot;
pub mod deployment_status;
pub mod duration;
pub mod instance;
pub mod lifecycle_event;
pub mod lifecycle_hook;
pub mod predefined;
pub mod revision;
pub mod server_snapshot;
pub mod server_target;
pub mod service_snapshot;
pub mod service_target;
pub mod serving;

pub use application::{Application, ApplicationSpec, ApplicationStatus, ComputePlatform};
pub use blue_green::{BlueGreen, OriginalAction, ReadyAction};
pub use deployment::{
    Deployment, DeploymentMode, DeploymentSpec, FileExistsBehavior, HookAnswer, HookResult, StopRequest,
};
pub use deployment_config::{
    DeploymentConfig, DeploymentConfigSpec, DeploymentConfigStatus, RoutingType, TrafficRouting,
};
pub use deployment_group::{
    AutoRollback, ConcurrencyPolicy, DeletionPolicy, DeploymentGroup, DeploymentGroupSpec,
    DeploymentGroupStatus, GroupPhase, RollbackEvent,
};
pub use deployment_status::{Creator, DeploymentStatus, EventName, EventStatus, LifecycleEvent, Phase};
pub use duration::GoDuration;
pub use instance::{Assignment, AssignmentStatus, HostEvent, Instance, InstanceSpec, InstanceStatus};
pub use lifecycle_hook::{LifecycleHook, LifecycleHookSpec, LifecycleHookStatus};
pub use revision::{
    AppSpecContent, BundleType, ConfigMapRevision, GitHubRevision, HttpRevision, OciRevision,
    ResolvedRevision, Revision, S3Revision,
};
pub use server_target::{LoadBalancer, ServerTarget, TagFilter, TagFilterType};
pub use service_target::ServiceTarget;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The API group of every kind.
pub const GROUP: &str = "sluice.dev";
/// The only served and stored version.
pub const VERSION: &str = "v1alpha1";
/// The field manager and reporting controller under which everything of ours is written.
pub const FIELD_MANAGER: &str = "sluice";
/// On a running Deployment, and on a rollback that is to run: its end must put the traffic back first.
pub const TRAFFIC_FINALIZER: &str = "sluice.dev/traffic";
/// On a hook's Job: held until the Job's end is on record.
pub const HOOK_FINALIZER: &str = "sluice.dev/hook-result";
/// On a Service group: its end must say what becomes of its task sets and target groups.
pub const TASK_SET_FINALIZER: &str = "sluice.dev/task-sets";
/// On a Server group with a load balancer: its end must say what becomes of its hosts' endpoints.
pub const ENDPOINTS_FINALIZER: &str = "sluice.dev/endpoints";
/// On task sets, on their pods and in a target group's selector: the task set's name.
pub const TASK_SET_LABEL: &str = "sluice.dev/task-set";
/// On task sets and on target groups that a group made: the group's uid, while they are the group's.
pub const GROUP_UID_LABEL: &str = "sluice.dev/deployment-group-uid";
/// On task sets: the PodTemplate that they were made from.
pub const TASK_DEFINITION_ANNOTATION: &str = "sluice.dev/task-definition";
/// On task sets: `container:port`, behind which the target group sends.
pub const CONTAINER_ANNOTATION: &str = "sluice.dev/container";
/// On hook Jobs and on Deployments that a group made: the group's name, where it fits a label.
pub const GROUP_LABEL: &str = "sluice.dev/deployment-group";
/// On hook Jobs and task sets: the Deployment's uid.
pub const DEPLOYMENT_LABEL: &str = "sluice.dev/deployment-uid";
/// On hook Jobs: the key (deployment uid, event, hook) from which the Job's name is made.
pub const KEY_ANNOTATION: &str = "sluice.dev/key";
/// On rollbacks: the uid of the Deployment that is rolled back.
pub const ROLLBACK_OF_ANNOTATION: &str = "sluice.dev/rollback-of";

/// On an agent's Lease, account and rights: the Instance's name.
pub const INSTANCE_LABEL: &str = "sluice.dev/instance";

/// A reference to an object of a known kind in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalRef {
    /// Name of the object, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

impl LocalRef {
    /// A reference to `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_by_the_hundred_has_no_room_for_what_it_seldom_has() {
        assert!(size_of::<Deployment>() <= 2304);
        assert!(size_of::<DeploymentGroup>() <= 1792);
    }
}
