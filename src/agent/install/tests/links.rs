//! The host's links: followed where root alone could have laid them, put back where a script made them of the group's own, and what becomes of what went through one
//! that was turned since.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;

use super::super::steps::Steps;
use super::world::{World, names};
use crate::appspec::FileExists;

const MODES: [FileExists; 3] = [FileExists::Disallow, FileExists::Overwrite, FileExists::Retain];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn relink(target: &str, link: &Path) {
    let _ = fs::remove_file(link);
    symlink(target, link).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A host as they are: `lib` is a link to `usr/lib`.
fn usr_merged(behavior: FileExists) -> World {
    let mut world = World::new();
    world.behavior = behavior;
    world.write(&world.host("usr/lib/ld.so"), "loader");
    symlink("usr/lib", world.host("lib")).unwrap();
    world
}

#[test]
fn a_bundle_laid_over_a_root_goes_through_its_links_in_every_mode() {
    for behavior in MODES {
        let world = usr_merged(behavior);
        let before = world.seen();
        let one = world.archive("one", &[("r/lib/systemd/system/x.service", "1"), ("r/lib/gone", "1")]);
        let two = world.archive("two", &[("r/lib/systemd/system/x.service", "2")]);
        let spec = world.spec(&[("r", "")], vec![]);
        let report = world.install(&one, &spec).unwrap();
        assert_eq!((report.files, report.retained, report.warnings), (2, 0, vec![]), "{behavior:?}");
        let seen = world.seen();
        assert_eq!(seen["lib"], "777 0:0 -> usr/lib");
        assert_eq!(seen["usr/lib/ld.so"], "644 0:0 \"loader\"");
        assert_eq!(seen["usr/lib/systemd/system/x.service"], "644 0:0 \"1\"");
        let report = world.install(&two, &spec).unwrap();
        assert_eq!((report.removed, report.warnings), (1, vec![]), "{behavior:?}");
        assert!(!world.host("usr/lib/gone").exists());
        world.install(&one, &spec).unwrap();
        assert_eq!(world.seen(), seen, "a rollback");
        let report = world.install(&two, &world.spec(&[], vec![])).unwrap();
        assert_eq!((report.removed, report.warnings), (4, vec![]), "{behavior:?}");
        assert_eq!(world.seen(), before, "what was put through the link goes, and the link stays");
    }
}

#[test]
fn the_root_itself_is_a_destination_like_another() {
    let world = usr_merged(FileExists::Overwrite);
    let at = world.host("lib/x").to_str().unwrap().trim_start_matches('/').to_owned();
    let one = world.archive("one", &[(&format!("r/{at}"), "1")]);
    let mut spec = world.spec(&[("r", "")], vec![]);
    spec.files[0].destination = "/".into();
    for _ in 0..2 {
        assert_eq!(world.install(&one, &spec).unwrap().warnings, Vec::<String>::new());
        assert_eq!(names(&world.seen()), ["lib", "usr", "usr/lib", "usr/lib/ld.so", "usr/lib/x"]);
    }
    world.install(&one, &world.spec(&[], vec![])).unwrap();
    assert_eq!(names(&world.seen()), ["lib", "usr", "usr/lib", "usr/lib/ld.so"]);
}

#[test]
fn a_link_is_followed_over_links_dots_and_out_of_the_destination() {
    let world = World::new();
    fs::create_dir_all(world.host("srv/app")).unwrap();
    fs::create_dir_all(world.host("mnt/data/deep")).unwrap();
    symlink(world.host("disk/data"), world.host("srv/app/data")).unwrap();
    symlink("./srv/../mnt", world.host("disk")).unwrap();
    let one = world.archive("one", &[("a/data/deep/f", "1"), ("a/data/g", "1")]);
    world.install(&one, &world.spec(&[("a", "srv/app")], vec![])).unwrap();
    let seen = world.seen();
    assert_eq!((&*seen["mnt/data/deep/f"], &*seen["mnt/data/g"]), ("644 0:0 \"1\"", "644 0:0 \"1\""));
}

/// Holds that a link is refused by its name in every mode, that nothing was touched, and that the opt-out takes it.
fn is_refused(world: &mut World, directory: &str) {
    let one = world.archive("one", &[("a/l/f", "1")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    let before = world.seen();
    for behavior in MODES {
        world.behavior = behavior;
        let refused = world.install(&one, &spec).unwrap_err();
        assert_eq!(refused.reason(), "LinkUntrusted");
        let said = refused.to_string();
        assert!(said.starts_with(&format!("{} is a link", world.host("srv/l").display())), "{said}");
        assert!(said.contains(&format!("change {}, which", world.host(directory).display())), "{said}");
        assert!(said.contains("allow FollowDirectoryLinks") && !said.contains("OVERWRITE"), "{said}");
        assert_eq!(world.seen(), before);
    }
    world.options.follow_directory_links = true;
    world.install(&one, &spec).unwrap();
    assert_eq!(world.seen()["data/real/f"], "644 0:0 \"1\"", "the opt-out");
    assert_eq!(world.seen()["srv/l"], before["srv/l"]);
}

/// A directory link below a destination.
fn linked() -> World {
    let world = World::new();
    fs::create_dir_all(world.host("data/real")).unwrap();
    fs::create_dir_all(world.host("srv")).unwrap();
    symlink("../data/real", world.host("srv/l")).unwrap();
    world
}

#[test]
fn a_link_that_others_than_root_can_turn_is_refused_by_name_in_every_mode() {
    let mut world = linked();
    set_mode(&world.host("srv"), 0o777);
    is_refused(&mut world, "srv");
    let mut world = linked();
    set_mode(&world.host("data"), 0o775);
    is_refused(&mut world, "data");
    if !is_root() {
        return;
    }
    let mut world = linked();
    lchown(world.host("srv"), Some(1234), None).unwrap();
    is_refused(&mut world, "srv");
    let mut world = linked();
    lchown(world.host("data"), Some(1234), None).unwrap();
    is_refused(&mut world, "data");
    let mut world = linked();
    set_mode(&world.host("srv"), 0o1777);
    lchown(world.host("srv/l"), Some(1234), None).unwrap();
    is_refused(&mut world, "srv");
}

#[test]
fn a_link_of_root_s_in_a_sticky_directory_is_followed_and_who_has_its_target_is_no_matter() {
    let world = linked();
    set_mode(&world.host("srv"), 0o1777);
    set_mode(&world.host("data/real"), 0o777);
    if is_root() {
        lchown(world.host("data/real"), Some(1234), Some(1234)).unwrap();
    }
    let one = world.archive("one", &[("a/l/f", "1")]);
    world.install(&one, &world.spec(&[("a", "srv")], vec![])).unwrap();
    assert_eq!(world.seen()["data/real/f"], "644 0:0 \"1\"");
    // Below it he can lay links himself.
    symlink("/etc", world.host("data/real/etc")).unwrap();
    let two = world.archive("two", &[("a/l/etc/f", "1")]);
    let refused = world.install(&two, &world.spec(&[("a", "srv")], vec![])).unwrap_err();
    assert_eq!(refused.reason(), "LinkUntrusted");
}

#[test]
fn a_link_to_nothing_is_never_traded_for_a_directory() {
    let mut world = linked();
    fs::remove_dir(world.host("data/real")).unwrap();
    let one = world.archive("one", &[("a/l/f", "1")]);
    for behavior in MODES {
        world.behavior = behavior;
        let refused = world.install(&one, &world.spec(&[("a", "srv")], vec![])).unwrap_err();
        assert_eq!(refused.reason(), "InTheWay", "{behavior:?}");
    }
    assert_eq!(world.seen()["srv/l"], "777 0:0 -> ../data/real");
}

#[test]
fn permissions_name_a_path_through_a_link_or_its_real_place_or_a_directory_above_the_link() {
    for (object, expected) in [
        ("srv/l", ["600", "600", "644"]),
        ("srv/l/d", ["644", "600", "644"]),
        ("srv/l/f", ["600", "644", "644"]),
        ("data/real", ["600", "600", "644"]),
        ("srv", ["600", "600", "600"]),
        ("data", ["600", "600", "644"]),
    ] {
        let world = linked();
        let one = world.archive("one", &[("a/l/f", "1"), ("a/l/d/f", "1"), ("a/f", "1")]);
        let mut permission = world.permission(object);
        (permission.mode, permission.directories) = (Some(0o600), false);
        let report = world.install(&one, &world.spec(&[("a", "srv")], vec![permission])).unwrap();
        assert_eq!(report.warnings, Vec::<String>::new(), "{object}");
        let seen = world.seen();
        let modes = ["data/real/f", "data/real/d/f", "srv/f"].map(|path| &seen[path][..3]);
        assert_eq!(modes, expected, "{object}");
    }
    let world = linked();
    let one = world.archive("one", &[("a/l/f", "1"), ("a/f", "1")]);
    let mut all = world.permission("srv");
    (all.mode, all.directories, all.except) = (Some(0o600), false, vec!["f".into()]);
    world.install(&one, &world.spec(&[("a", "srv")], vec![all])).unwrap();
    let seen = world.seen();
    assert_eq!(
        (&seen["data/real/f"][..3], &seen["srv/f"][..3]),
        ("600", "644"),
        "except is about direct children"
    );
}

#[test]
fn a_link_that_is_turned_while_it_is_installed_leads_nowhere_else() {
    let steps = Steps::with(|_| None);
    let install = |steps: &Steps| {
        let world = linked();
        world.write(&world.host("other/gone"), "theirs");
        let spec = world.spec(&[("a", "srv")], vec![]);
        world.install(&world.archive("one", &[("a/l/gone", "1"), ("a/l/f", "1")]), &spec).unwrap();
        let two = world.archive("two", &[("a/l/f", "2"), ("a/l/d/f", "2")]);
        HOST.with(|at| *at.borrow_mut() = Some(world.host("")));
        let installed = world.install_by(&two, &spec, steps);
        (world, installed)
    };
    let (world, installed) = install(&steps);
    installed.unwrap();
    let new = world.seen();
    for turned in 0..steps.taken() {
        let steps = Steps::with(move |step| {
            if step == turned {
                HOST.with(|at| {
                    let host = at.borrow().clone().unwrap();
                    relink("../other", &host.join("srv/l"));
                });
            }
            None
        });
        let (world, installed) = install(&steps);
        installed.unwrap();
        let mut seen = world.seen();
        assert_eq!(
            seen.insert("srv/l".into(), "777 0:0 -> ../data/real".into()).unwrap(),
            "777 0:0 -> ../other"
        );
        assert_eq!(seen, new, "turned at step {turned}");
    }
}

thread_local! {
    /// The host that the step's hook is to work on.
    static HOST: std::cell::RefCell<Option<std::path::PathBuf>> = const { std::cell::RefCell::new(None) };
}

/// Installs a file and a directory, makes links of them as scripts do, and gives the warnings that the next installation owes.
fn linked_by_a_script(world: &World) -> [String; 2] {
    world.write(&world.host("data/c"), "precious");
    world.write(&world.host("data/s/.keep"), "precious");
    fs::remove_file(world.host("srv/config")).unwrap();
    symlink("../data/c", world.host("srv/config")).unwrap();
    fs::remove_dir_all(world.host("srv/storage")).unwrap();
    symlink("../data/s", world.host("srv/storage")).unwrap();
    ["srv/config", "srv/storage"].map(|path| {
        format!("{} was changed since it was installed; it is replaced", world.host(path).display())
    })
}

#[test]
fn what_a_script_made_a_link_of_is_put_back_in_every_mode_and_the_link_s_target_stays() {
    for behavior in MODES {
        let mut world = World::new();
        world.behavior = behavior;
        let files = [("a/config", "1"), ("a/storage/.keep", "1"), ("a/storage/d/f", "1")];
        let one = world.archive("one", &files);
        let mut permission = world.permission("srv/storage");
        (permission.mode, permission.files) = (Some(0o750), false);
        let spec = world.spec(&[("a", "srv")], vec![permission]);
        world.install(&one, &spec).unwrap();
        let whole = world.seen();
        for _ in 0..2 {
            let expected = linked_by_a_script(&world);
            let report = world.install(&one, &spec).unwrap();
            assert_eq!((report.warnings, report.retained), (expected.to_vec(), 0), "{behavior:?}");
            let mut seen = world.seen();
            assert_eq!(seen["data/c"], "644 0:0 \"precious\"");
            assert_eq!(seen["data/s/.keep"], "644 0:0 \"precious\"");
            seen.retain(|path, _| path != "data" && !path.starts_with("data/"));
            assert_eq!(seen, whole, "{behavior:?}");
        }
        world.install(&one, &world.spec(&[], vec![])).unwrap();
        assert!(!names(&world.seen()).iter().any(|path| path.starts_with("srv/")));
    }
}

#[test]
fn what_lies_behind_a_link_that_is_put_back_is_no_way() {
    let world = World::new();
    let one = world.archive("one", &[("a/config", "1"), ("a/storage/.keep", "1")]);
    let two = world.archive("two", &[("a/config", "2"), ("a/storage/new/f", "2")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    linked_by_a_script(&world);
    fs::create_dir(world.host("data/elsewhere")).unwrap();
    symlink("../elsewhere", world.host("data/s/new")).unwrap();
    world.install(&two, &spec).unwrap();
    assert_eq!(world.seen()["srv/storage/new/f"], "644 0:0 \"2\"");
    assert_eq!(fs::read_dir(world.host("data/elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_directory_that_a_link_leads_through_cannot_become_a_file() {
    let world = World::new();
    let one = world.archive("one", &[("e/", "")]);
    let two = world.archive("two", &[("a/l/f", "2"), ("data", "2")]);
    world.install(&one, &world.spec(&[("e", "data/x"), ("e", "srv")], vec![])).unwrap();
    symlink("../data/x", world.host("srv/l")).unwrap();
    let refused = world.install(&two, &world.spec(&[("a", "srv"), ("data", "")], vec![])).unwrap_err();
    assert_eq!(refused.reason(), "TargetTwice", "{refused}");
}

#[test]
fn what_a_script_made_a_link_of_comes_back_after_a_revision_without_it() {
    let world = World::new();
    let one = world.archive("one", &[("a/config", "1"), ("a/storage/.keep", "1"), ("a/x", "1")]);
    let two = world.archive("two", &[("a/x", "2")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    let replaced = linked_by_a_script(&world);
    for _ in 0..2 {
        let report = world.install(&two, &spec).unwrap();
        let kept = ["srv/storage", "srv/config"].map(|path| {
            format!("{} is kept: it is not as this deployment group wrote it", world.host(path).display())
        });
        assert_eq!(report.warnings, kept);
        assert_eq!(world.seen()["srv/storage"], "777 0:0 -> ../data/s");
    }
    let report = world.install(&one, &spec).unwrap();
    assert_eq!(report.warnings, replaced);
    assert_eq!(world.seen()["srv/storage/.keep"], "644 0:0 \"1\"");
    assert_eq!(world.seen()["data/s/.keep"], "644 0:0 \"precious\"");
}

#[test]
fn a_destination_of_the_group_s_own_that_a_script_made_a_link_of_is_put_back() {
    let world = World::new();
    let one = world.archive("one", &[("a/f", "1")]);
    let mut permission = world.permission("srv/app");
    (permission.mode, permission.directories) = (Some(0o600), false);
    let spec = world.spec(&[("a", "srv/app")], vec![permission]);
    world.install(&one, &spec).unwrap();
    fs::rename(world.host("srv/app"), world.host("moved")).unwrap();
    symlink("../moved", world.host("srv/app")).unwrap();
    let report = world.install(&one, &spec).unwrap();
    let app = world.host("srv/app");
    assert_eq!(
        report.warnings,
        [format!("{} was changed since it was installed; it is replaced", app.display())]
    );
    let seen = world.seen();
    assert_eq!((&*seen["srv/app/f"], &*seen["moved/f"]), ("600 0:0 \"1\"", "600 0:0 \"1\""));
}

/// What is said of a release that a link was turned away from.
fn left(world: &World, real: &str, now: &str) -> String {
    format!(
        "what was installed into {} is kept and is this deployment group's no more: {} leads to {} now",
        world.host(real).display(),
        world.host("srv/app").display(),
        world.host(now).display()
    )
}

#[test]
fn a_destination_that_is_turned_to_a_new_release_keeps_the_earlier_ones() {
    let world = World::new();
    fs::create_dir_all(world.host("srv")).unwrap();
    let one = world.archive("one", &[("a/f", "1"), ("a/gone/g", "1")]);
    let two = world.archive("two", &[("a/f", "2")]);
    let spec = world.spec(&[("a", "srv/app")], vec![]);
    let release = |name: &str| {
        fs::create_dir_all(world.host("rel").join(name)).unwrap();
        relink(&format!("../rel/{name}"), &world.host("srv/app"));
    };
    release("1");
    assert_eq!(world.install(&one, &spec).unwrap().warnings, Vec::<String>::new());
    release("2");
    assert_eq!(world.install(&two, &spec).unwrap().warnings, [left(&world, "rel/1", "rel/2")]);
    release("3");
    assert_eq!(world.install(&two, &spec).unwrap().warnings, [left(&world, "rel/2", "rel/3")]);
    let seen = world.seen();
    for (path, content) in [("rel/1/f", "1"), ("rel/1/gone/g", "1"), ("rel/2/f", "2"), ("rel/3/f", "2")] {
        assert_eq!(seen[path], format!("644 0:0 {content:?}"), "{path}");
    }
    // The same release again: as ever.
    assert_eq!(world.install(&one, &spec).unwrap().warnings, Vec::<String>::new());
    let report = world.install(&two, &world.spec(&[], vec![])).unwrap();
    assert_eq!((report.removed, report.warnings), (3, vec![]));
    assert!(!world.host("rel/3/f").exists() && world.host("rel/2/f").exists());
}

#[test]
fn two_releases_that_take_turns_are_both_the_group_s() {
    let world = World::new();
    fs::create_dir_all(world.host("srv")).unwrap();
    let [one, two] = ["1", "2"].map(|name| world.archive(name, &[("a/f", name), ("a/l -> f", "")]));
    let spec = world.spec(&[("a", "srv/app")], vec![]);
    for (archive, release, content) in [
        (&one, "blue", "1"),
        (&two, "green", "2"),
        (&one, "blue", "1"),
        (&two, "green", "2"),
        (&two, "blue", "2"),
    ] {
        fs::create_dir_all(world.host(release)).unwrap();
        relink(&format!("../{release}"), &world.host("srv/app"));
        world.install(archive, &spec).unwrap();
        assert_eq!(world.seen()[&format!("{release}/f")], format!("644 0:0 {content:?}"));
    }
}

#[test]
fn what_a_user_of_the_host_turns_a_destination_to_is_not_the_group_s_by_its_name() {
    if !is_root() {
        return;
    }
    let mut world = World::new();
    fs::create_dir_all(world.host("home/app")).unwrap();
    lchown(world.host("home"), Some(4321), Some(4321)).unwrap();
    let one = world.archive("1", &[("a/bin/tool", "1")]);
    let spec = world.spec(&[("a", "home/app")], vec![]);
    world.install(&one, &spec).unwrap();
    fs::rename(world.host("home/app"), world.host("home/before")).unwrap();
    world.write(&world.host("usr/bin/tool"), "the host's");
    relink("../usr", &world.host("home/app"));
    let turned = world.seen();
    let refused = world.install(&one, &spec).unwrap_err();
    assert_eq!(refused.reason(), "FileExists");
    world.behavior = FileExists::Retain;
    world.install(&one, &spec).unwrap();
    assert_eq!(world.seen(), turned, "nothing there is taken for the group's");
    world.install(&one, &world.spec(&[], vec![])).unwrap();
    assert_eq!(world.seen(), turned, "and nothing is cleaned up");
}

#[test]
fn of_a_release_that_is_a_copy_of_the_one_before_what_is_not_in_the_new_revision_goes() {
    let world = World::new();
    fs::create_dir_all(world.host("srv")).unwrap();
    fs::create_dir_all(world.host("one")).unwrap();
    relink("../one", &world.host("srv/app"));
    let one = world.archive("1", &[("a/f", "1"), ("a/d/gone", "1"), ("a/edited", "1")]);
    let two = world.archive("2", &[("a/f", "2")]);
    let spec = world.spec(&[("a", "srv/app")], vec![]);
    world.install(&one, &spec).unwrap();
    world.write(&world.host("one/upload"), "theirs");
    let copied =
        std::process::Command::new("cp").arg("-a").arg(world.host("one")).arg(world.host("two")).status();
    assert!(copied.unwrap().success());
    fs::write(world.host("two/edited"), "mine").unwrap();
    relink("../two", &world.host("srv/app"));
    let report = world.install(&two, &spec).unwrap();
    let edited = world.host("two/edited");
    let kept = format!("{} is kept: it is not as this deployment group wrote it", edited.display());
    assert_eq!(report.warnings, [left(&world, "one", "two"), kept]);
    let expected = [
        "one",
        "one/d",
        "one/d/gone",
        "one/edited",
        "one/f",
        "one/upload",
        "srv",
        "srv/app",
        "two",
        "two/edited",
        "two/f",
        "two/upload",
    ];
    assert_eq!(names(&world.seen()), expected);
    assert_eq!(world.seen()["two/f"], "644 0:0 \"2\"");
}

#[test]
fn a_destination_that_was_moved_to_another_disk_and_linked_is_the_group_s_there() {
    let world = World::new();
    fs::create_dir_all(world.host("srv/app")).unwrap();
    let one = world.archive("1", &[("a/f", "1"), ("a/gone", "1")]);
    let two = world.archive("2", &[("a/f", "2")]);
    let spec = world.spec(&[("a", "srv/app")], vec![]);
    world.install(&one, &spec).unwrap();
    fs::rename(world.host("srv/app"), world.host("disk")).unwrap();
    symlink("../disk", world.host("srv/app")).unwrap();
    let report = world.install(&two, &spec).unwrap();
    assert_eq!((report.warnings, report.removed), (vec![], 1));
    assert_eq!(names(&world.seen()), ["disk", "disk/f", "srv", "srv/app"]);
}

#[test]
fn what_went_through_a_link_below_a_destination_that_was_turned_or_is_trusted_no_more_is_kept() {
    for is_trusted in [true, false] {
        let world = linked();
        fs::create_dir_all(world.host("other")).unwrap();
        let one = world.archive("one", &[("a/l/f", "1")]);
        world.install(&one, &world.spec(&[("a", "srv")], vec![])).unwrap();
        world.write(&world.host("other/f"), "1");
        let time = fs::metadata(world.host("data/real/f")).unwrap().modified().unwrap();
        fs::File::options().write(true).open(world.host("other/f")).unwrap().set_modified(time).unwrap();
        relink("../other", &world.host("srv/l"));
        if !is_trusted {
            set_mode(&world.host("srv"), 0o777);
        }
        let report = world.install(&one, &world.spec(&[], vec![])).unwrap();
        assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
        assert!(report.warnings[0].starts_with("what was installed into "), "{:?}", report.warnings);
        assert!(world.host("data/real/f").exists());
        // By its written name, as CodeDeploy's clean-up goes; but not where somebody else chose what that means.
        assert_eq!(world.host("other/f").exists(), !is_trusted);
        assert_eq!(world.seen()["srv/l"], "777 0:0 -> ../other");
    }
}

#[test]
fn a_link_of_the_bundle_s_own_makes_room_for_a_directory_wherever_it_leads() {
    let world = World::new();
    fs::create_dir_all(world.host("shared")).unwrap();
    let one = world.archive("one", &[("a/l -> ../shared", "")]);
    let two = world.archive("two", &[("a/l/f", "2")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    world.install(&one, &spec).unwrap();
    assert_eq!(world.install(&two, &spec).unwrap().warnings, Vec::<String>::new());
    assert_eq!(names(&world.seen()), ["shared", "srv", "srv/l", "srv/l/f"]);
}

#[test]
fn a_link_to_the_root_itself_is_followed() {
    let world = World::new();
    fs::create_dir(world.host("srv")).unwrap();
    symlink("/", world.host("srv/l")).unwrap();
    let at = world.host("d").to_str().unwrap().trim_start_matches('/').to_owned();
    let one = world.archive("one", &[(&format!("a/l/{at}/f"), "1")]);
    let spec = world.spec(&[("a", "srv")], vec![]);
    for _ in 0..2 {
        assert_eq!(world.install(&one, &spec).unwrap().warnings, Vec::<String>::new());
        assert_eq!(names(&world.seen()), ["d", "d/f", "srv", "srv/l"]);
    }
    assert_eq!(world.install(&one, &world.spec(&[], vec![])).unwrap().removed, 2);
    assert_eq!(names(&world.seen()), ["srv", "srv/l"]);
}

#[test]
fn a_destination_that_is_made_behind_a_link_is_below_what_the_link_lies_in() {
    let world = linked();
    let one = world.archive("one", &[("a/f", "1")]);
    let mut permission = world.permission("srv");
    (permission.mode, permission.files) = (Some(0o750), false);
    world.install(&one, &world.spec(&[("a", "srv/l/app")], vec![permission])).unwrap();
    assert_eq!(world.seen()["data/real/app"], "750 0:0 directory");
}

#[test]
fn a_destination_that_is_a_file_is_a_conflict_like_another() {
    for (behavior, expected) in [
        (FileExists::Disallow, Err("FileExists")),
        (FileExists::Overwrite, Ok(())),
        (FileExists::Retain, Err("InTheWay")),
    ] {
        let mut world = World::new();
        world.behavior = behavior;
        world.write(&world.host("srv/app"), "theirs");
        let one = world.archive("one", &[("a/f", "1")]);
        let installed = world.install(&one, &world.spec(&[("a", "srv/app")], vec![]));
        assert_eq!(installed.map(drop).map_err(|error| error.reason()), expected, "{behavior:?}");
    }
}
