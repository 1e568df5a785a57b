//! The AppSpec of the Function platform (CodeDeploy's Lambda): takes bytes, gives the one function whose alias
//! moves from a version to another and the hooks around that.

use super::error::{Error, Position};
use super::names;
use super::platform::{FUNCTION_TYPES, Platform, detect};
use super::section::{Keys, Section, Warnings, scalar};
use super::spelling::{nearest, shown};
use super::tree::{Entry, Limits, Node, Value, parse};

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
    pub hooks: Vec<HookRef>,
    /// What was ignored, one sentence each with its line.
    pub warnings: Vec<String>,
}

/// A hook for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRef {
    /// When it runs.
    pub event: FunctionEvent,
    /// Name of a `LifecycleHook` in the deployment's namespace.
    pub hook: String,
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

const TOP: Keys = Keys {
    known: &["version", "Resources", "Hooks"],
    elsewhere: &[
        ("BeforeAllowTraffic", "Hooks"),
        ("AfterAllowTraffic", "Hooks"),
        ("Type", "the function's name in Resources"),
        ("Properties", "the function's name in Resources"),
    ],
};
const RESOURCE: Keys = Keys {
    known: &["Type", "Properties"],
    elsewhere: &[
        ("Name", "Properties"),
        ("Alias", "Properties"),
        ("CurrentVersion", "Properties"),
        ("TargetVersion", "Properties"),
    ],
};
const PROPERTIES: Keys = Keys {
    known: &["Name", "Alias", "CurrentVersion", "TargetVersion"],
    elsewhere: &[("BeforeAllowTraffic", "Hooks"), ("AfterAllowTraffic", "Hooks")],
};
/// Events of other platforms, and the one that is CodeDeploy's own.
const EVENTS_ELSEWHERE: [&str; 11] = [
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "AfterAllowTestTraffic",
    "AllowTraffic",
    "AllowTestTraffic",
    "Install",
];

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
    let root = parse(bytes, limits)?;
    if let Some((described, at)) = detect(&root).filter(|(platform, _)| *platform != Platform::Function) {
        return Err(Error::OtherPlatform { at: Some(at), described, wanted: Platform::Function });
    }
    let mut warnings = Warnings::default();
    let top = Section::open(&root, "", &TOP, &mut warnings)?;
    check_format(&top)?;
    let Entry { key: logical_name, at, value: resource } = lone_resource(&top)?;
    names::check_logical(logical_name).map_err(|problem| Error::field(*at, "Resources", problem))?;
    let properties = properties_of(resource, *at, &mut warnings)?;
    let mut spec = FunctionSpec {
        logical_name: logical_name.clone(),
        name: properties.required("Name", "write the function's name", names::check_function)?.into(),
        alias: properties.required("Alias", "write the alias to move", names::check_alias)?.into(),
        current_version: properties.text("CurrentVersion", names::check_version)?.map(Into::into),
        target_version: properties
            .required("TargetVersion", "write the version to deploy", names::check_version)?
            .into(),
        hooks: hooks_of(&top, &mut warnings)?,
        warnings: Vec::new(),
    };
    check_versions(&spec, &properties, &mut warnings)?;
    spec.warnings = warnings.into_sentences();
    Ok(spec)
}

/// `version` is the number of the file format, of which there is one: 0.0.
fn check_format(top: &Section<'_>) -> Result<(), Error> {
    let Some(node) = top.get("version") else { return Ok(()) };
    let accepted = match &node.value {
        Value::Scalar { text, quoted: true } => text.trim() == "0.0",
        Value::Scalar { text, quoted: false } => {
            text.starts_with('0') && text.chars().all(|c| c == '0' || c == '.') && text.parse::<f64>().is_ok()
        }
        Value::Null | Value::List(_) | Value::Map(_) => false,
    };
    let found = match &node.value {
        Value::Scalar { text, .. } => shown(text),
        _ => node.shape().into(),
    };
    let problem = format!("is {found}: it is the version of the file format and must be 0.0");
    accepted.then_some(()).ok_or_else(|| Error::field(node.at, "version", problem))
}

