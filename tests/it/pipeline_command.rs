//! `taskcat pipeline deploy`, `status` and `delete`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server, Standing};
use crate::taskcat::{Outcome, Taskcat};
use crate::terminal::{for_aws, on_terminal};

const REGION: &str = "us-east-1";

/// Values of the parameters that have no default, for a project `acme/shop`.
pub const PARAMETERS: [&str; 8] = [
    "ConnectionArn=arn:aws:codeconnections:us-east-1:123456789012:connection/\
     0f0f0f0f-0000-4000-8000-000000000000",
    "Repository=acme/shop",
    "TestPolicyArn=arn:aws:iam::123456789012:policy/shop-test",
    "GitHubTokenSecretArn=arn:aws:secretsmanager:us-east-1:123456789012:secret:github/token",
    "ProductionStackName=shop",
    "ProductionTemplate=templates/shop.yaml",
    "ProductionPolicyArn=arn:aws:iam::123456789012:policy/shop-production",
    "ProductionKeyPrefix=shop",
];

/// Writes files that have the headers of programs for Linux, and nothing else.
pub fn write_programs(folder: &Path, machine: u8) {
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    program.extend([machine, 0, 1, 0, 0, 0]);
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("taskcat"), &program).unwrap();
    let mut archive = ZipWriter::new(File::create(folder.join("git-merge.zip")).unwrap());
    archive
        .start_file("bootstrap", SimpleFileOptions::default())
        .unwrap();
    archive.write_all(&program).unwrap();
    archive.finish().unwrap();
}

/// The owner of a pipeline, with the programs in a folder of the project.
pub struct Owner {
    pub server: Server,
    pub project: Project,
}

pub const X86_64: u8 = 62;
const ARM64: u8 = 183;

impl Owner {
    pub fn new() -> Self {
        let owner = Self {
            server: Server::take(Kind::Simulator),
            project: Project::empty("owner"),
        };
        write_programs(&owner.project.path().join("programs"), X86_64);
        owner
    }

    pub fn taskcat(&self, args: &[&str]) -> Taskcat {
        Taskcat::at(&self.project, &self.server.endpoint())
            .args(["pipeline"])
            .args(args.iter().copied())
    }

    pub fn deploy(&self, more: &[&str]) -> Outcome {
        let deploy = self.taskcat(&["deploy", "shop-pipeline", "--yes", "--programs", "programs"]);
        deploy.args(more.iter().copied()).run()
    }

    pub fn standing(&self) -> Standing {
        self.server.standing(&[REGION])
    }

    pub fn stack(&self) -> Value {
        let standing = self.standing();
        let found = standing
            .stacks
            .iter()
            .find(|stack| stack["name"] == "shop-pipeline");
        found.unwrap_or_else(|| panic!("{standing:#?}")).clone()
    }

    /// Runs `taskcat pipeline` on a terminal, where it can ask questions.
    fn on_a_terminal(&self, args: &[&str], actions: &[&str]) -> Value {
        let (endpoint, home) = (self.server.endpoint(), self.project.home());
        let home = home.to_str().unwrap();
        let variables = [&for_aws(&endpoint)[..], &[("HOME", home), ("TMPDIR", home)]].concat();
        on_terminal(
            &self.project,
            "40x120",
            &variables,
            &[&["pipeline"], args].concat(),
            actions,
        )
    }
}

/// Returns the arguments that set the parameters.
pub fn given<'a>(parameters: &[&'a str]) -> Vec<&'a str> {
    parameters
        .iter()
        .flat_map(|parameter| ["-P", parameter])
        .collect()
}

fn keys(owner: &Owner) -> Vec<String> {
    let standing = owner.standing();
    let stack = owner.stack();
    standing.keys(stack["parameters"]["ToolsBucket"].as_str().unwrap())
}

