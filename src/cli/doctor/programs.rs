//! The programs of this machine that the project needs.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::error::ExitStatus;
use super::super::project::CliProject;
use super::check::DoctorCheck;
use crate::config::HookData;
use crate::launch::hook;
use crate::package::{self, BuildMethod, PackageSelection};
use crate::plan::HookPlan;

/// Time limit for the answer of a container engine.
const LIMIT: Duration = Duration::from_secs(20);

const IMAGES: &str = "install docker, podman, finch or nerdctl and start it, or pass \
                      --container-cli to `test run`";

/// Returns the results, of what the project needs.
pub(super) async fn results(project: Option<&CliProject>) -> Vec<DoctorCheck> {
    let mut results = vec![git()];
    if find("cfn-lint").is_some() {
        let text = "found, for `taskcat lint --engine cfn-lint`";
        results.push(DoctorCheck::new("cfn-lint", text));
    }
    let Some(project) = project else {
        return results;
    };
    if project.loaded.config.project.package_lambda != Some(false) {
        let request = project.package_request(PackageSelection::default());
        let methods = package::methods(&request);
        if methods.contains(&BuildMethod::Docker) {
            results.push(container(&request).await);
        }
        if methods.contains(&BuildMethod::Pip) {
            results.push(pip());
        }
    }
    results.extend(hooks(project));
    results
}

/// Searches PATH for a program.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|it| it.join(format!("{program}{}", env::consts::EXE_SUFFIX)))
        .find(|it| it.is_file())
}

fn git() -> DoctorCheck {
    match find("git") {
        Some(path) => DoctorCheck::new("git", path.display().to_string()),
        None => DoctorCheck::new("git", "not found on PATH").warning(
            "`git` was not found on PATH",
            "install Git to use --changed-since, `update_from.git_ref`, `package --from-ref` or \
             `deploy run` with a URL",
        ),
    }
}

async fn container(request: &package::PackageRequest) -> DoctorCheck {
    let found = tokio::time::timeout(LIMIT, package::container_program(request)).await;
    match found {
        Ok(Some((program, true))) => {
            DoctorCheck::new("container", program.to_string_lossy().into_owned())
        }
        Ok(Some((program, false))) => {
            let program = program.to_string_lossy();
            DoctorCheck::new("container", format!("{program} does not answer")).error(
                ExitStatus::Failed,
                format!("`{program} version` fails: images of Lambda functions cannot be built"),
                IMAGES,
            )
        }
        Ok(None) => DoctorCheck::new("container", "no program found on PATH").error(
            ExitStatus::Failed,
            "a Lambda function has a Dockerfile, but there is no program to build images with",
            IMAGES,
        ),
        Err(_) => DoctorCheck::not_checked("container", "no answer within 20 s").error(
            ExitStatus::Failed,
            "the container engine does not answer: images of Lambda functions cannot be built",
            IMAGES,
        ),
    }
}

fn pip() -> DoctorCheck {
    let found = ["pip3", "pip", "python3"].into_iter().find_map(find);
    match found {
        Some(path) => DoctorCheck::new("pip", path.display().to_string()),
        None => DoctorCheck::new("pip", "not found on PATH").error(
            ExitStatus::Failed,
            "a Lambda function has a requirements.txt, but neither `pip3`, `pip` nor `python3` \
             was found on PATH",
            "install Python with pip",
        ),
    }
}

/// Checks every hook, whose test would fail without it.
fn hooks(project: &CliProject) -> Option<DoctorCheck> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut count = 0;
    let mut problems = Vec::new();
    for (test, settings) in &project.loaded.config.tests {
        let stages = [
            ("prehooks", &settings.prehooks),
            ("posthooks", &settings.posthooks),
        ];
        for (stage, data) in stages {
            for (index, data) in data.iter().flatten().enumerate() {
                count += 1;
                let place = format!("tests.{test}.{stage}.{index}");
                let at = project.loaded.location(&place);
                let at = at.map(|it| format!(" ({it})")).unwrap_or_default();
                let why = hook_problem(data, &project.root, &path);
                problems.extend(why.map(|why| format!("a hook of test {test} fails{at}: {why}")));
            }
        }
    }
    let text = match problems.len() {
        0 => format!("{count} found"),
        missing => format!("{} of {count} found", count - missing),
    };
    let result = problems
        .into_iter()
        .fold(DoctorCheck::new("hooks", text), |result, problem| {
            let help = "install the program, or correct the hook";
            result.error(ExitStatus::Failed, problem, help)
        });
    (count > 0).then_some(result)
}

fn hook_problem(data: &HookData, root: &Path, path: &OsStr) -> Option<String> {
    let plan = HookPlan {
        kind: data.kind.clone()?,
        config: serde_json::Value::Object(data.config.clone().unwrap_or_default()),
    };
    if let Err(failure) = hook::check(&plan, root, Some(path)) {
        return Some(failure.to_string());
    }
    if plan.kind != "script" {
        return None;
    }
    let command = plan.config.get("command")?;
    let first = match command {
        serde_json::Value::Array(words) => words.first()?.as_str()?,
        // A shell decides what other lines mean.
        line => line.as_str()?.split_whitespace().next()?,
    };
    missing_program(first, root)
}

/// Returns what is missing to run a program by its name on PATH or its path in the project. Names
/// without a path may be the shell's own, unless they are an interpreter's.
fn missing_program(program: &str, root: &Path) -> Option<String> {
    if !program.contains('/') {
        let is_interpreter = ["python", "python3", "node", "ruby", "perl", "pwsh"];
        let is_missing = is_interpreter.contains(&program) && find(program).is_none();
        return is_missing.then(|| format!("`{program}` was not found on PATH"));
    }
    let is_plain = program
        .chars()
        .all(|char| char.is_alphanumeric() || "-_./".contains(char));
    if !is_plain {
        return None;
    }
    let file = root.join(program);
    let Ok(text) = fs::read(&file) else {
        return Some(format!("`{program}` cannot be read"));
    };
    let line = text.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("#!")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_missing = match words[..] {
        [env, .., interpreter] if env.ends_with("/env") => find(interpreter).is_none(),
        [interpreter, ..] => !Path::new(interpreter).is_file(),
        [] => false,
    };
    is_missing.then(|| format!("the interpreter of `{program}`, `{line}`, was not found"))
}
