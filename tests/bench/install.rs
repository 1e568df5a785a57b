//! What an agent costs a host that it deploys to, against `tar -x` of the same bundle: `BENCH=install make bench`.
//!
//! The agent is the program as it is shipped (`make agent`): `sluice-agent deploy-local` of the archive, a process of its own, which unpacks the bundle, reads its
//! AppSpec, keeps its journal, installs, and ends. Wall time is from its start to its end; processor time, bytes written and peak memory are what
//! the kernel says of the process before it is reaped. The ways take turns, so that what else the machine does hits all of them; the median
//! round counts. `ROUNDS=5`; `ONLY=100 MB` takes the bundles of that name. Ends with 1 when the memory's budget is broken, which hardly depends on
//! what else the machine does; `BENCH_STRICT=1` holds the time's, too, against the plain `tar -xzf`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

const BEGIN: &str = "<!-- install: begin (written by BENCH=install make bench) -->";
const END: &str = "<!-- install: end -->";

/// Times the plain `tar -x`, which writes nothing through to the disk, that a deployment may take.
const FACTOR: f64 = 1.3;
/// Peak memory in KiB.
const MEMORY: u64 = 32 * 1024;
/// How often the peak is read. It only grows, so what is lost is what the last moment added.
const LOOK: Duration = Duration::from_millis(2);

/// What one process cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    peak: u64,
    written: u64,
}

/// A bundle: its name, its files and their size.
struct Bundle {
    name: &'static str,
    directories: usize,
    files: usize,
    size: usize,
}

const BUNDLES: [Bundle; 3] = [
    Bundle { name: "10 MB, 100 files", directories: 10, files: 100, size: 100_000 },
    Bundle { name: "100 MB, 100 files", directories: 10, files: 100, size: 1_000_000 },
    Bundle { name: "50,000 files of 1 KB", directories: 500, files: 50_000, size: 1_000 },
];

/// The ways, in the order of the table.
const WAYS: [(&str, &str); 5] = [
    ("tar", "`tar -xzf`"),
    ("tar-sync", "`tar -xzf`, `sync -f`"),
    ("first", "`sluice-agent deploy-local`, nothing there"),
    ("again", "`sluice-agent deploy-local` over the revision before"),
    ("tar-twice", "`tar -xzf`, `cp -a`, `sync -f` (what an unpacked archive and installed files cost)"),
];

/// What is over the budgets.
#[derive(Default)]
struct Broken {
    memory: Vec<String>,
    time: Vec<String>,
}

