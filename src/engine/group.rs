//! One DeploymentGroup's decision: who has its turn, which desired revision starts, which history goes, how it stands.
//!
//! The grant (`status.activeDeployment`) is on record before a Deployment sees it and starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::draft::PATIENCE;
use super::facts::{CreationRefused, RevisionFact, RouteFact, ServiceFact, TaskSetFact};
use super::group_service::Made;
use super::group_target::NewTargetGroup;
use super::plan::{NewDeployment, Note, ScaleTaskSet, SetWeights};
use super::server::endpoints::SetSlice;
use super::server::facts::ServerGroupFacts;
use super::{group_desired, group_drift, group_queue, group_service, server, words};
use crate::api::condition::{self, Verdict};
use crate::api::deployment_status::Waiting;
use crate::api::{
    Application, Deployment, DeploymentConfig, DeploymentGroup, DeploymentGroupStatus, GroupPhase, Phase,
    predefined,
};

/// Reasons that say the group itself is at fault, so that none of its Deployments can start.
pub const UNFIT: [&str; 4] = ["ApplicationMissing", "PlatformMismatch", "DeploymentConfigMissing", SHARED];

/// The one of them that holds up a rollback too: another group may have moved the same traffic since.
pub const SHARED: &str = "TargetGroupShared";

/// Everything a group's decision may depend on.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// The group itself.
    pub group: Arc<DeploymentGroup>,
    /// Its application.
    pub application: Option<Arc<Application>>,
    /// The configuration that it names, when it is an object.
    pub config: Option<Arc<DeploymentConfig>>,
    /// Every Deployment that names the group.
    pub deployments: Vec<Arc<Deployment>>,
    /// False while it is not certain that the Deployment that holds the grant is really gone.
    pub is_grant_checked: bool,
    /// What the desired revision's source holds.
    pub revision: RevisionFact,
    /// How the API server refused the desired revision's Deployment, as far as that is remembered.
    pub refused: Option<CreationRefused>,
    /// The route that the last success left its traffic on; on the Service platform the production listener's.
    pub route: Option<Arc<RouteFact>>,
    /// Service: the test listener's route.
    pub test_route: Option<Arc<RouteFact>>,
    /// Services of that route whose endpoints are known; on the Service platform the target groups and a front Service.
    pub services: BTreeMap<String, ServiceFact>,
    /// Service: every ReplicaSet that bears the group's name in its label.
    pub task_sets: BTreeMap<String, TaskSetFact>,
    /// What only a Server group looks at.
    pub server: ServerGroupFacts,
    /// The other groups of the namespace with which it could share traffic ([`group_service::may_share`]).
    pub rivals: Vec<Arc<DeploymentGroup>>,
}

/// The outcome of one decision about a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupPlan {
    /// The new status, if it differs.
    pub record: Option<Box<DeploymentGroupStatus>>,
    /// What to do once that is on record.
    pub acts: Vec<GroupAct>,
    /// What people should hear of.
    pub notes: Vec<Note>,
    /// When to look again.
    pub wake: Option<Timestamp>,
}

impl GroupPlan {
    /// Asks to be looked at again no later than `at`.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }
}

/// One effect of a group's decision.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupAct {
    /// Creates the desired revision's Deployment, owned by the group.
    Create(Box<NewDeployment>),
    /// Deletes a finished Deployment over the history limit.
    Prune {
        /// Its name.
        name: String,
        /// Its uid: another object of that name stays.
        uid: String,
    },
    /// Puts a route right between deployments.
    Restore(SetWeights),
    /// Puts our finalizer on a group that makes things.
    Hold,
    /// Takes it off.
    Release,
    /// Creates a target group.
    CreateTargetGroup(NewTargetGroup),
    /// Makes what an earlier group of this name made this group's: kind, name and uid.
    Adopt(Made, String, String),
    /// Gives the side that serves another size.
    ScaleTaskSet(ScaleTaskSet),
    /// Deletes what the group made: kind, name and uid.
    Delete(Made, String, String),
    /// Lets go of what the group made: kind, name and uid.
    Orphan(Made, String, String),
    /// Writes hosts' endpoints.
    SetSlice(Box<SetSlice>),
}

/// Puts how the group stands into its message and conditions, in one sentence.
pub(super) fn say(
    facts: &GroupFacts,
    status: &mut DeploymentGroupStatus,
    verdict: &Verdict,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    status.message = super::draft::clip(message.into(), 4_000);
    let had = std::mem::take(&mut status.conditions);
    let short = super::draft::clip(message.into(), 1_000);
    status.conditions =
        condition::conditions(&had, verdict, reason, &short, facts.group.metadata.generation, now);
}

