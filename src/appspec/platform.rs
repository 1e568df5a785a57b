//! Which compute platform an AppSpec is written for: takes the tree, gives the platform if anything in it tells.

use std::fmt;

use super::error::{Error, Position};
use super::tree::{Limits, Node, Value, parse};

/// A compute platform as this project names it; CodeDeploy's names are EC2/on-premises, Lambda and ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// Hosts with an agent.
    Server,
    /// Versions of a function behind an alias.
    Function,
    /// Two sides of a replicated service.
    Service,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Function => "Function",
            Self::Service => "Service",
        })
    }
}

/// The accepted values of `Type` for a function: CodeDeploy's and ours.
pub(super) const FUNCTION_TYPES: [&str; 2] = ["AWS::Lambda::Function", "Sluice::Function"];
/// The accepted values of `Type` for a service: CodeDeploy's and ours.
pub(super) const SERVICE_TYPES: [&str; 2] = ["AWS::ECS::Service", "Sluice::Service"];

/// Tells the platform of an AppSpec, `None` if nothing in it does.
///
/// # Errors
/// If the bytes are no YAML or JSON within the default [`Limits`].
pub fn platform_of(bytes: &[u8]) -> Result<Option<Platform>, Error> {
    Ok(detect(&parse(bytes, &Limits::default())?).map(|(platform, _)| platform))
}

/// The platform and the place that tells it.
pub(super) fn detect(root: &Node) -> Option<(Platform, Position)> {
    if let Some(found) = root.get("Resources").and_then(of_resources) {
        return Some(found);
    }
    let told_by = |key| root.get(key).map(|node| (Platform::Server, node.at));
    ["os", "files", "permissions"].into_iter().find_map(told_by)
}

fn of_resources(resources: &Node) -> Option<(Platform, Position)> {
    match &resources.value {
        Value::List(items) => items.iter().find_map(of_resources),
        Value::Map(entries) => entries.iter().find_map(|entry| of_resource(&entry.value)),
        Value::Null | Value::Scalar { .. } | Value::Intrinsic(_) => None,
    }
}

fn of_resource(resource: &Node) -> Option<(Platform, Position)> {
    if let Some(Node { value: Value::Scalar { text, .. }, at }) = resource.get("Type") {
        let named = |types: [&str; 2]| types.iter().any(|known| known.eq_ignore_ascii_case(text.trim()));
        if named(FUNCTION_TYPES) {
            return Some((Platform::Function, *at));
        } else if named(SERVICE_TYPES) {
            return Some((Platform::Service, *at));
        }
    }
    let properties = resource.get("Properties")?;
    let told_by = |key: &str| properties.get(key).map(|node| node.at);
    if let Some(at) = told_by("TaskDefinition").or_else(|| told_by("LoadBalancerInfo")) {
        return Some((Platform::Service, at));
    }
    told_by("TargetVersion").or_else(|| told_by("Alias")).map(|at| (Platform::Function, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_is_told_by_what_only_it_has() {
        let cases = [
            ("os: linux\n", Some(Platform::Server)),
            ("FILES: []\n", Some(Platform::Server)),
            ("Resources: [{f: {Type: 'AWS::Lambda::Function'}}]", Some(Platform::Function)),
            ("resources: {f: {type: Sluice::Function}}", Some(Platform::Function)),
            ("Resources: [{f: {Properties: {TargetVersion: 2}}}]", Some(Platform::Function)),
            ("Resources: [{TargetService: {Type: AWS::ECS::Service}}]", Some(Platform::Service)),
            ("Resources: [{s: {Type: Sluice::Service}}]", Some(Platform::Service)),
            ("Resources: [{s: {Properties: {TaskDefinition: web-42}}}]", Some(Platform::Service)),
            ("version: 0.0", None),
            ("- a list", None),
        ];
        for (text, platform) in cases {
            assert_eq!(platform_of(text.as_bytes()), Ok(platform), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_yaml_has_no_platform() {
        assert!(matches!(platform_of(b"a: [\n"), Err(Error::Syntax { .. })));
    }
}
