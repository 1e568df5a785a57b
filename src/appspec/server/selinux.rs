//! SELinux labels as a Server AppSpec writes them: takes the `context` of a permission, gives the label.

use super::super::error::Error;
use super::super::section::{Keys, Section};
use super::super::spelling::shown;
use super::super::tree::Node;
use super::SelinuxContext;
use super::findings::Findings;

const CONTEXT: Keys = Keys {
    known: &["name", "user", "type", "range"],
    elsewhere: &[],
    instead: &[("role", "a label's role is not set")],
    only_on_aws: &[],
};

/// Reads a `context`. CodeDeploy's user guide calls the user `user`, its agent reads `name`.
///
/// # Errors
/// If it has no type, or a range that is none.
pub(super) fn context_of(node: &Node, findings: &mut Findings) -> Result<SelinuxContext, Error> {
    let section = Section::open_exact(node, "permissions.context", &CONTEXT, &mut findings.warnings)?;
    let name = section.text("name", |_| Ok(()))?;
    let user = section.text("user", |_| Ok(()))?;
    if let (None, Some(_), Some(node)) = (name, user, section.get("user")) {
        let said = "permissions.context.user is read here; AWS's agent reads name, write both";
        findings.advice.add(node.at, said);
    }
    let type_ = section.required("type", "write the label's type, like httpd_sys_content_t", |_| Ok(()))?;
    let range = section.text("range", check_range)?;
    Ok(SelinuxContext {
        user: name.or(user).map(Into::into),
        type_: type_.into(),
        range: range.map(Into::into),
    })
}

/// `s0`, `s0-s3`, and with categories `s0:c1,c4.c9`.
fn check_range(text: &str) -> Result<(), String> {
    is_range(text).then_some(()).ok_or_else(|| {
        format!(
            "is {}, which is no range of a label: write it like `s0`, `s0-s3` or `s0:c1,c4.c9`",
            shown(text)
        )
    })
}

fn is_range(text: &str) -> bool {
    let (levels, categories) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
    let is_ordered = |text: &str, between: char, letter: char, most: u32| match text.split_once(between) {
        None => number(text, letter, most).is_some(),
        Some((low, high)) => {
            let both = number(low, letter, most).zip(number(high, letter, most));
            both.is_some_and(|(low, high)| low <= high)
        }
    };
    let is_category = |text: &str| is_ordered(text, '.', 'c', 1023);
    is_ordered(levels, '-', 's', u32::MAX) && categories.is_none_or(|all| all.split(',').all(is_category))
}

fn number(text: &str, letter: char, most: u32) -> Option<u32> {
    let digits = text.strip_prefix(letter).filter(|rest| rest.bytes().all(|digit| digit.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_levels_and_may_have_categories() {
        for text in ["s0", "s0-s15", "s0:c0", "s0-s3:c0.c1023", "s0:c1,c4.c9"] {
            assert!(is_range(text), "{text}");
        }
        for text in ["", "0", "s", "s3-s0", "s0:", "s0:c1024", "s0:c9.c4", "s0:c1,", "s0-", "s+1", "s0-s1-s2"]
        {
            assert!(!is_range(text), "{text}");
        }
    }
}
