//! Names that an AppSpec may carry: takes a text, gives `Ok` or the sentence that says what is wrong and what
//! to write instead. The rules are those of the objects that the names become (RFC 1035 and RFC 1123).

use super::spelling::shown;

/// Longest name of a core Service, which `{name}-{version}` becomes by default.
pub(super) const SERVICE_NAME: usize = 63;
const OBJECT_NAME: usize = 253;
const ALIAS: usize = 128;
const LOGICAL_NAME: usize = 255;

/// A function's name: the front of a Service name.
pub(super) fn check_function(name: &str) -> Result<(), String> {
    if let Some(resource) = arn_resource(name) {
        return Err(format!("is an ARN: write the function's name alone{}", example(resource)));
    }
    check_rendered(name)?;
    let good =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(name) && name.len() <= SERVICE_NAME;
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} cannot begin the name of a Service: use at most {SERVICE_NAME} of a-z, 0-9 and '-', with a letter \
             first and no '-' last{}",
            shown(name),
            example(name)
        )
    })
}

/// A version: the back of a Service name, fixed once and for all.
pub(super) fn check_version(version: &str) -> Result<(), String> {
    if version.eq_ignore_ascii_case("$LATEST") {
        return Err("is `$LATEST`, which moves: name a fixed version, like `7`".into());
    }
    if arn_resource(version).is_some() {
        return Err("is an ARN: write the version alone, like `7`".into());
    }
    check_rendered(version)?;
    let good = is_label(version) && version.len() <= SERVICE_NAME;
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} cannot end the name of a Service: use a-z, 0-9 and '-', with no '-' first or last, like `7` or `v1-2`",
            shown(version)
        )
    })
}

/// An alias: it must be one of the deployment group's `function.aliases`.
pub(super) fn check_alias(alias: &str) -> Result<(), String> {
    if arn_resource(alias).is_some() {
        return Err("is an ARN: write the alias's name alone, like `live`".into());
    }
    check_rendered(alias)?;
    let good = alias.len() <= ALIAS && alias.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} is not the name of an alias: use at most {ALIAS} letters, digits, '-' and '_'",
            shown(alias)
        )
    })
}

/// A hook: the name of a `LifecycleHook` object in the deployment's namespace.
pub(super) fn check_hook(hook: &str) -> Result<(), String> {
    if let Some(resource) = arn_resource(hook) {
        return Err(format!(
            "is an ARN: write the name of a LifecycleHook in the deployment's namespace{}",
            example(resource)
        ));
    }
    check_rendered(hook)?;
    let good = hook.len() <= OBJECT_NAME && hook.split('.').all(is_label);
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} is not the name of a LifecycleHook: use at most {OBJECT_NAME} of a-z, 0-9, '-' and '.', with a \
             letter or digit at each end{}",
            shown(hook),
            example(hook)
        )
    })
}

/// The free name of an entry of `Resources`.
pub(super) fn check_logical(name: &str) -> Result<(), String> {
    check_rendered(name)?;
    let good = !name.trim().is_empty() && name.len() <= LOGICAL_NAME && !name.contains(char::is_control);
    good.then_some(())
        .ok_or_else(|| format!("has the name {}: use 1 to {LOGICAL_NAME} printable bytes", shown(name)))
}

fn check_rendered(text: &str) -> Result<(), String> {
    let marks = ["{{", "${", "%{", "{%", "<%", "$("];
    let angled = text.len() > 2 && text.starts_with('<') && text.ends_with('>');
    if angled || marks.iter().any(|mark| text.contains(mark)) {
        return Err(format!("is {}, a template that was not rendered", shown(text)));
    }
    Ok(())
}

/// Letters, digits and inner hyphens: one label of a DNS name, its length aside.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The name inside an ARN (`arn:aws:lambda:region:account:function:name:qualifier`), empty if it has none.
fn arn_resource(text: &str) -> Option<&str> {
    let is_arn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
    is_arn.then(|| text.split(':').nth(6).unwrap_or_default())
}

/// `SendMail` and `send_mail` as an object could be called: `, like send-mail`; nothing if no name comes out.
fn example(text: &str) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for letter in text.chars().take(OBJECT_NAME) {
        if letter.is_ascii_alphanumeric() {
            if letter.is_ascii_uppercase() && after_small {
                name.push('-');
            }
            after_small = !letter.is_ascii_uppercase();
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
            after_small = false;
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name.get(..name.len().min(SERVICE_NAME)).unwrap_or_default().trim_end_matches('-');
    if name.is_empty() { String::new() } else { format!(", like `{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_in_capitals_is_refused_with_the_spelling_that_works() {
        let said = check_function("SendMail").unwrap_err();
        assert!(said.contains("`SendMail`") && said.ends_with("like `send-mail`"), "{said}");
        assert!(check_function("my_fn").unwrap_err().ends_with("like `my-fn`"));
        assert!(check_function("7up").unwrap_err().ends_with("like `up`"));
        assert!(check_function("日本").unwrap_err().ends_with("no '-' last"));
    }

    #[test]
    fn an_arn_is_refused_with_the_name_inside_it() {
        let arn = "arn:aws:lambda:eu-west-1:111122223333:function:Checkout:7";
        assert!(check_function(arn).unwrap_err().ends_with("name alone, like `checkout`"));
        assert!(check_hook(arn).unwrap_err().contains("LifecycleHook"));
        assert!(check_hook("arn:aws").unwrap_err().ends_with("namespace"));
        assert!(check_version(arn).unwrap_err().contains("version alone"));
        assert!(check_alias(arn).unwrap_err().contains("alias's name alone"));
    }

    #[test]
    fn a_version_that_moves_is_refused() {
        assert!(check_version("$LATEST").unwrap_err().contains("fixed version"));
        assert!(check_version("$latest").unwrap_err().contains("fixed version"));
    }

    #[test]
    fn a_version_must_be_able_to_end_a_service_name() {
        for good in ["7", "v2", "2024-05-01", "a1b2c3d"] {
            assert_eq!(check_version(good), Ok(()), "{good}");
        }
        for bad in ["1.0", "V2", "-1", "1-", "1 2", "1_2"] {
            assert!(check_version(bad).unwrap_err().contains("`7` or `v1-2`"), "{bad}");
        }
    }

    #[test]
    fn a_hook_may_have_dots_but_no_empty_label() {
        assert_eq!(check_hook("web.probe-1"), Ok(()));
        for bad in ["web..probe", ".web", "web.", "-web", "Web", "web/probe"] {
            assert!(check_hook(bad).is_err(), "{bad}");
        }
        assert!(check_hook(&"a".repeat(254)).is_err());
    }

    #[test]
    fn a_template_that_was_not_rendered_is_named_as_such() {
        for text in ["${VERSION}", "{{ version }}", "%{v}", "<version>", "$(version)", "<%= v %>"] {
            assert!(check_version(text).unwrap_err().contains("not rendered"), "{text}");
        }
    }
}
