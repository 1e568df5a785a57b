//! The AppSpec of the Service platform (CodeDeploy's ECS): takes bytes, gives the pod template that the
//! replacement side runs, the container and port that get the traffic, and the hooks around that.

use super::error::Error;
use super::hooks::{HookRef, hooks_of};
use super::names;
use super::platform::{Platform, SERVICE_TYPES};
use super::resource::{Layout, Opened, open};
use super::section::{AwsKey, Keys, Section, Warnings};
use super::spelling::shown;
use super::tree::{Limits, Node, parse};

/// What a Service AppSpec says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Name of a core/v1 PodTemplate in the deployment's namespace.
    pub task_definition: String,
    /// The container of that template that gets the traffic.
    pub container_name: String,
    /// The port that this container listens on, at least 1.
    pub container_port: u16,
    /// At most one hook for an event, in the order in which the events happen.
    pub hooks: Vec<HookRef<ServiceEvent>>,
    /// What was ignored, one sentence each with its line.
    pub warnings: Vec<String>,
}

/// The lifecycle events of a Service deployment that can have a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceEvent {
    /// Before the replacement side is created.
    BeforeInstall,
    /// After it is there, before it gets test traffic.
    AfterInstall,
    /// After the test listener serves it.
    AfterAllowTestTraffic,
    /// Before any production traffic moves.
    BeforeAllowTraffic,
    /// After all of it has moved.
    AfterAllowTraffic,
}

impl ServiceEvent {
    /// The events in their order.
    pub const ALL: [Self; 5] = [
        Self::BeforeInstall,
        Self::AfterInstall,
        Self::AfterAllowTestTraffic,
        Self::BeforeAllowTraffic,
        Self::AfterAllowTraffic,
    ];

    /// The event's name in an AppSpec.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeInstall => "BeforeInstall",
            Self::AfterInstall => "AfterInstall",
            Self::AfterAllowTestTraffic => "AfterAllowTestTraffic",
            Self::BeforeAllowTraffic => "BeforeAllowTraffic",
            Self::AfterAllowTraffic => "AfterAllowTraffic",
        }
    }
}

/// The key of the one entry of `Resources`.
pub(super) const TARGET_SERVICE: &str = "TargetService";

const LAYOUT: Layout = Layout {
    platform: Platform::Service,
    moved: "service",
    entry: TARGET_SERVICE,
    types: SERVICE_TYPES,
    needed: "TaskDefinition and LoadBalancerInfo",
    top: Keys {
        known: &["version", "Resources", "Hooks"],
        elsewhere: &[
            ("BeforeInstall", "Hooks"),
            ("AfterInstall", "Hooks"),
            ("AfterAllowTestTraffic", "Hooks"),
            ("BeforeAllowTraffic", "Hooks"),
            ("AfterAllowTraffic", "Hooks"),
            (TARGET_SERVICE, "Resources"),
            ("Type", "TargetService in Resources"),
            ("Properties", "TargetService in Resources"),
        ],
        instead: &[],
        only_on_aws: &[],
    },
    resource: Keys {
        known: &["Type", "Properties"],
        elsewhere: &[("TaskDefinition", "Properties"), ("LoadBalancerInfo", "Properties")],
        instead: &[],
        only_on_aws: &ONLY_ON_AWS,
    },
    properties: Keys {
        known: &["TaskDefinition", "LoadBalancerInfo"],
        elsewhere: &[
            ("ContainerName", "LoadBalancerInfo"),
            ("ContainerPort", "LoadBalancerInfo"),
            ("BeforeInstall", "Hooks"),
            ("AfterInstall", "Hooks"),
            ("AfterAllowTestTraffic", "Hooks"),
            ("BeforeAllowTraffic", "Hooks"),
            ("AfterAllowTraffic", "Hooks"),
        ],
        instead: &[],
        only_on_aws: &ONLY_ON_AWS,
    },
};
const LOAD_BALANCER: Keys = Keys {
    known: &["ContainerName", "ContainerPort"],
    elsewhere: &[("TaskDefinition", "Properties")],
    instead: &[],
    only_on_aws: &ONLY_ON_AWS,
};
/// CodeDeploy takes a network configuration with all its three fields or none, and none keeps what the
/// service has. So one without any value asks for nothing and passes.
const ONLY_ON_AWS: [AwsKey; 3] = [
    AwsKey {
        name: "PlatformVersion",
        harmless: Some("LATEST"),
        instead: "remove it (LATEST may stay); a nodeSelector in the PodTemplate chooses the nodes",
    },
    AwsKey {
        name: "NetworkConfiguration",
        harmless: None,
        instead: "remove it; NetworkPolicies say who may talk to the pods, the PodTemplate has the rest",
    },
    AwsKey {
        name: "CapacityProviderStrategy",
        harmless: None,
        instead: "remove it; node affinity and a priorityClassName in the PodTemplate choose the nodes",
    },
];

