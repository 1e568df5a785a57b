//! The name of an entry: takes an archive's bytes, gives a path below the bundle's root, or the rule that it breaks.

use super::options::Options;
use super::refusal::{Refusal, shown, shown_bytes};

/// What a file system takes for one part of a path.
const PART: usize = 255;

/// The path, its parts joined by `/`: none of them empty, `.` or `..`. Empty for the root itself.
pub(super) fn clean(name: &[u8], options: &Options) -> Result<String, Refusal> {
    let show = || shown(name);
    if name.contains(&0) {
        return Err(Refusal::NameHasNul(show()));
    }
    let text = std::str::from_utf8(name).map_err(|_| Refusal::NameNotUtf8(shown_bytes(name)))?;
    if text.is_empty() {
        return Err(Refusal::NameEmpty(show()));
    }
    if text.starts_with('/') && !options.allowed.absolute_paths {
        return Err(Refusal::AbsolutePath(show()));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if !options.allowed.parent_parts || parts.pop().is_none() => {
                return Err(Refusal::ParentPart(show()));
            }
            ".." => {}
            _ if part.len() > PART => return Err(Refusal::NameTooLong(show())),
            _ => parts.push(part),
        }
    }
    let limits = &options.limits;
    if parts.len() > limits.depth {
        return Err(Refusal::PathTooDeep(show(), limits.depth));
    }
    let path = parts.join("/");
    if path.len() > limits.path {
        return Err(Refusal::PathTooLong(show(), limits.path));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(name: &str) -> Result<String, &'static str> {
        clean(name.as_bytes(), &Options::default()).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn dots_and_slashes_that_mean_nothing_go() {
        assert_eq!(cleaned("./a//b/./c/"), Ok("a/b/c".into()));
        assert_eq!(cleaned("./"), Ok(String::new()));
        assert_eq!(cleaned("..."), Ok("...".into()));
    }

    #[test]
    fn what_leads_out_is_refused_by_its_name() {
        assert_eq!(cleaned("a/../b"), Err("ParentPart"));
        assert_eq!(cleaned("../b"), Err("ParentPart"));
        assert_eq!(cleaned("/a"), Err("AbsolutePath"));
        assert_eq!(cleaned(""), Err("NameEmpty"));
        assert_eq!(cleaned("a\0b"), Err("NameHasNul"));
        assert_eq!(cleaned(&"n".repeat(256)), Err("NameTooLong"));
        assert_eq!(cleaned(&"d/".repeat(65)), Err("PathTooDeep"));
        assert_eq!(cleaned(&format!("{}/", "n".repeat(250)).repeat(9)), Err("PathTooLong"));
        let latin = clean(b"caf\xe9", &Options::default());
        let refusal = latin.unwrap_err();
        assert_eq!(refusal.reason(), "NameNotUtf8");
        assert!(refusal.to_string().contains(r#"entry "caf\xe9" is not UTF-8"#), "{refusal}");
    }

    #[test]
    fn an_opt_out_still_leads_nowhere_else() {
        let mut options = Options::default();
        options.allowed.parent_parts = true;
        options.allowed.absolute_paths = true;
        assert_eq!(clean(b"/a/../b", &options), Ok("b".into()));
        assert!(matches!(clean(b"a/../../b", &options), Err(Refusal::ParentPart(_))));
    }
}
