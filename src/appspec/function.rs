//! The AppSpec of the Function platform (CodeDeploy's Lambda): takes bytes, gives the one function whose alias
//! moves from a version to another and the hooks around that.

use super::error::Error;
use super::hooks::{HookRef, hooks_of};
use super::names;
use super::platform::{FUNCTION_TYPES, Platform};
use super::resource::{Layout, Opened, open};
use super::section::{Keys, Section, Warnings};
use super::tree::{Limits, Node, parse};

/// What a Function AppSpec says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Name of the entry of `Resources`; it names nothing outside the file.
    pub logical_name: String,
    /// The function: lower-case letters, digits and hyphens.
    pub name: String,
    /// The alias whose traffic moves.
    pub alias: String,
    /// The version that the alias is expected to serve; `None` takes whatever it serves.
    pub current_version: Option<String>,
    /// The version that the alias is to serve.
    pub target_version: String,
    /// At most one hook for an event, in the order in which the events happen.
    pub hooks: Vec<HookRef<FunctionEvent>>,
    /// What was ignored, one sentence each with its line.
    pub warnings: Vec<String>,
}

/// The lifecycle events of a Function deployment that can have a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionEvent {
    /// Before any traffic moves.
    BeforeAllowTraffic,
    /// After all of it has moved.
    AfterAllowTraffic,
}

impl FunctionEvent {
    /// Both events in their order.
    pub const ALL: [Self; 2] = [Self::BeforeAllowTraffic, Self::AfterAllowTraffic];

    /// The event's name in an AppSpec.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeAllowTraffic => "BeforeAllowTraffic",
            Self::AfterAllowTraffic => "AfterAllowTraffic",
        }
    }
}

const LAYOUT: Layout = Layout {
    platform: Platform::Function,
    moved: "function",
    entry: "the function's name",
    types: FUNCTION_TYPES,
    needed: "Name, Alias and TargetVersion",
    top: Keys {
        known: &["version", "Resources", "Hooks"],
        elsewhere: &[
            ("BeforeAllowTraffic", "Hooks"),
            ("AfterAllowTraffic", "Hooks"),
            ("Type", "the function's name in Resources"),
            ("Properties", "the function's name in Resources"),
        ],
        instead: &[],
        only_on_aws: &[],
    },
    resource: Keys {
        known: &["Type", "Properties"],
        elsewhere: &[
            ("Name", "Properties"),
            ("Alias", "Properties"),
            ("CurrentVersion", "Properties"),
            ("TargetVersion", "Properties"),
        ],
        instead: &[],
        only_on_aws: &[],
    },
    properties: Keys {
        known: &["Name", "Alias", "CurrentVersion", "TargetVersion"],
        elsewhere: &[("BeforeAllowTraffic", "Hooks"), ("AfterAllowTraffic", "Hooks")],
        instead: &[],
        only_on_aws: &[],
    },
};

/// Reads the AppSpec of a Function deployment within the default [`Limits`].
///
/// Takes YAML or JSON, keys in any case, `Resources` and `Hooks` as a list of one-entry maps or as a map,
/// and versions written as numbers.
///
/// # Errors
/// For anything that could not be deployed as it stands; see [`Error`]. All are `InvalidRevision`.
pub fn read_function(bytes: &[u8]) -> Result<FunctionSpec, Error> {
    read_function_within(bytes, &Limits::default())
}

/// [`read_function`] with limits of one's own.
///
/// # Errors
/// Those of [`read_function`].
pub fn read_function_within(bytes: &[u8], limits: &Limits) -> Result<FunctionSpec, Error> {
    let mut warnings = Warnings::default();
    let spec = read(&parse(bytes, limits)?, &mut warnings)?;
    Ok(FunctionSpec { warnings: warnings.to_sentences(), ..spec })
}

/// What the tree says, without its warnings.
pub(super) fn read(root: &Node, warnings: &mut Warnings) -> Result<FunctionSpec, Error> {
    let Opened { top, name: logical_name, at, properties } = open(root, &LAYOUT, warnings)?;
    names::check_logical(logical_name).map_err(|problem| Error::field(at, "Resources", problem))?;
    let events = FunctionEvent::ALL.map(|event| (event, event.name()));
    let spec = FunctionSpec {
        logical_name: logical_name.into(),
        name: properties.required("Name", "write the function's name", names::check_function)?.into(),
        alias: properties.required("Alias", "write the alias to move", names::check_alias)?.into(),
        current_version: properties.text("CurrentVersion", names::check_version)?.map(Into::into),
        target_version: properties
            .required("TargetVersion", "write the version to deploy", names::check_version)?
            .into(),
        hooks: hooks_of(&top, Platform::Function, &events, warnings)?,
        warnings: Vec::new(),
    };
    check_versions(&spec, &properties, warnings)?;
    Ok(spec)
}

fn check_versions(
    spec: &FunctionSpec,
    properties: &Section<'_>,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    for (key, version) in
        [("CurrentVersion", spec.current_version.as_deref()), ("TargetVersion", Some(&*spec.target_version))]
    {
        let (Some(version), Some(node)) = (version, properties.get(key)) else { continue };
        let length = spec.name.len() + 1 + version.len();
        if length > names::SERVICE_NAME {
            let limit = names::SERVICE_NAME;
            let problem = format!(
                "is too long: name, '-' and version together are {length} characters and a Service name has at most \
                 {limit}"
            );
            return Err(Error::field(node.at, properties.named(key), problem));
        }
        if key == "CurrentVersion" && version == spec.target_version {
            warnings.add(node.at, "CurrentVersion and TargetVersion are the same: no traffic will move");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
