//! What stories apply, as a user would write it.

use std::fmt::Write;

/// Kubernetes Deployments and Services of the sample's versions.
pub fn versions(versions: &[u32]) -> String {
    versions.iter().map(|v| workload(*v) + &service(*v)).collect()
}

/// One version's pods.
pub fn workload(version: u32) -> String {
    format!(
        r#"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: hello-{version}}}
spec:
  selector: {{matchLabels: {{app: hello, version: "{version}"}}}}
  template:
    metadata: {{labels: {{app: hello, version: "{version}"}}}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 5
      containers:
      - name: sample
        image: sluice/sample:dev
        imagePullPolicy: IfNotPresent
        env: [{{name: VERSION, value: "{version}"}}]
        readinessProbe: {{httpGet: {{path: /healthz, port: 8080}}, periodSeconds: 1, timeoutSeconds: 5}}
"#
    )
}

/// One version's Service.
pub fn service(version: u32) -> String {
    format!(
        r#"
---
apiVersion: v1
kind: Service
metadata: {{name: hello-{version}}}
spec: {{selector: {{app: hello, version: "{version}"}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
"#
    )
}

/// The route: two rules that hold the version, with filters of their own, which must come through untouched.
pub fn route(host: &str) -> String {
    format!(
        r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: hello, labels: {{team: greeters}}, annotations: {{note: "by hand"}}}}
spec:
  hostnames: ["{host}"]
  parentRefs: [{{name: sluice-demo, namespace: default, sectionName: production}}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: /static}}, headers: [{{name: x-probe, value: "1"}}]}}]
    backendRefs: [{{name: hello-1, port: 80}}]
  - matches: [{{path: {{type: PathPrefix, value: /}}}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {{set: [{{name: x-from, value: gateway}}]}}
    backendRefs: [{{name: hello-1, port: 80}}]
"#
    )
}

/// The application, and the configurations that stories use.
pub fn settings() -> String {
    let mut yaml = String::from(
        "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec: {computePlatform: Function}\n",
    );
    let configs = [
        ("canary", "{type: TimeBasedCanary, canary: {percentage: 25, interval: 8s}}"),
        ("slow-canary", "{type: TimeBasedCanary, canary: {percentage: 30, interval: 25s}}"),
        ("linear", "{type: TimeBasedLinear, linear: {percentage: 10, interval: 2s}}"),
        ("slow-linear", "{type: TimeBasedLinear, linear: {percentage: 10, interval: 3s}}"),
    ];
    for (name, routing) in configs {
        write!(
            yaml,
            "---\napiVersion: sluice.dev/v1alpha1\nkind: DeploymentConfig\nmetadata: {{name: {name}}}\nspec: {{computePlatform: Function, trafficRouting: {routing}}}\n"
        )
        .expect("text");
    }
    yaml
}

/// The group `hello`: `config` names its configuration, `more` are further lines of its spec (two spaces deep).
pub fn group(config: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: DeploymentGroup
metadata: {{name: hello}}
spec:
  applicationRef: {{name: shop}}
  deploymentConfigName: {config}
  function: {{aliases: [{{name: live, httpRoute: {{name: hello}}}}]}}
{more}
"#
    )
}

/// Automatic rollback after failures and stops.
pub const ROLLS_BACK: &str =
    "  autoRollback: {enabled: true, events: [DeploymentFailure, DeploymentStopOnRequest]}";

/// An AppSpec that takes `hello` from one version to another; `hooks` are pairs of an event and a LifecycleHook.
pub fn app_spec(from: Option<u32>, to: u32, hooks: &[(&str, &str)]) -> String {
    let current = from.map(|v| format!(", CurrentVersion: \"{v}\"")).unwrap_or_default();
    let mut text = format!(
        "version: 0.0\nResources:\n- hello: {{Type: AWS::Lambda::Function, Properties: {{Name: hello, Alias: live{current}, TargetVersion: \"{to}\"}}}}\n"
    );
    if !hooks.is_empty() {
        text.push_str("Hooks:\n");
    }
    for (event, hook) in hooks {
        writeln!(text, "- {event}: {hook}").expect("text");
    }
    text
}

/// A revision block that holds an AppSpec, as one line of YAML.
pub fn revision(app_spec: &str) -> String {
    serde_json::json!({"appSpecContent": {"content": app_spec}}).to_string()
}

/// A Deployment of the group `hello`; `more` are further lines of its spec (two spaces deep).
pub fn deployment(name: &str, app_spec: &str, more: &str) -> String {
    format!(
        r#"
---
apiVersion: sluice.dev/v1alpha1
kind: Deployment
metadata: {{name: {name}}}
spec:
  deploymentGroupRef: {{name: hello}}
  revision: {}
{more}
"#,
        revision(app_spec)
    )
}

/// A hook that calls the sample's own hook endpoint, which version 1's Service serves as well.
pub fn http_hook(name: &str, path: &str, timeout: &str) -> String {
    format!(
        r#"
---
apiVersion: v1
kind: Service
metadata: {{name: probe}}
spec: {{selector: {{app: hello, version: "1"}}, ports: [{{port: 8090, targetPort: 8080}}]}}
---
apiVersion: sluice.dev/v1alpha1
kind: LifecycleHook
metadata: {{name: {name}}}
spec: {{timeout: {timeout}, http: {{url: "http://probe.NAMESPACE:8090/hook/{path}"}}}}
"#
    )
}

/// A hook that is a Job running the sample with these arguments.
pub fn job_hook(name: &str, args: &[&str]) -> String {
    let args = serde_json::json!(args);
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: LifecycleHook
metadata: {{name: {name}}}
spec:
  timeout: 2m
  job:
    template:
      spec:
        backoffLimit: 0
        template:
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 1
            containers: [{{name: check, image: "sluice/sample:dev", imagePullPolicy: IfNotPresent, args: {args}}}]
"#
    )
}
