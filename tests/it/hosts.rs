//! With `--endpoint-url` no call of any command leaves for another host.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::pipeline_command::{PARAMETERS, X86_64, given, write_programs};
use crate::project::Project;
use crate::proxy::{Calls, Proxy};
use crate::servers::{Kind, Server};
use crate::sources::home_file;
use crate::taskcat::{Outcome, Taskcat};

const CONFIG: &str =
    "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
const CREDENTIALS: &str = "[base]\naws_access_key_id = AKIAbase\naws_secret_access_key = s3cr3t\n";

/// A command line, what was run before it, and calls that it makes: a command that stops early
/// proves nothing.
struct Row {
    command: &'static str,
    /// `{run}` is the ID of the run before it.
    arguments: &'static [&'static str],
    before: Before,
    calls: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A run that has kept its stacks.
    Run,
    /// The same with a nested stack.
    NestedRun,
    /// A pipeline.
    Pipeline,
    /// A template with a map of AMI IDs.
    AmiMap,
}

/// Nests the template of the project's test.
const NESTING: &str = "\
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://the-users-own-bucket.s3.us-east-1.amazonaws.com/given-bucket/templates/topic.template.yaml
";

const AMI_MAP: &str = "\
Mappings:
  AWSAMIRegionMap:
    us-east-1: {AMZNLINUX2: ami-0123456789abcdef0}
Resources:
  Topic: {Type: AWS::SNS::Topic}
";

/// Every command that calls AWS. Those of [`OFFLINE`] don't.
const CALLING: &[Row] = &[
    Row {
        command: "test run",
        arguments: &["-l"],
        before: Before::Nothing,
        calls: &[
            "CreateStack",
            "DescribeStackEvents",
            "PutObject",
            "DeleteStack",
        ],
    },
    Row {
        command: "test list",
        arguments: &["-r", "us-east-1"],
        before: Before::Run,
        calls: &["GetCallerIdentity", "DescribeStacks", "ListBuckets"],
    },
    Row {
        command: "test list",
        arguments: &[],
        before: Before::Nothing,
        calls: &["DescribeRegions", "DescribeStacks"],
    },
    Row {
        command: "test clean",
        arguments: &[
            "ALL",
            "--yes",
            "--wait-for-delete",
            "-r",
            "us-east-1,eu-west-1",
        ],
        before: Before::Run,
        calls: &["DescribeStacks", "DeleteStack"],
    },
    Row {
        command: "test resume",
        arguments: &["{run}", "-r", "us-east-1,eu-west-1"],
        before: Before::Run,
        calls: &["GetCallerIdentity", "DescribeStacks"],
    },
    Row {
        command: "test retry",
        arguments: &["us-east-1", "tCaT-given-bucket-topic-{run}", "Nested"],
        before: Before::NestedRun,
        calls: &["DescribeStackEvents", "DeleteStack", "CreateStack"],
    },
    Row {
        command: "list",
        arguments: &["-r", "us-east-1"],
        before: Before::Run,
        calls: &["GetCallerIdentity", "DescribeStacks"],
    },
    Row {
        command: "deploy list",
        arguments: &[],
        before: Before::Nothing,
        calls: &["DescribeRegions", "DescribeStacks"],
    },
    Row {
        command: "delete",
        arguments: &["{run}", "-w", "-r", "us-east-1,eu-west-1"],
        before: Before::Run,
        calls: &["DescribeStacks", "DeleteStack"],
    },
    Row {
        command: "upload",
        arguments: &[],
        before: Before::Nothing,
        calls: &["HeadBucket", "PutObject"],
    },
    Row {
        command: "deploy run",
        arguments: &["--yes"],
        before: Before::Nothing,
        calls: &["PutObject", "CreateChangeSet", "ExecuteChangeSet"],
    },
    Row {
        command: "pipeline deploy",
        arguments: PIPELINE,
        before: Before::Nothing,
        calls: &[
            "CreateBucket",
            "PutObject",
            "CreateChangeSet",
            "ExecuteChangeSet",
        ],
    },
    Row {
        command: "pipeline status",
        arguments: &["shop-pipeline"],
        before: Before::Pipeline,
        calls: &["DescribeStacks", "GetPipelineState"],
    },
    Row {
        command: "pipeline delete",
        arguments: &["shop-pipeline", "--yes"],
        before: Before::Pipeline,
        calls: &["DeleteStack", "DeleteBucket"],
    },
    Row {
        command: "update-ami",
        arguments: &[],
        before: Before::AmiMap,
        calls: &["DescribeImages"],
    },
    Row {
        command: "doctor",
        arguments: &[],
        before: Before::Nothing,
        calls: &["GetCallerIdentity"],
    },
];

const PIPELINE: &[&str] = &["shop-pipeline", "--yes", "--programs", "programs"];

