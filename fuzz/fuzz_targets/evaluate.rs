//! Any template is evaluated, with its defaults, with values made up, and with nothing known:
//! without a panic, within bounds, with every failure at a place of the text.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use taskcat::template::{
    EvaluatedStack, OfflineEnvironment, ParameterValue, ParameterValues, StackEnvironment,
    Template, Templates, Unknown, Value, evaluate,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let file: Arc<Path> = Arc::from(Path::new("t"));
    let (Some(template), _) = Template::parse(&file, String::new(), text) else {
        return;
    };
    let templates = Templates::default();
    let lines = text.split(['\n', '\r']).count() as u32 + 1;
    let some = |value: fn(&str) -> Value| {
        let given = |key: &String| {
            (
                key.clone(),
                ParameterValue {
                    value: value(key),
                    set: Vec::new(),
                },
            )
        };
        template
            .parameters
            .iter()
            .map(|parameter| given(&parameter.key))
            .collect::<ParameterValues>()
    };
    let defaults = ParameterValues::new();
    let made_up = some(|key| Value::text(format!("{key},1, a")));
    let unknown = some(|key| Unknown::asked(format!("parameter {key}")).into());
    for (region, parameter_values) in [
        ("us-east-1", &defaults),
        ("cn-north-1", &made_up),
        ("eu-nowhere-9", &unknown),
    ] {
        let stack = evaluate(
            &template,
            &StackEnvironment::new(region, "aws", "amazonaws.com"),
            parameter_values,
            &OfflineEnvironment(&templates),
        );
        holds(&stack, lines);
    }
});

fn holds(stack: &EvaluatedStack, lines: u32) {
    let undecided = stack.undecided.iter().map(|undecided| &undecided.failure);
    for failure in stack.failures.iter().chain(undecided) {
        assert!((1..=lines).contains(&failure.at.at.line), "{failure}");
        assert!(!failure.message.is_empty());
    }
    for resource in stack.resources.values() {
        for value in resource.body.values() {
            assert!(!holds_no_value(value));
            let _ = value.to_json();
        }
    }
    for output in stack.outputs.values() {
        let _ = (output.value().map(Value::to_json), output.export_name());
    }
}

/// `AWS::NoValue` is gone from lists and maps.
fn holds_no_value(value: &Value) -> bool {
    match value {
        Value::NoValue => true,
        Value::List(items) => items.iter().any(holds_no_value),
        Value::Map(entries) => entries.values().any(holds_no_value),
        _ => false,
    }
}
