//! VPCs, subnets, security groups, addresses and gateways of stacks and seeds.

use serde_json::Value as Json;

use super::{FilterableField, filters, passes};
use crate::simulator::cloudformation::XmlResult;
use crate::simulator::error::ServiceError;
use crate::simulator::query::list;
use crate::simulator::xml::XmlWriter;
use crate::simulator::{Caller, Cloud};

/// An item with its fields, the first of which is the ID, and its tags.
pub(super) struct Ec2Item {
    pub fields: Vec<FilterableField>,
    pub tags: Vec<(String, String)>,
}

/// How a kind of item is listed.
pub(super) struct ListingKind {
    /// The element of the list: `vpcSet`.
    pub set: &'static str,
    /// The parameter that selects items by their IDs: `VpcId`.
    pub ids: &'static str,
    /// Error code and description of an unknown ID: `InvalidVpcID.NotFound`, `vpc ID`.
    pub missing: (&'static str, &'static str),
    /// Known filters that no item here matches.
    pub absent: &'static [&'static str],
}

/// The VPC of subnets and security groups that exist because nothing is seeded.
const ANY_VPC: &str = "vpc-00000000000000000";

const VPCS: ListingKind = ListingKind {
    set: "vpcSet",
    ids: "VpcId",
    missing: ("InvalidVpcID.NotFound", "vpc ID"),
    absent: &["ipv6-cidr-block-association.ipv6-cidr-block"],
};
const SUBNETS: ListingKind = ListingKind {
    set: "subnetSet",
    ids: "SubnetId",
    missing: ("InvalidSubnetID.NotFound", "subnet ID"),
    absent: &["ipv6-cidr-block-association.ipv6-cidr-block", "outpost-arn"],
};
const SECURITY_GROUPS: ListingKind = ListingKind {
    set: "securityGroupInfo",
    ids: "GroupId",
    missing: ("InvalidGroup.NotFound", "security group"),
    absent: &[
        "ip-permission.cidr",
        "ip-permission.group-id",
        "egress.ip-permission.cidr",
    ],
};

/// Carries out `DescribeVpcs`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html>
pub(super) fn describe_vpcs(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let seeded = cloud.seeds.vpcs(caller).into_iter().flatten().map(|vpc| {
        let cidr = vpc
            .cidr_block
            .clone()
            .unwrap_or_else(|| "10.0.0.0/16".to_owned());
        self::vpc(caller, &vpc.id, cidr, vpc.is_default, Vec::new())
    });
    let created = cloud
        .cloudformation
        .resources(cloud, caller, "AWS::EC2::VPC")
        .into_iter()
        .map(|(id, properties)| {
            self::vpc(
                caller,
                &id,
                text(&properties, "CidrBlock"),
                false,
                tags(&properties),
            )
        });
    let mut items: Vec<Ec2Item> = seeded.chain(created).collect();
    if cloud.seeds.vpcs(caller).is_none() {
        for id in named_by_filter("vpc-id", parameters, &items)? {
            items.push(vpc(
                caller,
                &id,
                "10.0.0.0/16".to_owned(),
                false,
                Vec::new(),
            ));
        }
    }
    show(&VPCS, items, parameters)
}

/// Returns what a filter by ID or name selects besides the known items, without wildcards. Where
/// nothing of a kind is seeded, launches accept whatever a parameter names, so that it exists.
pub(super) fn named_by_filter(
    filter: &str,
    parameters: &[(String, String)],
    known: &[Ec2Item],
) -> Result<Vec<String>, ServiceError> {
    let is_known = |value: &str| {
        let mut fields = known.iter().flat_map(|item| &item.fields);
        fields.any(|field| field.1 == filter && field.2 == value)
    };
    let by_name = filters(parameters)?.into_iter();
    let values = by_name
        .filter(|(name, _)| *name == filter)
        .flat_map(|(_, values)| values);
    Ok(values
        .filter(|value| !value.contains(['*', '?']) && !is_known(value))
        .map(str::to_owned)
        .collect())
}

fn vpc(
    caller: &Caller,
    id: &str,
    cidr: String,
    is_default: bool,
    tags: Vec<(String, String)>,
) -> Ec2Item {
    let fields = vec![
        ("vpcId", "vpc-id", id.to_owned()),
        ("ownerId", "owner-id", caller.account.clone()),
        ("state", "state", "available".to_owned()),
        ("cidrBlock", "cidr", cidr),
        ("dhcpOptionsId", "dhcp-options-id", "default".to_owned()),
        ("instanceTenancy", "instance-tenancy", "default".to_owned()),
        ("isDefault", "is-default", is_default.to_string()),
    ];
    Ec2Item { fields, tags }
}

