//! A front Service in place of a route: its selector says which side has all the traffic.
//!
//! It is seen as a route with one rule, so that the shift looks after both in the same way. A Service has no generation
//! and nobody who says that it was taken; a switch counts from the moment at which it is seen.

use std::sync::Arc;

use jiff::Timestamp;

use super::facts::{BackendFact, Facts, GatewayFact, RouteFact, RuleFact, ServiceFact, Sighting};
use super::plan::{Act, PointService};
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::deployment_status::Resolved;

/// The front Service of a snapshot as a route; `None` if it is not there.
pub fn route(facts: &Facts, service: &ResolvedService) -> Option<Arc<RouteFact>> {
    let front = facts.services.get(&service.production.name).filter(|s| s.exists)?;
    let replacement = &service.replacement;
    let original = service.original.as_ref();
    let mut backends: Vec<BackendFact> = original.map(|side| backend(front, side)).into_iter().collect();
    backends.push(backend(front, replacement));
    Some(Arc::new(RouteFact {
        name: service.production.name.clone(),
        uid: front.uid.clone(),
        generation: 0,
        is_going: false,
        write_refused: None,
        rules: vec![RuleFact { backends, ..RuleFact::default() }],
        rules_are_lost: false,
        added: Default::default(),
        gateway: GatewayFact::Taken,
        sightings: vec![Sighting { generation: 0, time: Timestamp::UNIX_EPOCH }],
        refused_at: None,
    }))
}

fn backend(front: &ServiceFact, side: &ResolvedSide) -> BackendFact {
    let weight = if front.selector == side.selector { 100 } else { 0 };
    BackendFact { service: Some(side.target_group.clone()), weight, port: None }
}

/// The act that switches the front Service to the side that `percent` speaks of.
pub fn switch(facts: &Facts, resolved: &Resolved, percent: i32) -> Option<Act> {
    let service = resolved.service.as_deref()?;
    let front = facts.services.get(&service.production.name).filter(|s| s.exists)?;
    let side = if percent >= 100 { &service.replacement } else { service.original.as_ref()? };
    Some(Act::PointService(PointService {
        service: service.production.name.clone(),
        uid: front.uid.clone(),
        version: front.version.clone(),
        selector: side.selector.clone(),
        target_port: side.target_port.clone(),
        ports: front.ports.len(),
    }))
}
