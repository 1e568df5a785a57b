//! What stands against an installation is found before anything is touched.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::steps::Steps;
use super::world::{World, seen};
use crate::appspec::{FileExists, Os};

#[test]
fn a_foreign_file_is_a_conflict_or_replaced_or_kept() {
    for (behavior, expected) in [
        (FileExists::Disallow, Err("FileExists")),
        (FileExists::Overwrite, Ok("644 0:0 \"ours\"")),
        (FileExists::Retain, Ok("644 0:0 \"theirs\"")),
    ] {
        let mut world = World::new();
        world.behavior = behavior;
        world.write(&world.host("srv/file"), "theirs");
        let one = world.archive("one", &[("a/file", "ours"), ("a/new", "n")]);
        let before = world.seen();
        let installed = world.install(&one, &world.spec(&[("a", "srv")], vec![]));
        match expected {
            Ok(seen) => {
                let report = installed.unwrap();
                assert_eq!(world.seen()["srv/file"], seen);
                assert_eq!(report.retained, u64::from(behavior == FileExists::Retain));
                world.install(&one, &world.spec(&[], vec![])).unwrap();
                let is_left = world.seen().contains_key("srv/file");
                assert_eq!(is_left, behavior == FileExists::Retain, "only what we wrote is ever cleaned");
            }
            Err(reason) => {
                let refused = installed.unwrap_err();
                assert_eq!(refused.reason(), reason);
                assert!(
                    refused.to_string().starts_with(world.host("srv/file").to_str().unwrap()),
                    "{refused}"
                );
                assert_eq!(world.seen(), before);
            }
        }
        assert_eq!(world.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn what_the_appspec_says_wins_over_what_the_deployment_says() {
    let world = World::new();
    world.write(&world.host("srv/file"), "theirs");
    let one = world.archive("one", &[("a/file", "ours")]);
    let mut spec = world.spec(&[("a", "srv")], vec![]);
    spec.file_exists_behavior = Some(FileExists::Overwrite);
    world.install(&one, &spec).unwrap();
    assert_eq!(world.seen()["srv/file"], "644 0:0 \"ours\"");
}

#[test]
fn every_conflict_is_counted() {
    let world = World::new();
    ["a", "b", "c"].iter().for_each(|name| world.write(&world.host(&format!("srv/{name}")), ""));
    let one = world.archive("one", &[("x/a", ""), ("x/b", ""), ("x/c", "")]);
    let refused = world.install(&one, &world.spec(&[("x", "srv")], vec![])).unwrap_err().to_string();
    assert!(refused.contains("(nor are 2 other files)"), "{refused}");
}

#[test]
fn what_cannot_be_planned_is_refused_with_its_line_and_touches_nothing() {
    let world = World::new();
    world.write(&world.host("file"), "f");
    symlink("nowhere", world.host("dangling")).unwrap();
    fs::create_dir_all(world.host("srv/dir")).unwrap();
    let one = world.archive("one", &[("a/f", "1"), ("b/f", "2"), ("a/dir", "x")]);
    let before = world.seen();
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("nothing", "srv")], "SourceMissing"),
        (&[("a/*", "srv")], "SourceMissing"),
        (&[("../two", "srv")], "SourceMissing"),
        (&[("a", "file/srv")], "DestinationInvalid"),
        (&[("a", "dangling/srv")], "DestinationInvalid"),
        (&[("a", "x/../srv")], "DestinationInvalid"),
        (&[("a", "new"), ("b/f", "new")], "TargetTwice"),
        (&[("a", "srv")], "InTheWay"),
    ];
    for (files, reason) in cases {
        let refused = world.install(&one, &world.spec(files, vec![])).unwrap_err();
        assert_eq!(refused.reason(), reason, "{refused}");
    }
    world.archive("two", &[("f", "outside")]);
    let refused = world.install(&one, &world.spec(&[("../two", "srv")], vec![])).unwrap_err();
    assert_eq!(refused.reason(), "SourceOutside");
    let mut spec = world.spec(&[("a", "srv2")], vec![]);
    spec.files[0].destination = "relative".into();
    assert_eq!(world.install(&one, &spec).unwrap_err().reason(), "DestinationInvalid");
    spec.os = Os::Windows;
    assert_eq!(world.install(&one, &spec).unwrap_err().reason(), "WrongOs");
    let refused =
        world.install(&one, &world.spec(&[("a", "n"), ("b", "n")], vec![])).unwrap_err().to_string();
    assert!(refused.starts_with("lines 4 and 5: both put something at "), "{refused}");
    assert_eq!(world.seen(), before);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn two_groups_on_one_host_do_not_mix() {
    let mut world = World::new();
    let one = world.archive("one", &[("x/shared", "a"), ("x/own-a", "a")]);
    let two = world.archive("two", &[("x/shared", "b"), ("x/own-b", "b")]);
    let spec = world.spec(&[("x", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    world.group = "group-b".into();
    assert_eq!(world.install(&two, &spec).unwrap_err().reason(), "FileExists");
    world.behavior = FileExists::Overwrite;
    world.install(&two, &spec).unwrap();
    assert_eq!(world.seen()["srv/shared"], "644 0:0 \"b\"");
    world.group = "group-a".into();
    world.behavior = FileExists::Disallow;
    assert_eq!(world.install(&one, &spec).unwrap_err().reason(), "FileExists", "it is the other group's now");
    let report = world.install(&one, &world.spec(&[], vec![])).unwrap();
    let shared = world.host("srv/shared");
    assert_eq!(
        report.warnings,
        [format!("{} is kept: it is the deployment group group-b's now", shared.display())]
    );
    let seen = world.seen();
    assert_eq!(super::world::names(&seen), ["srv", "srv/own-b", "srv/shared"]);
    world.group = "group-b".into();
    world.install(&two, &world.spec(&[], vec![])).unwrap();
    assert_eq!(super::world::names(&world.seen()), ["srv"], "the directory was the other group's");
}

#[test]
fn a_path_that_was_taken_can_be_taken_back() {
    let mut world = World::new();
    world.behavior = FileExists::Overwrite;
    let (one, two) = (world.archive("one", &[("x", "a")]), world.archive("two", &[("x", "b")]));
    let spec = world.spec(&[("x", "srv")], vec![]);
    for (group, archive) in [("a", &one), ("b", &two), ("a", &one)] {
        world.group = group.into();
        world.install(archive, &spec).unwrap();
    }
    world.group = "b".into();
    world.install(&two, &world.spec(&[], vec![])).unwrap();
    assert_eq!(world.seen()["srv/x"], "644 0:0 \"a\"");
    world.group = "a".into();
    world.install(&one, &world.spec(&[], vec![])).unwrap();
    assert!(!world.seen().contains_key("srv/x"));
}

#[test]
fn a_group_s_id_is_part_of_a_name_and_no_path() {
    let mut world = World::new();
    let one = world.archive("one", &[("x", "a")]);
    for id in ["", "..", "a/b", "../x", ".hidden", "a\0b"] {
        world.group = id.into();
        let refused = world.install(&one, &world.spec(&[("x", "srv")], vec![])).unwrap_err();
        assert_eq!(refused.reason(), "GroupIdInvalid");
    }
}

#[test]
fn a_record_that_is_not_ours_is_never_acted_on() {
    let world = World::new();
    world.write(&world.host("srv/x"), "precious");
    let theirs = format!("{}\n", world.host("srv/x").display());
    world.write(&world.state().join("group-a.record"), &theirs);
    let one = world.archive("one", &[("y", "a")]);
    let refused = world.install(&one, &world.spec(&[("y", "srv")], vec![])).unwrap_err();
    assert_eq!(refused.reason(), "StateUnreadable");
    assert_eq!(world.seen()["srv/x"], "644 0:0 \"precious\"");
}

#[test]
fn what_a_newer_agent_wrote_is_left_as_it_is_and_the_agent_that_reads_it_is_asked_for() {
    for (file, has_new_words) in [
        ("group-a.record", false),
        ("group-a.record", true),
        ("group-b.record", true),
        ("group-a.journal", true),
    ] {
        let world = World::new();
        let spec = world.spec(&[("x", "srv")], vec![]);
        let (one, two) = (world.archive("one", &[("x", "a")]), world.archive("two", &[("x", "b")]));
        world.install(&one, &spec).unwrap();
        let record = fs::read_to_string(world.state().join("group-a.record")).unwrap();
        let mut newer = record.replace("\"version\":1,", "\"version\":2,");
        if has_new_words {
            newer = newer.replace("\"version\":2,", "\"version\":2,\"kernel\":{\"name\":7},")
                + "{\"unheard\":[]}\n";
        }
        world.write(&world.state().join(file), &newer);
        let before = (world.seen(), seen(&world.state()));
        let refused = world.install(&two, &spec).unwrap_err();
        let said = refused.to_string();
        assert_eq!(refused.reason(), "StateNewer", "{file}: {said}");
        assert!(
            said.starts_with(&format!("{} is in form 2, ", world.state().join(file).display())),
            "{said}"
        );
        assert!(said.contains("install that agent again") && !said.contains("move it away"), "{said}");
        let recovered = world.recover_by(&Steps::default()).unwrap();
        assert_eq!(
            recovered.iter().filter(|(_, outcome)| outcome.is_err()).count(),
            usize::from(file.ends_with("journal"))
        );
        assert_eq!((world.seen(), seen(&world.state())), before, "{file}");
    }
}
