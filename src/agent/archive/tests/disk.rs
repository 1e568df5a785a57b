//! Disks that cannot hold a bundle.

use std::fs;

use super::super::{Options, unpack};
use super::build_tar::{Raw, Tar};
use crate::agent::small_disk::SmallDisk;

#[test]
fn a_disk_or_its_inodes_that_run_out_are_named_and_given_back() {
    let bytes =
        (0..40).fold(Tar::default(), |tar, n| tar.raw(Raw::new(format!("f{n}"), b'0').body([7; 4096])));
    let large = bytes.end();
    let many = (0..300).fold(Tar::default(), |tar, n| tar.file(format!("d{n}/f"), "x")).end();
    for (kibibytes, inodes, bytes) in [(100, 1_000, &large), (10_000, 200, &many)] {
        let Some(disk) = SmallDisk::of(kibibytes, inodes) else { return };
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        fs::write(&bundle, bytes).unwrap();
        let before = disk.free();
        let refused = unpack(&bundle, None, &disk.path().join("into"), &Options::default()).unwrap_err();
        assert_eq!(refused.reason(), "DiskFull", "{refused}");
        assert!(refused.to_string().contains("; free space or inodes there"), "{refused}");
        assert_eq!(disk.free(), before);
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
        disk.remount("ro");
        let refused = unpack(&bundle, None, &disk.path().join("into"), &Options::default()).unwrap_err();
        assert_eq!(refused.reason(), "FileSystemReadOnly", "{refused}");
    }
}
