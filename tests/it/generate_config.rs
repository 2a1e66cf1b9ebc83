//! `taskcat generate-config`: a configuration that fits its templates, and its verdict.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

const MAIN: &str = "\
Parameters:
  Zones: {Type: 'List<AWS::EC2::AvailabilityZone::Name>'}
  FirstZone: {Type: 'AWS::EC2::AvailabilityZone::Name'}
  Password: {Type: String, NoEcho: true, MinLength: 8, MaxLength: 12}
  QSS3BucketName: {Type: String, Default: somewhere-else}
  QSS3KeyPrefix: {Type: String, Default: shop/, AllowedPattern: '^[0-9a-zA-Z-/]*/$'}
  QSS3BucketRegion: {Type: String, Default: us-east-1}
  LogBucket: {Type: String}
  Id: {Type: String, AllowedPattern: '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'}
  Size: {Type: String, AllowedValues: [small, large]}
  Title: {Type: String, Default: Shop}
Resources:
  Logs: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref LogBucket}}
  Subnet:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Select [2, !Ref Zones]}
  Queue:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub https://${QSS3BucketName}.s3.${QSS3BucketRegion}.amazonaws.com/${QSS3KeyPrefix}templates/queue.yaml
";

const QUEUE: &str = "Resources: {Queue: {Type: AWS::SQS::Queue}}\n";

fn shop() -> Project {
    let project = Project::empty("shop");
    project.write("templates/template.yaml", MAIN);
    project.write("templates/queue.yaml", QUEUE);
    project.write("data/other.json", "{\"Resources\": []}\n");
    project.write("taskcat_outputs/old.yaml", QUEUE);
    project.write("node_modules/x/template.yaml", QUEUE);
    project
}

/// Makes a directory a repository that was cloned from `acme/store`.
fn clone_of_store(directory: &Path) {
    let remote = "remote add origin https://github.com/acme/store.git";
    for arguments in ["init --quiet", remote] {
        let mut git = Command::new("git");
        git.arg("-C").arg(directory).args(arguments.split(' '));
        assert!(git.status().unwrap().success());
    }
}

fn generate(project: &Project, args: &[&str]) -> Outcome {
    Taskcat::offline(project)
        .args(["generate-config"].into_iter().chain(args.iter().copied()))
        .run()
}

/// The configuration as the program reads it.
fn shown(project: &Project) -> Value {
    let outcome = Taskcat::offline(project)
        .args(["config", "show", "--format", "json"])
        .run();
    outcome.assert_code(0);
    serde_json::from_str(&outcome.stdout).unwrap()
}

const GENERATED: &str = "\
# yaml-language-server: $schema=https://raw.githubusercontent.com/aws-ia/taskcat/main/taskcat/cfg/config_schema.json
project:
  name: shop
  owner: noreply@example.com
  regions:
    - us-east-1
tests:
  default:
    template: templates/template.yaml
    parameters:
      Zones: $[taskcat_genaz_3]
      FirstZone: $[taskcat_gensingleaz_1]
      Password: $[taskcat_genpass_12]
      QSS3BucketName: $[taskcat_autobucket]
      QSS3KeyPrefix: $[taskcat_project_name]/
      QSS3BucketRegion: $[taskcat_current_region]
      LogBucket: taskcat-$[taskcat_genuuid]
      Id: $[taskcat_genuuid]
      Size: small
";

#[test]
fn the_tests_of_a_generated_configuration_would_launch() {
    let project = shop();
    let outcome = generate(&project, &[]);
    outcome.assert_code(0).assert_says("wrote .taskcat.yml");
    assert_eq!(project.read(".taskcat.yml"), GENERATED);
    assert!(
        outcome.stdout.contains("would launch"),
        "{}",
        outcome.stdout
    );
    let run = Taskcat::offline(&project)
        .args(["test", "run", "--local", "-l"])
        .run();
    run.assert_code(0);
}

