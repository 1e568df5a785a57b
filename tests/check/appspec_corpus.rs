//! Runs the AppSpec readers over `tests/corpus/appspec`: each file of a platform's folder either reads, or is
//! refused in one sentence. The other platform's reader has to answer too, whatever it says.
//!
//! A file that starts with `ok-` must read; `no-` must be refused; any other may do either, but answer.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use sluice::appspec::{
    Error, FunctionSpec, ServiceSpec, lint, platform_of, read_function, read_server, read_service,
    write_function, write_service,
};

const PLATFORMS: [&str; 3] = ["function", "service", "server"];

fn corpus(platform: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/appspec").join(platform);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

fn is_one_sentence(said: &str) -> bool {
    said.len() > 20 && said.len() < 800 && !said.contains('\n')
}

/// `without_warnings` because what was ignored is not written again.
fn each_reads_or_is_refused<S: Debug + PartialEq>(
    platform: &str,
    read: impl Fn(&[u8]) -> Result<S, Error>,
    write: impl Fn(&S) -> String,
    without_warnings: impl Fn(S) -> S,
) {
    for file in corpus(platform) {
        let name = name(&file);
        match read(&fs::read(&file).unwrap()) {
            Ok(spec) => {
                assert!(!name.starts_with("no-"), "{platform}/{name} was accepted as {spec:?}");
                let again = read(write(&spec).as_bytes()).unwrap();
                assert_eq!(again, without_warnings(spec), "{platform}/{name}");
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!name.starts_with("ok-"), "{platform}/{name}: {said}");
                assert!(is_one_sentence(&said), "{platform}/{name}: {said:?}");
            }
        }
    }
}

#[test]
fn every_function_of_the_corpus_reads_or_is_refused_in_a_sentence() {
    each_reads_or_is_refused("function", read_function, write_function, |spec| FunctionSpec {
        warnings: vec![],
        ..spec
    });
}

#[test]
fn every_service_of_the_corpus_reads_or_is_refused_in_a_sentence() {
    each_reads_or_is_refused("service", read_service, write_service, |spec| ServiceSpec {
        warnings: vec![],
        ..spec
    });
}

/// A Server AppSpec is never written, so that there is nothing to read again.
#[test]
fn every_server_of_the_corpus_reads_or_is_refused_in_a_sentence() {
    for file in corpus("server") {
        let (name, bytes) = (name(&file), fs::read(&file).unwrap());
        match read_server(&bytes) {
            Ok(spec) => assert!(!name.starts_with("no-"), "server/{name} was accepted as {spec:?}"),
            Err(error) => {
                let said = error.to_string();
                assert!(!name.starts_with("ok-"), "server/{name}: {said}");
                assert!(is_one_sentence(&said), "server/{name}: {said:?}");
            }
        }
    }
}

#[test]
fn lint_finds_what_a_reader_refuses() {
    for (platform, file) in PLATFORMS.iter().flat_map(|p| corpus(p).into_iter().map(move |file| (p, file))) {
        let (name, bytes) = (name(&file), fs::read(&file).unwrap());
        let found = lint(&bytes).findings;
        // An AppSpec of another platform than its folder's is judged as what it is.
        let is_of_another = platform_of(&bytes)
            .is_ok_and(|found| found.is_some_and(|found| !found.to_string().eq_ignore_ascii_case(platform)));
        let is_refused = found.iter().any(|finding| finding.is_refused_here);
        let is_exempt = is_of_another || name.starts_with("any-") || name.contains("windows");
        assert!(is_exempt || is_refused == name.starts_with("no-"), "{platform}/{name}: {found:#?}");
        assert!(
            found.iter().all(|finding| finding.line > 0 && is_one_sentence(&finding.sentence)),
            "{found:?}"
        );
    }
}

#[test]
fn what_one_platform_takes_the_other_refuses() {
    for (platform, taken) in PLATFORMS.iter().flat_map(|platform| {
        corpus(platform)
            .into_iter()
            .filter(|file| name(file).starts_with("ok-"))
            .map(move |file| (*platform, file))
    }) {
        let bytes = fs::read(&taken).unwrap();
        let answers = [
            ("function", read_function(&bytes).err()),
            ("service", read_service(&bytes).err()),
            ("server", read_server(&bytes).err()),
        ];
        for (other, refused) in answers.into_iter().filter(|(other, _)| *other != platform) {
            let file = taken.display();
            assert!(matches!(refused, Some(Error::OtherPlatform { .. })), "{file} by {other}: {refused:?}");
        }
    }
}

#[test]
fn the_corpus_holds_each_kind_of_each_platform() {
    for (platform, kind, least) in [
        ("function", "ok-", 5),
        ("function", "no-", 5),
        ("function", "any-", 5),
        ("service", "ok-", 5),
        ("service", "no-", 5),
        ("service", "any-", 3),
        ("server", "ok-", 5),
        ("server", "no-", 10),
        ("server", "any-", 3),
    ] {
        let found = corpus(platform).iter().filter(|file| name(file).starts_with(kind)).count();
        assert!(found >= least, "{platform}: {found} of {kind}");
    }
}

#[test]
fn no_prefix_of_a_corpus_file_panics() {
    for file in PLATFORMS.iter().flat_map(|platform| corpus(platform)) {
        let bytes = fs::read(&file).unwrap();
        for end in (0..bytes.len().min(2000)).step_by(3) {
            let _ = platform_of(&bytes[..end]);
            let _ = read_function(&bytes[..end]);
            let _ = read_service(&bytes[..end]);
            let _ = lint(&bytes[..end]);
        }
    }
}
