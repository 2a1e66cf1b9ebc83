//! Proxies and certificates: which are used, and what is said where they can't be.

use std::time::Duration;

use crate::project::Project;
use crate::sources::{Sources, home_file};
use crate::taskcat::Taskcat;

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAenv"),
    ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
];

fn with_keys(run: Taskcat) -> Taskcat {
    KEYS.into_iter()
        .fold(run, |run, (name, value)| run.env(name, value))
        .args(["test", "list", "-r", "us-east-1"])
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_proxy_that_cannot_be_used_is_named_at_once() {
    let check = |proxy: &dyn Fn(&Sources) -> String, said: &[&str], calls: usize| {
        let fake = Sources::start();
        let project = Project::empty("p");
        let outcome = with_keys(fake.taskcat(&project).env("HTTPS_PROXY", proxy(&fake))).run();
        outcome.assert_code(3);
        said.iter().for_each(|text| _ = outcome.assert_says(text));
        outcome.assert_ended_within(Duration::from_secs(8));
        assert_eq!(fake.calls().len(), calls, "{:?}", fake.calls());
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    };
    let strict = |fake: &Sources| format!("http://127.0.0.1:{}", fake.strict);
    check(&strict, &["HTTPS_PROXY", "407", "USER:PASSWORD"], 1);
    check(
        &|_| "socks5://127.0.0.1:1".to_owned(),
        &["socks5://127.0.0.1:1 (HTTPS_PROXY)", "only http://"],
        0,
    );
    check(
        &|_| "http://me:hunter2@127.0.0.1:1".to_owned(),
        &["http://127.0.0.1:1 (HTTPS_PROXY): Connection refused"],
        0,
    );
    // The fake refuses all other hosts.
    check(
        &Sources::url,
        &[
            "refused the connection to https://sts.us-east-1.amazonaws.com",
            "403",
        ],
        1,
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_proxy_of_an_endpoint_is_chosen_as_by_python() {
    type Value<'v> = &'v dyn Fn(&Sources) -> String;
    let check = |variables: &[(&str, Value<'_>)], expected: &str| {
        let fake = Sources::start();
        let project = Project::empty("p");
        let run = fake.as_aws(&project).env_remove("NO_PROXY");
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value(&fake)));
        with_keys(run).run();
        assert_eq!(
            fake.calls()[0],
            format!("GetCallerIdentity AKIAenv{expected}")
        );
    };
    let nothing = |_: &Sources| String::new();
    let strict = |fake: &Sources| format!("http://u:p@127.0.0.1:{}", fake.strict);
    check(&[], " proxy");
    check(&[("http_proxy", &strict)], " strict-proxy");
    check(&[("http_proxy", &nothing)], "");
    check(
        &[("NO_PROXY", &|fake: &Sources| {
            format!("127.0.0.1:{}", fake.port)
        })],
        "",
    );
    check(
        &[("NO_PROXY", &|_: &Sources| "127.0.0.1:1".to_owned())],
        " proxy",
    );
    check(&[("NO_PROXY", &|_: &Sources| "*".to_owned())], "");
    check(&[("NO_PROXY", &|_: &Sources| ".0.0.1".to_owned())], "");
}

/// The server's certificate is signed by itself, and calls itself an authority's.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn certificates_of_a_bundle_are_trusted_from_wherever_it_is_named() {
    let fake = Sources::start();
    let project = Project::empty("p");
    let bundle = fake.certificate();
    let bundle = bundle.to_str().unwrap();
    let run = || {
        fake.taskcat(&project).env(
            "AWS_ENDPOINT_URL",
            format!("https://localhost:{}", fake.tls),
        )
    };
    with_keys(run().env("AWS_CA_BUNDLE", bundle))
        .run()
        .assert_code(0);
    with_keys(run().env("REQUESTS_CA_BUNDLE", bundle))
        .run()
        .assert_code(0);
    with_keys(
        run()
            .args(["--ca-bundle", bundle])
            .env("AWS_CA_BUNDLE", "/none"),
    )
    .run()
    .assert_code(0);
    home_file(
        &project,
        ".aws/config",
        format!("[default]\nca_bundle = {bundle}\n"),
    );
    with_keys(run()).run().assert_code(0);
    let calls = fake.calls().len();
    with_keys(run().env("AWS_CA_BUNDLE", "/none"))
        .run()
        .assert_code(3)
        .assert_says("CA bundle /none (AWS_CA_BUNDLE)");
    let other = run().env("AWS_CA_BUNDLE", bundle).env(
        "AWS_ENDPOINT_URL",
        format!("https://127.0.0.1:{}", fake.tls),
    );
    with_keys(other)
        .run()
        .assert_code(3)
        .assert_says("certificate");
    home_file(&project, ".aws/config", "");
    let outcome = with_keys(run()).run();
    outcome
        .assert_code(3)
        .assert_says("signed by itself, is not trusted")
        .assert_says("--ca-bundle FILE, AWS_CA_BUNDLE, or ca_bundle");
    outcome.assert_ended_within(Duration::from_secs(8));
    assert_eq!(fake.calls().len(), calls);
}

/// boto3 makes three attempts as well.
#[test]
fn a_host_that_does_not_exist_is_one_error() {
    let project = Project::copy_of("ten-regions");
    for arguments in [
        &["test", "run", "-l"][..],
        &["test", "list"],
        &["test", "list", "-r", "us-east-1,eu-west-1"],
    ] {
        let outcome = Taskcat::at(&project, "http://no-such-host.invalid")
            .args(arguments.iter().copied())
            .run();
        outcome
            .assert_code(3)
            .assert_says("cannot connect to http://no-such-host.invalid")
            .assert_says("AWS_ENDPOINT_URL");
        outcome.assert_says_once("no-such-host");
        // Where there is a name server, it takes a second.
        outcome.assert_ended_within(Duration::from_secs(45));
    }
}

/// EC2's endpoints are found without the SDK.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn fips_and_dual_stack_endpoints_are_called_for_every_service() {
    let check = |variable: &str, host: &str| {
        let fake = Sources::start();
        let project = Project::empty("p");
        let run = fake.taskcat(&project).env(variable, "true");
        let run = KEYS
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        run.args(["test", "list"]).run().assert_code(3);
        // A proxy's refusal is not repeated.
        assert_eq!(fake.calls(), [format!("CONNECT {host}:443 proxy")]);
    };
    check("AWS_USE_FIPS_ENDPOINT", "ec2-fips.us-east-1.amazonaws.com");
    check("AWS_USE_DUALSTACK_ENDPOINT", "ec2.us-east-1.api.aws");
}

