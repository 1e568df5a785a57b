//! What a record says after links were turned, one condition after the other.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;
use crate::agent::install::Options;
use crate::appspec::{FileExists, Os, ServerSpec};

/// A host, and what a group has on it; paths are below the host's root.
struct Host {
    _folder: tempfile::TempDir,
    root: PathBuf,
    record: Record,
    follows_all: bool,
}

impl Host {
    fn new(directories: &[&str], links: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for directory in directories {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for (link, target) in links {
            symlink(root.join(target), root.join(link)).unwrap();
        }
        Self { _folder: folder, root, record: Record::default(), follows_all: false }
    }

    fn at(&self, path: &str) -> String {
        self.root.join(path).to_str().unwrap().to_owned()
    }

    fn way(mut self, written: &str, real: &str) -> Self {
        let way = Way { written: self.at(written), real: self.at(real) };
        self.record.ways.push(way);
        self
    }

    /// Files, and directories by a slash at their end.
    fn own(mut self, paths: &[&str]) -> Self {
        self.record.own = paths.iter().map(|path| self.entry(path)).collect();
        self
    }

    fn leaving(mut self, paths: &[&str]) -> Self {
        self.record.leaving = paths.iter().map(|path| self.entry(path)).collect();
        self
    }

    fn taken(mut self, path: &str) -> Self {
        self.record.taken = HashMap::from([(self.at(path).into(), "b".into())]);
        self
    }

    fn entry(&self, path: &str) -> Entry {
        match path.strip_suffix('/') {
            Some(directory) => Entry::Directory(self.at(directory).into()),
            None => Entry::File(self.at(path).into(), 1, 2, 3),
        }
    }

    /// Lets others write to a directory.
    fn opened(self, directory: &str) -> Self {
        fs::set_permissions(self.root.join(directory), fs::Permissions::from_mode(0o777)).unwrap();
        self
    }

    /// Reads the record; gives what it warns of.
    fn read(&mut self) -> Vec<String> {
        let options = Options { follow_directory_links: self.follows_all, ..Options::default() };
        let spec = ServerSpec {
            os: Os::Linux,
            files: vec![],
            file_exists_behavior: None,
            permissions: vec![],
            hooks: BTreeMap::new(),
            warnings: vec![],
        };
        let job = Job {
            spec: &spec,
            archive: &self.root,
            state: &self.root,
            group_id: "a",
            deployment_id: "d-1",
            deployment_uid: "u-1",
            behavior: FileExists::Disallow,
            options: &options,
        };
        follow(&mut self.record, &job)
    }

    /// What is the group's, and the ways, `written > real`.
    fn has(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let below = |path: &str| path.strip_prefix(&self.at("")).unwrap_or(path).to_owned();
        let paths = |entries: &[Entry]| entries.iter().map(|entry| below(entry.path())).collect();
        let way = |way: &Way| format!("{} > {}", below(&way.written), below(&way.real));
        (paths(&self.record.own), paths(&self.record.leaving), self.record.ways.iter().map(way).collect())
    }

    #[track_caller]
    fn becomes(mut self, warnings: usize, own: &[&str], ways: &[&str]) -> Self {
        let told = self.read();
        assert_eq!(told.len(), warnings, "{told:?}");
        let (has, _, leads) = self.has();
        assert_eq!(
            (has.iter().map(String::as_str).collect::<Vec<_>>(), leads),
            (own.to_vec(), ways.iter().map(ToString::to_string).collect())
        );
        self
    }
}

#[test]
fn of_ways_in_each_other_the_nearest_one_counts() {
    let host = Host::new(&["srv/1", "srv/2"], &[("app", "srv/2")]);
    let host = host.way("srv", "srv").way("app", "srv/1").own(&["srv/f", "srv/1/f", "srv/1/d/f"]);
    host.becomes(1, &["srv/f", "srv/2/f", "srv/2/d/f"], &["app > srv/2", "srv > srv"]);
    // The longer way may as well be the one that is as it was.
    let host = Host::new(&["srv/1", "other"], &[("app", "other")]);
    let host = host.way("app", "srv").way("srv/1", "srv/1").own(&["srv/f", "srv/1/f"]);
    host.becomes(1, &["other/f", "srv/1/f"], &["srv/1 > srv/1", "app > other"]);
}

#[test]
fn what_a_link_to_the_root_led_to_stays_the_group_s_where_it_is_when_the_link_is_turned() {
    let mut host = Host::new(&["data", "opt"], &[("l", "data")]).own(&["opt/", "d/f"]);
    let written = host.at("l");
    host.record.ways.push(Way { written, real: String::new() });
    host.becomes(0, &["opt", "d/f"], &["l > data"]);
}

#[test]
fn a_link_that_is_turned_to_the_root_is_told_so() {
    let host = Host::new(&["data"], &[]);
    symlink("/", host.root.join("l")).unwrap();
    let mut host = host.way("l", "data").own(&["data/f"]);
    let told = host.read();
    assert!(told[0].ends_with("leads to / now"), "{told:?}");
}

#[test]
fn of_two_ways_to_one_directory_the_one_that_is_as_it_was_counts() {
    for [turned, stays] in [["a", "b"], ["b", "a"]] {
        let host = Host::new(&["1", "2"], &[(turned, "2"), (stays, "1")]);
        let mut host = host.way("a", "1").way("b", "1").own(&["1/f"]);
        assert_eq!(host.read().len(), 1);
        assert_eq!(host.has().0, ["1/f"], "{turned} was turned");
    }
}

#[test]
fn what_is_still_to_go_is_read_by_its_written_name_too() {
    let host = Host::new(&["1", "2"], &[("app", "2")]).way("app", "1").leaving(&["1/f"]);
    let host = host.becomes(1, &[], &["app > 2"]);
    assert_eq!(host.has().1, ["2/f"]);
}

#[test]
fn what_another_group_has_taken_over_stays_where_it_was_taken() {
    let host = Host::new(&["1", "2"], &[("app", "2")]).way("app", "1").own(&["1/f", "1/g"]).taken("1/f");
    host.becomes(1, &["1/f", "2/g"], &["app > 2"]);
}

#[test]
fn a_directory_that_a_way_led_to_is_not_taken_for_the_one_that_it_leads_to_now() {
    let host = Host::new(&["1/app", "2/app"], &[("l", "2")]).way("l/app", "1/app");
    host.own(&["1/app/", "1/app/f", "1/apple"]).becomes(
        1,
        &["1/app", "2/app/f", "1/apple"],
        &["l/app > 2/app"],
    );
}

#[test]
fn the_root_is_a_way_that_nobody_turns() {
    let mut host = Host::new(&["d"], &[]).own(&["d/f"]);
    host.record.ways.push(Way { written: String::new(), real: String::new() });
    let before = host.record.clone();
    assert_eq!(host.read(), Vec::<String>::new());
    assert_eq!(host.record, before);
}

#[test]
fn a_link_that_stands_where_the_group_has_something_is_no_way_unless_another_group_has_it() {
    let link = || Host::new(&["1", "2"], &[("app", "2")]).way("app", "app");
    link().own(&["app/", "app/f"]).becomes(0, &["app", "app/f"], &["app > app"]);
    let host = link().own(&["app/f"]).leaving(&["app/"]).becomes(0, &["app/f"], &["app > app"]);
    assert_eq!(host.has().1, ["app"]);
    link().own(&["app/", "app/f"]).taken("app").becomes(0, &["app", "2/f"], &["app > 2"]);
}

#[test]
fn a_way_that_others_can_turn_counts_only_as_it_was() {
    let link =
        |target| Host::new(&["home", "1", "2"], &[("home/app", target)]).way("home/app", "1").own(&["1/f"]);
    link("1").opened("home").becomes(0, &["1/f"], &["home/app > 1"]);
    link("2").becomes(1, &["2/f"], &["home/app > 2"]);
    link("2").opened("home").becomes(1, &[], &[]);
    let mut allowed = link("2").opened("home");
    allowed.follows_all = true;
    allowed.becomes(1, &["2/f"], &["home/app > 2"]);
    // A directory where the link was is by its written name what it says.
    let host = Host::new(&["home/app", "1"], &[]).way("home/app", "1").own(&["1/f"]);
    host.opened("home").becomes(1, &["home/app/f"], &["home/app > home/app"]);
}

#[test]
fn what_a_turned_way_leaves_behind_is_told_if_it_is_there() {
    let link = || Host::new(&["2"], &[("app", "2")]).way("app", "1").own(&["1/f"]);
    link().becomes(0, &["2/f"], &["app > 2"]);
    let host = link();
    fs::write(host.root.join("1"), "").unwrap();
    host.becomes(0, &["2/f"], &["app > 2"]);
    let mut host = link();
    fs::create_dir(host.root.join("1")).unwrap();
    let told = host.read().join("");
    let (one, app, two) = (host.at("1"), host.at("app"), host.at("2"));
    assert_eq!(
        told,
        format!(
            "what was installed into {one} is kept and is this deployment group's no more: {app} leads to {two} now"
        )
    );
    let mut gone = Host::new(&["1"], &[("app", "nowhere")]).way("app", "1").own(&["1/f"]);
    let told = gone.read().join("");
    assert!(told.ends_with(&format!(": {} leads elsewhere now", gone.at("app"))), "{told}");
    assert_eq!(gone.has(), (vec![], vec![], vec![]));
}