/// Carries out `DescribeSubnets`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>
pub(super) fn describe_subnets(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let first_zone = super::zones(&caller.region)
        .into_iter()
        .next()
        .map(|(name, _)| name)
        .unwrap_or_default();
    let zone = |given: Option<String>| {
        given
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| first_zone.clone())
    };
    let mut items = Vec::new();
    for vpc in cloud.seeds.vpcs(caller).into_iter().flatten() {
        for it in &vpc.subnets {
            let cidr = it
                .cidr_block
                .clone()
                .unwrap_or_else(|| "10.0.0.0/24".to_owned());
            let where_it_is = [vpc.id.clone(), cidr, zone(it.availability_zone.clone())];
            items.push(subnet(
                caller,
                &it.id,
                where_it_is,
                vpc.is_default,
                Vec::new(),
            ));
        }
    }
    for (id, properties) in cloud
        .cloudformation
        .resources(cloud, caller, "AWS::EC2::Subnet")
    {
        let place = zone(Some(text(&properties, "AvailabilityZone")));
        let where_it_is = [
            text(&properties, "VpcId"),
            text(&properties, "CidrBlock"),
            place,
        ];
        items.push(subnet(caller, &id, where_it_is, false, tags(&properties)));
    }
    if cloud.seeds.vpcs(caller).is_none() {
        for id in named_by_filter("subnet-id", parameters, &items)? {
            let where_it_is = [ANY_VPC.to_owned(), "10.0.0.0/24".to_owned(), zone(None)];
            items.push(subnet(caller, &id, where_it_is, false, Vec::new()));
        }
    }
    show(&SUBNETS, items, parameters)
}

fn subnet(
    caller: &Caller,
    id: &str,
    [vpc, cidr, zone]: [String; 3],
    is_default: bool,
    tags: Vec<(String, String)>,
) -> Ec2Item {
    let fields = vec![
        ("subnetId", "subnet-id", id.to_owned()),
        ("state", "state", "available".to_owned()),
        ("vpcId", "vpc-id", vpc),
        ("cidrBlock", "cidr-block", cidr),
        (
            "availableIpAddressCount",
            "available-ip-address-count",
            "251".to_owned(),
        ),
        ("availabilityZone", "availability-zone", zone),
        ("defaultForAz", "default-for-az", is_default.to_string()),
        (
            "mapPublicIpOnLaunch",
            "map-public-ip-on-launch",
            is_default.to_string(),
        ),
        ("ownerId", "owner-id", caller.account.clone()),
    ];
    Ec2Item { fields, tags }
}

/// Carries out `DescribeSecurityGroups`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>
pub(super) fn describe_security_groups(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let mut items = Vec::new();
    for vpc in cloud.seeds.vpcs(caller).into_iter().flatten() {
        for it in &vpc.security_groups {
            let name = it.name.clone().unwrap_or_else(|| "default".to_owned());
            items.push(security_group(
                caller,
                &it.id,
                [name, "seeded".to_owned(), vpc.id.clone()],
                Vec::new(),
            ));
        }
    }
    for (id, properties) in cloud
        .cloudformation
        .resources(cloud, caller, "AWS::EC2::SecurityGroup")
    {
        let named = Some(text(&properties, "GroupName"))
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| id.clone());
        let fields = [
            named,
            text(&properties, "GroupDescription"),
            text(&properties, "VpcId"),
        ];
        items.push(security_group(caller, &id, fields, tags(&properties)));
    }
    if cloud.seeds.vpcs(caller).is_none() {
        let any = |id: &str, name: &str| {
            let fields = [name.to_owned(), "any".to_owned(), ANY_VPC.to_owned()];
            security_group(caller, id, fields, Vec::new())
        };
        let ids = named_by_filter("group-id", parameters, &items)?;
        let names = named_by_filter("group-name", parameters, &items)?;
        items.extend(ids.iter().map(|id| any(id, "default")));
        items.extend(names.iter().map(|name| any("sg-00000000000000000", name)));
    }
    show(&SECURITY_GROUPS, items, parameters)
}

fn security_group(
    caller: &Caller,
    id: &str,
    [name, description, vpc]: [String; 3],
    tags: Vec<(String, String)>,
) -> Ec2Item {
    let fields = vec![
        ("groupId", "group-id", id.to_owned()),
        ("groupName", "group-name", name),
        ("groupDescription", "description", description),
        ("vpcId", "vpc-id", vpc),
        ("ownerId", "owner-id", caller.account.clone()),
    ];
    Ec2Item { fields, tags }
}

const ADDRESSES: ListingKind = ListingKind {
    set: "addressesSet",
    ids: "AllocationId",
    missing: ("InvalidAllocationID.NotFound", "allocation ID"),
    absent: &["instance-id", "network-interface-id", "association-id"],
};
const INTERNET_GATEWAYS: ListingKind = ListingKind {
    set: "internetGatewaySet",
    ids: "InternetGatewayId",
    missing: ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    absent: &["attachment.vpc-id", "attachment.state"],
};
const NAT_GATEWAYS: ListingKind = ListingKind {
    set: "natGatewaySet",
    ids: "NatGatewayId",
    missing: ("NatGatewayNotFound", "NAT gateway"),
    absent: &[],
};

