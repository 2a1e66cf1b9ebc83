//! Service Quotas: AWS's default quotas of what tests add most, and those of seeds.
//!
//! <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html>

use serde_json::{Value as Json, json};

use super::json::{JsonInput, JsonResult, error, unknown_action};
use super::{Caller, Cloud};

/// Service, code, name and default value.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
const DEFAULTS: [(&str, &str, &str, f64); 5] = [
    ("vpc", "L-F678F1CE", "VPCs per Region", 5.0),
    ("vpc", "L-A4707A72", "Internet gateways per Region", 5.0),
    (
        "vpc",
        "L-FE5A380F",
        "NAT gateways per Availability Zone",
        5.0,
    ),
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ("cloudformation", "L-0485CB21", "Stack count", 2000.0),
];

/// Carries out an action.
pub(super) fn call(cloud: &Cloud, caller: &Caller, action: &str, input: &JsonInput) -> JsonResult {
    match action {
        "GetServiceQuota" => quota(cloud, caller, input),
        "ListServiceQuotas" => quotas(cloud, caller, input),
        action => Err(unknown_action(action)),
    }
}

fn quota(cloud: &Cloud, caller: &Caller, input: &JsonInput) -> JsonResult {
    let service = input.required("ServiceCode")?;
    let code = input.required("QuotaCode")?;
    let found = all(cloud, caller)
        .into_iter()
        .find(|it| it["ServiceCode"] == service && it["QuotaCode"] == code);
    match found {
        Some(quota) => Ok(json!({ "Quota": quota })),
        None => Err(error(
            "NoSuchResourceException",
            "The request failed because the specified resource does not exist",
        )),
    }
}

fn quotas(cloud: &Cloud, caller: &Caller, input: &JsonInput) -> JsonResult {
    let service = input.required("ServiceCode")?;
    let all = all(cloud, caller).into_iter();
    let of_service: Vec<Json> = all.filter(|it| it["ServiceCode"] == service).collect();
    Ok(json!({ "Quotas": of_service }))
}

fn all(cloud: &Cloud, caller: &Caller) -> Vec<Json> {
    let quotas = DEFAULTS.iter().map(|(service, code, name, value)| {
        let value = cloud.seeds.quota(caller, code).unwrap_or(*value);
        json!({
            "ServiceCode": service,
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value,
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
        })
    });
    quotas.collect()
}
