//! The command line: parses the arguments, with one file per command. The only module that prints,
//! exits, and reads the environment.

mod arguments;
mod asking;
mod assets;
mod changes;
mod check;
mod checkout;
mod clean;
mod completions;
mod config;
mod delete;
mod deploy;
mod discovery;
mod doctor;
mod earlier;
mod error;
mod generate_config;
mod generate_iam_policy;
mod git;
mod github;
mod lint;
mod lint_job;
mod list;
mod man;
mod mfa;
mod output;
mod package;
mod paths;
mod pipeline;
mod plan;
mod project;
mod question;
mod remains;
mod render;
mod report;
mod rerun;
mod resume;
mod retry;
mod schema;
mod selection;
mod simulator;
mod span;
mod stdin;
mod streams;
mod test;
mod test_command;
mod tips;
mod update_ami;
mod upload;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::aws::{self, Aws, CALL_TIMEOUT, Mfa};
use crate::config::BaseConfig;
use crate::duration::HumanDuration;
use error::{CliError, ExitStatus};

/// Tests CloudFormation templates by launching them.
///
/// Reads `.taskcat.yml`, launches every test in every region, follows the stacks, writes reports,
/// and deletes everything that it created.
#[derive(Parser)]
#[command(
    name = "taskcat",
    version,
    disable_version_flag = true,
    max_term_width = 100
)]
#[command(arg_required_else_help = true, after_help = error::EXIT_CODES)]
#[command(infer_long_args = true, infer_subcommands = true)]
struct Cli {
    /// Print only errors and the result.
    #[arg(short, long, global = true, display_order = 900)]
    quiet: bool,

    /// Print debug messages, such as every call to AWS.
    #[arg(short, long, global = true, display_order = 901)]
    debug: bool,

    #[command(flatten)]
    aws: AwsArgs,

    /// Print the version.
    #[arg(short, long, action = clap::ArgAction::Version, display_order = 902)]
    version: Option<bool>,

    #[command(subcommand)]
    command: Command,
}

/// Heading of the options of every command in its help.
const AWS_OPTIONS: &str = "AWS options";

/// The options for calling AWS.
#[derive(Args)]
struct AwsArgs {
    /// AWS profile for regions that `auth` in the configuration doesn't list.
    #[arg(long, global = true, value_name = "NAME", help_heading = AWS_OPTIONS)]
    profile: Option<String>,

    /// Send the calls of every service to this URL instead of AWS, such as http://localhost:4566
    /// [env: AWS_ENDPOINT_URL].
    #[arg(long, global = true, value_name = "URL", help_heading = AWS_OPTIONS)]
    endpoint_url: Option<String>,

    /// Trust the certificates in this file, in PEM, instead of the system's [env: AWS_CA_BUNDLE].
    #[arg(long, global = true, value_name = "FILE", help_heading = AWS_OPTIONS)]
    ca_bundle: Option<PathBuf>,

    /// Use this MFA code to assume a role with `mfa_serial` [default: ask on a terminal].
    #[arg(long, global = true, value_name = "CODE", help_heading = AWS_OPTIONS)]
    mfa_code: Option<String>,

    /// Time limit for each attempt of an AWS call; uploads get ten times as long [default: 30s].
    #[arg(long, global = true, value_name = "DURATION", help_heading = AWS_OPTIONS)]
    call_timeout: Option<HumanDuration>,
}

/// Commands without a doc comment here have theirs in their own files.
#[derive(Subcommand)]
enum Command {
    /// Test templates by launching them.
    #[command(subcommand, arg_required_else_help = true)]
    Test(test_command::TestCommand),

    Plan(plan::PlanArgs),

    Lint(lint::LintArgs),

    Upload(upload::UploadArgs),

    Package(package::PackageArgs),

    PackageSingle(package::PackageSingleArgs),

    Render(render::RenderArgs),

    #[command(visible_alias = "init")]
    GenerateConfig(generate_config::GenerateConfigArgs),

    GenerateIamPolicy(generate_iam_policy::GenerateIamPolicyArgs),

    UpdateAmi(update_ami::UpdateAmiArgs),

    /// Create or update permanent stacks through change sets, or list them.
    #[command(subcommand, arg_required_else_help = true)]
    Deploy(deploy::DeployCommand),

    List(list::StackListArgs),

    Delete(delete::DeleteArgs),

    /// Deploy, inspect or delete the CI/CD pipeline.
    #[command(subcommand, arg_required_else_help = true)]
    Pipeline(pipeline::PipelineCommand),

    Report(report::ReportArgs),

    Simulator(simulator::SimulatorArgs),

    /// Show the configuration, or convert a legacy one.
    #[command(subcommand, arg_required_else_help = true)]
    Config(config::ConfigCommand),

    Doctor(doctor::DoctorArgs),

    Schema(schema::SchemaArgs),

    Completions(completions::CompletionsArgs),

    Man(man::ManArgs),
}

/// How much to print.
#[derive(Clone, Copy)]
struct Verbosity {
    quiet: bool,
    debug: bool,
}

/// Parses the command line, runs the command, and returns the exit code.
pub fn main() -> ExitCode {
    // Errors in the arguments are printed before the arguments are parsed.
    if arguments::may_name_redaction(env::args_os()) {
        streams::redact();
    }
    let exit = match arguments::parse() {
        Ok(cli) => run(cli),
        Err(answer) => answered(tips::with_tip(answer)),
    };
    // No verdict hides that standard output could not be written.
    if let Some(reason) = streams::failure() {
        output::error(&format!("cannot write to standard output: {reason}"), None);
        return exit.or_unwritten().into();
    }
    exit.into()
}

