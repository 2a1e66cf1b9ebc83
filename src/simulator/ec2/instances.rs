//! Instances and volumes of stacks. None can be seeded, and launches accept any that a parameter
//! names, so that any exists that a filter names.

use super::inventory::{
    Ec2Item, ListingKind, named_by_filter, of_stacks, selected, show, tags, text, write_items,
};
use crate::simulator::cloudformation::XmlResult;
use crate::simulator::xml::XmlWriter;
use crate::simulator::{Caller, Cloud};

const INSTANCES: ListingKind = ListingKind {
    set: "instancesSet",
    ids: "InstanceId",
    missing: ("InvalidInstanceID.NotFound", "instance ID"),
    absent: &["instance-state-name", "private-ip-address", "vpc-id"],
};
const VOLUMES: ListingKind = ListingKind {
    set: "volumeSet",
    ids: "VolumeId",
    missing: ("InvalidVolume.NotFound", "volume"),
    absent: &["attachment.instance-id", "snapshot-id"],
};

/// Carries out `DescribeInstances`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
pub(super) fn describe_instances(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let item = |id: String, image: String, tags: Vec<(String, String)>| Ec2Item {
        fields: vec![
            ("instanceId", "instance-id", id),
            ("imageId", "image-id", image),
        ],
        tags,
    };
    let mut items = of_stacks(cloud, caller, "AWS::EC2::Instance", |(id, properties)| {
        item(id, text(&properties, "ImageId"), tags(&properties))
    });
    let named = named_by_filter("instance-id", parameters, &items)?;
    items.extend(
        named
            .into_iter()
            .map(|id| item(id, String::new(), Vec::new())),
    );
    let shown = selected(&INSTANCES, items, parameters)?;
    let mut xml = XmlWriter::new();
    xml.element("reservationSet", |xml| {
        for item in &shown {
            xml.element("item", |xml| {
                xml.text("ownerId", &caller.account);
                write_items(xml, INSTANCES.set, std::slice::from_ref(item));
            });
        }
    });
    Ok(xml.finish())
}

/// Carries out `DescribeVolumes`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html>
pub(super) fn describe_volumes(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let item = |id: String, zone: String, tags: Vec<(String, String)>| Ec2Item {
        fields: vec![
            ("volumeId", "volume-id", id),
            ("availabilityZone", "availability-zone", zone),
        ],
        tags,
    };
    let mut items = of_stacks(cloud, caller, "AWS::EC2::Volume", |(id, properties)| {
        item(id, text(&properties, "AvailabilityZone"), tags(&properties))
    });
    let named = named_by_filter("volume-id", parameters, &items)?;
    items.extend(
        named
            .into_iter()
            .map(|id| item(id, String::new(), Vec::new())),
    );
    show(&VOLUMES, items, parameters)
}
