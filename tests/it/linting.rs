//! `taskcat lint`, and the check before a launch.

use serde_json::Value;

use crate::project::Project;
use crate::proxy::Proxy;
use crate::servers::{Kind, Server, support, venv};
use crate::taskcat::{Outcome, Taskcat};

fn lint(project: &Project, args: &[&str]) -> Outcome {
    let outcome = Taskcat::offline(project)
        .env("PATH", project.home())
        .args(["lint"])
        .args(args.iter().copied())
        .run();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome
}

/// The findings as `file:line rule`.
#[track_caller]
fn found(project: &Project, args: &[&str]) -> Vec<String> {
    let findings = findings(project, args);
    let shown = findings.iter().map(|it| {
        let file = it["file"].as_str().unwrap();
        format!("{file}:{} {}", it["line"], it["rule"].as_str().unwrap())
    });
    shown.collect()
}

#[track_caller]
fn findings(project: &Project, args: &[&str]) -> Vec<Value> {
    let outcome = lint(project, &[args, &["--format", "json"]].concat());
    match serde_json::from_str(&outcome.stdout) {
        Ok(Value::Array(findings)) => findings,
        _ => panic!("{}\n{}", outcome.stdout, outcome.stderr),
    }
}

/// An unknown property on line 8, and an unused parameter on line 2.
const TOPIC: &str = "Parameters:
  Unused: {Type: String, Default: x}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: here
      DisplayNam: here
";

fn topic() -> Project {
    let project = Project::empty("p");
    project.write("t.yaml", TOPIC);
    let config = "project: {name: p, template: t.yaml, regions: [us-east-1]}\ntests: {one: {}}\n";
    project.write(".taskcat.yml", config);
    project
}

const ALL: [&str; 2] = ["t.yaml:2 W2001", "t.yaml:8 F3002"];

#[test]
fn findings_are_shown_as_taskcat_does() {
    let project = Project::copy_of("lint-error");
    let template = project
        .path()
        .canonicalize()
        .unwrap()
        .join("templates/topic.template.yaml");
    let passed = format!("Linting passed for file: {}\n", template.display());
    let outcome = lint(&project, &[]);
    outcome
        .assert_code(1)
        .assert_says("error: F1020: ")
        .assert_says("templates/topic.template.yaml:9:")
        .assert_says("    line 9 [1020] [Ref/GetAtt target must exist] ")
        .assert_says(&format!(
            "Linting detected issues in: {}\n",
            template.display()
        ))
        .assert_silent_about(&passed);
    assert_eq!(outcome.stdout, "", "text is for people");
    // The ID that cfn-lint has for it.
    project.write(".cfnlintrc", "ignore_checks:\n  - E1010\n");
    lint(&project, &[])
        .assert_code(0)
        .assert_silent_about("F1020")
        .assert_says(&passed);
    lint(&project, &["-i", "gone.yml"])
        .assert_code(2)
        .assert_says("gone.yml");
}

#[test]
fn rules_are_selected_and_warnings_can_fail() {
    let project = topic();
    let check = |args: &[&str], expect: &[&str], code: i32| {
        assert_eq!(found(&project, args), expect, "{args:?}");
        lint(&project, args).assert_code(code);
    };
    check(&[], &ALL, 1);
    check(&["--ignore", "F3002"], &ALL[..1], 0);
    check(&["--ignore", "E3002", "--strict"], &ALL[..1], 1);
    check(&["--ignore", "E3,W2001"], &[], 0);
    check(&["--ignore", "E3", "--ignore", "W"], &[], 0);
    check(&["--select", "W"], &ALL[..1], 0);
    check(&["--select", "W,F3002"], &ALL, 1);
    check(&["--select", "W", "--ignore", "W2001"], &[], 0);
    let noise = found(&project, &["--all"]);
    assert!(
        noise.len() > 2 && noise.iter().any(|it| it.contains(" I4010")),
        "{noise:?}"
    );
    lint(&project, &["--all", "--ignore", "E3002"]).assert_code(0);
    let asked = found(&project, &["--select", "I9040"]);
    assert_eq!(asked, ["t.yaml:6 I9040"]);
}

#[test]
fn a_finding_has_its_place_and_its_severity() {
    let findings = findings(&topic(), &[]);
    let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let first = ["file", "line", "column", "rule", "severity", "message"];
    assert_eq!(keys(&findings[1])[..6], first);
    assert_eq!(
        (
            &findings[1]["column"],
            &findings[1]["severity"],
            &findings[1]["resource"]
        ),
        (&7.into(), &"error".into(), &"Topic".into())
    );
    assert_eq!(findings[0]["severity"], "warning");
    assert!(
        findings.iter().all(|it| it.get("tests").is_none()),
        "{findings:?}"
    );
}

