//! `taskcat package` and `taskcat package-single`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{CliError, ExitStatus};
use super::git::GitProject;
use super::paths::path;
use super::project::{CliProject, argument, found_root};
use super::{AwsArgs, Verbosity, block_on, output, streams};
use crate::config::{self, CommandLineValue};
use crate::package::{self, BuildMethod, LambdaArchive, PackageProgress};
use crate::package::{PackageRequest, PackageSelection};

/// What TaskCat packages without a configuration (`_cli_modules/package_single.py`).
const DEFAULT_SOURCE: &str = "lambda_functions/source";
const DEFAULT_ZIP: &str = "lambda_functions/packages";

/// Package the Lambda functions of the project.
///
/// Each directory in the source directory becomes `<zip directory>/<name>/lambda.zip`. If it has a
/// `Dockerfile`, its image is built and run, and must write `/output/lambda.zip`; if it has a
/// `requirements.txt`, pip installs it beside the sources; otherwise only the sources are packed.
/// The same sources give the same bytes. Prints the path of each archive. Exits with 1 if a
/// function cannot be packaged.
///
/// `test run`, `upload` and `deploy run` package by themselves.
#[derive(Args)]
pub(super) struct PackageArgs {
    /// Configuration of the project, relative to its root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    config_file: PathBuf,

    #[command(flatten)]
    what: PackageWhat,
}

/// Package a single Lambda function, with or without a configuration.
///
/// Like `taskcat package`, for one directory of the source directory. Needs no `.taskcat.yml`.
#[derive(Args)]
pub(super) struct PackageSingleArgs {
    /// Name of the function's directory in the source directory [default: all].
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    what: PackageWhat,
}

/// What both commands take.
#[derive(Args)]
struct PackageWhat {
    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Directory of the functions' sources, relative to the project root [default:
    /// `lambda_source_path` of the configuration, or lambda_functions/source].
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    source_folder: Option<PathBuf>,

    /// Directory for the archives, relative to the project root [default: `lambda_zip_path` of the
    /// configuration, or lambda_functions/packages].
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    zip_folder: Option<PathBuf>,

    /// Package only functions with files that differ between this commit, branch or tag and
    /// --to-ref. If no file of the repository differs, all are packaged.
    #[arg(short, long, value_name = "REF")]
    from_ref: Option<String>,

    /// The later commit, branch or tag; see --from-ref.
    #[arg(short, long, value_name = "REF")]
    to_ref: Option<String>,

    /// Program that builds and runs images [default: the first of docker, podman, finch and nerdctl
    /// that works].
    #[arg(long, value_name = "PROGRAM")]
    container_cli: Option<OsString>,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,
}

impl PackageArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let project = self.what.project(&self.config_file, aws)?;
        self.what.package(Some(project), None, verbosity)
    }
}

impl PackageSingleArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let root = found_root(&self.what.project_root)?;
        let project = match config::project_file(&root) {
            Some(file) => Some(self.what.project(&file, aws)?),
            None => None,
        };
        self.what.package(project, self.name, verbosity)
    }
}

impl PackageWhat {
    fn project(&self, config_file: &Path, aws: &AwsArgs) -> Result<CliProject, CliError> {
        let folders = [
            ("lambda_source_path", &self.source_folder, "--source-folder"),
            ("lambda_zip_path", &self.zip_folder, "--zip-folder"),
        ];
        let given = folders.into_iter().filter_map(|(key, folder, flag)| {
            let folder = folder.as_ref()?.to_string_lossy();
            Some(argument(&format!("project.{key}"), &folder, flag))
        });
        let given: Vec<CommandLineValue> = given.collect();
        let mut project = CliProject::load(&self.project_root, config_file, aws, given)?;
        project.follow_links = self.follow_links;
        project.container_cli.clone_from(&self.container_cli);
        output::diagnostics(&project.loaded.warnings);
        Ok(project)
    }

