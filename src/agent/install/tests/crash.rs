//! Stopped, failed and killed at every step: the old revision or the new one is whole afterwards, and nothing else is left.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::io::Errno;

use super::super::steps::{Fault, Steps};
use super::world::{Seen, World};
use crate::appspec::{FileExists, ServerSpec};

/// A host on which an installation does all that one can do.
struct Story {
    world: World,
    one: PathBuf,
    two: PathBuf,
    first: ServerSpec,
    second: ServerSpec,
}

fn story(world: World) -> Story {
    let mut world = world;
    world.write(&world.host("srv/foreign/file"), "f");
    world.write(&world.host("srv/app/overwritten"), "o");
    fs::create_dir_all(world.host("data")).unwrap();
    symlink("../../data", world.host("srv/app/linked")).unwrap();
    let one = world.archive(
        "one",
        &[
            ("app/same", "s"),
            ("app/changed", "1"),
            ("app/gone/deep/file", "g"),
            ("app/l -> same", ""),
            ("app/to-directory", "f"),
            ("app/to-file/a/b", "f"),
            ("app/dir/x", "x"),
            ("app/linked/gone/f", "1"),
            ("app/linked/f", "1"),
            ("bin/tool.sh", "#!1"),
        ],
    );
    let two = world.archive(
        "two",
        &[
            ("app/same", "s"),
            ("app/changed", "2"),
            ("app/new/deep/file", "n"),
            ("app/new/l -> deep/file", ""),
            ("app/l -> changed", ""),
            ("app/to-directory/a/b", "f"),
            ("app/to-file", "f"),
            ("app/dir/x", "x"),
            ("app/dir/y", "y"),
            ("app/overwritten", "ours"),
            ("app/linked/new/f", "2"),
            ("app/linked/f", "2"),
            ("bin/tool.sh", "#!2"),
        ],
    );
    let permissions = |mode| {
        let mut permission = world.permission("srv");
        (permission.files, permission.mode) = (false, Some(mode));
        vec![permission]
    };
    let first = world.spec(&[("app", "srv/app"), ("bin/tool.sh", "usr/bin")], permissions(0o700));
    let second =
        world.spec(&[("app", "srv/app"), ("bin/tool.sh", "usr/bin"), ("bin", "opt/new")], permissions(0o711));
    world.install(&one, &first).unwrap();
    world.behavior = FileExists::Overwrite;
    Story { world, one, two, first, second }
}

impl Story {
    fn install(&self, steps: &Steps) -> bool {
        self.world.install_by(&self.two, &self.second, steps).is_ok()
    }

    /// Holds that the host is as one of the two revisions has it; true for the new one.
    fn is_whole(&self, old: &Seen, new: &Seen, at: &str) -> bool {
        let seen = self.world.seen();
        if seen != *old && seen != *new {
            let differs = |one: &Seen| -> Vec<String> {
                let one: BTreeSet<_> = one.iter().map(|(a, b)| format!("{a} {b}")).collect();
                let seen: BTreeSet<_> = seen.iter().map(|(a, b)| format!("{a} {b}")).collect();
                one.symmetric_difference(&seen).cloned().collect()
            };
            panic!(
                "{at}: neither is whole\nagainst old {:#?}\nagainst new {:#?}",
                differs(old),
                differs(new)
            );
        }
        assert_eq!(self.world.leftovers(), Vec::<String>::new(), "{at}");
        seen == *new
    }

    /// Holds that the group still knows what is its own: the next deployment goes through, and one without files takes everything away.
    fn goes_on(&self, new: &Seen, at: &str) {
        self.world.install(&self.two, &self.second).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(self.world.seen(), *new, "{at}");
        self.world.install(&self.one, &self.world.spec(&[], vec![])).unwrap();
        let seen = self.world.seen();
        let names: Vec<&str> = seen.keys().map(String::as_str).collect();
        let expected = ["data", "srv", "srv/app", "srv/app/linked", "srv/foreign", "srv/foreign/file"];
        assert_eq!(names, expected, "{at}");
    }
}

/// Both revisions as they look, and how many steps there are between them.
fn ends(lacks_exchange: bool) -> (Seen, Seen, u64) {
    let story = story(World::new());
    let old = story.world.seen();
    let steps = Steps::with(|_| None).lacking_exchange(lacks_exchange);
    assert!(story.install(&steps));
    let new = story.world.seen();
    assert_ne!(old, new);
    story.goes_on(&new, "undisturbed");
    assert!(steps.taken() > 60, "{} steps", steps.taken());
    (old, new, steps.taken())
}

#[test]
fn stopped_at_any_step_the_old_or_the_new_revision_is_whole_after_recovery() {
    for lacks_exchange in [false, true] {
        let (old, new, count) = ends(lacks_exchange);
        let mut forward = 0;
        for at in 0..count {
            let story = story(World::new());
            let steps =
                Steps::with(move |n| (n == at).then_some(Fault::Stop)).lacking_exchange(lacks_exchange);
            story.install(&steps);
            let recovered = story.world.recover();
            let is_new = story.is_whole(&old, &new, &format!("step {at} of {count}"));
            if let [recovered] = &recovered[..] {
                assert_eq!(recovered.is_installed, is_new, "step {at}");
                assert_eq!(recovered.group_id, "group-a");
            }
            forward += u64::from(is_new);
            story.goes_on(&new, &format!("step {at}"));
        }
        assert!(forward > 3 && forward < count / 2, "{forward} of {count} went forward");
    }
}

