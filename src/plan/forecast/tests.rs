//! Tests of predictions.

use super::*;
use crate::mask::MASK;
use crate::plan::draft::tests::TempProject;

fn forecast(files: &[(&str, &str)], regions: RegionScope) -> Forecast {
    let project = TempProject::new(files);
    let (draft, _) = project
        .draft()
        .unwrap_or_else(|errors| panic!("{files:?}\n{errors:?}"));
    let asked = draft.tests.iter().map(|test| (test.template.clone(), None));
    let (templates, _) = Templates::load(project.root(), asked);
    // Objects whose name begins with a dot may be somebody else's.
    let staged = |path: &str| match path {
        _ if path.starts_with('.') => StagedState::Unknown,
        _ if project.root().join(path).is_file() => StagedState::Yes,
        _ => StagedState::No,
    };
    draft.forecast(&templates, &staged, regions, &Facts::default())
}

/// Formats a cell as one line: failures as `file:line message`, or what AWS would be asked.
fn said(cell: &ForecastCell) -> String {
    let failure = |failure: &Failure| {
        let file = failure.at.file.file_name().unwrap().to_string_lossy();
        let nested_in = failure
            .nested_in
            .iter()
            .map(|it| format!("{} > ", it.logical_id))
            .collect::<String>();
        format!(
            "{nested_in}{file}:{} {}",
            failure.at.at.line, failure.message
        )
    };
    match cell.verdict() {
        ForecastVerdict::WouldLaunch => "ok".to_owned(),
        ForecastVerdict::WouldFail => cell
            .failures
            .iter()
            .map(failure)
            .collect::<Vec<_>>()
            .join("; "),
        ForecastVerdict::WouldLaunchIf => {
            let assumptions = cell.notable_assumptions().map(|it| it.text.as_str());
            format!("if {}", assumptions.collect::<Vec<_>>().join(", "))
        }
        ForecastVerdict::Undecided => {
            let branches = cell.possible.iter().filter(|it| it.is_certain_in_branch);
            let reasons: BTreeSet<_> = branches.flat_map(|it| &it.depends_on).collect();
            let reasons: Vec<_> = reasons.into_iter().map(String::as_str).collect();
            format!("undecided without {}", reasons.join(", "))
        }
    }
}

const CHILD: &str = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n";

/// A nested stack with this URL, in a test with these additional keys.
#[track_caller]
fn check_url(url: &str, keys: &str, expect: &str) {
    let config = format!(
        "project: {{name: team/p, template: t.yaml, regions: [eu-west-1]}}\ntests:\n  \
         one:\n    \
         parameters: {{Bucket: '$[taskcat_autobucket]'}}\n{keys}"
    );
    let template = format!(
        "Parameters: {{Bucket: {{Type: String}}}}\nResources:\n  Child:\n    Type: \
         AWS::CloudFormation::Stack\n    \
         Properties:\n      TemplateURL: {url}\n"
    );
    let files = [
        (".taskcat.yml", &*config),
        ("t.yaml", &*template),
        ("n/c.yaml", CHILD),
        ("n/broken.yaml", "["),
    ];
    let forecast = forecast(&files, RegionScope::Declared);
    let [cell] = forecast.cells.as_slice() else {
        panic!("{forecast:?}")
    };
    let bucket = &cell.bucket.name;
    assert_eq!(said(cell).replace(bucket, "BUCKET"), expect, "{url} {keys}");
}

#[test]
fn nested_stacks_are_found_in_the_buckets_that_they_name() {
    let own = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/c.yaml";
    check_url(own, "", "ok");
    check_url(
        "!Sub https://s3.${AWS::Region}.${AWS::URLSuffix}/${Bucket}/team/p/n/c.yaml",
        "",
        "ok",
    );
    let missing =
        |key: &str| format!("Child > t.yaml:6 S3 error: The specified key does not exist. ({key})");
    let gone = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/gone.yaml";
    let other_prefix = "!Sub https://${Bucket}.s3.amazonaws.com/p/n/c.yaml";
    let left = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/.n/c.yaml";
    check_url(gone, "", &missing("team/p/n/gone.yaml"));
    check_url(other_prefix, "", &missing("p/n/c.yaml"));
    check_url(left, "", &missing("team/p/.n/c.yaml"));
    // Others use the bucket, too.
    for shared in ["    s3_bucket: mine\n", "    s3_regional_buckets: true\n"] {
        check_url(own, shared, "ok");
        check_url(gone, shared, &missing("team/p/n/gone.yaml"));
        check_url(
            other_prefix,
            shared,
            "if the object s3://BUCKET/p/n/c.yaml exists",
        );
        check_url(
            left,
            shared,
            "if the object s3://BUCKET/team/p/.n/c.yaml exists",
        );
    }
    // A hook may upload it.
    let hook = "    prehooks: [{type: script, config: {command: make}}]\n";
    check_url(own, hook, "ok");
    check_url(
        gone,
        hook,
        "if the object s3://BUCKET/team/p/n/gone.yaml exists",
    );
    check_url(
        "https://other.s3.amazonaws.com/team/p/n/c.yaml",
        "",
        "if the object s3://other/team/p/n/c.yaml exists",
    );
    // S3 in another partition.
    check_url(
        "!Sub https://${Bucket}.s3.cn-north-1.amazonaws.com.cn/team/p/n/c.yaml",
        "",
        "if the object s3://BUCKET/team/p/n/c.yaml exists",
    );
}

