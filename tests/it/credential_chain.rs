//! Which source credentials come from, what it is asked, and what it never gets to see.
//!
//! `tests/credentials/compare.py` compares many more cases with boto3.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::Project;
use crate::sources::{Sources, home_file};
use crate::taskcat::{Outcome, Taskcat};
use crate::terminal::on_terminal;

const ROLE: &str =
    "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
const BASE: &str = "[base]\naws_access_key_id = AKIAbase\naws_secret_access_key = s3cr3t\n";

fn list(run: Taskcat) -> Outcome {
    run.args(["test", "list", "-r", "us-east-1"]).run()
}

/// A proxy could answer with credentials of its own.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn metadata_is_never_asked_for_through_a_proxy() {
    let fake = Sources::start();
    let project = Project::empty("p");
    let through_proxy = |fake: &Sources| fake.as_aws(&project).env_remove("NO_PROXY");
    let container = format!("{}/container", fake.url());
    list(through_proxy(&fake).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", container)).assert_code(0);
    assert_eq!(
        fake.calls()[..2],
        [
            "GET /container",
            "GetCallerIdentity ASIAcontainer token-container proxy"
        ]
    );

    for (version, calls) in [("imds", 3), ("imds-v1", 3)] {
        let fake = Sources::start();
        let run = through_proxy(&fake).env_remove("AWS_EC2_METADATA_DISABLED");
        list(run.env(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            format!("{}/{version}", fake.url()),
        ))
        .assert_code(0);
        assert_eq!(
            fake.calls()[calls],
            "GetCallerIdentity ASIAinstance token-instance proxy",
            "{:?}",
            fake.calls()
        );
        assert!(
            fake.calls()[..calls]
                .iter()
                .all(|call| !call.contains("proxy")),
            "{:?}",
            fake.calls()
        );
    }
}

/// How long, and how often, is the user's choice.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_metadata_service_is_waited_for_as_the_user_says() {
    let project = Project::empty("p");
    let run = |fake: &Sources, path: &str, variable: &str, value: &str| {
        let endpoint = format!("{}/{path}", fake.url());
        list(
            fake.as_aws(&project)
                .env_remove("AWS_EC2_METADATA_DISABLED")
                .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
                .env(variable, value),
        )
    };
    let fake = Sources::start();
    run(&fake, "slow/imds", "AWS_METADATA_SERVICE_TIMEOUT", "10").assert_code(0);
    let fake = Sources::start();
    run(
        &fake,
        "unavailable",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
        "3",
    )
    .assert_code(3);
    let tokens = fake.calls();
    let tokens = tokens.iter().filter(|call| call.starts_with("PUT "));
    assert_eq!(tokens.count(), 3);
}

/// A start URL that is repeated in the profile, and times as the AWS CLI has written them.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn an_sso_session_is_read_as_the_aws_cli_writes_it() {
    // Named by the SHA-1 of `s`.
    let cache = ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json";
    let config = "[profile p]\nsso_session = s\nsso_start_url = https://s\nsso_account_id = \
         123456789012\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://s\nsso_region = \
         us-east-1\n";
    let check = |expires_at: &str, code: i32| {
        let fake = Sources::start();
        let project = Project::empty("p");
        home_file(&project, ".aws/config", config);
        let token = serde_json::json!({"accessToken": "open", "expiresAt": expires_at});
        home_file(&project, cache, token.to_string());
        let outcome = list(fake.as_aws(&project).args(["--profile", "p"]));
        outcome.assert_code(code);
        (outcome, fake.calls())
    };
    for expires_at in ["2099-01-01T00:00:00UTC", "2099-01-01T00:00:00Z"] {
        let (_, calls) = check(expires_at, 0);
        let expected = [
            "GET /federation/credentials",
            "GetCallerIdentity ASIAsso token-sso",
        ];
        assert_eq!(calls[..2], expected, "{expires_at}");
    }
    let (outcome, calls) = check("2020-01-01T00:00:00UTC", 3);
    outcome.assert_says("`aws sso login --profile p`");
    assert_eq!(calls, [""; 0]);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_process_is_run_without_a_shell() {
    let fake = Sources::start();
    let project = Project::empty("p");
    let answer = r#"{"Version": 1, "AccessKeyId": "AKIAprocess", "SecretAccessKey": "s3cr3t"}"#;
    home_file(&project, "answer", answer);
    let answer = project.home().join("answer");
    let check = |command: &str, code: i32| {
        home_file(
            &project,
            ".aws/config",
            format!("[profile p]\ncredential_process = {command}\n"),
        );
        let outcome = list(fake.as_aws(&project).args(["--profile", "p"]));
        outcome.assert_code(code).assert_silent_about("s3cr3t");
        outcome
    };
    check(&format!("cat '{}'", answer.display()), 0);
    assert_eq!(fake.calls()[0], "GetCallerIdentity AKIAprocess");
    let made = project.home().join("made");
    check(
        &format!("cat {} ;touch {}", answer.display(), made.display()),
        3,
    )
    .assert_says(".aws/config:2");
    check(&format!("echo; touch {} | cat", made.display()), 3);
    check(&format!("$(touch {})", made.display()), 3).assert_says("without a shell");
    assert!(!made.exists(), "a shell has run");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn credentials_that_have_expired_are_not_used() {
    let fake = Sources::start();
    let project = Project::empty("p");
    let answer = r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}"#;
    home_file(&project, "answer", answer);
    let answer = project.home().join("answer");
    let config = format!(
        "[profile p]\ncredential_process = cat {}\n",
        answer.display()
    );
    home_file(&project, ".aws/config", config);
    let outcome = list(fake.as_aws(&project).args(["--profile", "p"]));
    outcome
        .assert_code(3)
        .assert_says("expired at 2020-01-01T00:00:00Z")
        .assert_says(".aws/config:2");
    assert_eq!(fake.calls(), [""; 0]);
}

