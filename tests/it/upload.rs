//! `taskcat upload`: packaging and staging alone.

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

tests_on!(all: what_is_ignored_is_not_sent, a_dry_run_changes_nothing, only_what_changed_is_sent, other_keys, large_files);

const BUCKET: &str = "the-users-own-bucket";

const KEYS: [&str; 4] = [
    "data.json",
    "deep/er/file.txt",
    "docs/keep.txt",
    "templates/topic.template.yaml",
];

fn upload(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    Taskcat::at(project, endpoint)
        .args(["upload"].into_iter().chain(args.iter().copied()))
        .run()
}

fn given(kind: Kind) -> Server {
    let server = Server::take(kind);
    server.given(&["bucket", BUCKET, "us-east-1"]);
    server
}

fn keys(prefix: &str) -> Vec<String> {
    KEYS.iter().map(|key| format!("{prefix}/{key}")).collect()
}

/// TaskCat's exclusions and those of `.taskcatignore`.
fn what_is_ignored_is_not_sent(kind: Kind) {
    let server = given(kind);
    let project = Project::copy_of("ignored-files");
    let outcome = upload(&project, &server.endpoint(), &["-b", BUCKET]);
    outcome
        .assert_code(0)
        .assert_silent_about("unfinished")
        .assert_silent_about("incomplete");
    assert_eq!(server.standing(&[]).keys(BUCKET), keys("ignored-files"));
}

fn a_dry_run_changes_nothing(kind: Kind) {
    let server = given(kind);
    server.given(&[
        "object",
        BUCKET,
        "ignored-files/gone.txt",
        "gone from the project",
    ]);
    let project = Project::copy_of("ignored-files");
    let proxy = Proxy::before(&server);
    let outcome = upload(&project, &proxy.endpoint(), &["-b", BUCKET, "--dry-run"]);
    outcome.assert_code(0);
    let calls = proxy.calls();
    assert!(calls.0.iter().all(
        |call| matches!(call["method"].as_str(), Some("GET" | "HEAD")) || call["service"] == "sts"
    ));
    let mut expected: Vec<String> = keys("ignored-files")
        .iter()
        .map(|key| format!("upload s3://{BUCKET}/{key}"))
        .collect();
    expected.push(format!("remove s3://{BUCKET}/ignored-files/gone.txt"));
    let mut lines: Vec<&str> = outcome.stdout.lines().collect();
    expected.sort();
    lines.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(
        server.standing(&[]).keys(BUCKET),
        ["ignored-files/gone.txt"]
    );

    // Where no bucket is named, none is made to look at.
    let outcome = upload(&project, &server.endpoint(), &["--dry-run"]);
    outcome.assert_code(0);
    assert_eq!(
        outcome.stdout.lines().count(),
        KEYS.len(),
        "{}",
        outcome.stdout
    );
    assert_eq!(server.standing(&[]).buckets.len(), 1);
}

fn only_what_changed_is_sent(kind: Kind) {
    let server = given(kind);
    let project = Project::copy_of("ignored-files");
    upload(&project, &server.endpoint(), &["-b", BUCKET]).assert_code(0);
    project.write("data.json", "changed\n");
    project.write("new.txt", "new\n");
    std::fs::remove_file(project.path().join("deep/er/file.txt")).unwrap();
    // Same bytes at a later time.
    project.write("docs/keep.txt", &project.read("docs/keep.txt"));
    let proxy = Proxy::before(&server);
    upload(&project, &proxy.endpoint(), &["-b", BUCKET]).assert_code(0);
    let calls = proxy.calls();
    let sent = calls.of("PutObject");
    let sent = sent.iter().map(|call| call["path"].as_str().unwrap());
    let mut sent: Vec<&str> = sent
        .filter(|path| !path.contains("/.taskcat/runs/"))
        .collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            format!("/{BUCKET}/ignored-files/data.json"),
            format!("/{BUCKET}/ignored-files/new.txt")
        ]
    );
    let expected = [
        "data.json",
        "docs/keep.txt",
        "new.txt",
        "templates/topic.template.yaml",
    ];
    assert_eq!(
        server.standing(&[]).keys(BUCKET),
        expected.map(|key| format!("ignored-files/{key}"))
    );

    let proxy = Proxy::before(&server);
    upload(&project, &proxy.endpoint(), &["-b", BUCKET]).assert_code(0);
    assert_eq!(
        proxy.calls().count("PutObject"),
        0,
        "{}",
        proxy.calls().summary()
    );
}

