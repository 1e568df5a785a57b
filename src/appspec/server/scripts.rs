//! The `hooks` of a Server AppSpec: takes the top level, gives the scripts of each event in their order.

use std::collections::BTreeMap;

use super::super::error::{Error, Position};
use super::super::section::{Keys, Section, scalar};
use super::super::spelling::{listed, nearest, shown};
use super::super::tree::{Entry, Node, Value};
use super::findings::Findings;
use super::paths::inside;
use super::{Os, Rules, Script, ServerEvent, list_of, settle};

/// What an event may take on CodeDeploy, and what a script may when the text says nothing.
const HOUR: u32 = 3600;

/// Events that CodeDeploy runs itself.
const WITHOUT_SCRIPTS: [&str; 6] =
    ["Start", "DownloadBundle", "Install", "BlockTraffic", "AllowTraffic", "End"];

const SCRIPT: Keys = Keys {
    known: &["location", "timeout", "runas", "sudo"],
    elsewhere: &[("source", "files"), ("destination", "files"), ("hooks", "the top level")],
    instead: &[
        ("timeout-in-seconds", "timeout is the key, in seconds"),
        ("timeoutSeconds", "timeout is the key, in seconds"),
        ("user", "runas is the key"),
        ("args", "a script takes no arguments, wrap it in another one"),
        ("arguments", "a script takes no arguments, wrap it in another one"),
        ("mode", "a script that is not executable is made so before it runs"),
    ],
    only_on_aws: &[],
};

type Scripts = BTreeMap<ServerEvent, Vec<Script>>;

/// Reads `hooks`, which may be absent, null or empty, as may each event.
pub(super) fn scripts_of(top: &Section<'_>, os: Os, rules: Rules, findings: &mut Findings) -> Scripts {
    let mut all = Scripts::new();
    let Some(node) = top.get("hooks") else { return all };
    let Value::Map(entries) = &node.value else {
        let problem =
            format!("must be a map of events, each with a list of scripts; this is {}", node.shape());
        findings.refuse(Error::field(node.at, "hooks", problem));
        return all;
    };
    let mut seen: BTreeMap<&str, Position> = BTreeMap::new();
    for entry in entries {
        if let Some(earlier) = seen.insert(&entry.key, entry.at) {
            let name = shown(&entry.key);
            let said = format!("{name} stands here and in line {}; this one counts", earlier.line);
            findings.warnings.add(entry.at, said);
        }
        let Some(event) = event_of(entry, findings) else { continue };
        let scripts = event_scripts(entry, event, os, rules, findings);
        check_total(entry, event, &scripts, findings);
        let scripts: Vec<Script> = scripts.into_iter().map(|(script, _)| script).collect();
        if scripts.is_empty() {
            all.remove(&event)
        } else {
            all.insert(event, scripts)
        };
    }
    all
}

/// The event of that name, in its own case; one that is empty asks for nothing, whatever its name.
fn event_of(entry: &Entry, findings: &mut Findings) -> Option<ServerEvent> {
    if let Some(event) = ServerEvent::named(&entry.key) {
        return Some(event);
    }
    let name = shown(&entry.key);
    if WITHOUT_SCRIPTS.contains(&&*entry.key) {
        findings
            .warnings
            .add(entry.at, format!("hooks.{} is ignored: that event runs no scripts", entry.key));
        return None;
    }
    let names = ServerEvent::ALL.map(ServerEvent::name);
    let meant = match nearest(&entry.key, &names) {
        Some(near) => format!("{near} is the nearest"),
        None => format!("there are {}", listed(&names)),
    };
    if entry.value.says_nothing() {
        findings.warnings.add(entry.at, format!("hooks.{name} is ignored: there is no such event, {meant}"));
    } else {
        findings.refuse(Error::field(entry.at, "hooks", format!("has no event {name}: {meant}")));
    }
    None
}

/// The scripts of an event, with whether their timeout was written.
fn event_scripts(
    entry: &Entry,
    event: ServerEvent,
    os: Os,
    rules: Rules,
    findings: &mut Findings,
) -> Vec<(Script, bool)> {
    if entry.value.is_null() {
        return Vec::new();
    }
    let field = format!("hooks.{}", event.name());
    let items = findings.take(list_of(&entry.value, &field, "a location"));
    let mut scripts = Vec::new();
    for item in items.unwrap_or_default() {
        let read = script_of(item, &field, os, rules, findings);
        scripts.extend(findings.take(read));
    }
    scripts
}

