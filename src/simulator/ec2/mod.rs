//! EC2: the regions of a partition, the zones of a region, and the networks, images and key pairs
//! of stacks and seeds.
//!
//! - `inventory`: VPCs, subnets, security groups, addresses, gateways; `instances`: also volumes;
//!   `images`; `key_pairs`
//!
//! The zones are plausible, not known: AWS maps letters to zones differently for each account.

mod images;
mod instances;
mod inventory;
mod key_pairs;

use super::cloudformation::XmlResult;
use super::error::ServiceError;
use super::query::{QueryForm, list, parameter};
use super::scenario::matches_wildcard;
use super::xml::XmlWriter;
use super::{Caller, Cloud};
use crate::catalog;

pub(crate) use key_pairs::KeyPairs;

/// Regions of `aws` that are enabled by default; AWS has added none since 2019.
const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Letters and numbers of zones, unless they are `a1 b2 c3`.
const ZONES: &[(&str, &str)] = &[
    ("us-east-1", "a6 b1 c2 d4 e3 f5"),
    ("us-west-1", "a3 c1"),
    ("us-west-2", "a2 b1 c3 d4"),
    ("ap-northeast-1", "a4 c1 d2"),
    ("ap-northeast-2", "a1 b2 c3 d4"),
    ("ca-central-1", "a1 b2 d4"),
    ("cn-north-1", "a1 b2 d3"),
];

/// Carries out an action; returns `None` if there is no such action.
pub(crate) fn call(cloud: &Cloud, caller: &Caller, form: &QueryForm) -> Option<XmlResult> {
    match form.action.as_str() {
        "DescribeAvailabilityZones" => Some(availability_zones(caller, &form.parameters)),
        "DescribeRegions" => Some(regions(cloud, caller, &form.parameters)),
        "DescribeVpcs" => Some(inventory::describe_vpcs(cloud, caller, &form.parameters)),
        "DescribeSubnets" => Some(inventory::describe_subnets(cloud, caller, &form.parameters)),
        "DescribeSecurityGroups" => Some(inventory::describe_security_groups(
            cloud,
            caller,
            &form.parameters,
        )),
        "DescribeImages" => Some(images::describe(cloud, caller, &form.parameters)),
        "DescribeAddresses" => Some(inventory::describe_addresses(
            cloud,
            caller,
            &form.parameters,
        )),
        "DescribeInternetGateways" => Some(inventory::describe_internet_gateways(
            cloud,
            caller,
            &form.parameters,
        )),
        "DescribeNatGateways" => Some(inventory::describe_nat_gateways(
            cloud,
            caller,
            &form.parameters,
        )),
        "DescribeInstances" => Some(instances::describe_instances(
            cloud,
            caller,
            &form.parameters,
        )),
        "DescribeVolumes" => Some(instances::describe_volumes(cloud, caller, &form.parameters)),
        "DescribeKeyPairs" => Some(key_pairs::describe(cloud, caller, &form.parameters)),
        "CreateKeyPair" => Some(key_pairs::create(cloud, caller, &form.parameters, false)),
        "ImportKeyPair" => Some(key_pairs::create(cloud, caller, &form.parameters, true)),
        "DeleteKeyPair" => Some(key_pairs::delete(cloud, caller, &form.parameters)),
        _ => None,
    }
}

/// Returns names and IDs of the region's zones: `us-east-1a`, `use1-az6`.
pub(crate) fn zones(region: &str) -> Vec<(String, String)> {
    let known = ZONES
        .iter()
        .find(|(name, _)| *name == region)
        .map_or("a1 b2 c3", |(_, zones)| zones);
    let short = short_name(region);
    let zone = |zone: &str| {
        let (letter, number) = zone.split_at(1);
        (format!("{region}{letter}"), format!("{short}-az{number}"))
    };
    known.split(' ').map(zone).collect()
}

