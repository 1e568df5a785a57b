//! Objects for the golden texts of this room's tests, as an API server would give them.

mod hosts;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::hosts::{COURSE, hosts, in_place, in_place_on};
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

/// Of a Service group; `status` comes over what all of them have.
fn service(has_original: bool, status: Value) -> Deployment {
    let original = json!({"targetGroup": "web", "taskSet": "web-prod-0a1b2c3d", "taskDefinition": "web-1"});
    let target_group = if has_original { "web-b" } else { "web" };
    let mut all = json!({
        "phase": "InProgress",
        "creator": "User",
        "startTime": "2026-03-01T12:00:01Z",
        "revision": {"digest": "sha256:0123456789abcdef0123", "summary": "PodTemplate web-2"},
        "resolved": {
            "groupGeneration": 1, "groupUid": "g", "application": "web", "deploymentConfigName": "web-canary",
            "trafficRouting": {"type": "TimeBasedCanary", "canary": {"percentage": 20, "interval": "5m"}},
            "service": {
                "taskDefinition": "web-2", "containerName": "web", "containerPort": 8080,
                "original": if has_original { original } else { Value::Null },
                "replacement": {"targetGroup": target_group, "taskSet": "web-prod-4e5f6a7b", "taskDefinition": "web-2"},
                "otherTargetGroup": if has_original { "web" } else { "web-b" },
                "production": {"name": "web", "uid": "r"}, "test": {"name": "web-test", "uid": "t"},
                "deploymentReady": {"wait": "10m"}, "terminateOriginal": {"wait": "5m"},
                "installTimeout": "1h", "drain": "10s"
            }
        }
    });
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), status) {
        all.extend(own);
    }
    let mut deployment = deployment(all);
    deployment.metadata.name = Some("web-2".into());
    deployment.spec.deployment_group_ref.name = "web-prod".into();
    deployment.spec.description = None;
    deployment
}

/// The eight events, of which the first `done` ended well, each a second after the one before, and the next is under way.
fn course(done: usize, is_under_way: bool) -> Value {
    let names = [
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "BeforeAllowTraffic",
        "AllowTraffic",
        "AfterAllowTraffic",
    ];
    let at = |second: usize| format!("2026-03-01T12:04:{second:02}Z");
    let event = |(index, name): (usize, &&str)| match index {
        _ if index < done => {
            json!({"name": name, "status": "Succeeded", "startTime": at(index), "endTime": at(index + 1)})
        }
        _ if index == done && is_under_way => {
            json!({"name": name, "status": "InProgress", "startTime": at(index)})
        }
        _ => json!({"name": name, "status": "Pending"}),
    };
    names.iter().enumerate().map(event).collect()
}

fn waits(reason: &str) -> Value {
    json!([{"type": "Ready", "status": "False", "reason": reason, "message": "m", "lastTransitionTime": "2026-03-01T12:04:10Z"}])
}

fn web_traffic(replacement: i32) -> Value {
    let step = json!({"index": 1, "weight": replacement, "time": "2026-03-01T12:04:48Z", "servedTime": "2026-03-01T12:04:49Z"});
    json!({
        "original": {"name": "web", "weight": 100 - replacement},
        "replacement": {"name": "web-b", "weight": replacement},
        "summary": format!("web {} / web-b {replacement}", 100 - replacement),
        "steps": if replacement > 0 { vec![step] } else { vec![] }
    })
}

/// The first deployment of a service, whose pods do not become ready.
pub fn service_installing() -> Deployment {
    service(
        false,
        json!({
            "message": "Install: container web of pod web-prod-4e5f6a7b-x cannot pull its image web:2 (kubectl describe pod web-prod-4e5f6a7b-x tells why); task set web-prod-4e5f6a7b (PodTemplate web-2) behind Service web waits for its 3 pods to be ready, at most 1h",
            "conditions": waits("TaskSetNotReady"),
            "lifecycleEvents": [
                {"name": "BeforeInstall", "status": "Succeeded", "startTime": "2026-03-01T12:00:01Z", "endTime": "2026-03-01T12:00:01Z"},
                {"name": "Install", "status": "InProgress", "startTime": "2026-03-01T12:01:00Z"}
            ],
            "traffic": {"original": {"name": "web", "weight": 100}, "replacement": {"name": "web", "weight": 0}, "summary": "web 100"}
        }),
    )
}

