//! Which addresses the controller may call for a revision's sake, by its flags.

use clap::Args;
use ipnet::IpNet;

use crate::remote::Egress;

/// Exceptions from the rule that link-local, metadata and loopback addresses are no sources.
#[derive(Args, Clone, Debug, Default)]
pub struct EgressFlags {
    /// Networks (such as 10.0.0.0/8) that sources of revisions may lie in, whatever they are.
    #[arg(long, env = "EGRESS_ALLOW", value_name = "CIDRS", value_delimiter = ',')]
    egress_allow: Vec<IpNet>,
    /// Networks that sources of revisions may not lie in; they come before those that may.
    #[arg(long, env = "EGRESS_REFUSE", value_name = "CIDRS", value_delimiter = ',')]
    egress_refuse: Vec<IpNet>,
}

impl EgressFlags {
    /// The policy.
    pub fn policy(&self) -> Egress {
        let (allowed, refused) = (self.egress_allow.clone(), self.egress_refuse.clone());
        Egress { allowed, refused, ..Egress::of_controller() }
    }
}
