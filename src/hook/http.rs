//! HTTP hooks: one POST, and what its answer means.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::api::HookAnswer;
use crate::engine::facts::CallFact;
use crate::engine::plan::{CallHook, HookContext};
use crate::remote::{Error, Http, Reply};

/// What one try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A fact for the engine: no further try.
    Settled(CallFact),
    /// Worth another try: why.
    Retry(String),
}

#[derive(Deserialize)]
struct Answer {
    status: HookAnswer,
    #[serde(default)]
    message: Option<String>,
}

/// The body of the call: CodeDeploy's two fields and three more.
fn body(context: &HookContext) -> serde_json::Value {
    json!({
        "DeploymentId": context.deployment,
        "LifecycleEventHookExecutionId": context.execution_id,
        "LifecycleEvent": context.event,
        "ApplicationName": context.application,
        "DeploymentGroupName": context.group,
    })
}

/// Calls once.
pub async fn call(http: &Http, hook: &CallHook, headers: &[(String, String)], timeout: Duration) -> Outcome {
    match http.post_json(&hook.url, headers, &body(&hook.context), timeout).await {
        Ok(reply) => judge(&reply),
        Err(Error::Unreachable(why)) => Outcome::Retry(why),
        Err(error) => Outcome::Settled(CallFact::Refused(error.to_string())),
    }
}

/// 200 answers at once, 202 says "later", 429 and 5xx are tried again, anything else fails the hook.
fn judge(reply: &Reply) -> Outcome {
    match reply.status {
        200 => match serde_json::from_slice::<Answer>(&reply.body) {
            Ok(answer) => {
                let message = answer.message.unwrap_or_else(|| "answered without a message".into());
                Outcome::Settled(CallFact::Answered(answer.status, message))
            }
            Err(_) => Outcome::Settled(CallFact::Refused(
                "answered 200 without {\"status\":\"Succeeded\"} or {\"status\":\"Failed\"} (202 means \"later\")".into(),
            )),
        },
        202 => Outcome::Settled(CallFact::Later),
        429 | 500..=599 => Outcome::Retry(format!("answered {}", reply.status)),
        status => Outcome::Settled(CallFact::Refused(format!("answered {status}; expected 200 or 202"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Outcome {
        judge(&Reply { status, body: body.into() })
    }

    #[test]
    fn an_answer_means_what_the_contract_says() {
        let said = CallFact::Answered(HookAnswer::Failed, "5xx on /pay".into());
        assert_eq!(reply(200, r#"{"status":"Failed","message":"5xx on /pay"}"#), Outcome::Settled(said));
        assert_eq!(reply(202, ""), Outcome::Settled(CallFact::Later));
        assert!(matches!(reply(503, ""), Outcome::Retry(_)));
        assert!(matches!(reply(429, ""), Outcome::Retry(_)));
        assert!(matches!(reply(400, ""), Outcome::Settled(CallFact::Refused(_))));
        assert!(matches!(reply(200, "ok"), Outcome::Settled(CallFact::Refused(_))));
        assert!(matches!(reply(302, ""), Outcome::Settled(CallFact::Refused(_))));
    }
}
