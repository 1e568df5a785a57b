//! An AppSpec of either kind: what it deploys, which hooks it names, what the reader has to say of it.

use crate::api::{ComputePlatform, EventName};
use crate::appspec::{self, FunctionEvent, FunctionSpec, ServiceEvent, ServiceSpec};

/// A parsed AppSpec of the group's platform.
pub enum Spec {
    /// Of a function.
    Function(FunctionSpec),
    /// Of a service.
    Service(ServiceSpec),
    /// Of a server: it lies in the bundle, and is read on the hosts.
    Bundle,
}

impl Spec {
    /// Reads an AppSpec as one of `platform`.
    ///
    /// Errors: it is none.
    pub fn read(platform: ComputePlatform, content: &str) -> Result<Self, appspec::Error> {
        match platform {
            ComputePlatform::Service => appspec::read_service(content.as_bytes()).map(Self::Service),
            _ => appspec::read_function(content.as_bytes()).map(Self::Function),
        }
    }

    /// What it deploys, in a few words.
    pub fn summary(&self) -> String {
        match self {
            Self::Function(f) => format!("{} version {}", f.name, f.target_version),
            Self::Service(s) => format!("PodTemplate {}", s.task_definition),
            Self::Bundle => String::new(),
        }
    }

    /// What the reader has to say of it.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Function(f) => &f.warnings,
            Self::Service(s) => &s.warnings,
            Self::Bundle => &[],
        }
    }

    /// The hooks that it names, by event.
    pub fn hooks(&self) -> Vec<(EventName, &str)> {
        match self {
            Self::Function(f) => f.hooks.iter().map(|h| (of_function(h.event), h.hook.as_str())).collect(),
            Self::Service(s) => s.hooks.iter().map(|h| (of_service(h.event), h.hook.as_str())).collect(),
            Self::Bundle => vec![],
        }
    }
}

fn of_function(event: FunctionEvent) -> EventName {
    match event {
        FunctionEvent::BeforeAllowTraffic => EventName::BeforeAllowTraffic,
        FunctionEvent::AfterAllowTraffic => EventName::AfterAllowTraffic,
    }
}

fn of_service(event: ServiceEvent) -> EventName {
    match event {
        ServiceEvent::BeforeInstall => EventName::BeforeInstall,
        ServiceEvent::AfterInstall => EventName::AfterInstall,
        ServiceEvent::AfterAllowTestTraffic => EventName::AfterAllowTestTraffic,
        ServiceEvent::BeforeAllowTraffic => EventName::BeforeAllowTraffic,
        ServiceEvent::AfterAllowTraffic => EventName::AfterAllowTraffic,
    }
}
