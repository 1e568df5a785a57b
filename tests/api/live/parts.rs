//! The objects that a world is made of.

use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

/// How a kind is asked for.
pub fn resource(kind: &str) -> ApiResource {
    let (group, version, plural) = match kind {
        "ConfigMap" => ("", "v1", "configmaps"),
        "Namespace" => ("", "v1", "namespaces"),
        "Secret" => ("", "v1", "secrets"),
        "PodTemplate" => ("", "v1", "podtemplates"),
        "ReplicaSet" => ("apps", "v1", "replicasets"),
        "Service" => ("", "v1", "services"),
        "Job" => ("batch", "v1", "jobs"),
        "Lease" => ("coordination.k8s.io", "v1", "leases"),
        "Role" => ("rbac.authorization.k8s.io", "v1", "roles"),
        "RoleBinding" => ("rbac.authorization.k8s.io", "v1", "rolebindings"),
        "EndpointSlice" => ("discovery.k8s.io", "v1", "endpointslices"),
        "Event" => ("events.k8s.io", "v1", "events"),
        "HTTPRoute" => ("gateway.networking.k8s.io", "v1", "httproutes"),
        "ValidatingAdmissionPolicyBinding" => {
            ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings")
        }
        "Application" => ("sluice.dev", "v1alpha1", "applications"),
        "Deployment" => ("sluice.dev", "v1alpha1", "deployments"),
        "DeploymentConfig" => ("sluice.dev", "v1alpha1", "deploymentconfigs"),
        "Instance" => ("sluice.dev", "v1alpha1", "instances"),
        "DeploymentGroup" => ("sluice.dev", "v1alpha1", "deploymentgroups"),
        "LifecycleHook" => ("sluice.dev", "v1alpha1", "lifecyclehooks"),
        _ => panic!("{kind} has no place here"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// A manifest with a spec.
pub fn manifest(kind: &str, name: &str, spec: Value) -> Value {
    let api_version = resource(kind).api_version;
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub fn application(name: &str, platform: &str) -> Value {
    manifest("Application", name, json!({"computePlatform": platform}))
}

/// A group of the application of its own name, whose alias `live` is the route of its own name; `more` goes into its spec.
pub fn group(name: &str, more: Value) -> Value {
    let aliases = json!([{"name": "live", "httpRoute": {"name": name}}]);
    let mut spec = json!({"applicationRef": {"name": name}, "function": {"aliases": aliases}});
    put(&mut spec, more);
    manifest("DeploymentGroup", name, spec)
}

/// A deployment of that group; `more` goes into its spec.
pub fn deployment(name: &str, group: &str, revision: Value, more: Value) -> Value {
    let mut spec = json!({"deploymentGroupRef": {"name": group}, "revision": revision});
    put(&mut spec, more);
    manifest("Deployment", name, spec)
}

fn put(spec: &mut Value, more: Value) {
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
}

/// A configuration; `interval` as Go writes it.
pub fn linear(name: &str, percentage: i32, interval: &str) -> Value {
    let linear = json!({"percentage": percentage, "interval": interval});
    let routing = json!({"type": "TimeBasedLinear", "linear": linear});
    manifest("DeploymentConfig", name, json!({"computePlatform": "Function", "trafficRouting": routing}))
}

/// The AppSpec that brings a function to `target`.
pub fn app_spec(function: &str, target: &str, hooks: &[(&str, &str)]) -> String {
    let properties = json!({"Name": function, "Alias": "live", "TargetVersion": target});
    let hooks: Vec<_> = hooks.iter().map(|(event, hook)| json!({*event: hook})).collect();
    let function = json!({function: {"Type": "Sluice::Function", "Properties": properties}});
    json!({"version": 0.0, "Resources": [function], "Hooks": hooks}).to_string()
}

/// It as a revision.
pub fn revision(function: &str, target: &str, hooks: &[(&str, &str)]) -> Value {
    json!({"appSpecContent": {"content": app_spec(function, target, hooks)}})
}

pub fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

pub fn service(name: &str, port: i32) -> Value {
    manifest("Service", name, json!({"ports": [{"port": port}]}))
}

/// One ready endpoint of a Service.
pub fn endpoints(service: &str) -> Value {
    let labels = json!({"kubernetes.io/service-name": service});
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": service, "labels": labels},
        "addressType": "IPv4", "ports": [{"port": 8080}],
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": true}}],
    })
}

/// A route that sends everything to the first version, with things that must stay as they are.
pub fn route(name: &str) -> Value {
    let headers = json!({"set": [{"name": "x-count", "value": "0"}]});
    let filter = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": headers});
    let rule = json!({
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [filter],
        "backendRefs": [{"name": format!("{name}-1"), "port": 80, "weight": 1}],
    });
    manifest(
        "HTTPRoute",
        name,
        json!({"parentRefs": [{"name": "gateway"}], "hostnames": [format!("{name}.test")], "rules": [rule]}),
    )
}

/// A hook that is a Job.
pub fn job_hook(name: &str, image: &str) -> Value {
    let pod = json!({"containers": [{"name": "check", "image": image}], "restartPolicy": "Never"});
    manifest("LifecycleHook", name, json!({"job": {"template": {"spec": {"template": {"spec": pod}}}}}))
}

/// A hook that is a call.
pub fn http_hook(name: &str, url: &str, secret: Option<&str>) -> Value {
    let mut http = json!({"url": url});
    if let Some(secret) = secret {
        http["headersFrom"] = json!({"secretRef": {"name": secret}});
    }
    manifest("LifecycleHook", name, json!({"http": http}))
}
