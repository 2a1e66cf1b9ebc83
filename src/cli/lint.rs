//! `taskcat lint`.

mod text;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::{CliError, ExitStatus};
use super::lint_job::{LintChoice, StandaloneTemplates};
use super::paths::path;
use super::project::{CliProject, found_root};
use super::selection::SelectionArgs;
use super::stdin::StdinTemplate;
use super::{AwsArgs, block_on, discovery, github, output, streams};
use crate::config;
use crate::diagnostic::Diagnostic;
use crate::lint::output::{self as formats, LintResult};
use crate::lint::{
    self, CfnLintSettings, Finding, FindingLevel, LintEngineKind, LintError, LintJob, LintOutcome,
    RuleSelection,
};
use crate::report::github as annotations;

/// The configuration of a project.
const DEFAULT_INPUT: &str = "./.taskcat.yml";

/// Check the templates (offline).
///
/// Checks the template of every test, and the templates nested in it, with the parameters and the
/// regions of the test, against CloudFormation's schemas, cfn-lint's rules and your own rules for
/// Guard. Lists every template that passes. Exits with 1 if there are errors.
///
/// A finding can be suppressed by --ignore, by `.cfnlintrc`, by `Metadata.cfn-lint` of the template
/// or the resource, and by a comment `# taskcat: ignore RULE` on its line or the line above.
#[derive(Args)]
pub(super) struct LintArgs {
    /// Templates to check by themselves, without the tests of a configuration; `-` reads one from
    /// standard input.
    #[arg(value_name = "TEMPLATE", value_parser = path())]
    templates: Vec<PathBuf>,

    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = DEFAULT_INPUT, value_name = "FILE",
        value_parser = path())]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    #[command(flatten)]
    selection: SelectionArgs,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Fail on warnings as well as on errors.
    #[arg(short, long)]
    strict: bool,

    /// Linter to use [default: builtin].
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Option<LintEngineArg>,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = LintFormat::Text)]
    format: LintFormat,

    /// Report only these rules, separated by commas; the beginning of an ID is enough: E3,W2001.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    select: Vec<String>,

    /// Don't report these rules, separated by commas; the beginning of an ID is enough.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    ignore: Vec<String>,

    /// Report informational findings, too.
    #[arg(short, long)]
    all: bool,

    /// Check the rules of CloudFormation Guard in this file or directory, too; may be repeated.
    #[arg(long, value_name = "PATH", value_parser = path())]
    guard_rules: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LintEngineArg {
    /// The linter in this program.
    Builtin,
    /// The program cfn-lint, which must be on PATH.
    CfnLint,
    /// Both, with their findings merged.
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LintFormat {
    /// For people, on standard error, with TaskCat's lines.
    Text,
    /// An array of findings.
    Json,
    /// SARIF 2.1.0, for GitHub's code scanning and others.
    Sarif,
    /// JUnit XML.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's code quality report.
    Gitlab,
}

impl LintArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let engine = match self.engine {
            None => LintEngineKind::default(),
            Some(LintEngineArg::Builtin) => LintEngineKind::Builtin,
            Some(LintEngineArg::CfnLint) => LintEngineKind::CfnLint,
            Some(LintEngineArg::Both) => LintEngineKind::Both,
        };
        if engine != LintEngineKind::CfnLint {
            // The rules take less time, even if they wait until the templates have been read.
            lint::prepare_schemas();
        }
        let choice = LintChoice {
            engine,
            selection: self.selection(),
            guard_rules: self.guard_rules.clone(),
        };
        let given = self.given_on_stdin()?;
        let (job, shown_root) = self.job(aws, &choice, given.as_ref())?;
        let outcome = block_on(async {
            lint::run(&job).await.map_err(|error| match error {
                LintError::Rules(diagnostic) => CliError::Diagnostics(vec![*diagnostic]),
                other => CliError::Usage(other.to_string()),
            })
        })?;
        let LintOutcome::Findings {
            mut findings,
            warnings,
            mut linted,
        } = outcome
        else {
            return Err(CliError::Usage(
                "`cfn-lint` is not on PATH; `pip install cfn-lint` installs it".to_owned(),
            ));
        };
        warnings.iter().for_each(|warning| output::warning(warning));
        if shown_root != job.project_root {
            // Templates outside of the folder are shown with their whole path.
            let shown = |path: &PathBuf| {
                let whole = job.project_root.join(path);
                whole
                    .strip_prefix(&shown_root)
                    .map_or_else(|_| whole.clone(), PathBuf::from)
            };
            linted = linted.iter().map(shown).collect();
            findings
                .iter_mut()
                .for_each(|finding| finding.template = shown(&finding.template));
        }
        let report = LintResult {
            findings: &findings,
            linted: &linted,
            strict: self.strict,
        };
        match self.format {
            LintFormat::Text => text::tell(&report, &shown_root),
            LintFormat::Json => streams::print(formats::json(&report)),
            LintFormat::Sarif => streams::print(formats::sarif(&report)),
            LintFormat::Junit => streams::print(formats::junit(&report)),
            LintFormat::Gitlab => streams::print(formats::gitlab(&report)),
            LintFormat::Github => {
                let root = github::project_in_repository(&shown_root).unwrap_or_default();
                let lines = findings.iter().map(|it| annotation(it, &root));
                lines.for_each(streams::print_line);
            }
        }
        Ok(if findings.iter().any(|it| report.fails(it)) {
            ExitStatus::Failed
        } else {
            ExitStatus::Passed
        })
    }

    fn given_on_stdin(&self) -> Result<Option<StdinTemplate>, CliError> {
        let inputs = || self.templates.iter().chain([&self.input_file]);
        if self.templates.len() > 1 && inputs().any(|it| it.as_os_str() == "-") {
            let message = "`-` cannot be combined with other templates";
            return Err(CliError::Usage(message.to_owned()));
        }
        inputs()
            .find_map(|it| StdinTemplate::instead_of(it).transpose())
            .transpose()
            .map_err(|error| CliError::local("cannot read standard input", error))
    }

    fn selection(&self) -> RuleSelection {
        let trimmed = |rules: &[String]| {
            let rules = rules.iter().map(|rule| rule.trim().to_owned());
            rules.collect()
        };
        RuleSelection {
            select: trimmed(&self.select),
            ignore: trimmed(&self.ignore),
            all: self.all,
            ..RuleSelection::default()
        }
    }

    /// Returns what to lint, and the directory that paths are shown relative to.
    fn job(
        &self,
        aws: &AwsArgs,
        choice: &LintChoice,
        given: Option<&StdinTemplate>,
    ) -> Result<(LintJob, PathBuf), CliError> {
        let mut root = found_root(&self.project_root)?;
        let (mut settings, warnings) =
            CfnLintSettings::read(&root).map_err(CliError::Diagnostics)?;
        if choice.engine != LintEngineKind::CfnLint {
            output::diagnostics(&warnings);
        }
        if let Some(given) = given {
            let templates = StandaloneTemplates::find(given.folder(), &[given.path().to_owned()])?;
            let job = templates.job(&settings, choice, self.follow_links)?;
            return Ok((job, given.folder().to_owned()));
        }
        let mut named = self.templates.clone();
        let has_input =
            root.join(&self.input_file).exists() || config::project_file(&root).is_some();
        if named.is_empty() && !has_input && self.input_file == Path::new(DEFAULT_INPUT) {
            let found = settings.found_templates(&root).into_iter();
            named.extend(found.map(PathBuf::from));
        }
        if !named.is_empty() {
            let templates = StandaloneTemplates::find(&root, &named)?;
            let job = templates.job(&settings, choice, self.follow_links)?;
            return Ok((job, root));
        }
        let located = discovery::locate(&self.project_root, &self.input_file);
        if located != self.project_root {
            root = found_root(&located)?;
            (settings, _) = CfnLintSettings::read(&root).map_err(CliError::Diagnostics)?;
        }
        let mut project =
            CliProject::load(&root, &self.input_file, aws, self.selection.arguments())?;
        project.follow_links = self.follow_links;
        output::diagnostics(&project.loaded.warnings);
        if project.loaded.config.tests.is_empty() {
            let error =
                Diagnostic::error("the configuration has no tests").help("add one under tests");
            return Err(CliError::Diagnostics(vec![error]));
        }
        // What is left may be nothing, which is linted without findings.
        self.selection.apply(&mut project)?;
        let job = project.lint_job_of_templates(&settings, choice)?;
        Ok((job, root))
    }
}

/// Returns the workflow command for a finding. `root` is the project's path in the repository.
fn annotation(finding: &Finding, root: &Path) -> String {
    let command = match finding.level {
        FindingLevel::Error => "error",
        FindingLevel::Warning => "warning",
        FindingLevel::Info => "notice",
    };
    annotations::annotation(
        command,
        &finding.rule,
        &root.join(&finding.template),
        (finding.location.at.line, finding.location.at.column),
        &formats::full_message(finding),
    )
}
