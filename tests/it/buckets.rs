//! Where the project is staged to: automatic, regional and given buckets, and what becomes of them.

use serde_json::json;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::Taskcat;

tests_on!(all: regional_buckets_stay_for_the_next_run, a_given_bucket_is_kept_clean, skip_upload_takes_what_is_there);

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const GIVEN: &str = "the-users-own-bucket";

/// On moto the policy would lock everybody out: it ignores the Condition.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn an_automatic_bucket_is_closed_and_tagged() {
    let server = Server::take(Kind::Ministack);
    let project = Project::copy_of("undeclared-parameter");
    let outcome = Taskcat::test_run(&project, &server)
        .args(["-l", "-n"])
        .run();
    outcome.assert_code(0);
    let standing = server.standing(&REGIONS);
    let (name, bucket) = standing.buckets.first_key_value().unwrap();
    assert_eq!(standing.buckets.len(), 1);
    assert!(name.starts_with("tcat-undeclared-parameter-"), "{name}");
    let blocked = json!({
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true
    });
    assert_eq!(bucket["public_access_block"], blocked);
    assert!(
        bucket["policy"].to_string().contains("s3:signatureversion"),
        "{bucket:#}"
    );
}

fn regional_buckets_stay_for_the_next_run(kind: Kind) {
    let server = Server::take(kind);
    let project = Project::copy_of("regional-buckets");
    let names = REGIONS.map(|region| format!("tcat-{}-{region}", hashed(kind.account_id())));
    for run in ["first", "second"] {
        let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
        outcome.assert_code(0);
        let standing = server.standing(&REGIONS);
        assert!(standing.stacks.is_empty(), "{run}: {standing:#?}");
        let mut found: Vec<&String> = standing.buckets.keys().collect();
        found.sort_by_key(|name| name.ends_with("eu-west-1"));
        assert_eq!(found, names.iter().collect::<Vec<_>>());
        for (name, region) in names.iter().zip(REGIONS) {
            assert_eq!(standing.buckets[name]["region"], region);
            assert_eq!(standing.keys(name).len(), 2, "{standing:#?}");
        }
        for bucket in outcome.report()["buckets"].as_array().unwrap() {
            assert_eq!(bucket["created"], run == "first", "{bucket:#}");
            // The archive of the function is the same bytes again, so it is not sent again.
            assert_eq!(
                bucket["uploads"],
                if run == "first" { 2 } else { 0 },
                "{run}: {bucket:#}"
            );
        }
    }
}

/// As TaskCat's `generate_regional_bucket_name`: the account's number as a UUID of version 5 in the
/// nil namespace.
fn hashed(account_id: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::nil(), account_id.as_bytes())
        .simple()
        .to_string()
}

fn a_given_bucket_is_kept_clean(kind: Kind) {
    let server = Server::take(kind);
    server.given(&["bucket", GIVEN, "us-east-1"]);
    server.given(&[
        "object",
        GIVEN,
        "given-bucket/templates/renamed-since.yaml",
        "gone from the project",
    ]);
    server.given(&[
        "object",
        GIVEN,
        "given-bucket/functions/source/kept.py",
        "excluded, so not ours to remove",
    ]);
    server.given(&["object", GIVEN, "another-project/file.txt", "not ours"]);
    let project = Project::copy_of("given-bucket");
    let expected = [
        "another-project/file.txt",
        "given-bucket/functions/source/kept.py",
        "given-bucket/templates/topic.template.yaml",
    ];
    for (uploads, removals) in [(1, 1), (0, 0)] {
        let proxy = Proxy::before(&server);
        let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
            .args(["-l"])
            .run();
        outcome.assert_code(0);
        let standing = server.standing(&REGIONS);
        assert!(standing.stacks.is_empty(), "{standing:#?}");
        assert_eq!(standing.keys(GIVEN), expected);
        let calls = proxy.calls();
        // One more is the run's marker, which goes with DeleteObject.
        assert_eq!(calls.count("PutObject"), uploads + 1, "{}", calls.summary());
        assert_eq!(calls.count("DeleteObject"), 1, "{}", calls.summary());
        assert_eq!(
            calls.count("DeleteObjects"),
            removals,
            "{}",
            calls.summary()
        );
        assert_eq!(
            calls.count("DeleteBucket") + calls.count("CreateBucket"),
            0,
            "{}",
            calls.summary()
        );
        for setting in [
            "PutBucketPolicy",
            "PutBucketTagging",
            "PutPublicAccessBlock",
        ] {
            assert_eq!(
                calls.count(setting),
                0,
                "the bucket's settings are the user's"
            );
        }
    }
}

fn skip_upload_takes_what_is_there(kind: Kind) {
    let server = Server::take(kind);
    server.given(&["bucket", GIVEN, "us-east-1"]);
    let template = "Resources: {Other: {Type: AWS::SNS::Topic}}";
    server.given(&[
        "object",
        GIVEN,
        "given-bucket/templates/topic.template.yaml",
        template,
    ]);
    let project = Project::copy_of("given-bucket");
    let before = server.standing(&[]).buckets;
    let proxy = Proxy::before(&server);
    let outcome = Taskcat::test_run_at(&project, kind, &proxy.endpoint())
        .args(["-l", "-s"])
        .run();
    outcome.assert_code(0);
    assert_eq!(
        proxy.calls().count("PutObject") + proxy.calls().count("DeleteObjects"),
        0
    );
    assert_eq!(server.standing(&[]).buckets, before);
}

#[test]
fn skip_upload_needs_a_bucket() {
    let project = Project::copy_of("one-bad");
    let outcome = Taskcat::at(&project, "http://127.0.0.1:1")
        .args(["test", "run", "-s"])
        .run();
    outcome.assert_code(2).assert_says("s3_bucket");
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn a_given_bucket_that_is_not_there_is_an_error() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("given-bucket");
    let outcome = Taskcat::test_run(&project, &server).args(["-l"]).run();
    outcome
        .assert_code(3)
        .assert_says(GIVEN)
        .assert_says("does not exist");
    server.standing(&REGIONS).assert_nothing();
}

/// Neither server refuses a bucket by itself.
#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn a_bucket_that_cannot_be_made_stops_the_run() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::with_faults(&server, &["CreateBucket=403:AccessDenied"]);
    let project = Project::copy_of("one-bad");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(3).assert_says("AccessDenied");
    assert_eq!(proxy.calls().count("CreateStack"), 0);
    server.standing(&REGIONS).assert_nothing();
}

#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn an_upload_that_fails_leaves_no_bucket() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::with_faults(&server, &["PutObject=403:AccessDenied"]);
    let project = Project::copy_of("one-bad");
    let outcome = Taskcat::test_run_at(&project, server.kind, &proxy.endpoint())
        .args(["-l"])
        .run();
    outcome.assert_code(3).assert_says("AccessDenied");
    server.standing(&REGIONS).assert_nothing();
}