/// Reads the AppSpec of a Service deployment within the default [`Limits`].
///
/// Takes YAML or JSON, keys in any case, `Resources` and `Hooks` as a list of one-entry maps or as a map, and
/// the port as a number or a text. Whether the PodTemplate has that container and port is not known here.
///
/// # Errors
/// For anything that could not be deployed as it stands; see [`Error`]. All are `InvalidRevision`.
pub fn read_service(bytes: &[u8]) -> Result<ServiceSpec, Error> {
    read_service_within(bytes, &Limits::default())
}

/// [`read_service`] with limits of one's own.
///
/// # Errors
/// Those of [`read_service`].
pub fn read_service_within(bytes: &[u8], limits: &Limits) -> Result<ServiceSpec, Error> {
    let mut warnings = Warnings::default();
    let spec = read(&parse(bytes, limits)?, &mut warnings)?;
    Ok(ServiceSpec { warnings: warnings.to_sentences(), ..spec })
}

/// What the tree says, without its warnings.
pub(super) fn read(root: &Node, warnings: &mut Warnings) -> Result<ServiceSpec, Error> {
    let Opened { top, name, at, properties } = open(root, &LAYOUT, warnings)?;
    if !name.eq_ignore_ascii_case(TARGET_SERVICE) {
        warnings.add(
            at,
            format!("{} in Resources is taken for {TARGET_SERVICE}, as CodeDeploy calls it", shown(name)),
        );
    }
    let task_definition = properties.required(
        "TaskDefinition",
        "write the name of a PodTemplate",
        names::check_pod_template,
    )?;
    let balancer = load_balancer(&properties, warnings)?;
    let events = ServiceEvent::ALL.map(|event| (event, event.name()));
    Ok(ServiceSpec {
        task_definition: task_definition.into(),
        container_name: balancer
            .required("ContainerName", "write the container's name", names::check_container)?
            .into(),
        container_port: balancer
            .read("ContainerPort", port)?
            .ok_or_else(|| balancer.missing("ContainerPort", "write the container's port, like 8080"))?,
        hooks: hooks_of(&top, Platform::Service, &events, warnings)?,
        warnings: Vec::new(),
    })
}

fn load_balancer<'n>(properties: &Section<'n>, warnings: &mut Warnings) -> Result<Section<'n>, Error> {
    let key = "LoadBalancerInfo";
    let cure = "it holds ContainerName and ContainerPort";
    let node = properties.get(key).ok_or_else(|| properties.missing(key, cure))?;
    Section::open(node, &properties.named(key), &LOAD_BALANCER, warnings)
}

/// A port in decimal digits; a leading zero would be octal to some readers of YAML.
fn port(text: &str) -> Result<u16, String> {
    let cure = "write a number from 1 to 65535";
    names::check_rendered(text, cure)?;
    let is_decimal = text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0');
    let port = text.parse().ok().filter(|_| is_decimal);
    port.ok_or_else(|| format!("is {}, which is no port: {cure}", shown(text)))
}

#[cfg(test)]
mod tests;