/// The one entry of `Resources`, which is a list of one-entry maps or a map.
fn lone_resource<'n>(top: &Section<'n>) -> Result<&'n Entry, Error> {
    let cure = "it names the function to deploy";
    let resources = top.get("Resources").ok_or_else(|| top.missing("Resources", cure))?;
    let mut found: Vec<&Entry> = Vec::new();
    for entry in entries_of(resources, "Resources")? {
        if RESOURCE.known.iter().any(|known| known.eq_ignore_ascii_case(&entry.key)) {
            let problem = format!(
                "has {} beside the function's name: indent Type and Properties below the name",
                shown(&entry.key)
            );
            return Err(Error::field(entry.at, "Resources", problem));
        }
        found.push(entry);
    }
    match found[..] {
        [] => Err(top.missing("Resources", cure)),
        [one] => Ok(one),
        [first, second, ..] => {
            let problem = format!(
                "names {} entries ({}, {}{}): a deployment moves one function",
                found.len(),
                shown(&first.key),
                shown(&second.key),
                if found.len() > 2 { ", …" } else { "" }
            );
            Err(Error::field(second.at, "Resources", problem))
        }
    }
}

fn properties_of<'n>(
    resource: &'n Node,
    at: Position,
    warnings: &mut Warnings,
) -> Result<Section<'n>, Error> {
    let placed = Node { at, value: Value::Map(Vec::new()) };
    if resource.is_null() {
        return Err(Section::open(&placed, "Resources", &RESOURCE, warnings)?
            .missing("Type", "indent Type and Properties below the function's name"));
    }
    let resource = Section::open(resource, "Resources", &RESOURCE, warnings)?;
    let [aws, ours] = FUNCTION_TYPES;
    resource.required("Type", &format!("write {aws} or {ours}"), |text| {
        if FUNCTION_TYPES.contains(&text) {
            return Ok(());
        }
        Err(format!("is {}: only {aws} and {ours} are deployed here", shown(text)))
    })?;
    let cure = "it holds Name, Alias and TargetVersion";
    let properties = resource.get("Properties").ok_or_else(|| resource.missing("Properties", cure))?;
    Section::open(properties, "Properties", &PROPERTIES, warnings)
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

/// Every entry of a map, or of the maps of a list.
fn entries_of<'n>(node: &'n Node, field: &str) -> Result<Vec<&'n Entry>, Error> {
    match &node.value {
        Value::Map(entries) => Ok(entries.iter().collect()),
        Value::List(items) => {
            let mut all = Vec::new();
            for item in items.iter().filter(|item| !item.is_null()) {
                let Value::Map(entries) = &item.value else {
                    let problem =
                        format!("must list maps of a name and its value; this item is {}", item.shape());
                    return Err(Error::field(item.at, field, problem));
                };
                all.extend(entries);
            }
            Ok(all)
        }
        Value::Null | Value::Scalar { .. } => {
            let problem = format!("must be a list of maps of a name and its value; this is {}", node.shape());
            Err(Error::field(node.at, field, problem))
        }
    }
}

fn hooks_of(top: &Section<'_>, warnings: &mut Warnings) -> Result<Vec<HookRef>, Error> {
    let Some(node) = top.get("Hooks") else { return Ok(Vec::new()) };
    let mut found: Vec<(HookRef, Position)> = Vec::new();
    for entry in entries_of(node, "Hooks")? {
        let event = event_of(entry)?;
        let field = format!("Hooks.{}", event.name());
        if entry.value.is_null() {
            warnings.add(entry.at, format!("{field} is empty: no hook runs then"));
            continue;
        }
        let hook = scalar(&entry.value, &field)?;
        names::check_hook(hook).map_err(|problem| Error::field(entry.value.at, &field, problem))?;
        if let Some((_, earlier)) = found.iter().find(|(known, _)| known.event == event) {
            let problem =
                format!("is here and in line {}: an event runs one hook, keep one of them", earlier.line);
            return Err(Error::field(entry.at, field, problem));
        }
        found.push((HookRef { event, hook: hook.into() }, entry.at));
    }
    found.sort_by_key(|(hook, _)| hook.event);
    Ok(found.into_iter().map(|(hook, _)| hook).collect())
}

fn event_of(entry: &Entry) -> Result<FunctionEvent, Error> {
    let known = |event: &FunctionEvent| event.name().eq_ignore_ascii_case(&entry.key);
    if let Some(event) = FunctionEvent::ALL.into_iter().find(known) {
        return Ok(event);
    }
    let names = FunctionEvent::ALL.map(FunctionEvent::name);
    let [before, after] = names;
    let problem =
        if let Some(other) = EVENTS_ELSEWHERE.iter().find(|other| other.eq_ignore_ascii_case(&entry.key)) {
            format!("has {other}, an event that takes no hook on Function: only {before} and {after} do")
        } else if let Some(near) = nearest(&entry.key, &names) {
            format!("has no event {}: {near} is the nearest", shown(&entry.key))
        } else {
            format!("has no event {}: there are {before} and {after}", shown(&entry.key))
        };
    Err(Error::field(entry.at, "Hooks", problem))
}

#[cfg(test)]
mod tests;