/// Measures, prints, and holds the budgets.
pub fn run() -> ExitCode {
    let folder = std::env::var("BENCH_DIR").map_or_else(|_| repository().join("target/bench"), PathBuf::from);
    let root = folder.join("install");
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut table = String::from(
        "| bundle | way | wall | CPU | peak memory | written | wall against `tar -xzf`; and with `sync -f` |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    let mut broken = Broken::default();
    for bundle in BUNDLES.iter().filter(|bundle| bundle.name.contains(&only)) {
        let packed = bundle.pack(&root);
        let costs = rounds_of(&packed, rounds);
        tell(bundle, &costs, &mut table, &mut broken);
    }
    let _ = fs::remove_dir_all(&root);
    println!("{table}");
    if only.is_empty() && std::env::var("BENCH_DOCS").is_ok_and(|value| value == "1") {
        write_into_docs(&table, rounds);
    }
    broken.memory.iter().chain(&broken.time).for_each(|budget| eprintln!("budget broken: {budget}"));
    let is_strict = std::env::var("BENCH_STRICT").is_ok();
    let is_kept = broken.memory.is_empty() && (broken.time.is_empty() || !is_strict);
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows of a bundle, and what of it is over the budget.
fn tell(bundle: &Bundle, costs: &[Cost], table: &mut String, broken: &mut Broken) {
    let (plain, synced) = (costs[0], costs[1]);
    for ((way, label), cost) in WAYS.iter().zip(costs) {
        let (factor, durable) = (ratio(cost, &plain), ratio(cost, &synced));
        let _ = writeln!(
            table,
            "| {} | {label} | {} ms | {} ms | {:.1} MiB | {:.1} MB | {factor:.2}; {durable:.2} |",
            bundle.name,
            cost.wall.as_millis(),
            cost.cpu.as_millis(),
            cost.peak as f64 / 1024.0,
            cost.written as f64 / 1e6,
        );
        if way.starts_with("tar") {
            continue;
        }
        if factor > FACTOR {
            let said = format!("{factor:.2} times the plain tar (with sync {durable:.2}), {FACTOR} at most");
            broken.time.push(format!("{}, {label}: {said}", bundle.name));
        }
        if cost.peak > MEMORY {
            let said = format!("{} KiB at the peak, {MEMORY} at most", cost.peak);
            broken.memory.push(format!("{}, {label}: {said}", bundle.name));
        }
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ratio(cost: &Cost, base: &Cost) -> f64 {
    cost.wall.as_secs_f64() / base.wall.as_secs_f64().max(0.001)
}

impl Bundle {
    /// Two revisions, packed by tar: half of what is in them can be packed to a third, half cannot.
    fn pack(&self, root: &Path) -> PathBuf {
        let _ = fs::remove_dir_all(root);
        for revision in ["one", "two"] {
            let folder = root.join(revision);
            for file in 0..self.files {
                let directory = folder.join(format!("app/directory-{}", file % self.directories));
                fs::create_dir_all(&directory).expect("a directory");
                fs::write(directory.join(format!("file-{file}.txt")), self.content(revision, file))
                    .expect("a file");
            }
            let destination = root.join("work/installed");
            let spec = format!(
                "version: 0.0\nos: linux\nfiles:\n  - source: app\n    destination: {}\n",
                destination.display()
            );
            fs::write(folder.join("appspec.yml"), spec).expect("a file");
            let packed = root.join(format!("{revision}.tgz"));
            let tar = Command::new("tar").arg("-czf").arg(&packed).arg("-C").arg(&folder).arg(".").status();
            assert!(tar.expect("tar").success());
            fs::remove_dir_all(&folder).expect("a folder");
        }
        root.to_owned()
    }

    fn content(&self, revision: &str, file: usize) -> Vec<u8> {
        let mut state =
            file as u64 * 2_654_435_761 + revision.len() as u64 + u64::from(revision.as_bytes()[0]);
        let mut content = Vec::with_capacity(self.size);
        while content.len() < self.size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if content.len() < self.size / 2 {
                content.extend(format!("{} = value-{}\n", state % 1000, state % 97).bytes());
            } else {
                content.extend(state.to_le_bytes());
            }
        }
        content.truncate(self.size);
        content
    }
}

/// What each way cost in the median round. The fastest would say more of one lucky moment of the file system than of the way.
fn rounds_of(root: &Path, rounds: usize) -> Vec<Cost> {
    let mut all: Vec<Vec<Cost>> = vec![Vec::new(); WAYS.len()];
    for round in 0..rounds {
        for (at, (way, _)) in WAYS.iter().enumerate() {
            let cost = measured(way, root);
            eprintln!("bench: round {round}, {way}: {cost:?}");
            all[at].push(cost);
        }
    }
    all.into_iter().filter_map(median).collect()
}

fn median(mut costs: Vec<Cost>) -> Option<Cost> {
    costs.sort_by_key(|cost| cost.wall);
    costs.get(costs.len() / 2).copied()
}

/// What one way costs in a fresh folder.
fn measured(way: &str, root: &Path) -> Cost {
    let work = root.join("work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).expect("a directory");
    if way == "again" {
        cost_of(deploy(root, "one"));
    }
    // What the ways before left to be written is not this one's.
    let _ = Command::new("sync").arg("-f").arg(root).status();
    match way {
        "tar" => cost_of(tar(root, "", false)),
        "tar-sync" => cost_of(tar(root, "", true)),
        "tar-twice" => cost_of(tar(root, "cp -a unpacked installed && ", true)),
        "first" => installed(root, cost_of(deploy(root, "one"))),
        _ => installed(root, cost_of(deploy(root, "two"))),
    }
}

fn tar(root: &Path, then: &str, syncs: bool) -> Command {
    let sync = if syncs { "sync -f ." } else { "true" };
    let script = format!("mkdir unpacked && tar -xzf ../one.tgz -C unpacked && {then}{sync}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(root.join("work"));
    command
}

fn deploy(root: &Path, revision: &str) -> Command {
    let mut command = Command::new(repository().join("target/agent/sluice-agent"));
    command.args([
        "deploy-local",
        "--type",
        "tgz",
        "--deployment-group",
        "bench",
        "--deployment-id",
        revision,
    ]);
    command.arg("--bundle-location").arg(root.join(format!("{revision}.tgz")));
    command.arg("--root-dir").arg(root.join("work/agent")).current_dir("/");
    command
}

/// The cost of a deployment, once it is seen that it put something in place.
fn installed(root: &Path, cost: Cost) -> Cost {
    let files = fs::read_dir(root.join("work/installed")).map_or(0, |entries| entries.count());
    assert!(files > 0, "nothing was installed");
    cost
}

/// Runs a process to its end; what it cost, its children included.
fn cost_of(mut command: Command) -> Cost {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a process");
    let peak = peak_of(&child);
    let wall = begun.elapsed();
    // It has ended and is not reaped yet.
    let (cpu, written) = (cpu(&child), number(&child, "io", "write_bytes:"));
    let status = child.wait().expect("a process");
    assert!(status.success(), "{command:?}: {status}");
    Cost { wall, cpu, peak, written }
}

/// Waits for the end, and reads the peak of the memory until then: the process' own, not that of its children.
fn peak_of(child: &Child) -> u64 {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || waitid(WaitId::Pid(pid), ended).map(|_| ()));
        let mut peak = 0;
        while !waiting.is_finished() {
            peak = peak.max(number(child, "status", "VmHWM:"));
            std::thread::sleep(LOOK);
        }
        peak
    })
}

/// Processor time of a process and of its children that ended.
fn cpu(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("/proc");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn number(child: &Child, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn write_into_docs(table: &str, rounds: usize) {
    let page = repository().join("docs/benchmarks.md");
    let text = fs::read_to_string(&page).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("the page's begin mark");
    let (_, after) = rest.split_once(END).expect("the page's end mark");
    let version = env!("CARGO_PKG_VERSION");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let head =
        format!("`BENCH=install make bench`, Sluice {version}, {cores} cores, the median of {rounds} rounds");
    fs::write(page, format!("{before}{BEGIN}\n{head}\n\n{table}{END}{after}")).expect("the page");
}