#[test]
fn files_of_cfn_lint_are_followed() {
    let project = topic();
    let check = |settings: &str, expect: &[&str]| {
        project.write(".cfnlintrc", settings);
        assert_eq!(found(&project, &[]), expect, "{settings}");
    };
    check("ignore_checks: [E3002]", &ALL[..1]);
    check("ignore_checks: [W]\n", &ALL[1..]);
    check(
        "ignore_checks: [E, W]\nmandatory_checks: [E3002]",
        &ALL[1..],
    );
    check("ignore_templates: ['*.yaml']", &[]);
    check("ignore_templates: [other/t.yaml]", &ALL);
    check(
        "include_checks: [I9040]\nignore_checks: [E, W]",
        &["t.yaml:6 I9040"],
    );
    project.write(".cfnlintrc", "append_rules: [rules]\n");
    lint(&project, &[])
        .assert_code(1)
        .assert_says("`append_rules` has no effect on the built-in lint engine")
        .assert_says(".cfnlintrc:1:1");
    project.write(".cfnlintrc", "ignore_checks: [\n");
    lint(&project, &[])
        .assert_code(2)
        .assert_says(".cfnlintrc:");
}

#[test]
fn templates_suppress_findings() {
    let project = topic();
    let check = |from: &str, to: &str, expect: &[&str]| {
        project.write("t.yaml", TOPIC);
        project.replace("t.yaml", from, to);
        assert_eq!(found(&project, &[]), expect, "{to}");
    };
    let config = "Metadata: {cfn-lint: {config: {ignore_checks: [E3002]}}}";
    check(
        "Parameters:",
        &format!("{config}\nParameters:"),
        &["t.yaml:3 W2001"],
    );
    let resource = format!("    {config}\n    Properties:");
    check("    Properties:", &resource, &["t.yaml:2 W2001"]);
    check(
        "      DisplayNam: here",
        "      DisplayNam: here # taskcat: ignore F3002",
        &ALL[..1],
    );
    check(
        "      DisplayNam: here",
        "      # taskcat: ignore W1, E3002\n      DisplayNam: here",
        &ALL[..1],
    );
    check(
        "  Unused",
        "  # taskcat: ignore W2001\n  Unused",
        &["t.yaml:9 F3002"],
    );
    check("Resources:", "Resources: # taskcat: ignore F3002", &ALL);
    // A project's mandatory rules can't be suppressed by a template.
    project.write(".cfnlintrc", "mandatory_checks: [E3002]\n");
    check(
        "DisplayNam: here",
        "DisplayNam: here # taskcat: ignore F3002",
        &ALL,
    );
}

#[test]
fn each_test_is_checked_with_its_own_values_and_regions() {
    let project = Project::empty("p");
    project.write(
        ".taskcat.yml",
        "project:\n  name: p\n  template: parent.yaml\n  regions: [us-east-1, us-west-2]\n  \
         parameters: {Bucket: '$[taskcat_autobucket]'}\ntests:\n  new: {parameters: {Size: '600'}}\n  \
         old: {parameters: {Size: '60'}}\n  \
         secret: {parameters: {Size: '600', Name: '$[taskcat_genpass_8A]'}}\n",
    );
    project.write(
        "parent.yaml",
        "Parameters:\n  Bucket: {Type: String}\n  Size: {Type: Number}\n  \
         Name: {Type: String, Default: x}\nResources:\n  Child:\n    \
         Type: AWS::CloudFormation::Stack\n    Properties:\n      \
         TemplateURL: !Sub https://${Bucket}.s3.amazonaws.com/p/child.yaml\n      \
         Parameters: {Memory: !Ref Size, Name: !Ref Name}\n",
    );
    project.write(
        "child.yaml",
        "Parameters:\n  Memory: {Type: Number}\n  Name: {Type: String, NoEcho: true}\n\
         Resources:\n  Function:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
         MemorySize: !Ref Memory\n      Handler: index.handler\n      Runtime: python3.13\n      \
         Role: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Name}'\n      \
         Code: {ZipFile: 'def handler(event, context): pass'}\n  Farm:\n    \
         Type: AWS::DeviceFarm::Project\n    Properties: {Name: x}\n",
    );
    let findings = findings(&project, &["--select", "E"]);
    let told = |it: &Value| {
        let cells = it["cells"].as_array().unwrap().len();
        let Value::Object(it) = it else {
            panic!("{it}")
        };
        let text = ["line", "rule", "tests", "regions"].map(|key| it[key].to_string());
        format!("{} {cells}", text.join(" ")).replace('"', "")
    };
    assert_eq!(
        findings.iter().map(told).collect::<Vec<_>>(),
        [
            "8 F3034 [old] [us-east-1,us-west-2] 2",
            "14 F3006 [new,old,secret] [us-east-1] 3"
        ]
    );
    lint(&project, &[])
        .assert_code(1)
        .assert_says("only for old in us-east-1, old in us-west-2");
}

