//! The example of docs/pytest.md runs, and fails where a stack isn't as its tests say.

use std::path::Path;

use crate::project::Project;
use crate::servers::venv;
use crate::taskcat::{Outcome, Taskcat};

/// Runs pytest with the program under test on PATH, in the simulator.
fn pytest(project: &Project) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_taskcat")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    Taskcat::program(venv("pytest").join("bin/pytest"), project)
        .env("PATH", std::env::join_paths(path).unwrap())
        .args(["-p", "no:cacheprovider", "--taskcat-args=--local"])
        .run()
}

#[test]
#[ignore = "needs Python's pytest; run tests/run.sh"]
fn pytest_looks_at_the_stacks_of_a_run() {
    let project = Project::copy_of("pytest");
    let outcome = pytest(&project);
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("6 passed"), "{}", outcome.stdout);

    project.replace(".taskcat.yml", "RetentionDays: 3", "RetentionDays: 5");
    let outcome = pytest(&project);
    outcome.assert_code(1);
    let said = &outcome.stdout;
    assert!(
        said.contains("test_messages_are_kept_for_three_days"),
        "{said}"
    );
    assert!(said.contains("1 failed, 5 passed"), "{said}");

    // One that cannot be launched fails its tests alone.
    project.replace(".taskcat.yml", "RetentionDays: 5", "RetentionDays: 15");
    let outcome = pytest(&project);
    outcome.assert_code(1);
    assert!(outcome.stdout.contains("failed"), "{}", outcome.stdout);
}
