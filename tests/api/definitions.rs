//! The definitions in `crds/` as data: every field with its path, its rules and its bounds.

use std::fs;

use serde_json::Value;

use crate::server;

/// One place of a kind's schema. `spec.function.aliases[].name` is a path; the root's is empty.
pub struct Field {
    pub kind: String,
    pub path: String,
    pub schema: Value,
    /// True for an item of a list, which carries no description of its own.
    pub is_item: bool,
}

/// Every file of `crds/`, by name.
pub fn read_all() -> Vec<Value> {
    let folder = server::root().join("crds");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("crds/").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "crds/ holds no definition");
    files.iter().flat_map(|file| server::documents(&fs::read_to_string(file).expect("a file"))).collect()
}

/// Every field of every kind.
pub fn fields() -> Vec<Field> {
    let mut fields = Vec::new();
    for definition in read_all() {
        let kind = definition["spec"]["names"]["kind"].as_str().expect("a kind");
        for version in definition["spec"]["versions"].as_array().expect("versions") {
            collect(kind, "", &version["schema"]["openAPIV3Schema"], false, &mut fields);
        }
    }
    fields
}

fn collect(kind: &str, path: &str, schema: &Value, is_item: bool, into: &mut Vec<Field>) {
    into.push(Field { kind: kind.into(), path: path.into(), schema: schema.clone(), is_item });
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(kind, &path, property, false, into);
    }
    if let Some(items) = schema.get("items") {
        collect(kind, &format!("{path}[]"), items, true, into);
    }
}

impl Field {
    pub fn is_of_spec(&self) -> bool {
        self.path.is_empty() || self.path == "spec" || self.path.starts_with("spec.")
    }

    pub fn type_(&self) -> &str {
        self.schema["type"].as_str().unwrap_or_default()
    }

    /// The messages of the field's CEL rules; a rule without one would say only its expression.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        let rules = self.schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        rules.map(move |rule| {
            rule["message"].as_str().unwrap_or_else(|| panic!("{self}: a rule without a message"))
        })
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, if self.path.is_empty() { "(the whole object)" } else { &self.path })
    }
}
