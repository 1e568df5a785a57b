//! Who is measured: a controller with one way to bring in a new version.

use std::process::Command;

use kube::Client;

use super::{Times, argo, sluice};
use crate::process::Controller;
use crate::server::{CONTROLLER, Server, tool};
use crate::settings::Settings;

/// One column of the table.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Sluice.
    Sluice(Way),
    /// Argo Rollouts.
    Argo(Way, Limits),
}

/// How the new version gets its traffic.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// All at once, beside the old one.
    AtOnce,
    /// By weights, step by step.
    Steps,
}

/// The limits that a client sets for itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Limits {
    /// As the program has them.
    Default,
    /// So high that they do not hold anything up.
    Raised,
}

/// Everybody, in the order of the columns.
pub const ALL: [Contender; 6] = [
    Contender::Sluice(Way::AtOnce),
    Contender::Argo(Way::AtOnce, Limits::Default),
    Contender::Argo(Way::AtOnce, Limits::Raised),
    Contender::Sluice(Way::Steps),
    Contender::Argo(Way::Steps, Limits::Default),
    Contender::Argo(Way::Steps, Limits::Raised),
];

impl Contender {
    /// A column's head.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sluice(Way::AtOnce) => "Sluice, all at once",
            Self::Sluice(Way::Steps) => "Sluice, linear",
            Self::Argo(Way::AtOnce, Limits::Default) => "Argo Rollouts, blueGreen",
            Self::Argo(Way::AtOnce, Limits::Raised) => "Argo Rollouts, blueGreen, raised limits",
            Self::Argo(Way::Steps, Limits::Default) => "Argo Rollouts, canary",
            Self::Argo(Way::Steps, Limits::Raised) => "Argo Rollouts, canary, raised limits",
        }
    }

    /// How the new version gets its traffic.
    pub fn way(self) -> Way {
        match self {
            Self::Sluice(way) | Self::Argo(way, _) => way,
        }
    }

    /// The user that the audit log shows.
    pub fn user(self) -> &'static str {
        match self {
            Self::Sluice(_) => CONTROLLER,
            Self::Argo(..) => argo::USER,
        }
    }

    /// What carries the weights.
    pub fn weights_on(self) -> &'static str {
        match self {
            Self::Sluice(_) => "httproutes",
            Self::Argo(..) => "ingresses",
        }
    }

    /// Applies its definitions and rights.
    pub async fn install(self, server: &Server, client: &Client) {
        match self {
            Self::Sluice(_) => server.install(client).await,
            Self::Argo(..) => argo::install(server, client).await,
        }
    }

    /// Makes the services, with their first version.
    pub async fn create(self, client: &Client, settings: &Settings) {
        match self {
            Self::Sluice(way) => sluice::create(client, settings, way).await,
            Self::Argo(way, _) => argo::create(client, settings, way).await,
        }
    }

    /// Starts its program.
    pub async fn start(self, settings: &Settings, server: &Server, client: &Client) -> Controller {
        let Self::Argo(_, limits) = self else { return Controller::start(settings, server, client).await };
        let kubeconfig = server.kubeconfig_of(client, argo::NAMESPACE, argo::ACCOUNT).await;
        let mut command = Command::new(tool("argo-rollouts"));
        command.arg("--kubeconfig").arg(kubeconfig).args(["--leader-elect=false", "--loglevel=warn"]);
        if limits == Limits::Raised {
            command.args(["--qps=10000", "--burst=10000"]);
        }
        Controller::run(command.into(), server)
    }

    /// Waits until the first version serves everywhere.
    pub async fn settle_first(self, client: &Client, settings: &Settings) {
        match self {
            Self::Sluice(_) => sluice::settle_first(client, settings).await,
            Self::Argo(..) => drop(argo::settled(client, settings, 1).await),
        }
    }

    /// Asks for the second version everywhere, spread over one interval. Answers when.
    pub async fn update(self, client: &Client, settings: &Settings) -> Times {
        match self {
            Self::Sluice(_) => sluice::update(client, settings).await,
            Self::Argo(..) => argo::update(client, settings).await,
        }
    }

    /// Waits until the second version serves everywhere and the first is gone. Answers since when.
    pub async fn settle_second(self, client: &Client, settings: &Settings) -> Times {
        match self {
            Self::Sluice(_) => sluice::settle_second(client, settings).await,
            Self::Argo(..) => argo::settled(client, settings, 2).await,
        }
    }
}
