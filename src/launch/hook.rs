//! Runs prehooks and posthooks: users' programs that run before and after the launch of a cell's
//! stack.
//!
//! A hook of type `x` is the program `taskcat-hook-x` on PATH; the built-in type `script` runs
//! `config.command`. Either runs in the project root and gets a JSON object on its standard input,
//! the only way in which secrets reach it. `run` calls [`run`] for each hook and handles failures.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tokio::process::Command;

use crate::event::{HookStage, StackOutput};
use crate::input;
use crate::mask::Secrets;
use crate::plan::{HookPlan, PlannedParameter};
use crate::process::{self, ExitReason, FinishedProcess, last_lines};
use crate::status::StackStatus;

/// Runs a hook to its end.
///
/// `config.timeout` limits it, in seconds. When the limit is reached or the future is dropped, the
/// hook is killed with its children. Secret parameters are masked in its output. Its environment is
/// that of this process with the changes of `environment`: `None` removes a variable.
///
/// # Errors
/// The hook could not be run, or did not end with exit code 0.
pub(crate) async fn run(
    hook: &HookPlan,
    input: &HookInput,
    project_root: &Path,
    environment: &[(String, Option<String>)],
) -> Result<HookOutput, HookError> {
    run_with(hook, input, project_root, environment, None).await
}

/// Checks a hook before it is run: its type, its configuration and, with `path` (the folders of a
/// PATH), that its program exists.
///
/// # Errors
/// The hook can't be run.
pub(crate) fn check(
    hook: &HookPlan,
    project_root: &Path,
    path: Option<&OsStr>,
) -> Result<(), HookFailure> {
    let (_, program) = command(hook, project_root, None)?;
    timeout(&hook.config)?;
    match path {
        Some(path)
            if hook.kind != "script"
                && !std::env::split_paths(path)
                    .any(|it| it.join(format!("{program}{EXE_SUFFIX}")).is_file()) =>
        {
            Err(HookFailure::Config(format!(
                "no program `{program}` was found on PATH"
            )))
        }
        _ => Ok(()),
    }
}

/// Runs a hook; `programs` replaces PATH in the search for hooks.
async fn run_with(
    hook: &HookPlan,
    input: &HookInput,
    project_root: &Path,
    environment: &[(String, Option<String>)],
    programs: Option<&OsStr>,
) -> Result<HookOutput, HookError> {
    let failed = |cause| HookError {
        stage: input.stage,
        kind: hook.kind.clone(),
        stack_name: input.stack_name.clone(),
        region: input.region.clone(),
        cause,
    };
    // The folder of a relative program would otherwise be applied twice.
    let project_root =
        &std::path::absolute(project_root).unwrap_or_else(|_| project_root.to_owned());
    let (mut command, program) = command(hook, project_root, programs).map_err(failed)?;
    let limit = timeout(&hook.config).map_err(failed)?;
    command.current_dir(project_root);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let stdin = serde_json::to_vec(&HookMessage {
        hook,
        input,
        project_root,
    })
    .map_err(|error| {
        failed(HookFailure::Start {
            program: program.clone(),
            error: error.into(),
        })
    })?;
    let finished = match process::run(command, stdin, limit).await {
        Ok(finished) => finished,
        Err(error) if error.kind() == io::ErrorKind::NotFound && project_root.is_dir() => {
            return Err(failed(HookFailure::Missing { program }));
        }
        Err(error) => return Err(failed(HookFailure::Start { program, error })),
    };
    let output = shown(&finished, input);
    if finished.end.is_success() {
        Ok(output)
    } else {
        Err(failed(HookFailure::Ended {
            program,
            end: finished.end,
            output,
        }))
    }
}

/// The input of a hook. The fields have these names in JSON, in addition to the hook's `type` and
/// `config`, and `project_root`.
#[derive(Clone, Debug)]
pub(crate) struct HookInput {
    pub stage: HookStage,
    /// The project's name, `project.name`.
    pub project: String,
    pub test: String,
    pub region: String,
    pub account_id: String,
    pub stack_name: String,
    /// The stack's ARN; absent before the launch.
    pub stack_id: Option<String>,
    /// The stack's status; absent before the launch.
    pub status: Option<StackStatus>,
    pub parameters: Vec<PlannedParameter>,
    /// The stack's outputs; absent before the stack is complete.
    pub outputs: Option<Vec<StackOutput>>,
}

