//! Tests that depend on others: `depends_on`, `$[taskcat_output_TEST.Key]`, and skipped tests.

use serde_json::Value;

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

fn local(project: &Project) -> Taskcat {
    Taskcat::bare(project)
        .env("PATH", "/usr/bin:/bin")
        .args(["test", "run", "--local", "-l"])
}

/// A project of templates without resources that matter: each has the output `Out`, and the
/// parameter `In` with a default.
fn chain(tests: &str) -> Project {
    let project = Project::empty("chain");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: chain, regions: [us-east-1], template: t.yaml}}\ntests:\n{tests}"
        ),
    );
    project.write(
        "t.yaml",
        "Parameters:\n  In: {Type: String, Default: start}\nResources:\n  Topic: {Type: \
         AWS::SNS::Topic}\nOutputs:\n  Out: {Value: !Sub \"${In}.\"}\n",
    );
    project.write(
        "fails.yaml",
        "Resources:\n  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: Not_A_Name}}\n\
         Outputs: {Out: {Value: x}}\n",
    );
    project
}

/// Positions of an event of a test in the order of the events.
fn position(events: &[Value], name: &str, test: &str, region: &str) -> usize {
    let is_it = |it: &Value| {
        it["event"] == name && it["cell"]["test"] == test && it["cell"]["region"] == region
    };
    events
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("no {name} of {test} in {region}"))
}

#[track_caller]
fn parameter(outcome: &Outcome, test: &str, region: &str, key: &str) -> String {
    let cell = outcome.cell(test, region);
    let parameters = cell["parameters"].as_array().unwrap();
    let found = parameters.iter().find(|it| it["key"] == key).unwrap();
    found["value"].as_str().unwrap().to_owned()
}

