//! The flags of `push`: what is bundled, and where to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::api::BundleType;
use crate::cli::words;

/// `push`
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Credentials come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else from the profile AWS_PROFILE
of ~/.aws/credentials (or AWS_SHARED_CREDENTIALS_FILE). The same content always gives the same bundle.

Examples:
  kubectl sluice push --s3-location s3://releases/web-1.tgz --source web/
  kubectl sluice push --s3-location s3://releases/web-1.zip --endpoint https://minio.example:9000 -o json"
)]
pub struct Push {
    /// Where to, as s3://BUCKET/KEY
    #[arg(long, value_name = "s3://BUCKET/KEY", value_parser = words::s3_location)]
    pub s3_location: (String, String),
    /// The folder that holds the AppSpec file
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub source: PathBuf,
    /// How it is packed; the default follows the key's ending, else it is tgz
    #[arg(long = "type", value_name = "TYPE", value_parser = words::archive)]
    pub kind: Option<BundleType>,
    /// URL of the storage; without it $AWS_ENDPOINT_URL_S3, then $AWS_ENDPOINT_URL, then AWS
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Region of the bucket; without it $AWS_REGION, then $AWS_DEFAULT_REGION, then us-east-1
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Name of the Application, for the command that is printed
    #[arg(long, value_name = "NAME")]
    pub application_name: Option<String>,
    /// Leave out names that begin with a dot
    #[arg(long)]
    pub ignore_hidden_files: bool,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "yaml")]
    pub output: PushFormat,
}

/// How the revision is printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum PushFormat {
    /// Its fields and the bundle's digest.
    Json,
    /// As it stands in a Deployment.
    Yaml,
}
