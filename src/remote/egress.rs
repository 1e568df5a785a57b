//! Which addresses may be called. Pure: an address in, a verdict out; the connector asks it of every address that it is about
//! to connect to, so that neither a name nor a redirect leads around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The rules. What `refused` names is refused, then what `allowed` names is allowed, then the rest goes by its kind:
/// link-local, multicast, reserved addresses and the clouds' metadata services are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// True lets programs of the same machine be called.
    pub loopback: bool,
    /// Networks that are allowed whatever they are.
    pub allowed: Vec<IpNet>,
    /// Networks that are refused whatever they are.
    pub refused: Vec<IpNet>,
}

/// An address that may not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}")]
pub struct Refused {
    /// Which one.
    pub address: IpAddr,
    /// What it is.
    pub what: &'static str,
}

/// Metadata services that are not link-local: of Alibaba, Oracle, Azure's host, AWS over IPv6, Google over IPv6.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl Egress {
    /// For programs on hosts: stores on the same machine and in private networks may be called.
    pub fn of_hosts() -> Self {
        Self { loopback: true, allowed: vec![], refused: vec![] }
    }

    /// For the controller: on its machine nothing is anybody's store.
    pub fn of_controller() -> Self {
        Self { loopback: false, ..Self::of_hosts() }
    }

    /// Whether `address` may be called.
    ///
    /// Errors: what it is that may not.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let refuse = |what| Err(Refused { address, what });
        let inner = embedded(address);
        let is_in = |nets: &[IpNet]| nets.iter().any(|n| n.contains(&address) || n.contains(&inner));
        if is_in(&self.refused) {
            return refuse("in a network that the egress policy names");
        }
        if is_in(&self.allowed) {
            return Ok(());
        }
        match kind(inner) {
            Some("a loopback address") if self.loopback => Ok(()),
            Some(what) => refuse(what),
            None => Ok(()),
        }
    }
}

/// What an address is that is no ordinary one.
fn kind(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("a metadata address");
    }
    // To connect to the unspecified address is to connect to this machine.
    if address.is_loopback() || address.is_unspecified() {
        return Some("a loopback address");
    }
    if address.is_multicast() {
        return Some("a multicast address");
    }
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address, where metadata services live"),
        // 0.0.0.0/8 is "this network", 240.0.0.0/4 is reserved and ends with the broadcast address.
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => Some("a reserved address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        // Site-local, deprecated: it means something else on every link.
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0 => Some("a link-local address"),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64, 6to4.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(egress: &Egress, address: &str) -> Option<&'static str> {
        egress.check(address.parse().unwrap()).err().map(|r| r.what)
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_dress() {
        let egress = Egress::of_hosts();
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "ff02::1",
            "fec0::1",
            "0.1.2.3",
        ] {
            assert!(what(&egress, address).is_some(), "{address}");
        }
    }

    #[test]
    fn ordinary_and_private_addresses_are_allowed() {
        for address in
            ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "1.1.1.1", "fd12::1", "2606:4700::1111"]
        {
            assert_eq!(what(&Egress::of_hosts(), address), None, "{address}");
            assert_eq!(what(&Egress::of_controller(), address), None, "{address}");
        }
    }

    #[test]
    fn loopback_is_the_hosts_and_not_the_controllers() {
        for address in
            ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
        {
            assert_eq!(what(&Egress::of_hosts(), address), None, "{address}");
            assert!(what(&Egress::of_controller(), address).is_some(), "{address}");
        }
    }

    #[test]
    fn named_networks_come_first_and_refusals_before_allowances() {
        let nets = |text: &str| vec![text.parse().unwrap()];
        let egress = Egress {
            allowed: nets("169.254.0.0/16"),
            refused: nets("169.254.169.254/32"),
            ..Egress::of_controller()
        };
        assert_eq!(what(&egress, "169.254.1.1"), None);
        assert!(what(&egress, "169.254.169.254").is_some());
        assert!(what(&egress, "::ffff:169.254.169.254").is_some());
    }
}
