//! The controller: arguments, telemetry, one call.
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use sluice::controller::{self, Settings};
use tracing_subscriber::{filter::Targets, fmt, prelude::*};

/// Deployments the CodeDeploy way, on any Kubernetes cluster: the controller.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The one namespace to look after; all of them if it is not given.
    #[arg(long, env = "WATCH_NAMESPACES", value_parser = controller::one_namespace)]
    watch_namespaces: Option<String>,
    /// Namespace of the Lease, and ours.
    #[arg(long, default_value = "default", env = "POD_NAMESPACE")]
    lease_namespace: String,
    /// Name of the Lease.
    #[arg(long, default_value = "sluice-controller")]
    lease_name: String,
    /// Who we are, in the Lease and in Events.
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// Our ServiceAccount's name, for sentences that say how to grant it something.
    #[arg(long, default_value = "sluice", env = "SERVICE_ACCOUNT")]
    service_account: String,
    /// Where probes and metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    address: SocketAddr,
    #[command(flatten)]
    egress: controller::EgressFlags,
    /// What is logged: levels by target, such as info or info,sluice=debug.
    #[arg(long, default_value = "info")]
    log_level: Targets,
    /// text or json.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let (logs, lines) = (tracing_subscriber::registry().with(args.log_level), fmt::layer().with_ansi(false));
    if args.log_format == "json" {
        logs.with(lines.json()).init()
    } else {
        logs.with(lines).init()
    }
    let settings = Settings {
        service_account: format!("{}:{}", args.lease_namespace, args.service_account),
        namespace: args.watch_namespaces,
        lease: (args.lease_namespace, args.lease_name),
        identity: args.identity,
        address: args.address,
        egress: args.egress,
    };
    let outcome = controller::run(settings).await.inspect_err(|error| tracing::error!(%error, "ending"));
    outcome.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
