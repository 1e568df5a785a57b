//! What one agent's unpacking and installing costs, against `tar -x` of the same bundle: `BENCH=install make bench`.
//!
//! Each measurement is a process of its own, this program started again: it reads its wall and CPU time, its peak memory and the bytes that it (or the
//! tar that it started) had written from `/proc` at its end. The ways take turns, so that what else the machine does hits all of them; the
//! fastest of the rounds counts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sluice::agent::{archive, install};
use sluice::appspec::{FileEntry, FileExists, Os, ServerSpec};

const BEGIN: &str = "<!-- install: begin (written by BENCH=install make bench) -->";
const END: &str = "<!-- install: end -->";

/// Times `tar -x` that unpacking and installing may take.
const FACTOR: f64 = 1.3;
/// Peak memory in KiB.
const MEMORY: u64 = 32 * 1024;
/// The variable that makes this program a measurement.
const TASK: &str = "BENCH_INSTALL_TASK";

/// What one process cost.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
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
const WAYS: [(&str, &str); 6] = [
    ("tar", "`tar -xzf`"),
    ("tar-sync", "`tar -xzf`, `sync -f`"),
    ("unpack", "unpack alone"),
    ("first", "unpack and install, nothing there"),
    ("again", "unpack and install over the revision before"),
    ("tar-twice", "`tar -xzf`, `cp -a`, `sync -f` (what an unpacked archive and installed files cost)"),
];

/// Measures, prints, and holds the budget with `BENCH_STRICT=1`.
pub fn run() -> ExitCode {
    if let Ok(task) = std::env::var(TASK) {
        measure_here(&task);
        return ExitCode::SUCCESS;
    }
    let folder = std::env::var("BENCH_DIR").map_or_else(|_| repository().join("target/bench"), PathBuf::from);
    let root = folder.join("install");
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut table = String::from(
        "| bundle | way | wall | CPU | peak memory | written | wall against `tar -xzf`; and with `sync -f` |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    let mut broken = Vec::new();
    for bundle in &BUNDLES {
        let packed = bundle.pack(&root);
        let costs = rounds_of(&packed, rounds);
        let (plain, synced) = (costs[0], costs[1]);
        for ((way, label), cost) in WAYS.iter().zip(&costs) {
            let (factor, durable) = (ratio(cost, &plain), ratio(cost, &synced));
            let peak = if way.starts_with("tar") {
                "".into()
            } else {
                format!("{:.1} MiB", cost.peak as f64 / 1024.0)
            };
            let _ = writeln!(
                table,
                "| {} | {label} | {} ms | {} ms | {peak} | {:.1} MB | {factor:.2}; {durable:.2} |",
                bundle.name,
                cost.wall.as_millis(),
                cost.cpu.as_millis(),
                cost.written as f64 / 1e6,
            );
            if matches!(*way, "first" | "again") && durable > FACTOR {
                broken.push(format!(
                    "{}, {label}: {durable:.2} times tar with sync, {FACTOR} at most",
                    bundle.name
                ));
            }
            if cost.peak > MEMORY && !way.starts_with("tar") {
                broken.push(format!(
                    "{}, {label}: {} KiB at the peak, {MEMORY} at most",
                    bundle.name, cost.peak
                ));
            }
        }
    }
    let _ = fs::remove_dir_all(&root);
    println!("{table}");
    if std::env::var("BENCH_DOCS").is_ok_and(|value| value == "1") {
        write_into_docs(&table, rounds);
    }
    broken.iter().for_each(|budget| eprintln!("budget broken: {budget}"));
    let is_strict = std::env::var("BENCH_STRICT").is_ok();
    if broken.is_empty() || !is_strict { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
            fs::write(folder.join("appspec.yml"), "version: 0.0\nos: linux\n").expect("a file");
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

/// The least that each way cost in all rounds.
fn rounds_of(root: &Path, rounds: usize) -> Vec<Cost> {
    let mut best: Vec<Option<Cost>> = vec![None; WAYS.len()];
    for round in 0..rounds {
        for (at, (way, _)) in WAYS.iter().enumerate() {
            let cost = in_own_process(way, root);
            eprintln!("bench: round {round}, {way}: {cost:?}");
            if best[at].is_none_or(|known| cost.wall < known.wall) {
                best[at] = Some(cost);
            }
        }
    }
    best.into_iter().flatten().collect()
}

fn in_own_process(way: &str, root: &Path) -> Cost {
    let work = root.join("work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).expect("a directory");
    if way == "again" {
        one_process("first", root);
    }
    // What the ways before left to be written is not this one's.
    let _ = Command::new("sync").arg("-f").arg(root).status();
    one_process(way, root)
}

fn one_process(way: &str, root: &Path) -> Cost {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .env("BENCH", "install")
        .env(TASK, format!("{way}:{}", root.display()))
        .stderr(Stdio::inherit())
        .output()
        .expect("this program");
    assert!(output.status.success(), "{way} failed");
    serde_json::from_slice(&output.stdout).expect("a cost")
}

/// Does one thing and prints what it cost.
fn measure_here(task: &str) {
    let (way, root) = task.split_once(':').expect("way:root");
    let root = Path::new(root);
    let begun = Instant::now();
    match way {
        "tar" => tar(root, "", false),
        "tar-sync" => tar(root, "", true),
        "tar-twice" => tar(root, "cp -a unpacked installed && ", true),
        "unpack" => drop(unpack(root, "one")),
        "first" => deploy(root, "one"),
        _ => deploy(root, "two"),
    }
    let wall = begun.elapsed();
    let cost = Cost { wall, cpu: cpu(), peak: own("status", "VmHWM:"), written: own("io", "write_bytes:") };
    println!("{}", serde_json::to_string(&cost).expect("JSON"));
}

fn tar(root: &Path, then: &str, syncs: bool) {
    let sync = if syncs { "sync -f ." } else { "true" };
    let script = format!("mkdir unpacked && tar -xzf ../one.tgz -C unpacked && {then}{sync}");
    let done = Command::new("sh").args(["-c", &script]).current_dir(root.join("work")).status();
    assert!(done.expect("sh").success());
}

fn unpack(root: &Path, revision: &str) -> PathBuf {
    let into = root.join("work").join(revision).join("deployment-archive");
    let packed = root.join(format!("{revision}.tgz"));
    archive::unpack(&packed, None, &into, &archive::Options::default()).expect("an archive");
    into
}

fn deploy(root: &Path, revision: &str) {
    let archive = unpack(root, revision);
    let destination = root.join("work/installed").to_str().expect("UTF-8").to_owned();
    let spec = ServerSpec {
        os: Os::Linux,
        files: vec![FileEntry { source: "app".into(), destination, line: 1 }],
        file_exists_behavior: None,
        permissions: Vec::new(),
        hooks: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
    };
    let job = install::Job {
        spec: &spec,
        archive: &archive,
        state: &root.join("work/deployment-instructions"),
        group_id: "bench",
        deployment_id: revision,
        behavior: FileExists::Disallow,
        options: &install::Options::default(),
    };
    install::install(&job).expect("an installation");
}

/// Own CPU time, and that of children that ended.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn own(file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
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
    let head = format!(
        "`BENCH=install make bench`, Sluice {version}, {cores} cores, the fastest of {rounds} rounds"
    );
    fs::write(page, format!("{before}{BEGIN}\n{head}\n\n{table}{END}{after}")).expect("the page");
}
