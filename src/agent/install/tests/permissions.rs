//! Owners, modes and lists: on what was put in place, and on nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::world::World;
use crate::appspec::{Acl, AclKind, FileExists, SelinuxContext};

/// True for who may give files away.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        crate::agent::small_disk::skip("only root may give files away");
    }
    is_root
}

fn list(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(1024);
    rustix::fs::getxattr(path, name, rustix::buffer::spare_capacity(&mut value)).ok().map(|_| value)
}

#[test]
fn patterns_reach_what_they_say() {
    let world = World::new();
    let one = world.archive(
        "one",
        &[("a/run.sh", ""), ("a/keep.sh", ""), ("a/text", ""), ("a/sub/run.sh", ""), ("a/l -> text", "")],
    );
    let mut scripts = world.permission("srv");
    (scripts.pattern, scripts.except, scripts.mode) = ("*.sh".into(), vec!["keep*".into()], Some(0o700));
    let mut below = world.permission("srv/sub");
    (below.mode, below.files) = (Some(0o750), true);
    let mut directories = world.permission("");
    (directories.files, directories.mode) = (false, Some(0o2711));
    let spec = world.spec(&[("a", "srv")], vec![scripts, below, directories]);
    world.install(&one, &spec).unwrap();
    let modes: Vec<String> = world
        .seen()
        .iter()
        .map(|(name, seen)| format!("{name} {}", seen.split(' ').next().unwrap()))
        .collect();
    assert_eq!(
        modes,
        [
            "srv 2711",
            "srv/keep.sh 755",
            "srv/l 777",
            "srv/run.sh 700",
            "srv/sub 2711",
            "srv/sub/run.sh 750",
            "srv/text 644"
        ]
    );
}

#[test]
fn a_permission_of_one_file_is_of_that_file() {
    let world = World::new();
    let one = world.archive("one", &[("a/x", ""), ("a/y", "")]);
    let mut file = world.permission("srv/x");
    file.mode = Some(0o600);
    world.install(&one, &world.spec(&[("a", "srv")], vec![file.clone()])).unwrap();
    assert!(world.seen()["srv/x"].starts_with("600 "));
    assert!(world.seen()["srv/y"].starts_with("644 "));
    file.pattern = "*".into();
    let refused = world.install(&one, &world.spec(&[("a", "srv")], vec![file])).unwrap_err();
    assert_eq!(refused.reason(), "PatternOnFile");
}

#[test]
fn what_cannot_be_given_is_found_before_anything_is_touched() {
    let world = World::new();
    let one = world.archive("one", &[("a/x", "")]);
    let with = |change: &dyn Fn(&mut crate::appspec::Permission)| {
        let mut permission = world.permission("srv");
        change(&mut permission);
        let refused = world.install(&one, &world.spec(&[("a", "srv")], vec![permission])).unwrap_err();
        assert!(refused.to_string().contains("line 20"), "{refused}");
        refused.reason()
    };
    assert_eq!(with(&|p| p.owner = Some("no-such-user".into())), "UnknownAccount");
    assert_eq!(with(&|p| p.group = Some("no-such-group".into())), "UnknownAccount");
    assert_eq!(with(&|p| p.mode = Some(0o4755)), "SetIdMode");
    let acl =
        |is_default, name: &str| Acl { is_default, kind: AclKind::User, name: name.into(), permissions: 6 };
    assert_eq!(with(&|p| p.acls = vec![acl(false, "no-such-user")]), "UnknownAccount");
    assert_eq!(with(&|p| p.acls = vec![acl(true, "root")]), "DefaultAclOnFile");
    if !crate::agent::permissions::is_available("semanage") {
        let context = SelinuxContext { user: None, type_: "httpd_sys_content_t".into(), range: None };
        assert_eq!(with(&|p| p.context = Some(context.clone())), "SelinuxUnavailable");
    }
    let twice = vec![world.permission("srv"), world.permission("srv")];
    let refused = world.install(&one, &world.spec(&[("a", "srv")], twice)).unwrap_err();
    assert_eq!(refused.reason(), "PermissionTwice");
    assert!(world.seen().is_empty());
}

