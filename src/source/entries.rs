//! A bundle's entries by their names: which names some file systems take for one, and where a link leads. Whoever packs, lints or unpacks a bundle
//! judges it by this; how each of them looks at a folder is its own.

use std::fs;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

/// Links that one path may pass, as the kernel has it.
const LINKS: usize = 40;

/// What lies at a path of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A link, to that target.
    Link(String),
    /// Anything else.
    Other,
}

/// Where a link of a bundle leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To something of the bundle.
    Inside,
    /// To nothing, within the bundle.
    Nowhere,
    /// Out of the bundle, whether or not it comes back.
    Outside,
    /// Back to itself, or to a directory that it lies in.
    Around,
}

impl Found {
    /// What lies at a path of a folder, as far as that can be seen.
    pub fn at(path: &Path) -> Option<Self> {
        match fs::read_link(path) {
            Ok(target) => Some(Self::Link(target.to_string_lossy().into_owned())),
            Err(_) => fs::symlink_metadata(path).is_ok().then_some(Self::Other),
        }
    }
}

/// A name as a file system that knows no case and one spelling of Unicode keeps it.
pub fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfd().flat_map(char::to_lowercase).nfc().collect()
}

/// Follows the link at `path` by hand, from its own directory on. `look` tells what lies at a path below the bundle's root, which has no link in
/// any part but the last; nothing where nothing is.
///
/// # Errors
/// Those of `look`.
pub fn follow<E>(
    path: &str,
    target: &str,
    mut look: impl FnMut(&str) -> Result<Option<Found>, E>,
) -> Result<Leads, E> {
    if target.starts_with('/') {
        return Ok(Leads::Outside);
    }
    let mut place: Vec<String> = path.split('/').map(Into::into).collect();
    place.pop();
    let mut ahead: Vec<String> = target.rsplit('/').map(Into::into).collect();
    let (mut passed, mut exists) = (1, true);
    while let Some(part) = ahead.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." if place.pop().is_none() => return Ok(Leads::Outside),
            ".." => continue,
            _ => place.push(part),
        }
        match look(&place.join("/"))? {
            None => exists = false,
            Some(Found::Other) => {}
            Some(Found::Link(next)) => {
                passed += 1;
                if passed > LINKS {
                    return Ok(Leads::Around);
                }
                if next.starts_with('/') {
                    return Ok(Leads::Outside);
                }
                place.pop();
                ahead.extend(next.rsplit('/').map(Into::into));
            }
        }
    }
    let end = place.join("/");
    let is_around = end.is_empty() || path.strip_prefix(&end).is_some_and(|rest| rest.starts_with('/'));
    Ok(match (exists, is_around) {
        (false, _) => Leads::Nowhere,
        (true, true) => Leads::Around,
        (true, false) => Leads::Inside,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A bundle with the directories `d/e` and `dd`, the file `f` and these links; where the last of them leads.
    fn leads(links: &[(&str, &str)]) -> Leads {
        let look = |path: &str| {
            let link = links.iter().find(|(link, _)| *link == path);
            let other = ["d", "d/e", "dd", "f"].contains(&path).then_some(Found::Other);
            Ok::<_, Infallible>(link.map(|(_, target)| Found::Link((*target).into())).or(other))
        };
        let (path, target) = links[links.len() - 1];
        follow(path, target, look).unwrap()
    }

    #[test]
    fn a_link_leads_where_each_link_on_its_way_leads() {
        for (expected, links) in [
            (Leads::Inside, &[("l", "f")][..]),
            (Leads::Inside, &[("d/l", ".././/f")]),
            (Leads::Inside, &[("d/l", "../dd")]),
            (Leads::Inside, &[("dd/l", "../d")]),
            (Leads::Inside, &[("a", "d/e"), ("l", "a/../../f")]),
            (Leads::Inside, &[("a", "b"), ("b", "f"), ("l", "a")]),
            (Leads::Nowhere, &[("l", "gone")]),
            (Leads::Nowhere, &[("d/l", "gone/..")]),
            (Leads::Nowhere, &[("a", "gone"), ("l", "a/f")]),
            (Leads::Outside, &[("l", "/etc")]),
            (Leads::Outside, &[("l", "..")]),
            (Leads::Outside, &[("d/l", "../../bundle/f")]),
            (Leads::Outside, &[("l", "gone/../../x")]),
            (Leads::Outside, &[("a", "/etc"), ("l", "a/x")]),
            (Leads::Outside, &[("d/a", "e/.."), ("l", "d/a/../../x")]),
            (Leads::Around, &[("l", ".")]),
            (Leads::Around, &[("l", "l")]),
            (Leads::Around, &[("d/l", ".")]),
            (Leads::Around, &[("d/e/l", "..")]),
            (Leads::Around, &[("d/e/l", "../..")]),
            (Leads::Around, &[("a", "d"), ("d/e/l", "../../a")]),
            (Leads::Around, &[("a", "b"), ("b", "a"), ("l", "a")]),
        ] {
            assert_eq!(leads(links), expected, "{links:?}");
        }
    }

    #[test]
    fn as_many_links_are_passed_as_by_the_kernel() {
        for (count, expected) in [(40, Leads::Inside), (41, Leads::Around)] {
            let names: Vec<String> = (0..count).map(|number| format!("l{number}")).collect();
            let targets = std::iter::once("f").chain(names.iter().map(String::as_str));
            let links: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(targets).collect();
            assert_eq!(leads(&links), expected, "{count}");
        }
    }

    #[test]
    fn names_are_one_in_any_case_and_any_spelling_of_unicode() {
        for (one, other) in [("Web", "wEB"), ("caf\u{e9}", "CAFE\u{301}"), ("\u{c5}", "\u{212b}")] {
            assert_eq!(folded(one), folded(other), "{one} and {other}");
        }
        for (one, other) in [("web", "web1"), ("caf\u{e9}", "cafe"), ("a.b", "a_b")] {
            assert_ne!(folded(one), folded(other), "{one} and {other}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_told() {
        assert_eq!(follow("l", "f", |_| Err("no disk")), Err("no disk"));
    }
}
