//! One map of an AppSpec: takes a node and the keys that mean something there, gives them in any case of
//! their letters; the rest is ignored with a warning that says what was probably meant.

use std::collections::BTreeMap;

use super::error::{Error, Position};
use super::spelling::{nearest, shown};
use super::tree::{Entry, Node, Value};

/// What was ignored, as sentences; a bounded list.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<(usize, String)>,
    has_more: bool,
}

impl Warnings {
    const KEPT: usize = 20;

    pub(super) fn add(&mut self, at: Position, sentence: impl Into<String>) {
        if self.kept.len() < Self::KEPT {
            self.kept.push((at.line, sentence.into()));
        } else {
            self.has_more = true;
        }
    }

    /// Each sentence after its line.
    pub(super) fn to_sentences(&self) -> Vec<String> {
        let placed = self.kept.iter().map(|(line, sentence)| format!("line {line}: {sentence}"));
        placed.chain(self.has_more.then(|| MORE.to_owned())).collect()
    }

    /// The lines with their sentences; that there are more stands in the last one's line.
    pub(super) fn into_lines(mut self) -> Vec<(usize, String)> {
        if let Some((line, _)) = self.kept.last().filter(|_| self.has_more) {
            self.kept.push((*line, MORE.into()));
        }
        self.kept
    }
}

const MORE: &str = "there are more warnings than these";

/// The keys of one map.
pub(super) struct Keys {
    /// Keys that mean something in this map.
    pub(super) known: &'static [&'static str],
    /// Keys that mean something elsewhere, with that place.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
    /// Keys that people write and nobody reads, with the cure.
    pub(super) instead: &'static [(&'static str, &'static str)],
    /// Keys that only mean something on AWS.
    pub(super) only_on_aws: &'static [AwsKey],
}

/// A key that only means something on AWS. It may be there as long as it asks for nothing.
pub(super) struct AwsKey {
    pub(super) name: &'static str,
    /// The value that asks for nothing, in any case.
    pub(super) harmless: Option<&'static str>,
    /// What to do and what to use instead.
    pub(super) instead: &'static str,
}

/// A map with its meaningful keys picked out.
pub(super) struct Section<'n> {
    at: Position,
    path: String,
    fields: BTreeMap<&'static str, &'n Node>,
    slips: BTreeMap<&'static str, (String, Position)>,
}

impl<'n> Section<'n> {
    /// `path` is empty for the top level; it stands before the field's name in every message.
    ///
    /// # Errors
    /// If the node is no map, or asks for what only AWS has.
    pub(super) fn open(
        node: &'n Node,
        path: &str,
        keys: &Keys,
        warnings: &mut Warnings,
    ) -> Result<Self, Error> {
        Self::open_by(str::eq_ignore_ascii_case, node, path, keys, warnings)
    }

    /// The same for a map whose keys count in their own case only.
    ///
    /// # Errors
    /// Those of [`Section::open`].
    pub(super) fn open_exact(
        node: &'n Node,
        path: &str,
        keys: &Keys,
        warnings: &mut Warnings,
    ) -> Result<Self, Error> {
        Self::open_by(|known, key| known == key, node, path, keys, warnings)
    }

    fn open_by(
        is_same: impl Fn(&str, &str) -> bool,
        node: &'n Node,
        path: &str,
        keys: &Keys,
        warnings: &mut Warnings,
    ) -> Result<Self, Error> {
        let Value::Map(entries) = &node.value else {
            let field = if path.is_empty() { "the AppSpec" } else { path };
            let problem = format!("must be a map of {}; this is {}", keys.known.join(", "), node.shape());
            return Err(Error::field(node.at, field, problem));
        };
        let mut section =
            Self { at: node.at, path: path.into(), fields: BTreeMap::new(), slips: BTreeMap::new() };
        for entry in entries {
            let is_this = |key: &str| key.eq_ignore_ascii_case(&entry.key);
            if let Some(known) = keys.known.iter().find(|known| is_same(known, &entry.key)) {
                section.keep(known, entry, warnings);
            } else if let Some(aws) = keys.only_on_aws.iter().find(|aws| is_this(aws.name)) {
                section.refuse(aws, entry)?;
            } else {
                section.ignore(&entry.key, entry.at, keys, warnings);
            }
        }
        Ok(section)
    }