#[test]
fn tests_that_cannot_be_planned_are_linted() {
    let project = topic();
    project.replace(
        ".taskcat.yml",
        "one: {}",
        "one: {parameters: {Unused: '$[nonsense]'}}",
    );
    assert_eq!(found(&project, &[]), ALL);
    project.write("t.yaml", &TOPIC.replace(", Default: x", ""));
    project.replace(
        ".taskcat.yml",
        "{parameters: {Unused: '$[nonsense]'}}",
        "{}",
    );
    assert_eq!(found(&project, &[]), ALL);
}

#[test]
fn a_file_that_is_no_template_is_a_finding() {
    let project = topic();
    project.write("t.yaml", "Resources: [\n");
    assert_eq!(found(&project, &[]), ["t.yaml:1 E0000"]);
    lint(&project, &[]).assert_code(1).assert_says("E0000");
    project.replace(".taskcat.yml", "t.yaml", "gone.yaml");
    lint(&project, &[])
        .assert_code(2)
        .assert_says("template gone.yaml does not exist");
}

#[test]
fn templates_are_linted_without_a_project() {
    let project = Project::empty("p");
    project.write("a/t.yaml", TOPIC);
    project.write(
        "good.json",
        r#"{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}"#,
    );
    project.write("broken.yaml", "a: [\n");
    let expect = ["a/t.yaml:2 W2001", "a/t.yaml:8 F3002"];
    assert_eq!(found(&project, &["a/t.yaml", "good.json"]), expect);
    let root = project.path().canonicalize().unwrap();
    lint(&project, &["a/t.yaml", "good.json"])
        .assert_code(1)
        .assert_says(&format!(
            "Linting passed for file: {}/good.json",
            root.display()
        ));
    lint(&project, &["./good.json"]).assert_code(0);
    let absolute = format!("{}/good.json", root.display());
    lint(&project, &[&absolute]).assert_code(0);
    assert_eq!(found(&project, &["broken.yaml"]), ["broken.yaml:1 E0000"]);
    lint(&project, &["gone.yaml"])
        .assert_code(2)
        .assert_says("cannot read the template gone.yaml: no such file");
    lint(&project, &["a"])
        .assert_code(2)
        .assert_says("a is a directory, not a template")
        .assert_says("'--project-root a'");
    // Outside of the project.
    let other = Project::empty("q");
    other.write("x.yaml", TOPIC);
    let path = other.path().canonicalize().unwrap().join("x.yaml");
    let path = path.to_str().unwrap();
    assert_eq!(found(&project, &[path])[1], format!("{path}:8 F3002"));
    // Those that `.cfnlintrc` names.
    project.write(
        ".cfnlintrc",
        "templates: ['**/*.yaml', good.json]\nignore_templates: [broken*]\n",
    );
    assert_eq!(found(&project, &[])[..2], expect);
}

#[test]
fn the_regions_of_a_template_alone_are_those_of_cfnlintrc() {
    let project = Project::empty("p");
    project.write(
        "t.yaml",
        "Resources:\n  Farm:\n    Type: AWS::DeviceFarm::Project\n    Properties: {Name: x}\n",
    );
    assert_eq!(found(&project, &["t.yaml"]), [""; 0]);
    project.write(".cfnlintrc", "regions: [us-west-2]\n");
    assert_eq!(found(&project, &["t.yaml"]), [""; 0]);
    project.write(".cfnlintrc", "regions: [us-west-2, eu-west-1]\n");
    assert_eq!(found(&project, &["t.yaml"]), ["t.yaml:3 F3006"]);
}

const GUARD: &str = "rule topics_are_encrypted {
  Resources.*[ Type == 'AWS::SNS::Topic' ] {
    Properties.KmsMasterKeyId EXISTS
    <<topics must be encrypted>>
  }
}
";

