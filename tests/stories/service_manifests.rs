//! What stories of the Service platform apply, as a user would write it.

use std::fmt::Write;

/// A PodTemplate `web-N` that runs version N of the sample.
pub fn pod_template(version: u32) -> String {
    pod_template_of(version, "sluice/sample:dev")
}

/// A PodTemplate with another image.
pub fn pod_template_of(version: u32, image: &str) -> String {
    format!(
        r#"
---
apiVersion: v1
kind: PodTemplate
metadata: {{name: web-{version}}}
template:
  metadata: {{labels: {{app: hello, version: "{version}"}}}}
  spec:
    automountServiceAccountToken: false
    enableServiceLinks: false
    terminationGracePeriodSeconds: 10
    containers:
    - name: sample
      image: "{image}"
      imagePullPolicy: IfNotPresent
      env: [{{name: VERSION, value: "{version}"}}]
      ports: [{{containerPort: 8080}}]
      readinessProbe: {{httpGet: {{path: /healthz, port: 8080}}, periodSeconds: 1, timeoutSeconds: 5}}
"#
    )
}

/// A PodTemplate whose containers, when they are started again, end at once with 1 if their pod has the annotation `crash` by then.
pub fn restartable_pod_template(version: u32) -> String {
    let crash = "{name: CRASH, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['crash']\"}}}";
    with_env(&pod_template(version), version, crash)
}

fn with_env(template: &str, version: u32, more: &str) -> String {
    let env = format!("{{name: VERSION, value: \"{version}\"}}");
    let widened = template.replace(&env, &format!("{env}, {more}"));
    assert_ne!(widened, template, "the template names its version");
    widened
}

/// A PodTemplate with further lines in its pod's spec (four spaces deep).
pub fn pod_template_with(version: u32, more: &str) -> String {
    let place = "    enableServiceLinks: false\n";
    let widened = pod_template(version).replace(place, &format!("{place}{more}\n"));
    assert!(widened.contains(more), "the template has a spec");
    widened
}

/// A PodTemplate with further lines of its container (six spaces deep).
pub fn pod_template_whose_container(version: u32, more: &str) -> String {
    format!("{}      {more}\n", pod_template(version))
}

/// The production route `hello` (two rules, with a filter that must come through untouched) and the test route `hello-test`.
pub fn routes(host: &str) -> String {
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
    backendRefs: [{{name: hello-a, port: 80}}]
  - matches: [{{path: {{type: PathPrefix, value: /}}}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {{set: [{{name: x-from, value: gateway}}]}}
    backendRefs: [{{name: hello-a, port: 80}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: hello-test}}
spec:
  hostnames: ["{host}"]
  parentRefs: [{{name: sluice-demo, namespace: default, sectionName: test}}]
  rules: [{{backendRefs: [{{name: hello-a, port: 80}}]}}]
"#
    )
}

/// The application, and the configurations that stories use.
pub fn settings() -> String {
    let mut yaml = String::from(
        "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {computePlatform: Service}\n",
    );
    let configs = [
        ("canary", "{type: TimeBasedCanary, canary: {percentage: 25, interval: 8s}}"),
        ("slow-canary", "{type: TimeBasedCanary, canary: {percentage: 30, interval: 40s}}"),
        ("linear", "{type: TimeBasedLinear, linear: {percentage: 10, interval: 2s}}"),
    ];
    for (name, routing) in configs {
        write!(
            yaml,
            "---\napiVersion: sluice.dev/v1alpha1\nkind: DeploymentConfig\nmetadata: {{name: {name}}}\nspec: {{computePlatform: Service, trafficRouting: {routing}}}\n"
        )
        .expect("text");
    }
    yaml
}

/// The group `hello`: `config` names its configuration, `blue_green` is the inside of that block, `more` are further lines of
/// its spec (two spaces deep).
pub fn group(config: &str, blue_green: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: DeploymentGroup
metadata: {{name: hello}}
spec:
  applicationRef: {{name: web}}
  deploymentConfigName: {config}
  blueGreen: {{{blue_green}}}
  service:
    replicas: 2
    targetGroups: [hello-a, hello-b]
    productionListener: {{httpRoute: {{name: hello}}}}
    testListener: {{httpRoute: {{name: hello-test}}}}
    drain: 5s
{more}
"#
    )
}

/// The original goes five seconds after the last event.
pub const SOON: &str = "terminateOriginal: {wait: 5s}";
/// The original stands for longer than any story.
pub const STANDS: &str = "terminateOriginal: {wait: 1h}";

/// An AppSpec that runs PodTemplate `web-N`; `hooks` are pairs of an event and a LifecycleHook.
pub fn app_spec(version: u32, hooks: &[(&str, &str)]) -> String {
    let mut text = format!(
        "version: 0.0\nResources:\n- TargetService:\n    Type: AWS::ECS::Service\n    Properties:\n      TaskDefinition: web-{version}\n      LoadBalancerInfo: {{ContainerName: sample, ContainerPort: 8080}}\n"
    );
    if !hooks.is_empty() {
        text.push_str("Hooks:\n");
    }
    for (event, hook) in hooks {
        writeln!(text, "- {event}: {hook}").expect("text");
    }
    text
}
