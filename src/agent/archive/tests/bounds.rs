//! What a hostile archive may cost a host: processor time, time, and memory, each bounded, measured in a process of its own.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::super::unpack;
use super::build_tar::{Raw, Tar, gzip};
use super::hostile::{Case, options};
use super::hostile_tar::tars;
use super::hostile_zip::zips;
use crate::agent::clock;

/// What one archive may add to the process' memory at its peak, in KiB.
const MEMORY: u64 = 16 * 1024;
/// And take of the processor, in ticks of 10 ms: what is built for tests is many times slower than the agent is.
const TICKS: u64 = 100;
/// And take in all; it writes to the disk.
const TIME: Duration = Duration::from_secs(30);
/// No more than this is had of the kernel, in bytes, whatever an archive says that it needs.
const ADDRESSES: u64 = 1 << 30;
/// The variable that makes this program the process that unpacks.
const CHILD: &str = "SLUICE_TEST_UNPACK";

/// All that are hostile, and bombs beside.
fn cases() -> Vec<Case> {
    let mut zeros = gzip(&Tar::default().raw(Raw::new("zeros", b'0').size(10 << 30)).cut());
    let more = gzip(&vec![0; 16 << 20]);
    (0..16).for_each(|_| zeros.extend(&more));
    let bombs = [
        Case::refused("a bomb of zeros", "CompressionRatio", zeros),
        // An extension header that says it is as long as a disk.
        Case::refused(
            "a long name of 8 GiB",
            "",
            Tar::default().raw(Raw::new("x", b'L').size(8 << 30)).cut(),
        ),
        Case::refused(
            "an extension of 8 GiB",
            "",
            Tar::default().raw(Raw::new("x", b'x').size(8 << 30)).cut(),
        ),
        Case::refused(
            "a global one of 8 GiB",
            "",
            Tar::default().raw(Raw::new("x", b'g').size(8 << 30)).cut(),
        ),
    ];
    tars().into_iter().chain(zips()).chain(bombs).collect()
}

/// A number of `/proc/self/status`, in KiB.
fn memory(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// What this process has had of the processor, in ticks.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn child_that_unpacks() {
    if std::env::var(CHILD).is_err() {
        return;
    }
    let limit = Rlimit { current: Some(ADDRESSES), maximum: Some(ADDRESSES) };
    setrlimit(Resource::As, limit).unwrap();
    let (cases, folder) = (cases(), tempfile::tempdir().unwrap());
    let (bundle, into) = (folder.path().join("bundle"), folder.path().join("into"));
    let ground = memory("VmRSS:");
    for (number, case) in cases.iter().enumerate() {
        fs::write(&bundle, &case.bytes).unwrap();
        // The peak is counted from here.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let (begun, spent) = (clock::instant(), ticks());
        let is_unpacked = unpack(&bundle, None, &into, &options()).is_ok();
        let (took, spent) = (begun.elapsed(), ticks() - spent);
        let peak = memory("VmHWM:").saturating_sub(ground);
        println!("\ncost {number} {peak} {spent} {}", took.as_millis());
        if is_unpacked {
            fs::remove_dir_all(&into).unwrap();
        }
        let left: io::Result<Vec<_>> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.unwrap().len(), 1, "{}: something is left", case.label);
    }
}

#[test]
fn no_hostile_archive_costs_more_than_a_little_time_and_memory() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_unpacks", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{}: {said}", child.status);
    let costs = said.lines().filter_map(|line| line.strip_prefix("cost "));
    let costs: Vec<Vec<u64>> =
        costs.map(|cost| cost.split(' ').map(|number| number.parse().unwrap()).collect()).collect();
    let cases = cases();
    assert_eq!(costs.len(), cases.len());
    let most = |at: usize| {
        costs.iter().max_by_key(|cost| cost[at]).map(|cost| (&*cases[cost[0] as usize].label, cost[at]))
    };
    println!("the most: memory {:?} KiB, processor {:?} ticks, time {:?} ms", most(1), most(2), most(3));
    for (case, cost) in cases.iter().zip(&costs) {
        assert!(cost[1] <= MEMORY, "{}: {} KiB", case.label, cost[1]);
        assert!(cost[2] <= TICKS, "{}: {} ticks", case.label, cost[2]);
        assert!(u128::from(cost[3]) <= TIME.as_millis(), "{}: {} ms", case.label, cost[3]);
    }
}