#[test]
fn invalid_urls_are_refused() {
    check_url(
        "n/c.yaml",
        "",
        "Child > t.yaml:6 TemplateURL must be a supported URL.",
    );
    check_url(
        "[a]",
        "",
        "Child > t.yaml:6 Value of property TemplateURL must be of type String",
    );
    let broken = "!Sub https://${Bucket}.s3.amazonaws.com/team/p/n/broken.yaml";
    check_url(
        broken,
        "",
        "Child > t.yaml:6 Template format error: n/broken.yaml:1:1: unclosed `[`",
    );
}

#[test]
fn resource_types_that_a_region_lacks() {
    let template = "
Conditions: {IsOurs: !Equals [!Ref AWS::AccountId, '1'], Never: !Equals [a, b]}
Resources:
  Ours: {Type: AWS::DeviceFarm::Project, Condition: IsOurs, Properties: {Name: n}}
  Never: {Type: AWS::DeviceFarm::Project, Condition: Never}
  Mine: {Type: Custom::Anything}
";
    let config = "project: {name: p, template: t.yaml, regions: [us-west-2, us-east-1, \
        me-central-1, xx-moon-1]}\n\
                  tests: {one: {}}\n";
    let said = |template: &str| {
        let forecast = forecast(
            &[(".taskcat.yml", config), ("t.yaml", template)],
            RegionScope::Declared,
        );
        forecast.cells.iter().map(said).collect::<Vec<_>>()
    };
    let listed = "if me-central-1 offers AWS::DeviceFarm::Project";
    assert_eq!(
        said(template),
        ["ok", "undecided without AWS::AccountId", listed, "ok"]
    );
    let refused = "t.yaml:4 Template format error: Unrecognized resource types: \
        [AWS::DeviceFarm::Project]";
    assert_eq!(
        said(&template.replace(", Condition: IsOurs", "")),
        ["ok", refused, listed, "ok"]
    );
}

#[test]
fn every_region_of_the_partitions() {
    let config = "project: {name: p, template: t.yaml, regions: [xx-moon-1, \
        cn-north-1]}\ntests: {one: {}, two: \
                  {regions: [us-gov-west-1]}}\n";
    let forecast = forecast(
        &[(".taskcat.yml", config), ("t.yaml", "Resources: {}\n")],
        RegionScope::All,
    );
    let cells: Vec<_> = forecast
        .cells
        .iter()
        .map(|cell| (&*cell.test, &*cell.region, cell.is_declared))
        .collect();
    assert_eq!(
        cells[..2],
        [("one", "xx-moon-1", true), ("one", "cn-north-1", true)]
    );
    assert!(
        cells.contains(&("one", "us-east-1", false))
            && cells.contains(&("one", "cn-northwest-1", false))
    );
    let two: Vec<_> = cells.iter().filter(|(test, ..)| *test == "two").collect();
    assert_eq!(
        two,
        [
            &("two", "us-gov-west-1", true),
            &("two", "us-gov-east-1", false)
        ]
    );
}

#[test]
fn values_are_known_as_far_as_files_tell() {
    let config = "project: {name: p, template: t.yaml, regions: [us-east-1]}\ntests:\n  \
        one:\n    parameters:\n      \
                  Zones: $[taskcat_genaz_2]\n      Account: a-$[taskcat_account_id]\n      \
                  Secret: $[taskcat_genpass_8]\n      Name: $[taskcat_test_name]\n";
    let template = "
Parameters:
  Zones: {Type: CommaDelimitedList}
  Account: {Type: String, AllowedPattern: a-.*}
  Secret: {Type: String, AllowedPattern: '[^a]*'}
  Name: {Type: String, AllowedValues: [two]}
  Size: {Type: Number, Default: 3, MaxValue: 2}
  Kind: {Type: String, Default: x, AllowedValues: [y]}
Resources: {Topic: {Type: AWS::SNS::Topic}}
";
    let forecast = forecast(
        &[(".taskcat.yml", config), ("t.yaml", template)],
        RegionScope::Declared,
    );
    let cell = &forecast.cells[0];
    let parameters: Vec<_> = cell
        .parameters
        .iter()
        .map(|(key, value)| (&**key, value.to_json()))
        .collect();
    let unknown = |what: &str| serde_json::json!({ "Unknown": what });
    assert_eq!(
        parameters,
        [
            ("Zones", unknown("availability zones of us-east-1")),
            ("Account", unknown("AWS::AccountId")),
            ("Secret", MASK.into()),
            ("Name", "one".into()),
            ("Kind", "x".into()),
        ]
    );
    let failures: Vec<_> = cell
        .failures
        .iter()
        .map(|it| (it.at.at.line, &*it.message, it.notes.len()))
        .collect();
    assert_eq!(
        failures,
        [
            (6, "Parameter 'Name' must be one of AllowedValues", 1),
            (7, "Parameter 'Size' must be a number not greater than 2", 0),
            (8, "Parameter 'Kind' must be one of AllowedValues", 1),
        ]
    );
    let note = |index: usize| {
        let note = &cell.failures[index].notes[0];
        (&*note.message, note.at.as_ref().unwrap().at.line)
    };
    assert_eq!(note(0), ("parameter Name is set here", 8));
    assert_eq!(note(2), ("parameter Kind has its default here", 8));
    let assumptions: Vec<_> = cell
        .assumptions
        .iter()
        .map(|it| (&*it.text, it.parameters.join(" "), it.is_ordinary))
        .collect();
    let zones = "2 availability zones in us-east-1";
    assert_eq!(assumptions, [(zones, "Zones".to_owned(), true)]);
    // The form of an account's ID fits the pattern.
    assert_eq!(cell.possible, []);
}