/// Returns the resources of a type that stacks have, each by its physical ID and properties.
pub(super) fn of_stacks(
    cloud: &Cloud,
    caller: &Caller,
    resource_type: &str,
    item: impl Fn((String, Json)) -> Ec2Item,
) -> Vec<Ec2Item> {
    let resources = cloud.cloudformation.resources(cloud, caller, resource_type);
    resources.into_iter().map(item).collect()
}

/// Carries out `DescribeAddresses`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>
pub(super) fn describe_addresses(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let item = |(address, properties): (String, Json)| Ec2Item {
        fields: vec![
            (
                "allocationId",
                "allocation-id",
                format!("eipalloc-{address}"),
            ),
            ("publicIp", "public-ip", address),
            ("domain", "domain", "vpc".to_owned()),
        ],
        tags: tags(&properties),
    };
    let items = of_stacks(cloud, caller, "AWS::EC2::EIP", item);
    show(&ADDRESSES, items, parameters)
}

/// Carries out `DescribeInternetGateways`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html>
pub(super) fn describe_internet_gateways(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let item = |(id, properties): (String, Json)| Ec2Item {
        fields: vec![
            ("internetGatewayId", "internet-gateway-id", id),
            ("ownerId", "owner-id", caller.account.clone()),
        ],
        tags: tags(&properties),
    };
    let items = of_stacks(cloud, caller, "AWS::EC2::InternetGateway", item);
    show(&INTERNET_GATEWAYS, items, parameters)
}

/// Carries out `DescribeNatGateways`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html>
pub(super) fn describe_nat_gateways(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let item = |(id, properties): (String, Json)| Ec2Item {
        fields: vec![
            ("natGatewayId", "nat-gateway-id", id),
            ("subnetId", "subnet-id", text(&properties, "SubnetId")),
            ("state", "state", "available".to_owned()),
        ],
        tags: tags(&properties),
    };
    let items = of_stacks(cloud, caller, "AWS::EC2::NatGateway", item);
    show(&NAT_GATEWAYS, items, parameters)
}

/// Writes the items that are selected by their IDs and by filters.
pub(super) fn show(
    listing: &ListingKind,
    items: Vec<Ec2Item>,
    parameters: &[(String, String)],
) -> XmlResult {
    let shown = selected(listing, items, parameters)?;
    let mut xml = XmlWriter::new();
    write_items(&mut xml, listing.set, &shown);
    Ok(xml.finish())
}

/// Returns the items that are selected by their IDs and by filters.
pub(super) fn selected(
    listing: &ListingKind,
    items: Vec<Ec2Item>,
    parameters: &[(String, String)],
) -> Result<Vec<Ec2Item>, ServiceError> {
    let ids = list(parameters, listing.ids);
    let id = |item: &Ec2Item| {
        item.fields
            .first()
            .map(|field| field.2.clone())
            .unwrap_or_default()
    };
    if let Some(unknown) = ids
        .iter()
        .find(|wanted| items.iter().all(|item| id(item) != **wanted))
    {
        let (code, what) = listing.missing;
        return Err(ServiceError::new(
            400,
            code,
            format!("The {what} '{unknown}' does not exist"),
        ));
    }
    let filters = filters(parameters)?;
    let (tag_filters, field_filters): (Vec<_>, Vec<_>) = filters
        .into_iter()
        .partition(|(name, _)| name.starts_with("tag"));
    let has_tag = |item: &Ec2Item, name: &str, values: &[&str]| {
        let wanted = |value: &str| values.iter().any(|it| super::matches_wildcard(it, value));
        item.tags
            .iter()
            .any(|(key, value)| match name.strip_prefix("tag:") {
                Some(wanted_key) => key == wanted_key && wanted(value),
                None => wanted(if name == "tag-value" { value } else { key }),
            })
    };
    let mut shown = Vec::new();
    for item in items {
        let is_named = ids.is_empty() || ids.contains(&id(&item).as_str());
        let is_tagged = tag_filters
            .iter()
            .all(|(name, values)| has_tag(&item, name, values));
        if passes(&field_filters, &item.fields, listing.absent)? && is_named && is_tagged {
            shown.push(item);
        }
    }
    Ok(shown)
}

/// Writes items as an element with this name.
pub(super) fn write_items(xml: &mut XmlWriter, set: &str, items: &[Ec2Item]) {
    xml.element(set, |xml| {
        for item in items {
            xml.element("item", |xml| {
                for (element, _, value) in &item.fields {
                    xml.text(element, value);
                }
                tag_set(xml, &item.tags);
            });
        }
    });
}

pub(super) fn tag_set(xml: &mut XmlWriter, tags: &[(String, String)]) {
    xml.element("tagSet", |xml| {
        for (key, value) in tags {
            xml.element("item", |xml| {
                xml.text("key", key).text("value", value);
            });
        }
    });
}

/// Returns a property as text; empty if it is missing.
pub(super) fn text(properties: &Json, name: &str) -> String {
    match properties.get(name) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Returns the tags among a resource's properties.
pub(super) fn tags(properties: &Json) -> Vec<(String, String)> {
    let items = properties
        .get("Tags")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    items
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect()
}
