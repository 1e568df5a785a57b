//! Shows that each rule of the house can fail: made-up sources with one fault each, and their harmless neighbours.

use super::{File, PURE, faults, test_modules};

fn said(path: &str, text: &str) -> String {
    faults(&File { path: path.into(), text: format!("//! Words.\n{text}") }).join("\n")
}

#[track_caller]
fn caught(path: &str, text: &str, part: &str) {
    let said = said(path, text);
    assert!(said.contains(part), "`{part}` is not among the faults of {text:?}: {said:?}");
}

#[track_caller]
fn fine(path: &str, text: &str) {
    assert_eq!(said(path, text), "", "{text}");
}

#[test]
fn an_arrow_upwards_is_caught_however_it_is_written() {
    let part = "engine may not call controller";
    caught("engine/plan.rs", "use crate::controller::wiring;", part);
    caught("engine/plan.rs", "fn f() { let x = crate::controller::wiring::y(); }", part);
    caught("engine/plan.rs", "use crate::{api::Deployment, controller::{self, wiring}};", part);
    caught("engine/plan.rs", "use crate::{\n    api,\n    controller,\n};", part);
    caught("engine/plan.rs", "use super::super::controller::wiring;", part);
    caught("engine/mod.rs", "use super::controller::wiring;", part);
    caught("engine.rs", "use super::controller::wiring;", part);
    caught("engine/plan.rs", "use crate :: controller;", part);
    caught("engine/plan.rs", "pub(in crate::controller) fn f() {}", part);
    caught("engine/plan.rs", "use {crate::controller as c};", part);
    fine(
        "engine/plan.rs",
        "use crate::api::Deployment;\nuse super::facts::Facts;\nuse crate::engine::shift;",
    );
}

#[test]
fn an_arrow_to_the_same_rank_is_caught() {
    caught("traffic/http_route.rs", "use crate::platform::function;", "traffic may not call platform");
    caught("hook/job.rs", "use crate::notify;", "hook may not call notify");
    caught("cluster/lease.rs", "use crate::engine::Plan;", "cluster may not call engine");
    caught("api/mod.rs", "use crate::appspec::FunctionSpec;", "api may not call appspec");
}

#[test]
fn the_plumbing_to_the_rest_does_not_know_our_kinds() {
    caught("remote/http.rs", "use crate::api::Application;", "remote may not call api");
}

#[test]
fn the_exact_sets_are_narrower_than_the_ranks() {
    caught("cli/push.rs", "use crate::remote::http;", "cli may not call remote");
    caught("agent/run.rs", "use crate::engine::Plan;", "agent may not call engine");
    caught("alarm/prometheus.rs", "use crate::cluster::store;", "alarm may not call cluster");
    caught("bin/sluice-controller.rs", "fn main() { sluice::engine::decide(); }", "bin may not call engine");
    fine("bin/sluice-controller.rs", "fn main() { sluice::controller::run(); }");
    fine("cli/plan.rs", "use crate::{engine::plan::plan, source, cluster, api, appspec};");
}

#[test]
fn drivers_see_only_the_types_of_the_engine() {
    caught("platform/function.rs", "use crate::engine::decide;", "platform may use the engine's types only");
    caught("hook/job.rs", "use crate::engine::{Act, plan::next};", "hook may use the engine's types only");
    fine("platform/function.rs", "use crate::engine::{facts::{Facts, Seen}, Act};");
}

#[test]
fn a_room_that_is_not_in_the_table_is_caught() {
    caught("helpers/mod.rs", "fn f() {}", "helpers is no room");
    caught("engine/mod.rs", "use crate::Config;", "names Config at the crate's root");
    caught("engine/mod.rs", "use crate::*;", "names * at the crate's root");
    caught("lib.rs", "#![forbid(unsafe_code)]\npub mod api;\nmod helpers;", "declares helpers");
}

#[test]
fn unsafe_code_must_be_forbidden_at_the_root() {
    caught("lib.rs", "pub mod api;", "does not forbid unsafe code");
    fine("lib.rs", "#![forbid(unsafe_code)]\npub mod api;");
}