/// What to record and do about one group, given what is known at `now`.
pub fn decide(facts: &GroupFacts, now: Timestamp) -> GroupPlan {
    let mut status = facts.group.status.clone().unwrap_or_default();
    let mut plan = GroupPlan::default();
    if facts.group.metadata.deletion_timestamp.is_some() {
        let server = facts.group.spec.server.as_deref();
        return server.map_or_else(|| group_service::retire(facts, now), |t| server::group::retire(facts, t));
    }
    let fault = fault(facts);
    let ended = group_queue::release(facts, &mut status);
    group_desired::note(facts, &mut status, &mut plan, fault.is_none(), now);
    match &fault {
        None => group_queue::grant(facts, &mut status),
        // What is owed needs nothing of what is at fault, as long as nobody else's traffic is concerned.
        Some(fault) if fault.reason != SHARED => group_queue::grant_owed(facts, &mut status),
        Some(_) => {}
    }
    if fault.is_none() && status.phase.is_none() {
        status.phase = Some(GroupPhase::Ready);
    }
    group_queue::prune(facts, &status, &mut plan);
    let lack = group_service::look_after(facts, &mut status, &mut plan)
        .or_else(|| server::group::look_after(facts, &status, &mut plan));
    let drift = group_drift::look(facts, &mut status, &mut plan, now);
    let fault = fault.or_else(|| lack.filter(|_| status.active_deployment.is_none()).map(Fault::from));
    let (verdict, reason, message) = verdict(facts, &mut status, fault, drift, now, &mut plan);
    say(facts, &mut status, &verdict, &reason, &message, now);
    status.observed_generation = facts.group.metadata.generation;
    if ended && status.phase == Some(GroupPhase::RolledBack) {
        plan.notes.push(Note {
            is_warning: true,
            reason: "RolledBack",
            message: super::draft::clip(message, 1_000),
        });
    }
    if facts.group.status.as_ref() != Some(&status) {
        plan.record = Some(Box::new(status));
    }
    plan
}

struct Fault {
    reason: &'static str,
    message: String,
    may_come: bool,
}

