//! Of the files in `crds/` alone: every field is described, every text and every list has an end.

use crate::definitions::{Field, fields};

fn violations(what: impl Fn(&Field) -> bool) -> Vec<String> {
    fields().iter().filter(|field| what(field)).map(ToString::to_string).collect()
}

#[test]
fn every_field_is_described() {
    let silent =
        violations(|f| !f.is_item && f.schema["description"].as_str().is_none_or(|text| !text.contains(' ')));
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_list_has_an_end() {
    let endless = violations(|f| f.type_() == "array" && f.schema.get("maxItems").is_none());
    assert_eq!(endless, Vec::<String>::new());
}

#[test]
fn every_map_has_an_end() {
    let is_map = |f: &Field| f.schema.get("additionalProperties").is_some();
    let endless = violations(|f| is_map(f) && f.schema.get("maxProperties").is_none());
    assert_eq!(endless, Vec::<String>::new());
}

#[test]
fn every_text_has_an_end() {
    let ends = ["maxLength", "enum", "format"];
    let endless =
        violations(|f| f.type_() == "string" && !ends.iter().any(|end| f.schema.get(end).is_some()));
    assert_eq!(endless, Vec::<String>::new());
}

#[test]
fn only_templates_of_pods_are_stored_unpruned() {
    let free = "x-kubernetes-preserve-unknown-fields";
    assert_eq!(
        violations(|f| f.schema.get(free).is_some()),
        [
            "Deployment status.resolved.hooks[].job",
            "Deployment status.resolved.service.podTemplate",
            "LifecycleHook spec.job.template"
        ]
    );
}

#[test]
fn no_field_keeps_an_explicit_null() {
    assert_eq!(violations(|f| f.schema["nullable"] == true), Vec::<String>::new());
}