#[test]
fn impurity_is_caught_in_pure_rooms_and_only_there() {
    let cases = [
        ("async fn f() {}", "async"),
        ("fn f() { g().await; }", "await"),
        ("use tokio::sync::Mutex;", "tokio"),
        ("fn f() { std::fs::read(p); }", "std::fs"),
        ("use std::{net::IpAddr, fmt};", "std::net"),
        ("use std::{collections::{BTreeMap, HashMap}};", "HashMap"),
        ("fn f() -> std::collections::HashSet<u8> {}", "HashSet"),
        ("use std::time::Instant;", "Instant"),
        ("use std::time::{Duration, SystemTime};", "SystemTime"),
        ("fn f() { jiff::Timestamp::now(); }", "Timestamp::now"),
        ("use rand::Rng;", "rand"),
        ("fn f() { tracing::info!(\"x\"); }", "tracing"),
        ("use std::env;", "std::env"),
        ("fn f() { std::process::exit(1) }", "std::process"),
    ];
    for (text, part) in cases {
        for room in PURE {
            caught(&format!("{room}/x.rs"), text, &format!("{room} is pure and may not use {part}"));
        }
        fine("controller/x.rs", text);
    }
}

#[test]
fn the_kinds_may_be_derived_but_hold_no_client() {
    fine("api/deployment.rs", "use kube::CustomResource;\nuse k8s_openapi::api::core::v1::PodTemplate;");
    caught("api/deployment.rs", "use kube::{Client, CustomResource};", "kube::Client");
    caught("api/deployment.rs", "fn f(api: &kube::Api<X>) {}", "kube::Api");
    caught("api/deployment.rs", "use kube::api::Api;", "kube::api::Api");
    caught("appspec/tree.rs", "use kube::Resource;", "appspec is pure and may not use kube");
    caught(
        "engine/facts.rs",
        "use k8s_openapi::api::core::v1::Pod;",
        "engine is pure and may not use k8s_openapi",
    );
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    fine("engine/x.rs", "// crate::controller, async\n/* std::fs /* tokio */ HashMap */\nfn f() {}");
    fine("engine/x.rs", "const S: &str = \"use crate::controller; \\\" async\";");
    fine("engine/x.rs", "const S: &str = r#\"async \" std::fs\"#; const B: &[u8] = b\"tokio\";");
    fine("engine/x.rs", "fn f<'a>(x: &'a str, c: char) -> bool { c == '\"' || c == '\\'' }\n// async");
    fine(
        "engine/x.rs",
        "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn g() { x.unwrap(); }\n}",
    );
    fine("engine/x.rs", "#[cfg(test)]\nuse crate::controller;\nfn f() {}");
    fine("engine/x.rs", "#[cfg(test)]\n#[path = \"y.rs\"]\nmod tests;\nfn f() {}");
    caught("engine/x.rs", "#[cfg(test)]\nmod tests { fn g() {} }\nuse std::fs;", "std::fs");
    caught("engine/x.rs", "fn f(c: char) -> bool { c == '\"' }\nuse std::fs;", "std::fs");
}

#[test]
fn unwrap_and_expect_are_caught_outside_tests() {
    caught("cli/x.rs", "fn f() { x.unwrap(); }", "calls .unwrap() in line 2");
    caught("cli/x.rs", "fn f() {\n    x\n        .expect(\"words\");\n}", "calls .expect() in line 4");
    fine("cli/x.rs", "fn f() { x.unwrap_or(1); y.expect_err; }");
}

#[test]
fn files_are_short_and_open_with_words() {
    let lines = "fn f() {}\n".repeat(500);
    caught("engine/x.rs", &lines, "has 501 lines, at most 400");
    fine("engine/x.rs", &format!("#[cfg(test)]\nmod tests {{\n{lines}}}\n"));
    caught("bin/x.rs", &"// words\n".repeat(60), "has 61 lines, at most 60");
    let silent = File { path: "engine/x.rs".into(), text: "fn f() {}".into() };
    assert_eq!(faults(&silent), ["src/engine/x.rs: does not open with //!"]);
}

#[test]
fn files_that_only_tests_declare_are_known() {
    let names = |path: &str| {
        let text = "#[cfg(test)]\nmod tests;\nmod plan;".into();
        test_modules(&File { path: path.into(), text })
    };
    assert_eq!(names("engine/shift.rs"), ["engine/shift/tests"]);
    assert_eq!(names("engine/mod.rs"), ["engine/tests"]);
    assert_eq!(names("lib.rs"), ["tests"]);
}

#[test]
fn names_that_say_nothing_are_caught() {
    caught("cluster/store.rs", "pub struct StoreManager;", "StoreManager is a name that says nothing");
    caught("cluster/mod.rs", "mod utils;", "utils is a name that says nothing");
    fine("cluster/mod.rs", "mod store;\npub enum Managed {}");
}