    fn package(
        &self,
        project: Option<CliProject>,
        name: Option<String>,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let root = match &project {
            Some(project) => project.root.clone(),
            None => found_root(&self.project_root)?,
        };
        let selection = PackageSelection {
            name,
            changed: self.changed(&root)?,
        };
        let request = match project {
            Some(project) if project.loaded.config.project.package_lambda == Some(false) => {
                streams::tell("packaging is disabled by `package_lambda: false`");
                return Ok(ExitStatus::Passed);
            }
            Some(project) => {
                let outside = project.lambda_paths_outside();
                if !outside.is_empty() {
                    return Err(CliError::Diagnostics(outside));
                }
                project.package_request(selection)
            }
            None => self.request(root, selection),
        };
        block_on(async { Ok(run(&request, verbosity).await) })
    }

    /// Returns what to package without a configuration.
    fn request(&self, project_root: PathBuf, selection: PackageSelection) -> PackageRequest {
        let folder = |given: &Option<PathBuf>, default: &str| {
            given.clone().unwrap_or_else(|| PathBuf::from(default))
        };
        PackageRequest {
            project_root,
            lambda_source_path: folder(&self.source_folder, DEFAULT_SOURCE),
            lambda_zip_path: folder(&self.zip_folder, DEFAULT_ZIP),
            build_submodules: true,
            follow_links: self.follow_links,
            selection,
            container_cli: self.container_cli.clone(),
        }
    }

    /// Returns the files that differ between the two commits, relative to the project.
    fn changed(&self, root: &Path) -> Result<Option<Vec<String>>, CliError> {
        let (from, to) = match (&self.from_ref, &self.to_ref) {
            (Some(from), Some(to)) => (from, to),
            (None, None) => return Ok(None),
            // TaskCat ignores one without the other.
            _ => {
                output::warning(
                    "--from-ref and --to-ref count only together; every function is packaged",
                );
                return Ok(None);
            }
        };
        let git = GitProject::open(root, "--from-ref")?;
        let from = git.commit(from, "--from-ref")?;
        let to = git.commit(to, "--to-ref")?;
        let changed = git.changed_between(&from, &to)?;
        if changed.is_empty() {
            output::note(
                "no file differs between --from-ref and --to-ref",
                "every function is packaged, as in TaskCat",
            );
        }
        Ok(Some(changed))
    }
}

/// Packages, and prints each archive. An interrupt stops the builds.
async fn run(request: &PackageRequest, verbosity: Verbosity) -> ExitStatus {
    let progress = |progress: PackageProgress| match progress {
        PackageProgress::Started { lambda, build } if !verbosity.quiet => {
            streams::tell(format_args!("packaging {lambda}{}", with(build)));
        }
        PackageProgress::Started { .. } => {}
        PackageProgress::Finished(LambdaArchive { archive, .. }) => streams::print_line(archive),
        PackageProgress::Warning(message) => output::warning(&message),
    };
    let packaged = tokio::select! {
        packaged = package::package(request, progress) => packaged,
        _ = tokio::signal::ctrl_c() => return ExitStatus::Interrupted,
    };
    match packaged {
        Ok(archives) => {
            if archives.is_empty() {
                let folder = request.lambda_source_path.display();
                let message = format!("no Lambda function in {folder} was packaged");
                output::note(
                    &message,
                    "--source-folder names another directory of sources",
                );
            } else if !verbosity.quiet {
                let changed = archives.iter().filter(|it| it.changed).count();
                let unchanged = archives.len() - changed;
                streams::tell(format_args!("{changed} packaged, {unchanged} unchanged"));
            }
            ExitStatus::Passed
        }
        Err(errors) => {
            for error in errors {
                output::error(&error.to_string(), None);
            }
            ExitStatus::Failed
        }
    }
}

fn with(build: BuildMethod) -> &'static str {
    match build {
        BuildMethod::Docker => " with its Dockerfile",
        BuildMethod::Pip => " with pip",
        BuildMethod::Plain => "",
    }
}
