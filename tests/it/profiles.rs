//! Files and environment as boto3 reads them: whom AWS is called as, in which region, and what is
//! said of a value that can't be meant.
//!
//! `tests/credentials/compare.py` compares many more cases with boto3.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::sources::home_file;
use crate::taskcat::{Outcome, Taskcat};

fn keys(id: &str) -> String {
    format!("aws_access_key_id = {id}\naws_secret_access_key = s3cr3t\n")
}

/// A user with files of his own, and AWS in place of which the simulator answers.
struct User {
    project: Project,
    proxy: Proxy,
    _server: Server,
}

impl User {
    fn with(config: impl AsRef<[u8]>, credentials: impl AsRef<[u8]>) -> Self {
        let server = Server::take(Kind::Simulator);
        let project = Project::empty("p");
        home_file(&project, ".aws/config", config);
        home_file(&project, ".aws/credentials", credentials);
        Self {
            project,
            proxy: Proxy::before(&server),
            _server: server,
        }
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
        let run = Taskcat::offline(&self.project).env("AWS_ENDPOINT_URL", self.proxy.endpoint());
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let outcome = run.args(arguments.iter().copied()).run();
        outcome
            .assert_silent_about("panicked")
            .assert_silent_about("s3cr3t");
        outcome
    }

    fn list(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
        let list = [arguments, &["test", "list", "-r", "us-east-1"]].concat();
        self.run(variables, &list)
    }

    /// The first call: its access key, or whatever else is recorded.
    fn first(&self, name: &str) -> Value {
        self.proxy.calls().0[0][name].clone()
    }
}

#[test]
fn aws_default_profile_selects_a_profile() {
    let credentials = format!("[default]\n{}[p]\n{}", keys("AKIADEFAULT"), keys("AKIAP"));
    for variable in ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"] {
        let user = User::with("", &credentials);
        user.list(&[(variable, "p")], &[]).assert_code(0);
        assert_eq!(user.first("key"), "AKIAP", "{variable}");
    }
    let user = User::with("", &credentials);
    let both = [("AWS_DEFAULT_PROFILE", "p"), ("AWS_PROFILE", "default")];
    user.list(&both, &[]).assert_code(0);
    assert_eq!(user.first("key"), "AKIAP");
}

#[test]
fn profiles_are_read_whatever_their_names_and_layout() {
    let check = |config: String, profile: &str| {
        let user = User::with(&config, "");
        user.list(&[], &["--profile", profile]).assert_code(0);
        assert_eq!(user.first("key"), "AKIAP", "{config}");
    };
    let own = keys("AKIAP");
    check(format!("[profile \"my own\"]\n{own}"), "my own");
    check(format!("[profile (it&me)]\n{own}"), "(it&me)");
    check(format!("[profile zürich]\n{own}"), "zürich");
    check(format!("[profile p]\n  {}", own.replace('\n', "\n  ")), "p");
    check(format!("[profile p]\n{}", own.replace(" =", ":")), "p");
    check(format!("[profile p]\n{own}   # a comment\n"), "p");
    check(
        format!("\u{feff}[profile p]\r\n{}", own.replace('\n', "\r\n")),
        "p",
    );
}

/// What can't be meant is named by variable, or file and line, before anything is called.
#[test]
fn a_value_that_cannot_be_meant_is_named_with_its_place() {
    let check = |config: &[u8], variables: &[(&str, &str)], said: &[&str]| {
        let user = User::with(config, format!("[default]\n{}", keys("AKIAP")));
        let outcome = user.list(variables, &[]);
        outcome.assert_code(3);
        said.iter().for_each(|text| _ = outcome.assert_says(text));
        outcome.assert_says_once("error:");
        assert_eq!(user.proxy.calls().0.len(), 0);
    };
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIA\r"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
    ];
    check(b"", &key, &["AWS_ACCESS_KEY_ID", "`\\r`"]);
    check(
        b"",
        &[("AWS_REGION", "eu-west-1\r")],
        &["AWS_REGION", "`eu-west-1\\r`"],
    );
    let region = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "")];
    let quoted = b"[default]\nregion = \"eu-west-1\"\n";
    check(
        quoted,
        &region,
        &[".aws/config:2", "remove the quotes: eu-west-1"],
    );
    check(
        b"[default]\nregion\n",
        &[],
        &[".aws/config:2", "expected `key = value`"],
    );
    check(b"[profile z\xfcrich]\n", &[], &[".aws/config:1", "UTF-8"]);
    check(b"\xff\xfe[\0a\0]\0", &[], &[".aws/config:1", "UTF-16"]);
    let token = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
    ];
    check(b"", &token, &["/no/token", "AWS_WEB_IDENTITY_TOKEN_FILE"]);
}

#[test]
fn a_profile_that_does_not_exist_is_named_with_the_nearest() {
    let check = |variables: &[(&str, &str)], arguments: &[&str], said: &[&str]| {
        let config = "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = \
             bas\n";
        let user = User::with(config, format!("[base]\n{}", keys("AKIAP")));
        let outcome = user.list(variables, arguments);
        outcome.assert_code(3).assert_says("did you mean `base`?");
        said.iter().for_each(|text| _ = outcome.assert_says(text));
        assert_eq!(user.proxy.calls().0.len(), 0);
    };
    check(
        &[],
        &["--profile", "bass"],
        &["`bass`", ".aws/config", ".aws/credentials"],
    );
    check(&[("AWS_PROFILE", "bass")], &[], &["`bass`", "AWS_PROFILE"]);
    check(&[], &["--profile", "r"], &["`bas`", ".aws/config:3"]);
}

/// Nothing was searched, so that nobody knows what is left.
#[test]
fn a_search_without_credentials_is_not_an_empty_result() {
    let user = User::with("", "");
    for arguments in [
        &["test", "list", "-r", "us-east-1"][..],
        &["test", "clean", "ALL", "--yes", "-r", "us-east-1"],
        &[
            "test",
            "clean",
            "ALL",
            "--yes",
            "-r",
            "us-east-1,eu-west-1",
            "--profile",
            "nope",
        ],
    ] {
        let outcome = user.run(&[], arguments);
        outcome.assert_code(3).assert_silent_about("0 stacks");
        outcome.assert_says_once("error:");
    }
    assert_eq!(user.proxy.calls().0.len(), 0);
}

#[test]
fn keys_take_precedence_over_a_process_in_the_same_profile() {
    let user = User::with(
        "[profile p]\ncredential_process = false\n",
        format!("[p]\n{}", keys("AKIAP")),
    );
    user.list(&[], &["--profile", "p"]).assert_code(0);
    assert_eq!(user.first("key"), "AKIAP");
}

/// us-east-1 of the environment is no region of China.
#[test]
fn sts_is_called_in_the_partition_of_the_profile() {
    let check = |partition: &str, region: &str| {
        let config = format!(
            "[profile r]\nrole_arn = arn:{partition}:iam::123456789012:role/r\nsource_profile = \
             base\nduration_seconds = 7200\n"
        );
        let user = User::with(config, format!("[base]\n{}", keys("AKIAP")));
        user.run(&[], &["--profile", "r", "test", "list"]);
        assert_eq!(user.first("action"), "AssumeRole");
        assert_eq!(user.first("region"), region);
        assert_eq!(user.first("form")["DurationSeconds"], "7200");
    };
    check("aws-cn", "cn-north-1");
    check("aws-us-gov", "us-gov-west-1");
    check("aws", "us-east-1");
}
