//! The flags of `register` and `deregister`: a host's name, what is known of it, and the file for its agent.

use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use crate::cli::words;

/// An Instance by name, as a word or as `--instance-name`.
#[derive(Clone, Debug, Args)]
pub struct InstanceName {
    /// Name of the Instance
    #[arg(value_name = "NAME", required_unless_present = "instance_name")]
    name: Option<String>,
    /// The same as NAME
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    instance_name: Option<String>,
}

impl InstanceName {
    /// The name; clap has seen to it that there is one.
    pub fn name(&self) -> &str {
        self.name.as_deref().or(self.instance_name.as_deref()).unwrap_or_default()
    }
}

/// `register`
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The file for the agent goes to standard output, or to --config-file with mode 0600. It holds a
token: treat it as a password. Registering a host again changes nothing but what the flags say, and gives a
new token.

Examples:
  kubectl sluice register web-7 --tag env=prod --tag web --address 10.0.0.7 --zone eu-1a > web-7.yaml
  kubectl sluice register web-7 --server https://203.0.113.7:6443 --config-file web-7.yaml"
)]
pub struct Register {
    /// Which host
    #[command(flatten)]
    pub instance: InstanceName,
    /// A tag, by which groups choose their hosts; may be said several times
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = words::tag)]
    pub tag: Vec<(String, String)>,
    /// IP address to which a group's load balancer sends traffic
    #[arg(long, value_name = "IP")]
    pub address: Option<String>,
    /// Zone that it stands in
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Fleet that it belongs to
    #[arg(long, value_name = "FLEET")]
    pub fleet: Option<String>,
    /// URL of the API server as the host reaches it; the default is the kubeconfig's
    #[arg(long, value_name = "URL", value_parser = words::server_url)]
    pub server: Option<String>,
    /// How long the token is good, at least 10m; the agent renews it by itself before it ends
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = words::token_duration)]
    pub token_duration: SignedDuration,
    /// Write the agent's file there, readable by its owner alone, and not to standard output
    #[arg(long, value_name = "PATH")]
    pub config_file: Option<PathBuf>,
}

/// `deregister`
#[derive(Clone, Debug, Args)]
pub struct Deregister {
    /// Which host
    #[command(flatten)]
    pub instance: InstanceName,
    /// A host that is not there is no error
    #[arg(long)]
    pub ignore_not_found: bool,
}
