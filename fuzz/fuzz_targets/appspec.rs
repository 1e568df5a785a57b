//! Any bytes, read as an AppSpec of each platform: nothing panics, what is taken keeps the readers' promises, and what
//! is said is one bounded line each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::appspec::{
    Limits, Os, ServerSpec, lint, platform_of, read_function, read_server, read_service, write_function,
    write_service,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = platform_of(bytes);
    if let Ok(spec) = read_function(bytes) {
        let again = read_function(write_function(&spec).as_bytes()).expect("what is written reads");
        assert_eq!(again.target_version, spec.target_version);
        check_lines(&spec.warnings);
    }
    if let Ok(spec) = read_service(bytes) {
        let again = read_service(write_service(&spec).as_bytes()).expect("what is written reads");
        assert_eq!(again.task_definition, spec.task_definition);
        check_lines(&spec.warnings);
    }
    let server = read_server(bytes);
    match &server {
        Ok(spec) => check_server(spec),
        Err(error) => check_lines(&[error.to_string()]),
    }
    let found = lint(bytes);
    check_lines(&found.findings.iter().map(|finding| finding.sentence.clone()).collect::<Vec<_>>());
    assert!(found.findings.iter().all(|finding| finding.line > 0));
    if found.server.is_some() {
        // What the reader refuses, lint has to name, and the other way round; Windows it refuses by itself.
        let is_refused =
            found.findings.iter().any(|f| f.is_refused_here && !f.sentence.starts_with("os is windows:"));
        assert_eq!(is_refused, server.is_err(), "{server:?} {found:?}");
    }
});

fn check_server(spec: &ServerSpec) {
    check_lines(&spec.warnings);
    let inside = spec.files.iter().map(|entry| &entry.source);
    let scripts = spec.hooks.values().flatten();
    for path in inside.chain(scripts.clone().map(|script| &script.location)) {
        assert!(
            !path.starts_with('/') && path.split('/').all(|part| part != ".." && part != "."),
            "{path:?}"
        );
    }
    assert!(scripts.clone().all(|script| script.timeout > 0 && !script.location.is_empty()));
    assert!(spec.hooks.values().all(|scripts| !scripts.is_empty()));
    assert!(spec.os == Os::Windows || spec.files.iter().all(|entry| entry.destination.starts_with('/')));
    assert!(
        spec.permissions
            .iter()
            .all(|one| one.object.starts_with('/') && one.mode.is_none_or(|mode| mode <= 0o7777))
    );
    let most = Limits::default().max_nodes;
    assert!(spec.files.len() + spec.permissions.len() + scripts.count() <= most);
}

fn check_lines(said: &[String]) {
    assert!(said.len() < 200, "{}", said.len());
    for line in said {
        assert!(!line.is_empty() && line.len() < 2000 && !line.contains(char::is_control), "{line:?}");
    }
}