#[test]
fn options_are_those_of_taskcat() {
    let project = shop();
    let outcome = generate(
        &project,
        &[
            "-o",
            "ci/own.yml",
            "-m",
            "templates/queue.yaml",
            "-u",
            "a@example.com",
            "-a",
            "eu-west-1",
            "-p",
            ".",
        ],
    );
    outcome.assert_code(5).assert_says("cannot write");
    fs::create_dir(project.path().join("ci")).unwrap();
    let outcome = generate(
        &project,
        &[
            "-o",
            "ci/own.yml",
            "-m",
            "templates/queue.yaml",
            "-u",
            "a@example.com",
            "-a",
            "eu-west-1",
            "-p",
            ".",
        ],
    );
    outcome.assert_code(0);
    let text = project.read("ci/own.yml");
    assert!(
        text.ends_with("\ntests:\n  default:\n    template: templates/queue.yaml\n"),
        "{text}"
    );
    assert!(
        text.contains("owner: a@example.com\n  regions:\n    - eu-west-1\n"),
        "{text}"
    );
}

#[test]
fn an_existing_configuration_is_kept() {
    let project = shop();
    project.write(".taskcat.yml", "# mine\n");
    for args in [&[][..], &["-p", "."]] {
        let outcome = generate(&project, args);
        outcome
            .assert_code(2)
            .assert_says(".taskcat.yml exists already")
            .assert_says("help: pass --replace to overwrite it");
        assert_eq!(project.read(".taskcat.yml"), "# mine\n");
    }
    for flag in ["-r", "--replace", "--force"] {
        project.write(".taskcat.yml", "# mine\n");
        generate(&project, &[flag])
            .assert_code(0)
            .assert_says(".taskcat.yml is overwritten");
        assert_eq!(project.read(".taskcat.yml"), GENERATED);
    }
    project.write(".taskcat.yml", "");
    generate(&project, &[]).assert_code(0);
    assert_eq!(project.read(".taskcat.yml"), GENERATED);
}

#[test]
fn the_root_of_a_repository_has_its_name_and_a_project_in_it_its_own() {
    let project = shop();
    let name_of = |root: &str| {
        generate(&project, &["--project-root", root, "--replace"]).assert_code(0);
        shown(&project)["project"]["name"].clone()
    };
    clone_of_store(project.path().parent().unwrap());
    assert_eq!(name_of("."), "shop");
    clone_of_store(&project.path());
    assert_eq!(name_of("."), "store");
}

#[test]
fn what_only_the_user_knows_is_listed() {
    let project = Project::empty("net");
    project.write(
        "net.yaml",
        "Parameters:\n  Network: {Type: 'AWS::EC2::VPC::Id'}\n  Nets: {Type: \
         'List<AWS::EC2::Subnet::Id>'}\n  Key: {Type: \
         'AWS::EC2::KeyPair::KeyName'}\nResources: {T: {Type: AWS::SNS::Topic}}\n",
    );
    let outcome = generate(&project, &[]);
    outcome
        .assert_code(2)
        .assert_says("no value can be suggested for these parameters of net.yaml: Network, Nets")
        .assert_says("help: set them in .taskcat.yml under `tests.default.parameters`")
        .assert_says("no value for parameters that net.yaml requires: Network, Nets");
    let parameters = &shown(&project)["tests"]["default"]["parameters"];
    assert_eq!(*parameters, json!({"Key": "$[taskcat_getkeypair]"}));
}

/// A test for each template that no other nests, but for those of submodules.
#[test]
fn every_template_of_its_own_gets_a_test() {
    let project = shop();
    project.write("other/template.yaml", QUEUE);
    project.write("submodules/x/template.yaml", QUEUE);
    project.write(
        ".gitmodules",
        "[submodule \"x\"]\n\tpath = submodules/x\n\turl = x\n",
    );
    Taskcat::offline(&project)
        .args(["init"])
        .run()
        .assert_code(0);
    let tests = shown(&project)["tests"].clone();
    let templates: Vec<(&String, &Value)> = tests
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, test)| (name, &test["template"]))
        .collect();
    assert_eq!(
        templates,
        [
            (&"template".to_owned(), &json!("other/template.yaml")),
            (&"template-2".to_owned(), &json!("templates/template.yaml")),
        ]
    );
}

