//! Which stories run, side by side or alone, and what is said of them.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::cluster::Cluster;
use crate::story::{Stage, Story};

/// How a story is told.
type Telling = Pin<Box<dyn Future<Output = ()>>>;

/// One story.
pub struct Case {
    /// Its name, by which `STORY=` chooses it.
    pub name: &'static str,
    /// True if it stands for a course of its own: `make stories` runs it.
    pub is_course: bool,
    /// True if it harms the controller or the API server: it runs alone.
    pub disturbs: bool,
    /// What stands when it begins.
    pub stage: Stage,
    /// The story.
    pub tell: fn(Story) -> Telling,
}

/// Builds a [`Case`] from an async function.
#[macro_export]
macro_rules! case {
    ($name:literal, $tell:path, $is_course:expr, $disturbs:expr) => {
        $crate::case!($name, $tell, $is_course, $disturbs, $crate::story::Stage::Function)
    };
    ($name:literal, $tell:path, $is_course:expr, $disturbs:expr, $stage:expr) => {
        $crate::run::Case {
            name: $name,
            is_course: $is_course,
            disturbs: $disturbs,
            stage: $stage,
            tell: |story| Box::pin($tell(story)),
        }
    };
}

/// Runs the chosen stories; fails if one of them does, or if none is chosen.
pub fn run(cases: Vec<Case>) -> ExitCode {
    let chosen = choose(cases);
    if chosen.is_empty() {
        eprintln!("no story has that name");
        return ExitCode::FAILURE;
    }
    let Some(cluster) = Cluster::from_env() else {
        eprintln!("the stories need a cluster: run `make stories` or `make e2e`");
        return ExitCode::FAILURE;
    };
    report_failures();
    let (alone, together): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|c| c.disturbs);
    let at_once = std::env::var("STORIES_AT_ONCE").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let mut failed = tell_all(&cluster, &together, at_once);
    failed.extend(tell_all(&cluster, &alone, 1));
    failed.extend(block_on(cluster.clean_up()).err());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

fn choose(cases: Vec<Case>) -> Vec<Case> {
    let names = std::env::var("STORY").unwrap_or_default();
    let only_courses = std::env::var("STORIES").is_ok_and(|s| s == "courses");
    let is_chosen = |case: &Case| match names.as_str() {
        "" => case.is_course || !only_courses,
        names => names.split(',').any(|name| name == case.name),
    };
    cases.into_iter().filter(is_chosen).collect()
}

/// Tells `cases`, at most `at_once` at a time. Answers the names of those that failed.
fn tell_all(cluster: &Cluster, cases: &[Case], at_once: usize) -> Vec<String> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if !tell(cluster, case) {
                        failed.lock().unwrap().push(case.name.to_owned());
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

thread_local! {
    /// The story that this thread tells.
    static TOLD: Cell<&'static str> = const { Cell::new("") };
}

/// A failed story says what it missed and where, in one line.
fn report_failures() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("failed");
        println!("{}: {what}\n    at {place}", TOLD.get());
    }));
}

fn tell(cluster: &Cluster, case: &Case) -> bool {
    let begun = Instant::now();
    TOLD.set(case.name);
    let namespace = cluster.namespace(case.name);
    let went_well = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            let story = Story::begin(cluster, case.name, &namespace, case.stage).await;
            (case.tell)(story).await;
        });
    }))
    .is_ok();
    let verdict = if went_well { "ok    " } else { "FAILED" };
    println!("{verdict} {} ({:.0} s)", case.name, begun.elapsed().as_secs_f32());
    if !went_well {
        cluster.dump(case.name, &namespace);
    }
    block_on(cluster.leave(&namespace));
    went_well
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