fn script_of(
    item: &Node,
    field: &str,
    os: Os,
    rules: Rules,
    findings: &mut Findings,
) -> Result<(Script, bool), Error> {
    let section = Section::open_exact(item, field, &SCRIPT, &mut findings.warnings)?;
    let named = section.named("location");
    let text = section.required("location", "write the script's path below the bundle's root", |_| Ok(()))?;
    let at = section.get("location").unwrap_or(item);
    findings.check_rendered(at.at, &named, text);
    let location = settle(inside(text, os, rules), at, &named, findings)?;
    if location.is_empty() {
        let problem = format!("is {}, the bundle itself: write the script's path in it", shown(text));
        return Err(Error::field(at.at, named, problem));
    }
    if text.starts_with('/') {
        let said = format!("{named} is {} in the bundle, not on the host", shown(&location));
        findings.advice.add(at.at, said);
    }
    let timeout = section.get("timeout").map(|node| timeout_of(node, field, findings)).transpose()?;
    let sudo = section.get("sudo").map(|node| sudo_of(node, field)).transpose()?.unwrap_or(false);
    let runas = section.text("runas", |_| Ok(()))?;
    for key in ["runas", "sudo"] {
        let Some(node) = section.get(key).filter(|_| os == Os::Windows) else { continue };
        let said = format!("{} is ignored: it means nothing on windows", section.named(key));
        findings.warnings.add(node.at, said);
    }
    if let (Some(user), Some(node)) = (runas, section.get("runas")) {
        findings.check_rendered(node.at, &section.named("runas"), user);
    }
    let script = Script {
        location,
        timeout: timeout.unwrap_or(HOUR),
        runas: runas.map(Into::into),
        sudo,
        line: item.at.line,
    };
    Ok((script, timeout.is_some()))
}

/// Seconds, read as AWS's agent does: the digits at the front count, whatever follows them.
fn timeout_of(node: &Node, field: &str, findings: &mut Findings) -> Result<u32, Error> {
    let field = format!("{field}.timeout");
    let text = scalar(node, &field)?;
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let seconds = digits.parse::<u64>().map_or_else(
        |_| if digits.is_empty() { 0 } else { u32::MAX },
        |seconds| u32::try_from(seconds).unwrap_or(u32::MAX),
    );
    if seconds == 0 {
        let problem = format!("is {}: write the seconds that the script may take, at least 1", shown(text));
        return Err(Error::field(node.at, field, problem));
    }
    if digits.len() < text.len() {
        let said =
            format!("{field} is {}, of which {seconds} seconds are read: write a whole number", shown(text));
        findings.warnings.add(node.at, said);
    }
    Ok(seconds)
}

/// The words that YAML 1.1 takes for true and false.
fn sudo_of(node: &Node, field: &str) -> Result<bool, Error> {
    let field = format!("{field}.sudo");
    match scalar(node, &field)?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        other => {
            let problem = format!("is {}: write true or false", shown(other));
            Err(Error::field(node.at, field, problem))
        }
    }
}

/// CodeDeploy gives an event an hour, and takes scripts without a timeout for an hour each all the same.
fn check_total(entry: &Entry, event: ServerEvent, scripts: &[(Script, bool)], findings: &mut Findings) {
    let sum = |only_written: bool| -> u64 {
        let counted = scripts.iter().filter(|(_, is_written)| *is_written || !only_written);
        counted.map(|(script, _)| u64::from(script.timeout)).sum()
    };
    let field = format!("hooks.{}", event.name());
    if sum(true) > u64::from(HOUR) {
        let said = format!(
            "{field} has timeouts of {} seconds together, more than the {HOUR} that CodeDeploy gives an event; here \
             the group's eventTimeout ends it",
            sum(true)
        );
        findings.warnings.add(entry.at, said);
    } else if sum(false) > u64::from(HOUR) {
        let said = format!(
            "{field} has scripts without a timeout, which counts as {HOUR} seconds: together they may take {}, the \
             event ends sooner",
            sum(false)
        );
        findings.advice.add(entry.at, said);
    }
}