#[test]
fn it_is_deployed_looked_at_and_taken_away() {
    let owner = Owner::new();
    let deployed = owner.deploy(&given(&PARAMETERS));
    deployed.assert_code(0).assert_says("1 deployed");
    let stack = owner.stack();
    assert_eq!(
        (&stack["status"], &stack["tags"]["taskcat-pipeline"]),
        (&json!("CREATE_COMPLETE"), &json!("shop-pipeline"))
    );
    let configuration = stack["outputs"]["ConfigurationBucketName"]
        .as_str()
        .unwrap()
        .to_owned();
    let next = format!("aws s3 cp configuration.zip s3://{configuration}/ --region us-east-1");
    assert!(deployed.stdout.contains(&next), "{}", deployed.stdout);
    let first = keys(&owner);
    let names = [
        "buildspec.changes.yml",
        "buildspec.prune.yml",
        "buildspec.sync.yml",
        "buildspec.test.yml",
        "git-merge.zip",
        "pipeline.yaml",
        "submodules.sh",
        "taskcat",
    ];
    let prefix = stack["parameters"]["ToolsPrefix"].as_str().unwrap();
    assert_eq!(first, names.map(|name| format!("{prefix}{name}")));

    let status = owner.taskcat(&["status", "shop-pipeline"]).run();
    status.assert_code(0);
    for stage in ["Source", "Test", "GitMerge", "SyncToS3", "Production"] {
        assert!(
            status.stdout.contains(&format!("· {stage}")),
            "{}",
            status.stdout
        );
    }

    // Nothing has changed at first, then a program and a parameter. Other parameters keep their
    // values.
    owner.deploy(&[]).assert_code(0).assert_says("1 unchanged");
    write_programs(&owner.project.path().join("programs"), ARM64);
    owner
        .server
        .given(&["object", &configuration, "configuration.zip", "a zip"]);
    let changed = owner.deploy(&["-P", "SourceBranch=next"]);
    changed
        .assert_code(0)
        .assert_says("~ modify  MergeFunction")
        .assert_says("Code");
    assert!(
        !changed.stdout.contains("configuration.zip"),
        "{}",
        changed.stdout
    );
    let stack = owner.stack();
    assert_eq!(stack["parameters"]["Architecture"], "arm64");
    assert_eq!(
        (
            &stack["parameters"]["SourceBranch"],
            &stack["parameters"]["Repository"]
        ),
        (&json!("next"), &json!("acme/shop"))
    );
    // The old programs were deleted.
    let second = keys(&owner);
    assert!(second.len() == names.len() && second != first, "{second:?}");

    // Everything is deleted, old versions and delete markers included.
    let bucket = stack["outputs"]["ProductionBucketName"].as_str().unwrap();
    for text in ["one", "two"] {
        owner
            .server
            .given(&["object", bucket, "shop/templates/shop.yaml", text]);
    }
    owner
        .server
        .given(&["removed", bucket, "shop/templates/shop.yaml"]);
    owner
        .taskcat(&["delete", "shop-pipeline"])
        .run()
        .assert_code(2)
        .assert_says("pass --yes to delete without asking");
    let deleted = owner.taskcat(&["delete", "shop-pipeline", "--yes"]).run();
    deleted
        .assert_code(0)
        .assert_says(bucket)
        .assert_says("1 stack and 1 bucket deleted");
    owner.standing().assert_nothing();
    owner
        .taskcat(&["delete", "shop-pipeline", "--yes"])
        .run()
        .assert_code(2)
        .assert_says("stack shop-pipeline does not exist");
}

#[test]
fn programs_may_lie_in_a_bucket_of_the_owners() {
    let owner = Owner::new();
    let bucket = format!("own-{}", owner.server.port());
    owner.server.given(&["bucket", &bucket, REGION]);
    owner
        .server
        .given(&["object", &bucket, "of/somebody", "else"]);
    let tools = format!("ToolsBucket={bucket}");
    owner
        .deploy(&given(&[&PARAMETERS[..], &[&tools]].concat()))
        .assert_code(0);
    assert_eq!(keys(&owner).len(), 9);
    owner
        .taskcat(&["delete", "shop-pipeline", "--yes"])
        .run()
        .assert_code(0)
        .assert_says("1 stack and 0 buckets deleted");
    let standing = owner.standing();
    assert_eq!(
        (standing.stacks.len(), standing.keys(&bucket)),
        (0, vec!["of/somebody".to_owned()])
    );
}