/// Returns `use1` for `us-east-1`, `apne1` for `ap-northeast-1`, `usgw1` for `us-gov-west-1`.
fn short_name(region: &str) -> String {
    let shortened = region.split('-').enumerate().map(|(at, part)| match part {
        part if at == 0 || part.bytes().all(|byte| byte.is_ascii_digit()) => part,
        "northeast" => "ne",
        "northwest" => "nw",
        "southeast" => "se",
        "southwest" => "sw",
        part => part.get(..1).unwrap_or_default(),
    });
    shortened.collect()
}

fn availability_zones(caller: &Caller, parameters: &[(String, String)]) -> XmlResult {
    let region = caller.region.as_str();
    let group = format!("{region}-zg-1");
    let filters = filters(parameters)?;
    let zones = zones(region);
    let wanted = |prefix: &str, known: &dyn Fn(&(String, String)) -> bool, name: &str| {
        (name.is_empty() || zones.iter().any(known))
            .then_some(())
            .ok_or_else(|| invalid(format!("Invalid {prefix}: '[{name}]'")))
    };
    let names = list(parameters, "ZoneName");
    let ids = list(parameters, "ZoneId");
    for name in &names {
        wanted("availability zone", &|(known, _)| known == name, name)?;
    }
    for id in &ids {
        wanted("availability zone-id", &|(_, known)| known == id, id)?;
    }
    let mut shown = Vec::new();
    for (name, id) in &zones {
        let fields = vec![
            ("zoneName", "zone-name", name.clone()),
            ("zoneId", "zone-id", id.clone()),
            ("zoneState", "state", "available".to_owned()),
            ("regionName", "region-name", region.to_owned()),
            (
                "optInStatus",
                "opt-in-status",
                "opt-in-not-required".to_owned(),
            ),
            ("groupName", "group-name", group.clone()),
            (
                "networkBorderGroup",
                "network-border-group",
                region.to_owned(),
            ),
            ("zoneType", "zone-type", "availability-zone".to_owned()),
        ];
        let named = names.is_empty() || names.contains(&name.as_str());
        let identified = ids.is_empty() || ids.contains(&id.as_str());
        if passes(
            &filters,
            &fields,
            &["message", "parent-zone-id", "parent-zone-name"],
        )? && named
            && identified
        {
            shown.push(fields);
        }
    }
    Ok(items("availabilityZoneInfo", &shown))
}

/// Returns a list of items with their fields as elements.
fn items(name: &str, items: &[Vec<FilterableField>]) -> String {
    let mut xml = XmlWriter::new();
    xml.element(name, |xml| {
        for item in items {
            xml.element("item", |xml| {
                for (element, _, value) in item {
                    xml.text(element, value);
                }
            });
        }
    });
    xml.finish()
}

fn regions(cloud: &Cloud, caller: &Caller, parameters: &[(String, String)]) -> XmlResult {
    let partition = catalog::partition_of(&caller.region);
    let mut known = catalog::regions(partition.name);
    // A region that the table doesn't know exists if somebody calls it.
    if let Err(at) = known.binary_search(&caller.region.as_str()) {
        known.insert(at, &caller.region);
    }
    let all = parameter(parameters, "AllRegions").is_some_and(|value| value == "true");
    let filters = filters(parameters)?;
    let names = list(parameters, "RegionName");
    let unknown: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !known.contains(name))
        .collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Invalid region{} provided: {}",
            if unknown.len() > 1 { "s" } else { "" },
            unknown.join(", ")
        )));
    }
    let mut shown = Vec::new();
    for name in known {
        let disabled = cloud.scenario.is_disabled(name);
        let status = if disabled {
            "not-opted-in"
        } else if partition.name != "aws" || DEFAULT_REGIONS.contains(&name) {
            "opt-in-not-required"
        } else {
            "opted-in"
        };
        let fields = vec![
            ("regionName", "region-name", name.to_owned()),
            (
                "regionEndpoint",
                "endpoint",
                format!("ec2.{name}.{}", partition.dns_suffix),
            ),
            ("optInStatus", "opt-in-status", status.to_owned()),
        ];
        let named = names.is_empty() || names.contains(&name);
        if passes(&filters, &fields, &[])? && named && (all || !disabled) {
            shown.push(fields);
        }
    }
    Ok(items("regionInfo", &shown))
}

