//! What the API server's log has of a course: who asked for what, and how often one Instance was written.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::SignedDuration;

use crate::audit::{Request, Window, requests};
use crate::server::CONTROLLER;

/// Whose request one is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An agent's.
    Agent,
    /// The controller's.
    Controller,
    /// The bench's, or the API server's own.
    Other,
}

/// The counts of a course.
#[derive(Default)]
pub struct Tally {
    /// Requests that were granted, by who, verb and resource.
    pub granted: BTreeMap<(Who, String), usize>,
    /// Those that were not, by who, verb, resource and code.
    pub refused: BTreeMap<(Who, String), usize>,
    /// The most writes that one Instance and its status had.
    pub most_of_one_host: usize,
    /// Writes of Instances and their statuses.
    pub of_instances: usize,
    /// Writes of anything else but Leases.
    pub of_others: usize,
    /// Writes of Leases: heartbeats, and the leader's own.
    pub of_leases: usize,
    /// What all these writes but Leases took inside the API server, one added to the other.
    pub inside: SignedDuration,
    reads: usize,
}

impl Tally {
    /// Reads the log.
    pub fn of(path: &Path, window: Window) -> Self {
        let mut tally = Self::default();
        let mut by_host: HashMap<(String, String), usize> = HashMap::new();
        for request in requests(path).filter(|r| window.holds(r)) {
            let who = who(&request);
            let what = format!("{} {}", request.verb(), request.resource());
            if !request.is_good() {
                *tally.refused.entry((who, format!("{what}: {}", request.code()))).or_default() += 1;
                continue;
            }
            tally.reads += usize::from(who != Who::Other && is_read(&request));
            if is_stored(&request) {
                tally.store(&request, &mut by_host);
            }
            if who != Who::Other {
                *tally.granted.entry((who, what)).or_default() += 1;
            }
        }
        tally.most_of_one_host = by_host.into_values().max().unwrap_or(0);
        tally
    }

    fn store(&mut self, request: &Request, by_host: &mut HashMap<(String, String), usize>) {
        let resource = request.resource();
        if request.is_of_lease() {
            self.of_leases += 1;
            return;
        }
        self.inside += request.took();
        if resource == "instances" || resource == "instances/status" {
            self.of_instances += 1;
            let (namespace, name) = request.target();
            *by_host.entry((namespace.to_owned(), name.to_owned())).or_default() += 1;
        } else {
            self.of_others += 1;
        }
    }

    /// Writes, whoever made them; heartbeats apart.
    pub fn writes(&self) -> usize {
        self.of_instances + self.of_others
    }

    /// GETs and LISTs of agents and controller.
    pub fn reads(&self) -> usize {
        self.reads
    }
}

/// True for a write after which etcd has something new: a token is nowhere but with who asked for it.
fn is_stored(request: &Request) -> bool {
    let resource = request.resource();
    let is_answer_only = resource == "serviceaccounts/token" || resource.ends_with("reviews");
    request.is_write() && !is_answer_only
}

/// True for a look at something that a watch should have brought.
fn is_read(request: &Request) -> bool {
    matches!(request.verb(), "get" | "list") && !request.resource().is_empty()
}

fn who(request: &Request) -> Who {
    match request.user() {
        CONTROLLER => Who::Controller,
        user if user.contains(":sluice-agent-") => Who::Agent,
        _ => Who::Other,
    }
}
