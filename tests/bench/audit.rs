//! The API server's audit log: who asked for what, and when, by one clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::world::SPARE;

/// A span of time.
#[derive(Copy, Clone, Debug)]
pub struct Window {
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

impl Window {
    /// True for a request that came in then.
    pub fn holds(&self, request: &Request) -> bool {
        self.from <= request.request_received_timestamp && request.request_received_timestamp < self.until
    }

    /// How long it is.
    pub fn length(&self) -> SignedDuration {
        self.until.duration_since(self.from)
    }
}

/// One request, as the audit log has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    stage: String,
    level: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Outcome,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Outcome {
    #[serde(default)]
    code: u16,
}

impl Request {
    /// The resource, with its subresource.
    pub fn resource(&self) -> String {
        let object = &self.object_ref;
        if object.subresource.is_empty() {
            object.resource.clone()
        } else {
            format!("{}/{}", object.resource, object.subresource)
        }
    }

    /// Who asked.
    pub fn user(&self) -> &str {
        &self.user.username
    }

    /// Namespace and name of what it was for.
    pub fn target(&self) -> (&str, &str) {
        (&self.object_ref.namespace, &self.object_ref.name)
    }

    /// The verb.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The answer's code.
    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    /// Namespace and name of the group that it was for: the names of all that belongs to one begin with its own, and go on
    /// after a dot or a dash.
    fn owner(&self) -> (&str, &str) {
        let name = self.object_ref.name.split(['.', '-']).next().unwrap_or_default();
        (&self.object_ref.namespace, name)
    }

    /// True for a write.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete")
    }

    /// True for a watch, which lasts.
    pub fn is_watch(&self) -> bool {
        self.verb == "watch"
    }

    /// True for the Lease's.
    pub fn is_of_lease(&self) -> bool {
        self.object_ref.resource == "leases"
    }

    /// True for an Event's.
    pub fn is_of_events(&self) -> bool {
        self.object_ref.resource == "events"
    }

    /// True for the write of a resource's status.
    pub fn is_of_status(&self, resource: &str) -> bool {
        self.is_write() && self.object_ref.resource == resource && self.object_ref.subresource == "status"
    }

    /// From its arrival to its answer.
    pub fn inside(&self) -> SignedDuration {
        self.stage_timestamp.duration_since(self.request_received_timestamp)
    }

    fn is(&self, verb: &str, resource: &str, subresource: &str) -> bool {
        let object = &self.object_ref;
        self.verb == verb && object.resource == resource && object.subresource == subresource
    }

    /// From its arrival at the API server to its answer.
    pub fn took(&self) -> SignedDuration {
        self.stage_timestamp.duration_since(self.request_received_timestamp)
    }

    /// True if it was granted and done.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.code())
    }
}

/// Every request that a log has, each once; panics unless it is at level Metadata.
pub fn requests(path: &Path) -> impl Iterator<Item = Request> {
    let files = files(path).into_iter().map(|file| File::open(file).expect("an audit log"));
    files.flat_map(|file| BufReader::new(file).lines()).filter_map(|line| {
        // The last line may still be in the making when the API server is read.
        let request = serde_json::from_str::<Request>(&line.expect("a line")).ok()?;
        assert_eq!(request.level, "Metadata", "the audit policy is not the one that was meant");
        let once = if request.is_watch() { "ResponseStarted" } else { "ResponseComplete" };
        (request.stage == once).then_some(request)
    })
}

/// The log's files, the oldest first: the API server puts a full one aside, and names it by the time.
fn files(path: &Path) -> Vec<PathBuf> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a log has a name");
    let folder = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).expect("a log has a folder");
    let aside = folder.flatten().map(|entry| entry.path()).filter(|file| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&format!("{stem}-")) && name.ends_with(".log")
    });
    let mut files: Vec<PathBuf> = aside.collect();
    files.sort();
    files.push(path.to_owned());
    files
}

/// The requests of one run.
pub struct Log {
    own: Vec<Request>,
    /// By the world: Deployments created, statuses of routes written.
    others: Vec<Request>,
}

/// How a run's steps came.
#[derive(Default)]
pub struct Steps {
    /// Route write committed, less due time: of every step but the first.
    pub lateness: Vec<SignedDuration>,
    /// Steps whose write came in before the interval was over.
    pub early: usize,
    /// First step's write committed, less the Deployment's creation.
    pub start: Vec<SignedDuration>,
    /// Times of the first writes.
    pub first: Vec<Timestamp>,
    /// Deployments by the number of steps that they took.
    pub counts: BTreeMap<usize, usize>,
    /// From the arrival of a status or route write to its answer, in the API server's view, under the run's load.
    pub inside: Vec<SignedDuration>,
}

