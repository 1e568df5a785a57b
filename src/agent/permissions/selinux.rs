//! SELinux labels, by the programs that keep the host's policy: `semanage` and `restorecon`, as CodeDeploy's agent does it.
//!
//! All paths of an installation go to the policy in one transaction: each takes seconds otherwise.

use std::env;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::agent::install::Error;

/// Where programs of the system's keeper are that a service's PATH may lack.
const PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A label for a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// The path.
    pub path: Box<str>,
    /// The SELinux user.
    pub user: Option<String>,
    /// The type.
    pub type_: String,
    /// The range.
    pub range: Option<String>,
}

/// True if the host has the program.
pub fn is_available(program: &str) -> bool {
    directories().any(|directory| directory.join(program).is_file())
}

fn directories() -> impl Iterator<Item = std::path::PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter().chain(PLACES.map(Into::into))
}

/// Puts the labels into the policy and onto the paths.
pub fn label(labels: &[Label]) -> Result<(), Error> {
    if labels.is_empty() {
        return Ok(());
    }
    let mut commands = String::new();
    for label in labels {
        commands.push_str("fcontext -a");
        for (flag, value) in
            [("-s", label.user.as_deref()), ("-t", Some(&*label.type_)), ("-r", label.range.as_deref())]
        {
            if let Some(value) = value {
                commands.push_str(&format!(" {flag} {}", quoted(value)));
            }
        }
        commands.push_str(&format!(" {}\n", quoted(&expression(&label.path))));
    }
    import(&commands)?;
    restore(labels.iter().map(|label| &*label.path))
}

/// Takes the labels of these paths out of the policy, and gives what is there the label that it has without them.
pub fn unlabel<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Result<(), Error> {
    forget(paths.clone())?;
    restore(paths.filter(|path| std::path::Path::new(path).symlink_metadata().is_ok()))
}

/// Takes the labels of these paths out of the policy; what one refuses holds up no other. Gives those that are still in it, each with what was
/// said.
pub fn forget_each(paths: &[Box<str>]) -> Vec<(Box<str>, Error)> {
    let Err(first) = forget(paths.iter().map(|path| &**path)) else { return vec![] };
    if let [only] = paths {
        return if is_unknown(&first) { vec![] } else { vec![(only.clone(), first)] };
    }
    // One transaction takes all of them or none.
    paths.iter().flat_map(|path| forget_each(std::slice::from_ref(path))).collect()
}

/// True if the policy had no label for the path: somebody else has taken it out.
fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::SelinuxFailed { said, .. } if said.contains("is not defined"))
}

/// Takes the labels of these paths out of the policy.
fn forget<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let line = |path: &str| format!("fcontext -d {}\n", quoted(&expression(path)));
    let commands: String = paths.map(line).collect();
    if commands.is_empty() { Ok(()) } else { import(&commands) }
}

fn import(commands: &str) -> Result<(), Error> {
    run("semanage", &["import"], commands.as_bytes())
}

fn restore<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut list = Vec::new();
    for path in paths {
        list.extend(path.bytes());
        list.push(0);
    }
    if list.is_empty() { Ok(()) } else { run("restorecon", &["-0", "-f", "-"], &list) }
}

fn run(program: &'static str, arguments: &[&str], input: &[u8]) -> Result<(), Error> {
    let failed = |said: String| Error::SelinuxFailed { program, said };
    let path = env::join_paths(directories()).unwrap_or_default();
    let spawned = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| failed(error.to_string()))?;
    // One that ends early says why on its own stderr; a pipe that it closed is not the news.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(ending(&output))) }
}

fn ending(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("saying nothing");
    format!("{}: {}", output.status, last.chars().take(200).collect::<String>())
}

/// A word of a line that `semanage import` reads as a shell would.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

/// A path as the regular expression that matches it and nothing else.
fn expression(path: &str) -> String {
    let mut expression = String::with_capacity(path.len() + 8);
    for character in path.chars() {
        if r"\.^$*+?()[]{}|".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_an_expression_of_itself_and_a_word_of_one_line() {
        assert_eq!(expression("/srv/a.b (1)+"), r"/srv/a\.b \(1\)\+");
        assert_eq!(quoted("it's"), r#"'it'"'"'s'"#);
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        assert!(!is_available("no-such-program-here"));
        assert!(is_available("sh"));
        let refused = run("no-such-program-here", &[], b"").unwrap_err();
        assert_eq!(refused.reason(), "SelinuxFailed");
    }

    #[test]
    fn what_a_program_said_last_is_told() {
        let refused = run("sh", &["-c", "cat >&2; exit 3"], b"first\nlast\n\n").unwrap_err();
        assert!(refused.to_string().contains("exit status: 3: last"), "{refused}");
    }
}
