//! The canonical text of an AppSpec: takes what was read or swapped for a rollback, gives YAML that reads back
//! as the same.

use std::fmt::Write;

use super::function::FunctionSpec;
use super::service::{ServiceSpec, TARGET_SERVICE};

/// Writes a Function AppSpec; warnings are not part of the text.
///
/// The same spec always gives the same bytes, so their digest can stand for it.
pub fn write_function(spec: &FunctionSpec) -> String {
    let mut text = head(&quoted(&spec.logical_name), "Sluice::Function");
    line(&mut text, PROPERTY, "Name", &quoted(&spec.name));
    line(&mut text, PROPERTY, "Alias", &quoted(&spec.alias));
    if let Some(version) = &spec.current_version {
        line(&mut text, PROPERTY, "CurrentVersion", &quoted(version));
    }
    line(&mut text, PROPERTY, "TargetVersion", &quoted(&spec.target_version));
    add_hooks(&mut text, spec.hooks.iter().map(|hook| (hook.event.name(), &*hook.hook)));
    text
}

/// Writes a Service AppSpec; warnings are not part of the text.
///
/// The same spec always gives the same bytes, so their digest can stand for it.
pub fn write_service(spec: &ServiceSpec) -> String {
    let mut text = head(TARGET_SERVICE, "Sluice::Service");
    line(&mut text, PROPERTY, "TaskDefinition", &quoted(&spec.task_definition));
    line(&mut text, PROPERTY, "LoadBalancerInfo", "");
    line(&mut text, BALANCER, "ContainerName", &quoted(&spec.container_name));
    line(&mut text, BALANCER, "ContainerPort", &spec.container_port.to_string());
    add_hooks(&mut text, spec.hooks.iter().map(|hook| (hook.event.name(), &*hook.hook)));
    text
}

const ITEM: &str = "  - ";
const RESOURCE: &str = "      ";
const PROPERTY: &str = "        ";
const BALANCER: &str = "          ";

/// Everything down to `Properties`.
fn head(name: &str, kind: &str) -> String {
    let mut text = String::from("version: 0.0\nResources:\n");
    line(&mut text, ITEM, name, "");
    line(&mut text, RESOURCE, "Type", kind);
    line(&mut text, RESOURCE, "Properties", "");
    text
}

fn add_hooks<'s>(text: &mut String, hooks: impl Iterator<Item = (&'static str, &'s str)>) {
    let mut hooks = hooks.peekable();
    if hooks.peek().is_some() {
        line(text, "", "Hooks", "");
    }
    for (event, hook) in hooks {
        line(text, ITEM, event, &quoted(hook));
    }
}

fn line(text: &mut String, indent: &str, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}{key}:{}{value}", if value.is_empty() { "" } else { " " });
}

/// A YAML double-quoted scalar, the same on every reader whatever it takes for a number.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            other => {
                let _ = write!(out, "\\U{:08x}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FunctionEvent, HookRef, ServiceEvent, read_function, read_service};
    use super::*;

    const OBJECT: &str = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?([.][a-z0-9]{1,5}){0,2}";

    fn hooks<E: Copy>(events: &[E], names: Vec<Option<String>>) -> Vec<HookRef<E>> {
        let named = events.iter().zip(names);
        named.filter_map(|(event, hook)| hook.map(|hook| HookRef { event: *event, hook })).collect()
    }

    fn functions() -> impl Strategy<Value = FunctionSpec> {
        let version = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?";
        let hook = proptest::collection::vec(proptest::option::of(OBJECT), 2);
        let names = ("[^\\p{C}\\p{Z}<{}%$]{1,20}", "[a-z]([a-z0-9-]{0,20}[a-z0-9])?", "[A-Za-z0-9_-]{1,30}");
        (names, proptest::option::of(version), version, hook).prop_map(
            |((logical_name, name, alias), current_version, target_version, names)| FunctionSpec {
                logical_name,
                name,
                alias,
                current_version: current_version.filter(|current| *current != target_version),
                target_version,
                hooks: hooks(&FunctionEvent::ALL, names),
                warnings: Vec::new(),
            },
        )
    }

    fn services() -> impl Strategy<Value = ServiceSpec> {
        let hook = proptest::collection::vec(proptest::option::of(OBJECT), 5);
        (OBJECT, "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", 1..=u16::MAX, hook).prop_map(
            |(task_definition, container_name, container_port, names)| ServiceSpec {
                task_definition,
                container_name,
                container_port,
                hooks: hooks(&ServiceEvent::ALL, names),
                warnings: Vec::new(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same(spec in functions()) {
            let text = write_function(&spec);
            prop_assert_eq!(read_function(text.as_bytes()), Ok(spec), "{}", text);
        }

        #[test]
        fn a_service_that_is_written_reads_back_as_the_same(spec in services()) {
            let text = write_service(&spec);
            prop_assert_eq!(read_service(text.as_bytes()), Ok(spec), "{}", text);
        }
    }

    #[test]
    fn the_text_is_the_form_of_the_user_guide() {
        let spec = FunctionSpec {
            logical_name: "hello".into(),
            name: "hello".into(),
            alias: "live".into(),
            current_version: Some("1".into()),
            target_version: "2".into(),
            hooks: vec![HookRef { event: FunctionEvent::BeforeAllowTraffic, hook: "web-probe".into() }],
            warnings: vec!["not written".into()],
        };
        let text = concat!(
            "version: 0.0\n",
            "Resources:\n",
            "  - \"hello\":\n",
            "      Type: Sluice::Function\n",
            "      Properties:\n",
            "        Name: \"hello\"\n",
            "        Alias: \"live\"\n",
            "        CurrentVersion: \"1\"\n",
            "        TargetVersion: \"2\"\n",
            "Hooks:\n",
            "  - BeforeAllowTraffic: \"web-probe\"\n",
        );
        assert_eq!(write_function(&spec), text);
    }

    #[test]
    fn the_text_of_a_service_is_the_form_of_the_user_guide() {
        let spec = ServiceSpec {
            task_definition: "web-42".into(),
            container_name: "web".into(),
            container_port: 8080,
            hooks: vec![
                HookRef { event: ServiceEvent::BeforeInstall, hook: "migrate".into() },
                HookRef { event: ServiceEvent::AfterAllowTestTraffic, hook: "web-probe".into() },
            ],
            warnings: vec!["not written".into()],
        };
        let text = concat!(
            "version: 0.0\n",
            "Resources:\n",
            "  - TargetService:\n",
            "      Type: Sluice::Service\n",
            "      Properties:\n",
            "        TaskDefinition: \"web-42\"\n",
            "        LoadBalancerInfo:\n",
            "          ContainerName: \"web\"\n",
            "          ContainerPort: 8080\n",
            "Hooks:\n",
            "  - BeforeInstall: \"migrate\"\n",
            "  - AfterAllowTestTraffic: \"web-probe\"\n",
        );
        assert_eq!(write_service(&spec), text);
        assert!(!write_service(&ServiceSpec { hooks: vec![], ..spec }).contains("Hooks"));
    }
}