impl Log {
    /// Reads the log, in which the controller is `user`; panics unless it is at level Metadata.
    pub fn read(path: &Path, user: &str) -> Self {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for request in requests(path) {
            if request.user() == user {
                own.push(request);
            } else if request.is("patch", "httproutes", "status") || request.is("create", "deployments", "") {
                others.push(request);
            }
        }
        own.sort_by_key(|r| r.stage_timestamp);
        others.sort_by_key(|r| r.stage_timestamp);
        Self { own, others }
    }

    /// The controller's requests in `window`.
    pub fn own(&self, window: Window) -> impl Iterator<Item = &Request> {
        self.own.iter().filter(move |r| window.holds(r))
    }

    /// The most requests of a kind that one Deployment cost.
    pub fn most(&self, window: Window, counts: impl Fn(&Request) -> bool) -> usize {
        let mut by_owner: BTreeMap<_, usize> = BTreeMap::new();
        for request in self.own(window).filter(|r| counts(r)) {
            *by_owner.entry(request.owner()).or_default() += 1;
        }
        by_owner.into_values().max().unwrap_or(0)
    }

    /// How many good writes of `resource` each group had, and the times between two of its first `steps` in order of length.
    pub fn writes_of(
        &self,
        window: Window,
        resource: &str,
        steps: usize,
    ) -> (BTreeMap<usize, usize>, Vec<SignedDuration>) {
        let mut by_owner: BTreeMap<_, Vec<Timestamp>> = BTreeMap::new();
        let is_of = |r: &&Request| r.is_write() && r.is_good() && r.resource() == resource;
        for request in self.own(window).filter(is_of) {
            by_owner.entry(request.owner()).or_default().push(request.stage_timestamp);
        }
        let mut counts = BTreeMap::new();
        let mut gaps = vec![];
        for times in by_owner.into_values() {
            *counts.entry(times.len()).or_default() += 1;
            gaps.extend(
                times[..times.len().min(steps)].windows(2).map(|pair| pair[1].duration_since(pair[0])),
            );
        }
        gaps.sort();
        (counts, gaps)
    }

    /// How the steps of every Deployment in `window` came.
    pub fn steps(&self, window: Window, interval: SignedDuration) -> Steps {
        let mut routes: BTreeMap<(&str, &str), Route> = BTreeMap::new();
        let mut steps = Steps::default();
        for request in self.own(window).filter(|r| r.is_good()) {
            if request.is("patch", "httproutes", "") {
                routes.entry(request.owner()).or_default().writes.push(request);
            }
            if request.is_write() && !request.is_of_lease() && !request.is_of_events() {
                steps.inside.push(request.inside());
            }
        }
        for request in self.others.iter().filter(|r| window.holds(r) && r.is_good()) {
            let Some(route) = routes.get_mut(&request.owner()) else { continue };
            if request.is("create", "deployments", "") {
                route.created = Some(request.stage_timestamp);
            } else {
                route.answers.push(request);
            }
        }
        for ((_, name), route) in &routes {
            if *name != SPARE {
                route.tell(interval, &mut steps);
            }
        }
        steps.lateness.sort();
        steps.start.sort();
        steps.first.sort();
        steps.inside.sort();
        steps
    }
}

/// What happened to one route.
#[derive(Default)]
struct Route<'a> {
    created: Option<Timestamp>,
    writes: Vec<&'a Request>,
    answers: Vec<&'a Request>,
}

impl Route<'_> {
    fn tell(&self, interval: SignedDuration, steps: &mut Steps) {
        *steps.counts.entry(self.writes.len()).or_default() += 1;
        if let (Some(first), Some(created)) = (self.writes.first(), self.created) {
            steps.first.push(first.stage_timestamp);
            steps.start.push(first.stage_timestamp.duration_since(created));
        }
        for pair in self.writes.windows(2) {
            let (before, now) = (pair[0], pair[1]);
            let came = |a: &&&Request| a.request_received_timestamp >= before.request_received_timestamp;
            let Some(answer) = self.answers.iter().find(came) else { continue };
            let lateness = now.stage_timestamp.duration_since(answer.stage_timestamp) - interval;
            steps.lateness.push(lateness);
            // The interval begins between the arrival of the gateway's write and its answer: this is the earliest moment.
            let due = answer.request_received_timestamp + interval;
            if now.request_received_timestamp < due {
                steps.early += 1;
            }
        }
    }
}
