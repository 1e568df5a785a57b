//! Everybody else: the gateway, the job runner, the hooks' servers, and the operating system that starts processes again.
//!
//! How a hook behaves stands in its own template or URL, so that a story says it where the hook is made.

use std::sync::Arc;

use jiff::SignedDuration;
use sluice::api::{HookAnswer, HookResult};
use sluice::engine::facts::CallFact;
use sluice::engine::plan::CallHook;

use super::believer::Believer;
use super::objects::{GatewayStatus, JobEnd, Kind, Object};
use super::store::{Actor, Commit};
use super::world::World;

/// Something that will happen.
pub enum Happening {
    /// The gateway looks at a route.
    GatewayLooks(String),
    /// A Job ends.
    JobEnds(String, JobEnd),
    /// Somebody deletes a Job.
    JobVanishes(String),
    /// A call that a believer made comes back.
    CallReturns(usize, String, CallFact),
    /// The later answer to a call is given: Deployment, execution id.
    LaterAnswer(String, String),
    /// A process starts again.
    Restart(usize),
    /// The controller of ReplicaSets looks at one.
    ReplicasLook(String),
    /// The kubelet says of a pod whether it is ready, and what holds it back.
    PodTurns(String, bool, Option<String>),
    /// The pods of a lost node are given up.
    NodeIsEmptied(usize),
    /// The controller of EndpointSlices looks at a Service.
    EndpointsLook(String),
    /// An agent sees its Instance.
    AgentLooks(String),
    /// A script ends: host, turn, whether it passes.
    EventEnds(String, u64, bool),
    /// An agent is started again.
    AgentStarts(String),
    /// A host has been silent for too long: host, and which silence it was.
    HeartbeatEnds(String, u64),
}

impl World {
    /// What others do about a commit.
    pub fn react(&mut self, commit: &Commit) {
        self.cluster_reacts(commit);
        self.agents_react(commit);
        let before = commit.before.as_ref();
        match &commit.after {
            Some(Object::Route(route)) => {
                let had = before.and_then(Object::route);
                if had.is_none_or(|r| r.generation != route.generation) {
                    let at = self.after(self.pace.gateway);
                    self.plan(at, Happening::GatewayLooks(route.name.clone()));
                }
            }
            Some(Object::Job(job)) if before.is_none() => {
                let name = job.name.clone();
                self.start_job(&name);
            }
            _ => {}
        }
    }

    fn start_job(&mut self, name: &str) {
        let plan = self.store.get(Kind::Job, name).and_then(Object::job).map(|j| j.execution_id.clone());
        let plan = plan.and_then(|id| self.ledger.job_plans.get(&id).cloned()).unwrap_or_default();
        let at = self.after(self.pace.job);
        let failed = JobEnd::Failed {
            message: "BackoffLimitExceeded".into(),
            log_tail: "GET /health -> 500\nprobe: version answers with errors".into(),
        };
        match plan.as_str() {
            "fails" => self.plan(at, Happening::JobEnds(name.into(), failed)),
            "vanishes" => self.plan(at, Happening::JobVanishes(name.into())),
            "hangs" => {}
            _ => self.plan(at, Happening::JobEnds(name.into(), JobEnd::Complete)),
        }
    }

    /// A hook's server is called.
    pub fn serve_call(&mut self, believer: usize, call: &CallHook) {
        let id = call.context.execution_id.clone();
        let now = self.store.now;
        self.ledger.note_call(&call.context.deployment, call.context.event, &id, now);
        let returns = |fact| Happening::CallReturns(believer, id.clone(), fact);
        let at = self.after((40, 40));
        match call.url.rsplit('/').next().unwrap_or_default() {
            "fails" => {
                let fact = CallFact::Answered(HookAnswer::Failed, "the probe saw errors".into());
                self.plan(at, returns(fact));
            }
            "400" => self.plan(at, returns(CallFact::Refused("it answered 400 Bad Request".into()))),
            "busy" => {
                let at = self.after((3_000, 3_000));
                self.plan(
                    at,
                    returns(CallFact::Answered(HookAnswer::Succeeded, "the probe is content".into())),
                );
            }
            "later" => {
                self.plan(at, returns(CallFact::Later));
                if self.later.insert(id.clone()) {
                    let at = self.after((90_000, 90_000));
                    self.plan(at, Happening::LaterAnswer(call.context.deployment.clone(), id));
                }
            }
            "never" => {}
            _ => {
                let fact = CallFact::Answered(HookAnswer::Succeeded, "the probe is content".into());
                self.plan(at, returns(fact));
            }
        }
    }

