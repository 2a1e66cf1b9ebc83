//! `taskcat upload`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::project::{CliProject, argument};
use super::{AwsArgs, Verbosity, block_on, output, streams};
use crate::config::CommandLineValue;
use crate::duration::HumanDuration;
use crate::plan::PlanDraft;
use crate::run::{self, RunJob, RunSettings};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

/// Package Lambda functions and upload the project to S3.
///
/// Uploads the objects that are new or have changed, and deletes those that are no longer in the
/// project. Keys begin with the name of the project. `.taskcatignore` lists files that aren't
/// uploaded.
#[derive(Args)]
pub(super) struct UploadArgs {
    /// Configuration of the project, relative to its root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    config_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Accept requests signed with Signature Version 2 on automatic buckets.
    #[arg(short, long)]
    enable_sig_v2: bool,

    /// Bucket to upload to, or with regional buckets the prefix of their names.
    #[arg(short, long, value_name = "NAME")]
    bucket_name: Option<String>,

    /// Upload to one bucket, whatever `s3_regional_buckets` says.
    #[arg(long)]
    no_regional_buckets: bool,

    /// Don't package Lambda functions first.
    #[arg(short, long)]
    disable_lambda_packaging: bool,

    /// Prefix of the keys, instead of the name of the project.
    #[arg(short, long, value_name = "PREFIX")]
    key_prefix: Option<String>,

    /// Print what would change, without changing anything.
    #[arg(long)]
    dry_run: bool,

    /// Print the changes as JSON: `{"changes": [{"action": "upload", "bucket": …, "key": …}]}`.
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// Canned ACL for the objects.
    #[arg(short, long, value_name = "ACL")]
    object_acl: Option<String>,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Program that builds and runs images of Lambda functions [default: the first of docker,
    /// podman, finch and nerdctl that works].
    #[arg(long, value_name = "PROGRAM")]
    container_cli: Option<OsString>,

    /// Keep the objects of a shared bucket while another run's marker is younger than this.
    #[arg(long, value_name = "DURATION", default_value = "12h")]
    marker_limit: HumanDuration,

    /// Ignore files and objects whose paths begin with these prefixes.
    #[arg(long, num_args = 1.., value_name = "PREFIX")]
    exclude_prefix: Vec<String>,
}

impl UploadArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let mut project =
            CliProject::load(&self.project_root, &self.config_file, aws, self.arguments())?;
        project.follow_links = self.follow_links;
        project.container_cli.clone_from(&self.container_cli);
        let mut staging = project.staging(!self.disable_lambda_packaging, &self.exclude_prefix)?;
        staging.marker_limit = self.marker_limit.0;
        output::diagnostics(&project.loaded.warnings);
        let draft = PlanDraft::of_buckets(&project.loaded, &project.root, Uuid::new_v4());
        block_on(async {
            let (clients, endpoint) = aws.connect(Some(&project.loaded.config))?;
            let (mut plan, warnings) = run::prepare(&draft, &clients).await?;
            plan.keep_buckets();
            output::diagnostics(&warnings);
            let consumers = vec![output::terminal(verbosity, false, None)];
            // An automatic bucket is the result of this command, so it is kept.
            let settings = RunSettings {
                no_delete: true,
                ..RunSettings::default()
            };
            let job = RunJob {
                settings,
                staging: Some(staging),
                ..RunJob::new(plan, endpoint)
            };
            let ended = if self.dry_run {
                let (ended, changes) = run::dry_run(&job, &clients, consumers).await;
                if !self.json {
                    changes.iter().for_each(streams::print_line);
                } else if ended.error.is_none() {
                    streams::print_line(format_args!("{:#}", json!({ "changes": changes })));
                }
                ended
            } else {
                run::upload(&job, &clients, consumers).await
            };
            Ok(exit_of(&ended))
        })
    }

    fn arguments(&self) -> Vec<CommandLineValue> {
        let mut arguments = Vec::new();
        if self.enable_sig_v2 {
            arguments.push(argument(
                "project.s3_enable_sig_v2",
                "true",
                "--enable-sig-v2",
            ));
        }
        if self.no_regional_buckets {
            arguments.push(argument(
                "tests.*.s3_regional_buckets",
                "false",
                "--no-regional-buckets",
            ));
        }
        let mut set = |key: &str, value: &Option<String>, flag: &str| {
            arguments.extend(value.as_ref().map(|value| argument(key, value, flag)));
        };
        set("tests.*.s3_bucket", &self.bucket_name, "--bucket-name");
        set("project.name", &self.key_prefix, "--key-prefix");
        set("project.s3_object_acl", &self.object_acl, "--object-acl");
        arguments
    }
}