/// Keys without their token belong to nobody.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn keys_are_sent_with_their_token_whatever_its_name() {
    let project = Project::empty("p");
    home_file(
        &project,
        ".aws/credentials",
        "[p]\naws_access_key_id = AKIAp\naws_secret_access_key = s3cr3t\naws_security_token = \
         old\n",
    );
    let fake = Sources::start();
    list(fake.as_aws(&project).args(["--profile", "p"])).assert_code(0);
    assert_eq!(fake.calls()[0], "GetCallerIdentity AKIAp old");
    let fake = Sources::start();
    let run = fake
        .as_aws(&project)
        .env("AWS_ACCESS_KEY_ID", "AKIAenv")
        .env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    list(run.env("AWS_SECURITY_TOKEN", "old")).assert_code(0);
    assert_eq!(fake.calls()[0], "GetCallerIdentity AKIAenv old");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn an_explicit_default_is_that_of_the_files() {
    let project = Project::copy_of("undeclared-parameter");
    home_file(
        &project,
        ".aws/credentials",
        "[default]\naws_access_key_id = AKIAfile\naws_secret_access_key = s3cr3t\n",
    );
    let check = |arguments: &[&str], expected: &str| {
        let fake = Sources::start();
        let run = fake
            .as_aws(&project)
            .env("AWS_ACCESS_KEY_ID", "AKIAenv")
            .env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
        run.args(arguments.iter().copied()).run();
        assert_eq!(
            fake.calls()[0],
            format!("GetCallerIdentity {expected}"),
            "{arguments:?}"
        );
    };
    check(&["test", "list", "-r", "us-east-1"], "AKIAenv");
    check(
        &["--profile", "default", "test", "list", "-r", "us-east-1"],
        "AKIAfile",
    );
    check(
        &["test", "list", "-r", "us-east-1", "-a", "default"],
        "AKIAfile",
    );
    check(&["test", "run", "-l"], "AKIAenv");
    check(&["--profile", "default", "test", "run", "-l"], "AKIAfile");
}

