//! Objects for the golden texts of this room's tests, as an API server would give them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{Application, Deployment, DeploymentGroup};

/// The time of all golden texts.
pub fn now() -> Timestamp {
    "2026-03-01T12:05:00Z".parse().unwrap()
}

fn deployment(status: Value) -> Deployment {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {
            "name": "hello-prod-7f3k2", "namespace": "prod", "uid": "u1",
            "creationTimestamp": "2026-03-01T12:00:00Z"
        },
        "spec": {
            "deploymentGroupRef": {"name": "hello-prod"},
            "revision": {"configMap": {"name": "hello-2", "key": "appspec.yaml"}},
            "description": "the new greeting"
        },
        "status": status,
    }))
    .unwrap()
}

/// Nobody looked at it yet.
pub fn created() -> Deployment {
    Deployment { status: None, ..deployment(json!({})) }
}

/// In the middle of a linear shift.
pub fn shifting() -> Deployment {
    deployment(json!({
        "phase": "InProgress",
        "message": "traffic 30 % on hello-2; next step in 42s",
        "creator": "User",
        "startTime": "2026-03-01T12:00:01Z",
        "revision": {"digest": "sha256:0123456789abcdef0123", "summary": "hello version 2"},
        "lifecycleEvents": [
            {"name": "BeforeAllowTraffic", "status": "Succeeded",
             "startTime": "2026-03-01T12:00:01Z", "endTime": "2026-03-01T12:00:03Z"},
            {"name": "AllowTraffic", "status": "InProgress", "startTime": "2026-03-01T12:00:03Z"},
            {"name": "AfterAllowTraffic", "status": "Pending"}
        ],
        "traffic": {
            "original": {"name": "hello-1", "weight": 70},
            "replacement": {"name": "hello-2", "weight": 30},
            "summary": "hello-1 70 % | hello-2 30 %",
            "nextStepTime": "2026-03-01T12:05:42Z"
        }
    }))
}

/// Ended by its last hook, with a rollback to come.
pub fn failed() -> Deployment {
    deployment(json!({
        "phase": "Failed",
        "message": "AfterAllowTraffic failed: web-probe said 3 of 5 pages are broken",
        "creator": "DesiredRevision",
        "startTime": "2026-03-01T12:00:01Z",
        "completeTime": "2026-03-01T12:04:01Z",
        "revision": {"digest": "sha256:0123456789abcdef0123", "summary": "hello version 2"},
        "errorInformation": {"code": "LifecycleEventHookFailed", "message": "web-probe said 3 of 5 pages are broken"},
        "rollbackInfo": {"rollbackDeployment": "hello-prod-7f3k2-rollback", "rollbackMessage": "DeploymentFailure"},
        "lifecycleEvents": [
            {"name": "BeforeAllowTraffic", "status": "Succeeded",
             "startTime": "2026-03-01T12:00:01Z", "endTime": "2026-03-01T12:00:03Z"},
            {"name": "AllowTraffic", "status": "Succeeded",
             "startTime": "2026-03-01T12:00:03Z", "endTime": "2026-03-01T12:03:03Z"},
            {"name": "AfterAllowTraffic", "status": "Failed",
             "startTime": "2026-03-01T12:03:03Z", "endTime": "2026-03-01T12:04:01Z",
             "diagnostics": {"errorCode": "ScriptFailed", "scriptName": "web-probe", "message": "exit code 1",
                             "logTail": "GET / 200\nGET /cart 500"}}
        ],
        "traffic": {
            "original": {"name": "hello-1", "weight": 0},
            "replacement": {"name": "hello-2", "weight": 100},
            "summary": "hello-2 100 %"
        }
    }))
}

/// Ended well.
pub fn succeeded() -> Deployment {
    let mut deployment = failed();
    let status = deployment.status.as_mut().unwrap();
    status.phase = crate::api::Phase::Succeeded;
    status.message = "hello version 2 serves".into();
    status.error_information = None;
    status.rollback_info = None;
    let last = status.lifecycle_events.last_mut().unwrap();
    last.status = crate::api::EventStatus::Succeeded;
    last.diagnostics = None;
    deployment
}

/// A group whose last deployment was rolled back.
pub fn group() -> DeploymentGroup {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "DeploymentGroup",
        "metadata": {"name": "hello-prod", "namespace": "prod", "creationTimestamp": "2026-02-27T12:00:00Z"},
        "spec": {
            "applicationRef": {"name": "hello"},
            "deploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
            "autoRollback": {"enabled": true, "events": ["DeploymentFailure"]},
            "function": {"aliases": [{"name": "live", "httpRoute": {"name": "hello"}}]}
        },
        "status": {
            "phase": "RolledBack",
            "message": "hello version 2 was rolled back; hello version 1 serves",
            "activeDeployment": {"name": "hello-prod-9x", "uid": "u3"},
            "queuedDeployments": [{"name": "hello-prod-a1", "uid": "u4"}, {"name": "hello-prod-b2", "uid": "u5"}],
            "lastSuccessfulDeployment": {
                "name": "hello-prod-7f3k2-rollback", "completeTime": "2026-03-01T12:04:30Z",
                "revision": {"digest": "sha256:fedcba9876543210fedc", "summary": "hello version 1"}
            },
            "lastAttemptedDeployment": {
                "name": "hello-prod-7f3k2", "phase": "Failed", "completeTime": "2026-03-01T12:04:01Z",
                "rollback": "hello-prod-7f3k2-rollback"
            }
        }
    }))
    .unwrap()
}

/// An application that is not ready.
pub fn application() -> Application {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "hello", "creationTimestamp": "2026-02-27T12:00:00Z"},
        "spec": {"computePlatform": "Function"},
        "status": {"deploymentGroups": 2, "conditions": [{
            "type": "Ready", "status": "False", "reason": "PlatformNotSupported", "message": "m",
            "lastTransitionTime": "2026-02-27T12:00:00Z"
        }]}
    }))
    .unwrap()
}
