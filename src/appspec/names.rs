//! Names that an AppSpec may carry: takes a text, gives `Ok` or the sentence that says what is wrong and what
//! to write instead. The rules are those of the objects that the names become (RFC 1035 and RFC 1123).

use super::spelling::shown;

/// Longest name of a core Service, which `{name}-{version}` becomes by default.
pub(super) const SERVICE_NAME: usize = LABEL;
const LABEL: usize = 63;
const OBJECT_NAME: usize = 253;
const ALIAS: usize = 128;
const LOGICAL_NAME: usize = 255;

/// A function's name: the front of a Service name.
pub(super) fn check_function(name: &str) -> Result<(), String> {
    if let Some(resource) = arn_resource(name) {
        let like = example(last_name(resource), SERVICE_NAME);
        return Err(format!("is an ARN: write the function's name alone{like}"));
    }
    check_rendered(name, "write the function's name")?;
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(name);
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} cannot begin the name of a Service: use at most {SERVICE_NAME} of a-z, 0-9 and '-', with a letter \
             first and no '-' last{}",
            shown(name),
            example(name, SERVICE_NAME)
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
    check_rendered(version, "write the version")?;
    is_label(version).then_some(()).ok_or_else(|| {
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
    check_rendered(alias, "write the alias's name")?;
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
    check_object(hook, "LifecycleHook")
}

/// A task definition: the name of a core/v1 `PodTemplate` in the deployment's namespace.
pub(super) fn check_pod_template(name: &str) -> Result<(), String> {
    let is_family_and_revision = name.contains(':') && is_rendered(name) && arn_resource(name).is_none();
    if is_family_and_revision {
        return Err(format!(
            "is {}, a family and revision of ECS: write the name of a PodTemplate in the deployment's namespace{}",
            shown(name),
            example(name, OBJECT_NAME)
        ));
    }
    check_object(name, "PodTemplate")
}

/// A container of a pod.
pub(super) fn check_container(name: &str) -> Result<(), String> {
    check_rendered(name, "write the container's name")?;
    is_label(name).then_some(()).ok_or_else(|| {
        format!(
            "{} is not the name of a container: use at most {LABEL} of a-z, 0-9 and '-', with a letter or digit at \
             each end{}",
            shown(name),
            example(name, LABEL)
        )
    })
}

/// The free name of an entry of `Resources`.
pub(super) fn check_logical(name: &str) -> Result<(), String> {
    check_rendered(name, "write any name")?;
    let good = !name.trim().is_empty() && name.len() <= LOGICAL_NAME && !name.contains(char::is_control);
    good.then_some(())
        .ok_or_else(|| format!("has the name {}: use 1 to {LOGICAL_NAME} printable bytes", shown(name)))
}

/// A value that is no template; `cure` says what to write if it is one.
pub(super) fn check_rendered(text: &str, cure: &str) -> Result<(), String> {
    if is_rendered(text) {
        return Ok(());
    }
    // The one placeholder of an AppSpec that CodePipeline's ECS action replaces.
    let whose =
        if text.eq_ignore_ascii_case("<TASK_DEFINITION>") { " (CodePipeline does it on AWS)" } else { "" };
    Err(format!("is {}, a template that was not rendered{whose}: {cure}", shown(text)))
}

/// False for what looks like a template that was not rendered.
pub(super) fn is_rendered(text: &str) -> bool {
    let marks = ["{{", "${", "%{", "{%", "<%", "$("];
    let angled = text.len() > 2 && text.starts_with('<') && text.ends_with('>');
    !angled && !marks.iter().any(|mark| text.contains(mark))
}

/// The name of an object in the deployment's namespace: a DNS subdomain.
fn check_object(name: &str, kind: &str) -> Result<(), String> {
    let cure = format!("write the name of a {kind} in the deployment's namespace");
    if let Some(resource) = arn_resource(name) {
        return Err(format!("is an ARN: {cure}{}", example(last_name(resource), OBJECT_NAME)));
    }
    check_rendered(name, &cure)?;
    let good = name.len() <= OBJECT_NAME && name.split('.').all(is_dns_word);
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} is not the name of a {kind}: use at most {OBJECT_NAME} of a-z, 0-9, '-' and '.', with a letter or \
             digit at each end{}",
            shown(name),
            example(name, OBJECT_NAME)
        )
    })
}

/// One label of a DNS name: at most 63 letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    is_dns_word(text) && text.len() <= LABEL
}

/// Letters, digits and inner hyphens of any length: in an object's name only the whole is limited.
fn is_dns_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The resource of an ARN, the last of its six parts (`arn:partition:service:region:account:resource`); empty
/// if it has none.
fn arn_resource(text: &str) -> Option<&str> {
    let is_arn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
    is_arn.then(|| text.splitn(6, ':').nth(5).unwrap_or_default())
}

/// What an object could be called after: the function of `function:name:qualifier`, the `family:revision` of
/// `task-definition/family:revision`, whose revision is part of what is deployed.
fn last_name(resource: &str) -> &str {
    match resource.split_once('/') {
        Some((_, name)) => name,
        None => resource.split(':').nth(1).unwrap_or_default(),
    }
}

/// `SendMail`, `send_mail` and `send:mail` as an object could be called: `, like send-mail`; nothing if no name
/// comes out.
fn example(text: &str, limit: usize) -> String {
    if text.contains(['$', '{', '%', '<']) {
        return String::new();
    }
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
    let name = name.get(..name.len().min(limit)).unwrap_or_default().trim_end_matches('-');
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
    fn a_family_and_revision_become_one_name() {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42";
        assert!(check_pod_template(arn).unwrap_err().ends_with(
            "is an ARN: write the name of a PodTemplate in the deployment's namespace, like `web-42`"
        ));
        assert!(check_pod_template("checkoutWeb:7").unwrap_err().ends_with(", like `checkout-web-7`"));
        assert!(check_pod_template(":").unwrap_err().ends_with("namespace"));
        let long = format!("{}:42", "a".repeat(100));
        assert!(check_pod_template(&long).unwrap_err().ends_with("a-42`"));
        assert_eq!(check_pod_template("web-42"), Ok(()));
    }

    #[test]
    fn what_is_left_of_a_template_is_no_example() {
        assert!(check_hook("arn:aws:lambda:x:1:function:${F}").unwrap_err().ends_with("namespace"));
        assert!(check_pod_template("web:${V}").unwrap_err().contains("not rendered"));
    }

    #[test]
    fn a_container_s_name_is_one_label() {
        assert_eq!(check_container("0web-1"), Ok(()));
        for bad in ["web.1", "-web", "Web", "web_1"] {
            assert!(check_container(bad).unwrap_err().contains("name of a container"), "{bad}");
        }
        assert!(check_container(&"a".repeat(64)).is_err());
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
