//! Checks by a program of the user's.

use serde_json::Value;

use super::{CheckFailure, Checked, CheckedStack};
use crate::event::CheckResult;
use crate::input;
use crate::launch::hook::{self, HookOutput};
use crate::plan::CheckPlan;
use crate::process;

/// Runs the program in the project root; it must exit with code 0. Outputs are passed in the
/// environment, which other users of the machine can't read, unlike arguments. Secrets are masked
/// in what it prints. At the check's limit, and if the future is dropped, it is killed with its
/// children.
pub(super) async fn check(command: &Value, plan: &CheckPlan, stack: &CheckedStack<'_>) -> Checked {
    // The folder of a relative program would otherwise be applied twice.
    let root = std::path::absolute(stack.project_root);
    let root = root.unwrap_or_else(|_| stack.project_root.to_owned());
    let parsed = hook::script(Some(command), &root, None);
    let (mut program, label) = parsed.map_err(|error| CheckFailure::new(error.to_string()))?;
    program.current_dir(&root);
    for (name, value) in stack.environment {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    program.envs([
        ("TASKCAT_TEST", &*stack.cell.test),
        ("TASKCAT_REGION", &*stack.cell.region),
        ("TASKCAT_STACK_NAME", stack.stack_name),
        ("TASKCAT_STACK_ID", stack.stack_id),
    ]);
    for output in stack.outputs {
        program.env(format!("TASKCAT_OUTPUT_{}", output.key), &output.value);
    }
    let ran = process::run(program, Vec::new(), plan.timeout).await;
    let finished = ran.map_err(|error| {
        CheckFailure::new(format!("cannot run `{label}`: {}", input::reason(&error)))
    })?;
    if finished.end.is_success() {
        return Ok(CheckResult::Passed);
    }
    let secrets = hook::secrets(stack.parameters);
    let output = HookOutput {
        stdout: secrets.mask(&finished.stdout.text()),
        stderr: secrets.mask(&finished.stderr.text()),
    };
    let end = finished.end.to_string();
    Err(CheckFailure {
        reason: format!("`{label}` {end}{}", hook::last_words(&output)),
        expected: Some("exit code 0".to_owned()),
        found: Some(end),
    })
}
