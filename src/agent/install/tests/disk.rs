//! Disks that cannot hold the new revision beside the old one.

use std::os::unix::fs::symlink;

use super::world::{World, seen};
use crate::agent::small_disk::SmallDisk;

#[test]
fn a_disk_that_is_full_or_read_only_keeps_the_old_revision_whole_and_its_space() {
    for (kibibytes, inodes, reason) in
        [(300, 1_000, "DiskFull"), (10_000, 60, "DiskFull"), (10_000, 1_000, "ro")]
    {
        let Some(disk) = SmallDisk::of(kibibytes, inodes) else { return };
        let world = World::new();
        symlink(disk.path(), world.host("disk")).unwrap();
        let content = "0123456789abcdef".repeat(256);
        let names: Vec<String> = (0..50).map(|n| format!("app/f{n}")).collect();
        let files =
            |content: &'static str| names.iter().map(move |name| (&**name, content)).collect::<Vec<_>>();
        let one = world.archive("one", &files("v1"));
        let two = world.archive("two", &names.iter().map(|name| (&**name, &*content)).collect::<Vec<_>>());
        let spec = world.spec(&[("app", "disk/srv")], vec![]);
        world.install(&one, &spec).unwrap();
        let (old, free) = (seen(disk.path()), disk.free());
        assert_eq!(old.len(), 51);
        if reason == "ro" {
            disk.remount("ro");
        }
        let refused = world.install(&two, &spec).unwrap_err();
        assert_eq!(refused.reason(), if reason == "ro" { "FileSystemReadOnly" } else { reason }, "{refused}");
        assert_eq!((seen(disk.path()), disk.free()), (old, free));
        assert_eq!(world.leftovers(), Vec::<String>::new());
        if reason == "ro" {
            disk.remount("rw");
            world.install(&two, &spec).unwrap();
        }
    }
}

#[test]
fn a_state_that_cannot_be_written_keeps_the_old_revision_whole() {
    let Some(disk) = SmallDisk::of(64, 100) else { return };
    let world = World::new();
    std::fs::create_dir(world.state()).unwrap();
    let state = disk.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::remove_dir(world.state()).unwrap();
    symlink(&state, world.state()).unwrap();
    let names: Vec<String> = (0..400).map(|n| format!("app/{}{n}", "long-name-".repeat(15))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "x")).collect();
    let (one, two) = (world.archive("one", &files[..20]), world.archive("two", &files));
    let spec = world.spec(&[("app", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    let (old, free) = (world.seen(), disk.free());
    assert_eq!(world.install(&two, &spec).unwrap_err().reason(), "DiskFull");
    assert_eq!((world.seen(), disk.free()), (old, free));
    assert_eq!(world.leftovers(), Vec::<String>::new());
}