#[test]
fn stopped_again_while_it_recovers_it_still_recovers() {
    let (old, new, count) = ends(false);
    for lacks_exchange in [false, true] {
        for at in (0..count).step_by(if lacks_exchange { 7 } else { 3 }) {
            for again in 0.. {
                let story = story(World::new());
                let stop = |at| {
                    Steps::with(move |n| (n == at).then_some(Fault::Stop)).lacking_exchange(lacks_exchange)
                };
                story.install(&stop(at));
                let second = stop(again);
                let _ = story.world.recover_by(&second);
                let is_over = second.taken() <= again;
                story.world.recover();
                story.is_whole(&old, &new, &format!("step {at}, then {again}"));
                if is_over {
                    break;
                }
            }
        }
    }
}

#[test]
fn failed_at_any_step_the_old_revision_is_whole_at_once_or_the_new_one_stands() {
    let (old, new, count) = ends(false);
    for errno in [Errno::NOSPC, Errno::IO, Errno::ROFS] {
        for at in 0..count {
            let story = story(World::new());
            let steps = Steps::with(move |n| (n == at).then_some(Fault::Fail(errno)));
            let installed = story.world.install_by(&story.two, &story.second, &steps);
            let place = format!("{errno} at step {at}");
            match installed {
                Err(error) => {
                    let expected = match errno {
                        Errno::NOSPC => "DiskFull",
                        Errno::IO => "InputOutputError",
                        _ => "FileSystemReadOnly",
                    };
                    assert_eq!(error.reason(), expected, "{place}");
                    assert!(!story.is_whole(&old, &new, &place), "{place}: it failed and the new one stands");
                }
                Ok(report) => {
                    assert!(!report.warnings.is_empty(), "{place}: nothing is told");
                    story.world.recover();
                    story.goes_on(&new, &place);
                }
            }
        }
    }
}

#[test]
fn when_everything_fails_from_a_step_on_recovery_finds_its_way_later() {
    let (old, new, count) = ends(false);
    let mut unknown = 0;
    for at in 0..count {
        let story = story(World::new());
        let steps = Steps::with(move |n| (n >= at).then_some(Fault::Fail(Errno::ROFS)));
        let is_installed = story.install(&steps);
        let recovered = story.world.recover();
        let is_new = story.is_whole(&old, &new, &format!("from step {at}"));
        assert!(is_new || !is_installed, "step {at}: it was said to be installed and is not");
        // The one word of the journal that may or may not be on the disk: recovery says which it is.
        unknown += u64::from(is_new && !is_installed);
        assert!(recovered.first().is_none_or(|recovered| recovered.is_installed == is_new), "step {at}");
        story.goes_on(&new, &format!("from step {at}"));
    }
    assert!(unknown <= 1, "{unknown} steps after which nobody knows");
}

#[test]
fn a_foreign_file_that_appears_during_the_switch_is_kept() {
    let (_, _, count) = ends(false);
    let mut kept = 0;
    for at in 0..count {
        let story = story(World::new());
        let theirs = story.world.host("srv/app/new/theirs");
        let path = theirs.clone();
        let steps = Steps::with(move |n| {
            if n == at {
                let _ = fs::write(&path, "theirs");
            }
            (n == at + 1).then_some(Fault::Stop)
        });
        story.install(&steps);
        let was_written = theirs.exists()
            || fs::read_dir(story.world.host("srv/app"))
                .is_ok_and(|d| d.flatten().any(|entry| entry.path().join("theirs").exists()));
        story.world.recover();
        assert!(!was_written || theirs.exists(), "step {at}: somebody's file is gone");
        kept += u64::from(was_written);
    }
    assert!(kept > 5, "{kept}");
}

/// What the child of the next test does, when it is one: it installs, and stands still at the step that it was told.
#[test]
fn child_that_is_killed() {
    let Ok(told) = std::env::var("SLUICE_TEST_KILL") else { return };
    let (folder, at) = told.split_once(':').unwrap();
    let at: u64 = at.parse().unwrap();
    let root = PathBuf::from(folder);
    let mut world = World::new();
    world.root = root.clone();
    world.behavior = FileExists::Overwrite;
    let mut permission = world.permission("srv");
    (permission.files, permission.mode) = (false, Some(0o711));
    let files = [("app", "srv/app"), ("bin/tool.sh", "usr/bin"), ("bin", "opt/new")];
    let spec = world.spec(&files, vec![permission]);
    let steps = Steps::with(move |n| {
        if n == at {
            println!("standing");
            loop {
                std::thread::park();
            }
        }
        None
    });
    let _ = world.install_by(&root.join("two"), &spec, &steps);
    println!("standing");
}

#[test]
fn killed_at_a_step_the_old_or_the_new_revision_is_whole_after_recovery() {
    let (old, new, count) = ends(false);
    for at in (0..=count).step_by(9) {
        let story = story(World::new());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_is_killed", "--nocapture", "--test-threads=1"])
            .env("SLUICE_TEST_KILL", format!("{}:{at}", story.world.root.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = child.stdout.take().unwrap();
        let mut buffer = [0; 256];
        while !said.contains("standing") {
            let read = out.read(&mut buffer).unwrap();
            assert!(read > 0, "the child ended before it stood: {said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        story.world.recover();
        story.is_whole(&old, &new, &format!("killed at step {at}"));
        story.goes_on(&new, &format!("killed at step {at}"));
    }
}

#[test]
fn an_installation_that_was_cut_off_is_recovered_by_the_next_one() {
    let (_, new, count) = ends(false);
    for at in (0..count).step_by(5) {
        let story = story(World::new());
        story.install(&Steps::with(move |n| (n == at).then_some(Fault::Stop)));
        assert!(story.install(&Steps::default()), "step {at}");
        assert_eq!(story.world.seen(), new, "step {at}");
        assert!(story.world.install(&story.one, &story.first).is_ok());
    }
}
