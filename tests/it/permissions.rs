//! What commands say and leave if AWS denies one of their calls: the action, the region, what to
//! do, and nothing that they created.

use std::fs;

use crate::aws::Aws;
use crate::project::Project;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

/// A simulator that denies an action: `cloudformation:CreateStack`.
fn denying(project: &Project, action: &str) -> Simulator {
    let (service, name) = action.split_once(':').unwrap();
    let file = project.home().join("scenario.yml");
    let rule = format!("calls: [{{service: {service}, action: {name}, fault: deny}}]\n");
    fs::write(&file, rule).unwrap();
    Simulator::start(&["--speed", "1000", "--scenario", file.to_str().unwrap()])
}

struct DeniedCommand {
    args: &'static [&'static str],
    action: &'static str,
    region: &'static str,
    code: i32,
}

const fn command(
    args: &'static [&'static str],
    action: &'static str,
    region: &'static str,
    code: i32,
) -> DeniedCommand {
    DeniedCommand {
        args,
        action,
        region,
        code,
    }
}

const STACKS: &str = "cloudformation:DescribeStacks";

/// Every command that calls AWS with a project of its own, and a call of it. `deploy run`,
/// `pipeline`, `update-ami` and `doctor` have theirs in their own modules.
const COMMANDS: [DeniedCommand; 13] = [
    command(
        &["test", "run", "-l"],
        "sts:GetCallerIdentity",
        "eu-west-1",
        3,
    ),
    command(&["test", "run", "-l"], "s3:CreateBucket", "eu-west-1", 3),
    command(&["test", "run", "-l"], "s3:PutObject", "eu-west-1", 3),
    command(
        &["test", "run", "-l"],
        "cloudformation:CreateStack",
        "eu-west-1",
        1,
    ),
    command(&["upload"], "s3:CreateBucket", "eu-west-1", 3),
    command(&["upload"], "s3:PutObject", "eu-west-1", 3),
    command(&["test", "list", "-r", "eu-west-1"], STACKS, "eu-west-1", 3),
    command(
        &["deploy", "list", "-r", "eu-west-1"],
        STACKS,
        "eu-west-1",
        3,
    ),
    command(&["list", "-r", "eu-west-1"], STACKS, "eu-west-1", 3),
    command(
        &["delete", "p", "-n", "-r", "eu-west-1"],
        STACKS,
        "eu-west-1",
        3,
    ),
    command(
        &["test", "clean", "p", "-r", "eu-west-1"],
        STACKS,
        "eu-west-1",
        3,
    ),
    command(
        &["test", "retry", "eu-west-1", "s", "r"],
        STACKS,
        "eu-west-1",
        3,
    ),
    command(
        &["test", "list", "-r", "ALL"],
        "ec2:DescribeRegions",
        "us-east-1",
        4,
    ),
];

#[tokio::test]
async fn a_denied_call_is_named_and_leaves_nothing() {
    for DeniedCommand {
        args,
        action,
        region,
        code,
    } in COMMANDS
    {
        let project = Project::empty("p");
        project.write(
            ".taskcat.yml",
            "project: {name: p, regions: [eu-west-1]}\ntests: {t: {template: t.yaml}}\n",
        );
        project.write("t.yaml", "Resources: {T: {Type: AWS::SNS::Topic}}\n");
        let simulator = denying(&project, action);
        let outcome: Outcome = Taskcat::at(&project, &simulator.endpoint())
            .args(args.iter().copied())
            .run();
        let (_, operation) = action.split_once(':').unwrap();
        let context = format!("{args:?} {action}\n{}\n{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{context}");
        assert!(
            outcome.stderr.contains(&format!("{region}: {operation}: ")),
            "{context}"
        );
        let says = |text: &str| outcome.stderr.contains(text);
        assert!(
            says(&format!("not authorized to perform: {action} ")),
            "{context}"
        );
        assert!(
            says("help: allow the action to the caller")
                || says("hint: the caller lacks ")
                || says("(-r names more regions)"),
            "{context}"
        );
        let aws = Aws::at(&simulator.endpoint());
        if action != STACKS {
            assert!(aws.stacks("eu-west-1").await.is_empty(), "{context}");
        }
        // `upload` keeps its bucket for the next time.
        if !args.contains(&"upload") {
            assert!(aws.buckets().await.is_empty(), "{context}");
        }
    }
}