/// The engine is wrong about it, but doesn't fail.
#[test]
fn networks_of_ipv6_are_checked() {
    let project = Project::empty("p");
    let cidr = r#"{"Fn::Cidr": ["2001:db8:1234:1a00::/56", 2, 64]}"#;
    let text = format!(
        r#"{{"Resources": {{"T": {{"Type": "AWS::SNS::Topic", "Metadata": {{"Blocks": {cidr}}},
        "Properties": {{"DisplayNam": "x"}}}}}}}}"#
    );
    project.write("t.json", &text);
    assert_eq!(found(&project, &["t.json"]), ["t.json:2 F3002"]);
}

#[test]
fn rules_of_guard_are_checked() {
    let project = topic();
    project.write("rules/sns.guard", GUARD);
    project.write("rules/README.md", "not rules");
    let only = |args: &[&str]| -> Vec<String> {
        found(&project, args)
            .into_iter()
            .filter(|it| !ALL.contains(&it.as_str()))
            .collect()
    };
    assert_eq!(only(&[]), [""; 0]);
    let expect = ["t.yaml:6 topics_are_encrypted"];
    assert_eq!(only(&["--guard-rules", "rules/sns.guard"]), expect);
    assert_eq!(only(&["--guard-rules", "rules"]), expect);
    assert_eq!(
        only(&["--guard-rules", "rules", "--ignore", "topics_are_encrypted"]),
        [""; 0]
    );
    project.replace(".taskcat.yml", "name: p,", "name: p, guard_rules: [rules],");
    assert_eq!(only(&[]), expect);
    lint(&project, &["--ignore", "E,W"])
        .assert_code(1)
        .assert_says("topics must be encrypted");
    project.write("rules/bad.guard", "rule {\n");
    lint(&project, &[])
        .assert_code(2)
        .assert_says("invalid Guard rules")
        .assert_says("bad.guard");
    lint(&project, &["--guard-rules", "gone"])
        .assert_code(2)
        .assert_says("cannot read the Guard rules gone: no such file");
    project.write("none/x.txt", "");
    lint(&project, &["--guard-rules", "none"])
        .assert_code(2)
        .assert_says("has no Guard rules");
}