/// Filters by name, each with its values, one of which must match.
type Filters<'a> = Vec<(&'a str, Vec<&'a str>)>;

fn filters(parameters: &[(String, String)]) -> Result<Filters<'_>, ServiceError> {
    let mut filters = Filters::new();
    for number in 1.. {
        let prefix = format!("Filter.{number}");
        let Some(name) = parameter(parameters, &format!("{prefix}.Name")) else {
            break;
        };
        let values = list(parameters, &format!("{prefix}.Value"));
        if values.is_empty() {
            return Err(invalid(format!("The filter '{name}' has no values")));
        }
        filters.push((name, values));
    }
    Ok(filters)
}

/// A field: its element, the name of its filter, and its value.
type FilterableField = (&'static str, &'static str, String);

/// Returns whether every filter matches. Filters of fields that no item has (`absent`) match
/// nothing.
fn passes(
    filters: &Filters,
    fields: &[FilterableField],
    absent: &[&str],
) -> Result<bool, ServiceError> {
    let mut passes = true;
    for (name, values) in filters {
        match fields.iter().find(|(_, filter, _)| filter == name) {
            Some((_, _, field)) => {
                passes &= values.iter().any(|value| matches_wildcard(value, field))
            }
            None if absent.contains(name) => passes = false,
            None => return Err(invalid(format!("The filter '{name}' is invalid"))),
        }
    }
    Ok(passes)
}