/// The output of a hook, limited to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HookOutput {
    pub stdout: String,
    pub stderr: String,
}

/// A hook's failure, which fails its cell.
#[derive(Debug, thiserror::Error)]
#[error("{} `{kind}` of stack {stack_name} in {region}: {cause}", singular(*stage))]
pub(crate) struct HookError {
    pub stage: HookStage,
    pub kind: String,
    pub stack_name: String,
    pub region: String,
    pub cause: HookFailure,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum HookFailure {
    #[error("{0}")]
    Config(String),
    #[error("`{program}` was not found, or the interpreter that its first line names was not")]
    Missing { program: String },
    #[error("cannot run `{program}`: {}", input::reason(error))]
    Start { program: String, error: io::Error },
    #[error("`{program}` {end}{}", last_words(output))]
    Ended {
        program: String,
        end: ExitReason,
        output: HookOutput,
    },
}

/// Returns the command and its name for messages.
fn command(
    hook: &HookPlan,
    project_root: &Path,
    programs: Option<&OsStr>,
) -> Result<(Command, String), HookFailure> {
    if hook.kind == "script" {
        return script(hook.config.get("command"), project_root, programs);
    }
    if !hook
        .kind
        .chars()
        .all(|char| char.is_alphanumeric() || "-_.".contains(char))
        || hook.kind.is_empty()
    {
        let reason = format!(
            "`{}` is not a valid hook type; expected letters, digits, `-`, `_` and `.`",
            hook.kind
        );
        return Err(HookFailure::Config(reason));
    }
    let program = format!("taskcat-hook-{}", hook.kind);
    Ok((process::command(&program, programs), program))
}

/// Parses `command` of a hook or a check: a string is run by the shell; a list is a program and its
/// arguments, without a shell.
pub(super) fn script(
    command: Option<&Value>,
    project_root: &Path,
    programs: Option<&OsStr>,
) -> Result<(Command, String), HookFailure> {
    let wrong = || {
        HookFailure::Config(
            "`config.command`: expected a string or a list of strings that isn't empty".into(),
        )
    };
    match command {
        Some(Value::String(line)) if !line.trim().is_empty() => {
            Ok((process::shell(line, programs), label(line)))
        }
        Some(Value::Array(words)) => {
            let word = |word: &Value| match word {
                Value::String(text) => Some(text.clone()),
                // `[sleep, 5]` in YAML means the string.
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let words: Vec<String> = words
                .iter()
                .map(word)
                .collect::<Option<_>>()
                .ok_or_else(wrong)?;
            let (program, arguments) = words
                .split_first()
                .filter(|(program, _)| !program.is_empty())
                .ok_or_else(wrong)?;
            // A path is relative to the project root; a plain name is searched on PATH.
            let found = if program.contains(std::path::is_separator) {
                project_root.join(program)
            } else {
                PathBuf::from(program)
            };
            let mut command = process::command(found, programs);
            command.args(arguments);
            Ok((command, label(&words.join(" "))))
        }
        _ => Err(wrong()),
    }
}

/// Returns the beginning of a command, to identify it.
fn label(command: &str) -> String {
    const LONGEST: usize = 60;
    let line = command.trim().lines().next().unwrap_or_default();
    let start: String = line.chars().take(LONGEST).collect();
    if start.len() < command.trim().len() {
        start + "…"
    } else {
        start
    }
}

/// The limit of a hook without its own; `run` limits it by `hook_timeout`, which is shorter.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn timeout(config: &Value) -> Result<Duration, HookFailure> {
    match config.get("timeout") {
        None | Some(Value::Null) => Ok(LONGEST),
        Some(seconds) => {
            let limit = seconds
                .as_f64()
                .filter(|seconds| *seconds > 0.0)
                .map(Duration::try_from_secs_f64);
            match limit {
                Some(Ok(limit)) => Ok(limit),
                _ => Err(HookFailure::Config(format!(
                    "`config.timeout` is {seconds}; it must be seconds above 0"
                ))),
            }
        }
    }
}

/// The JSON object on a hook's standard input.
struct HookMessage<'a> {
    hook: &'a HookPlan,
    input: &'a HookInput,
    project_root: &'a Path,
}

