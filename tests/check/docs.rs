//! Holds the pages of `docs/` against the source: no reason goes undescribed, none is described that no longer exists, and
//! every link leads to a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The source without its unit tests, which stand at the end of a file.
fn production_code(folders: &[&str]) -> String {
    let texts = folders.iter().flat_map(|f| files(&root().join("src").join(f), "rs"));
    texts
        .filter(|p| !p.file_stem().is_some_and(|s| s.to_string_lossy().ends_with("tests")))
        .filter(|p| !p.components().any(|part| part.as_os_str() == "tests"))
        .map(|p| read(&p))
        .map(|text| text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())
        .collect()
}

fn is_word(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.contains(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// What stands between two `quote`s of one line and is a CamelCase word.
fn quoted(text: &str, quote: char) -> BTreeSet<&str> {
    text.lines().flat_map(|line| line.split(quote).skip(1).step_by(2)).filter(|w| is_word(w)).collect()
}

/// The first cells of the page's tables: what the page says exists.
fn described(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| row.split(" |").next().unwrap_or_default().split(['`', ',', ' ']))
        .filter(|w| is_word(w))
        .collect()
}

#[test]
fn every_reason_that_the_engine_can_give_is_on_the_page_of_reasons() {
    let page = read(&root().join("docs/reasons.md"));
    let code = production_code(&["engine", "source", "agent/archive", "agent/install"]);
    let (said, known) = (quoted(&code, '"'), quoted(&page, '`'));
    assert!(said.len() > 40, "the source no longer has its reasons where this test looks: {said:?}");
    let missing: Vec<_> = said.difference(&known).collect();
    assert!(missing.is_empty(), "docs/reasons.md does not describe {missing:?}");
}

#[test]
fn no_reason_is_described_that_the_source_no_longer_has() {
    let page = read(&root().join("docs/reasons.md"));
    let code = production_code(&["engine", "source", "controller", "agent", "api"]);
    let words: BTreeSet<_> = code.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let stale: Vec<_> = described(&page).into_iter().filter(|w| !words.contains(w)).collect();
    assert!(stale.is_empty(), "docs/reasons.md describes {stale:?}, which the source does not have");
}

/// The tables of what `diagnostics.errorCode` says: of deployments to hosts, and of events on a host.
#[test]
fn the_kinds_name_every_error_code_that_the_page_of_reasons_describes() {
    let page = read(&root().join("docs/reasons.md"));
    let table =
        |head: &str| page.split(head).nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let tables = [
        "\n| code | cause |\n",
        "## On a host\n\nAn event that ran there says one of these in `diagnostics.errorCode`",
    ];
    let on_a_host = page.split(tables[1]).nth(1).unwrap_or_default();
    let on_a_host = on_a_host.split("\n\n").nth(1).unwrap_or_default();
    let codes: BTreeSet<_> = described(table(tables[0])).union(&described(on_a_host)).copied().collect();
    assert!(codes.len() > 12, "the page no longer has its codes where this test looks: {codes:?}");
    for kind in ["deployments", "instances"] {
        let definition = read(&root().join(format!("crds/{kind}.yaml")));
        let said = definition.split("errorCode:").nth(1).unwrap_or_default();
        let said = said.split("maxLength").next().unwrap_or_default();
        let words: BTreeSet<_> = said.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let missing: Vec<_> = codes.difference(&words).collect();
        assert!(missing.is_empty(), "crds/{kind}.yaml does not name {missing:?}: {said}");
    }
}

#[test]
fn every_metric_is_on_the_page_of_operations() {
    let page = read(&root().join("docs/operations.md"));
    let code = production_code(&["controller"]);
    let names: Vec<_> = code.split(".register(").skip(1).filter_map(|call| call.split('"').nth(1)).collect();
    assert!(!names.is_empty(), "no metric is registered where this test looks");
    let missing: Vec<_> = names.iter().filter(|n| !page.contains(&format!("`sluice_{n}"))).collect();
    assert!(missing.is_empty(), "docs/operations.md does not list {missing:?}");
}

#[test]
fn every_relative_link_of_a_page_leads_to_a_file() {
    let mut pages = files(&root().join("docs"), "md");
    let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "e2e/README.md"];
    pages.extend(top.map(|p| root().join(p)));
    let mut broken = Vec::new();
    for page in pages {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_local = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if is_local && !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
