//! All that can be said of an AppSpec without its bundle: takes bytes, gives findings with their lines, and of a Server
//! AppSpec whether AWS's agent would take it. The agent is version 1.8, which 2.x says it does as.

use super::error::Error;
use super::platform::{Platform, detect};
use super::section::Warnings;
use super::server::{self, By, Findings, Rules, ServerSpec};
use super::tree::{Document, Limits, Node, parse_whole};
use super::{Os, function, service};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// AWS's agent would not take a Server AppSpec; a Function or Service AppSpec is refused.
    Error,
    /// Anything else that is worth saying.
    Warning,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// How much it weighs.
    pub severity: Severity,
    /// What was found and the cure.
    pub sentence: String,
    /// True if a deployment here is refused for it.
    pub is_refused_here: bool,
    /// True if AWS refuses it; not known for Function and Service.
    pub is_refused_on_aws: Option<bool>,
}

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The platform that it is judged for; `None` for a text that could not be read.
    pub platform: Option<Platform>,
    /// What a Server AppSpec says, as far as it could be read.
    pub server: Option<ServerSpec>,
    /// In the order of the text.
    pub findings: Vec<Finding>,
}

impl Finding {
    /// What a deployment does not stumble over.
    pub fn warning(line: usize, sentence: String) -> Self {
        Self {
            line,
            severity: Severity::Warning,
            sentence,
            is_refused_here: false,
            is_refused_on_aws: Some(false),
        }
    }

    /// What is refused by AWS's agent and here.
    pub fn error(line: usize, sentence: String) -> Self {
        Self {
            line,
            severity: Severity::Error,
            sentence,
            is_refused_here: true,
            is_refused_on_aws: Some(true),
        }
    }

    /// What is refused here, and taken by AWS's agent.
    pub fn refused_here(line: usize, sentence: impl std::fmt::Display) -> Self {
        let sentence = format!("{sentence} (refused here; AWS's agent takes it)");
        Self { is_refused_here: true, ..Self::warning(line, sentence) }
    }

    fn refused(error: &Error, by: By) -> Self {
        let line = error.position().map_or(1, |at| at.line);
        let sentence = error.sentence();
        match by {
            By::Both => Self::error(line, sentence),
            By::Us => Self::refused_here(line, sentence),
            By::Aws => {
                let sentence = format!("{sentence} (refused by AWS's agent; taken here)");
                Self { is_refused_here: false, ..Self::error(line, sentence) }
            }
        }
    }
}

impl Lint {
    /// True if no finding is an error.
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// Looks at an AppSpec of any platform, within the default [`Limits`].
pub fn lint(bytes: &[u8]) -> Lint {
    let mut lint = match parse_whole(bytes, &Limits::default()) {
        Ok(document) => lint_document(&document, bytes),
        Err(error) => {
            let by = match error {
                Error::TooLarge { .. } | Error::TooComplex { .. } => By::Us,
                _ => By::Both,
            };
            Lint { platform: None, server: None, findings: vec![Finding::refused(&error, by)] }
        }
    };
    lint.findings.sort_by_key(|finding| finding.line);
    lint
}

fn lint_document(document: &Document, bytes: &[u8]) -> Lint {
    let root = &document.root;
    match detect(root).map(|(platform, _)| platform) {
        Some(platform @ Platform::Service) => {
            lint_resource(platform, |warnings| service::read(root, warnings))
        }
        Some(platform @ Platform::Function) => {
            lint_resource(platform, |warnings| function::read(root, warnings))
        }
        // Resources without a type are nearest to a function: its reader asks for the type.
        None if root.get("Resources").is_some() => {
            lint_resource(Platform::Function, |warnings| function::read(root, warnings))
        }
        Some(Platform::Server) | None => lint_server(root, document, bytes),
    }
}

fn lint_resource<S>(platform: Platform, read: impl FnOnce(&mut Warnings) -> Result<S, Error>) -> Lint {
    let mut warnings = Warnings::default();
    let error = read(&mut warnings).err();
    let refused = error.map(|error| Finding::refused(&error, By::Both));
    let warned = warnings.into_lines().into_iter().map(|(line, sentence)| Finding::warning(line, sentence));
    let mut findings: Vec<Finding> = refused.into_iter().chain(warned).collect();
    for finding in &mut findings {
        finding.is_refused_on_aws = None;
    }
    Lint { platform: Some(platform), server: None, findings }
}

fn lint_server(root: &Node, document: &Document, bytes: &[u8]) -> Lint {
    let mut found = Findings::default();
    let spec = server::read(root, Rules::default(), &mut found);
    let mut findings: Vec<Finding> =
        found.refused.iter().map(|refused| Finding::refused(&refused.error, refused.by)).collect();
    findings.extend(spec.as_ref().err().map(|error| Finding::refused(error, By::Both)));
    let said = found.warnings.into_lines().into_iter().chain(found.advice.into_lines());
    findings.extend(said.map(|(line, sentence)| Finding::warning(line, sentence)));
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        let sentence = "the text begins with a byte order mark, after which AWS's agent loses keys: save it without \
                        one (refused by AWS's agent; taken here)";
        findings.push(Finding { is_refused_here: false, ..Finding::error(1, sentence.into()) });
    }
    if let Some(at) = document.first_alias {
        let sentence =
            "this alias is read here; AWS's agent reads it on old versions of Ruby alone: write it out";
        findings.push(Finding::warning(at.line, sentence.into()));
    }
    if spec.as_ref().is_ok_and(|spec| spec.os == Os::Windows) {
        let line = root.get("os").map_or(1, |node| node.at.line);
        findings.push(Finding::refused_here(line, "os is windows: there is no agent for it here"));
    }
    Lint { platform: Some(Platform::Server), server: spec.ok(), findings }
}

#[cfg(test)]
mod tests;
