//! Other versions of a function in a route: an alias is split between two at most.
//!
//! At the start of a Deployment the rules that it concerns hold one version of its function. Another one that has weight there
//! later is somebody else's doing: a human's, or that of another group's Deployment of the same function. A backend that is no
//! version of the function is none of this.

use super::facts::RouteFact;
use crate::api::deployment_snapshot::ResolvedFunction;
use crate::api::deployment_status::Resolved;

/// A Service of another version of the function that has weight in the rules of `route`, and its weight.
pub fn intruder<'a>(resolved: &Resolved, route: &'a RouteFact) -> Option<(&'a str, i32)> {
    let function = resolved.function.as_ref()?;
    let (before, after) = affixes(function)?;
    let is_number = |version: &str| version.bytes().all(|b| b.is_ascii_digit());
    let is_version = |service: &str| {
        let version = service.strip_prefix(before).and_then(|s| s.strip_suffix(after)).unwrap_or_default();
        !version.is_empty() && (is_number(version) || !is_number(&function.target_version))
    };
    let served = route.rules.iter().flat_map(|r| &r.backends).filter(|b| b.weight > 0);
    let served = served.filter_map(|b| Some((b.service.as_deref()?, b.weight)));
    let mut others = served.filter(|(s, _)| *s != function.original && *s != function.replacement);
    others.find(|(service, _)| is_version(service))
}

/// What stands before and behind the version in the names of the function's Services, as the snapshot has two of them.
pub fn affixes(function: &ResolvedFunction) -> Option<(&str, &str)> {
    let (name, version) = (function.original.as_str(), function.current_version.as_str());
    let parts = name.rmatch_indices(version).map(|(at, _)| (&name[..at], &name[at + version.len()..]));
    let mut parts = parts.filter(|_| !version.is_empty());
    parts
        .find(|(before, after)| format!("{before}{}{after}", function.target_version) == function.replacement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affixes_of(
        original: &str,
        current: &str,
        replacement: &str,
        target: &str,
    ) -> Option<(String, String)> {
        let function = ResolvedFunction {
            current_version: current.into(),
            target_version: target.into(),
            original: original.into(),
            replacement: replacement.into(),
            ..serde_json::from_value(serde_json::json!({
                "name": "f", "alias": "live", "currentVersion": "", "targetVersion": "", "route": "r",
                "routeUid": "u", "original": "", "replacement": "",
            }))
            .unwrap()
        };
        affixes(&function).map(|(before, after)| (before.to_owned(), after.to_owned()))
    }

    #[test]
    fn the_naming_rule_is_read_from_the_two_services_of_the_snapshot() {
        let is = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
        assert_eq!(affixes_of("hello-1", "1", "hello-2", "2"), is("hello-", ""));
        assert_eq!(affixes_of("v1-f1-svc", "1", "v1-f2-svc", "2"), is("v1-f", "-svc"), "not the first 1");
        assert_eq!(affixes_of("hello-1", "1", "hello-1", "1"), is("hello-", ""));
        assert_eq!(affixes_of("hello-1", "1", "other", "2"), None);
    }
}