/// A service deployment that waits for somebody to say continue.
pub fn service_ready() -> Deployment {
    service(
        true,
        json!({
            "phase": "Ready",
            "message": "the replacement is ready and has no production traffic",
            "conditions": waits("WaitingForContinue"),
            "lifecycleEvents": course(5, false),
            "testTraffic": {"index": 1, "weight": 100, "time": "2026-03-01T12:04:03Z"},
            "traffic": web_traffic(0)
        }),
    )
}

/// A service deployment at the first step of its canary.
pub fn service_shifting() -> Deployment {
    let mut traffic = web_traffic(20);
    traffic["nextStepTime"] = json!("2026-03-01T12:09:49Z");
    service(
        true,
        json!({
            "message": "80 % on web, 20 % on web-b; step 1 of 2; the next one 5m after the gateway has taken it",
            "conditions": waits("AllowTraffic"),
            "lifecycleEvents": course(6, true),
            "testTraffic": {"index": 1, "weight": 100, "time": "2026-03-01T12:04:03Z"},
            "traffic": traffic
        }),
    )
}

/// A service deployment whose original still stands.
pub fn service_terminating() -> Deployment {
    let mut events = course(8, false);
    events[7]["endTime"] = json!("2026-03-01T12:04:50Z");
    service(
        true,
        json!({
            "message": "all traffic has moved; task set web-prod-0a1b2c3d (PodTemplate web-1) behind Service web stands at full scale until 12:09:50Z, when it is terminated",
            "conditions": waits("WaitingForTermination"),
            "terminationWaitEndTime": "2026-03-01T12:09:50Z",
            "lifecycleEvents": events,
            "testTraffic": {"index": 1, "weight": 100, "time": "2026-03-01T12:04:03Z"},
            "traffic": web_traffic(100)
        }),
    )
}

/// A service deployment whose check on the test listener is under way.
pub fn service_tested() -> Deployment {
    let mut tested = service_ready();
    let status = tested.status.as_mut().unwrap();
    status.phase = crate::api::Phase::InProgress;
    status.message = "AfterAllowTestTraffic: waiting for hook probe (at most 1m)".into();
    status.lifecycle_events = serde_json::from_value(course(4, true)).unwrap();
    tested
}

/// A service deployment whose last step was just taken.
pub fn service_shifted() -> Deployment {
    let mut shifted = service_terminating();
    let status = shifted.status.as_mut().unwrap();
    status.message = "100 % on web-b; the last step; waiting for the gateway to take it".into();
    status.lifecycle_events = serde_json::from_value(course(6, true)).unwrap();
    shifted
}

/// A service group whose size an autoscaler has raised.
pub fn service_group() -> DeploymentGroup {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "DeploymentGroup",
        "metadata": {"name": "web-prod", "namespace": "prod", "creationTimestamp": "2026-02-27T12:00:00Z"},
        "spec": {
            "applicationRef": {"name": "web"},
            "deploymentConfigName": "web-canary",
            "blueGreen": {"deploymentReady": {"actionOnTimeout": "StopDeployment", "wait": "10m"}},
            "deletionPolicy": "Orphan",
            "service": {
                "replicas": 5, "targetGroups": ["web", "web-b"],
                "productionListener": {"httpRoute": {"name": "web"}}, "testListener": {"httpRoute": {"name": "web-test"}}
            }
        },
        "status": {
            "phase": "Deploying", "message": "Deployment web-2 is running", "replicas": 3,
            "activeDeployment": {"name": "web-2", "uid": "u2"}
        }
    }))
    .unwrap()
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