/// One error for one cause, however many regions are affected.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_role_that_cannot_be_assumed_is_one_error_in_plain_words() {
    let fake = Sources::start();
    let project = Project::copy_of("ten-regions");
    home_file(
        &project,
        ".aws/config",
        ROLE.replace("role/r", "role/denied"),
    );
    home_file(&project, ".aws/credentials", BASE);
    for arguments in [
        &["test", "run", "-l"][..],
        &["test", "clean", "ALL", "--yes", "-r", "us-east-1,eu-west-1"],
    ] {
        let outcome = fake
            .as_aws(&project)
            .args(["--profile", "r"])
            .args(arguments.iter().copied())
            .run();
        outcome
            .assert_code(3)
            .assert_says("AccessDenied: not authorized")
            .assert_says(".aws/config:2");
        outcome
            .assert_silent_about("Error {")
            .assert_silent_about("already taken");
        outcome.assert_says_once("AccessDenied");
    }
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn mfa_asks_once_and_keeps_the_session_for_its_owner() {
    let fake = Sources::start();
    let project = Project::empty("p");
    home_file(
        &project,
        ".aws/config",
        format!("{ROLE}mfa_serial = arn:aws:iam::123456789012:mfa/m\n"),
    );
    home_file(&project, ".aws/credentials", BASE);
    let run = || fake.as_aws(&project).args(["--profile", "r"]);
    list(run())
        .assert_code(3)
        .assert_says("needs an MFA code")
        .assert_says("--mfa-code");
    assert_eq!(fake.calls(), [""; 0]);
    list(run().args(["--mfa-code", "123456"])).assert_code(0);
    assert_eq!(fake.raw()[0]["form"]["TokenCode"], "123456");
    assert_eq!(
        fake.raw()[0]["form"]["SerialNumber"],
        "arn:aws:iam::123456789012:mfa/m"
    );
    let cache: Vec<_> = fs::read_dir(project.home().join(".aws/cli/cache"))
        .unwrap()
        .map(|it| it.unwrap())
        .collect();
    assert_eq!(cache.len(), 1);
    assert_eq!(
        cache[0].metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    // The session is open.
    list(run()).assert_code(0);
    assert_eq!(
        fake.calls()
            .iter()
            .filter(|call| call.starts_with("AssumeRole"))
            .count(),
        1
    );
}

/// With a key that is bound to the session; the new one is kept for the next run and for the AWS
/// CLI.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_login_session_is_renewed() {
    use sha2::{Digest, Sha256};
    let fake = Sources::start();
    let project = Project::empty("p");
    let session = "arn:aws:iam::123456789012:user/u";
    let name: String = Sha256::digest(session)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let token = |refresh: &str| {
        serde_json::json!({
            "accessToken": {"accessKeyId": "ASIAold", "secretAccessKey": "s3cr3t", "sessionToken": "old",
                            "accountId": "123456789012", "expiresAt": "2020-01-01T00:00:00Z"},
            "clientId": "arn:aws:signin:::devtools/same-device", "refreshToken": refresh,
            "dpopKey": include_str!("../../fixtures/login/session-key.pem"), "tokenType": "aws_sigv4",
        })
        .to_string()
    };
    home_file(
        &project,
        ".aws/config",
        format!("[profile l]\nlogin_session = {session}\n"),
    );
    let path = format!(".aws/login/cache/{name}.json");
    home_file(&project, &path, token("refresh"));
    list(fake.as_aws(&project).args(["--profile", "l"])).assert_code(0);
    assert_eq!(
        fake.calls()[..2],
        ["POST /v1/token", "GetCallerIdentity ASIAlogin token-login"]
    );
    assert!(
        fake.raw()[0]["headers"]["dpop"]
            .as_str()
            .unwrap()
            .split('.')
            .count()
            == 3
    );
    assert!(
        fs::read_to_string(project.home().join(&path))
            .unwrap()
            .contains("refresh-2")
    );
    home_file(&project, &path, token("ended"));
    let outcome = list(fake.as_aws(&project).args(["--profile", "l"]));
    outcome
        .assert_code(3)
        .assert_says("has expired")
        .assert_says("`aws login --profile l`");
}

