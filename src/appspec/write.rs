//! The canonical text of an AppSpec: takes what was read or swapped for a rollback, gives YAML that reads back
//! as the same.

use std::fmt::Write;

use super::function::FunctionSpec;

/// Writes a Function AppSpec; warnings are not part of the text.
///
/// The same spec always gives the same bytes, so their digest can stand for it.
pub fn write_function(spec: &FunctionSpec) -> String {
    let mut text = String::from("version: 0.0\nResources:\n");
    let mut line = |indent: &str, key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{indent}{key}:{}{}", if value.is_empty() { "" } else { " " }, value);
    };
    line("  - ", &quoted(&spec.logical_name), "");
    line("      ", "Type", "Sluice::Function");
    line("      ", "Properties", "");
    line("        ", "Name", &quoted(&spec.name));
    line("        ", "Alias", &quoted(&spec.alias));
    if let Some(version) = &spec.current_version {
        line("        ", "CurrentVersion", &quoted(version));
    }
    line("        ", "TargetVersion", &quoted(&spec.target_version));
    if !spec.hooks.is_empty() {
        line("", "Hooks", "");
    }
    for hook in &spec.hooks {
        line("  - ", hook.event.name(), &quoted(&hook.hook));
    }
    text
}

/// A YAML double-quoted scalar, the same on every reader whatever it takes for a number.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            other => {
                let _ = write!(out, "\\U{:08x}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FunctionEvent, HookRef, read_function};
    use super::*;

    fn specs() -> impl Strategy<Value = FunctionSpec> {
        let version = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?";
        let hook = || proptest::option::of("[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?([.][a-z0-9]{1,5}){0,2}");
        let names = ("[^\\p{C}\\p{Z}<{}%$]{1,20}", "[a-z]([a-z0-9-]{0,20}[a-z0-9])?", "[A-Za-z0-9_-]{1,30}");
        (names, proptest::option::of(version), version, hook(), hook()).prop_map(
            |((logical_name, name, alias), current_version, target_version, before, after)| FunctionSpec {
                logical_name,
                name,
                alias,
                current_version: current_version.filter(|current| *current != target_version),
                target_version,
                hooks: FunctionEvent::ALL
                    .into_iter()
                    .zip([before, after])
                    .filter_map(|(event, hook)| hook.map(|hook| HookRef { event, hook }))
                    .collect(),
                warnings: Vec::new(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same(spec in specs()) {
            let text = write_function(&spec);
            prop_assert_eq!(read_function(text.as_bytes()), Ok(spec), "{}", text);
        }
    }

    #[test]
    fn the_text_is_the_form_of_the_user_guide() {
        let spec = FunctionSpec {
            logical_name: "hello".into(),
            name: "hello".into(),
            alias: "live".into(),
            current_version: Some("1".into()),
            target_version: "2".into(),
            hooks: vec![HookRef { event: FunctionEvent::BeforeAllowTraffic, hook: "web-probe".into() }],
            warnings: vec!["not written".into()],
        };
        let text = concat!(
            "version: 0.0\n",
            "Resources:\n",
            "  - \"hello\":\n",
            "      Type: Sluice::Function\n",
            "      Properties:\n",
            "        Name: \"hello\"\n",
            "        Alias: \"live\"\n",
            "        CurrentVersion: \"1\"\n",
            "        TargetVersion: \"2\"\n",
            "Hooks:\n",
            "  - BeforeAllowTraffic: \"web-probe\"\n",
        );
        assert_eq!(write_function(&spec), text);
    }
}
