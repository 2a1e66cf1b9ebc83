//! Tests `taskcat test run --local`: a whole run without AWS, a server or the environment, whose
//! output says that it was simulated.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::project::Project;
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

/// A small stack in two regions, with a prehook that records its environment.
const HOOKED: &str = "\
project:
  name: hooked
  regions: [us-east-1, eu-west-1]
  auth: {default: everyday, eu-west-1: europe}
tests:
  only:
    template: topic.yaml
    parameters: {Zone: \"$[taskcat_gensingleaz_1]\"}
    prehooks:
      - type: script
        config: {command: COMMAND}
";

const TOPIC: &str = "\
Parameters: {Zone: {Type: String}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Zone}}
Outputs:
  TopicArn: {Value: !Ref Topic}
";

fn hooked(command: &str) -> Project {
    let project = Project::empty("hooked");
    project.write(
        ".taskcat.yml",
        &HOOKED.replace("COMMAND", &serde_json::to_string(command).unwrap()),
    );
    project.write("topic.yaml", TOPIC);
    project
}

fn local(project: &Project) -> Taskcat {
    Taskcat::bare(project).args(["test", "run", "--local"])
}

/// Runs with the programs that hooks and packaging use.
fn with_programs(run: Taskcat) -> Taskcat {
    let pip = crate::servers::venv("taskcat").join("bin");
    run.env(
        "PATH",
        std::env::join_paths([pip, "/usr/bin".into(), "/bin".into()]).unwrap(),
    )
}

/// Every output says that it was a simulation.
#[track_caller]
fn assert_says_simulated(outcome: &Outcome) {
    let first = outcome
        .stderr
        .lines()
        .find(|line| line.contains(" tests "))
        .unwrap_or_default();
    assert!(
        first.contains("simulated (no call reaches AWS): taskcat "),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome
            .stderr
            .lines()
            .last()
            .unwrap()
            .starts_with("simulated: "),
        "{}",
        outcome.stderr
    );
    let page = outcome.output("index.html");
    assert!(
        page.contains("(simulated) – taskcat report</title>")
            && page.contains("<strong>Simulated.</strong>")
    );
    assert!(
        !page.contains("console.aws.amazon.com"),
        "a link to stacks that were never there"
    );
    let junit = outcome.output("junit.xml");
    let property = r#"<property name="simulated" value="true"/>"#;
    assert_eq!(
        junit.matches(property).count(),
        junit.matches("<testsuite ").count(),
        "{junit}"
    );
    assert_eq!(outcome.report()["simulated"], true);
    assert_eq!(outcome.events()[0]["simulated"], true);
    for (name, text) in outcome
        .outputs()
        .iter()
        .filter(|(name, _)| name.ends_with("-cfnlogs.txt"))
    {
        assert!(
            text.starts_with("Simulated: nothing of this happened in AWS.\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn the_readmes_first_run_passes() {
    let project = Project::copy_of("first-run");
    let outcome = local(&project).run();
    outcome.assert_code(0);
    let cells = ["plain", "alarmed"].map(|test| {
        ["us-east-1", "eu-west-1", "ap-southeast-2"].map(|region| format!("{test}/{region} passed"))
    });
    assert_eq!(outcome.states(), cells.as_flattened());
    assert_says_simulated(&outcome);
    outcome.assert_ended_within(Duration::from_secs(15));
    let cell = outcome.cell("alarmed", "eu-west-1");
    let output = |key: &str| {
        let found = cell["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|output| output["key"] == key)
            .cloned();
        found.unwrap_or_else(|| panic!("no output {key}: {cell:#}"))["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(cell["account_id"], "123456789012");
    assert!(
        output("GreetArn").starts_with("arn:aws:lambda:eu-west-1:123456789012:function:"),
        "{cell:#}"
    );
    assert!(
        output("AlarmTopic").starts_with("arn:aws:sns:eu-west-1:123456789012:"),
        "{cell:#}"
    );
    assert_eq!(
        cell["stacks"].as_array().unwrap().len(),
        2,
        "the nested stack is followed: {cell:#}"
    );
    assert_eq!(cell["teardown"]["state"], "deleted");
    assert!(
        project.files(".taskcat").is_empty(),
        "there is nothing to clean up later: {:?}",
        project.files(".taskcat")
    );
}

/// Needs pip, which packages one of the functions.
#[test]
#[ignore = "needs pip; run tests/run.sh"]
fn the_sample_passes() {
    let project = Project::copy_of("sample");
    let outcome = with_programs(local(&project)).args(["-l"]).run();
    outcome.assert_code(0);
    assert_eq!(outcome.report()["totals"]["passed"], 6);
    assert_says_simulated(&outcome);
}

#[test]
fn a_scenario_fails_a_test() {
    let project = Project::copy_of("first-run");
    let outcome = local(&project)
        .args(["--scenario", "broken.yml", "--regions", "us-east-1"])
        .run();
    outcome.assert_code(1);
    assert_eq!(
        outcome.states(),
        ["plain/us-east-1 passed", "alarmed/us-east-1 failed"]
    );
    let reason = "The role defined for the function cannot be assumed by Lambda.";
    outcome.assert_says(reason);
    for file in ["junit.xml", "index.html", "report.json"] {
        assert!(outcome.output(file).contains(reason), "{file}");
    }
    assert!(
        outcome.output("index.html").contains("CREATE_FAILED"),
        "buildspecs look for that string"
    );
    assert_says_simulated(&outcome);
}

/// Hooks get the simulator's endpoint but no access to AWS, and a failing prehook ends its cell.
#[test]
fn the_environment_is_ignored_and_hooks_get_no_aws_access() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    let project = hooked("env >env-$$; exit 3");
    project.write(
        "aws-config",
        "[default]\nregion = mars-north-1\nendpoint_url = http://127.0.0.1:1\n",
    );
    let mut run = local(&project)
        .env("PATH", "/usr/bin:/bin")
        .env("NO_PROXY", "intranet.example");
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        run = run.env(name, &url);
    }
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_CLOUDFORMATION",
    ] {
        run = run.env(name, &url);
    }
    for (name, value) in [
        ("AWS_PROFILE", "nobody"),
        ("AWS_ACCESS_KEY_ID", "AKIAREAL"),
        ("AWS_SECRET_ACCESS_KEY", "real"),
        ("AWS_SESSION_TOKEN", "real"),
        ("AWS_REGION", "mars-north-1"),
        ("AWS_CONFIG_FILE", "aws-config"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_CA_BUNDLE", "/nowhere"),
    ] {
        run = run.env(name, value);
    }
    let outcome = run.run();
    outcome
        .assert_code(1)
        .assert_says("`env >env-$$; exit 3` exited with code 3");
    assert_eq!(
        outcome.states(),
        ["only/us-east-1 failed", "only/eu-west-1 failed"]
    );
    assert_eq!(
        outcome.cell("only", "eu-west-1")["account_id"],
        "123456789012"
    );
    assert_eq!(
        outcome.cell("only", "eu-west-1")["parameters"][0]["value"],
        "eu-west-1a"
    );
    let uploads: usize = outcome.report()["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| usize::from(it["uploaded"] != 0))
        .sum();
    assert_eq!(uploads, 1);
    assert!(elsewhere.accept().is_err(), "a call left for another host");
    assert_says_simulated(&outcome);

    let seen = project
        .files("")
        .into_iter()
        .filter(|name| name.starts_with("env-"))
        .collect::<Vec<_>>();
    assert_eq!(seen.len(), 2);
    let seen = project.read(&seen[0]);
    let mut aws: Vec<&str> = seen
        .lines()
        .filter(|line| line.starts_with("AWS_"))
        .collect();
    aws.sort_unstable();
    assert!(aws.iter().any(
        |line| line.starts_with("AWS_ENDPOINT_URL=http://127.0.0.1:") && !line.ends_with(&url)
    ));
    aws.retain(|line| !line.starts_with("AWS_ENDPOINT_URL="));
    let expect = [
        "AWS_ACCESS_KEY_ID=123456789012",
        "AWS_CONFIG_FILE=/dev/null",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_EC2_METADATA_DISABLED=true",
        "AWS_REGION=us-east-1",
        "AWS_SECRET_ACCESS_KEY=simulated",
        "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
    ];
    assert_eq!(aws, expect);
    assert!(
        seen.contains("NO_PROXY=intranet.example,127.0.0.1,localhost\n"),
        "{seen}"
    );
}

/// A scenario that refuses the first calls isn't reported as missing credentials of the user.
#[test]
fn a_scenario_can_refuse_all_calls() {
    let project = hooked("true");
    project.write("denied.yml", "calls: [{service: sts, fault: deny}]\n");
    let outcome = local(&project).args(["--scenario", "denied.yml"]).run();
    outcome
        .assert_code(3)
        .assert_says("error: simulated: profile everyday: ")
        .assert_silent_about("AWS_PROFILE");
}

#[test]
fn an_invalid_scenario_is_refused() {
    let project = Project::copy_of("first-run");
    project.write(
        "broken.yml",
        "calls:\n- {service: s3, fault: thorttle}\nresource: []\n",
    );
    let outcome = local(&project).args(["--scenario", "broken.yml"]).run();
    outcome
        .assert_code(2)
        .assert_says("`calls[0].fault` is `thorttle`")
        .assert_says("broken.yml:2:24");
    outcome
        .assert_says("the scenario has no key `resource`")
        .assert_says("broken.yml:3:1");
    assert_eq!(
        outcome.report()["cells"],
        serde_json::json!([]),
        "nothing was tested"
    );
    let outcome = local(&project).args(["--scenario", "nowhere.yml"]).run();
    outcome.assert_code(2).assert_says("nowhere.yml");
}

#[test]
fn contradicting_options_are_refused() {
    let project = Project::copy_of("first-run");
    let check = |args: &[&str], says: &str| {
        let outcome = Taskcat::bare(&project).args(args.iter().copied()).run();
        outcome.assert_code(2).assert_says(says);
        let launched = |name: &String| name.ends_with("-cfnlogs.txt");
        assert!(
            !project.files("taskcat_outputs").iter().any(launched),
            "{args:?}"
        );
    };
    let profile = "the argument '--local' cannot be used with '--profile <NAME>'";
    check(&["test", "run", "--local", "--profile", "x"], profile);
    check(&["--profile", "x", "test", "run", "--local"], profile);
    let endpoint = "the argument '--local' cannot be used with '--endpoint-url <URL>'";
    check(
        &[
            "test",
            "run",
            "--endpoint-url",
            "http://localhost:1",
            "--local",
        ],
        endpoint,
    );
    check(&["test", "run", "--scenario", "broken.yml"], "--local");
    check(&["test", "run", "--speed", "5"], "--local");
    check(
        &["test", "run", "--local", "--speed", "0"],
        "expected `inf` or a number greater than 0",
    );
}

#[test]
fn an_interruption_during_a_hook_leaves_no_process() {
    let project = hooked("echo $$ >running-$$; exec sleep 78");
    let mut run = local(&project).env("PATH", "/usr/bin:/bin").start();
    let hooks = || {
        project
            .files("")
            .into_iter()
            .filter_map(|it| Some(it.strip_prefix("running-")?.to_owned()))
    };
    run.wait_until("both hooks run", || hooks().count() == 2);
    run.signal("INT");
    let outcome = run.wait();
    outcome.assert_code(130);
    outcome.assert_ended_within(Duration::from_secs(20));
    for process in hooks() {
        let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        assert!(
            state.is_empty() || state.contains(") Z "),
            "the hook still runs: {state}"
        );
    }
    assert_eq!(outcome.report()["verdict"], "interrupted");
    assert!(project.files(".taskcat").is_empty());
}

#[test]
fn an_interruption_during_stack_operations_ends_soon() {
    let project = Project::copy_of("first-run");
    project.write(
        "slow.yml",
        "resources: [{type: AWS::Lambda::Function, takes: 10h}]\n",
    );
    let mut run = local(&project).args(["--scenario", "slow.yml"]).start();
    run.wait_until("every stack is begun", || {
        let events = std::fs::read_to_string(project.path().join("taskcat_outputs/events.ndjson"))
            .unwrap_or_default();
        events.matches(r#""event":"stack_created""#).count() == 6
    });
    run.signal("TERM");
    let outcome = run.wait();
    outcome.assert_code(130);
    outcome.assert_ended_within(Duration::from_secs(30));
    assert_says_simulated(&outcome);
}

/// A server marks each response as simulated, so no flag is needed.
#[test]
fn a_run_against_a_simulator_server_reports_it() {
    let simulator = Simulator::start(&["--speed", "inf"]);
    let project = hooked("exit 3");
    project.replace(
        ".taskcat.yml",
        "  auth: {default: everyday, eu-west-1: europe}\n",
        "",
    );
    let outcome = Taskcat::offline(&project)
        .env("AWS_ACCESS_KEY_ID", "210987654321")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .args(["test", "run", "-l", "--endpoint-url", &simulator.endpoint()])
        .run();
    outcome
        .assert_code(1)
        .assert_says(&format!(" at {}", simulator.endpoint()));
    assert_eq!(
        outcome.report()["endpoint"],
        Value::from(simulator.endpoint())
    );
    assert_eq!(
        outcome.cell("only", "us-east-1")["account_id"],
        "210987654321"
    );
    assert_says_simulated(&outcome);
}

/// Cleaning up in a simulator is reported as simulated as well.
#[test]
fn cleaning_up_in_a_simulator_reports_it() {
    let simulator = Simulator::start(&["--speed", "inf"]);
    let project = hooked("true");
    project.replace(
        ".taskcat.yml",
        "  auth: {default: everyday, eu-west-1: europe}\n",
        "",
    );
    let taskcat = |args: &[&str]| {
        let keys = Taskcat::offline(&project)
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any");
        keys.args(args.iter().copied())
            .args(["--endpoint-url", &simulator.endpoint()])
            .run()
    };
    taskcat(&["test", "run", "-l", "--no-delete"]).assert_code(0);
    let cleaned = taskcat(&["test", "clean", "ALL", "-w", "--yes"]);
    cleaned
        .assert_code(0)
        .assert_says("simulated (no call reaches AWS): taskcat ");
    cleaned.assert_says("simulated: 2 stacks and 1 bucket deleted");
}

/// At any speed, a stack times out after operations that take less time, and before those that take
/// more.
#[test]
fn stack_timeouts_hold_at_infinite_speed() {
    let project = Project::empty("hurry");
    let test = |name: &str| {
        format!(
            "  {name}:\n    template: {name}.yaml\n    parameters: {{Bucket: \
             '$[taskcat_autobucket]'}}\n"
        )
    };
    let config = ["quick", "late"].map(test).concat();
    project.write(
        ".taskcat.yml",
        &format!("project: {{name: hurry, regions: [us-east-1]}}\ntests:\n{config}"),
    );
    for (name, minutes) in [("quick", 15), ("late", 3)] {
        let nested = format!(
            "Parameters: {{Bucket: {{Type: String}}}}\nResources:\n  Data:\n    Type: \
             AWS::CloudFormation::Stack\n    \
             Properties:\n      TemplateURL: !Sub \
             https://${{Bucket}}.s3.amazonaws.com/hurry/data.yaml\n      \
             TimeoutInMinutes: {minutes}\n"
        );
        project.write(&format!("{name}.yaml"), &nested);
    }
    let database = "{DBInstanceClass: db.t4g.micro, Engine: postgres, AllocatedStorage: '20', \
        MasterUsername: root, \
                    ManageMasterUserPassword: true}";
    project.write(
        "data.yaml",
        &format!(
            "Resources:\n  Base:\n    Type: AWS::RDS::DBInstance\n    Properties: {database}\n"
        ),
    );
    let outcome = local(&project).args(["-l", "--speed", "inf"]).run();
    outcome
        .assert_code(1)
        .assert_says("Stack creation time exceeded the specified timeout.");
    assert_eq!(
        outcome.states(),
        ["quick/us-east-1 passed", "late/us-east-1 failed"]
    );
}