#[test]
fn bad_input_is_named() {
    let project = Project::empty("bare");
    generate(&project, &[])
        .assert_code(2)
        .assert_says("no CloudFormation template was found in")
        .assert_says("help: name one with --main-template");
    generate(&project, &["-m", "gone.yaml"])
        .assert_code(2)
        .assert_says("template gone.yaml does not exist");
    generate(&project, &["-p", "nowhere"])
        .assert_code(2)
        .assert_says("nowhere doesn't exist");
    project.write("broken.yaml", "Resources: {A: {Type: [}}\n");
    generate(&project, &["-m", "broken.yaml"])
        .assert_code(2)
        .assert_says("broken.yaml:1:");
    assert!(!project.path().join(".taskcat.yml").exists());
}

/// Without a terminal nothing is asked; on one, what can't be known.
#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn on_a_terminal_values_are_asked_for() {
    let project = Project::empty("net");
    project.write(
        "net.yaml",
        "Parameters: {Network: {Type: String, AllowedPattern: 'net-[0-9]'}}\nResources: {T: \
         {Type: AWS::SNS::Topic}}\n",
    );
    let program = "\
import os, pty, signal, sys
signal.alarm(60)
answers = {b'Name of the project': b'\\r', b'Email address': b'me@example.com\\r', b'Regions': b'\\r',
    b'Network': b'net-7\\r'}
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], 'init'])
for prompt, answer in answers.items():
    said = b''
    while prompt not in said:
        said += os.read(terminal, 1024)
    os.write(terminal, answer)
try:
    while os.read(terminal, 1024):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let status = Command::new(venv("taskcat").join("bin/python"))
        .args(["-c", program, env!("CARGO_BIN_EXE_taskcat")])
        .current_dir(project.path())
        .env("HOME", project.home())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let config = shown(&project);
    assert_eq!(config["project"]["owner"], "me@example.com");
    assert_eq!(config["tests"]["default"]["parameters"]["Network"], "net-7");
}

/// What the Python TaskCat writes for the same project, and what it makes of our file.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn beside_the_python_taskcat() {
    let python = |project: &Project, endpoint: &str, args: &[&str]| {
        let program = support("taskcat_offline.py");
        let program = [program.to_str().unwrap()];
        Taskcat::program(venv("taskcat").join("bin/python"), project)
            .with_python_tools()
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .args(program.into_iter().chain(args.iter().copied()))
            .run()
    };
    let with_repository = || {
        let project = shop();
        fs::remove_file(project.path().join("data/other.json")).unwrap();
        clone_of_store(&project.path());
        project
    };
    let args = ["generate-config", "-u", "a@example.com", "-a", "eu-west-1"];
    let server = Server::take(Kind::Simulator);
    let theirs = with_repository();
    python(&theirs, &server.endpoint(), &args).assert_code(0);
    let ours = with_repository();
    generate(&ours, &args[1..]).assert_code(0);

    let (our_config, their_config) = (shown(&ours), shown(&theirs));
    for key in ["name", "owner", "regions"] {
        assert_eq!(
            our_config["project"][key], their_config["project"][key],
            "{key}"
        );
    }
    // TaskCat's path begins with `./`, and its parameters are the template's defaults: it has none
    // for what the template requires.
    let template = &their_config["tests"]["default"]["template"];
    assert_eq!(*template, "./templates/template.yaml");
    let test = &our_config["tests"]["default"];
    assert_eq!(test["template"], "templates/template.yaml");
    let parameters = their_config["tests"]["default"]["parameters"]
        .as_object()
        .unwrap();
    let keys: Vec<&String> = parameters.keys().collect();
    assert_eq!(
        keys,
        [
            "QSS3BucketName",
            "QSS3BucketRegion",
            "QSS3KeyPrefix",
            "Title"
        ]
    );

    // TaskCat launches ours, and not its own.
    let run = ["test", "run", "-l"];
    python(&ours, &server.endpoint(), &run)
        .assert_code(0)
        .assert_says("CREATE_COMPLETE");
    assert_ne!(python(&theirs, &server.endpoint(), &run).code, Some(0));
}
