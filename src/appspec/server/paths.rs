//! Paths as a Server AppSpec writes them: takes a text, gives its one normal form or says why there is none.
//! Pure: no path is looked at.

use super::super::spelling::shown;
use super::findings::By;
use super::{Os, Rules};

/// Why a path is refused, and by whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) by: By,
}

fn fault<T>(by: By, problem: String) -> Result<T, Fault> {
    Err(Fault { problem, by })
}

/// A path below the bundle's root: without leading, trailing or double slashes and without `.`; empty for the root.
///
/// A leading slash means the bundle's root, as it does to AWS's agent; a backslash is a slash on Windows only.
pub(super) fn inside(text: &str, os: Os, rules: Rules) -> Result<String, Fault> {
    check_characters(text)?;
    if os == Os::Windows && drive_of(text).is_some() {
        let problem =
            format!("is {}, which names a drive: write the path below the bundle's root", shown(text));
        return fault(By::Both, problem);
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in parts(text, os) {
        if part != ".." {
            kept.push(part);
        } else if kept.last().is_some_and(|last| *last != "..") {
            kept.pop();
        } else if rules.may_leave_bundle {
            kept.push(part);
        } else {
            let problem =
                format!("is {}, which leaves the bundle: put what it names into the bundle", shown(text));
            return fault(By::Us, problem);
        }
    }
    Ok(kept.join("/"))
}

/// An absolute path of a host: without trailing or double slashes and without `.` and `..`; `/` for the root.
pub(super) fn absolute(text: &str, os: Os) -> Result<String, Fault> {
    check_characters(text)?;
    let Some((prefix, rest)) = anchor(text, os) else {
        let tilde = if text.starts_with('~') { " (`~` is not expanded)" } else { "" };
        let example = if os == Os::Windows { "C:\\" } else { "/" };
        let problem = format!(
            "is {}, which is relative to wherever the agent runs{tilde}: write it from `{example}` on",
            shown(text)
        );
        return fault(By::Us, problem);
    };
    let mut kept: Vec<&str> = Vec::new();
    for part in parts(rest, os) {
        if part != ".." {
            kept.push(part);
        } else if kept.pop().is_none() {
            return fault(
                By::Us,
                format!("is {}, which leads above the root: write it without `..`", shown(text)),
            );
        }
    }
    let separator = if os == Os::Windows { "\\" } else { "/" };
    Ok(format!("{prefix}{}", kept.join(separator)))
}

/// What an absolute path starts with, in its normal form, and the rest.
fn anchor(text: &str, os: Os) -> Option<(String, &str)> {
    if os == Os::Linux {
        return text.strip_prefix('/').map(|rest| ("/".into(), rest));
    }
    let is_rooted = |text: &str| text.starts_with(['/', '\\']);
    if let Some((drive, rest)) = drive_of(text) {
        return is_rooted(rest).then(|| (format!("{drive}\\"), rest));
    }
    let is_share = is_rooted(text) && text.get(1..).is_some_and(is_rooted);
    let prefix = if is_share { "\\\\" } else { "\\" };
    is_rooted(text).then(|| (prefix.into(), text))
}

fn drive_of(text: &str) -> Option<(&str, &str)> {
    let is_drive = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.get(1..2) == Some(":");
    is_drive.then(|| text.split_at(2))
}

fn parts(text: &str, os: Os) -> impl Iterator<Item = &str> {
    text.split(move |c| c == '/' || (os == Os::Windows && c == '\\'))
        .filter(|part| !part.is_empty() && *part != ".")
}

fn check_characters(text: &str) -> Result<(), Fault> {
    if text.contains(char::is_control) {
        return fault(By::Both, format!("is {}, which has control characters in it", shown(text)));
    }
    Ok(())
}

/// The last part of a path in its normal form.
pub(super) fn last_part(path: &str, os: Os) -> &str {
    let is_separator = |c| c == '/' || (os == Os::Windows && c == '\\');
    path.rsplit(is_separator).next().unwrap_or_default()
}

/// The extension of a file's name: letters and digits after the last dot, a letter first.
pub(super) fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let is_word = extension.starts_with(|c: char| c.is_ascii_alphabetic())
        && extension.chars().all(|c| c.is_ascii_alphanumeric());
    (is_word && !stem.is_empty()).then_some(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules { may_leave_bundle: false };

    #[test]
    fn every_spelling_of_the_root_is_the_whole_bundle() {
        for text in ["/", ".", "./", "//", "/./", "a/.."] {
            assert_eq!(inside(text, Os::Linux, STRICT), Ok(String::new()), "{text}");
        }
        for text in ["\\", ".\\", "/"] {
            assert_eq!(inside(text, Os::Windows, STRICT), Ok(String::new()), "{text}");
        }
    }

    #[test]
    fn a_leading_slash_means_the_root_of_the_bundle() {
        for text in ["app/bin", "/app/bin", "./app//bin/", "app/x/../bin"] {
            assert_eq!(inside(text, Os::Linux, STRICT), Ok("app/bin".into()), "{text}");
        }
        assert_eq!(inside("\\app\\bin\\", Os::Windows, STRICT), Ok("app/bin".into()));
    }

    #[test]
    fn a_backslash_is_a_character_like_any_other_on_linux() {
        assert_eq!(inside("\\app", Os::Linux, STRICT), Ok("\\app".into()));
    }

    #[test]
    fn what_leaves_the_bundle_is_refused_unless_the_rules_allow_it() {
        for text in ["..", "../x", "/../x", "a/../../x"] {
            let refused = inside(text, Os::Linux, STRICT).unwrap_err();
            assert!(refused.problem.contains("leaves the bundle") && refused.by == By::Us, "{text}");
        }
        assert!(inside("a\\..\\..\\x", Os::Windows, STRICT).is_err());
        let rules = Rules { may_leave_bundle: true };
        assert_eq!(inside("a/../../../x/", Os::Linux, rules), Ok("../../x".into()));
    }

    #[test]
    fn an_absolute_path_has_one_form() {
        for text in ["/srv/app", "/srv/app/", "//srv/./app", "/srv/x/../app"] {
            assert_eq!(absolute(text, Os::Linux), Ok("/srv/app".into()), "{text}");
        }
        assert_eq!(absolute("/", Os::Linux), Ok("/".into()));
        for (text, form) in [
            ("C:\\app\\", "C:\\app"),
            ("c:/app/x", "c:\\app\\x"),
            ("C:\\", "C:\\"),
            ("\\\\host\\share\\", "\\\\host\\share"),
            ("/app", "\\app"),
        ] {
            assert_eq!(absolute(text, Os::Windows), Ok(form.into()), "{text}");
        }
    }

    #[test]
    fn a_relative_destination_is_refused_by_us_alone() {
        for (text, os) in [
            ("srv/app", Os::Linux),
            ("./app", Os::Linux),
            ("~/app", Os::Linux),
            ("C:\\app", Os::Linux),
            ("app", Os::Windows),
            ("C:app", Os::Windows),
        ] {
            let refused = absolute(text, os).unwrap_err();
            assert!(refused.problem.contains("relative") && refused.by == By::Us, "{text}");
        }
        assert!(absolute("~/app", Os::Linux).unwrap_err().problem.contains("not expanded"));
        assert!(absolute("/srv/../../x", Os::Linux).unwrap_err().problem.contains("above the root"));
    }

    #[test]
    fn a_control_character_is_in_no_path() {
        for text in ["/a\0b", "/a\nb"] {
            assert_eq!(absolute(text, Os::Linux).unwrap_err().by, By::Both);
            assert_eq!(inside(text, Os::Linux, STRICT).unwrap_err().by, By::Both);
        }
    }

    #[test]
    fn a_version_is_no_extension() {
        assert_eq!(extension("app.conf"), Some("conf"));
        for name in ["app", "app-1.2", ".profile", "app.", "a.b-c"] {
            assert_eq!(extension(name), None, "{name}");
        }
    }
}