impl Serialize for HookMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            hook,
            input,
            project_root,
        } = self;
        let mut message = serializer.serialize_map(None)?;
        message.serialize_entry("stage", &input.stage)?;
        message.serialize_entry("type", &hook.kind)?;
        message.serialize_entry("config", &hook.config)?;
        message.serialize_entry("project", &input.project)?;
        message.serialize_entry("project_root", project_root)?;
        message.serialize_entry("test", &input.test)?;
        message.serialize_entry("region", &input.region)?;
        message.serialize_entry("account_id", &input.account_id)?;
        message.serialize_entry("stack_name", &input.stack_name)?;
        message.serialize_entry("stack_id", &input.stack_id)?;
        message.serialize_entry("status", &input.status)?;
        message.serialize_entry(
            "parameters",
            &JsonPairs(|| input.parameters.iter().map(|one| (&one.key, &one.value))),
        )?;
        let outputs = input.outputs.as_ref();
        let outputs =
            outputs.map(|outputs| JsonPairs(|| outputs.iter().map(|one| (&one.key, &one.value))));
        message.serialize_entry("outputs", &outputs)?;
        message.end()
    }
}

/// Serializes pairs as a JSON object, in their order.
struct JsonPairs<F>(F);

impl<'a, F: Fn() -> I, I: Iterator<Item = (&'a String, &'a String)>> Serialize for JsonPairs<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// Returns the output with secrets masked.
fn shown(finished: &FinishedProcess, input: &HookInput) -> HookOutput {
    let secrets = secrets(&input.parameters);
    HookOutput {
        stdout: secrets.mask(&finished.stdout.text()),
        stderr: secrets.mask(&finished.stderr.text()),
    }
}

/// Returns the secrets among parameters, in the forms in which a program may print them.
pub(super) fn secrets(parameters: &[PlannedParameter]) -> Secrets {
    let mut secrets: Vec<String> = Vec::new();
    for parameter in parameters
        .iter()
        .filter(|parameter| parameter.secret && !parameter.value.is_empty())
    {
        let value = parameter.value.as_str();
        // A hook that prints its input prints secrets in JSON notation.
        let quoted = Value::from(value).to_string();
        let in_json = quoted
            .strip_prefix('"')
            .and_then(|quoted| quoted.strip_suffix('"'))
            .unwrap_or(&quoted);
        // The kept output may contain only some lines of a multi-line key.
        let lines = value.lines().filter(|line| line.len() >= 8);
        secrets.extend([value, in_json].into_iter().chain(lines).map(str::to_owned));
    }
    Secrets::new(secrets)
}

/// Returns the last lines of stderr, or of stdout if stderr is empty.
pub(super) fn last_words(output: &HookOutput) -> String {
    let stream = if output.stderr.trim().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    process::indented(&last_lines(stream, 20))
}