    fn keep(&mut self, known: &'static str, entry: &'n Entry, warnings: &mut Warnings) {
        if let Some(earlier) = self.fields.insert(known, &entry.value) {
            let said =
                format!("{} stands here and in line {}; this one counts", self.named(known), earlier.at.line);
            warnings.add(entry.at, said);
        }
    }

    fn refuse(&self, aws: &AwsKey, entry: &Entry) -> Result<(), Error> {
        let is_harmless = match &entry.value.value {
            Value::Scalar { text, .. } => {
                aws.harmless.is_some_and(|word| word.eq_ignore_ascii_case(text.trim()))
            }
            _ => false,
        };
        if is_harmless || entry.value.says_nothing() {
            return Ok(());
        }
        let problem = format!("only means something on AWS: {}", aws.instead);
        Err(Error::field(entry.at, self.named(aws.name), problem))
    }

    fn ignore(&mut self, key: &str, at: Position, keys: &Keys, warnings: &mut Warnings) {
        let whose = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
        let elsewhere = keys.elsewhere.iter().find(|(other, _)| other.eq_ignore_ascii_case(key));
        let said = if let Some((known, place)) = elsewhere {
            format!("{known}{whose} is ignored: it belongs under {place} (is the indentation lost?)")
        } else if let Some((_, cure)) = keys.instead.iter().find(|(other, _)| other.eq_ignore_ascii_case(key))
        {
            format!("{}{whose} is ignored: {cure}", shown(key))
        } else if let Some(near) = nearest(key, keys.known) {
            self.slips.insert(near, (key.into(), at));
            format!("{}{whose} is ignored: {near} is the key that was probably meant", shown(key))
        } else {
            format!("{}{whose} is ignored: it means nothing there", shown(key))
        };
        warnings.add(at, said);
    }

    /// The field's path.
    pub(super) fn named(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a known key, unless it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.fields.get(key).copied().filter(|node| !node.is_null())
    }

    /// The error for a key that has to be there, with the misspelling that may be the reason.
    pub(super) fn missing(&self, key: &str, cure: &str) -> Error {
        let mut problem = if self.fields.contains_key(key) {
            format!("is empty: {cure}")
        } else {
            format!("is missing: {cure}")
        };
        if let Some((slip, at)) = self.slips.get(key) {
            problem.push_str(&format!(" (line {} has {} instead)", at.line, shown(slip)));
        }
        let at = self.fields.get(key).map_or(self.at, |node| node.at);
        Error::field(at, self.named(key), problem)
    }

    /// What a rule makes of a text that may be left out (absent, null or empty).
    ///
    /// # Errors
    /// If the value is a list or a map, or breaks the rule.
    pub(super) fn read<T>(
        &self,
        key: &str,
        rule: impl Fn(&'n str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let text = scalar(node, &self.named(key))?;
        if text.is_empty() {
            return Ok(None);
        }
        rule(text).map(Some).map_err(|problem| Error::field(node.at, self.named(key), problem))
    }

    /// A text that may be left out (absent, null or empty).
    ///
    /// # Errors
    /// Those of [`Section::read`].
    pub(super) fn text(
        &self,
        key: &str,
        rule: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Option<&'n str>, Error> {
        self.read(key, |text| rule(text).map(|()| text))
    }

    /// A text that has to be there; `cure` says what to write when it is not.
    ///
    /// # Errors
    /// Those of [`Section::text`], and if it was left out.
    pub(super) fn required(
        &self,
        key: &str,
        cure: &str,
        rule: impl Fn(&str) -> Result<(), String>,
    ) -> Result<&'n str, Error> {
        self.text(key, rule)?.ok_or_else(|| self.missing(key, cure))
    }
}

/// The text of a scalar without the blanks around it; numbers as they were written.
pub(super) fn scalar<'n>(node: &'n Node, field: &str) -> Result<&'n str, Error> {
    match &node.value {
        Value::Scalar { text, .. } => Ok(text.trim()),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Intrinsic(_) => {
            let problem = format!("must be one text; this is {}", node.shape());
            Err(Error::field(node.at, field, problem))
        }
    }
}
