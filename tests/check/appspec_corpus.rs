//! Runs the AppSpec reader over `tests/corpus/appspec`: each file either reads, or is refused in one sentence.
//!
//! A file that starts with `ok-` must read; `no-` must be refused; any other may do either, but answer.

use std::fs;
use std::path::{Path, PathBuf};

use sluice::appspec::{platform_of, read_function, write_function};

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/appspec");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_file_of_the_corpus_reads_or_is_refused_in_a_sentence() {
    for file in corpus() {
        let name = name(&file);
        let bytes = fs::read(&file).unwrap();
        match read_function(&bytes) {
            Ok(spec) => {
                assert!(!name.starts_with("no-"), "{name} was accepted as {spec:?}");
                let mut again = read_function(write_function(&spec).as_bytes()).unwrap();
                again.warnings.clone_from(&spec.warnings);
                assert_eq!(again, spec, "{name}");
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!name.starts_with("ok-"), "{name}: {said}");
                assert!(said.len() > 20 && said.len() < 800 && !said.contains('\n'), "{name}: {said:?}");
            }
        }
    }
}

#[test]
fn the_corpus_holds_both_kinds() {
    let names: Vec<String> = corpus().iter().map(|file| name(file)).collect();
    for kind in ["ok-", "no-", "any-"] {
        assert!(names.iter().filter(|name| name.starts_with(kind)).count() >= 5, "{kind}: {names:?}");
    }
}

#[test]
fn no_prefix_of_a_corpus_file_panics() {
    for file in corpus() {
        let bytes = fs::read(&file).unwrap();
        for end in (0..bytes.len().min(2000)).step_by(3) {
            let _ = platform_of(&bytes[..end]);
            let _ = read_function(&bytes[..end]);
        }
    }
}