#[test]
fn the_owner_comes_before_the_mode() {
    if !is_root() {
        return;
    }
    let mut world = World::new();
    world.options.allow_set_id = true;
    let one = world.archive("one", &[("a/x", ""), ("a/d/", "")]);
    let mut permission = world.permission("srv");
    (permission.owner, permission.group, permission.mode) =
        (Some("nobody".into()), Some("root".into()), Some(0o4710));
    world.install(&one, &world.spec(&[("a", "srv")], vec![permission])).unwrap();
    let nobody = crate::agent::permissions::user_id("nobody").unwrap().unwrap();
    assert_eq!(world.seen()["srv/x"], format!("4710 {nobody}:0 \"\""));
    assert_eq!(world.seen()["srv/d"], format!("4710 {nobody}:0 directory"));
    assert!(world.seen()["srv"].starts_with("755 0:0"), "the object itself is not meant");
}

#[test]
fn lists_are_what_the_kernel_takes() {
    let world = World::new();
    let one = world.archive("one", &[("a/x", ""), ("a/d/", "")]);
    let acl =
        |is_default, kind, name: &str, permissions| Acl { is_default, kind, name: name.into(), permissions };
    let mut files = world.permission("srv");
    (files.directories, files.mode) = (false, Some(0o640));
    files.acls = vec![acl(false, AclKind::User, "nobody", 6)];
    let mut directories = world.permission("srv");
    directories.files = false;
    directories.acls = vec![acl(true, AclKind::User, "nobody", 7), acl(false, AclKind::Group, "root", 5)];
    let spec = world.spec(&[("a", "srv")], vec![files, directories]);
    world.install(&one, &spec).unwrap();
    let (access, default) = ("system.posix_acl_access", "system.posix_acl_default");
    assert_eq!(list(&world.host("srv/x"), access).unwrap().len(), 4 + 5 * 8);
    assert_eq!(list(&world.host("srv/d"), access).unwrap().len(), 4 + 5 * 8);
    assert_eq!(list(&world.host("srv/d"), default).unwrap().len(), 4 + 5 * 8);
    assert!(world.seen()["srv/x"].starts_with("640 "), "the mask is the group's: {}", world.seen()["srv/x"]);
}

#[test]
fn what_was_there_is_not_touched_and_our_own_directories_are() {
    let mut world = World::new();
    world.behavior = FileExists::Retain;
    world.write(&world.host("srv/theirs/old"), "o");
    world.write(&world.host("precious"), "p");
    symlink("../precious", world.host("srv/l")).unwrap();
    let one = world
        .archive("one", &[("a/theirs/old", "n"), ("a/theirs/new", "n"), ("a/ours/x", "x"), ("a/l", "l")]);
    let spec = |mode| {
        let mut permission = world.permission("srv");
        permission.mode = Some(mode);
        world.spec(&[("a", "srv")], vec![permission])
    };
    world.install(&one, &spec(0o700)).unwrap();
    world.write(&world.host("srv/ours/log"), "");
    world.install(&one, &spec(0o711)).unwrap();
    let seen = world.seen();
    for (name, mode) in [
        ("precious", "644 "),
        ("srv", "755 "),
        ("srv/theirs", "755 "),
        ("srv/theirs/old", "644 "),
        ("srv/theirs/new", "711 "),
        ("srv/ours", "711 "),
        ("srv/ours/x", "711 "),
        ("srv/ours/log", "644 "),
    ] {
        assert!(seen[name].starts_with(mode), "{name}: {}", seen[name]);
    }
}

#[test]
fn permissions_about_nothing_are_told() {
    let world = World::new();
    let one = world.archive("one", &[("a/x", "")]);
    fs::create_dir(world.host("other")).unwrap();
    let spec = world.spec(&[("a", "srv")], vec![world.permission("other")]);
    let report = world.install(&one, &spec).unwrap();
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].starts_with("line 20: the permissions of "), "{}", report.warnings[0]);
}