/// One attempt, and the profile's limit counts as that of the environment does.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_users_limit_of_attempts_counts() {
    let check = |variables: &[(&str, &str)], config: &str| {
        let fake = Sources::start();
        let project = Project::empty("p");
        home_file(&project, ".aws/config", config);
        let url = format!("http://localhost:{}/unavailable", fake.port);
        let run = fake.taskcat(&project).env("AWS_ENDPOINT_URL", url);
        let outcome = with_keys(
            variables
                .iter()
                .fold(run, |run, (name, value)| run.env(name, value)),
        )
        .run();
        outcome.assert_code(3);
        fake.calls().len()
    };
    assert_eq!(check(&[("AWS_MAX_ATTEMPTS", "1")], ""), 1);
    let fake = Sources::start();
    let project = Project::empty("p");
    let run = fake
        .taskcat(&project)
        .env("AWS_ENDPOINT_URL", format!("{}/unavailable", fake.url()))
        .env("AWS_MAX_ATTEMPTS", "1");
    let run = KEYS
        .into_iter()
        .fold(run, |run, (name, value)| run.env(name, value));
    run.args(["test", "list"]).run().assert_code(3);
    assert_eq!(fake.calls().len(), 1, "DescribeRegions: {:?}", fake.calls());
    assert_eq!(check(&[], "[default]\nmax_attempts = 2\n"), 2);
    assert_eq!(check(&[("AWS_MAX_ATTEMPTS", "many")], ""), 0);
    assert_eq!(check(&[("AWS_RETRY_MODE", "often")], ""), 0);
}