/// Prints what clap answers itself: the help, the version, or errors in the arguments.
fn answered(answer: clap::Error) -> ExitStatus {
    let text = answer.render();
    // TaskCat prints its help if it is called without arguments.
    if answer.use_stderr() && env::args_os().len() > 1 {
        streams::tell_in_line(text.ansi());
        ExitStatus::Usage
    } else {
        streams::print(text.ansi());
        ExitStatus::Passed
    }
}

fn run(cli: Cli) -> ExitStatus {
    let verbosity = Verbosity {
        quiet: cli.quiet,
        debug: cli.debug,
    };
    if verbosity.quiet && verbosity.debug {
        let message = "the argument '--quiet' cannot be used with '--debug'";
        return CliError::Usage(message.to_owned()).report();
    }
    if verbosity.debug {
        output::log_to_stderr();
    }
    let result = match cli.command {
        Command::Test(command) => command.run(&cli.aws, verbosity),
        Command::Upload(args) => args.run(&cli.aws, verbosity),
        Command::Package(args) => args.run(&cli.aws, verbosity),
        Command::PackageSingle(args) => args.run(&cli.aws, verbosity),
        Command::Deploy(command) => command.run(&cli.aws, verbosity),
        Command::List(args) => args.run(&cli.aws),
        Command::Delete(args) => args.run(&cli.aws, verbosity),
        Command::Pipeline(command) => command.run(&cli.aws, verbosity),
        Command::Plan(args) => args.run(&cli.aws),
        Command::Lint(args) => args.run(&cli.aws),
        Command::Render(args) => args.run(),
        Command::GenerateConfig(args) => args.run(&cli.aws),
        Command::GenerateIamPolicy(args) => args.run(&cli.aws),
        Command::UpdateAmi(args) => args.run(&cli.aws, verbosity),
        Command::Report(args) => args.run(),
        Command::Simulator(args) => args.run(),
        Command::Config(command) => command.run(&cli.aws),
        Command::Doctor(args) => args.run(&cli.aws),
        Command::Schema(args) => Ok(args.run()),
        Command::Completions(args) => Ok(args.run()),
        Command::Man(args) => args.run(),
    };
    result.unwrap_or_else(CliError::report)
}

impl AwsArgs {
    /// Refuses options that conflict with a flag that selects the endpoint. Clap doesn't detect
    /// conflicts with options before a subcommand.
    fn refuse_beside(&self, flag: &str) -> Result<(), CliError> {
        let flags = [
            ("--profile <NAME>", &self.profile),
            ("--endpoint-url <URL>", &self.endpoint_url),
        ];
        match flags
            .into_iter()
            .find(|(_, value)| given((*value).clone()).is_some())
        {
            Some((other, _)) => Err(CliError::Usage(format!(
                "the argument '{flag}' cannot be used with '{other}'"
            ))),
            None => Ok(()),
        }
    }

    /// Returns AWS or the endpoint that replaces it, and the endpoint for the reports. Flags take
    /// precedence over the project's configuration.
    fn connect(&self, config: Option<&BaseConfig>) -> Result<(Aws, Option<String>), CliError> {
        for (setting, url) in self.endpoints() {
            if !aws::is_url(&url) {
                let message = format!(
                    "invalid endpoint URL `{url}` in {setting}; expected something like \
                     http://localhost:4566"
                );
                return Err(CliError::Usage(message));
            }
        }
        let argument = given(self.endpoint_url.clone());
        let endpoint = argument
            .clone()
            .or_else(|| given(env::var("AWS_ENDPOINT_URL").ok()));
        let configured = config.and_then(|it| it.project.call_timeout.or(it.general.call_timeout));
        let call_timeout = self
            .call_timeout
            .or(configured)
            .map_or(CALL_TIMEOUT, |it| it.0);
        let mfa = Mfa::new(given(self.mfa_code.clone()), mfa::prompt());
        let aws = Aws::new(argument)
            .with_call_timeout(call_timeout)
            .with_ca_bundle(self.ca_bundle.clone());
        Ok((aws.with_mfa(mfa), endpoint))
    }

    /// Returns the profile that the command line names.
    fn profile(&self) -> Option<&str> {
        self.profile
            .as_deref()
            .filter(|name| !name.trim().is_empty())
    }

    /// Returns every endpoint that is set, and where it is set.
    fn endpoints(&self) -> Vec<(String, String)> {
        if let Some(url) = given(self.endpoint_url.clone()) {
            return vec![("--endpoint-url".to_owned(), url)];
        }
        let variables =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let variables = variables.filter(|(name, _)| {
            name == "AWS_ENDPOINT_URL" || name.starts_with("AWS_ENDPOINT_URL_")
        });
        let set =
            variables.filter_map(|(name, value)| Some((name, given(value.into_string().ok())?)));
        set.collect()
    }
}

/// Treats an empty value as not set, since CI systems pass unset variables that way.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

/// Parses `KEY=VALUE`.
fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Parses a list separated by commas; `None` for `ALL`.
fn listed(text: &str) -> Option<Vec<String>> {
    let items = || {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    (text != "ALL").then(items)
}

/// Runs a command's asynchronous part. Only commands that call AWS need the runtime.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| CliError::local("cannot start", error))?
        .block_on(work)
}
