//! No secret appears in anything that is written or printed: NoEcho values, generated passwords,
//! fetched secrets.

use crate::project::Project;
use crate::proxy::{Proxy, form_list};
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

tests_on!(all: #[ignore = "needs pip; run tests/run.sh"] generated_passwords, a_fetched_secret, a_secret_in_a_reason);

/// Everything that the run left on this machine: both streams, every file in the project, reports
/// and journal included.
#[track_caller]
fn assert_nowhere(secrets: &[String], outcome: &Outcome, project: &Project) {
    let mut written = vec![
        ("stdout".to_owned(), outcome.stdout.clone()),
        ("stderr".to_owned(), outcome.stderr.clone()),
    ];
    for file in project.files("") {
        let bytes = std::fs::read(project.path().join(&file)).unwrap();
        written.push((file, String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(written.iter().any(|(name, _)| name.ends_with("index.html")));
    for secret in secrets {
        assert!(secret.len() > 6, "{secret:?} would be found by chance");
        for (name, text) in &written {
            assert!(!text.contains(secret.as_str()), "{name} contains a secret");
        }
    }
}

fn generated_passwords(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("sample");
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .with_python_tools()
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    let mut secrets = Vec::new();
    for launch in proxy.calls().of("CreateStack") {
        for [key, value] in form_list(
            launch,
            "Parameters.member",
            ["ParameterKey", "ParameterValue"],
        ) {
            if key.ends_with("Password") && !value.is_empty() {
                secrets.push(value);
            }
        }
    }
    // Three of each cell of `full`, one of each cell of `minimal`.
    assert_eq!(secrets.len(), 12);
    assert_nowhere(&secrets, &outcome, &project);
    let shown = &outcome.cell("full", "eu-west-1")["parameters"];
    let shown = shown
        .as_array()
        .unwrap()
        .iter()
        .find(|parameter| parameter["key"] == "AdminPassword")
        .unwrap();
    assert_eq!(shown["value"], "****");
}

fn a_fetched_secret(kind: Kind) {
    let server = Server::take(kind);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("pseudo-parameters");
    git(
        &project,
        &["init", "--quiet", "--initial-branch", "feature/orders"],
    );
    let secret = "correct-horse-battery";
    server.given(&["secret", "us-east-1", "sample-secret", secret]);
    server.given(&["parameter", "us-east-1", "/sample/setting", "from-ssm"]);
    server.given(&["bucket", "sample-licenses", "eu-west-1"]);
    server.given(&[
        "object",
        "sample-licenses",
        "product/license.txt",
        "  licensed to nobody\n",
    ]);
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(0);
    assert_nowhere(&[secret.to_owned()], &outcome, &project);

    let calls = proxy.calls();
    let sent = form_list(
        calls.of("CreateStack")[0],
        "Parameters.member",
        ["ParameterKey", "ParameterValue"],
    );
    let value = |key: &str| sent.iter().find(|[name, _]| name == key).unwrap()[1].as_str();
    let account = kind.account_id();
    assert_eq!(value("FromSecretsManager"), secret);
    assert_eq!(value("FromSsm"), "from-ssm");
    assert_eq!(value("FromLicense"), "licensed to nobody");
    assert_eq!(
        value("Branch"),
        "orders",
        "TaskCat takes what follows the last slash"
    );
    assert_eq!(value("Account"), account);
    assert_eq!(value("Partition"), "aws");
    assert_eq!(
        value("Inside"),
        format!("arn:aws:iam::{account}:role/asked-us-east-1")
    );
    let url = value("Presigned");
    assert!(
        url.contains("/sample-licenses/product/license.txt?") && url.contains("X-Amz-Expires=600"),
        "{url}"
    );
    assert!(
        url.contains("%2Feu-west-1%2Fs3%2Faws4_request"),
        "not signed for the bucket's region: {url}"
    );
}

/// All servers repeat the name that they refuse, and the name is a secret here.
fn a_secret_in_a_reason(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("undeclared-parameter");
    project.write(
        "templates/topic.template.yaml",
        "Parameters:\n  DisplayName: {Type: String}\n  Token: {Type: String, NoEcho: true}\n\
         Resources:\n  Setting:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: !Sub \
         /aws/${Token}\n      \
         Type: String\n      Value: !Ref DisplayName\n",
    );
    project.replace(
        ".taskcat.yml",
        "DisplayNmae: ordres",
        "Token: $[taskcat_genpass_20A]",
    );
    let proxy = Proxy::before(&server);
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome
        .assert_code(1)
        .assert_says("No access to reserved parameter name");
    let calls = proxy.calls();
    let sent = form_list(
        calls.of("CreateStack")[0],
        "Parameters.member",
        ["ParameterKey", "ParameterValue"],
    );
    let token = sent.into_iter().find(|[name, _]| name == "Token").unwrap()[1].clone();
    assert_nowhere(&[token], &outcome, &project);
}

fn git(project: &Project, args: &[&str]) {
    let status = std::process::Command::new("git")
        .current_dir(project.path())
        .args(args)
        .status()
        .unwrap();
    assert!(status.success());
}
