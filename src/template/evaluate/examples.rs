//! Examples of values that only AWS knows, for what their form alone decides: whether they are
//! empty, how many items they have, and whether a pattern fits them.

/// IDs by resource type and by the type of a parameter that names such a resource
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).
const IDS: [(&str, &str, &str); 6] = [
    (
        "AWS::EC2::Instance",
        "AWS::EC2::Instance::Id",
        "i-0123456789abcdef0",
    ),
    (
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroup::Id",
        "sg-0123456789abcdef0",
    ),
    (
        "AWS::EC2::Subnet",
        "AWS::EC2::Subnet::Id",
        "subnet-0123456789abcdef0",
    ),
    (
        "AWS::EC2::VPC",
        "AWS::EC2::VPC::Id",
        "vpc-0123456789abcdef0",
    ),
    (
        "AWS::EC2::Volume",
        "AWS::EC2::Volume::Id",
        "vol-0123456789abcdef0",
    ),
    // No resource type creates an image.
    ("", "AWS::EC2::Image::Id", "ami-0123456789abcdef0"),
];

/// An account's ID.
pub(super) const ACCOUNT_ID: &str = "123456789012";

/// Returns an example of the physical ID of a resource.
pub(super) fn physical_id(resource_type: &str) -> Option<&'static str> {
    let of_type = |(resource, ..): &&(&str, _, _)| *resource == resource_type;
    IDS.iter().find(of_type).map(|(.., example)| *example)
}

/// Returns an example of a single value of a parameter of this type in a region.
pub(super) fn of_parameter(item_type: &str, region: &str) -> Option<String> {
    if item_type == "AWS::EC2::AvailabilityZone::Name" {
        return zone(region, 0);
    }
    let of_type = |(_, parameter, _): &&(_, &str, _)| *parameter == item_type;
    IDS.iter()
        .find(of_type)
        .map(|(.., example)| (*example).to_owned())
}

/// Returns an example of the region's zone at this index, from 0.
pub(super) fn zone(region: &str, index: usize) -> Option<String> {
    let letter = ('a'..='z').nth(index)?;
    Some(format!("{region}{letter}"))
}