#[test]
fn what_is_missing_or_wrong_is_told_at_once() {
    let owner = Owner::new();
    let missing = owner.deploy(&[]);
    missing.assert_code(2);
    for parameter in PARAMETERS {
        let name = parameter.split_once('=').unwrap().0;
        missing.assert_says(&format!("parameter `{name}` is missing: "));
    }
    let wrong = [
        "Repository=shop",
        "ConnectionArn=x",
        "BucketParameter=Bucket",
    ];
    owner
        .deploy(&given(&[&PARAMETERS[..], &wrong].concat()))
        .assert_code(2)
        .assert_says("Repository failed to satisfy constraint: must be owner/name")
        .assert_says("ConnectionArn failed to satisfy constraint")
        .assert_says("BucketParameter and PrefixParameter are given both or not at all");
    fs::remove_file(owner.project.path().join("programs/git-merge.zip")).unwrap();
    owner
        .deploy(&["-P", "Repositry=acme/shop", "-P", "Architecture=arm64"])
        .assert_code(2)
        .assert_says("did you mean `Repository`?")
        .assert_says("`Architecture` cannot be set: it follows from the programs")
        .assert_says("git-merge.zip: no such file");
    owner
        .deploy(&["-P", "Repository"])
        .assert_code(2)
        .assert_says("expected KEY=VALUE");
    let named = owner.taskcat(&["status", "shop/pipeline"]).run();
    named
        .assert_code(2)
        .assert_says("expected letters, digits and hyphens");
    owner.standing().assert_nothing();
}

#[test]
fn no_other_stack_is_taken_for_a_pipeline() {
    let owner = Owner::new();
    let shop = Project::copy_of("deploy");
    Taskcat::at(&shop, &owner.server.endpoint())
        .args(["deploy", "run", "-l", "--yes"])
        .run()
        .assert_code(0);
    for args in [
        &["status", "shop-main"][..],
        &["delete", "shop-main", "--yes"],
    ] {
        owner
            .taskcat(args)
            .run()
            .assert_code(2)
            .assert_says("was not created by `taskcat pipeline deploy`");
    }
    let deploy = ["deploy", "shop-main", "--yes", "--programs", "programs"];
    let refused = owner.taskcat(&deploy).args(given(&PARAMETERS)).run();
    refused
        .assert_code(2)
        .assert_says("was not created by `taskcat pipeline deploy`");
    assert!(
        owner
            .standing()
            .stacks
            .iter()
            .any(|stack| stack["name"] == "shop-main")
    );
}

#[test]
fn a_creation_that_failed_is_taken_away() {
    let owner = Owner::new();
    // The bucket that the owner names doesn't exist: nothing is created.
    let failed = owner.deploy(&given(
        &[&PARAMETERS[..], &["ToolsBucket=nobody-has-this-one"]].concat(),
    ));
    failed.assert_code(3).assert_says("nobody-has-this-one");
    owner.standing().assert_nothing();

    // A log group of that name exists already.
    let other = Project::copy_of("deploy");
    let logs = "Resources:\n  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: \
        /shop-pipeline/test}}\n";
    other.write("templates/logs.yaml", logs);
    let taken = ["deploy", "run", "-l", "--yes", "-i", "templates/logs.yaml"];
    Taskcat::at(&other, &owner.server.endpoint())
        .args(taken)
        .run()
        .assert_code(0);
    let failed = owner.deploy(&given(&PARAMETERS));
    failed
        .assert_code(1)
        .assert_says("TestLogs (AWS::Logs::LogGroup) CREATE_FAILED")
        .assert_says("pipeline.yaml:");
    // CloudFormation has deleted the stack, and taskcat the programs.
    let standing = owner.standing();
    assert_eq!(standing.stacks.len(), 1);
    assert!(
        standing
            .buckets
            .keys()
            .all(|name| name.starts_with("tcat-")),
        "{:?}",
        standing.buckets.keys()
    );
}

#[test]
fn what_is_left_for_review_is_taken_up_or_away() {
    let owner = Owner::new();
    let review = [
        "deploy",
        "shop-pipeline",
        "--no-execute",
        "--programs",
        "programs",
    ];
    let left = owner.taskcat(&review).args(given(&PARAMETERS)).run();
    left.assert_code(0).assert_says("is left for review");
    assert!(left.stdout.is_empty(), "{}", left.stdout);
    owner
        .taskcat(&["status", "shop-pipeline"])
        .run()
        .assert_code(0);
    owner
        .taskcat(&["delete", "shop-pipeline", "--yes"])
        .run()
        .assert_code(0)
        .assert_says("1 stack and 1 bucket deleted");
    owner.standing().assert_nothing();

    owner
        .taskcat(&review)
        .args(given(&PARAMETERS))
        .run()
        .assert_code(0);
    owner
        .deploy(&given(&PARAMETERS))
        .assert_code(0)
        .assert_says("1 deployed");
    assert_eq!(owner.stack()["status"], "CREATE_COMPLETE");
}

