//! Lifecycle hooks: started once under a key of their own, judged by their Job's end or by their answer.

use jiff::SignedDuration;

use super::draft::{Draft, clip, key};
use super::facts::{CallFact, Facts, JobState};
use super::plan::{Act, CallHook, HookContext, StartJob};
use crate::api::deployment_status::{Diagnostics, ResolvedHook};
use crate::api::duration::Spoken;
use crate::api::{EventName, EventStatus, HookAnswer};

/// A Job is held at least so long after its event began: by then no late create of a paused process can come, which
/// would run it a second time. Longer than [`ACT_EXPIRY`](super::plan::ACT_EXPIRY) and a request's own time-out.
pub const HOLD: SignedDuration = SignedDuration::from_secs(15);

/// Lets go of the Job of `event`, which has ended, as soon as that is safe; one that still runs is deleted. Answers false while it has to be held on to.
pub fn release(draft: &mut Draft<'_>, event: EventName) -> bool {
    let Some(job) = draft.facts.jobs.get(&event).filter(|j| j.is_held) else { return true };
    let began = draft.status.lifecycle_events.iter().find(|e| e.name == event).and_then(|e| e.start_time);
    let due = began.map_or(draft.now, |at| at + HOLD);
    if draft.now < due {
        draft.wake_at(due);
        return false;
    }
    draft.act(Act::EndJob { name: job.name.clone(), delete: job.state == JobState::Running });
    true
}

/// How a hook event stands after a look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Awaited.
    Running,
    /// The course goes on.
    Passed,
    /// The deployment fails: the sentence.
    Failed(String),
}

/// The execution id of a hook: the same for every believer and every try.
pub fn execution_id(uid: &str, event: EventName, hook: &str) -> String {
    let k = key(&[uid, &event.to_string(), hook], 32);
    format!("{}-{}-{}-{}-{}", &k[..8], &k[8..12], &k[12..16], &k[16..20], &k[20..])
}

/// The name of a hook's Job, made from its key; short enough for a label.
pub fn job_name(deployment: &str, uid: &str, event: EventName, hook: &str) -> String {
    let stem = deployment.get(..28).unwrap_or(deployment).trim_end_matches(['-', '.']).replace('.', "-");
    let short = match event {
        EventName::BeforeInstall => "before-install",
        EventName::AfterInstall => "after-install",
        EventName::AfterAllowTestTraffic => "after-test",
        EventName::BeforeAllowTraffic => "before-allow",
        EventName::AfterAllowTraffic => "after-allow",
        _ => "event",
    };
    format!("{stem}-{short}-{}", key(&[uid, short, hook], 10))
}

/// Carries the hook event at `index` as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, index: usize, hook: &ResolvedHook) -> Verdict {
    let (now, uid) = (draft.now, draft.facts.deployment.uid().to_owned());
    let event = draft.event(index);
    if event.status == EventStatus::Pending {
        event.status = EventStatus::InProgress;
        event.start_time = Some(now);
        event.execution_id = Some(execution_id(&uid, event.name, &hook.name));
    }
    let verdict = judge(draft, index, hook);
    let event = draft.event(index);
    match &verdict {
        Verdict::Running => {}
        Verdict::Passed => event.status = EventStatus::Succeeded,
        Verdict::Failed(_) => event.status = EventStatus::Failed,
    }
    if verdict != Verdict::Running {
        event.end_time = Some(now);
        release(draft, hook.event);
    }
    verdict
}

fn judge(draft: &mut Draft<'_>, index: usize, hook: &ResolvedHook) -> Verdict {
    let event = draft.event(index);
    let (id, start) = (event.execution_id.clone().unwrap_or_default(), event.start_time.unwrap_or(draft.now));
    let deadline = start + hook.timeout.length();
    let answer =
        if hook.job.is_some() { job(draft, index, hook, &id) } else { call(draft, hook, &id, deadline) };
    match answer {
        Answer::Good(message, log_tail) => {
            diagnose(draft, index, hook, "Success", &message, log_tail);
            Verdict::Passed
        }
        Answer::Bad(code, message, log_tail) => {
            diagnose(draft, index, hook, code, &message, log_tail);
            Verdict::Failed(format!("hook {} of {} failed: {message}", hook.name, hook.event))
        }
        Answer::None if draft.now >= deadline => {
            let message = format!("no answer within its timeout of {}", Spoken(hook.timeout.length()));
            diagnose(draft, index, hook, "ScriptTimedOut", &message, String::new());
            Verdict::Failed(format!("hook {} of {} failed: {message}", hook.name, hook.event))
        }
        Answer::None => {
            draft.wake_at(deadline);
            Verdict::Running
        }
    }
}

