//! A clock that is set back while a run goes on falsifies no duration.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;
use crate::taskcat::Taskcat;

/// As soon as a file is there, the system's time is an hour earlier. Other clocks go on as they
/// are.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    const char *jump = getenv("CLOCK_JUMP");
    if (result == 0 && clock == CLOCK_REALTIME && jump && access(jump, F_OK) == 0) at->tv_sec -= 3600;
    return result;
}
"#;

fn shim(project: &Project) -> PathBuf {
    let (source, library) = (
        project.home().join("clock.c"),
        project.home().join("clock.so"),
    );
    fs::write(&source, SHIM).unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status()
        .unwrap();
    assert!(status.success());
    library
}

#[cfg(target_os = "linux")]
#[test]
fn set_back_it_falsifies_no_duration() {
    let project = Project::copy_of("first-run");
    project.write("slow.yml", "resources: [{type: '*', takes: 2m}]\n");
    let jump = project.home().join("jump");
    let args = [
        "test",
        "run",
        "--local",
        "-l",
        "-t",
        "plain",
        "-r",
        "us-east-1",
        "--scenario",
        "slow.yml",
    ];
    let run = Taskcat::offline(&project)
        .args(args)
        .args(["--speed", "60"]);
    let mut run = run
        .env("LD_PRELOAD", shim(&project))
        .env("CLOCK_JUMP", &jump)
        .start();
    let events = project.path().join("taskcat_outputs/events.ndjson");
    run.wait_until("the stack is in progress", || {
        fs::read_to_string(&events)
            .unwrap_or_default()
            .contains("CREATE_IN_PROGRESS")
    });
    fs::write(&jump, "").unwrap();
    let outcome = run.wait();
    outcome.assert_code(0);
    let stamps: Vec<String> = outcome
        .events()
        .iter()
        .map(|it| it["at"].as_str().unwrap().to_owned())
        .collect();
    let at = |text: &String| text.parse::<jiff::Timestamp>().unwrap();
    assert!(
        stamps.windows(2).all(|pair| at(&pair[0]) <= at(&pair[1])),
        "{stamps:#?}"
    );
    let cell = outcome.cell("plain", "us-east-1");
    let took = cell["duration_seconds"].as_f64().unwrap();
    assert!(
        took > 1.0 && took <= outcome.elapsed.as_secs_f64() + 1.0,
        "{took}"
    );
    assert_no_negative(&outcome.report());
}

fn assert_no_negative(value: &Value) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            assert!(
                !key.ends_with("seconds") || value.as_f64().is_none_or(|it| it >= 0.0),
                "{key}: {value}"
            );
            assert_no_negative(value);
        }),
        Value::Array(items) => items.iter().for_each(assert_no_negative),
        _ => {}
    }
}
