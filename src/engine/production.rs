//! The production listener of a snapshot: which two sides share its traffic, and in which of its rules.
//!
//! Function and Service deployments move weights in the same way; what differs is said here.

use super::front;
use super::plan::{Act, SetWeights};
use super::scope::Scope;
use super::weights::{self, Pair};
use crate::api::deployment_status::Resolved;
use crate::engine::facts::{Facts, RouteFact};

/// What a shift moves, and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Production<'a> {
    /// The HTTPRoute, or the front Service.
    pub listener: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// True for a front Service whose selector is switched.
    pub is_service: bool,
    /// The two sides.
    pub pair: Pair<'a>,
    /// The rules that are concerned.
    pub scope: Scope<'a>,
    /// The task set whose endpoints count on the replacement's side; any endpoint does on the Function platform.
    pub task_set: Option<&'a str>,
}

impl<'a> Production<'a> {
    /// The production listener of `resolved`.
    pub fn of(resolved: &'a Resolved) -> Self {
        if let Some(service) = &resolved.service {
            let replacement = service.replacement.target_group.as_str();
            let original = service.original.as_ref().map_or(replacement, |o| o.target_group.as_str());
            let listener = &service.production;
            return Self {
                listener: &listener.name,
                uid: &listener.uid,
                is_service: listener.is_service,
                pair: Pair { original, replacement, keeps: true },
                scope: Scope::of_listener(listener),
                task_set: service.replacement.task_set.as_deref(),
            };
        }
        let Some(f) = &resolved.function else { return Self::default() };
        Self {
            listener: &f.route,
            uid: &f.route_uid,
            is_service: false,
            pair: Pair { original: &f.original, replacement: &f.replacement, keeps: false },
            scope: Scope::of(f),
            task_set: None,
        }
    }

    /// True if there is nothing to move: what is deployed serves already, or nothing served before.
    pub fn is_still(&self) -> bool {
        self.pair.original == self.pair.replacement
    }

    /// True if `uid` is the listener's; a rollback that found none takes the one that comes.
    pub fn has_uid(&self, uid: &str) -> bool {
        self.uid.is_empty() || self.uid == uid
    }

    /// `HTTPRoute web` or `Service web`.
    pub fn described(&self) -> String {
        format!("{} {}", if self.is_service { "Service" } else { "HTTPRoute" }, self.listener)
    }

    /// How somebody looks at it or edits it with kubectl.
    pub fn resource(&self) -> String {
        format!("{} {}", if self.is_service { "service" } else { "httproute" }, self.listener)
    }
}

impl Default for Production<'_> {
    fn default() -> Self {
        Self {
            listener: "",
            uid: "",
            is_service: false,
            pair: Pair { original: "", replacement: "", keeps: false },
            scope: Scope { rules: &[], count: 0, keys: &[] },
            task_set: None,
        }
    }
}

/// The act that gives the replacement `percent` of the pair's traffic, valid only on the listener as it was looked at.
pub fn give(facts: &Facts, resolved: &Resolved, route: &RouteFact, percent: i32) -> Option<Act> {
    let production = Production::of(resolved);
    if production.is_service {
        return front::switch(facts, resolved, percent);
    }
    let edits = weights::edits(route, production.pair, percent);
    let (route, uid, generation) = (route.name.clone(), route.uid.clone(), route.generation);
    Some(Act::SetWeights(SetWeights { route, uid, generation, edits }))
}