#[test]
fn formats_for_other_programs() {
    let project = topic();
    project.write("good.yaml", "Resources:\n  T: {Type: AWS::SNS::Topic}\n");
    project.replace(
        ".taskcat.yml",
        "{one: {}}",
        "{one: {}, two: {template: good.yaml}}",
    );
    let print = |format: &str| {
        let outcome = lint(&project, &["-f", format]);
        outcome.assert_code(1);
        assert_eq!(outcome.stderr, "", "{format}");
        outcome.stdout
    };
    let sarif: Value = serde_json::from_str(&print("sarif")).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(
        (&sarif["version"], &run["tool"]["driver"]["name"]),
        (&"2.1.0".into(), &"taskcat".into())
    );
    let result = &run["results"][1];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"F3002".into(), &"error".into())
    );
    assert_eq!(place["artifactLocation"]["uri"], "t.yaml");
    assert_eq!(place["region"]["startLine"], 8);
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "F3002");

    let junit = print("junit");
    assert!(
        junit.contains(r#"<testsuite name="good.yaml" tests="1""#),
        "{junit}"
    );
    assert!(
        junit.contains(r#"<testsuite name="t.yaml" tests="2""#),
        "{junit}"
    );
    assert!(junit.contains("<failure message="), "{junit}");

    let github = print("github");
    let lines: Vec<&str> = github.lines().collect();
    assert!(
        lines[0].starts_with("::warning title=W2001,file=t.yaml,line=2,col=3::"),
        "{github}"
    );
    assert!(
        lines[1].starts_with("::error title=F3002,file=t.yaml,line=8,col=7::"),
        "{github}"
    );
    assert_eq!(lines.len(), 2);

    let gitlab: Value = serde_json::from_str(&print("gitlab")).unwrap();
    let issue = &gitlab[1];
    assert_eq!(
        (&issue["check_name"], &issue["severity"]),
        (&"F3002".into(), &"major".into())
    );
    assert_eq!(issue["location"]["path"], "t.yaml");
    assert_eq!(issue["location"]["lines"]["begin"], 8);
    assert_eq!(issue["fingerprint"].as_str().unwrap().len(), 64);
    assert_ne!(issue["fingerprint"], gitlab[0]["fingerprint"]);
}

#[test]
#[ignore = "needs published schemas; run tests/run.sh"]
fn formats_are_as_published() {
    let project = topic();
    // What has to be escaped somewhere.
    let odd = "a & b/t, 100% [x].yaml";
    project.write(odd, &TOPIC.replace("DisplayNam:", "\"A:,<&%\\n\":"));
    project.write("good.yaml", "Resources:\n  T: {Type: AWS::SNS::Topic}\n");
    project.write(
        ".taskcat.yml",
        &format!(
            "project: {{name: p, regions: [us-east-1, us-east-2]}}\ntests:\n  \
             one: {{template: t.yaml}}\n  two: {{template: '{odd}'}}\n  three: {{template: good.yaml}}\n"
        ),
    );
    for (format, file) in [
        ("sarif", "out/lint.sarif"),
        ("junit", "out/lint.xml"),
        ("gitlab", "out/gitlab.json"),
        ("github", "out/github.txt"),
    ] {
        let outcome = lint(&project, &["--all", "--format", format]);
        project.write(file, &outcome.stdout);
    }
    let output = std::process::Command::new(venv("schemas").join("bin/python"))
        .arg(support("lint_formats.py"))
        .arg(project.path().join("out"))
        .output()
        .unwrap();
    let faults = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{faults}{error}");
}

#[test]
fn an_error_stops_a_run_before_anything_is_made() {
    let project = Project::copy_of("lint-error");
    let run = |args: &[&str]| {
        Taskcat::bare(&project)
            .args(["test", "run", "--local"])
            .args(args.iter().copied())
            .run()
    };
    let outcome = run(&[]);
    outcome
        .assert_code(1)
        .assert_says("templates/topic.template.yaml:9:")
        .assert_says("F1020")
        .assert_says(
            "lint found 1 error(s); nothing was launched (--lint-disable skips the check)",
        );
    assert!(outcome.output("index.html").contains("lint"));
    assert!(!outcome.output("index.html").contains("CREATE_"));
    project.write(".cfnlintrc", "ignore_checks: [E1010]\n");
    run(&[])
        .assert_silent_about("F1020")
        .assert_silent_about("lint found");
    project.write(".cfnlintrc", "");
    let skipped = run(&["-l"]);
    skipped.assert_silent_about("lint:");
    assert!(skipped.report()["lint"].is_null());
}

#[test]
fn a_run_checks_the_rules_of_guard() {
    let project = topic();
    project.write("t.yaml", "Resources:\n  T: {Type: AWS::SNS::Topic}\n");
    let run = || {
        Taskcat::bare(&project)
            .args(["test", "run", "--local"])
            .run()
    };
    run().assert_code(0).assert_says("lint: nothing found");
    project.write("sns.guard", GUARD);
    project.replace(
        ".taskcat.yml",
        "project:",
        "general: {guard_rules: [sns.guard]}\nproject:",
    );
    run().assert_code(1).assert_says("topics_are_encrypted");
}

#[test]
#[ignore = "needs ministack; run tests/run.sh"]
fn nothing_is_called_after_an_error() {
    let server = Server::take(Kind::Ministack);
    let proxy = Proxy::before(&server);
    let project = Project::copy_of("lint-error");
    let run = || Taskcat::test_run_at(&project, server.kind, &proxy.endpoint()).run();
    run().assert_code(1).assert_says("F1020");
    let calls = proxy.calls();
    assert_eq!(
        calls.count("CreateBucket") + calls.count("CreateStack"),
        0,
        "{}",
        calls.summary()
    );
    project.write(".cfnlintrc", "ignore_checks:\n  - E1010\n");
    run().assert_silent_about("F1020");
    assert_eq!(
        proxy.calls().count("CreateStack"),
        1,
        "the server has the last word"
    );
    server.standing(&["us-east-1"]).assert_nothing();
}

#[test]
#[ignore = "needs cfn-lint; run tests/run.sh"]
fn cfn_lint_can_be_used_as_well() {
    let project = topic();
    let with_cfn_lint = |engine: &str| -> Vec<String> {
        let outcome = Taskcat::offline(&project)
            .with_python_tools()
            .args(["lint", "--format", "json", "--engine", engine])
            .run();
        let findings: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
        let shown = findings
            .iter()
            .map(|it| format!("{}:{}", it["rule"], it["line"]));
        shown.map(|it| it.replace('"', "")).collect()
    };
    assert_eq!(with_cfn_lint("builtin"), ["W2001:2", "F3002:8"]);
    assert_eq!(with_cfn_lint("cfn-lint"), ["W2001:2", "E3002:8"]);
    assert_eq!(with_cfn_lint("both"), ["W2001:2", "F3002:8"]);
    project.replace(
        "t.yaml",
        "DisplayNam: here",
        "DisplayNam: here # taskcat: ignore E3002",
    );
    assert_eq!(with_cfn_lint("both"), ["W2001:2"]);
    project.write(".cfnlintrc", "ignore_checks: [W2001]\n");
    assert_eq!(with_cfn_lint("cfn-lint"), [""; 0]);
    for engine in ["cfn-lint", "both"] {
        lint(&project, &["--engine", engine])
            .assert_code(2)
            .assert_says("`cfn-lint` is not on PATH");
    }
}

#[test]
fn a_selected_rule_has_to_exist() {
    let project = topic();
    assert_eq!(found(&project, &["--select", "E3002"]), [ALL[1]]);
    assert_eq!(found(&project, &["--select", "e3,W2001"]), ALL);
    lint(&project, &["--select", "W2001,E3O02"])
        .assert_code(2)
        .assert_says("error: no rule `E3O02` (--select)")
        .assert_says("help: did you mean `E3002`?");
}

#[test]
fn a_guard_rule_that_is_not_valid_is_shown_with_its_place() {
    let project = topic();
    project.write(
        "bad.guard",
        "rule a {\n  Resources.* {\n    Type === 'x'\n  }\n}\n",
    );
    lint(&project, &["--guard-rules", "bad.guard"])
        .assert_code(2)
        .assert_says("error: invalid Guard rules: expected ")
        .assert_says("bad.guard:3:12")
        .assert_says("Type === 'x'")
        .assert_says("help: https://docs.aws.amazon.com/cfn-guard/");
    project.write("bad.guard", "rule a {\n");
    lint(&project, &["--guard-rules", "bad.guard"])
        .assert_code(2)
        .assert_says("found the end of the file")
        .assert_says("bad.guard:");
}

#[test]
fn a_nested_file_that_is_no_template_is_a_finding() {
    let project = topic();
    let parent = "Resources:\n  C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: \
                  ./child.yaml}}\n";
    project.write("t.yaml", parent);
    project.write("child.yaml", "Resources: [\n");
    let expect = ["child.yaml:1 E0000", "t.yaml:2 W3002"];
    assert_eq!(found(&project, &[]), expect);
    let outcome = lint(&project, &[]);
    outcome
        .assert_code(1)
        .assert_silent_about("warning: expected");
}

/// `aws cloudformation package` replaces a local `TemplateURL`.
#[test]
fn a_local_nested_template_gets_the_values_of_its_parent() {
    let project = topic();
    let parent = "Resources:\n  C:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      \
                  TemplateURL: ./child.yaml\n      Parameters: {Delay: 1000}\n";
    project.write("t.yaml", parent);
    let child = "Parameters: {Delay: {Type: Number}}\nResources:\n  Queue:\n    Type: \
                 AWS::SQS::Queue\n    Properties:\n      DelaySeconds: !Ref Delay\n";
    project.write("child.yaml", child);
    let expect = "child.yaml:6 F3034".to_owned();
    let all = found(&project, &[]);
    assert!(all.contains(&expect), "{all:?}");
    project.replace("t.yaml", "1000", "100");
    assert!(!found(&project, &[]).contains(&expect));
}

#[test]
fn an_instance_needs_an_image() {
    let project = topic();
    let resource = "Resources:\n  I:\n    Type: AWS::EC2::Instance\n    Properties:\n      \
                    InstanceType: t3.micro\n";
    project.write("t.yaml", resource);
    assert_eq!(found(&project, &["--select", "E3673"]), ["t.yaml:4 E3673"]);
    assert_eq!(found(&project, &["--ignore", "E3673"]), [""; 0]);
}

/// A list without a default is given by whoever launches the template.
#[test]
fn a_list_that_is_empty_by_default_is_not_an_error() {
    let project = topic();
    let balancer = "Parameters:\n  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: \
                    ''}\nResources:\n  B:\n    Type: \
                    AWS::ElasticLoadBalancingV2::LoadBalancer\n    Properties: {Subnets: !Ref \
                    Subnets}\n";
    project.write("t.yaml", balancer);
    assert_eq!(found(&project, &["t.yaml", "--select", "E"]), [""; 0]);
}
