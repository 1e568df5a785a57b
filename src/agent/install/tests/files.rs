//! What is put where, and what of the revision before goes.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, SystemTime};

use super::world::{World, names};
use crate::appspec::FileExists;

#[test]
fn a_file_keeps_its_name_and_a_directory_gives_its_contents() {
    let world = World::new();
    let archive = world.archive(
        "one",
        &[
            ("appspec.yml", ""),
            ("app/index.html", "hi"),
            ("app/bin/run.sh", "#!"),
            ("app/l -> bin/run.sh", ""),
            ("e/", ""),
        ],
    );
    let spec = world.spec(&[("app", "srv/web"), ("app/bin/run.sh", "usr/bin"), ("e", "var/empty")], vec![]);
    let report = world.install(&archive, &spec).unwrap();
    assert_eq!((report.files, report.retained, report.warnings), (4, 0, vec![]));
    let seen = world.seen();
    assert_eq!(
        names(&seen),
        [
            "srv",
            "srv/web",
            "srv/web/bin",
            "srv/web/bin/run.sh",
            "srv/web/index.html",
            "srv/web/l",
            "usr",
            "usr/bin",
            "usr/bin/run.sh",
            "var",
            "var/empty"
        ]
    );
    assert_eq!(seen["srv/web/bin/run.sh"], "755 0:0 \"#!\"");
    assert_eq!(seen["srv/web/index.html"], "644 0:0 \"hi\"");
    assert_eq!(seen["srv/web/l"], "777 0:0 -> bin/run.sh");
    assert_eq!(seen["var/empty"], "755 0:0 directory");
    let time = |path: std::path::PathBuf| path.metadata().unwrap().mtime_nsec();
    assert_eq!(time(world.host("srv/web/index.html")), time(archive.join("app/index.html")));
}

#[test]
fn the_whole_bundle_has_the_appspec_in_it() {
    let world = World::new();
    let archive = world.archive("one", &[("appspec.yml", "version: 0.0"), ("a/b", "x")]);
    world.install(&archive, &world.spec(&[("", "srv")], vec![])).unwrap();
    assert_eq!(names(&world.seen()), ["srv", "srv/a", "srv/a/b", "srv/appspec.yml"]);
}

