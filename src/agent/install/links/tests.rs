//! Where links lead, one condition after the other.

use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::io::Errno;

use super::*;
use crate::agent::install::steps::Steps;

/// A directory that nobody but who runs the tests can change, by its real path.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A path with its links followed, where the group has written `ours`; a path by its text, since `a` and `a/` are equal as paths.
fn real(root: &Path, path: &str, ours: &[&str]) -> Result<String, ErrorKind> {
    let ours: Vec<PathBuf> = ours.iter().map(|path| root.join(path)).collect();
    let is_ours = |path: &str| ours.iter().any(|own| text(own) == path);
    let real = real_path(&root.join(path), &is_ours).map_err(|error| error.kind())?;
    Ok(text(&real).strip_prefix(&format!("{}/", text(root))).unwrap().to_owned())
}

#[test]
fn a_path_is_real_as_far_as_it_is_there_and_a_file_is_its_end() {
    let (_folder, root) = place();
    fs::create_dir_all(root.join("data/d")).unwrap();
    fs::write(root.join("data/f"), "").unwrap();
    symlink("data", root.join("l")).unwrap();
    for (path, expected) in [
        ("l", Ok("data")),
        ("data", Ok("data")),
        ("l/d", Ok("data/d")),
        ("l/d/new/deep", Ok("data/d/new/deep")),
        ("l/f", Ok("data/f")),
        ("l/f/new", Err(ErrorKind::NotADirectory)),
        ("new", Ok("new")),
    ] {
        assert_eq!(real(&root, path, &[]), expected.map(str::to_owned), "{path}");
    }
    symlink("gone", root.join("dead")).unwrap();
    assert_eq!(real(&root, "dead/x", &[]), Err(ErrorKind::NotFound));
}

#[test]
fn a_link_of_the_group_s_own_is_where_a_path_ends_and_a_directory_of_its_own_is_not() {
    let (_folder, root) = place();
    fs::create_dir_all(root.join("data")).unwrap();
    fs::create_dir_all(root.join("srv/app")).unwrap();
    symlink("../../data", root.join("srv/app/l")).unwrap();
    symlink("srv", root.join("up")).unwrap();
    for (path, ours, expected) in [
        ("srv/app/l/x", &["srv/app/l"][..], "srv/app/l/x"),
        ("up/app/l", &["srv/app/l"], "srv/app/l"),
        ("srv/app/l/x", &["srv/app"], "data/x"),
        ("srv/app/l/x", &["up/app/l"], "data/x"),
    ] {
        assert_eq!(real(&root, path, ours), Ok(expected.into()), "{path} with {ours:?}");
    }
}

#[test]
fn of_two_links_of_the_group_s_own_on_one_path_the_outer_one_counts() {
    let (_folder, root) = place();
    fs::create_dir_all(root.join("moved")).unwrap();
    fs::create_dir_all(root.join("data")).unwrap();
    symlink("moved", root.join("app")).unwrap();
    symlink("../data", root.join("moved/x")).unwrap();
    assert_eq!(real(&root, "app/x/y", &["app", "moved/x"]), Ok("app/x/y".into()));
    assert_eq!(real(&root, "app/x/y", &["moved/x"]), Ok("moved/x/y".into()));
}

/// What is done with a path where a directory is wanted.
fn way(path: &Path) -> Option<String> {
    let steps = Steps::default();
    let host = Host::new(&steps).unwrap();
    followed(&host, text(path), &|_| false, false).unwrap()
}

#[test]
fn only_links_to_directories_are_followed_whoever_can_write_beside_what_is_none() {
    let (_folder, root) = place();
    fs::create_dir(root.join("data")).unwrap();
    fs::write(root.join("f"), "").unwrap();
    for (link, target) in [("l", "data"), ("file", "f"), ("dead", "gone"), ("root", "/")] {
        symlink(target, root.join(link)).unwrap();
    }
    assert_eq!(way(&root.join("l")), Some(text(&root.join("data")).into()));
    assert_eq!(way(&root.join("root")), Some(String::new()), "the root's path is the empty one");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    for name in ["data", "f", "file", "dead", "new"] {
        assert_eq!(way(&root.join(name)), None, "{name}");
    }
}

#[test]
fn a_directory_that_the_group_or_others_may_write_to_is_doubted_with_all_of_its_mode() {
    let (_folder, root) = place();
    fs::create_dir(root.join("d")).unwrap();
    symlink("d", root.join("l")).unwrap();
    for (mode, is_doubted) in [(0o755, false), (0o1777, false), (0o775, true), (0o757, true), (0o2722, true)]
    {
        fs::set_permissions(&root, fs::Permissions::from_mode(mode)).unwrap();
        let found = chased(&root.join("l")).unwrap();
        let owner = geteuid().as_raw();
        let doubt = Doubt { directory: root.clone(), owner, mode };
        assert_eq!(found, if is_doubted { Err(doubt) } else { Ok(root.join("d")) }, "{mode:o}");
    }
}

#[test]
fn as_many_links_are_passed_as_by_the_kernel() {
    let (_folder, root) = place();
    fs::create_dir(root.join("l0")).unwrap();
    for number in 1..=LINKS + 1 {
        symlink(format!("l{}", number - 1), root.join(format!("l{number}"))).unwrap();
    }
    assert_eq!(chased(&root.join(format!("l{LINKS}"))), Ok(Ok(root.join("l0"))));
    assert!(root.join(format!("l{LINKS}")).is_dir());
    assert_eq!(chased(&root.join(format!("l{}", LINKS + 1))), Err(Errno::LOOP));
    assert!(!root.join(format!("l{}", LINKS + 1)).is_dir());
}
