//! CloudFormation's functions in an AppSpec: takes a tag or a map, gives the name of the function that stands there,
//! which nothing evaluates here.

use serde_saphyr::granit_parser::Tag;

use super::error::{Error, Position};
use super::spelling::shown;
use super::tree::{Entry, Value};

/// CloudFormation's functions in their short form, without the `!`; its user guide lists them.
const INTRINSICS: [&str; 20] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// The value that a tag makes of whatever follows it; none for YAML's own tags.
pub(super) fn intrinsic_tag(tag: Option<&Tag>, at: Position) -> Result<Option<Value>, Error> {
    let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema() && tag.original() != "!") else {
        return Ok(None);
    };
    let written = tag.original();
    if written.strip_prefix('!').is_some_and(|name| INTRINSICS.contains(&name)) {
        return Ok(Some(Value::Intrinsic(written.to_string())));
    }
    let problem = format!("the tag {} is not read here: write the value out", shown(&written));
    Err(Error::Syntax { at, problem })
}

/// The same in the long form, a map of one key: `{"Fn::Sub": …}`, `{Ref: Name}`.
pub(super) fn intrinsic_map(entries: &[Entry]) -> Option<Value> {
    let [Entry { key, value, .. }] = entries else { return None };
    let is_ref = key == "Ref" && matches!(value.value, Value::Scalar { .. });
    (is_ref || key.starts_with("Fn::")).then(|| Value::Intrinsic(key.clone()))
}
