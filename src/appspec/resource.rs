//! What the AppSpecs of Function and Service have in common: takes the tree and the layout of a platform,
//! gives the one entry of `Resources` with its `Properties` opened.

use super::error::{Error, Position};
use super::platform::{Platform, detect};
use super::section::{Keys, Section, Warnings};
use super::spelling::shown;
use super::tree::{Entry, Node, Value};

/// How the AppSpec of a platform is laid out.
pub(super) struct Layout {
    pub(super) platform: Platform,
    /// What a deployment moves, in a word.
    pub(super) moved: &'static str,
    /// What messages call the key of the entry.
    pub(super) entry: &'static str,
    /// The accepted values of `Type`: CodeDeploy's and ours.
    pub(super) types: [&'static str; 2],
    /// What `Properties` has to hold.
    pub(super) needed: &'static str,
    pub(super) top: Keys,
    pub(super) resource: Keys,
    pub(super) properties: Keys,
}

/// An AppSpec with its one resource opened.
pub(super) struct Opened<'n> {
    pub(super) top: Section<'n>,
    /// Key of the entry of `Resources`, as it was written.
    pub(super) name: &'n str,
    /// Where that key stands.
    pub(super) at: Position,
    pub(super) properties: Section<'n>,
}

/// Opens the AppSpec of the layout's platform.
///
/// # Errors
/// For another platform's, another format version, anything but one resource, and another `Type`.
pub(super) fn open<'n>(
    root: &'n Node,
    layout: &Layout,
    warnings: &mut Warnings,
) -> Result<Opened<'n>, Error> {
    if let Some((described, at)) = detect(root).filter(|(platform, _)| *platform != layout.platform) {
        return Err(Error::OtherPlatform { at: Some(at), described, wanted: layout.platform });
    }
    let top = Section::open(root, "", &layout.top, warnings)?;
    top.get("version").map_or(Ok(()), check_format)?;
    let Entry { key: name, at, value: resource } = lone_resource(&top, layout)?;
    let properties = properties_of(resource, *at, layout, warnings)?;
    Ok(Opened { top, name, at: *at, properties })
}

/// `version` is the number of the file format, of which there is one: 0.0.
pub(super) fn check_format(node: &Node) -> Result<(), Error> {
    let accepted = match &node.value {
        Value::Scalar { text, quoted: true } => text.trim() == "0.0",
        Value::Scalar { text, quoted: false } => {
            text.starts_with('0') && text.chars().all(|c| c == '0' || c == '.') && text.parse::<f64>().is_ok()
        }
        Value::Null | Value::List(_) | Value::Map(_) | Value::Intrinsic(_) => false,
    };
    let found = match &node.value {
        Value::Scalar { text, .. } => shown(text),
        _ => node.shape(),
    };
    let problem = format!("is {found}: it is the version of the file format and must be 0.0");
    accepted.then_some(()).ok_or_else(|| Error::field(node.at, "version", problem))
}

/// The one entry of `Resources`, which is a list of one-entry maps or a map.
fn lone_resource<'n>(top: &Section<'n>, layout: &Layout) -> Result<&'n Entry, Error> {
    let cure = format!("it names the {} to deploy", layout.moved);
    let resources = top.get("Resources").ok_or_else(|| top.missing("Resources", &cure))?;
    let mut found: Vec<&Entry> = Vec::new();
    for entry in entries_of(resources, "Resources")? {
        if layout.resource.known.iter().any(|known| known.eq_ignore_ascii_case(&entry.key)) {
            let problem = format!(
                "has {} beside {}: indent Type and Properties below it",
                shown(&entry.key),
                layout.entry
            );
            return Err(Error::field(entry.at, "Resources", problem));
        }
        found.push(entry);
    }
    match found[..] {
        [] => Err(top.missing("Resources", &cure)),
        [one] => Ok(one),
        [first, second, ..] => {
            let problem = format!(
                "names {} entries ({}, {}{}): a deployment moves one {}",
                found.len(),
                shown(&first.key),
                shown(&second.key),
                if found.len() > 2 { ", …" } else { "" },
                layout.moved
            );
            Err(Error::field(second.at, "Resources", problem))
        }
    }
}

fn properties_of<'n>(
    resource: &'n Node,
    at: Position,
    layout: &Layout,
    warnings: &mut Warnings,
) -> Result<Section<'n>, Error> {
    if resource.is_null() {
        let placed = Node { at, value: Value::Map(Vec::new()) };
        return Err(Section::open(&placed, "Resources", &layout.resource, warnings)?
            .missing("Type", &format!("indent Type and Properties below {}", layout.entry)));
    }
    let resource = Section::open(resource, "Resources", &layout.resource, warnings)?;
    let [aws, ours] = layout.types;
    resource.required("Type", &format!("write {aws} or {ours}"), |text| {
        if layout.types.contains(&text) {
            return Ok(());
        }
        Err(format!("is {}: only {aws} and {ours} are deployed here", shown(text)))
    })?;
    let cure = format!("it holds {}", layout.needed);
    let properties = resource.get("Properties").ok_or_else(|| resource.missing("Properties", &cure))?;
    Section::open(properties, "Properties", &layout.properties, warnings)
}

/// Every entry of a map, or of the maps of a list.
pub(super) fn entries_of<'n>(node: &'n Node, field: &str) -> Result<Vec<&'n Entry>, Error> {
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
        Value::Null | Value::Scalar { .. } | Value::Intrinsic(_) => {
            let problem = format!("must be a list of maps of a name and its value; this is {}", node.shape());
            Err(Error::field(node.at, field, problem))
        }
    }
}
