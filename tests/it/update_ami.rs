//! `taskcat update-ami`: only AMI IDs change, whatever a template looks like, and what can't be
//! looked up is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use walkdir::WalkDir;

use crate::corpus::corpus;
use crate::project::Project;
use crate::servers::{Kind, Server, support, venv};
use crate::simulator::Simulator;
use crate::taskcat::{Outcome, Taskcat};

const CONFIG: &str = "\
project: {name: fleet, regions: [us-east-1]}
tests:
  default: {template: templates/main.yaml}
";

/// A template with line ends of Windows, a byte order mark, comments that contain AMI IDs, several
/// styles of quotes, and no line feed at its end.
const MAIN: &str = "\u{FEFF}# Größe: ami-0000000000000000a\r
Metadata:\r
  AWSAMIRegionMap:\r
    Filters:\r
      WEB: {name: 'web-*', owner-id: 111122223333}\r
      OS: {ssm-parameter: /fleet/os}\r
Mappings:\r
  AWSAMIRegionMap:\r
    AMI: {WEB: Web server}\r
    us-east-1:\r
      WEB:   ami-0000000000000000a   # not ami-0000000000000000a\r
      AMZNLINUX2: \"ami-0000000000000000a\"\r
      OS: 'ami-0000000000000000a'\r
      Size: m5.large\r
    eu-west-1: {WEB: ami-0000000000000000b, AMZNLINUX2: \"\"}\r
    'ap-south-1':\r
      WEB: ami-00000000000000002\r
      AMZNLINUX2: '{{resolve:ssm:/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2}}'\r
Resources:\r
  Nested:\r
    Type: AWS::CloudFormation::Stack\r
    Properties: {TemplateURL: nested.json}\r
  Other: {Type: AWS::SNS::Topic, Properties: {DisplayName: ami-0000000000000000a}}";

const NESTED: &str = "{\n\t\"Mappings\": {\"AWSAMIRegionMap\": {\n\t\t\"us-east-1\" : \
                      {\"WEB\":\"ami-0000000000000000a\", \"US2204HVM\" \
                      :\"ami-0000000000000000a\"}}},\n\t\"Resources\": {\"T\": {\"Type\": \
                      \"AWS::SNS::Topic\"}}\n}\n\n";

const SEEDS: &str = "\
ssm_parameters: [{name: /fleet/os, value: ami-00000000000000009}]
images:
  - {id: ami-00000000000000001, name: web-1, owner: '111122223333', creation_date: '2025-01-01T00:00:00.000Z'}
  - {id: ami-00000000000000002, name: web-2, owner: '111122223333', creation_date: '2025-02-01T00:00:00.000Z'}
  - {id: ami-00000000000000003, name: web-3, owner: '444455556666', creation_date: '2025-03-01T00:00:00.000Z'}
  - {id: ami-00000000000000004, name: web-4, owner: '111122223333', state: pending,
     creation_date: '2025-04-01T00:00:00.000Z'}
  - {id: ami-00000000000000005, name: amzn2-ami-hvm-2.0.1-x86_64-gp2, owner: amazon}
  - {id: ami-00000000000000006, owner: '099720109477',
     name: ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250101}
";

fn fleet() -> Project {
    let project = Project::empty("fleet");
    project.write(".taskcat.yml", CONFIG);
    project.write("templates/main.yaml", MAIN);
    project.write("templates/nested.json", NESTED);
    project
}

fn simulator(project: &Project, seeds: &str, scenario: &str) -> Simulator {
    let path = |name: &str, text: &str| {
        let path = project.home().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let seeds = path("seeds.yml", seeds);
    let scenario = path("scenario.yml", scenario);
    Simulator::start(&["--seed", &seeds, "--scenario", &scenario])
}

fn update(project: &Project, endpoint: &str, args: &[&str]) -> Outcome {
    Taskcat::at(project, endpoint)
        .args(["update-ami"].into_iter().chain(args.iter().copied()))
        .run()
}

/// The text with the AMI IDs on some of its lines replaced.
fn with_lines(text: &str, changes: &[(usize, &str, &str)]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for (line, from, to) in changes {
        let at = &mut lines[line - 1];
        assert!(at.contains(from), "{at}");
        *at = at.replacen(from, to, 1);
    }
    lines.concat()
}

#[test]
fn only_outdated_ami_ids_change() {
    let project = fleet();
    let simulator = simulator(&project, SEEDS, "{}");
    let old = "ami-0000000000000000a";
    let web = "ami-00000000000000002";
    let linux = "ami-00000000000000005";
    let main = with_lines(
        MAIN,
        &[
            (11, old, web),
            (12, old, linux),
            (13, old, "ami-00000000000000009"),
            (15, "ami-0000000000000000b", web),
            (15, "\"\"", "\"ami-00000000000000005\""),
        ],
    );
    let nested = with_lines(NESTED, &[(3, old, web), (3, old, "ami-00000000000000006")]);

    let outcome = update(&project, &simulator.endpoint(), &["--check"]);
    outcome
        .assert_code(100)
        .assert_says("would update 7 of 8 AMI IDs in 2 templates");
    assert_eq!(project.read("templates/main.yaml"), MAIN);
    assert_eq!(project.read("templates/nested.json"), NESTED);

    let path = project.path().join("templates/main.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let written = update(&project, &simulator.endpoint(), &[]);
    written
        .assert_code(100)
        .assert_says("updated 7 of 8 AMI IDs");
    assert_eq!(written.stdout, outcome.stdout);
    let lines: Vec<&str> = written.stdout.lines().collect();
    assert_eq!(
        lines[0],
        format!("templates/main.yaml:11: us-east-1/WEB: {old} -> {web} (web-2, 2025-02-01)")
    );
    assert_eq!(project.read("templates/main.yaml"), main);
    assert_eq!(project.read("templates/nested.json"), nested);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    let again = update(&project, &simulator.endpoint(), &[]);
    again
        .assert_code(0)
        .assert_says("no AMI ID of 8 was changed");
    assert_eq!(again.stdout, "");
}

#[test]
fn a_filters_file_of_the_project_is_used() {
    let project = fleet();
    let simulator = simulator(&project, SEEDS, "{}");
    project.write(
        "amiupdater.cfg.yml",
        "global: {AMIs: {US2204HVM: {owner-id: '111122223333', name: [web-1, x]}}}\n",
    );
    let outcome = update(&project, &simulator.endpoint(), &["--dry-run"]);
    outcome.assert_code(100);
    let line = "us-east-1/US2204HVM: ami-0000000000000000a -> ami-00000000000000001";
    assert!(outcome.stdout.contains(line), "{}", outcome.stdout);

    let outcome = update(&project, &simulator.endpoint(), &["--filters", "gone.yml"]);
    outcome.assert_code(2).assert_says("gone.yml: no such file");
    project.write("own.yml", "AMIs: {}\n");
    let outcome = update(&project, &simulator.endpoint(), &["--filters", "own.yml"]);
    outcome
        .assert_code(2)
        .assert_says("the filters file lacks `global.AMIs`")
        .assert_says("own.yml:1:1");
}

const ODD: &str = "\
Metadata:
  AWSAMIRegionMap:
    Filters:
      WEB: {nmae: web-*}
      GONE: {name: gone-*}
      TEXT: {ssm-parameter: /fleet/text}
      LOST: {ssm-parameter: /fleet/lost}
Mappings:
  AWSAMIRegionMap:
    us-east-1:
      WEB: ami-0a
      GONE: ami-0a
      TEXT: ami-0a
      LOST: ami-0a
      AMZNLINUX3: ami-0a
      AMZNLINUX2: \"ami\\x2d0a\"
    us-eest-1: {AMZNLINUX2: ami-0a}
    us-gov-west-1: {AMZNLINUX2: ami-0a}
    me-south-1: {AMZNLINUX2: ami-0a, GONE: ami-0a}
    eu-west-1: {AMZNLINUX2: ami-0a}
    eu-west-2: {AMZNLINUX2: ami-0a}
Resources: {T: {Type: AWS::SNS::Topic}}
";

/// Each cause is named once, with file, line and map key; everything else is updated.
#[test]
fn what_cannot_be_looked_up_is_named_and_the_rest_is_updated() {
    let project = fleet();
    project.write("templates/main.yaml", ODD);
    let seeds = format!(
        "{}\n",
        SEEDS.replace(
            "[{name: /fleet/os, value: ami-00000000000000009}]",
            "[{name: /fleet/text, value: text}]"
        )
    );
    let simulator = simulator(
        &project,
        &seeds,
        "disabled_regions: [me-*]\ncalls: [{service: ec2, action: DescribeImages, regions: \
         [eu-west-1], fault: deny}]\n",
    );
    let outcome = update(&project, &simulator.endpoint(), &[]);
    outcome.assert_code(100);
    assert_eq!(
        project.read("templates/main.yaml"),
        ODD.replace(
            "eu-west-2: {AMZNLINUX2: ami-0a}",
            "eu-west-2: {AMZNLINUX2: ami-00000000000000005}"
        )
    );
    for (text, line) in [
        ("`nmae` is not a known filter of DescribeImages", 4),
        ("The filter 'nmae' is invalid", 11),
        ("no image matches the filters of `GONE`", 12),
        (
            "the SSM parameter of `TEXT` has a value other than an AMI ID",
            13,
        ),
        ("the SSM parameter /fleet/lost doesn't exist", 14),
        ("no filters are known for the codename `AMZNLINUX3`", 15),
        (
            "us-east-1/AMZNLINUX2 cannot be changed to ami-00000000000000005",
            16,
        ),
        ("the region `us-eest-1` is not enabled", 17),
        ("the region `us-gov-west-1` is not enabled", 18),
        ("the region `me-south-1` is not enabled", 19),
        ("eu-west-1: DescribeImages: UnauthorizedOperation", 20),
    ] {
        outcome.assert_says_once(text);
        let rest = outcome.stderr.split(text).nth(1).unwrap();
        let place = rest.split("main.yaml:").nth(1).unwrap();
        let found = place.split(':').next().unwrap();
        assert_eq!(found, line.to_string(), "{text}\n{}", outcome.stderr);
    }
    outcome
        .assert_says("AWSAMIRegionMap.me-south-1.AMZNLINUX2: this and 1 more are unchanged")
        .assert_says("AWSAMIRegionMap.us-east-1.GONE: it is unchanged")
        .assert_says("help: did you mean `us-east-1`?")
        .assert_says("help: did you mean `AMZNLINUX`?")
        .assert_says("help: allow ec2:DescribeImages");
}

#[test]
fn without_permission_nothing_changes() {
    let project = fleet();
    let denied = simulator(
        &project,
        SEEDS,
        "calls: [{service: ec2, action: DescribeRegions, fault: deny}]",
    );
    let outcome = update(&project, &denied.endpoint(), &[]);
    outcome
        .assert_code(3)
        .assert_says("DescribeRegions: UnauthorizedOperation");
    assert_eq!(project.read("templates/main.yaml"), MAIN);

    let denied = simulator(
        &project,
        SEEDS,
        "calls: [{service: ec2, action: DescribeImages, fault: deny}, {service: ssm, fault: deny}]",
    );
    let outcome = update(&project, &denied.endpoint(), &[]);
    outcome
        .assert_code(3)
        .assert_says("help: allow ec2:DescribeImages")
        .assert_says("help: allow ssm:GetParameter");
    assert_eq!(project.read("templates/main.yaml"), MAIN);
    Taskcat::offline(&project)
        .args(["update-ami"])
        .run()
        .assert_code(3);
}

#[test]
fn bad_input_changes_nothing() {
    let project = fleet();
    let simulator = simulator(&project, SEEDS, "{}");
    let path = project.path().join("templates/nested.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let outcome = update(&project, &simulator.endpoint(), &[]);
    outcome
        .assert_code(5)
        .assert_says("nested.json: permission denied");
    assert_ne!(project.read("templates/main.yaml"), MAIN);

    project.write("templates/main.yaml", "Resources: [\n");
    let outcome = update(&project, &simulator.endpoint(), &[]);
    outcome.assert_code(2).assert_says("main.yaml:");

    let no_map = "Resources: {T: {Type: AWS::SNS::Topic}}\n";
    project.write("templates/main.yaml", no_map);
    let outcome = update(&project, &simulator.endpoint(), &[]);
    outcome
        .assert_code(0)
        .assert_says("no template has an AMI ID in Mappings.AWSAMIRegionMap");

    let unknown = "Mappings: {AWSAMIRegionMap: {us-east-1: {X: ami-0a}}}\n";
    project.write("templates/main.yaml", &format!("{unknown}{no_map}"));
    let outcome = update(&project, &simulator.endpoint(), &[]);
    outcome
        .assert_code(2)
        .assert_says("no filters are known for the codename `X`");
    let outcome = update(&project, &simulator.endpoint(), &["-p", "nowhere"]);
    outcome.assert_code(2).assert_says("doesn't exist");
}

#[test]
fn templates_of_submodules_are_left_alone() {
    let project = fleet();
    let simulator = simulator(&project, SEEDS, "{}");
    project.write(
        ".gitmodules",
        "[submodule \"m\"]\n\tpath = templates/sub\n\turl = x\n",
    );
    project.write("templates/sub/nested.json", NESTED);
    project.replace("templates/main.yaml", "nested.json", "./sub/nested.json");
    update(&project, &simulator.endpoint(), &[]).assert_code(100);
    assert_eq!(project.read("templates/sub/nested.json"), NESTED);
}

/// Every AMI map of real projects, which lie beside the checkout: the changed files differ from
/// the old ones in AMI IDs alone.
#[test]
#[ignore = "needs ../shared/corpus; run tests/run.sh"]
fn in_the_corpus_only_ami_ids_change() {
    let id = regex::Regex::new("ami-[0-9a-f]+").unwrap();
    let mut updated = 0;
    let (corpus, _) = corpus();
    for file in WalkDir::new(corpus).sort_by_file_name() {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        if !text.contains("AWSAMIRegionMap") {
            continue;
        }
        let project = Project::empty("real");
        let name = file.file_name().to_str().unwrap().to_owned();
        project.write(&name, &text);
        project.write(
            ".taskcat.yml",
            &format!(
                "project: {{name: real}}\ntests: {{t: {{template: {name}, regions: \
                 [us-east-1]}}}}\n"
            ),
        );
        let codenames = "CentOS7HVM CISUBUNTU2004 AMZN2LINUXHVM WS2012R2 US2004HVM AMZNLINUX2 AMI";
        let filters: Vec<String> = codenames
            .split(' ')
            .map(|it| format!("    {it}: {{name: newest}}\n"))
            .collect();
        project.write(
            "amiupdater.cfg.yml",
            &format!("global:\n  AMIs:\n{}", filters.concat()),
        );
        let newest = "images: [{id: ami-0fedcba9876543210, name: newest, product_code: \
                      8wt6moitlqquyt3sdfbsorz2d}]";
        let simulator = simulator(&project, newest, "{}");
        let outcome = update(&project, &simulator.endpoint(), &["--profile", "default"]);
        let new = project.read(&name);
        if outcome.code == Some(100) {
            assert_ne!(new, text, "{name}");
            updated += 1;
        } else {
            assert_eq!(new, text, "{name}: {}", outcome.stderr);
        }
        let masked = |text: &str| id.replace_all(text, "ami-").into_owned();
        assert_eq!(masked(&new), masked(&text), "{name}");
        assert_eq!(new.lines().count(), text.lines().count());
        let changed = new.lines().zip(text.lines()).filter(|(a, b)| a != b);
        assert_eq!(changed.count(), outcome.stdout.lines().count(), "{name}");
    }
    assert!(updated >= 8, "only {updated} templates were updated");
}

const SHARED: &str = "\
# Comment: ami-0a
Metadata:
  AWSAMIRegionMap:
    Filters:
      NEW: {name: al2023-ami-2023*-kernel-6.1-x86_64, architecture: x86_64, owner-alias: amazon}
Mappings:
  AWSAMIRegionMap:
    AMI: {NEW: Amazon Linux 2023}
    us-east-1:
      NEW: ami-0a  # comment
      AMZNLINUX2ARM: \"\"
      KEPT: ami-0c
    eu-west-1:
      NEW: 'ami-0b'
    us-gov-west-1:
      NEW: ami-0a
Resources: {T: {Type: AWS::SNS::Topic}}
";

const SHARED_SEEDS: &str = "\
images:
  - {id: ami-00000000000000001, name: al2023-ami-2023.1-kernel-6.1-x86_64, owner: amazon}
  - {id: ami-00000000000000002, name: al2023-ami-2023.2-kernel-6.1-x86_64, owner: amazon,
     creation_date: '2025-02-01T00:00:00.000Z'}
  - {id: ami-00000000000000003, name: al2023-ami-2023.3-kernel-6.1-x86_64, owner: amazon, architecture: arm64,
     creation_date: '2025-03-01T00:00:00.000Z'}
  - {id: ami-00000000000000004, name: amzn2-ami-hvm-2-arm64-gp2, owner: amazon, architecture: arm64}
";

/// TaskCat writes the same file and ends with the same code, twice.
fn as_the_python_taskcat(endpoint: &str) {
    let run = |python: bool| {
        let project = Project::empty("fleet");
        project.write(".taskcat.yml", CONFIG);
        project.write("templates/main.yaml", SHARED);
        let mut codes = Vec::new();
        for _ in 0..2 {
            let outcome = if python {
                Taskcat::program(venv("taskcat").join("bin/python"), &project)
                    .env("AWS_ENDPOINT_URL", endpoint)
                    .env("AWS_ACCESS_KEY_ID", "testing")
                    .env("AWS_SECRET_ACCESS_KEY", "testing")
                    .args([
                        support("taskcat_offline.py").to_str().unwrap(),
                        "update-ami",
                    ])
                    .run()
            } else {
                update(&project, endpoint, &[])
            };
            codes.push((outcome.code, outcome.stderr));
        }
        let says = format!("{codes:#?}");
        let codes: Vec<_> = codes.into_iter().map(|(code, _)| code).collect();
        (project.read("templates/main.yaml"), codes, says)
    };
    let ours = run(false);
    let theirs = run(true);
    assert_eq!(ours.1, [Some(100), Some(0)], "{}", ours.2);
    assert_eq!(ours.1, theirs.1, "{}", theirs.2);
    // TaskCat loses the line feed at the end, and writes quotes for `""` where it needs none.
    assert_ne!(ours.0, SHARED);
    assert_eq!(ours.0.trim_end(), theirs.0.trim_end());
}

#[test]
#[ignore = "needs moto and the Python TaskCat; run tests/run.sh"]
fn on_moto_the_python_taskcat_writes_the_same() {
    as_the_python_taskcat(&Server::take(Kind::Moto).endpoint());
}

#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn in_the_simulator_the_python_taskcat_writes_the_same() {
    let project = Project::empty("seeds");
    as_the_python_taskcat(&simulator(&project, SHARED_SEEDS, "{}").endpoint());
}

/// Our built-in filters are TaskCat's, but for a codename that no image can match there.
#[test]
#[ignore = "needs the Python TaskCat; run tests/run.sh"]
fn the_built_in_filters_are_those_of_taskcat() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ami/filters.yml");
    let program = "\
import sys, yaml, taskcat, pathlib
ours, theirs = (yaml.safe_load(open(path))['global']['AMIs'] for path in
    (sys.argv[1], pathlib.Path(taskcat.__file__).parent / 'cfg/amiupdater.cfg.yml'))
assert theirs['US1804HVM'].pop('architecture') == 'arm64'
assert ours == theirs
";
    let output = std::process::Command::new(venv("taskcat").join("bin/python"))
        .args(["-c", program])
        .arg(ours)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