fn singular(stage: HookStage) -> impl fmt::Display {
    match stage {
        HookStage::Prehooks => "prehook",
        HookStage::Posthooks => "posthook",
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    const SECRET: &str = "qu\"ux\\1";

    fn hook(kind: &str, config: Value) -> HookPlan {
        HookPlan {
            kind: kind.into(),
            config,
        }
    }

    fn input(stage: HookStage) -> HookInput {
        let parameter = |key: &str, value: &str, secret| PlannedParameter {
            key: key.into(),
            value: value.into(),
            secret,
        };
        let settled = stage == HookStage::Posthooks;
        let output = StackOutput {
            key: "Url".into(),
            value: "https://x".into(),
            description: None,
            export_name: None,
        };
        HookInput {
            stage,
            project: "demo".into(),
            test: "one".into(),
            region: "eu-west-1".into(),
            account_id: "123456789012".into(),
            stack_name: "tcat-demo-one".into(),
            stack_id: settled.then(|| {
                "arn:aws:cloudformation:eu-west-1:123456789012:stack/tcat-demo-one/1".into()
            }),
            status: settled.then_some(StackStatus::CreateComplete),
            parameters: vec![
                parameter("Zone", "a", false),
                parameter("Password", SECRET, true),
            ],
            outputs: settled.then(|| vec![output]),
        }
    }

    async fn run_script(config: Value) -> Result<HookOutput, String> {
        let folder = tempfile::tempdir().unwrap();
        let run = run(
            &hook("script", config),
            &input(HookStage::Prehooks),
            folder.path(),
            &[],
        )
        .await;
        run.map_err(|error| error.to_string())
    }

    const PREFIX: &str = "prehook `script` of stack tcat-demo-one in eu-west-1: ";

    #[tokio::test]
    async fn a_script_is_a_line_for_the_shell_or_a_program_with_arguments() {
        let check = async |config: Value, stdout: &str| {
            let output = run_script(config.clone()).await.unwrap();
            assert_eq!(
                output,
                HookOutput {
                    stdout: stdout.into(),
                    stderr: String::new()
                },
                "{config}"
            );
        };
        check(
            json!({"command": "cat > got; echo $((1 + 1)); ls"}),
            "2\ngot\n",
        )
        .await;
        check(
            json!({"command": ["echo", "$HOME", "a b", 5]}),
            "$HOME a b 5\n",
        )
        .await;
        check(
            json!({"command": "true", "timeout": 30, "own": {"key": 1}}),
            "",
        )
        .await;
        let output = run_script(json!({"command": "echo out; echo err >&2"}))
            .await
            .unwrap();
        assert_eq!(
            output,
            HookOutput {
                stdout: "out\n".into(),
                stderr: "err\n".into()
            }
        );
    }

    #[tokio::test]
    async fn failures_name_the_hook_and_the_reason() {
        let check = async |config: Value, message: &str| {
            assert_eq!(
                run_script(config.clone()).await.unwrap_err(),
                format!("{PREFIX}{message}"),
                "{config}"
            );
        };
        check(
            json!({"command": "echo no; echo why >&2; exit 3"}),
            "`echo no; echo why >&2; exit 3` exited with code 3:\n  why",
        )
        .await;
        check(
            json!({"command": "echo only; exit 1"}),
            "`echo only; exit 1` exited with code 1:\n  only",
        )
        .await;
        check(
            json!({"command": ["false", "x"]}),
            "`false x` exited with code 1",
        )
        .await;
        check(
            json!({"command": "kill -9 $$"}),
            "`kill -9 $$` was ended by signal 9",
        )
        .await;
        check(
            json!({"command": "echo on; sleep 60", "timeout": 0.2}),
            "`echo on; sleep 60` was killed after 0.2 s:\n  on",
        )
        .await;
        check(
            json!({"command": ["no-such-program"]}),
            "`no-such-program` was not found, or the interpreter that its first line names was not",
        )
        .await;
        check(
            json!({"command": ["./no-such-program"]}),
            "`./no-such-program` was not found, or the interpreter that its first line names was \
             not",
        )
        .await;
        let wrong = "`config.command`: expected a string or a list of strings that isn't empty";
        for command in [
            json!(null),
            json!(""),
            json!([]),
            json!([""]),
            json!(["a", true]),
            json!({"a": 1}),
        ] {
            check(json!({"command": command}), wrong).await;
        }
        check(json!({}), wrong).await;
        for timeout in [json!(0), json!(-1), json!("5"), json!(1e300)] {
            let message = format!("`config.timeout` is {timeout}; it must be seconds above 0");
            check(json!({"command": "true", "timeout": timeout}), &message).await;
        }
    }

    #[tokio::test]
    async fn the_last_lines_of_much_output_are_shown() {
        let error = run_script(json!({"command": "seq 1 100000 >&2\nexit 1"}))
            .await
            .unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 21);
        assert_eq!(
            (lines[0], lines[20]),
            (
                format!("{PREFIX}`seq 1 100000 >&2…` exited with code 1:").as_str(),
                "  100000"
            )
        );
    }

    fn programs(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            // Not written from here: a file open for writing in any process can't be executed, and
            // another test may fork now.
            let mut shell = std::process::Command::new("sh");
            shell
                .args(["-c", r#"printf %s "$1" > "$0"; chmod 755 "$0""#])
                .arg(folder.path().join(name))
                .arg(script);
            assert!(shell.status().unwrap().success());
        }
        folder
    }

    #[tokio::test]
    async fn other_types_are_programs_that_read_json() {
        let project = tempfile::tempdir().unwrap();
        let programs = programs(&[("taskcat-hook-check_1", "#!/bin/sh\n/bin/cat > got.json\n")]);
        let told = async |stage| {
            let hook = hook("check_1", json!({"z": 1, "a": [true]}));
            run_with(
                &hook,
                &input(stage),
                project.path(),
                &[],
                Some(programs.path().as_os_str()),
            )
            .await
            .unwrap();
            fs::read_to_string(project.path().join("got.json")).unwrap()
        };
        let before = json!({
            "stage": "prehooks", "type": "check_1", "config": {"z": 1, "a": [true]},
            "project": "demo", "project_root": project.path(), "test": "one", "region": "eu-west-1",
            "account_id": "123456789012", "stack_name": "tcat-demo-one", "stack_id": null,
            "status": null,
            "parameters": {"Zone": "a", "Password": SECRET}, "outputs": null,
        });
        assert_eq!(told(HookStage::Prehooks).await, before.to_string());
        let mut after = before;
        after["stage"] = json!("posthooks");
        after["stack_id"] =
            json!("arn:aws:cloudformation:eu-west-1:123456789012:stack/tcat-demo-one/1");
        after["status"] = json!("CREATE_COMPLETE");
        after["outputs"] = json!({"Url": "https://x"});
        assert_eq!(told(HookStage::Posthooks).await, after.to_string());
    }

    #[tokio::test]
    async fn a_program_that_cannot_run_is_named() {
        let project = tempfile::tempdir().unwrap();
        let programs = programs(&[
            ("taskcat-hook-odd", "#!/no/such/interpreter\n"),
            ("taskcat-hook-flat", ""),
        ]);
        fs::set_permissions(
            programs.path().join("taskcat-hook-flat"),
            Permissions::from_mode(0o644),
        )
        .unwrap();
        let check = async |kind: &str, message: &str| {
            let hook = hook(kind, json!({}));
            let input = input(HookStage::Posthooks);
            let run = run_with(
                &hook,
                &input,
                project.path(),
                &[],
                Some(programs.path().as_os_str()),
            )
            .await;
            let expected =
                format!("posthook `{kind}` of stack tcat-demo-one in eu-west-1: {message}");
            assert_eq!(run.unwrap_err().to_string(), expected);
        };
        let not_found = "was not found, or the interpreter that its first line names was not";
        check("none", &format!("`taskcat-hook-none` {not_found}")).await;
        check("odd", &format!("`taskcat-hook-odd` {not_found}")).await;
        check("flat", "cannot run `taskcat-hook-flat`: permission denied").await;
        check(
            "../x",
            "`../x` is not a valid hook type; expected letters, digits, `-`, `_` and `.`",
        )
        .await;
        check(
            "",
            "`` is not a valid hook type; expected letters, digits, `-`, `_` and `.`",
        )
        .await;
    }

    #[tokio::test]
    async fn secrets_are_masked_in_all_that_is_shown() {
        let output = run_script(json!({"command": "cat; cat >&2 <<'E'\nraw qu\"ux\\1 here\nE"}))
            .await
            .unwrap();
        assert_eq!(output.stderr, "raw **** here\n");
        let told: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(told["parameters"], json!({"Zone": "a", "Password": "****"}));
        let error = run_script(json!({"command": "cat >&2; exit 1"}))
            .await
            .unwrap_err();
        assert!(error.contains("****") && !error.contains("ux"), "{error}");
        assert!(!format!("{:?}", input(HookStage::Prehooks)).contains("ux"));
    }

    #[tokio::test]
    async fn lines_of_a_secret_are_masked_too() {
        let mut input = input(HookStage::Prehooks);
        input.parameters[1].value = "-----BEGIN-----\nabcdefghij\nshort\n".into();
        let hook = hook(
            "script",
            json!({"command": "echo got abcdefghij; echo short"}),
        );
        let running =
            tokio::spawn(async move { run(&hook, &input, &std::env::temp_dir(), &[]).await });
        let output = running.await.unwrap().unwrap();
        assert_eq!(output.stdout, "got ****\nshort\n");
    }
}
