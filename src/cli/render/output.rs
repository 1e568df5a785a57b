//! Objects as themselves: JSON, YAML and names, as `kubectl get -o` prints them; and the predefined configurations as
//! the objects they would be.

use kube::Resource;
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};

use super::Error;
use crate::api::{DeploymentConfig, GROUP, predefined};

/// How many objects were asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One by name: it is printed itself.
    One,
    /// All that there are: printed as a v1 List.
    List,
}

/// `objects` as JSON, or as YAML.
///
/// # Errors
/// A value that cannot be written.
pub fn document<T: Serialize>(objects: &[T], extent: Extent, is_yaml: bool) -> Result<String, Error> {
    let written = |e: String| Error::Unwritable(e);
    let mut items = objects
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| written(e.to_string()))?;
    let value = match (extent, items.pop()) {
        (Extent::One, Some(only)) => only,
        (_, last) => {
            items.extend(last);
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
        }
    };
    if is_yaml { yaml(&value) } else { Ok(format!("{value:#}\n")) }
}

fn yaml(value: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|e| Error::Unwritable(e.to_string()))
}

/// `deployment.sluice.dev/name`
pub fn name_of<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let kind = K::kind(&()).to_ascii_lowercase();
    format!("{kind}.{GROUP}/{}", object.meta().name.as_deref().unwrap_or_default())
}

/// The 17 predefined configurations, as objects that no API server has seen.
pub fn predefined_configs() -> Vec<DeploymentConfig> {
    let object = |name: &&str| {
        let metadata = ObjectMeta { name: Some((*name).into()), ..ObjectMeta::default() };
        predefined::find(name).map(|spec| DeploymentConfig { metadata, spec, status: None })
    };
    predefined::NAMES.iter().filter_map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn one_object_is_printed_itself_and_several_as_a_list() {
        let application = fixture::application();
        let one = document(&[&application], Extent::One, false).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&one).unwrap()["kind"], "Application");
        for count in [0, 1, 2] {
            let list = document(&vec![&application; count], Extent::List, false).unwrap();
            let list: Value = serde_json::from_str(&list).unwrap();
            assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("List"), count));
        }
    }

    #[test]
    fn yaml_keeps_words_that_look_like_something_else_apart() {
        let value = json!({"a": "1", "b": "yes", "c": "null", "d": 1, "e": "0.0", "f": "", "g": "x: y", "h": "l1\nl2\n"});
        let text = document(&[&value], Extent::One, true).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value, "{text}");
        insta::assert_snapshot!(text, @r#"
        a: "1"
        b: "yes"
        c: "null"
        d: 1
        e: "0.0"
        f: ""
        g: "x: y"
        h: |
          l1
          l2
        "#);
    }

    #[test]
    fn names_are_kind_group_and_name() {
        assert_eq!(name_of(&fixture::group()), "deploymentgroup.sluice.dev/hello-prod");
    }

    #[test]
    fn all_seventeen_predefined_configurations_are_there() {
        assert_eq!(predefined_configs().len(), 17);
    }
}