/// The question is on the terminal, and asked once for all regions.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn mfa_is_asked_for_on_a_terminal() {
    let fake = Sources::start();
    let project = Project::empty("p");
    home_file(
        &project,
        ".aws/config",
        format!("{ROLE}mfa_serial = arn:aws:iam::123456789012:mfa/m\n"),
    );
    home_file(&project, ".aws/credentials", BASE);
    let home = project.home();
    let url = fake.url();
    let variables = [
        ("HOME", home.to_str().unwrap()),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_REGION", "us-east-1"),
    ];
    let args = [
        "--profile",
        "r",
        "test",
        "list",
        "-r",
        "us-east-1,eu-west-1",
    ];
    let actions = [
        "wait=Enter MFA code for arn:aws:iam::123456789012:mfa/m: ",
        "type=123456\n",
    ];
    let end = on_terminal(&project, "24x120", &variables, &args, &actions);
    assert_eq!(end["code"], 0, "{end:#}");
    assert_eq!(fake.raw()[0]["form"]["TokenCode"], "123456");
    assert_eq!(
        fake.calls()
            .iter()
            .filter(|call| call.starts_with("AssumeRole"))
            .count(),
        1
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_doctor_says_what_decides() {
    let fake = Sources::start();
    let project = Project::empty("p");
    home_file(
        &project,
        ".aws/config",
        format!("{ROLE}region = eu-west-1\n"),
    );
    home_file(&project, ".aws/credentials", BASE);
    let doctor = |profile: &str| {
        fake.as_aws(&project)
            .env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION")
            .args(["--profile", profile, "doctor"])
    };
    let outcome = doctor("r").run();
    outcome.assert_code(0).assert_silent_about("s3cr3t");
    let place = |line| format!("{}/.aws/config:{line}", project.home().display());
    for (name, value) in [
        ("profile", format!("`r` ({})", place(1))),
        ("region", format!("eu-west-1 ({})", place(4))),
        ("endpoint", format!("{} (AWS_ENDPOINT_URL)", fake.url())),
        ("proxy", "none".to_owned()),
        ("CA bundle", "the system's".to_owned()),
        (
            "credentials",
            format!(
                "role arn:aws:iam::123456789012:role/r ({}), source_profile:",
                place(2)
            ),
        ),
        ("expiry", "(in 59 min)".to_owned()),
        ("account", "123456789012".to_owned()),
        (
            "identity",
            "arn:aws:iam::123456789012:user/ASIAr".to_owned(),
        ),
    ] {
        let row = outcome
            .stdout
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        assert!(
            row.contains(&value),
            "{name}: {value}\n{}{}",
            outcome.stdout,
            outcome.stderr
        );
    }
    doctor("q")
        .run()
        .assert_code(3)
        .assert_says("did you mean `r`?");
    home_file(
        &project,
        ".aws/config",
        ROLE.replace("role/r", "role/denied"),
    );
    let outcome = doctor("r").run();
    outcome
        .assert_code(3)
        .assert_says("AccessDenied: not authorized");
    assert!(outcome.stdout.contains("profile"), "{}", outcome.stdout);
}

/// The way to S3 is the profile's, and errors of S3 are described in words.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn buckets_are_called_as_the_profile_says() {
    let project = Project::copy_of("given-bucket");
    let hosts = |config: &str| {
        let fake = Sources::start();
        home_file(&project, ".aws/config", format!("[profile base]\n{config}"));
        home_file(&project, ".aws/credentials", BASE);
        let run = fake
            .taskcat(&project)
            .env("AWS_ENDPOINT_URL_STS", fake.url())
            .env("AWS_MAX_ATTEMPTS", "1");
        run.args(["--profile", "base", "upload"])
            .run()
            .assert_code(3);
        let calls = fake
            .calls()
            .into_iter()
            .filter_map(|call| call.strip_prefix("CONNECT ").map(str::to_owned));
        calls.collect::<Vec<_>>()
    };
    let check = |config: &str, host: &str| {
        let hosts = hosts(config);
        assert!(
            hosts.iter().any(|it| it.starts_with(host)),
            "{config}: {host} is not in {hosts:?}"
        );
    };
    check("", "the-users-own-bucket.s3.us-east-1.amazonaws.com:443");
    check(
        "s3 =\n  addressing_style = path\n",
        "s3.us-east-1.amazonaws.com:443",
    );
    check(
        "s3 =\n  use_dualstack_endpoint = true\n",
        "the-users-own-bucket.s3.dualstack.us-east-1.amazonaws.com:443",
    );
    check(
        "s3 =\n  use_accelerate_endpoint = true\n",
        "the-users-own-bucket.s3-accelerate.amazonaws.com:443",
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_bucket_that_is_refused_is_told_in_words_and_with_the_clocks_fault() {
    for (bucket, said) in [
        ("forbidden", "HTTP status 403"),
        ("skewed", "60 minutes behind that of AWS"),
    ] {
        let project = Project::copy_of("given-bucket");
        project.replace(
            ".taskcat.yml",
            "the-users-own-bucket",
            &format!("{bucket}-bucket"),
        );
        home_file(&project, ".aws/credentials", BASE);
        let fake = Sources::start();
        let run = fake
            .taskcat(&project)
            .env("AWS_ENDPOINT_URL_STS", fake.url());
        let run = run.env("AWS_ENDPOINT_URL_S3", fake.url());
        let outcome = run.args(["--profile", "base", "upload"]).run();
        outcome
            .assert_code(3)
            .assert_says(said)
            .assert_silent_about("Error {");
    }
}
