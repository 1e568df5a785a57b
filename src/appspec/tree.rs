//! The text as a tree: takes bytes, gives nodes that know their line and keep scalars as they were written
//! (`0644` stays `0644`), within limits on size, depth, nodes and what aliases may repeat.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, StrInput};

use super::error::{Error, Position};
use super::intrinsic::{intrinsic_map, intrinsic_tag};
use super::spelling::{one_line, shown};

/// What one AppSpec may cost to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the text in bytes.
    pub max_bytes: usize,
    /// Maps and lists inside each other.
    pub max_depth: usize,
    /// Nodes of the tree, counting each use of an alias in full.
    pub max_nodes: usize,
    /// Bytes of scalars and keys, counting each use of an alias in full.
    pub max_scalar_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 * 1024, max_depth: 32, max_nodes: 10_000, max_scalar_bytes: 1024 * 1024 }
    }
}

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// The text after escapes; numbers and booleans are not interpreted.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    /// Entries in the order of the text, duplicates included.
    Map(Vec<Entry>),
    /// What a function of CloudFormation would give: the function's name as written (`!Ref`, `Fn::Sub`).
    Intrinsic(String),
}

/// One line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Node,
}

impl Node {
    /// What the value is called in messages.
    pub(super) fn shape(&self) -> String {
        match &self.value {
            Value::Null => "empty".into(),
            Value::Scalar { .. } => "a text".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Intrinsic(name) => {
                format!("CloudFormation's {}, which nothing evaluates here: write the value out", shown(name))
            }
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// Whether there is no text in it at all, however deep.
    pub(super) fn says_nothing(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Scalar { text, .. } => text.trim().is_empty(),
            Value::List(items) => items.iter().all(Self::says_nothing),
            Value::Map(entries) => entries.iter().all(|entry| entry.value.says_nothing()),
            Value::Intrinsic(_) => false,
        }
    }

    /// The value under a key in any case; the last one if it stands twice.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().rev().find(|entry| entry.key.eq_ignore_ascii_case(key)).map(|entry| &entry.value)
    }
}

/// The one document of an AppSpec.
pub(super) struct Document {
    pub(super) root: Node,
    /// The first alias (`*name`); the tree holds what it stands for.
    pub(super) first_alias: Option<Position>,
}

/// Reads the tree of an AppSpec; see [`parse_whole`].
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Node, Error> {
    parse_whole(bytes, limits).map(|document| document.root)
}

/// Reads the one document of an AppSpec.
///
/// A text that opens with `{` is tried as JSON first: JSON may be laid out with tabs, YAML may not. One that goes on
/// with `"` or `/` is JSON or nothing, because YAML would read `// words` as part of the key that follows.
pub(super) fn parse_whole(bytes: &[u8], limits: &Limits) -> Result<Document, Error> {
    if bytes.len() > limits.max_bytes {
        return Err(Error::too_large(bytes.len(), limits));
    }
    let text = decode(bytes)?;
    let Some(inner) = text.trim_start().strip_prefix('{') else { return build(text, limits) };
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        // Strict JSON has no tab inside a string, so every tab is layout; columns stay as they are.
        Ok(_) => build(&text.replace('\t', " "), limits),
        Err(error) if inner.trim_start().starts_with(['"', '/']) => Err(broken_json(&error)),
        Err(_) => build(text, limits),
    }
}

fn decode(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let at = Position { line: 1, column: 1 };
        return Err(Error::Syntax { at, problem: "the text is UTF-16: save it as UTF-8".into() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        Error::Syntax { at: end_of(&good), problem: "this byte is not UTF-8: save the text as UTF-8".into() }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn end_of(text: &str) -> Position {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line, column }
}

fn broken_json(error: &serde_json::Error) -> Error {
    let at = Position { line: error.line().max(1), column: error.column().max(1) };
    let said = error.to_string();
    let cause = said.rsplit_once(" at line ").map_or(said.as_str(), |(cause, _)| cause);
    syntax(at, format!("this is not JSON: {cause}"))
}

fn build(text: &str, limits: &Limits) -> Result<Document, Error> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = limits.max_depth.saturating_add(1);
    options.block_nesting_limit = limits.max_depth.saturating_add(1);
    let parser = Parser::new_from_str_with_options(text, options);
    Builder { text, parser, limits, nodes: 0, bytes: 0, anchors: BTreeMap::new(), first_alias: None }
        .document()
}

/// An anchored node with what repeating it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    limits: &'t Limits,
    nodes: usize,
    bytes: usize,
    anchors: BTreeMap<usize, Anchored>,
    first_alias: Option<Position>,
}