    /// Lets something happen.
    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::GatewayLooks(route) => self.gateway_looks(&route),
            Happening::JobEnds(name, end) => {
                let _ = self.store.change(&Actor::Jobs, &(Kind::Job, name), |o| {
                    if let Object::Job(job) = o
                        && !job.is_going
                    {
                        Arc::make_mut(job).end = Some(end);
                    }
                });
            }
            Happening::JobVanishes(name) => self.store.delete(&Actor::User, &(Kind::Job, name)),
            Happening::CallReturns(index, id, fact) => {
                let believer = &mut self.believers[index];
                if let Some(call) = believer.memory.calls.get_mut(&id) {
                    *call = fact;
                    let all: Vec<_> =
                        believer.cache.objects.keys().filter(|k| k.0 == Kind::Deployment).cloned().collect();
                    for key in all {
                        believer.ask(key, self.store.now);
                    }
                }
            }
            Happening::LaterAnswer(deployment, execution_id) => {
                self.log.line(self.store.now, "hook", "answers later, by spec.hookResults: Succeeded");
                let message = Some("the probe is content".into());
                let result = HookResult { execution_id, status: HookAnswer::Succeeded, message };
                let _ = self.store.edit_spec(&deployment, |d| d.spec.hook_results.push(result));
            }
            Happening::Restart(index) => {
                self.log.line(self.store.now, "world", "the controller starts again");
                self.believers[index] = Believer::started(&self.store);
            }
            Happening::ReplicasLook(name) => self.replicas_look(&name),
            Happening::PodTurns(name, is_ready, problem) => self.pod_turns(&name, is_ready, problem),
            Happening::NodeIsEmptied(node) => self.node_is_emptied(node),
            Happening::EndpointsLook(service) => self.endpoints_look(&service),
            Happening::AgentLooks(host) => self.agent_looks(&host),
            Happening::EventEnds(host, turn, passes) => self.event_ends(&host, turn, passes),
            Happening::AgentStarts(host) => self.agent_starts(&host),
            Happening::HeartbeatEnds(host, losses) => self.heartbeat_ends(&host, losses),
        }
    }

    /// The gateway takes the route as it is now, unless it is told otherwise.
    pub fn gateway_looks(&mut self, name: &str) {
        if self.gateway_is_silent {
            return;
        }
        let refused = self.gateway_refuses.clone();
        let now = self.store.now;
        let _ = self.store.change(&Actor::Gateway, &(Kind::Route, name.into()), |o| {
            if let Object::Route(route) = o {
                let route = Arc::make_mut(route);
                let is_same = route
                    .status
                    .as_ref()
                    .is_some_and(|s| s.generation == route.generation && s.refused == refused);
                if !is_same {
                    route.status =
                        Some(GatewayStatus { generation: route.generation, refused, written: now });
                }
            }
        });
    }

    /// The gateway wakes up, or stops refusing.
    pub fn gateway_recovers(&mut self) {
        (self.gateway_is_silent, self.gateway_refuses) = (false, None);
        let routes: Vec<_> = self.store.all(Kind::Route).map(|o| o.key().1).collect();
        for route in routes {
            let at = self.store.now + SignedDuration::from_millis(100);
            self.plan(at, Happening::GatewayLooks(route));
        }
    }
}
