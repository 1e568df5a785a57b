//! Rules of the Server AppSpec, one sentence each.

use proptest::prelude::*;

use super::super::{Position, read_function, read_service};
use super::*;

const FULL: &str = "\
version: 0.0
os: linux
files:
  - source: /app/
    destination: /srv/demo/
  - source: conf/demo.conf
    destination: /etc/demo
file_exists_behavior: OVERWRITE
permissions:
  - object: /srv/demo/
    pattern: '*.sh'
    except: [stop.sh]
    owner: demo
    group: web
    mode: \"0750\"
    acls: ['user:joe:rw-', 'd:g:web:5']
    context: {name: system_u, type: bin_t, range: 's0:c1,c3.c4'}
    type: [file]
hooks:
  ApplicationStop:
    - location: ops/stop.sh
      timeout: 60
      runas: demo
      sudo: true
  ValidateService:
    - location: /ops/check.sh
";

fn read(text: &str) -> ServerSpec {
    read_server(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refusal(text: &str) -> String {
    match read_server(text.as_bytes()) {
        Ok(spec) => panic!("accepted as {spec:?}:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// [`FULL`] with one line exchanged; the line must be there.
fn with(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    FULL.replace(from, to)
}

/// The head that every AppSpec has, and `rest`.
fn after_head(rest: &str) -> String {
    format!("version: 0.0\nos: linux\n{rest}")
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[track_caller]
fn warns(text: &str, parts: &[&str]) -> ServerSpec {
    let spec = read(text);
    says(&spec.warnings.join("\n"), parts);
    spec
}

fn script(location: &str, timeout: u32, line: usize) -> Script {
    Script { location: location.into(), timeout, runas: None, sudo: false, line }
}

#[test]
fn the_form_of_the_user_guide_is_read_whole() {
    let file = |source: &str, destination: &str, line| FileEntry {
        source: source.into(),
        destination: destination.into(),
        line,
    };
    let acl =
        |is_default, kind, name: &str, permissions| Acl { is_default, kind, name: name.into(), permissions };
    let permission = Permission {
        object: "/srv/demo".into(),
        pattern: "*.sh".into(),
        except: vec!["stop.sh".into()],
        owner: Some("demo".into()),
        group: Some("web".into()),
        mode: Some(0o750),
        acls: vec![acl(false, AclKind::User, "joe", 6), acl(true, AclKind::Group, "web", 5)],
        context: Some(SelinuxContext {
            user: Some("system_u".into()),
            type_: "bin_t".into(),
            range: Some("s0:c1,c3.c4".into()),
        }),
        files: true,
        directories: false,
        line: 10,
    };
    let stop = Script { runas: Some("demo".into()), sudo: true, ..script("ops/stop.sh", 60, 21) };
    let spec = ServerSpec {
        os: Os::Linux,
        files: vec![file("app", "/srv/demo", 4), file("conf/demo.conf", "/etc/demo", 6)],
        file_exists_behavior: Some(FileExists::Overwrite),
        permissions: vec![permission],
        hooks: BTreeMap::from([
            (ServerEvent::ApplicationStop, vec![stop]),
            (ServerEvent::ValidateService, vec![script("ops/check.sh", 3600, 26)]),
        ]),
        warnings: Vec::new(),
    };
    assert_eq!(read(FULL), spec);
}

#[test]
fn nothing_but_version_and_os_has_to_be_there() {
    let bare = read(&after_head(""));
    let nulls = read(&after_head("files:\npermissions: ~\nhooks:\nfile_exists_behavior:\n"));
    assert_eq!(bare, nulls);
    assert!(bare.files.is_empty() && bare.permissions.is_empty() && bare.hooks.is_empty());
    assert_eq!(read(&after_head("files: []\npermissions: []\nhooks: {}\n")), bare);
}

#[test]
fn the_version_is_zero_as_a_number_or_a_text() {
    for good in ["0.0", "0", "'0.0'", "\"0.0\"", "0.00"] {
        assert!(read(&with("version: 0.0", &format!("version: {good}"))).warnings.is_empty(), "{good}");
    }
    for bad in ["1.1", "0.1", "1", "1.0", "v0.0", "[]"] {
        let said = refusal(&with("version: 0.0", &format!("version: {bad}")));
        says(&said, &["line 1 column 10: version", "must be 0.0"]);
    }
    says(&refusal(&with("version: 0.0\n", "")), &["line 1", "version is missing", "version: 0.0"]);
    says(&refusal(&with("version: 0.0", "version:")), &["version is empty"]);
}

#[test]
fn an_os_is_linux_or_windows_in_these_letters() {
    for (bad, cure) in [
        ("ubuntu", "linux, whatever the distribution"),
        ("Linux", "linux is the nearest"),
        ("win", "windows"),
    ] {
        says(&refusal(&with("os: linux", &format!("os: {bad}"))), &["line 2", &format!("`{bad}`"), cure]);
    }
    says(&refusal(&with("os: linux\n", "")), &["os is missing", "write `os: linux`"]);
}

#[test]
fn an_appspec_for_windows_reads_with_its_backslashes() {
    let spec = read(
        "version: 0.0\r\nos: windows\r\nfiles:\r\n  - source: \\\r\n    destination: c:\\app\\\r\nhooks:\r\n  BeforeInstall:\r\n    - location: \\ops\\before.ps1\r\n      timeout: 900\r\n",
    );
    assert_eq!((spec.os, &*spec.files[0].source, &*spec.files[0].destination), (Os::Windows, "", "c:\\app"));
    assert_eq!(spec.hooks[&ServerEvent::BeforeInstall], [script("ops/before.ps1", 900, 8)]);
    assert!(spec.warnings.is_empty(), "{:?}", spec.warnings);
}

#[test]
fn windows_has_no_permissions_and_no_other_user() {
    let windows = "version: 0.0\nos: windows\n";
    says(
        &refusal(&format!("{windows}permissions:\n  - object: /\n    owner: joe\n")),
        &["line 4", "permissions are for linux"],
    );
    assert!(read(&format!("{windows}permissions: []\n")).permissions.is_empty());
    warns(
        &format!("{windows}hooks:\n  AfterInstall:\n    - location: a.ps1\n      runas: joe\n"),
        &["line 6: hooks.AfterInstall.runas is ignored: it means nothing on windows"],
    );
}

#[test]
fn every_spelling_of_the_root_is_the_whole_bundle() {
    for source in ["/", ".", "./"] {
        assert_eq!(
            read(&with("source: /app/", &format!("source: {source}"))).files[0].source,
            "",
            "{source}"
        );
    }
}

#[test]
fn a_glob_in_a_source_is_refused_with_what_does_it() {
    for (source, cure) in [
        ("./*", "write `.` for the whole bundle"),
        ("'*'", "write `.` for the whole bundle"),
        ("dist/*", "write `dist`: the contents"),
        ("./dist/*.js", "write `dist`: the contents"),
        ("a*/b?", "one entry for each"),
    ] {
        says(
            &refusal(&with("source: /app/", &format!("source: {source}"))),
            &["line 4 column 13", "a glob", cure],
        );
    }
    assert_eq!(read(&with("source: /app/", "source: pages/[id].js")).files[0].source, "pages/[id].js");
}

#[test]
fn what_leaves_the_bundle_is_refused_by_name_unless_the_rules_let_it_pass() {
    let rules = Rules { may_leave_bundle: true };
    for (from, to) in
        [("source: /app/", "source: app/../../x"), ("location: ops/stop.sh", "location: ../stop.sh")]
    {
        let text = with(from, to);
        says(&refusal(&text), &["leaves the bundle"]);
        assert!(read_server_by(text.as_bytes(), &Limits::default(), rules).is_ok(), "{text}");
    }
    let text = with("source: /app/", "source: app/../../x");
    let spec = read_server_by(text.as_bytes(), &Limits::default(), rules).unwrap();
    assert_eq!(spec.files[0].source, "../x");
}

#[test]
fn a_destination_is_an_absolute_directory() {
    for bad in ["srv/demo", "./demo", "~/demo"] {
        let said = refusal(&with("destination: /srv/demo/", &format!("destination: {bad}")));
        says(&said, &["line 5 column 18: files.destination", "relative"]);
    }
    warns(
        &with("destination: /etc/demo", "destination: /etc/demo/demo.conf"),
        &["line 7: files.destination is a directory, always", "`/etc/demo/demo.conf/demo.conf`"],
    );
    warns(&with("destination: /etc/demo", "destination: /etc/other.conf"), &["leave `other.conf` off"]);
    assert!(read(&with("destination: /etc/demo", "destination: /opt/demo-1.2")).warnings.is_empty());
}

#[test]
fn an_entry_needs_its_source_and_its_destination() {
    says(&refusal(&with("source: /app/", "sources: /app/")), &["source is missing", "`sources` instead"]);
    says(&refusal(&with("destination: /etc/demo", "destination:")), &["line 7", "destination is empty"]);
    says(&refusal(&with("source: /app/", "source: ''")), &["source", "/ for the whole bundle"]);
    says(
        &refusal(&after_head("files:\n  source: /\n  destination: /x\n")),
        &["line 4", "is a `- ` missing?"],
    );
    says(&refusal(&after_head("files: /\n")), &["files must be a list"]);
    says(&refusal(&after_head("files: [~]\n")), &["files must be a map"]);
}

#[test]
fn two_entries_may_not_put_the_same_in_one_place() {
    let entry = "  - {source: ./app, destination: /srv/demo}\n";
    says(
        &refusal(&after_head(&format!("files:\n{entry}{}", entry.replace("./app", "app/")))),
        &["line 5", "as line 4"],
    );
}

#[test]
fn keys_that_people_put_under_files_are_ignored_with_the_one_that_does_it() {
    let spec = warns(
        &with(
            "    destination: /etc/demo\n",
            "    destination: /etc/demo\n    overwrite: true\n    mode: 755\n    except: [a]\n",
        ),
        &[
            "line 8: `overwrite` in files is ignored: file_exists_behavior: OVERWRITE",
            "line 9: mode in files is ignored: it belongs under permissions",
            "line 10: except in files is ignored: it belongs under permissions",
        ],
    );
    assert_eq!(spec.files.len(), 2);
}

#[test]
fn a_behavior_counts_at_the_top_level_and_in_capitals() {
    for (word, known) in [
        ("DISALLOW", FileExists::Disallow),
        ("OVERWRITE", FileExists::Overwrite),
        ("RETAIN", FileExists::Retain),
    ] {
        let spec = read(&with("behavior: OVERWRITE", &format!("behavior: {word}")));
        assert_eq!(spec.file_exists_behavior, Some(known));
    }
    let spec =
        warns(&with("behavior: OVERWRITE", "behavior: overwrite"), &["ignored: OVERWRITE is the word"]);
    assert_eq!(spec.file_exists_behavior, None);
    let spec = warns(
        &after_head("defaults:\n  file_exists_behavior: OVERWRITE\n"),
        &["line 3: `defaults` is ignored: file_exists_behavior is a key of the top level"],
    );
    assert_eq!(spec.file_exists_behavior, None);
    says(
        &refusal(&with("behavior: OVERWRITE", "behavior: REPLACE")),
        &["line 8", "DISALLOW, OVERWRITE or RETAIN"],
    );
}

#[test]
fn a_mode_is_read_as_it_was_written() {
    for (mode, bits) in [
        ("0644", 0o644),
        ("0755", 0o755),
        ("'0644'", 0o644),
        ("644", 0o644),
        ("7", 7),
        ("4750", 0o4750),
        ("'0'", 0),
    ] {
        let spec = read(&with("mode: \"0750\"", &format!("mode: {mode}")));
        assert_eq!(spec.permissions[0].mode, Some(bits), "{mode}");
        assert!(spec.warnings.is_empty(), "{mode}: {:?}", spec.warnings);
    }
    for (mode, word) in [
        ("u+x", "symbolic"),
        ("a=r,u+w", "symbolic"),
        ("888", "octal"),
        ("07555", "four"),
        ("rwxr-x---", "octal"),
    ] {
        says(&refusal(&with("mode: \"0750\"", &format!("mode: '{mode}'"))), &["line 15 column 11", word]);
    }
}

#[test]
fn lists_of_a_permission_are_lists() {
    says(
        &refusal(&with("except: [stop.sh]", "except: stop.sh")),
        &["line 12", "must be a list", "`[stop.sh]`"],
    );
    says(&refusal(&with("type: [file]", "type: file")), &["line 18", "must be a list", "`[file]`"]);
    let acls = "acls: ['user:joe:rw-', 'd:g:web:5']";
    says(
        &refusal(&with(acls, "acls: {entries: ['user:joe:rw-']}")),
        &["line 16", "acls must be a list", "a map"],
    );
    says(&refusal(&with(acls, "acls: ['user::rwx']")), &["line 16 column 12", "names nobody"]);
    says(&refusal(&with("type: [file]", "type: [file, link]")), &["`link`: there are file and directory"]);
}

#[test]
fn a_context_is_a_map_with_a_type() {
    let context = "context: {name: system_u, type: bin_t, range: 's0:c1,c3.c4'}";
    says(&refusal(&with(context, "context: {name: u}")), &["permissions.context.type is missing"]);
    says(&refusal(&with(context, "context: bin_t")), &["permissions.context must be a map"]);
    says(&refusal(&with(context, "context: {type: t, range: {low: s0}}")), &["range must be one text"]);
    says(&refusal(&with(context, "context: {type: t, range: high}")), &["no range of a label"]);
    let spec = read(&with(context, "context: {user: staff_u, type: t}"));
    assert_eq!(spec.permissions[0].context.as_ref().unwrap().user.as_deref(), Some("staff_u"));
}

#[test]
fn a_permission_meets_everything_unless_it_says_less() {
    let spec =
        read(&after_head("permissions: [{object: /srv/x/, owner: joe, pattern: , except: , type: }]\n"));
    let permission = &spec.permissions[0];
    assert_eq!((&*permission.object, &*permission.pattern), ("/srv/x", "**"));
    assert!(permission.files && permission.directories && permission.except.is_empty());
    assert_eq!(read(&after_head("permissions: [{object: /, owner: joe}]\n")).permissions[0].object, "/");
    says(&refusal(&after_head("permissions: [{owner: joe}]\n")), &["permissions.object is missing"]);
    says(&refusal(&after_head("permissions: [{object: srv, owner: joe}]\n")), &["relative"]);
}

#[test]
fn permissions_that_cannot_do_what_they_seem_to_are_warned_of() {
    let one = |fields: &str| after_head(&format!("permissions:\n  - {{object: /srv/x, {fields}}}\n"));
    warns(&one("pattern: '**'"), &["line 4", "sets nothing"]);
    warns(&one("owner: joe, pattern: 'a/*'"), &["`a/*`, which meets nothing"]);
    warns(&one("owner: joe, except: ['a/b']"), &["`a/b`, which meets nothing"]);
    warns(&one("owner: joe, type: []"), &["empty type"]);
    warns(&one("owner: joe").replace("/srv/x", "/srv/*"), &["globs belong into pattern"]);
    let both = format!("{}  - {{object: /srv/x/, mode: '644'}}\n", one("owner: joe"));
    warns(&both, &["line 5", "same object and pattern in line 4"]);
    let apart = format!(
        "{}  - {{object: /srv/x, mode: '755', type: [directory]}}\n",
        one("owner: joe, type: [file]")
    );
    assert!(read(&apart).warnings.is_empty());
}

#[test]
fn an_event_that_is_empty_is_absent() {
    for empty in ["", "~", "[]"] {
        let spec = read(&after_head(&format!(
            "hooks:\n  BeforeInstall: {empty}\n  AfterInstall:\n    - location: a\n"
        )));
        assert_eq!(spec.hooks.keys().collect::<Vec<_>>(), [&ServerEvent::AfterInstall], "{empty}");
        assert!(spec.warnings.is_empty(), "{empty}");
    }
}

#[test]
fn an_unknown_event_is_refused_with_the_nearest() {
    for (event, word) in [
        ("Before Install", "BeforeInstall is the nearest"),
        ("beforeInstall", "BeforeInstall is the nearest"),
        ("AplicationStart", "ApplicationStart is the nearest"),
        ("Deploy", "there are BeforeBlockTraffic, "),
    ] {
        let said = refusal(&after_head(&format!("hooks:\n  {event}:\n    - location: a\n")));
        says(&said, &["line 4 column 3: hooks has no event", &format!("`{event}`"), word]);
    }
    let spec = warns(
        &after_head("hooks:\n  Before Install:\n"),
        &["line 4", "ignored", "BeforeInstall is the nearest"],
    );
    assert!(spec.hooks.is_empty());
}

#[test]
fn events_that_run_no_scripts_are_warned_of() {
    let spec = warns(
        &after_head("hooks:\n  Install:\n    - location: a\n"),
        &["hooks.Install is ignored", "no scripts"],
    );
    assert!(spec.hooks.is_empty());
}

#[test]
fn a_script_needs_a_location() {
    let hook = |script: &str| after_head(&format!("hooks:\n  AfterInstall:\n    - {script}\n"));
    says(&refusal(&hook("timeout: 10")), &["line 5", "hooks.AfterInstall.location is missing"]);
    says(&refusal(&hook("location: ' '")), &["location"]);
    says(&refusal(&hook("location: ./")), &["the bundle itself"]);
    says(&refusal(&hook("ops/x.sh")), &["hooks.AfterInstall must be a map of location"]);
    says(&refusal(&after_head("hooks:\n  AfterInstall: {location: a}\n")), &["is a `- ` missing?"]);
    says(
        &refusal(&after_head("hooks:\n  - AfterInstall: [{location: a}]\n")),
        &["hooks must be a map of events"],
    );
}

#[test]
fn a_timeout_is_whole_seconds() {
    let hook = |timeout: &str| {
        after_head(&format!("hooks:\n  AfterInstall:\n    - location: a\n      timeout: {timeout}\n"))
    };
    for (timeout, seconds) in
        [("10", 10), ("\"10\"", 10), ("", 3600), ("3600", 3600), ("99999999999", u32::MAX)]
    {
        let spec = read(&hook(timeout));
        assert_eq!(spec.hooks[&ServerEvent::AfterInstall][0].timeout, seconds, "{timeout}");
    }
    for (timeout, seconds) in [("300s", 300), ("1.5", 1), ("5m", 5)] {
        let spec = warns(&hook(timeout), &["line 6", &format!("{seconds} seconds are read")]);
        assert_eq!(spec.hooks[&ServerEvent::AfterInstall][0].timeout, seconds, "{timeout}");
    }
    for bad in ["0", "-5", "soon", "''", "true"] {
        says(&refusal(&hook(bad)), &["line 6 column 16: hooks.AfterInstall.timeout", "at least 1"]);
    }
    let spec = warns(
        &hook("5").replace("timeout:", "timeout-in-seconds:"),
        &["`timeout-in-seconds` in hooks.AfterInstall is ignored: timeout is the key"],
    );
    assert_eq!(spec.hooks[&ServerEvent::AfterInstall][0].timeout, 3600);
}

#[test]
fn missing_timeouts_may_pass_the_hour_and_written_ones_are_warned_of() {
    let scripts = |timeout: &str| {
        after_head(&format!(
            "hooks:\n  AfterInstall:\n{}",
            format!("    - {{location: a{timeout}}}\n").repeat(3)
        ))
    };
    assert!(read(&scripts("")).warnings.is_empty());
    assert!(read(&scripts(", timeout: 1200")).warnings.is_empty());
    warns(
        &scripts(", timeout: 1201"),
        &["line 4: hooks.AfterInstall has timeouts of 3603 seconds", "eventTimeout"],
    );
}

#[test]
fn sudo_is_true_or_false() {
    for (word, sudo) in [("yes", true), ("false", false), ("", false)] {
        let spec = read(&with("sudo: true", &format!("sudo: {word}")));
        assert_eq!(spec.hooks[&ServerEvent::ApplicationStop][0].sudo, sudo, "{word}");
    }
    says(&refusal(&with("sudo: true", "sudo: root")), &["line 24", "true or false"]);
}

#[test]
fn lost_indentation_deploys_what_it_always_did() {
    let text = "\
version: 0.0
os: linux
files:
- source: /
  destination: /srv
hooks:
BeforeInstall:
- location: a.sh
AfterInstall:
- location: b.sh
AfterInstall:
- location: c.sh
";
    let spec = warns(
        text,
        &[
            "line 7: BeforeInstall is ignored: it belongs under hooks (is the indentation lost?)",
            "line 9: AfterInstall is ignored",
        ],
    );
    assert!(spec.hooks.is_empty() && spec.files.len() == 1);
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let spec = warns(
        &after_head(
            "hooks:\n  AfterInstall: [{location: a}]\n  AfterInstall: [{location: b, location: c}]\n",
        ),
        &[
            "line 5: `AfterInstall` stands here and in line 4",
            "line 5: hooks.AfterInstall.location stands here",
        ],
    );
    assert_eq!(spec.hooks[&ServerEvent::AfterInstall], [script("c", 3600, 5)]);
    let spec = read(&after_head("hooks:\n  AfterInstall: [{location: a}]\n  AfterInstall:\n"));
    assert!(spec.hooks.is_empty(), "the last one is empty");
}

#[test]
fn a_key_in_another_case_is_ignored_as_awss_agent_does() {
    let spec =
        warns(&with("files:", "Files:"), &["`Files` is ignored: files is the key that was probably meant"]);
    assert!(spec.files.is_empty());
    let spec = warns(&with("hooks:", "Hooks:"), &["`Hooks` is ignored: hooks"]);
    assert!(spec.hooks.is_empty());
    says(&refusal(&with("os: linux", "OS: linux")), &["os is missing", "`OS` instead"]);
}

#[test]
fn a_template_that_was_not_rendered_is_told() {
    warns(&with("destination: /etc/demo", "destination: /etc/${APP}"), &["line 7", "not rendered"]);
    warns(&with("owner: demo", "owner: '{{ user }}'"), &["permissions.owner", "not rendered"]);
    says(&refusal(&after_head("files: [%{ if x }]\n")), &["line 3", "not rendered"]);
    says(&refusal(&after_head("%{ if x }\nfiles: [\n")), &["line "]);
}

#[test]
fn json_a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let json = "\u{feff}{\n\t\"version\": 0.0, \"os\": \"linux\",\n\t\"files\": [{\"source\": \"/\", \"destination\": \"/srv\"}],\r\n\
                \t\"hooks\": {\"AfterInstall\": [{\"location\": \"a\", \"timeout\": \"10\"}]}\n}";
    let spec = read(json);
    assert_eq!(spec.hooks[&ServerEvent::AfterInstall], [script("a", 10, 4)]);
    assert_eq!(read(&format!("\u{feff}{}", FULL.replace('\n', "\r\n"))), read(FULL));
    says(&refusal("{\n // words\n \"version\": 0.0}"), &["line 2 column 2", "not JSON"]);
}

#[test]
fn aliases_are_read() {
    let spec = read(&after_head("hooks:\n  ApplicationStop: &s\n    - location: a\n  AfterInstall: *s\n"));
    assert_eq!(spec.hooks[&ServerEvent::ApplicationStop], spec.hooks[&ServerEvent::AfterInstall]);
}

#[test]
fn another_platforms_appspec_is_told_as_such() {
    let function = "Resources: [{f: {Type: 'AWS::Lambda::Function'}}]";
    let error = read_server(function.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::OtherPlatform { described: Platform::Function, .. }), "{error}");
    let service = "Resources: [{TargetService: {Type: AWS::ECS::Service}}]";
    let error = read_server(service.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::OtherPlatform { described: Platform::Service, .. }), "{error}");
    for error in [read_function(FULL.as_bytes()).unwrap_err(), read_service(FULL.as_bytes()).unwrap_err()] {
        assert!(matches!(error, Error::OtherPlatform { described: Platform::Server, .. }), "{error}");
    }
    says(&refusal("just words"), &["the AppSpec must be a map"]);
    says(&refusal(""), &["empty"]);
}

#[test]
fn the_first_refusal_in_the_text_is_the_one_that_is_told() {
    let text = after_head("hooks:\n  Deploy: [{location: a}]\nfiles: [{source: /, destination: x}]\n");
    assert_eq!(read_server(text.as_bytes()).unwrap_err().position(), Some(Position { line: 4, column: 3 }));
}

#[test]
fn limits_of_ones_own_are_kept() {
    let limits = Limits { max_bytes: 10, ..Limits::default() };
    assert!(matches!(read_server_within(FULL.as_bytes(), &limits), Err(Error::TooLarge { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_server(&bytes);
    }

    #[test]
    fn no_edit_of_a_good_text_makes_it_panic_or_breaks_a_promise(
        cut in 0..FULL.len(), length in 0..40usize, put in "[ \\-:*&{}\\[\\]a-z0-9./\\\\'\"\n\t]{0,12}"
    ) {
        let text = format!("{}{put}{}", &FULL[..cut], FULL.get(cut + length..).unwrap_or_default());
        if let Ok(spec) = read_server(text.as_bytes()) {
            let scripts: Vec<&Script> = spec.hooks.values().flatten().collect();
            let inside = spec.files.iter().map(|entry| &entry.source);
            for path in inside.chain(scripts.iter().map(|script| &script.location)) {
                prop_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
            }
            prop_assert!(scripts.iter().all(|script| script.timeout > 0));
            let lines = text.lines().count();
            prop_assert!(scripts.iter().all(|script| (1..=lines).contains(&script.line)));
            prop_assert!(spec.warnings.len() <= 21);
            prop_assert!(spec.files.iter().all(|entry| spec.os == Os::Windows || entry.destination.starts_with('/')));
        }
    }

    #[test]
    fn any_paths_read_as_paths_that_keep_to_their_place(
        source in "[a./\\\\]{1,12}", destination in "/[a./]{0,12}"
    ) {
        let text = after_head(&format!("files:\n  - source: '{source}'\n    destination: '{destination}'\n"));
        if let Ok(spec) = read_server(text.as_bytes()) {
            let entry = &spec.files[0];
            prop_assert!(entry.source.split('/').all(|part| part != ".." && part != "."), "{entry:?}");
            prop_assert!(entry.destination == "/" || !entry.destination.ends_with('/'));
            prop_assert!(!entry.destination.contains("//") && !entry.destination.contains("/../"));
        }
    }
}
