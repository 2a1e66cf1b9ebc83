//! The pipeline's Lambda: what it merges, what it refuses, and what it reports to CodePipeline.
//! `lambda` runs it, and checks after every call that the token has not leaked.

use std::process::Command;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use crate::lambda::{Job, Lambda, Setup, TOKEN, nobody};

const BRANCH: &str = "GET /repos/acme/shop/branches/feature%2Forders 200";
const NONE: &str = "0123456789abcdef0123456789abcdef01234567";

/// Asserts that the job succeeded, and returns its output variables `[mergeCommit, baseBranch,
/// headCommit]` and its summary.
#[track_caller]
fn succeeded(told: &Value) -> ([&str; 3], &str) {
    assert_eq!(told["action"], "PutJobSuccessResult", "{told}");
    assert!(told.get("continuationToken").is_none(), "{told}");
    let variable = |name| {
        told["outputVariables"][name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {told}"))
    };
    let summary = told["executionDetails"]["summary"].as_str().unwrap();
    (
        ["mergeCommit", "baseBranch", "headCommit"].map(variable),
        summary,
    )
}

/// Asserts that the job failed with this type, and with all of these words in its message.
#[track_caller]
fn failed(told: &Value, kind: &str, says: &[&str]) {
    assert_eq!(told["action"], "PutJobFailureResult", "{told}");
    let message = told["failureDetails"]["message"].as_str().unwrap();
    for part in says {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(told["failureDetails"]["type"], kind, "{message}");
}

fn seconds_from_now(seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    (now + seconds).to_string()
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_tested_commit_is_merged() {
    let mut lambda = Lambda::start();
    let (base, head) = (
        lambda.commit("release", "hotfix.md", "Fixed.\n"),
        lambda.head("feature/orders"),
    );
    let job = Job::new(lambda.parameters(json!({"commit": head})));
    let told = lambda.told(&job, 30.0);
    let (variables, summary) = succeeded(&told);
    let merge = lambda.head("release");
    assert_eq!(variables, [&merge, "release", &head]);
    assert_eq!(
        lambda.git(&["log", "-1", "--format=%P", "release"]),
        format!("{base} {head}")
    );
    assert_eq!(
        lambda.git(&["ls-tree", "--name-only", "release"]),
        "README.md\nhotfix.md\norders.yaml"
    );
    let untested = "`release` has changes that were not tested together with it";
    assert_eq!(
        summary,
        format!("{head} of `feature/orders` was merged into `release`: {merge}; {untested}")
    );
    assert_eq!(told["outputVariables"]["isTested"], "false");
    let message = format!(
        "Merge feature/orders into release\n\nMerges {head}, which was tested by the pipeline (job \
         {}).",
        job.id
    );
    assert_eq!(
        lambda.git(&["log", "-1", "--format=%B", "release"]),
        message
    );

    let tree = |commit: &str| format!("GET /repos/acme/shop/git/commits/{commit} 200");
    assert_eq!(
        lambda.routes(),
        [
            BRANCH,
            "POST /repos/acme/shop/merges 201",
            &tree(&merge),
            &tree(&head)
        ]
    );
    for call in lambda.calls()["github"].as_array().unwrap() {
        let headers = &call["headers"];
        assert_eq!(headers["accept"], "application/vnd.github+json");
        assert_eq!(headers["x-github-api-version"], "2022-11-28");
        assert_eq!(
            headers["user-agent"],
            concat!("taskcat/", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(call["authorized"], true);
    }
    let output = lambda.output();
    assert_eq!(output.lines().count(), 5, "{output}");
    let of_job = format!(" INFO job{{id={}}}: ", job.id);
    assert!(
        output.lines().all(|line| line.starts_with(&of_job)),
        "{output}"
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn nothing_to_merge_is_success() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    lambda.git(&["update-ref", "refs/heads/release", &head]);
    let release = lambda.head("release");
    let told = lambda.job(&head, json!({}));
    let (variables, summary) = succeeded(&told);
    assert_eq!(variables, [&release, "release", &head]);
    assert!(
        summary.starts_with("nothing to merge: `release` has"),
        "{summary}"
    );
    assert_eq!(
        (lambda.head("release"), &told["outputVariables"]["isTested"]),
        (release, &json!("true"))
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_release_branch_that_went_on_is_not_passed_on() {
    let mut lambda = Lambda::start();
    lambda.commit("release", "hotfix.md", "Fixed.\n");
    let head = lambda.head("feature/orders");
    succeeded(&lambda.job(&head, json!({})));
    let release = lambda.head("release");
    // There is nothing left to merge, but the release branch has a file that was never tested.
    let told = lambda.job(&head, json!({}));
    failed(
        &told,
        "JobFailed",
        &[
            "nothing to merge",
            &release,
            "has not tested",
            "`allowUntested`",
        ],
    );
    let told = lambda.job(&head, json!({"allowUntested": true}));
    assert_eq!(succeeded(&told).0, [&release, "release", &head]);
    assert_eq!(told["outputVariables"]["isTested"], "false");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn rules_are_told_with_what_they_require() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let rules = "https://docs.github.com/rest/repos/rules";
    let protection = "https://docs.github.com/articles/about-protected-branches";
    for (status, message, url, requires, bypass) in [
        (
            409,
            "Repository rule violations found Changes must be made through the merge queue",
            rules,
            "a merge queue",
            "bypass list of the ruleset",
        ),
        (
            409,
            "Repository rule violations found Changes must be made through a pull request.",
            rules,
            "a pull request",
            "bypass list of the ruleset",
        ),
        (
            422,
            "Repository rule violations found Required status check \"ci\" is expected.",
            rules,
            "status checks",
            "bypass list of the ruleset",
        ),
        (
            403,
            "At least 1 approving review is required by reviewers with write access: protected \
             branch rule.",
            protection,
            "an approving review",
            "the branch's protection",
        ),
        (
            409,
            "Required status check \"ci\" is expected.",
            protection,
            "status checks",
            "the branch's protection",
        ),
    ] {
        lambda.faults(json!([{
            "method": "POST", "status": status, "message": message, "documentation_url": url,
        }]));
        let requires = format!("`release` requires {requires}");
        failed(
            &lambda.job(&head, json!({})),
            "PermissionError",
            &["keeps the token from merging", &requires, bypass],
        );
    }
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_github_app_gets_a_token_of_its_own() {
    let secret = r#"{"App_Id": 4711, "private_key": "APP_KEY"}"#;
    let mut lambda = Lambda::of(Setup {
        secret: Some(secret),
        ..Setup::default()
    });
    let head = lambda.head("feature/orders");
    succeeded(&lambda.job(&head, json!({})));
    let first = [
        "GET /repos/acme/shop/installation 200",
        "POST /app/installations/815/access_tokens 201",
        BRANCH,
    ];
    assert_eq!(lambda.routes()[..3], first);
    lambda.faults(json!([{"path": ".*/installation", "status": 404, "message": "Not Found"}]));
    failed(
        &lambda.job(&head, json!({})),
        "ConfigurationError",
        &["it isn't installed there", "acme/shop"],
    );

    let mut lambda = Lambda::of(Setup {
        secret: Some(&secret.replace("4711", "4712")),
        ..Setup::default()
    });
    failed(
        &lambda.job(&head, json!({})),
        "PermissionError",
        &["GitHub doesn't accept its ID and key"],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_conflict_is_named_and_leaves_the_branch_alone() {
    let mut lambda = Lambda::start();
    let base = lambda.commit("release", "orders.yaml", "Resources: {Other: {}}\n");
    let head = lambda.head("feature/orders");
    let told = lambda.job(&head, json!({}));
    let says = [
        "of `feature/orders` cannot be merged into `release` of acme/shop",
        "resolve",
        "\"Merge conflict\"",
    ];
    failed(&told, "JobFailed", &says);
    assert_eq!(lambda.head("release"), base);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_came_after_the_test_is_not_merged() {
    let mut lambda = Lambda::start();
    let tested = lambda.head("feature/orders");
    let newer = lambda.commit("feature/orders", "untested.yaml", "Resources: {}\n");
    let base = lambda.head("release");
    let told = lambda.job(&tested, json!({}));
    failed(
        &told,
        "JobFailed",
        &[
            "`feature/orders` has moved on",
            &tested,
            &newer,
            "`allowMoved`",
        ],
    );
    assert_eq!(lambda.head("release"), base);
    assert_eq!(lambda.routes(), [BRANCH]);

    // CloudFormation's `Fn::Sub` can only write text.
    let told = lambda.job(&tested, json!({"allowMoved": "true"}));
    let (variables, _) = succeeded(&told);
    assert_eq!(variables, [&lambda.head("release"), "release", &tested]);
    assert_eq!(
        lambda.git(&["log", "-1", "--format=%P", "release"]),
        format!("{base} {tested}")
    );
    assert_eq!(
        lambda.git(&["ls-tree", "--name-only", "release"]),
        "README.md\norders.yaml"
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_commit_is_the_artifacts_where_none_is_named() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let job = Job {
        revision: Some(head.clone()),
        ..Job::new(lambda.parameters(json!({})))
    };
    let told = lambda.told(&job, 30.0);
    assert_eq!(succeeded(&told).0[2], head);

    let told = lambda.told(&Job::new(lambda.parameters(json!({}))), 30.0);
    failed(
        &told,
        "ConfigurationError",
        &["the tested commit is unknown", "#{Source.CommitId}"],
    );
    let job = Job {
        revision: Some("3s8XQ.versionOfAnObject".into()),
        ..Job::new(lambda.parameters(json!({})))
    };
    failed(
        &lambda.told(&job, 30.0),
        "ConfigurationError",
        &["the revision of the input artifact is not the full id"],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_is_missing_is_named() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let told = lambda.job(&head, json!({"headBranch": "feature/odrers"}));
    failed(
        &told,
        "ConfigurationError",
        &["acme/shop has no branch `feature/odrers`"],
    );
    let told = lambda.job(&head, json!({"baseBranch": "production"}));
    failed(
        &told,
        "ConfigurationError",
        &["acme/shop has no branch `production`"],
    );
    let told = lambda.job(&head, json!({"repo": "shed"}));
    let says = [
        "GitHub doesn't show the repository acme/shed",
        "it doesn't exist, or the token in arn:aws:",
        "cannot see",
    ];
    failed(&told, "ConfigurationError", &says);
    let told = lambda.job(NONE, json!({"allowMoved": true}));
    failed(
        &told,
        "ConfigurationError",
        &[&format!("acme/shop has no commit {NONE}")],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn tokens_that_may_not_are_told_apart() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let mut refuse = |status: u16, message: &str, says: &[&str]| {
        lambda.faults(json!([{"method": "POST", "status": status, "message": message}]));
        failed(&lambda.job(&head, json!({})), "PermissionError", says);
    };
    let powerless = [
        "the token in arn:aws:secretsmanager:",
        "may not merge in acme/shop",
        "\"Contents: read and write\"",
    ];
    refuse(
        403,
        "Resource not accessible by personal access token",
        &powerless,
    );
    refuse(404, "Not Found", &powerless);
    let rule = ["a rule of acme/shop keeps the token from merging into `release`"];
    refuse(
        403,
        "At least 1 approving review is required by rule.",
        &rule,
    );
    refuse(
        409,
        "Repository rule violations found\n\nChanges must be made through a pull request.",
        &rule,
    );
    lambda.faults(json!([{"method": "POST", "status": 422, "message": "Validation Failed"}]));
    let told = lambda.job(&head, json!({}));
    failed(
        &told,
        "JobFailed",
        &[
            "GitHub cannot do this merge",
            "GitHub says: \"Validation Failed\".",
        ],
    );
    lambda.faults(json!([{"method": "POST", "status": 418}]));
    failed(&lambda.job(&head, json!({})), "JobFailed", &["status 418"]);
}

/// Secrets without a usable token, and tokens in JSON.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_token_comes_from_the_secret() {
    let check = |secret: Option<&str>, kind: &str, says: &[&str]| {
        let mut lambda = Lambda::of(Setup {
            secret,
            ..Setup::default()
        });
        let head = lambda.head("feature/orders");
        failed(&lambda.job(&head, json!({})), kind, says);
        lambda
    };
    let mut lambda = check(
        None,
        "ConfigurationError",
        &[
            "cannot be read",
            "ResourceNotFoundException",
            "github/token",
        ],
    );
    assert_eq!(lambda.routes(), [""; 0]);
    let expired = [
        "GitHub doesn't accept the token in arn:",
        "expired",
        "GitHub says: \"Bad credentials\".",
    ];
    check(Some("ghp_expired"), "PermissionError", &expired);
    let keyless = [" is JSON without the key `token` or `GITHUB_TOKEN`."];
    check(
        Some(r#"{"tokn": "ghp_0fTheTestsAndOfNobodyElse4711"}"#),
        "ConfigurationError",
        &keyless,
    );

    let secret = format!(r#"{{"user": "octocat", "GITHUB_TOKEN": "{TOKEN}"}}"#);
    let mut lambda = Lambda::of(Setup {
        secret: Some(&secret),
        ..Setup::default()
    });
    let head = lambda.head("feature/orders");
    succeeded(&lambda.job(&head, json!({})));
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn faulty_parameters_are_told_all_at_once() {
    let mut lambda = Lambda::start();
    let parameters = lambda.parameters(json!({
        "owner": null, "repo": "acme/shop", "comit": "x", "secretsManagerArn": TOKEN,
        "allowMoved": 1,
        "apiUrl": "http://api.github.com", "commit": "#{Source.CommitId}",
    }));
    let told = lambda.told(&Job::new(parameters), 30.0);
    let says = [
        "the action's UserParameters cannot be used: ",
        "`comit` is unknown (did you mean `commit`?)",
        "`owner` is missing",
        "`repo` is not the name of a repository",
        "`secretsManagerArn` is not the ARN of a secret",
        "`apiUrl` must begin with https://",
        "`commit` is a variable that CodePipeline did not replace",
        "`allowMoved` is neither true nor false",
    ];
    failed(&told, "ConfigurationError", &says);
    let mut other = |parameters: Option<&str>, says: &str| {
        let job = Job {
            parameters: parameters.map(str::to_owned),
            ..Job::new(json!({}))
        };
        failed(&lambda.told(&job, 30.0), "ConfigurationError", &[says]);
    };
    other(
        None,
        "there are none; they are a JSON object with the keys owner, repo,",
    );
    other(
        Some("{\"owner\": \"acme\""),
        "they are not valid JSON: line",
    );
    other(Some("owner=acme"), "they are not valid JSON");
    assert_eq!(lambda.routes(), [""; 0]);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_limit_that_passes_is_waited_for() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let secondary = "You have exceeded a secondary rate limit. Please wait.";
    let reset = seconds_from_now(2);
    lambda.faults(json!([
        {"method": "GET", "times": 1, "status": 403, "message": "API rate limit exceeded",
         "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}},
        {"method": "POST", "times": 1, "status": 429, "message": secondary,
         "headers": {"retry-after": "1"}},
    ]));
    let started = Instant::now();
    succeeded(&lambda.job(&head, json!({})));
    assert!(
        started.elapsed().as_secs_f64() > 1.9,
        "{:?}",
        started.elapsed()
    );
    let merges = [
        "POST /repos/acme/shop/merges 429",
        "POST /repos/acme/shop/merges 201",
    ];
    assert_eq!(
        lambda.routes()[..4],
        [&[&BRANCH.replace("200", "403"), BRANCH], &merges[..]].concat()
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_longer_limit_is_handed_over_and_then_merged() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let reset = seconds_from_now(8);
    lambda.faults(
        json!([{"times": 1, "status": 403, "message": "API rate limit exceeded",
                          "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}}]),
    );
    let job = Job::new(lambda.parameters(json!({"commit": head})));
    let told = lambda.told(&job, 4.0);
    let token = told["continuationToken"].as_str().unwrap();
    assert_eq!(
        token,
        format!(r#"{{"handovers":1,"slow":0,"notBefore":{reset}}}"#)
    );
    assert!(told.get("outputVariables").is_none(), "{told}");
    let summary = told["executionDetails"]["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("GitHub limits the token's calls until ")
            && summary.contains("(number 1)"),
        "{summary}"
    );

    // Another invocation, which is as short, comes too early: it doesn't call GitHub.
    let job = job.after(&told);
    let told = lambda.told(&job, 3.0);
    assert!(
        told["continuationToken"]
            .as_str()
            .unwrap()
            .starts_with(r#"{"handovers":2,"#),
        "{told}"
    );
    assert_eq!(lambda.routes(), [BRANCH.replace("200", "403")]);

    let job = job.after(&told);
    let told = lambda.told(&job, 60.0);
    assert_eq!(
        succeeded(&told).0,
        [&lambda.head("release"), "release", &head]
    );
    assert!(seconds_from_now(0) >= reset, "GitHub was asked too soon");
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn slow_answers_are_handed_over_a_few_times() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    lambda.faults(json!([{"method": "GET", "delay": 20}]));
    let mut job = Job::new(lambda.parameters(json!({"commit": head})));
    for slow in 1..=3 {
        let told = lambda.told(&job, 3.0);
        let token = format!(r#"{{"handovers":{slow},"slow":{slow},"notBefore":0}}"#);
        assert_eq!(told["continuationToken"], token.as_str(), "{told}");
        job = job.after(&told);
    }
    let told = lambda.told(&job, 3.0);
    failed(
        &told,
        "SystemUnavailable",
        &["gave up after several invocations", "a longer timeout"],
    );
    let foreign = Job {
        continuation: Some("d-ABCDEF".into()),
        ..Job::new(lambda.parameters(json!({"commit": head})))
    };
    failed(
        &lambda.told(&foreign, 10.0),
        "JobFailed",
        &["continuation token is not one of this function's"],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn failures_of_githubs_own_pass() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    lambda.faults(json!([
        {"method": "GET", "times": 2, "status": 502},
        // The answer to a successful merge is lost: the next attempt finds the commit merged.
        {"method": "POST", "times": 1, "drop": "after"},
    ]));
    let told = lambda.job(&head, json!({}));
    assert_eq!(
        succeeded(&told).0,
        [&lambda.head("release"), "release", &head]
    );
    let failed_branch = BRANCH.replace("200", "502");
    let routes = [
        &failed_branch,
        &failed_branch,
        BRANCH,
        "POST /repos/acme/shop/merges 201",
        "POST /repos/acme/shop/merges 204",
        "GET /repos/acme/shop/branches/release 200",
        &format!(
            "GET /repos/acme/shop/git/commits/{} 200",
            lambda.head("release")
        ),
        &format!("GET /repos/acme/shop/git/commits/{head} 200"),
    ];
    assert_eq!(lambda.routes(), routes);

    lambda.faults(json!([{"status": 503, "message": "No server is available"}]));
    let told = lambda.job(&head, json!({}));
    let says = [
        "failed with status 503 (No server is available), 5 times in a row",
        "githubstatus.com",
    ];
    failed(&told, "SystemUnavailable", &says);
    assert_eq!(lambda.routes().len(), routes.len() + 5);
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn github_out_of_reach_is_told() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let nobody = nobody();
    let told = lambda.job(&head, json!({"apiUrl": nobody}));
    let says = [
        &format!("{nobody} cannot be reached: "),
        "Connection refused",
        "5 times in a row",
        "NAT gateway",
    ];
    failed(&told, "SystemUnavailable", &says);
    lambda.faults(json!([{"drop": "before"}]));
    let told = lambda.job(&head, json!({}));
    failed(
        &told,
        "SystemUnavailable",
        &["cannot be reached: ", "5 times in a row"],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_way_to_github_is_encrypted_and_github_known() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let told = lambda.job(&head, json!({"apiUrl": lambda.github_tls()}));
    assert_eq!(succeeded(&told).0[0], lambda.head("release"));
    assert_eq!(lambda.routes().len(), 4);

    let mut lambda = Lambda::of(Setup {
        authority: false,
        ..Setup::default()
    });
    let head = lambda.head("feature/orders");
    let told = lambda.job(&head, json!({"apiUrl": lambda.github_tls()}));
    failed(
        &told,
        "SystemUnavailable",
        &["https://localhost:", "cannot be reached: ", "certificate"],
    );
    assert_eq!(lambda.routes(), [""; 0]);
}

/// GitHub redirects calls to renamed repositories and branches. The token is sent to no other host.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn redirections_are_followed_at_the_same_host_alone() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    let github = lambda.github();
    let moved = |method: &str, from: &str, to: String| {
        let headers = json!({"location": to});
        json!({"method": method, "path": from, "status": 307, "headers": headers})
    };
    lambda.faults(json!([
        moved(
            "GET",
            "/api/v3/repos/acme/stall/branches/.*",
            format!("{github}/api/v3/repos/acme/shop/branches/feature%2Forders")
        ),
        moved(
            "GET",
            "/api/v3/repos/acme/stall/git/.*",
            format!("/repos/acme/shop/git/commits/{head}")
        ),
        moved(
            "POST",
            "/api/v3/repos/acme/stall/.*",
            "/repos/acme/shop/merges".to_owned()
        ),
    ]));
    let told = lambda.job(
        &head,
        json!({"repo": "stall", "apiUrl": format!("{github}/api/v3/")}),
    );
    assert_eq!(succeeded(&told).0[0], lambda.head("release"));
    let asked = lambda.routes().len();

    // The same server under another name.
    let elsewhere = github.replace("127.0.0.1", "localhost");
    lambda.faults(json!([moved(
        "GET",
        ".*",
        format!("{elsewhere}/repos/acme/shop/branches/x?t={TOKEN}")
    )]));
    let told = lambda.job(&head, json!({}));
    failed(
        &told,
        "ConfigurationError",
        &[&format!(
            "redirects to {elsewhere}, and the token is not sent to another host"
        )],
    );
    assert_eq!(lambda.routes().len(), asked + 1);

    lambda.faults(json!([moved("GET", ".*", "/again".to_owned())]));
    failed(
        &lambda.job(&head, json!({})),
        "SystemUnavailable",
        &["redirects in a circle"],
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn an_echo_of_the_token_is_masked() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    for (status, kind) in [
        (401, "PermissionError"),
        (422, "JobFailed"),
        (500, "SystemUnavailable"),
    ] {
        lambda
            .faults(json!([{"status": status, "message": format!("Bad header: Bearer {TOKEN}")}]));
        failed(
            &lambda.job(&head, json!({})),
            kind,
            &["Bad header: Bearer ****"],
        );
    }
    // What GitHub returns instead of a commit is not passed on.
    lambda.faults(json!([{"status": 200, "message": TOKEN}]));
    failed(
        &lambda.job(&head, json!({})),
        "JobFailed",
        &["isn't GitHub's API"],
    );
}

/// Then the invocation has to fail, so that Lambda retries it.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn what_codepipeline_does_not_hear_fails_the_invocation() {
    let mut lambda = Lambda::of(Setup {
        codepipeline: false,
        ..Setup::default()
    });
    let head = lambda.head("feature/orders");
    let job = Job::new(lambda.parameters(json!({"commit": head})));
    let said = lambda.invoke(&job.event(), 60.0);
    assert_eq!(said["error"]["errorType"], "ResultNotReported", "{said}");
    let message = said["error"]["errorMessage"].as_str().unwrap();
    let expect = format!(
        "the result of job {} could not be reported to CodePipeline: eu-west-1: \
         PutJobSuccessResult: ",
        job.id
    );
    assert!(message.starts_with(&expect), "{message}");
    assert_eq!(
        lambda
            .git(&["log", "-1", "--format=%P", "release"])
            .split(' ')
            .nth(1),
        Some(head.as_str())
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn one_process_does_many_jobs() {
    let mut lambda = Lambda::start();
    let head = lambda.head("feature/orders");
    for event in [
        json!({}),
        json!({"CodePipeline.job": {"data": {}}}),
        json!([]),
        json!("text"),
    ] {
        let said = lambda.invoke(&event, 10.0);
        assert_eq!(said["error"]["errorType"], "NoJob", "{said}");
    }
    failed(
        &lambda.job(&head, json!({"repo": "shed"})),
        "ConfigurationError",
        &["acme/shed"],
    );
    let (first, second) = (lambda.job(&head, json!({})), lambda.job(&head, json!({})));
    assert!(succeeded(&first).1.contains("was merged into"), "{first}");
    assert!(
        succeeded(&second).1.starts_with("nothing to merge"),
        "{second}"
    );
    assert_eq!(succeeded(&first).0, succeeded(&second).0);
    let newer = lambda.commit("feature/orders", "more.yaml", "Resources: {}\n");
    assert_eq!(succeeded(&lambda.job(&newer, json!({}))).0[2], newer);
    // CodePipeline accepts one result for a job, and refuses a second one.
    let job = Job::new(lambda.parameters(json!({"commit": newer})));
    lambda.told(&job, 30.0);
    let said = lambda.invoke(&job.event(), 30.0);
    assert!(
        said["error"]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("InvalidJobStateException"),
        "{said}"
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn outside_lambda_it_says_what_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_git-merge"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expect =
        "git-merge is an AWS Lambda function, and this is not Lambda: AWS_LAMBDA_RUNTIME_API, ";
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with(expect),
        "{output:?}"
    );
}
