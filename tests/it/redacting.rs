//! `--redact` masks account ids and bucket names in whatever a run prints, not only in its reports.

use crate::project::Project;
use crate::taskcat::{Outcome, Taskcat};

const ACCOUNT: &str = "123456789012";

#[track_caller]
fn assert_masked(outcome: &Outcome, secrets: &[&str]) {
    let files = outcome.outputs();
    let printed = [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)];
    for (name, text) in printed
        .into_iter()
        .chain(files.iter().map(|(name, text)| (name.as_str(), text)))
    {
        for secret in secrets {
            assert!(!text.contains(secret), "{name} shows {secret}:\n{text}");
        }
    }
}

#[test]
fn the_log_and_the_errors_before_the_run_are_masked() {
    let project = Project::copy_of("first-run");
    let run = || {
        Taskcat::offline(&project).args([
            "--debug", "test", "run", "--local", "-l", "-t", "plain", "--redact",
        ])
    };
    let outcome = run().run();
    outcome.assert_code(0).assert_says("CreateStack");
    let buckets: Vec<String> = outcome.report()["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["bucket"].to_string())
        .collect();
    assert!(
        buckets.iter().all(|bucket| bucket.starts_with("\"bucket-")),
        "{buckets:?}"
    );
    assert_masked(&outcome, &[ACCOUNT]);
    assert!(
        !outcome.stderr.contains("tcat-"),
        "a bucket's name is shown:\n{}",
        outcome.stderr
    );

    // Nobody is allowed anything; the error names the account.
    project.write("denied.yml", "calls: [{service: sts, fault: deny}]\n");
    let outcome = run().args(["--scenario", "denied.yml"]).run();
    outcome.assert_code(3);
    assert_masked(&outcome, &[ACCOUNT]);

    // A configuration that is wrong is shown with its lines.
    let text =
        format!("project: {{s3_bucket: the-secret-bucket, nme: arn:aws:iam::{ACCOUNT}:role/x}}\n");
    project.write(".taskcat.yml", &text);
    let outcome = run().run();
    outcome.assert_code(2).assert_says("nme");
    assert_masked(&outcome, &[ACCOUNT, "the-secret-bucket"]);

    // Arguments that are wrong are shown, too.
    let outcome = run().args(["--arn", ACCOUNT, ACCOUNT]).run();
    outcome.assert_code(2);
    assert_masked(&outcome, &[ACCOUNT]);
}
