//! The EndpointSlices of a group's Service: which hosts belong in them, and what must be written so that they stand there.
//!
//! Hosts keep their places, so that a change of one host is a write of one slice.

use std::collections::BTreeMap;

use super::facts::{Endpoint, PortFact, SliceFact};
use super::host::HostFact;
use super::progress::{Place, place};
use crate::engine::draft::key;

/// Endpoints in one slice (Kubernetes' own default).
const PER_SLICE: usize = 100;

/// A slice to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSlice {
    /// The Service.
    pub service: String,
    /// The uid of the group whose it is; empty lets it go.
    pub group_uid: String,
    /// The slice's name.
    pub name: String,
    /// The slice that was looked at; `None` makes a new one.
    pub seen: Option<Seen>,
    /// True for IPv6.
    pub is_v6: bool,
    /// The ports.
    pub ports: Vec<PortFact>,
    /// The endpoints; none of them deletes the slice.
    pub endpoints: Vec<Endpoint>,
}

/// A slice as it was looked at: a later version makes the write void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
}

/// The endpoint that a host is to have, if any.
pub fn wanted(host: &HostFact, group: &str) -> Option<Endpoint> {
    let is_ready = match place(host.entry(group)) {
        Place::In => true,
        Place::Draining => false,
        Place::Out => return None,
    };
    let address = host.address.clone()?;
    let (uid, zone) = (host.uid.clone(), host.zone.clone());
    Some(Endpoint { host: host.name.clone(), uid, address, zone, is_ready })
}

/// The endpoint of a host that gets traffic and was never the group's to deploy to: the group has taken over a Service that was
/// left standing. It serves on until its turn comes.
pub fn adopted(host: &HostFact, group: &str, service: &str, slices: &[SliceFact]) -> Option<Endpoint> {
    let mut listed = slices.iter().filter(|s| s.service == service).flat_map(|s| &s.endpoints);
    let serves = listed.any(|e| e.host == host.name && e.uid == host.uid && e.is_ready);
    let address = host.address.clone().filter(|_| serves && host.entry(group).is_none())?;
    let (uid, zone) = (host.uid.clone(), host.zone.clone());
    Some(Endpoint { host: host.name.clone(), uid, address, zone, is_ready: true })
}

/// Whose endpoints they are.
#[derive(Copy, Clone, Debug)]
pub struct Form<'a> {
    /// The Service.
    pub service: &'a str,
    /// The group's uid.
    pub group_uid: &'a str,
    /// The ports.
    pub ports: &'a [PortFact],
}

impl Form<'_> {
    fn set(&self, slice: &SliceFact, endpoints: Vec<Endpoint>) -> SetSlice {
        let seen = Some(Seen { uid: slice.uid.clone(), version: slice.version.clone() });
        SetSlice { name: slice.name.clone(), seen, ..self.make(String::new(), slice.is_v6, endpoints) }
    }

    fn make(&self, name: String, is_v6: bool, endpoints: Vec<Endpoint>) -> SetSlice {
        SetSlice {
            service: self.service.into(),
            group_uid: self.group_uid.into(),
            name,
            seen: None,
            is_v6,
            ports: self.ports.to_vec(),
            endpoints,
        }
    }

    /// Deletes a slice.
    pub fn delete(&self, slice: &SliceFact) -> SetSlice {
        self.set(slice, vec![])
    }

    /// Lets go of a slice: it stays as it is, and is nobody's.
    pub fn let_go(&self, slice: &SliceFact) -> SetSlice {
        let mut set = self.set(slice, slice.endpoints.clone());
        (set.ports, set.group_uid) = (slice.ports.clone(), String::new());
        set
    }

    /// The first names that no slice has: the same for every believer.
    fn names<'s>(&'s self, slices: &'s [SliceFact]) -> impl Iterator<Item = String> + 's {
        let stem = self.service.get(..50).unwrap_or(self.service).trim_end_matches('-');
        let name =
            move |n: usize| format!("{stem}-{}", key(&[self.group_uid, self.service, &n.to_string()], 8));
        (0..).map(name).filter(|name| slices.iter().all(|s| s.name != *name))
    }
}

