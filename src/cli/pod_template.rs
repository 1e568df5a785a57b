//! What `create-deployment --task-definition` reads of a PodTemplate: its containers and their ports, so that flags may leave
//! out what there is only one of. Pure.

use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Deserialize;

use super::args::ServiceShortcut;
use super::error::Error;

/// The few fields of a PodTemplate that are read.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::core::v1::PodTemplate)]
pub struct PodTemplate {
    metadata: ObjectMeta,
    #[serde(default)]
    template: Template,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: Pod,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Pod {
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    ports: Vec<Port>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    container_port: u16,
    protocol: Option<String>,
}

/// The container and the port that the flags name, or that are the only ones.
///
/// # Errors
/// Says which there are to choose from.
pub fn served_port(template: &PodTemplate, flags: &ServiceShortcut) -> Result<(String, u16), Error> {
    let name = template.name_any();
    let container = container(&name, &template.template.spec.containers, flags.container.as_deref())?;
    let port = match flags.container_port {
        Some(port) => port,
        None => port(&name, container)?,
    };
    Ok((container.name.clone(), port))
}

fn container<'a>(
    template: &str,
    containers: &'a [Container],
    wanted: Option<&str>,
) -> Result<&'a Container, Error> {
    let names = || containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, containers) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Error::Usage(format!(
            "PodTemplate \"{template}\" has the containers {}: say --container",
            names()
        ))),
        (Some(wanted), _) => containers.iter().find(|c| c.name == wanted).ok_or_else(|| {
            let message = format!("PodTemplate \"{template}\" has no container {wanted}, it has {}", names());
            Error::Usage(message)
        }),
    }
}

fn port(template: &str, container: &Container) -> Result<u16, Error> {
    let ports = container.ports.iter().filter(|p| p.protocol.as_deref().is_none_or(|p| p == "TCP"));
    let ports: Vec<u16> = ports.map(|p| p.container_port).collect();
    let who = format!("container {} of PodTemplate \"{template}\"", container.name);
    match ports.as_slice() {
        [only] => Ok(*only),
        [] => Err(Error::Usage(format!("{who} names no port: add the one that it listens on to its ports"))),
        ports => {
            let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            Err(Error::Usage(format!("{who} has the ports {ports}: say --container-port")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn template(containers: &Value) -> PodTemplate {
        let template = json!({"spec": {"containers": containers}});
        serde_json::from_value(json!({"metadata": {"name": "web-42"}, "template": template})).unwrap()
    }

    fn flags(container: Option<&str>, container_port: Option<u16>) -> ServiceShortcut {
        ServiceShortcut { container: container.map(Into::into), container_port, ..ServiceShortcut::default() }
    }

    #[test]
    fn container_and_port_are_assumed_only_where_there_is_one() {
        let web = json!({"name": "web", "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]});
        let proxy = json!({"name": "proxy", "ports": [{"containerPort": 1}, {"containerPort": 2}]});
        let one = template(&json!([web]));
        assert_eq!(served_port(&one, &flags(None, None)).unwrap(), ("web".into(), 8080));
        let all = template(&json!([web, proxy, {"name": "bare"}]));
        assert_eq!(served_port(&all, &flags(Some("web"), None)).unwrap(), ("web".into(), 8080));
        assert_eq!(served_port(&all, &flags(Some("bare"), Some(9))).unwrap(), ("bare".into(), 9));
        let said = |container| served_port(&all, &flags(container, None)).unwrap_err().to_string();
        insta::assert_snapshot!(said(None), @r#"PodTemplate "web-42" has the containers web, proxy, bare: say --container"#);
        insta::assert_snapshot!(said(Some("api")), @r#"PodTemplate "web-42" has no container api, it has web, proxy, bare"#);
        insta::assert_snapshot!(said(Some("proxy")), @r#"container proxy of PodTemplate "web-42" has the ports 1, 2: say --container-port"#);
        insta::assert_snapshot!(said(Some("bare")), @r#"container bare of PodTemplate "web-42" names no port: add the one that it listens on to its ports"#);
    }
}
