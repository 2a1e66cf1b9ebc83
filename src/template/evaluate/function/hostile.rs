//! Tests with templates that try to use all time, memory or stack. Each must end with a result.

use std::fmt::Write;

use crate::template::evaluate::tests::stack;

const TOO_MUCH: &str = "template expansion exceeds the limit of 64 MiB";

/// Asserts the only kind of failure of a template with this property, or that it has none.
#[track_caller]
fn check(sections: &str, property: &str, expect: Option<&str>) {
    let text = format!(
        "{{{sections} \"Resources\": {{\"R\": {{\"Type\": \"T\", \"Properties\": {{\"V\": \
         {property}}}}}}}}}"
    );
    let parameter = "x,".repeat(2000);
    let parameters: &[(&str, &str)] = if sections.contains("\"P\"") {
        &[("P", &parameter)]
    } else {
        &[]
    };
    let stack = stack(&text, "us-east-1", parameters);
    let mut said: Vec<_> = stack
        .failures
        .iter()
        .map(|failure| failure.message.as_str())
        .collect();
    said.dedup();
    assert_eq!(said, expect.into_iter().collect::<Vec<_>>());
}

/// Returns `count` copies, separated by commas.
fn list(item: &str, count: usize) -> String {
    format!("[{}]", vec![item; count].join(","))
}

/// Wraps something `depth` times.
fn nested(before: &str, inner: &str, after: &str, depth: usize) -> String {
    format!("{}{inner}{}", before.repeat(depth), after.repeat(depth))
}

const PARAMETER: &str = r#""Parameters": {"P": {"Type": "String"}},"#;
const LIST_PARAMETER: &str = r#""Parameters": {"P": {"Type": "CommaDelimitedList"}},"#;
const EXTENSIONS: &str = r#""Transform": "AWS::LanguageExtensions","#;

#[test]
fn texts_that_double() {
    check(
        "",
        &nested(r#"{"Fn::Sub": ["${A}${A}", {"A": "#, "\"x\"", "}]}", 40),
        Some(TOO_MUCH),
    );
    check(
        "",
        &nested(
            r#"{"Fn::Base64": "#,
            &format!("\"{}\"", "x".repeat(1000)),
            "}",
            100,
        ),
        Some(TOO_MUCH),
    );
    check(
        EXTENSIONS,
        &nested(r#"{"Fn::ToJsonString": ["#, "\"\\\"\"", "]}", 50),
        Some(TOO_MUCH),
    );
}

#[test]
fn long_texts_many_times() {
    check(
        PARAMETER,
        &format!(r#"{{"Fn::Sub": "{}"}}"#, "${P}".repeat(100_000)),
        Some(TOO_MUCH),
    );
    check(
        PARAMETER,
        &format!(
            r#"{{"Fn::Join": [{{"Ref": "P"}}, {}]}}"#,
            list("1", 100_000)
        ),
        Some(TOO_MUCH),
    );
    check(PARAMETER, &list(r#"{"Ref": "P"}"#, 50_000), Some(TOO_MUCH));
}

#[test]
fn long_lists_many_times() {
    check(
        LIST_PARAMETER,
        &list(r#"{"Ref": "P"}"#, 50_000),
        Some(TOO_MUCH),
    );
    check(
        PARAMETER,
        &list(r#"{"Fn::Split": [",", {"Ref": "P"}]}"#, 20_000),
        Some(TOO_MUCH),
    );
    check(
        "",
        &list(r#"{"Fn::Cidr": ["10.0.0.0/8", 256, 8]}"#, 20_000),
        Some(TOO_MUCH),
    );
}

#[test]
fn a_long_list_of_a_mapping_many_times() {
    let mapping = format!(
        r#""Mappings": {{"M": {{"k": {{"k": {}}}}}}},"#,
        list("1", 100_000)
    );
    check(
        &mapping,
        &list(r#"{"Fn::FindInMap": ["M", "k", "k"]}"#, 5_000),
        Some(TOO_MUCH),
    );
}

#[test]
fn many_look_ups_in_large_mappings() {
    let mut mapping = String::from(r#""Mappings": {"M": {"#);
    for first in 0..150 {
        write!(
            mapping,
            "{}\"k{first}\": {{",
            if first == 0 { "" } else { "," }
        )
        .unwrap();
        for second in 0..150 {
            write!(
                mapping,
                "{}\"k{second}\": 1",
                if second == 0 { "" } else { "," }
            )
            .unwrap();
        }
        mapping.push('}');
    }
    mapping.push_str("}},");
    let all = r#"{"Fn::FindInMap": ["M", {"Ref": "AWS::AccountId"}, {"Ref": "AWS::AccountId"}]}"#;
    check(&mapping, &list(all, 5_000), Some(TOO_MUCH));
    check(
        &mapping,
        &list(r#"{"Fn::FindInMap": ["M", "k149", "k149"]}"#, 15_000),
        None,
    );
}

#[test]
fn deep_nesting() {
    // As deeply as a file may nest.
    check("", &nested(r#"{"Fn::Join": ["", ["#, "1", "]]}", 40), None);
    check(
        EXTENSIONS,
        &nested(r#"{"Fn::Length": ["#, "1", "]}", 60),
        None,
    );
}

#[test]
fn rules_over_long_lists() {
    let assertion = format!(
        r#"{{"Assert": {{"Fn::EachMemberIn": [{{"Ref": "P"}}, {}]}}}}"#,
        list("\"y\"", 100_000)
    );
    let rules = format!(r#"{LIST_PARAMETER} "Rules": {{"R": {{"Assertions": [{assertion}]}}}},"#);
    check(&rules, "1", Some(TOO_MUCH));
}

#[test]
fn conditions_that_ask_for_each_other() {
    let mut conditions =
        String::from(r#""Conditions": {"C0": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "1"]}"#);
    for index in 1..80 {
        let before = format!(r#"{{"Condition": "C{}"}}"#, index - 1);
        write!(
            conditions,
            r#", "C{index}": {{"Fn::And": {}}}"#,
            list(&before, 10)
        )
        .unwrap();
    }
    conditions.push_str("},");
    check(&conditions, r#"{"Fn::If": ["C79", 1, 2]}"#, None);
}