/// The writes that bring the slices to `wanted`; slices of another Service go.
pub fn plan(form: Form<'_>, wanted: Vec<Endpoint>, slices: &[SliceFact]) -> Vec<SetSlice> {
    let mut wanted: BTreeMap<String, Endpoint> = wanted.into_iter().map(|e| (e.host.clone(), e)).collect();
    let is_own = |slice: &SliceFact| slice.service == form.service;
    let mut after: Vec<Vec<Endpoint>> =
        slices.iter().map(|s| if is_own(s) { keep(s, &mut wanted) } else { vec![] }).collect();
    let mut made: Vec<(bool, Vec<Endpoint>)> = vec![];
    for endpoint in wanted.into_values() {
        let is_v6 = is_v6(&endpoint.address);
        let mut known = slices.iter().zip(&mut after);
        let known = known.find(|(s, e)| is_own(s) && s.is_v6 == is_v6 && e.len() < PER_SLICE);
        if let Some((_, endpoints)) = known {
            endpoints.push(endpoint);
            continue;
        }
        match made.iter_mut().find(|(v6, e)| *v6 == is_v6 && e.len() < PER_SLICE) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => made.push((is_v6, vec![endpoint])),
        }
    }
    let changed = slices.iter().zip(after);
    let is_changed = |s: &SliceFact, e: &[Endpoint]| {
        s.endpoints != *e || s.ports != form.ports || s.group_uid != form.group_uid || e.is_empty()
    };
    let changed = changed.filter(|(s, e)| is_changed(s, e));
    let changed = changed.map(|(slice, endpoints)| form.set(slice, endpoints));
    let made = made.into_iter().zip(form.names(slices));
    changed.chain(made.map(|((is_v6, endpoints), name)| form.make(name, is_v6, endpoints))).collect()
}

/// What stays of a slice: its hosts that are still wanted there, as they are wanted now.
fn keep(slice: &SliceFact, wanted: &mut BTreeMap<String, Endpoint>) -> Vec<Endpoint> {
    let mut kept = vec![];
    for old in &slice.endpoints {
        let fits = |e: &Endpoint| is_v6(&e.address) == slice.is_v6;
        if wanted.get(&old.host).is_some_and(fits) {
            kept.extend(wanted.remove(&old.host));
        }
    }
    kept
}

fn is_v6(address: &str) -> bool {
    address.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: usize, is_ready: bool) -> Endpoint {
        Endpoint {
            host: format!("web-{host:03}"),
            uid: format!("u{host}"),
            address: format!("10.0.{}.{}", host / 250, host % 250 + 1),
            zone: String::new(),
            is_ready,
        }
    }

    fn ports() -> Vec<PortFact> {
        vec![PortFact { name: "http".into(), protocol: "TCP".into(), app_protocol: None, port: 8080 }]
    }

    fn plan(wanted: Vec<Endpoint>, slices: &[SliceFact]) -> Vec<SetSlice> {
        let ports = ports();
        super::plan(Form { service: "web", group_uid: "g", ports: &ports }, wanted, slices)
    }

    /// The slices after a write.
    fn written(before: &[SliceFact], sets: Vec<SetSlice>) -> Vec<SliceFact> {
        let mut after = before.to_vec();
        for set in sets {
            let place = after.iter().position(|s| s.name == set.name);
            assert_eq!(place.is_some(), set.seen.is_some());
            let slice = SliceFact {
                uid: set.name.clone(),
                name: set.name,
                version: "1".into(),
                group_uid: set.group_uid,
                service: set.service,
                is_v6: set.is_v6,
                ports: set.ports,
                endpoints: set.endpoints,
            };
            match place {
                Some(place) if slice.endpoints.is_empty() => drop(after.remove(place)),
                Some(place) => after[place] = slice,
                None => after.push(slice),
            }
        }
        after
    }

    #[test]
    fn one_hosts_change_is_a_write_of_one_slice_and_at_rest_nothing_is_written() {
        let all: Vec<_> = (0..250).map(|n| endpoint(n, true)).collect();
        let sets = plan(all.clone(), &[]);
        assert_eq!(sets.iter().map(|s| s.endpoints.len()).collect::<Vec<_>>(), [100, 100, 50]);
        let slices = written(&[], sets);
        assert!(plan(all.clone(), &slices).is_empty());
        let mut drained = all.clone();
        drained[120].is_ready = false;
        let sets = plan(drained, &slices);
        assert_eq!(sets.iter().map(|s| &s.name).collect::<Vec<_>>(), [&slices[1].name]);
        let mut fewer = all;
        fewer.remove(120);
        let slices = written(&slices, plan(fewer.clone(), &slices));
        assert_eq!(slices[1].endpoints.len(), 99);
        fewer.push(endpoint(400, true));
        let sets = plan(fewer, &slices);
        assert_eq!((sets.len(), sets[0].endpoints.len()), (1, 100), "it takes the free place");
    }

    #[test]
    fn address_families_do_not_mix_and_an_empty_slice_goes() {
        let v6 = Endpoint { address: "fd00::7".into(), ..endpoint(1, true) };
        let slices = written(&[], plan(vec![endpoint(0, true), v6.clone()], &[]));
        assert_eq!(slices.iter().map(|s| s.is_v6).collect::<Vec<_>>(), [false, true]);
        let moved = Endpoint { address: "10.0.0.9".into(), ..v6 };
        let slices = written(&slices, plan(vec![endpoint(0, true), moved], &slices));
        assert_eq!((slices.len(), slices[0].endpoints.len()), (1, 2));
        assert!(written(&slices, plan(vec![], &slices)).is_empty());
    }
}
