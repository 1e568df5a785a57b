//! Runs the AppSpec readers over `tests/corpus/appspec`: each file of a platform's folder either reads, or is
//! refused in one sentence. The other platform's reader has to answer too, whatever it says.
//!
//! A file that starts with `ok-` must read; `no-` must be refused; any other may do either, but answer.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use sluice::appspec::{
    Error, FunctionSpec, ServiceSpec, platform_of, read_function, read_service, write_function, write_service,
};

const PLATFORMS: [&str; 2] = ["function", "service"];

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

#[test]
fn what_one_platform_takes_the_other_refuses() {
    for (platform, taken) in PLATFORMS.iter().flat_map(|platform| {
        corpus(platform)
            .into_iter()
            .filter(|file| name(file).starts_with("ok-"))
            .map(move |file| (*platform, file))
    }) {
        let bytes = fs::read(&taken).unwrap();
        let refused = match platform {
            "function" => read_service(&bytes).map(|spec| format!("{spec:?}")),
            _ => read_function(&bytes).map(|spec| format!("{spec:?}")),
        };
        assert!(matches!(refused, Err(Error::OtherPlatform { .. })), "{}: {refused:?}", taken.display());
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
        }
    }
}