/// The ETag of an object that KMS encrypts isn't the MD5 of its content
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>).
#[test]
fn objects_encrypted_by_kms_are_known_again() {
    let server = Server::take(Kind::Simulator);
    server.given(&["kms-bucket", BUCKET, "us-east-1"]);
    let project = Project::copy_of("ignored-files");
    upload(&project, &server.endpoint(), &["-b", BUCKET]).assert_code(0);
    project.write("data.json", "changed\n");
    let proxy = Proxy::before(&server);
    upload(&project, &proxy.endpoint(), &["-b", BUCKET]).assert_code(0);
    let calls = proxy.calls();
    let sent = calls.of("PutObject");
    let sent = sent.iter().map(|call| call["path"].as_str().unwrap());
    let sent: Vec<&str> = sent
        .filter(|path| !path.contains("/.taskcat/runs/"))
        .collect();
    assert_eq!(sent, [format!("/{BUCKET}/ignored-files/data.json")]);
}

fn other_keys(kind: Kind) {
    let server = given(kind);
    let project = Project::copy_of("ignored-files");
    let args = [
        "-b",
        BUCKET,
        "-k",
        "another/prefix",
        "--exclude-prefix",
        "deep/",
        "docs/",
    ];
    upload(&project, &server.endpoint(), &args).assert_code(0);
    let expected = [
        "another/prefix/data.json",
        "another/prefix/templates/topic.template.yaml",
    ];
    assert_eq!(server.standing(&[]).keys(BUCKET), expected);
}

/// A file of several parts arrives whole, and is known again: its checksum is one of parts.
fn large_files(kind: Kind) {
    let server = given(kind);
    let project = Project::copy_of("given-bucket");
    let large: String = (0..3_000_000)
        .map(|number| format!("{number:07}\n"))
        .collect();
    project.write("large.txt", &large);
    let proxy = Proxy::before(&server);
    upload(&project, &proxy.endpoint(), &["-b", BUCKET]).assert_code(0);
    assert!(
        proxy.calls().count("UploadPart") >= 2,
        "{}",
        proxy.calls().summary()
    );
    let standing = server.standing(&[]);
    let object = &standing.buckets[BUCKET]["objects"]["given-bucket/large.txt"];
    assert_eq!(object["size"], large.len());
    upload(&project, &proxy.endpoint(), &["-b", BUCKET]).assert_code(0);
    assert_eq!(
        proxy.calls().count("CreateMultipartUpload"),
        1,
        "sent again"
    );
}

/// Without a bucket of the user's one is made, and it stays: it is what was asked for.
#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn an_automatic_bucket_stays() {
    let server = Server::take(Kind::Moto);
    let project = Project::copy_of("ignored-files");
    upload(&project, &server.endpoint(), &["-e"]).assert_code(0);
    let standing = server.standing(&[]);
    assert_eq!(standing.buckets.len(), 1, "{standing:#?}");
    let (name, _) = standing.buckets.first_key_value().unwrap();
    assert!(name.starts_with("tcat-ignored-files-"), "{name}");
    assert_eq!(standing.keys(name), keys("ignored-files"));
    // It isn't a run's, and no cleaning takes it for one.
    let clean = Taskcat::at(&project, &server.endpoint());
    clean
        .args([
            "test",
            "clean",
            "--yes",
            "--include-running",
            "-r",
            "us-east-1",
            "ALL",
        ])
        .run()
        .assert_code(0);
    assert_eq!(server.standing(&["us-east-1"]).buckets.len(), 1);
}

#[test]
#[ignore = "needs moto; run tests/run.sh"]
fn packaging_can_be_left_out() {
    let server = given(Kind::Moto);
    let project = Project::copy_of("docker-lambda");
    upload(&project, &server.endpoint(), &["-b", BUCKET, "-d"]).assert_code(0);
    assert_eq!(
        server.standing(&[]).keys(BUCKET),
        ["docker-lambda/templates/topic.template.yaml"]
    );
}
