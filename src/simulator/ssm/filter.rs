//! The filters of DescribeParameters.

use serde_json::Value as Json;

use super::store::StoredParameter;
use crate::simulator::error::ServiceError;
use crate::simulator::json::{JsonInput, error};

/// A filter of DescribeParameters.
pub(super) struct ParameterFilter {
    /// `Name`, `Type`, `Path`
    pub(super) key: String,
    /// `Equals`, `BeginsWith`, `Contains`, `Recursive`, `OneLevel`
    pub(super) option: String,
    pub(super) values: Vec<String>,
}

/// Reads `ParameterFilters`, and the older `Filters`, which match prefixes.
pub(super) fn filters(input: &JsonInput) -> Result<Vec<ParameterFilter>, ServiceError> {
    let list = |member: &str| {
        input
            .get(member)
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let texts = |json: &Json| -> Vec<String> {
        json.as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect()
    };
    let filter = |json: &Json, option: &str| {
        let key = json["Key"].as_str().unwrap_or_default();
        if !matches!(
            key,
            "Name" | "Type" | "Path" | "KeyId" | "Tier" | "DataType"
        ) && !key.starts_with("tag:")
        {
            return Err(error(
                "InvalidFilterKey",
                format!("The following filter key is not valid: {key}"),
            ));
        }
        let option = json["Option"].as_str().unwrap_or(option).to_owned();
        Ok(ParameterFilter {
            key: key.to_owned(),
            option,
            values: texts(&json["Values"]),
        })
    };
    let new = list("ParameterFilters");
    let old = list("Filters");
    new.iter()
        .map(|it| filter(it, "Equals"))
        .chain(old.iter().map(|it| filter(it, "BeginsWith")))
        .collect()
}

impl ParameterFilter {
    /// Returns whether the filter lets a parameter through.
    pub(super) fn matches(&self, name: &str, stored: &StoredParameter) -> bool {
        let description = &stored.description;
        let any = |test: &dyn Fn(&str) -> bool| self.values.iter().any(|value| test(value));
        match self.key.as_str() {
            "Path" => any(&|value| {
                let below = name.strip_prefix(&format!("{}/", value.trim_end_matches('/')));
                below.is_some_and(|rest| self.option == "Recursive" || !rest.contains('/'))
            }),
            "Type" => any(&|value| {
                stored
                    .versions
                    .last()
                    .is_some_and(|found| value == found.kind.name())
            }),
            "Tier" => any(&|value| value == description.tier.as_deref().unwrap_or("Standard")),
            "DataType" => any(&|value| value == description.data_type.as_deref().unwrap_or("text")),
            "Name" => any(&|value| match self.option.as_str() {
                "BeginsWith" => name.starts_with(value),
                "Contains" => name.contains(value),
                _ => name == value,
            }),
            key => key.strip_prefix("tag:").is_some_and(|wanted| {
                let has = |value: &str| {
                    description
                        .tags
                        .iter()
                        .any(|(key, found)| key == wanted && found == value)
                };
                self.values.is_empty() && description.tags.iter().any(|(key, _)| key == wanted)
                    || any(&has)
            }),
        }
    }
}
