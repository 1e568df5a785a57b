//! What stories of the Server platform apply, as a user would write it.

/// A bundle that is served, as a revision.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Where it is.
    pub url: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// The application and, besides the predefined configurations, those that stories name.
pub fn settings() -> String {
    r"
apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: hello}
spec: {computePlatform: Server}
---
apiVersion: sluice.dev/v1alpha1
kind: DeploymentConfig
metadata: {name: keep-two}
spec: {computePlatform: Server, minimumHealthyHosts: {type: HostCount, value: 2}}
---
apiVersion: sluice.dev/v1alpha1
kind: DeploymentConfig
metadata: {name: keep-most}
spec: {computePlatform: Server, minimumHealthyHosts: {type: FleetPercent, value: 51}}
---
apiVersion: sluice.dev/v1alpha1
kind: DeploymentConfig
metadata: {name: zone-by-zone}
spec:
  computePlatform: Server
  minimumHealthyHosts: {type: HostCount, value: 1}
  zonalConfig: {firstZoneMonitorDuration: 5s, monitorDuration: 2s, minimumHealthyHostsPerZone: {type: HostCount, value: 0}}
"
    .into()
}

/// A group of the hosts that have `tag`, with more lines of `spec` and of `spec.server`.
pub fn group(name: &str, config: &str, tag: &str, spec: &str, server: &str) -> String {
    group_of(name, config, spec, &format!("tagSets: [[{{key: {tag}, type: KeyOnly}}]]\n    {server}"))
}

/// A group of whichever hosts these lines of `spec.server` choose, with more lines of `spec`.
pub fn group_of(name: &str, config: &str, spec: &str, server: &str) -> String {
    format!(
        r"
apiVersion: sluice.dev/v1alpha1
kind: DeploymentGroup
metadata: {{name: {name}}}
spec:
  applicationRef: {{name: hello}}
  deploymentConfigName: {config}
  {spec}
  server:
    {server}
"
    )
}

/// A selector-less Service `hello` and a route to it.
pub fn service(host: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: hello}}
spec: {{ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: hello}}
spec:
  hostnames: ["{host}"]
  parentRefs: [{{name: sluice-demo, namespace: default, sectionName: production}}]
  rules: [{{backendRefs: [{{name: hello, port: 80}}]}}]
"#
    )
}

/// A Deployment of a bundle, with more lines of `spec`.
pub fn deployment(name: &str, group: &str, bundle: &Bundle, spec: &str) -> String {
    let Bundle { url, sha256 } = bundle;
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: Deployment
metadata: {{name: {name}}}
spec:
  deploymentGroupRef: {{name: {group}}}
  revision: {{http: {{url: "{url}", sha256: {sha256}}}}}
  {spec}
"#
    )
}

/// A Deployment of any revision.
pub fn deployment_of(name: &str, group: &str, revision: &serde_json::Value) -> String {
    format!(
        r"
apiVersion: sluice.dev/v1alpha1
kind: Deployment
metadata: {{name: {name}}}
spec: {{deploymentGroupRef: {{name: {group}}}, revision: {revision}}}
"
    )
}

/// A Deployment that runs what was last deployed again.
pub fn restart(name: &str, group: &str) -> String {
    format!(
        r"
apiVersion: sluice.dev/v1alpha1
kind: Deployment
metadata: {{name: {name}}}
spec: {{deploymentGroupRef: {{name: {group}}}, deploymentMode: Restart}}
"
    )
}