enum Answer {
    None,
    Good(String, String),
    Bad(&'static str, String, String),
}

fn diagnose(
    draft: &mut Draft<'_>,
    index: usize,
    hook: &ResolvedHook,
    code: &str,
    message: &str,
    log_tail: String,
) {
    draft.event(index).diagnostics = Some(Diagnostics {
        error_code: code.into(),
        script_name: hook.name.clone(),
        message: clip(message.into(), 2_000),
        log_tail: clip(log_tail, 4_000),
    });
}

fn context(facts: &Facts, draft: &Draft<'_>, event: EventName, id: &str) -> HookContext {
    let resolved = draft.status.resolved.as_ref();
    HookContext {
        application: resolved.map(|r| r.application.clone()).unwrap_or_default(),
        deployment: facts.deployment.name().into(),
        group: facts.deployment.spec.deployment_group_ref.name.clone(),
        group_uid: resolved.map(|r| r.group_uid.clone()).unwrap_or_default(),
        event,
        execution_id: id.into(),
    }
}

fn job(draft: &mut Draft<'_>, index: usize, hook: &ResolvedHook, id: &str) -> Answer {
    let facts = draft.facts;
    let was_seen = draft.event(index).started;
    let Some(job) = facts.jobs.get(&hook.event) else {
        if was_seen {
            return Answer::Bad(
                "UnknownError",
                "its Job vanished before its end was seen".into(),
                String::new(),
            );
        }
        let name = job_name(facts.deployment.name(), facts.deployment.uid(), hook.event, &hook.name);
        let context = context(facts, draft, hook.event, id);
        let template = hook.job.clone().unwrap_or_default();
        draft.act(Act::StartJob(StartJob { name, context, template }));
        return Answer::None;
    };
    draft.event(index).started = true;
    match &job.state {
        JobState::Running => Answer::None,
        JobState::Succeeded => Answer::Good(format!("Job {} completed", job.name), String::new()),
        JobState::Failed { message, log_tail } => {
            let said = log_tail.trim().lines().last().map(|l| format!("; it said: {l}")).unwrap_or_default();
            Answer::Bad("ScriptFailed", format!("Job {} failed: {message}{said}", job.name), log_tail.clone())
        }
        JobState::Deleted => {
            Answer::Bad("UnknownError", format!("Job {} was deleted before its end", job.name), String::new())
        }
        JobState::NameTaken => {
            let message = format!("NameTaken: another Job is named {}; delete it and deploy again", job.name);
            Answer::Bad("UnknownError", message, String::new())
        }
        JobState::Refused(words) => {
            Answer::Bad("UnknownError", format!("the API server refused its Job: {words}"), String::new())
        }
    }
}

fn call(draft: &mut Draft<'_>, hook: &ResolvedHook, id: &str, deadline: jiff::Timestamp) -> Answer {
    let facts = draft.facts;
    let judged = |answer: HookAnswer, message: String| match answer {
        HookAnswer::Succeeded => Answer::Good(message, String::new()),
        HookAnswer::Failed => Answer::Bad("ScriptFailed", message, String::new()),
    };
    if let Some(result) = facts.deployment.spec.hook_results.iter().find(|r| r.execution_id == id) {
        let message = result.message.clone().unwrap_or_else(|| "answered without a message".into());
        return judged(result.status, message);
    }
    match facts.calls.get(id) {
        Some(CallFact::Answered(answer, message)) => judged(*answer, message.clone()),
        Some(CallFact::Refused(message)) => Answer::Bad("ScriptFailed", message.clone(), String::new()),
        Some(CallFact::Calling | CallFact::Later) => {
            draft.status.waiting = None;
            Answer::None
        }
        Some(CallFact::SecretNotGranted(cure)) => {
            draft.wait("SecretNotGranted", format!("hook {} takes its headers from a Secret that the controller may not read; grant it: {cure}", hook.name));
            Answer::None
        }
        None => {
            begin_call(draft, hook, id, deadline);
            Answer::None
        }
    }
}

fn begin_call(draft: &mut Draft<'_>, hook: &ResolvedHook, id: &str, deadline: jiff::Timestamp) {
    let Some(http) = hook.http.as_ref().filter(|_| draft.now < deadline) else { return };
    let context = context(draft.facts, draft, hook.event, id);
    let headers_secret = http.headers_from.as_ref().map(|h| h.secret_ref.name.clone());
    draft.act(Act::CallHook(CallHook { context, url: http.url.clone(), headers_secret, deadline }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_name_fits_a_label_and_is_one_for_each_deployment_event_and_hook() {
        let long = "a-deployment.with-a-name-that.goes-on-and-on-for-ever".repeat(4);
        let name = |uid, event, hook| job_name(&long, uid, event, hook);
        let one = name("u1", EventName::BeforeAllowTraffic, "h");
        assert!(one.len() <= 63 && !one.contains('.'), "{one}");
        assert_eq!(one, name("u1", EventName::BeforeAllowTraffic, "h"));
        for other in [
            name("u2", EventName::BeforeAllowTraffic, "h"),
            name("u1", EventName::AfterAllowTraffic, "h"),
            name("u1", EventName::BeforeAllowTraffic, "h2"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn an_execution_id_is_the_same_at_every_try_and_looks_like_a_uuid() {
        let id = execution_id("u1", EventName::BeforeAllowTraffic, "h");
        assert_eq!(id, execution_id("u1", EventName::BeforeAllowTraffic, "h"));
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }

    #[test]
    fn a_job_is_held_for_longer_than_any_act_can_be_late() {
        assert!(HOLD > super::super::plan::ACT_EXPIRY);
    }
}