#[test]
fn an_update_that_fails_leaves_what_was() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    let first = keys(&owner);
    write_programs(&owner.project.path().join("programs"), ARM64);
    let review = [
        "deploy",
        "shop-pipeline",
        "--no-execute",
        "--programs",
        "programs",
    ];
    owner
        .taskcat(&review)
        .run()
        .assert_code(0)
        .assert_says("is left for review");
    // The stack needs the old programs, the change set the new ones.
    assert_eq!(keys(&owner).len(), 2 * first.len());
    // The new bucket doesn't exist.
    owner
        .deploy(&["-P", "ToolsBucket=nobody-has-this-one"])
        .assert_code(3);
    assert_eq!(owner.stack()["parameters"]["Architecture"], "x86_64");
    assert!(first.iter().all(|key| keys(&owner).contains(key)));
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn who_is_asked_answers() {
    let owner = Owner::new();
    let git = |args: &[&str]| {
        assert!(
            Command::new("git")
                .args(args)
                .current_dir(owner.project.path())
                .status()
                .unwrap()
                .success()
        );
    };
    git(&["init", "-q"]);
    git(&["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    let shop = Project::copy_of("deploy");
    for file in shop.files("") {
        owner.project.write(&file, &shop.read(&file));
    }
    let deploy = ["deploy", "shop-pipeline", "--programs", "programs"];
    let value = |name: &str| {
        let found = PARAMETERS
            .iter()
            .find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
            .unwrap();
        format!("type={found}\r")
    };
    let answers = [
        "wait=ConnectionArn".to_owned(),
        // Answers are checked.
        "type=x\r".to_owned(),
        "wait=must be the ARN of a connection".to_owned(),
        value("ConnectionArn"),
        "wait=Repository [acme/shop]".to_owned(),
        "type=\r".to_owned(),
        "wait=SourceBranch [develop]".to_owned(),
        "type=\r".to_owned(),
        "wait=ReleaseBranch [main]".to_owned(),
        "type=\r".to_owned(),
        "wait=TestPolicyArn".to_owned(),
        value("TestPolicyArn"),
        "wait=GitHubTokenSecretArn".to_owned(),
        value("GitHubTokenSecretArn"),
        "wait=ProductionStackName [shop]".to_owned(),
        "type=\r".to_owned(),
        "wait=ProductionTemplate [templates/shop.yaml]".to_owned(),
        "type=\r".to_owned(),
        "wait=ProductionPolicyArn".to_owned(),
        value("ProductionPolicyArn"),
        "wait=ProductionKeyPrefix [shop]".to_owned(),
        "type=\r".to_owned(),
        "wait=BucketParameter [ArtifactBucket]".to_owned(),
        "type=\r".to_owned(),
        "wait=PrefixParameter [ArtifactPrefix]".to_owned(),
        "type=\r".to_owned(),
        "wait=ApproverEmail".to_owned(),
        "type=\r".to_owned(),
        "wait=[N]o:".to_owned(),
    ];
    let ask = |last: &[&str]| {
        let actions = answers.iter().map(String::as_str);
        let actions: Vec<&str> = actions.chain(last.iter().copied()).collect();
        owner.on_a_terminal(&deploy, &actions)
    };
    // After a refusal, not even the programs remain.
    let end = ask(&["type=n\r"]);
    assert_eq!(end["code"], 0, "{end:#}");
    owner.standing().assert_nothing();
    let end = ask(&[
        "type=y\r",
        "wait=Upload a first configuration.zip made from the project?",
        "type=y\r",
    ]);
    assert_eq!(end["code"], 0, "{end:#}");
    let bucket = owner.stack()["outputs"]["ConfigurationBucketName"].clone();
    assert_eq!(
        owner.standing().keys(bucket.as_str().unwrap()),
        ["configuration.zip"]
    );
    let parameters = owner.stack()["parameters"].clone();
    assert_eq!(
        (&parameters["BucketParameter"], &parameters["ApproverEmail"]),
        (&json!("ArtifactBucket"), &json!(""))
    );

    let end = owner.on_a_terminal(
        &["delete", "shop-pipeline"],
        &["wait=Delete all of it?", "type=n\r"],
    );
    assert_eq!(
        (&end["code"], owner.standing().stacks.len()),
        (&json!(0), 1),
        "{end:#}"
    );
    let end = owner.on_a_terminal(
        &["delete", "shop-pipeline"],
        &["wait=Delete all of it?", "type=y\r"],
    );
    assert_eq!(end["code"], 0, "{end:#}");
    owner.standing().assert_nothing();
    // Nothing remains after an interrupted question, either.
    let end = owner.on_a_terminal(&deploy, &["wait=ConnectionArn", "type=^C"]);
    assert_ne!(end["code"], 0, "{end:#}");
    owner.standing().assert_nothing();
    let left = fs::read_dir(owner.project.home())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left
        .filter(|name| name.starts_with("taskcat-pipeline-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Starts a CodePipeline that returns the same state for every pipeline.
fn code_pipeline(state: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 16384];
            let _ = stream.read(&mut asked);
            let body = state.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: \
                close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}")
}

/// Returns a stage as in the answer of GetPipelineState.
fn stage(name: &str, action: &str, status: &str, more: Value) -> Value {
    let mut execution = json!({"status": status, "lastStatusChange": 1_795_000_000.5});
    execution
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({
        "stageName": name,
        "inboundTransitionState": {"enabled": true},
        "actionStates": [{
            "actionName": action,
            "entityUrl": "https://example.com/entity",
            "latestExecution": execution,
        }],
        "latestExecution": {"pipelineExecutionId": "0f0f", "status": status},
    })
}

#[test]
fn a_failed_stage_says_why() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    let message = r#"{"ProviderType":"GitHub","CommitMessage":"Name the bucket\n\nAt last."}"#;
    let commit = json!({"summary": message});
    let why = json!({
        "errorDetails": {
            "code": "JobFailed",
            "message": "develop has moved on since it was tested",
        },
        "externalExecutionUrl": "https://example.com/job",
    });
    let state = json!({"pipelineName": "p", "stageStates": [
        stage("Source", "Repository", "Succeeded", commit),
        stage("Test", "Taskcat", "Succeeded", json!({})),
        stage("GitMerge", "Merge", "Failed", why),
        stage("Production", "Approval", "InProgress", json!({"token": "0f0f0f0f"})),
    ]});
    let status = owner.taskcat(&["status", "shop-pipeline"]);
    let status = status
        .env("AWS_ENDPOINT_URL_CODEPIPELINE", code_pipeline(state))
        .run();
    status.assert_code(1);
    for line in [
        "✓ Source      Repository  Succeeded   2026-11-18 11:06 UTC  Name the bucket\n",
        "✓ Test        Taskcat     Succeeded   2026-11-18 11:06 UTC\n",
        "✗ GitMerge    Merge       Failed      2026-11-18 11:06 UTC  develop has moved on since it \
         was tested  https://example.com/job\n",
        "? Production  Approval    to approve  2026-11-18 11:06 UTC  https://example.com/entity\n",
    ] {
        assert!(
            status.stdout.contains(line),
            "no {line:?} in\n{}",
            status.stdout
        );
    }
}

#[test]
fn an_execution_in_progress_is_not_cut_off() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    for (name, action, expect) in [
        ("Test", "Taskcat", "its stacks would not be deleted"),
        (
            "Production",
            "Execute",
            "an execution of the pipeline is in progress, in the stage Production",
        ),
    ] {
        let stages = [stage(name, action, "InProgress", json!({}))];
        let state = json!({"pipelineName": "p", "stageStates": stages});
        let delete = owner.taskcat(&["delete", "shop-pipeline", "--yes"]);
        let refused = delete
            .env("AWS_ENDPOINT_URL_CODEPIPELINE", code_pipeline(state))
            .run();
        refused
            .assert_code(2)
            .assert_says(expect)
            .assert_says("stop-pipeline-execution --pipeline-name");
    }
    assert_eq!(owner.stack()["status"], "CREATE_COMPLETE");
}

const FOREIGN: &str = "Resources: {Data: {Type: AWS::S3::Bucket}}";
const DELETE: [&str; 3] = ["delete", "shop-pipeline", "--yes"];

#[test]
fn a_stack_that_somebody_else_created_is_left_alone() {
    let ours = "taskcat-0123456789abcdef0123456789abcdef";
    let mark = "taskcat-pipeline=shop-pipeline";
    let stack = ["template-stack", REGION, "shop-pipeline", FOREIGN];
    let review = |name| ["change-set", REGION, "shop-pipeline", name, FOREIGN];
    for given_there in [
        &stack[..],
        &[&stack[..], &["taskcat-pipeline=another"]].concat(),
        &[&stack[..], &["taskcat-installer=shop-pipeline"]].concat(),
        &review("release-7"),
        &review(ours),
        &[&review("taskcat-release")[..], &[mark]].concat(),
        &[&review(ours)[..], &["taskcat-pipeline=another"]].concat(),
    ] {
        let owner = Owner::new();
        owner.server.given(given_there);
        let before = owner.standing();
        for refused in [
            owner.taskcat(&DELETE).run(),
            owner.taskcat(&["status", "shop-pipeline"]).run(),
            owner.deploy(&given(&PARAMETERS)),
        ] {
            refused
                .assert_code(2)
                .assert_says("was not created by `taskcat pipeline deploy`");
        }
        let after = owner.standing();
        assert_eq!(
            (&after.stacks, &after.buckets),
            (&before.stacks, &before.buckets),
            "{given_there:?}"
        );
    }
    // For an empty stack, the message has the command that deletes it.
    let owner = Owner::new();
    owner.server.given(&review(ours));
    owner
        .server
        .given(&["no-change-set", REGION, "shop-pipeline", ours]);
    let refused = owner.taskcat(&DELETE).run();
    refused.assert_code(2).assert_says(
        "`aws cloudformation delete-stack --stack-name shop-pipeline --region us-east-1",
    );
}

/// Returns the name of the bucket that was created for the programs.
fn tools(owner: &Owner) -> String {
    owner.stack()["parameters"]["ToolsBucket"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_bucket_for_programs_has_to_be_ours() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    let tools = tools(&owner);
    assert_eq!(
        owner.standing().buckets[&tools]["tags"],
        json!({"taskcat-pipeline": "shop-pipeline"})
    );

    // The bucket has the tag of another pipeline: the stack is deleted, the bucket is not.
    owner
        .server
        .given(&["bucket-tag", &tools, "taskcat-pipeline", "another"]);
    let before = owner.standing().buckets[&tools].clone();
    // A pipeline whose programs it holds already may be updated.
    owner.deploy(&["-P", "SourceBranch=next"]).assert_code(0);
    let deleted = owner.taskcat(&DELETE).run();
    deleted
        .assert_code(4)
        .assert_says("it lacks the tag taskcat-pipeline=shop-pipeline");
    deleted.assert_says(&format!(
        "delete it with `aws s3 rb s3://{tools} --force --region us-east-1"
    ));
    let standing = owner.standing();
    assert_eq!(
        (standing.stacks.len(), &standing.buckets[&tools]),
        (0, &before)
    );
    // Nothing is uploaded to it or deleted from it, either.
    let refused = owner.deploy(&given(&PARAMETERS));
    refused.assert_code(2).assert_says(&format!(
        "the bucket {tools} was not created by `taskcat pipeline deploy`"
    ));
    assert_eq!(owner.standing().buckets[&tools], before);

    // A bucket of another account.
    let owner = Owner::new();
    owner
        .server
        .given(&["foreign-bucket", &tools, REGION, "999999999999"]);
    owner
        .deploy(&given(&PARAMETERS))
        .assert_code(2)
        .assert_says("does not belong to account 123456789012");
    assert_eq!(owner.standing().stacks.len(), 0);
}

#[test]
fn nothing_is_emptied_where_the_deletion_is_refused() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    let bucket = bucket_of(&owner);
    owner
        .server
        .given(&["object", &bucket, "shop/templates/shop.yaml", "one"]);
    owner.server.given(&["protected", REGION, "shop-pipeline"]);
    let refused = owner.taskcat(&DELETE).run();
    refused
        .assert_code(2)
        .assert_says("termination protection is enabled for the stack shop-pipeline in us-east-1");
    refused.assert_says(
        "update-termination-protection --no-enable-termination-protection \
        --stack-name shop-pipeline",
    );
    assert_eq!(owner.standing().keys(&bucket), ["shop/templates/shop.yaml"]);
    assert_eq!(owner.stack()["status"], "CREATE_COMPLETE");

    // CloudFormation refuses the deletion for another reason.
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    owner.server.given(&[
        "object",
        &bucket_of(&owner),
        "shop/templates/shop.yaml",
        "one",
    ]);
    let proxy = Proxy::with_faults(&owner.server, &["DeleteStack=403:AccessDenied"]);
    let refused = owner
        .taskcat(&DELETE)
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .run();
    refused.assert_code(4).assert_says("AccessDenied");
    assert_eq!(
        owner.standing().keys(&bucket_of(&owner)),
        ["shop/templates/shop.yaml"]
    );
    assert!(!keys(&owner).is_empty());
}

fn bucket_of(owner: &Owner) -> String {
    owner.stack()["outputs"]["ProductionBucketName"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn pipelines_that_share_a_bucket_keep_their_programs() {
    let owner = Owner::new();
    let bucket = format!("own-{}", owner.server.port());
    owner.server.given(&["bucket", &bucket, REGION]);
    let tools = format!("ToolsBucket={bucket}");
    let parameters = given(&[&PARAMETERS[..], &[&tools]].concat());
    owner.deploy(&parameters).assert_code(0);
    let first = owner.standing().keys(&bucket);
    let other = ["deploy", "other", "--yes", "--programs", "programs"];
    owner
        .taskcat(&other)
        .args(parameters.iter().copied())
        .run()
        .assert_code(0);
    assert_eq!(owner.standing().keys(&bucket).len(), 2 * first.len());
    // Updating or deleting one of them deletes no programs of the other.
    write_programs(&owner.project.path().join("programs"), ARM64);
    owner
        .taskcat(&other)
        .run()
        .assert_code(0)
        .assert_says("1 deployed");
    owner
        .taskcat(&["delete", "other", "--yes"])
        .run()
        .assert_code(0);
    assert_eq!(owner.standing().keys(&bucket), first);
}

#[test]
fn two_deployments_at_once_share_the_programs() {
    let owner = Owner::new();
    // The first one waits for its change set until the second one is done, and is then interrupted.
    let proxy = Proxy::with_faults(&owner.server, &["DescribeChangeSet=throttle"]);
    let waiting = owner.taskcat(&["deploy", "shop-pipeline", "--yes", "--programs", "programs"]);
    let mut waiting = waiting
        .args(given(&PARAMETERS))
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .start();
    waiting.wait_until("the stack is in review", || {
        !owner.standing().stacks.is_empty()
    });
    owner
        .deploy(&given(&PARAMETERS))
        .assert_code(0)
        .assert_says("1 deployed");
    waiting.signal("TERM");
    waiting
        .wait()
        .assert_code(130)
        .assert_says("the programs were kept");
    assert_eq!(owner.stack()["status"], "CREATE_COMPLETE");
    assert!(!keys(&owner).is_empty());
}

#[test]
fn a_bucket_without_its_stack_is_deleted() {
    let owner = Owner::new();
    owner.deploy(&given(&PARAMETERS)).assert_code(0);
    let proxy = Proxy::with_faults(&owner.server, &["DeleteBucket=403:AccessDenied"]);
    let left = owner
        .taskcat(&DELETE)
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .run();
    left.assert_code(4).assert_says("AccessDenied");
    assert_eq!(
        (
            owner.standing().stacks.len(),
            owner.standing().buckets.len()
        ),
        (0, 1)
    );
    owner
        .taskcat(&DELETE)
        .run()
        .assert_code(0)
        .assert_says("There is no stack shop-pipeline in us-east-1");
    owner.standing().assert_nothing();
    owner
        .taskcat(&DELETE)
        .run()
        .assert_code(2)
        .assert_says("stack shop-pipeline does not exist");

    // A killed deployment has left the bucket without a stack.
    let proxy = Proxy::with_faults(&owner.server, &["PutObject=after:hang"]);
    let deploy = owner.taskcat(&["deploy", "shop-pipeline", "--yes", "--programs", "programs"]);
    let deploy = deploy
        .args(given(&PARAMETERS))
        .env("AWS_ENDPOINT_URL", proxy.endpoint());
    let mut deploy = deploy.start();
    deploy.wait_until("programs are put", || {
        owner
            .standing()
            .buckets
            .values()
            .any(|it| it["objects"] != json!({}))
    });
    deploy.signal("KILL");
    deploy.wait();
    owner.taskcat(&DELETE).run().assert_code(0);
    owner.standing().assert_nothing();
}
