//! Rust as far as the room check needs it: takes a source text, gives its words without comments, strings and tests,
//! and the paths in it. No parser: what it cannot tell it leaves in, so that a doubt is a fault and not a gap.

use std::ops::Range;

/// A word, `::`, or one sign, and the line it stands in.
#[derive(Clone)]
struct Token {
    text: String,
    line: usize,
}

/// A source text without its comments, strings and tests.
pub struct Code {
    tokens: Vec<Token>,
    lines: usize,
    test_modules: Vec<String>,
}

impl Code {
    /// Takes a source text apart.
    pub fn of(source: &str) -> Self {
        let all = tokens(&blank(&source.chars().collect::<Vec<char>>()));
        let tests = test_items(&all);
        let covered: usize = tests.iter().map(|test| all[test.end - 1].line - all[test.start].line + 1).sum();
        let inside = |index: &usize| tests.iter().any(|test| test.contains(index));
        let test_modules = tests.iter().flat_map(|test| module_names(&all[test.clone()])).collect();
        let kept = (0..all.len()).filter(|index| !inside(index)).map(|index| all[index].clone()).collect();
        Self { tokens: kept, lines: source.lines().count() - covered, test_modules }
    }

    /// Lines of the file that no test covers.
    pub fn lines_without_tests(&self) -> usize {
        self.lines
    }

    /// Names after `mod`, tests aside.
    pub fn modules(&self) -> Vec<String> {
        module_names(&self.tokens)
    }

    /// Names of the structs, enums and traits declared here, tests aside.
    pub fn types(&self) -> Vec<String> {
        let declares = |pair: &&[Token]| matches!(pair[0].text.as_str(), "struct" | "enum" | "trait");
        self.tokens.windows(2).filter(declares).map(|pair| pair[1].text.clone()).collect()
    }

    /// Names after `mod` in tests.
    pub fn test_modules(&self) -> &[String] {
        &self.test_modules
    }
}

/// Whether the word stands anywhere in the code.
pub fn contains_word(code: &Code, word: &str) -> bool {
    code.tokens.iter().any(|token| token.text == word)
}

/// Lines in which a method of that name is called.
pub fn calls(code: &Code, method: &str) -> Vec<usize> {
    let is_call = |three: &&[Token]| three[0].text == "." && three[1].text == method && three[2].text == "(";
    code.tokens.windows(3).filter(is_call).map(|three| three[1].line).collect()
}

/// Every path in the code, groups in braces spelled out: `a::{b, c::d}` is `a::b` and `a::c::d`.
pub fn paths(code: &Code) -> Vec<Vec<String>> {
    let tokens = &code.tokens;
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        let joined = index > 0 && tokens[index - 1].text == "::";
        let continued =
            joined && index > 1 && (is_word(&tokens[index - 2].text) || tokens[index - 2].text == ">");
        if is_word(&tokens[index].text) && !continued {
            follow(tokens, index, &[], &mut found);
        }
    }
    found
}

/// Follows one path from its first word; gives the index after it.
fn follow(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut index = start;
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            "self" => index += 1,
            "{" => return follow_group(tokens, index + 1, &path, found),
            text if is_word(text) || text == "*" => {
                path.push(text.into());
                index += 1;
            }
            _ => break,
        }
        match tokens.get(index) {
            Some(next) if next.text == "::" => index += 1,
            _ => break,
        }
    }
    if !path.is_empty() {
        found.push(path);
    }
    index
}

fn follow_group(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut index = start;
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            "}" => return index + 1,
            "as" => index += 2,
            "," | "::" => index += 1,
            _ => index = follow(tokens, index, prefix, found).max(index + 1),
        }
    }
    index
}

/// Items under `#[cfg(test)]`, from the attribute to their end.
fn test_items(tokens: &[Token]) -> Vec<Range<usize>> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut items: Vec<Range<usize>> = Vec::new();
    for start in 0..tokens.len() {
        let here = tokens[start..].iter().map(|token| token.text.as_str()).take(ATTRIBUTE.len());
        if here.eq(ATTRIBUTE) && items.last().is_none_or(|last| last.end <= start) {
            items.push(start..end_of_item(tokens, start + ATTRIBUTE.len()));
        }
    }
    items
}

/// Further attributes, then up to a `;` outside all brackets or the end of the first block.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut ends_in_block = true;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "use" | "const" | "static" | "type" if depth == 0 => ends_in_block = false,
            "fn" if depth == 0 => ends_in_block = true,
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && ends_in_block {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Names of the modules declared here, but not those inside them.
fn module_names(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "mod" if depth == 0 => names.push(pair[1].text.clone()),
            _ => {}
        }
    }
    names
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(text: &[char]) -> Vec<Token> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut index = 0;
    while index < text.len() {
        let start = index;
        let letter = text[index];
        index += 1;
        if letter == '\n' {
            line += 1;
        }
        if letter.is_whitespace() {
            continue;
        }
        if letter.is_alphanumeric() || letter == '_' {
            while index < text.len() && (text[index].is_alphanumeric() || text[index] == '_') {
                index += 1;
            }
        } else if letter == ':' && text.get(index) == Some(&':') {
            index += 1;
        }
        found.push(Token { text: text[start..index].iter().collect(), line });
    }
    found
}

/// The text with blanks for comments and for what stands in quotes; line ends stay.
fn blank(source: &[char]) -> Vec<char> {
    let mut text = source.to_vec();
    let mut index = 0;
    while index < source.len() {
        let end = blanked_until(source, index);
        for letter in &mut text[index..end] {
            if *letter != '\n' {
                *letter = ' ';
            }
        }
        index = end.max(index + 1);
    }
    text
}

/// Where the comment or literal that begins here ends; the same place if none begins.
fn blanked_until(source: &[char], start: usize) -> usize {
    let at = |index: usize| source.get(index).copied().unwrap_or('\0');
    match (at(start), at(start + 1)) {
        ('/', '/') => until(source, start, '\n'),
        ('/', '*') => end_of_comment(source, start),
        ('"', _) => end_of_quote(source, start + 1, '"'),
        ('\'', '\\') => end_of_quote(source, start + 1, '\''),
        ('\'', _) if at(start + 2) == '\'' => start + 3,
        ('r', '"' | '#') if start == 0 || !(at(start - 1).is_alphanumeric() && at(start - 1) != 'b') => {
            end_of_raw(source, start)
        }
        _ => start,
    }
}

fn until(source: &[char], start: usize, stop: char) -> usize {
    source[start..].iter().position(|letter| *letter == stop).map_or(source.len(), |offset| start + offset)
}

fn end_of_comment(source: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = start;
    while index < source.len() {
        match source.get(index..index + 2) {
            Some(['/', '*']) => (depth, index) = (depth + 1, index + 2),
            Some(['*', '/']) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            return index;
        }
    }
    source.len()
}

fn end_of_quote(source: &[char], start: usize, quote: char) -> usize {
    let mut index = start;
    while index < source.len() {
        match source[index] {
            '\\' => index += 2,
            letter if letter == quote => return index + 1,
            _ => index += 1,
        }
    }
    source.len()
}

/// `r"…"` and `r#"…"#` with any number of `#`; a raw identifier (`r#type`) is none of them.
fn end_of_raw(source: &[char], start: usize) -> usize {
    let marks = source[start + 1..].iter().take_while(|letter| **letter == '#').count();
    let open = start + 1 + marks;
    if source.get(open) != Some(&'"') {
        return start;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', marks));
    let found = source[open + 1..].windows(close.len()).position(|part| part == close);
    found.map_or(source.len(), |offset| open + 1 + offset + close.len())
}
