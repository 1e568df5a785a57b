//! Rules of the Function AppSpec, one sentence each.

use proptest::prelude::*;

use super::super::Position;
use super::*;

const FULL: &str = "\
version: 0.0
Resources:
  - hello:
      Type: AWS::Lambda::Function
      Properties:
        Name: hello
        Alias: live
        CurrentVersion: \"1\"
        TargetVersion: \"2\"
Hooks:
  - BeforeAllowTraffic: smoke
  - AfterAllowTraffic: verify
";

fn read(text: &str) -> FunctionSpec {
    read_function(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refusal(text: &str) -> String {
    match read_function(text.as_bytes()) {
        Ok(spec) => panic!("accepted as {spec:?}:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// [`FULL`] with one line exchanged; the line must be there.
fn with(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    FULL.replace(from, to)
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

fn hook(event: FunctionEvent, hook: &str) -> HookRef<FunctionEvent> {
    HookRef { event, hook: hook.into() }
}

fn hello() -> FunctionSpec {
    FunctionSpec {
        logical_name: "hello".into(),
        name: "hello".into(),
        alias: "live".into(),
        current_version: Some("1".into()),
        target_version: "2".into(),
        hooks: vec![
            hook(FunctionEvent::BeforeAllowTraffic, "smoke"),
            hook(FunctionEvent::AfterAllowTraffic, "verify"),
        ],
        warnings: Vec::new(),
    }
}

#[test]
fn the_form_of_the_user_guide_is_read_whole() {
    assert_eq!(read(FULL), hello());
}

#[test]
fn our_own_type_reads_as_lambdas_does() {
    assert_eq!(read(&with("AWS::Lambda::Function", "Sluice::Function")), hello());
}

#[test]
fn keys_are_read_in_any_case_and_versions_as_numbers() {
    let text = "\
resources:
  - hello:
      type: AWS::Lambda::Function
      properties: {name: hello, alias: live, currentversion: 1, TARGETVERSION: 2}
hooks:
  - beforeAllowTraffic: smoke
  - AFTERALLOWTRAFFIC: verify
";
    assert_eq!(read(text), hello());
}

#[test]
fn json_is_read_with_tabs_and_escapes() {
    let text = "{\n\t\"version\": 0.0,\n\t\"Resources\": [{\t\"hell\\u006f\": {\"Type\": \"AWS::Lambda::Function\",\n\
                \t\t\"Properties\": {\"Name\":\"hello\",\"Alias\":\"live\",\"CurrentVersion\":1,\"TargetVersion\":\"2\"}}}],\n\
                \t\"Hooks\": [{\"BeforeAllowTraffic\": \"smoke\"}, {\"AfterAllowTraffic\": \"verify\"}]\n}\n";
    assert_eq!(read(text), hello());
}

#[test]
fn an_error_in_json_with_tabs_names_its_line_and_column() {
    let text = "{\n\t\"version\":\t1.0\n}";
    says(&refusal(text), &["line 2 column 13: version is `1.0`"]);
}

#[test]
fn broken_json_is_told_as_json() {
    says(
        &refusal("{\n\"version\": 0.0\n\"Resources\": {}}"),
        &["line 3 column 1: this is not JSON: expected"],
    );
    says(&refusal("{\n\t// words\n\t\"version\": 0.0}"), &["line 2 column 2: this is not JSON: key must be"]);
    says(
        &refusal("{\"version\": 0.0, // words\n\"Resources\": {}}"),
        &["line 1 column 18: this is not JSON: key must"],
    );
    says(&refusal("{\"Resources\": {},\n}"), &["line 2 column 1: this is not JSON: key must be"]);
}

#[test]
fn a_yaml_flow_map_is_no_broken_json() {
    let text = "{Resources: {hello: {Type: Sluice::Function, Properties: {Name: hello, Alias: live, TargetVersion: 2}}}}";
    assert_eq!(read(text).target_version, "2");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = format!("\u{feff}{}", FULL.replace('\n', "\r\n"));
    assert_eq!(read(&text), hello());
    let json = "\u{feff}{\"Resources\": {\"hello\": {\"Type\": \"Sluice::Function\", \"Properties\": \
                {\"Name\": \"hello\", \"Alias\": \"live\", \"TargetVersion\": \"2\"}}}}";
    assert_eq!(read(json).name, "hello");
}

#[test]
fn the_lines_of_a_text_with_windows_line_ends_are_counted_once() {
    let text = with("Alias: live", "Alias: li ve").replace('\n', "\r\n");
    says(&refusal(&text), &["line 7 column 16: Properties.Alias"]);
}

#[test]
fn resources_and_hooks_may_be_maps() {
    let text = "\
Resources:
  hello:
    Type: AWS::Lambda::Function
    Properties: {Name: hello, Alias: live, CurrentVersion: 1, TargetVersion: 2}
Hooks:
  AfterAllowTraffic: verify
  BeforeAllowTraffic: smoke
";
    assert_eq!(read(text), hello());
}

#[test]
fn one_list_item_may_hold_both_hooks() {
    let text = with("  - AfterAllowTraffic", "    AfterAllowTraffic");
    assert_eq!(read(&text), hello());
}

#[test]
fn anchors_and_comments_are_read() {
    let text = "\
# what moves
Resources:
  - hello:
      Type: AWS::Lambda::Function # ours
      Properties: {Name: &n hello, Alias: live, TargetVersion: 2}
Hooks:
  - BeforeAllowTraffic: *n
";
    assert_eq!(read(text).hooks, [hook(FunctionEvent::BeforeAllowTraffic, "hello")]);
}

#[test]
fn the_current_version_may_be_left_out() {
    for text in [with("        CurrentVersion: \"1\"\n", ""), with("\"1\"", ""), with("\"1\"", "\"\"")] {
        assert_eq!(read(&text).current_version, None, "{text}");
    }
}

#[test]
fn hooks_may_be_absent_null_or_empty() {
    let head = FULL.split("Hooks").next().unwrap();
    for tail in ["", "Hooks:\n", "Hooks: null\n", "Hooks: []\n", "Hooks: {}\n", "Hooks:\n  -\n"] {
        let spec = read(&format!("{head}{tail}"));
        assert_eq!((spec.hooks, spec.warnings), (vec![], vec![]), "{tail}");
    }
}

#[test]
fn an_event_without_a_hook_runs_none_and_warns() {
    let spec = read(&with("BeforeAllowTraffic: smoke", "BeforeAllowTraffic:"));
    assert_eq!(spec.hooks, [hook(FunctionEvent::AfterAllowTraffic, "verify")]);
    assert_eq!(spec.warnings, ["line 11: Hooks.BeforeAllowTraffic is empty: no hook runs then"]);
}

#[test]
fn zero_is_the_only_version_of_the_format() {
    for good in ["0.0", "0", "0.00", "'0.0'", "\"0.0\"", "", "~"] {
        assert_eq!(read(&with("version: 0.0", &format!("version: {good}"))), hello(), "{good}");
    }
    for bad in ["1.0", "0.1", "1", "'0'", "\"1.0\"", "latest", "-0.0", "0.0.0", "[0.0]"] {
        let said = refusal(&with("version: 0.0", &format!("version: {bad}")));
        says(&said, &["line 1 column 10: version is", "must be 0.0"]);
    }
}

#[test]
fn each_required_field_is_named_when_it_is_missing() {
    for (line, field) in [
        ("Name: hello", "Properties.Name"),
        ("Alias: live", "Properties.Alias"),
        ("TargetVersion: \"2\"", "Properties.TargetVersion"),
    ] {
        let said = refusal(&with(&format!("        {line}\n"), ""));
        says(&said, &["line 6", field, "is missing: write the"]);
        let key = line.split(':').next().unwrap();
        says(&refusal(&with(line, &format!("{key}: ~"))), &[field, "is empty: write the"]);
    }
    says(
        &refusal(&with("      Type: AWS::Lambda::Function\n", "")),
        &["Resources.Type is missing: write AWS"],
    );
}

#[test]
fn a_misspelled_required_field_is_pointed_at() {
    let said = refusal(&with("TargetVersion", "TargetVerison"));
    says(&said, &["Properties.TargetVersion is missing", "line 9 has `TargetVerison` instead"]);
}

#[test]
fn an_unknown_key_is_ignored_with_a_warning() {
    let text = with("Alias: live", "Alias: live\n        Alais: x\n        Runtime: go");
    let spec = read(&text);
    assert_eq!(
        spec.warnings,
        [
            "line 8: `Alais` in Properties is ignored: Alias is the key that was probably meant",
            "line 9: `Runtime` in Properties is ignored: it means nothing there",
        ]
    );
    assert_eq!(FunctionSpec { warnings: vec![], ..spec }, hello());
}

#[test]
fn events_that_lost_their_indentation_warn() {
    let text =
        with("  - BeforeAllowTraffic: smoke\n  - AfterAllowTraffic: verify", "BeforeAllowTraffic: smoke");
    let spec = read(&text);
    assert_eq!(spec.hooks, []);
    says(&spec.warnings[0], &["line 11: BeforeAllowTraffic is ignored: it belongs under Hooks"]);
}

#[test]
fn a_flood_of_unknown_keys_gives_few_warnings() {
    let flood: String = (0..1000).map(|n| format!("zz{n}: 1\n")).collect();
    let spec = read(&format!("{FULL}{flood}"));
    assert_eq!(spec.warnings.len(), 21);
    assert_eq!(spec.warnings[20], "there are more warnings than these");
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let spec = read(&with("Alias: live", "Alias: old\n        alias: live"));
    assert_eq!(spec.alias, "live");
    assert_eq!(spec.warnings, ["line 8: Properties.Alias stands here and in line 7; this one counts"]);
}

#[test]
fn fields_beside_the_functions_name_are_refused() {
    let text = "Resources:\n  - hello:\n    Type: AWS::Lambda::Function\n    Properties: {Name: hello}\n";
    says(&refusal(text), &["line 3 column 5: Resources has `Type` beside", "indent"]);
}

#[test]
fn a_function_without_fields_is_refused() {
    says(&refusal("Resources:\n  - hello:\n"), &["line 2 column 5: Resources.Type is missing: indent"]);
    says(&refusal("Resources:\n  - hello\n"), &["line 2 column 5: Resources must list maps"]);
    says(&refusal("Resources: hello\n"), &["Resources must be a list of maps"]);
    says(&refusal("Resources:\n"), &["Resources is empty"]);
    says(&refusal("Resources: []\n"), &["Resources is empty"]);
}

#[test]
fn two_functions_are_refused_by_name() {
    let second = "  - bye: {Type: Sluice::Function, Properties: {}}\nHooks:";
    says(&refusal(&with("Hooks:", second)), &["line 10", "names 2 entries (`hello`, `bye`)", "one function"]);
    says(&refusal("Resources: {a: 1, b: 2, c: 3}"), &["names 3 entries (`a`, `b`, …)"]);
}

#[test]
fn another_type_is_refused_with_the_two_accepted() {
    for other in ["Lambda", "AWS::Serverless::Function", "Function", "aws::lambda::function"] {
        let said = refusal(&with("AWS::Lambda::Function", other));
        says(
            &said,
            &["line 4 column 13: Resources.Type is", other, "AWS::Lambda::Function", "Sluice::Function"],
        );
    }
}

#[test]
fn an_appspec_of_another_platform_is_refused_by_name() {
    let service = "Resources:\n  - TargetService:\n      Type: AWS::ECS::Service\n";
    says(
        &refusal(service),
        &["line 3 column 13: this AppSpec describes a Service; the application's platform is Function"],
    );
    let server = "version: 0.0\nos: linux\nfiles: []\n";
    says(&refusal(server), &["line 2 column 5: this AppSpec describes a Server"]);
}

#[test]
fn name_and_versions_must_make_a_service_name_together() {
    let long = "a".repeat(61);
    assert_eq!(read(&with("Name: hello", &format!("Name: {long}"))).name, long);
    let longer = "a".repeat(62);
    let said = refusal(&with("Name: hello", &format!("Name: {longer}")));
    says(&said, &["Properties.CurrentVersion is too long", "64 characters", "at most 63"]);
}

#[test]
fn fields_with_a_bad_name_are_refused_in_their_line() {
    says(
        &refusal(&with("Name: hello", "Name: Hello")),
        &["line 6 column 15: Properties.Name `Hello`", "like `hello`"],
    );
    says(&refusal(&with("\"2\"", "$LATEST")), &["line 9 column 24: Properties.TargetVersion is `$LATEST`"]);
    says(&refusal(&with("\"1\"", "1.0")), &["line 8 column 25: Properties.CurrentVersion `1.0`"]);
    says(&refusal(&with("smoke", "Smoke")), &["line 11 column 25: Hooks.BeforeAllowTraffic `Smoke`"]);
    says(&refusal(&with("smoke", "''")), &["Hooks.BeforeAllowTraffic `` is not the name"]);
    says(&refusal(&with("smoke", "[a, b]")), &["Hooks.BeforeAllowTraffic must be one text; this is a list"]);
}

#[test]
fn numbers_stay_as_they_were_written() {
    let spec = read(&with("\"2\"", "0010"));
    assert_eq!(spec.target_version, "0010");
    assert_eq!(read(&with("\"2\"", "1e3")).target_version, "1e3");
}

#[test]
fn equal_versions_are_read_with_a_warning() {
    let spec = read(&with("\"1\"", "2"));
    assert_eq!(
        spec.warnings,
        ["line 8: CurrentVersion and TargetVersion are the same: no traffic will move"]
    );
}

#[test]
fn an_unknown_event_is_refused_with_the_nearest() {
    says(
        &refusal(&with("BeforeAllowTraffic", "Before Allow Traffic")),
        &["line 11", "BeforeAllowTraffic is the nearest"],
    );
    says(
        &refusal(&with("BeforeAllowTraffic", "BeforeAlowTrafic")),
        &["`BeforeAlowTrafic`", "is the nearest"],
    );
    says(
        &refusal(&with("BeforeAllowTraffic", "OnDeploy")),
        &["there are BeforeAllowTraffic and AfterAllowTraffic"],
    );
    says(
        &refusal(&with("BeforeAllowTraffic", "AfterInstall")),
        &["AfterInstall, an event that takes no hook on Function"],
    );
    says(
        &refusal(&with("BeforeAllowTraffic", "AllowTraffic")),
        &["AllowTraffic, an event that takes no hook"],
    );
}

#[test]
fn an_event_named_twice_is_refused() {
    let said = refusal(&with("AfterAllowTraffic", "BeforeAllowTraffic"));
    says(&said, &["line 12 column 5: Hooks.BeforeAllowTraffic is here and in line 11"]);
}

#[test]
fn what_is_no_appspec_is_refused_with_its_place() {
    for empty in ["", "\n\n", "# only words\n", "---\n", "~", "null"] {
        assert_eq!(read_function(empty.as_bytes()), Err(Error::Empty), "{empty:?}");
    }
    says(&refusal("hello"), &["line 1 column 1: the AppSpec must be a map of version, Resources, Hooks"]);
    says(&refusal("- a\n- b\n"), &["this is a list"]);
    says(&refusal("version: 0.0\n"), &["Resources is missing"]);
    says(&refusal("a: b\n  c: d\n"), &["line 2", "this is not YAML"]);
    says(&refusal("Resources:\n\t- a\n"), &["line 2", "tabs cannot indent YAML"]);
    says(&refusal(&format!("{FULL}---\n{FULL}")), &["line 13", "a second YAML document"]);
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = read_function(b"version: 0.0\nName: \xff").unwrap_err();
    assert_eq!(error.position(), Some(Position { line: 2, column: 7 }));
    says(&error.to_string(), &["not UTF-8"]);
    says(&read_function(b"\xff\xfev\0e\0").unwrap_err().to_string(), &["UTF-16"]);
}

#[test]
fn templates_that_were_not_rendered_are_told() {
    says(&refusal(&with("\"2\"", "${VERSION}")), &["line 9", "template that was not rendered"]);
    says(&refusal(&with("\"2\"", "{{ version }}")), &["line 9", "template that was not rendered"]);
    says(
        &refusal(&with("\"2\"", "!Ref Version")),
        &[
            "line 9",
            "Properties.TargetVersion must be one text; this is CloudFormation's `!Ref`, which nothing",
        ],
    );
    says(&refusal(&with("\"2\"", "!secret x")), &["line 9", "the tag `!secret` is not read here"]);
    says(&refusal(&with("\"2\"", "%{ if x }")), &["line 9", "template that was not rendered"]);
}

#[test]
fn merge_keys_are_refused_by_name() {
    let text = "x: &x {Alias: live}\nResources: {hello: {Type: Sluice::Function, Properties: {<<: *x}}}";
    says(&refusal(text), &["line 2", "merge keys (<<)"]);
}

#[test]
fn a_text_beyond_the_size_limit_is_not_parsed() {
    let bytes = vec![b' '; Limits::default().max_bytes + 1];
    assert!(matches!(read_function(&bytes), Err(Error::TooLarge { .. })));
    assert_eq!(read_function(&bytes[1..]), Err(Error::Empty));
}

#[test]
fn depth_is_limited_in_both_styles() {
    let block: String = (0..40).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for text in
        [format!("a: {}{}", "[".repeat(40), "]".repeat(40)), block, "- ".repeat(40), "[".repeat(100_000)]
    {
        let error = read_function(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::TooComplex { .. } | Error::Syntax { .. }), "{error}");
    }
}

#[test]
fn aliases_cannot_multiply_a_small_text() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let uses = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{uses}]\n"));
    }
    says(&refusal(&bomb), &["more than 10000 values, counting what aliases repeat"]);

    let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    says(&refusal(&long), &["more than 1048576 bytes of values"]);
    says(&refusal("a: &a [*a]\n"), &["line 1"]);
    let many: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
    says(&refusal(&many), &["more than 10000 values"]);
}

#[test]
fn deep_anchors_count_where_they_are_used() {
    let deep = format!("{}x{}", "[".repeat(20), "]".repeat(20));
    let text = format!("a: &a {deep}\nb: {}*a{}\n", "[".repeat(20), "]".repeat(20));
    says(&refusal(&text), &["line 2", "inside each other"]);
}

#[test]
fn a_user_s_text_cannot_break_out_of_a_message() {
    let said = refusal(&with("Name: hello", "Name: \"a\\nb\\u001b[0m\""));
    says(&said, &["`a\\nb\\u{1b}[0m`"]);
    let said = refusal(&with("Name: hello", &format!("Name: {}", "x".repeat(10_000))));
    assert!(said.len() < 400, "{said}");
}

fn one_line_with_a_reason(error: &Error) {
    let said = error.to_string();
    assert!(!said.contains(['\n', '\u{1b}']) && said.len() < 800, "{said:?}");
    assert_eq!(error.reason(), "InvalidRevision");
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(error) = read_function(&bytes) {
            one_line_with_a_reason(&error);
        }
    }

    #[test]
    fn any_yaml_like_text_gives_an_answer(text in "([a-zA-Z0-9:{}\\[\\],&*!|>'\"%@`#?~ \t\n-]|Resources:|Hooks:|<<: ){0,120}") {
        if let Err(error) = read_function(text.as_bytes()) {
            one_line_with_a_reason(&error);
        }
    }

    #[test]
    fn any_change_of_a_good_text_gives_an_answer(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..3usize, any::<u8>()), 1..12),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (place, kind, byte) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte % 128),
                _ => { bytes.remove(place); }
            }
        }
        match read_function(&bytes) {
            Ok(spec) => {
                let again = read_function(super::super::write_function(&spec).as_bytes());
                prop_assert_eq!(again.map(|again| FunctionSpec { warnings: vec![], ..again }),
                    Ok(FunctionSpec { warnings: vec![], ..spec }));
            }
            Err(error) => one_line_with_a_reason(&error),
        }
    }
}