/// Commands that call nobody, with arguments that they need.
const OFFLINE: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("lint", &[]),
    (
        "render",
        &["templates/topic.template.yaml", "--region", "us-east-1"],
    ),
    ("report", &["no-such-directory"]),
    ("simulator", &["--help"]),
    ("config show", &[]),
    ("config convert", &[]),
    ("package", &[]),
    ("package-single", &[]),
    (
        "generate-config",
        &["-m", "templates/topic.template.yaml", "-o", "new.yml"],
    ),
    ("generate-iam-policy", &[]),
    ("completions", &["bash"]),
    ("man", &[]),
    ("schema", &[]),
];

/// A new command gets a row above.
#[test]
fn every_command_has_a_row() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/help");
    let pages = fs::read_dir(pages).unwrap().map(|entry| {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        let is_group = page.contains("\nCommands:\n");
        let usage = page
            .lines()
            .find_map(|line| line.strip_prefix("Usage: taskcat "));
        let words = usage.unwrap().split(' ');
        let command: Vec<_> = words
            .take_while(|word| !word.starts_with(['[', '<']))
            .map(str::to_owned)
            .collect();
        (!is_group).then(|| command.join(" "))
    });
    let rows = CALLING.iter().map(|row| row.command.to_owned());
    let rows = rows.chain(OFFLINE.iter().map(|(command, _)| (*command).to_owned()));
    assert_eq!(pages.flatten().collect::<BTreeSet<_>>(), rows.collect());
}

/// A user with a role, an endpoint, and a proxy to all other hosts.
struct User {
    proxy: Proxy,
    _server: Server,
    project: Project,
    other_hosts: TcpListener,
}

impl User {
    fn new() -> Self {
        let server = Server::take(Kind::Simulator);
        server.given(&["bucket", "the-users-own-bucket", "us-east-1"]);
        let project = Project::copy_of("given-bucket");
        write_programs(&project.path().join("programs"), X86_64);
        home_file(&project, ".aws/config", CONFIG);
        home_file(&project, ".aws/credentials", CREDENTIALS);
        let other_hosts = TcpListener::bind("127.0.0.1:0").unwrap();
        other_hosts.set_nonblocking(true).unwrap();
        Self {
            proxy: Proxy::before(&server),
            _server: server,
            project,
            other_hosts,
        }
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        let proxy = format!("http://{}", self.other_hosts.local_addr().unwrap());
        let parameters = match command {
            "pipeline deploy" => given(&PARAMETERS),
            _ => Vec::new(),
        };
        let run = Taskcat::offline(&self.project)
            .env("HTTP_PROXY", &proxy)
            .env("HTTPS_PROXY", &proxy)
            .env("NO_PROXY", "127.0.0.1")
            .args(["--endpoint-url", &self.proxy.endpoint(), "--profile", "r"])
            .args(command.split(' '))
            .args(arguments.iter().copied())
            .args(parameters)
            .run();
        let left = self.other_hosts.accept();
        assert!(
            left.is_err(),
            "{command} calls another host: {}",
            run.stderr
        );
        run
    }

    fn prepare(&self, before: Before) -> Option<String> {
        match before {
            Before::Nothing => None,
            Before::Run => {
                let run = self.run("test run", &["-l", "--no-delete"]);
                run.assert_code(0);
                run.report()["run_id"].as_str().map(str::to_owned)
            }
            Before::NestedRun => {
                self.project.write("templates/nesting.yaml", NESTING);
                let config = self.project.read(".taskcat.yml");
                let nesting = config.replace("topic.template.yaml", "nesting.yaml");
                self.project.write(".taskcat.yml", &nesting);
                self.prepare(Before::Run)
            }
            Before::AmiMap => {
                self.project.write("templates/topic.template.yaml", AMI_MAP);
                None
            }
            Before::Pipeline => {
                self.run("pipeline deploy", PIPELINE).assert_code(0);
                None
            }
        }
    }
}

#[test]
fn no_call_leaves_for_another_host() {
    for row in CALLING {
        let user = User::new();
        let run = user.prepare(row.before).unwrap_or_default();
        let arguments = row.arguments.iter().map(|it| it.replace("{run}", &run));
        let arguments: Vec<_> = arguments.collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let earlier = user.proxy.calls().0.len();
        let outcome = user.run(row.command, &arguments);
        let calls = Calls(user.proxy.calls().0.split_off(earlier));
        let said = format!("{} {arguments:?}:\n{}", row.command, calls.summary());
        assert_eq!(
            outcome.code,
            Some(0),
            "{said}{}{}",
            outcome.stdout,
            outcome.stderr
        );
        assert_eq!(calls.0[0]["action"], "AssumeRole", "{said}");
        for expected in row.calls {
            assert!(calls.count(expected) > 0, "no {expected}: {said}");
        }
    }
}

#[test]
fn offline_commands_call_nobody() {
    let user = User::new();
    for (command, arguments) in OFFLINE {
        user.run(command, arguments);
        assert_eq!(user.proxy.calls().0.len(), 0, "{command}");
    }
}