impl<'t> Builder<'t> {
    fn document(mut self) -> Result<Document, Error> {
        let mut root = None;
        while let Some((event, at)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::StreamEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(syntax(at, "a second YAML document starts here: an AppSpec is one document"));
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, at, 0)?),
            }
        }
        let root = root.filter(|node: &Node| !node.is_null()).ok_or(Error::Empty)?;
        Ok(Document { root, first_alias: self.first_alias })
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Position)>, Error> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, position(&span.start)))),
            Some(Err(error)) => {
                let at = position(error.marker());
                Err(syntax(at, format!("this is not YAML: {}{}", one_line(&error.info()), self.cure(at))))
            }
        }
    }

    /// The two things that most often stand behind a parse error, told from the line it is in.
    fn cure(&self, at: Position) -> &'static str {
        let line = self.text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        if line.get(..indent).is_some_and(|blank| blank.contains('\t')) {
            "; tabs cannot indent YAML, use spaces"
        } else if ["{{", "${", "%{", "{%", "<%"].iter().any(|mark| line.contains(mark)) {
            "; this looks like a template that was not rendered"
        } else {
            ""
        }
    }

    fn node(&mut self, event: Event<'t>, at: Position, depth: usize) -> Result<Node, Error> {
        if depth > self.limits.max_depth {
            return Err(too_deep(at, self.limits));
        }
        let (nodes, bytes) = (self.nodes, self.bytes);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let intrinsic = intrinsic_tag(tag.as_deref(), at)?;
                let value = self.scalar(text, style, tag.is_some(), at)?;
                (intrinsic.unwrap_or(value), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let intrinsic = intrinsic_tag(tag.as_deref(), at)?;
                let items = self.list(at, depth)?;
                (intrinsic.unwrap_or(Value::List(items)), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let intrinsic = intrinsic_tag(tag.as_deref(), at)?;
                let entries = self.map(at, depth)?;
                (intrinsic.or_else(|| intrinsic_map(&entries)).unwrap_or(Value::Map(entries)), anchor)
            }
            Event::Alias(anchor) => return self.repeat(anchor, at, depth),
            _ => return Err(syntax(at, "the text ends too early")),
        };
        let node = Node { at, value };
        if anchor != 0 {
            let (nodes, bytes) = (self.nodes - nodes, self.bytes - bytes);
            self.charge(nodes, bytes, at)?;
            let depth = depth_of(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes, depth });
        }
        Ok(node)
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tagged: bool,
        at: Position,
    ) -> Result<Value, Error> {
        self.charge(1, text.len(), at)?;
        let quoted = style != ScalarStyle::Plain || tagged;
        if !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
            return Ok(Value::Null);
        }
        Ok(Value::Scalar { text: text.into_owned(), quoted })
    }

    fn list(&mut self, at: Position, depth: usize) -> Result<Vec<Node>, Error> {
        self.charge(1, 0, at)?;
        let mut items = Vec::new();
        while let Some((event, at)) = self.next()? {
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, at, depth + 1)?);
        }
        Err(syntax(at, "this list does not end"))
    }

    fn map(&mut self, at: Position, depth: usize) -> Result<Vec<Entry>, Error> {
        self.charge(1, 0, at)?;
        let mut entries = Vec::new();
        while let Some((event, at)) = self.next()? {
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.key(event, at, depth)?;
            let Some((event, value_at)) = self.next()? else { break };
            let value = self.node(event, value_at, depth + 1)?;
            entries.push(Entry { key, at, value });
        }
        Err(syntax(at, "this map does not end"))
    }

    fn key(&mut self, event: Event<'t>, at: Position, depth: usize) -> Result<String, Error> {
        let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
        match self.node(event, at, depth + 1)?.value {
            Value::Scalar { text, .. } if plain && text == "<<" => {
                Err(syntax(at, "merge keys (<<) are not read: write the fields out"))
            }
            Value::Scalar { text, .. } => Ok(text),
            Value::Null => Err(syntax(at, "a key is empty here")),
            Value::List(_) | Value::Map(_) | Value::Intrinsic(_) => {
                Err(syntax(at, "a key must be a word; is this a template that was not rendered?"))
            }
        }
    }

    fn repeat(&mut self, anchor: usize, at: Position, depth: usize) -> Result<Node, Error> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(syntax(at, "this alias stands inside what it refers to"));
        };
        if depth + anchored.depth > self.limits.max_depth {
            return Err(too_deep(at, self.limits));
        }
        self.first_alias.get_or_insert(at);
        let (nodes, bytes) = (anchored.nodes, anchored.bytes);
        self.charge(nodes, bytes, at)?;
        let anchored = self.anchors.get(&anchor).map(|anchored| anchored.node.clone());
        anchored.ok_or_else(|| syntax(at, "this alias refers to nothing"))
    }

    fn charge(&mut self, nodes: usize, bytes: usize, at: Position) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        let limits = self.limits;
        let problem = if self.nodes > limits.max_nodes {
            format!("more than {} values, counting what aliases repeat", limits.max_nodes)
        } else if self.bytes > limits.max_scalar_bytes {
            format!("more than {} bytes of values, counting what aliases repeat", limits.max_scalar_bytes)
        } else {
            return Ok(());
        };
        Err(Error::TooComplex { at, problem })
    }
}

fn depth_of(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } | Value::Intrinsic(_) => 0,
        Value::List(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|entry| depth_of(&entry.value)).max().unwrap_or(0),
    }
}

fn too_deep(at: Position, limits: &Limits) -> Error {
    Error::TooComplex {
        at,
        problem: format!("more than {} lists and maps inside each other", limits.max_depth),
    }
}

fn syntax(at: Position, problem: impl Into<String>) -> Error {
    Error::Syntax { at, problem: problem.into() }
}

fn position(mark: &Marker) -> Position {
    Position { line: mark.line().max(1), column: mark.col() + 1 }
}