impl From<(&'static str, String, bool)> for Fault {
    fn from((reason, message, may_come): (&'static str, String, bool)) -> Self {
        Self { reason, message, may_come }
    }
}

fn fault(facts: &GroupFacts) -> Option<Fault> {
    let spec = &facts.group.spec;
    let missing = |reason, message| Some(Fault { reason, message, may_come: true });
    let wrong = |reason, message| Some(Fault { reason, message, may_come: false });
    let Some(application) = &facts.application else {
        let name = &spec.application_ref.name;
        return missing("ApplicationMissing", format!("there is no Application {name}; create it"));
    };
    let platform = application.spec.compute_platform;
    if platform != spec.platform() {
        let (name, own) = (&spec.application_ref.name, spec.platform());
        return wrong(
            "PlatformMismatch",
            format!(
                "Application {name} is of platform {platform}, but the group has a {} block; name an Application of platform {own}",
                own.to_string().to_lowercase()
            ),
        );
    }
    if let Some((reason, message)) = group_service::rival(facts) {
        return missing(reason, message);
    }
    let name = spec.deployment_config_name.as_deref()?;
    let config = if predefined::is_reserved(name) {
        match predefined::find(name) {
            Some(config) => config,
            None => return wrong("DeploymentConfigMissing", words::unknown_predefined(name)),
        }
    } else {
        match &facts.config {
            Some(config) => config.spec.clone(),
            None => {
                return missing(
                    "DeploymentConfigMissing",
                    format!("there is no DeploymentConfig {name}; create it, or name a predefined one"),
                );
            }
        }
    };
    if config.compute_platform == platform {
        return None;
    }
    wrong(
        "PlatformMismatch",
        format!(
            "deployment configuration {name} is for platform {}, the application's is {platform}; name one of platform {platform}",
            config.compute_platform
        ),
    )
}

type Says = (Verdict, String, String);

fn verdict(
    facts: &GroupFacts,
    status: &mut DeploymentGroupStatus,
    fault: Option<Fault>,
    drift: Option<(&'static str, String)>,
    now: Timestamp,
    plan: &mut GroupPlan,
) -> Says {
    let waited = status.waiting.take();
    if let Some(fault) = fault {
        return unfit(status, waited, fault, now, plan);
    }
    let refusal = group_desired::refusal(facts, status);
    if let Some(active) = &status.active_deployment {
        let waiting = match status.queued_deployments.len() {
            0 => String::new(),
            n => format!("; {n} more waiting"),
        };
        let refused = refusal.map(|(_, message)| format!("; {message}")).unwrap_or_default();
        let is_ready = facts.deployments.iter().any(|d| d.uid() == active.uid && d.phase() == Phase::Ready);
        let (reason, does) = if is_ready {
            ("WaitingForContinue", "waits for somebody to continue it")
        } else {
            ("Deploying", "is running")
        };
        let message = format!("Deployment {} {does}{waiting}{refused}", active.name);
        return (Verdict::Reconciling, reason.into(), message);
    }
    if let Some(obstacle) = group_desired::obstacle(facts) {
        return unfit(status, waited, Fault::from(obstacle), now, plan);
    }
    if let Some((reason, message)) = refusal {
        return unfit(status, waited, Fault { reason, message, may_come: true }, now, plan);
    }
    if let Some((reason, message)) = drift {
        return (Verdict::Stalled, reason.into(), message);
    }
    match status.phase {
        Some(GroupPhase::Failed | GroupPhase::Stopped | GroupPhase::RolledBack) => {
            let phase = status.phase.map(|p| p.to_string()).unwrap_or_default();
            (Verdict::Stalled, phase, attempted(facts, status))
        }
        Some(GroupPhase::Deploying) => {
            (Verdict::Reconciling, "Deploying".into(), "a Deployment is about to start".into())
        }
        _ => (
            Verdict::Ready,
            "Ready".into(),
            format!("{}{}", served(facts, status), server::group::told(facts)),
        ),
    }
}

/// A fault that may go by itself is waited for before it counts as Stalled, whatever the group was busy with before.
fn unfit(
    status: &mut DeploymentGroupStatus,
    waited: Option<Waiting>,
    fault: Fault,
    now: Timestamp,
    plan: &mut GroupPlan,
) -> Says {
    if !fault.may_come {
        return (Verdict::Stalled, fault.reason.into(), fault.message);
    }
    let since = waited.filter(|w| w.reason == fault.reason).map_or(now, |w| w.since);
    status.waiting = Some(Waiting { reason: fault.reason.into(), since });
    if now.duration_since(since) >= PATIENCE {
        return (Verdict::Stalled, fault.reason.into(), fault.message);
    }
    plan.wake_at(since + PATIENCE);
    (Verdict::Reconciling, fault.reason.into(), fault.message)
}

fn served(facts: &GroupFacts, status: &DeploymentGroupStatus) -> String {
    match &status.last_successful_deployment {
        Some(last) if facts.group.spec.server.is_some() => {
            format!("{} is installed since Deployment {}", last.revision, last.name)
        }
        Some(last) => format!("{} serves since Deployment {}", last.revision, last.name),
        None => "nothing was deployed yet; create a Deployment, or set spec.revision".into(),
    }
}

fn attempted(facts: &GroupFacts, status: &DeploymentGroupStatus) -> String {
    let Some(last) = &status.last_attempted_deployment else { return served(facts, status) };
    let why = last.message.as_deref().unwrap_or_default();
    match (&last.rollback_of, status.phase) {
        (Some(of), Some(GroupPhase::RolledBack)) => {
            let wanted = status.target_revision.as_ref().map(ToString::to_string).unwrap_or_default();
            let serves = last.revision.clone().unwrap_or_default();
            let does = if facts.group.spec.server.is_some() { "is installed again" } else { "is served" };
            format!(
                "Deployment {of} of {wanted} was rolled back by {}: {serves} {does}. What was rolled back is not tried again until spec.revision changes or somebody deploys it again",
                last.name
            )
        }
        _ => format!("Deployment {} ended {}: {why}", last.name, last.phase),
    }
}

/// The phase that a group has after `ended`.
pub fn phase_after(ended: Phase, is_rollback: bool) -> GroupPhase {
    match (ended, is_rollback) {
        (Phase::Succeeded, true) => GroupPhase::RolledBack,
        (Phase::Succeeded, false) => GroupPhase::Ready,
        (Phase::Stopped, _) => GroupPhase::Stopped,
        _ => GroupPhase::Failed,
    }
}