#[test]
fn the_next_revision_takes_the_place_of_the_one_before() {
    let world = World::new();
    let one = world.archive(
        "one",
        &[("app/same", "s"), ("app/changed", "1"), ("app/gone/deep/file", "g"), ("app/l -> same", "")],
    );
    let two = world.archive(
        "two",
        &[("app/same", "s"), ("app/changed", "2"), ("app/new/file", "n"), ("app/l -> changed", "")],
    );
    let spec = world.spec(&[("app", "srv/app")], vec![]);
    world.install(&one, &spec).unwrap();
    world.write(&world.host("srv/app/log/today"), "kept");
    let report = world.install(&two, &spec).unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(report.removed, 3);
    let seen = world.seen();
    let expected =
        ["changed", "l", "log", "log/today", "new", "new/file", "same"].map(|name| format!("srv/app/{name}"));
    assert_eq!(names(&seen)[2..], expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(seen["srv/app/changed"], "644 0:0 \"2\"");
    assert_eq!(seen["srv/app/l"], "777 0:0 -> changed");
    let report = world.install(&two, &world.spec(&[], vec![])).unwrap();
    assert_eq!(names(&world.seen()), ["srv", "srv/app", "srv/app/log", "srv/app/log/today"]);
    assert_eq!(report.files, 0);
    fs::remove_dir_all(world.host("srv/app/log")).unwrap();
    world.install(&two, &world.spec(&[], vec![])).unwrap();
    assert_eq!(names(&world.seen()), Vec::<&str>::new(), "directories that were not empty are tried again");
}

#[test]
fn what_was_changed_since_is_kept_and_named_when_it_would_go() {
    let world = World::new();
    let one = world.archive(
        "one",
        &[("a/edited", "1"), ("a/touched", "1"), ("a/linked", "1"), ("a/whole", "1"), ("a/l -> whole", "")],
    );
    world.install(&one, &world.spec(&[("a", "srv")], vec![])).unwrap();
    fs::write(world.host("srv/edited"), "mine").unwrap();
    let file = fs::File::options().write(true).open(world.host("srv/touched")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
    fs::remove_file(world.host("srv/linked")).unwrap();
    symlink("/etc/passwd", world.host("srv/linked")).unwrap();
    let report = world.install(&one, &world.spec(&[], vec![])).unwrap();
    assert_eq!(names(&world.seen()), ["srv", "srv/edited", "srv/linked", "srv/touched"]);
    assert_eq!(report.warnings.len(), 3);
    for (name, warning) in ["touched", "linked", "edited"].iter().zip(&report.warnings) {
        let path = world.host("srv").join(name);
        assert_eq!(
            *warning,
            format!("{} is kept: it is not as this deployment group wrote it", path.display())
        );
    }
}

#[test]
fn a_file_of_ours_that_a_script_edited_is_replaced_and_that_is_told() {
    let world = World::new();
    let one = world.archive("one", &[("a/config", "1")]);
    let two = world.archive("two", &[("a/config", "2")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    fs::write(world.host("srv/config"), "edited").unwrap();
    let report = world.install(&two, &spec).unwrap();
    assert_eq!(world.seen()["srv/config"], "644 0:0 \"2\"");
    let config = world.host("srv/config");
    assert_eq!(
        report.warnings,
        [format!("{} was changed since it was installed; it is replaced", config.display())]
    );
}

#[test]
fn a_file_that_a_script_edited_comes_back_after_a_revision_without_it() {
    let world = World::new();
    let one = world.archive("one", &[("a/config", "1"), ("a/other", "1")]);
    let two = world.archive("two", &[("a/other", "2")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    fs::write(world.host("srv/config"), "edited").unwrap();
    let config = world.host("srv/config");
    let kept = format!("{} is kept: it is not as this deployment group wrote it", config.display());
    for _ in 0..2 {
        assert_eq!(world.install(&two, &spec).unwrap().warnings, std::slice::from_ref(&kept));
        assert_eq!(world.seen()["srv/config"], "644 0:0 \"edited\"");
    }
    let report = world.install(&one, &spec).unwrap();
    assert_eq!(
        report.warnings,
        [format!("{} was changed since it was installed; it is replaced", config.display())]
    );
    assert_eq!(world.seen()["srv/config"], "644 0:0 \"1\"");
}

#[test]
fn a_file_that_somebody_made_a_directory_of_is_the_group_s_no_more() {
    let world = World::new();
    let one = world.archive("one", &[("a/config", "1")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    fs::remove_file(world.host("srv/config")).unwrap();
    fs::create_dir(world.host("srv/config")).unwrap();
    world.install(&one, &world.spec(&[], vec![])).unwrap();
    fs::remove_dir(world.host("srv/config")).unwrap();
    fs::write(world.host("srv/config"), "theirs").unwrap();
    assert_eq!(world.install(&one, &spec).unwrap_err().reason(), "FileExists");
}

#[test]
fn a_file_becomes_a_directory_and_a_directory_a_file() {
    let world = World::new();
    let one = world.archive("one", &[("a/x", "file"), ("a/y/deep/file", "d"), ("a/y/other", "o")]);
    let two = world.archive("two", &[("a/x/deep/file", "d"), ("a/y", "file")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    let report = world.install(&two, &spec).unwrap();
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(names(&world.seen()), ["srv", "srv/x", "srv/x/deep", "srv/x/deep/file", "srv/y"]);
    world.write(&world.host("srv/x/deep/theirs"), "t");
    let refused = world.install(&one, &spec).unwrap_err();
    assert_eq!(refused.reason(), "InTheWay");
    assert_eq!(world.seen()["srv/y"], "644 0:0 \"file\"");
}

#[test]
fn links_to_directories_are_followed_within_the_bundle_and_refused_beyond() {
    let world = World::new();
    let one = world
        .archive("one", &[("a/real/file", "x"), ("b/l -> ../a/real", ""), ("b/f -> ../a/real/file", "")]);
    world.install(&one, &world.spec(&[("b", "srv")], vec![])).unwrap();
    let seen = world.seen();
    assert_eq!(seen["srv/l"], "755 0:0 directory");
    assert_eq!(seen["srv/l/file"], "644 0:0 \"x\"");
    assert_eq!(seen["srv/f"], "777 0:0 -> ../a/real/file");
    for (name, target, reason) in [
        ("loop", "..", "LinkLoops"),
        ("self", "self", "LinkLoops"),
        ("out", "../../..", "LinkLeaves"),
        ("etc", "/etc", "LinkLeaves"),
        ("nowhere", "/nowhere", "LinkLeaves"),
    ] {
        let archive = world.archive(name, &[("b/file", "x"), (&format!("b/{name} -> {target}"), "")]);
        let refused = world.install(&archive, &world.spec(&[("b", "srv")], vec![])).unwrap_err();
        assert_eq!(refused.reason(), reason, "{refused}");
    }
    assert_eq!(world.seen(), seen);
}

#[test]
fn the_host_s_links_above_a_destination_are_followed() {
    let world = World::new();
    fs::create_dir_all(world.host("data/www")).unwrap();
    symlink("data", world.host("var")).unwrap();
    let one = world.archive("one", &[("a/index", "i")]);
    world.install(&one, &world.spec(&[("a", "var/www")], vec![])).unwrap();
    assert_eq!(world.seen()["data/www/index"], "644 0:0 \"i\"");
}

#[test]
fn a_destination_s_link_is_replaced_and_its_target_stays_as_it_is() {
    let mut world = World::new();
    world.behavior = FileExists::Overwrite;
    world.write(&world.host("precious"), "p");
    fs::create_dir(world.host("srv")).unwrap();
    symlink("../precious", world.host("srv/a")).unwrap();
    symlink("../nowhere", world.host("srv/b")).unwrap();
    let one = world.archive("one", &[("x/a", "new"), ("x/b", "new")]);
    let mut permission = world.permission("srv");
    permission.mode = Some(0o600);
    world.install(&one, &world.spec(&[("x", "srv")], vec![permission])).unwrap();
    let seen = world.seen();
    assert_eq!((&*seen["srv/a"], &*seen["srv/b"]), ("600 0:0 \"new\"", "600 0:0 \"new\""));
    assert_eq!(seen["precious"], "644 0:0 \"p\"");
    assert!(!seen.contains_key("nowhere"));
}

#[test]
fn large_files_come_whole_whichever_way_they_are_copied() {
    for world in [World::new(), World::on_disk()] {
        let large = "0123456789abcdef".repeat(40_000);
        let archive =
            world.archive("one", &[("a/large", &large), ("a/edge", &large[..65_536]), ("a/none", "")]);
        world.install(&archive, &world.spec(&[("a", "srv")], vec![])).unwrap();
        assert_eq!(fs::read_to_string(world.host("srv/large")).unwrap(), large);
        assert_eq!(fs::read(world.host("srv/edge")).unwrap().len(), 65_536);
        assert_eq!(fs::read(world.host("srv/none")).unwrap().len(), 0);
    }
}

#[test]
fn of_more_than_is_told_the_rest_is_counted() {
    let world = World::new();
    let named: Vec<String> = (0..120).map(|number| format!("a/f{number}")).collect();
    let files: Vec<(&str, &str)> = named.iter().map(|name| (name.as_str(), "1")).collect();
    let (one, two) = (world.archive("one", &files), world.archive("two", &[("a/f", "2")]));
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    for number in 0..120 {
        fs::write(world.host(&format!("srv/f{number}")), "edited").unwrap();
    }
    let said = world.install(&two, &spec).unwrap().warnings;
    assert_eq!((said.len(), said[99].as_str()), (100, "and 21 more of these"));
}