fn invalid(message: String) -> ServiceError {
    ServiceError::new(400, "InvalidParameterValue", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::clock::Clock;
    use crate::simulator::scenario::{Scenario, ScenarioFile};

    fn call_action(action: &str, region: &str, parameters: &[(&str, &str)]) -> XmlResult {
        let file: ScenarioFile =
            serde_json::from_value(serde_json::json!({"disabled_regions": ["me-*"]})).unwrap();
        let cloud = Cloud::new(Clock::new(1.0), Scenario::new(file));
        let parameters = parameters
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let caller = Caller {
            account: "123456789012".into(),
            region: region.into(),
        };
        call(
            &cloud,
            &caller,
            &QueryForm {
                action: action.into(),
                version: String::new(),
                parameters,
            },
        )
        .unwrap()
    }

    fn values(xml: &str, element: &str) -> Vec<String> {
        let inside = |part: &str| part.split('<').next().unwrap().to_owned();
        xml.split(&format!("<{element}>"))
            .skip(1)
            .map(inside)
            .collect()
    }

    #[test]
    fn zones_have_names_and_ids() {
        let check = |region: &str, expect: &[(&str, &str)]| {
            let expect: Vec<_> = expect
                .iter()
                .map(|(name, id)| (name.to_string(), id.to_string()))
                .collect();
            assert_eq!(zones(region), expect);
        };
        check(
            "us-west-1",
            &[("us-west-1a", "usw1-az3"), ("us-west-1c", "usw1-az1")],
        );
        check(
            "us-gov-west-1",
            &[
                ("us-gov-west-1a", "usgw1-az1"),
                ("us-gov-west-1b", "usgw1-az2"),
                ("us-gov-west-1c", "usgw1-az3"),
            ],
        );
        check(
            "ap-southeast-2",
            &[
                ("ap-southeast-2a", "apse2-az1"),
                ("ap-southeast-2b", "apse2-az2"),
                ("ap-southeast-2c", "apse2-az3"),
            ],
        );
        assert_eq!(zones("us-east-1").len(), 6);
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-eusc"] {
            assert!(
                catalog::regions(partition)
                    .iter()
                    .all(|region| (2..=6).contains(&zones(region).len()))
            );
        }
    }

    #[test]
    fn zones_are_filtered() {
        let check = |parameters: &[(&str, &str)], expect: Result<&[&str], &str>| {
            let found = call_action("DescribeAvailabilityZones", "us-east-1", parameters);
            let found = found
                .map(|xml| values(&xml, "zoneName"))
                .map_err(|error| error.message);
            let expect = expect
                .map(|names| names.iter().map(|name| name.to_string()).collect())
                .map_err(str::to_owned);
            assert_eq!(found, expect, "{parameters:?}");
        };
        let all = [
            "us-east-1a",
            "us-east-1b",
            "us-east-1c",
            "us-east-1d",
            "us-east-1e",
            "us-east-1f",
        ];
        check(&[], Ok(&all));
        // As taskcat's own runner calls it.
        check(
            &[
                ("Filter.1.Name", "state"),
                ("Filter.1.Value.1", "available"),
            ],
            Ok(&all),
        );
        check(
            &[("Filter.1.Name", "state"), ("Filter.1.Value.1", "impaired")],
            Ok(&[]),
        );
        check(
            &[
                ("Filter.1.Name", "zone-id"),
                ("Filter.1.Value.1", "use1-az[1-3]"),
                ("Filter.1.Value.2", "*-az6"),
            ],
            Ok(&all[..1]),
        );
        check(
            &[
                ("Filter.1.Name", "region-name"),
                ("Filter.1.Value.1", "us-east-1"),
                ("Filter.2.Name", "zone-name"),
                ("Filter.2.Value.1", "*b"),
            ],
            Ok(&all[1..2]),
        );
        check(
            &[("ZoneName.1", "us-east-1b"), ("ZoneName.2", "us-east-1a")],
            Ok(&all[..2]),
        );
        check(&[("ZoneId.1", "use1-az6")], Ok(&all[..1]));
        check(
            &[("ZoneName.1", "us-east-1z")],
            Err("Invalid availability zone: '[us-east-1z]'"),
        );
        check(
            &[("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")],
            Err("The filter 'colour' is invalid"),
        );
        check(
            &[("Filter.1.Name", "state")],
            Err("The filter 'state' has no values"),
        );
    }

    #[test]
    fn regions_belong_to_the_callers_partition() {
        let describe = |region: &str, parameters: &[(&str, &str)]| {
            call_action("DescribeRegions", region, parameters)
        };
        assert_eq!(
            values(&describe("cn-north-1", &[]).unwrap(), "regionName"),
            ["cn-north-1", "cn-northwest-1"]
        );
        let enabled = values(&describe("us-east-1", &[]).unwrap(), "regionName");
        assert!(
            enabled.len() > 30
                && enabled.contains(&"ap-east-1".to_owned())
                && !enabled.iter().any(|name| name.starts_with("me-"))
        );
        let all = describe(
            "us-east-1",
            &[
                ("AllRegions", "true"),
                ("Filter.1.Name", "opt-in-status"),
                ("Filter.1.Value.1", "not-opted-in"),
            ],
        );
        assert_eq!(
            values(&all.unwrap(), "regionName"),
            ["me-central-1", "me-south-1"]
        );
        let one = describe("us-east-1", &[("RegionName.1", "eu-west-1")]).unwrap();
        assert_eq!(
            one,
            "<regionInfo><item><regionName>eu-west-1</regionName><regionEndpoint>ec2.eu-west-1.amazonaws.com</regionEndpoint>\
             <optInStatus>opt-in-not-required</optInStatus></item></regionInfo>"
        );
        assert_eq!(
            describe("us-east-1", &[("RegionName.1", "x")])
                .unwrap_err()
                .message,
            "Invalid region provided: x"
        );
        let young = values(&describe("eu-nowhere-9", &[]).unwrap(), "regionName");
        assert!(young.contains(&"eu-nowhere-9".to_owned()) && young.is_sorted());
    }
}
