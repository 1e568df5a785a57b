//! `appspec`: what can be asked of AppSpec files.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `appspec`
#[derive(Clone, Debug, Subcommand)]
pub enum Appspec {
    /// Say what is wrong with an AppSpec, what AWS would refuse, and what its bundle lacks
    Lint(LintFlags),
}

/// `appspec lint`
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit codes:
  0  AWS's agent of that file's OS would take it; for Function and Service: it can be deployed here
  1  it would not: each error is printed with its line
  2  wrong usage: nothing there to look at")]
pub struct LintFlags {
    /// The directory of a bundle, whose files are looked at too, or an AppSpec file, or - for standard input
    #[arg(value_name = "DIR|FILE")]
    pub path: PathBuf,
    /// Output format; the default is a line a finding
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<LintFormat>,
}

/// How findings are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// One JSON object.
    Json,
}