#[test]
fn outputs_flow_into_parameters_and_deletion_is_in_reverse() {
    let project = Project::copy_of("dependencies");
    let outcome = local(&project).run();
    outcome.assert_code(0);
    assert_eq!(outcome.report()["totals"]["passed"], 5);
    let events = outcome.events();
    for region in ["us-east-1", "eu-west-1"] {
        let network = outcome.cell("network", region);
        let vpc = network["outputs"][0]["value"].as_str().unwrap();
        assert_eq!(parameter(&outcome, "application", region, "VpcId"), vpc);
        let name = parameter(&outcome, "application", region, "SubnetName");
        assert_eq!(name, "subnet-of-office");
        let certificate = outcome.cell("certificate", "us-east-1");
        let certificate = certificate["outputs"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned();
        let passed = parameter(&outcome, "application", region, "CertificateName");
        assert_eq!(passed, certificate);
        for (test, place) in [("network", region), ("certificate", "us-east-1")] {
            let launched = position(&events, "stack_creating", "application", region);
            let passed = position(&events, "cell_finished", test, place);
            assert!(passed < launched, "{test}: {passed}, {launched}");
            let deleted = position(&events, "stack_deleted", "application", region);
            let deleting = position(&events, "stack_deleting", test, place);
            assert!(deleted < deleting, "{test}: {deleted}, {deleting}");
        }
    }
}

#[test]
fn one_stack_at_a_time_is_enough() {
    let project = Project::copy_of("dependencies");
    let outcome = local(&project).args(["--max-concurrency", "1"]).run();
    outcome.assert_code(0);
}

#[test]
fn dependents_of_a_failed_test_are_skipped_in_every_report() {
    let project = chain(
        "  base: {template: fails.yaml}\n  middle: {depends_on: [base], parameters: {In: \
         \"$[taskcat_output_base.Out]\"}}\n  top: {depends_on: [middle]}\n  other: {}\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(1);
    let expect = [
        "base/us-east-1 failed",
        "middle/us-east-1 skipped",
        "top/us-east-1 skipped",
        "other/us-east-1 passed",
    ];
    assert_eq!(outcome.states(), expect);
    let report = outcome.report();
    assert_eq!(report["totals"]["skipped"], 2);
    assert_eq!(report["verdict"], "failed");
    let reason = "it depends on base, which failed in us-east-1";
    assert_eq!(outcome.cell("middle", "us-east-1")["reason"], reason);
    let of_top = "it depends on middle, which was skipped in us-east-1";
    assert_eq!(outcome.cell("top", "us-east-1")["reason"], of_top);
    outcome
        .assert_says(reason)
        .assert_says("1 failed, 2 skipped, 1 passed");
    let junit = outcome.output("junit.xml");
    assert!(
        junit.contains(&format!("<skipped message=\"{reason}\"")),
        "{junit}"
    );
    assert_eq!(junit.matches("<skipped ").count(), 2, "{junit}");
    let page = outcome.output("index.html");
    assert!(page.contains(reason) && page.contains("skipped"));
    let skipped = outcome.events().into_iter();
    let skipped = skipped.filter(|it| it["outcome"] == "skipped").count();
    assert_eq!(skipped, 2);

    // A selection of what wasn't passed has its dependencies.
    project.replace(".taskcat.yml", "base: {template: fails.yaml}", "base: {}");
    let again = local(&project).args(["--rerun-failed"]).run();
    again.assert_code(0);
    let passed = parameter(&again, "middle", "us-east-1", "In");
    assert_eq!(passed, "start.");
}

#[test]
fn a_selection_pulls_dependencies_in_and_says_so() {
    let project = Project::copy_of("dependencies");
    let outcome = local(&project)
        .args(["-t", "application", "-r", "eu-west-1"])
        .run();
    outcome.assert_code(0);
    let expect = [
        "application/eu-west-1 passed",
        "network/eu-west-1 passed",
        "certificate/us-east-1 passed",
    ];
    assert_eq!(outcome.states(), expect);
    outcome.assert_says("selecting network in eu-west-1, too: application depends on it");
    outcome.assert_says("selecting certificate in us-east-1, too: application depends on it");
    let outcome = local(&project).args(["--exclude", "network"]).run();
    outcome.assert_code(2);
    outcome.assert_says("--exclude network: application depends on it");
    let outcome = local(&project).args(["-t", "network"]).run();
    outcome.assert_code(0);
    assert_eq!(
        outcome.states(),
        ["network/us-east-1 passed", "network/eu-west-1 passed"]
    );
}

#[test]
fn wrong_dependencies_are_all_errors_of_the_configuration() {
    let project = chain(
        "  one: {depends_on: [two]}\n  two: {depends_on: [one]}\n  three: {depends_on: [toww]}\n  \
         four:\n    depends_on: [five]\n    parameters: {In: \"$[taskcat_output_five.Uot]\"}\n  \
         five: {regions: [eu-west-1]}\n  six: {parameters: {In: \"$[taskcat_output_five.Out]\"}}\n  \
         seven:\n    depends_on: [five@eu-west-1]\n    parameters: {In: \
         \"$[taskcat_output_five@eu-west-1.Out]\"}\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(2);
    for (line, message) in [
        (
            3,
            "tests depend on each other in a circle: one -> two -> one",
        ),
        (5, "test `three` depends on `toww`, which doesn't exist"),
        (
            7,
            "test `four` depends on `five` in us-east-1, where `five` isn't tested",
        ),
        (
            8,
            "parameter In: t.yaml, the template of `five`, has no output `Uot`",
        ),
        (10, "needs test `five`, on which `six` doesn't depend"),
    ] {
        outcome.assert_says(message);
        outcome.assert_says(&format!(".taskcat.yml:{line}:"));
    }
    outcome.assert_silent_about("test `seven`");
    assert_eq!(outcome.report()["totals"]["cells"], 0);
}

#[test]
fn a_kept_stack_keeps_what_it_depends_on() {
    let server = Server::take(Kind::Simulator);
    let project =
        chain("  base: {}\n  top: {template: fails.yaml, depends_on: [base]}\n  other: {}\n");
    let outcome = Taskcat::test_run(&project, &server)
        .args(["-l", "--keep-failed", "--no-check"])
        .run();
    outcome.assert_code(1);
    let teardown = |test: &str| outcome.cell(test, "us-east-1")["teardown"]["state"].clone();
    assert_eq!(teardown("base"), "kept");
    assert_eq!(teardown("top"), "kept");
    assert_eq!(teardown("other"), "deleted");
}

#[test]
fn a_secret_that_flows_through_an_output_is_masked_everywhere() {
    let project = chain(
        "  base: {parameters: {In: Plain-But-Hidden}}\n  top: {template: secret.yaml, \
         depends_on: [base], parameters: {Password: \"$[taskcat_output_base.Out]\"}}\n",
    );
    project.replace(
        ".taskcat.yml",
        "base: {parameters",
        "base: {template: quiet.yaml, parameters",
    );
    project.write(
        "quiet.yaml",
        "Parameters:\n  In: {Type: String}\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n\
         Outputs:\n  Out: {Value: !Join ['', [very-, secret-, !Ref AWS::Region]]}\n",
    );
    project.write(
        "secret.yaml",
        "Parameters:\n  Password: {Type: String, NoEcho: true}\nResources:\n  Topic: {Type: \
         AWS::SNS::Topic, Properties: {DisplayName: !Ref Password}}\nOutputs: {Echo: {Value: !Ref \
         Password}}\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(0);
    for (name, text) in outcome.outputs() {
        assert!(!text.contains("very-secret-"), "{name}:\n{text}");
    }
    outcome.assert_silent_about("very-secret-");
}

#[test]
fn an_interrupted_run_deletes_in_reverse_and_launches_no_dependent() {
    let project = chain(
        "  base: {posthooks: [{type: script, config: {command: \"touch here; sleep 60\"}}]}\n  \
         top: {depends_on: [base]}\n",
    );
    let mut run = local(&project).start();
    run.wait_until("the hook runs", || project.path().join("here").exists());
    run.signal("INT");
    let outcome = run.wait();
    let expect = ["base/us-east-1 interrupted", "top/us-east-1 interrupted"];
    assert_eq!(outcome.states(), expect);
    assert_eq!(
        outcome.cell("base", "us-east-1")["teardown"]["state"],
        "deleted"
    );
}

#[test]
fn an_output_that_the_stack_lacks_fails_the_dependent() {
    let project = chain(
        "  base: {template: maybe.yaml}\n  top: {depends_on: [base], parameters: {In: \
         \"$[taskcat_output_base.Out]\"}}\n",
    );
    project.write(
        "maybe.yaml",
        "Conditions: {Never: !Equals [a, b]}\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n\
         Outputs: {Out: {Condition: Never, Value: x}}\n",
    );
    let outcome = local(&project).run();
    outcome.assert_code(1);
    assert_eq!(
        outcome.states(),
        ["base/us-east-1 passed", "top/us-east-1 failed"]
    );
    outcome.assert_says("parameter In: the stack of base in us-east-1 has no output Out");
    outcome.assert_says("set at .taskcat.yml:4");
}

#[test]
fn plan_evaluates_outputs_through() {
    let project = Project::copy_of("dependencies");
    let outcome = Taskcat::offline(&project)
        .args(["plan", "--format", "json"])
        .run();
    outcome.assert_code(0);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let application = &plan["cells"][0];
    assert_eq!(application["test"], "application");
    assert_eq!(application["verdict"], "would_launch", "{application:#}");
    let depends_on = &application["depends_on"];
    assert_eq!(depends_on[0], "network/us-east-1");
    assert_eq!(depends_on[1], "certificate/us-east-1");
    assert_eq!(application["parameters"]["SubnetName"], "subnet-of-office");
    let vpc = application["parameters"]["VpcId"]["Unknown"]
        .as_str()
        .unwrap();
    assert_eq!(vpc, "output VpcId of network in us-east-1");

    // A value that the dependent's template refuses, and a dependency that would fail.
    let project = chain(
        "  base: {parameters: {In: long}}\n  top: {template: short.yaml, depends_on: [base], \
         parameters: {In: \"$[taskcat_output_base.Out]\"}}\n  broken: {template: fails.yaml}\n  \
         above: {depends_on: [broken]}\n",
    );
    project.write(
        "short.yaml",
        "Parameters:\n  In: {Type: String, MaxLength: 4}\nResources:\n  Topic: {Type: \
         AWS::SNS::Topic}\n",
    );
    let outcome = Taskcat::offline(&project).args(["plan", "-l"]).run();
    outcome.assert_code(1);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(
        said.contains("broken would fail in us-east-1, and this test depends on it"),
        "{said}"
    );
    assert!(said.contains(".taskcat.yml:6"), "{said}");
    assert!(said.contains("short.yaml"), "{said}");
}

#[test]
fn a_dependent_test_cannot_be_deployed() {
    let project = Project::copy_of("dependencies");
    let server = Server::take(Kind::Simulator);
    let outcome = Taskcat::at(&project, &server.endpoint())
        .args(["deploy", "run", "-y", "-l", "-t", "application"])
        .run();
    outcome.assert_code(2);
    outcome.assert_says("test `application` depends on other tests and cannot be deployed");
}
