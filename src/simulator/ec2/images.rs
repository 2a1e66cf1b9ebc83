//! Images: those of the seeds, selected as `DescribeImages` documents it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::inventory::{Ec2Item, ListingKind, selected, tag_set};
use super::{FilterableField, filters, invalid};
use crate::catalog::IMAGE_FILTERS;
use crate::simulator::cloudformation::XmlResult;
use crate::simulator::error::ServiceError;
use crate::simulator::query::{list, parameter};
use crate::simulator::seed::ImageSeed;
use crate::simulator::xml::XmlWriter;
use crate::simulator::{Caller, Cloud};

const IMAGES: ListingKind = ListingKind {
    set: "imagesSet",
    ids: "ImageId",
    missing: ("InvalidAMIID.NotFound", "image id"),
    absent: &IMAGE_FILTERS,
};

/// The accounts behind the aliases of owners. AWS doesn't say which accounts own the images of an
/// alias; these are the most frequent ones.
const ALIASES: [(&str, &str); 3] = [
    ("amazon", "137112412989"),
    ("aws-marketplace", "679593333241"),
    ("aws-backup-vault", "264444763003"),
];

/// The fields that `DescribeImages` writes in an element of their own.
const NESTED: [&str; 2] = ["product-code", "product-code.type"];

/// Carries out `DescribeImages`. The order of the images is that of the seeds; AWS has none.
///
/// If no images are seeded, any image that is named, also by a filter, exists.
pub(super) fn describe(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let seeded: Vec<ImageSeed> = match cloud.seeds.images(caller) {
        Some(seeded) => seeded.cloned().collect(),
        None => named(parameters)?,
    };
    let ids = list(parameters, IMAGES.ids);
    let now = cloud.clock.now();
    let is_listed = |image: &&ImageSeed| {
        ids.contains(&image.id.as_str()) || is_visible(image, caller, parameters, now)
    };
    let owners = list(parameters, "Owner");
    let items = seeded
        .iter()
        .filter(is_listed)
        .filter(|image| owners.is_empty() || is_owned(image, caller, &owners))
        .map(|image| item(image, caller))
        .collect();
    let shown = selected(&IMAGES, items, parameters)?;
    let (page, token) = page(&shown, parameters)?;
    let mut xml = XmlWriter::new();
    xml.element(IMAGES.set, |xml| {
        for item in page {
            xml.element("item", |xml| write(xml, item));
        }
    });
    xml.optional("nextToken", token);
    Ok(xml.finish())
}

/// Returns the images that the request names by their IDs.
fn named(parameters: &[(String, String)]) -> Result<Vec<ImageSeed>, ServiceError> {
    let filters = filters(parameters)?.into_iter();
    let by_id = filters.filter(|(name, _)| *name == "image-id");
    let ids = by_id.flat_map(|(_, ids)| ids);
    let ids = list(parameters, IMAGES.ids).into_iter().chain(ids);
    let seed = |id: &str| ImageSeed {
        id: id.to_owned(),
        ..ImageSeed::default()
    };
    Ok(ids.map(seed).collect())
}

/// Returns whether a request without IDs lists the image: disabled ones and, except to their
/// owners, deprecated ones only if it asks for them.
fn is_visible(
    image: &ImageSeed,
    caller: &Caller,
    parameters: &[(String, String)],
    now: jiff::Timestamp,
) -> bool {
    let includes = |name| parameter(parameters, name).is_some_and(|value| value == "true");
    let is_disabled = image.state.as_deref() == Some("disabled");
    let deprecation = image.deprecation_time.as_deref();
    let deprecation = deprecation.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let is_deprecated = deprecation.is_some_and(|time| time <= now);
    let is_own = owner(image, caller).0 == caller.account;
    (!is_disabled || includes("IncludeDisabled"))
        && (!is_deprecated || is_own || includes("IncludeDeprecated"))
}

/// Returns the account ID and the alias of an image's owner.
fn owner<'i>(image: &'i ImageSeed, caller: &'i Caller) -> (&'i str, Option<&'i str>) {
    let owner = image.owner.as_deref().unwrap_or(&caller.account);
    match ALIASES.iter().find(|(alias, _)| *alias == owner) {
        Some((alias, account)) => (account, Some(alias)),
        None => (owner, None),
    }
}

fn is_owned(image: &ImageSeed, caller: &Caller, owners: &[&str]) -> bool {
    let (account, alias) = owner(image, caller);
    owners.iter().any(|wanted| match *wanted {
        "self" => account == caller.account,
        wanted => wanted == account || Some(wanted) == alias,
    })
}

fn item(image: &ImageSeed, caller: &Caller) -> Ec2Item {
    let (account, alias) = owner(image, caller);
    let name = image.name.as_deref().unwrap_or(&image.id);
    let or = |text: &Option<String>, default: &str| text.as_deref().unwrap_or(default).to_owned();
    let location = format!("{}/{name}", alias.unwrap_or(account));
    let mut fields: Vec<FilterableField> = vec![
        ("imageId", "image-id", image.id.clone()),
        ("name", "name", name.to_owned()),
        ("imageLocation", "manifest-location", location),
        ("imageState", "state", or(&image.state, "available")),
        ("imageOwnerId", "owner-id", account.to_owned()),
        ("isPublic", "is-public", "true".to_owned()),
        (
            "architecture",
            "architecture",
            or(&image.architecture, "x86_64"),
        ),
        ("imageType", "image-type", "machine".to_owned()),
        (
            "rootDeviceType",
            "root-device-type",
            or(&image.root_device_type, "ebs"),
        ),
        ("rootDeviceName", "root-device-name", "/dev/xvda".to_owned()),
        (
            "virtualizationType",
            "virtualization-type",
            or(&image.virtualization_type, "hvm"),
        ),
        ("hypervisor", "hypervisor", "xen".to_owned()),
        (
            "creationDate",
            "creation-date",
            or(&image.creation_date, "2025-01-01T00:00:00.000Z"),
        ),
    ];
    let mut add = |element, filter, value: Option<&str>| {
        fields.extend(value.map(|value| (element, filter, value.to_owned())));
    };
    add("imageOwnerAlias", "owner-alias", alias);
    add("description", "description", image.description.as_deref());
    add("platform", "platform", image.platform.as_deref());
    // No filter has this name.
    add("deprecationTime", "", image.deprecation_time.as_deref());
    let code = image.product_code.as_deref();
    add("productCode", "product-code", code);
    add("type", "product-code.type", code.map(|_| "marketplace"));
    Ec2Item {
        fields,
        tags: Vec::new(),
    }
}

fn write(xml: &mut XmlWriter, item: &Ec2Item) {
    let (nested, flat): (Vec<_>, Vec<_>) = item
        .fields
        .iter()
        .partition(|(_, filter, _)| NESTED.contains(filter));
    for (element, _, value) in flat {
        xml.text(element, value);
    }
    if !nested.is_empty() {
        xml.element("productCodes", |xml| {
            xml.element("item", |xml| {
                for (element, _, value) in nested {
                    xml.text(element, value);
                }
            });
        });
    }
    tag_set(xml, &item.tags);
}

/// Returns the page that `MaxResults` and `NextToken` select, and the token of the next one.
/// <https://docs.aws.amazon.com/AWSEC2/latest/DeveloperGuide/ec2-api-pagination.html>
fn page<'i>(
    items: &'i [Ec2Item],
    parameters: &[(String, String)],
) -> Result<(&'i [Ec2Item], Option<String>), ServiceError> {
    let start = match parameter(parameters, "NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => position(token)
            .filter(|start| *start <= items.len())
            .ok_or_else(|| {
                ServiceError::new(400, "InvalidNextToken", format!("Invalid token: {token}"))
            })?,
    };
    let rest = items.get(start..).unwrap_or_default();
    let size = match parameter(parameters, "MaxResults") {
        None => rest.len(),
        Some(text) => text.parse().ok().filter(|size| *size > 0).ok_or_else(|| {
            let message = format!("Value ( {text} ) for parameter maxResults is invalid.");
            invalid(message)
        })?,
    };
    let (page, later) = rest.split_at(size.min(rest.len()));
    let token = (!later.is_empty())
        .then(|| BASE64_URL_SAFE_NO_PAD.encode(format!("images:{}", start + page.len())));
    Ok((page, token))
}

fn position(token: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("images:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::clock::Clock;
    use crate::simulator::scenario::{Scenario, ScenarioFile};

    const SEEDS: &str = r#"[
        {"id": "ami-1", "name": "web-2025", "creation_date": "2025-03-01T00:00:00.000Z"},
        {"id": "ami-2", "name": "os-1", "owner": "amazon", "architecture": "arm64"},
        {"id": "ami-3", "name": "os-2", "owner": "amazon",
         "deprecation_time": "2020-01-01T00:00:00Z"},
        {"id": "ami-4", "owner": "aws-marketplace", "product_code": "abc"},
        {"id": "ami-5", "owner": "309956199498", "state": "disabled"},
        {"id": "ami-6", "regions": ["eu-*"]}
    ]"#;

    /// The IDs of the images and the token, or the error.
    fn images(parameters: &[(&str, &str)]) -> Result<(String, Option<String>), String> {
        let images: serde_json::Value = serde_json::from_str(SEEDS).unwrap();
        let file: ScenarioFile =
            serde_json::from_value(serde_json::json!({"seeds": {"images": images}})).unwrap();
        let seeds = crate::simulator::seed::Seeds::new(file.seeds.clone(), Default::default());
        let cloud = Cloud::new(Clock::new(1.0), Scenario::new(file)).with_seeds(seeds);
        let parameters: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let caller = Caller {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let xml = describe(&cloud, &caller, &parameters).map_err(|it| it.message)?;
        let texts = |element: &str| -> Vec<String> {
            let open = format!("<{element}>");
            let parts = xml.split(&open).skip(1);
            parts
                .map(|part| part.split('<').next().unwrap().to_owned())
                .collect()
        };
        Ok((
            texts("imageId").join(" ").replace("ami-", ""),
            texts("nextToken").pop(),
        ))
    }

    #[test]
    fn images_are_selected_by_owner_filters_and_visibility() {
        let check = |parameters: &[(&str, &str)], expect: &str| {
            assert_eq!(images(parameters).unwrap().0, expect, "{parameters:?}");
        };
        let filter = |name: &'static str, value: &'static str| {
            [("Filter.1.Name", name), ("Filter.1.Value.1", value)]
        };
        check(&[], "1 2 4");
        check(&[("IncludeDeprecated", "true")], "1 2 3 4");
        check(&[("IncludeDisabled", "true")], "1 2 4 5");
        check(&[("ImageId.1", "ami-5"), ("ImageId.2", "ami-3")], "3 5");
        check(&[("Owner.1", "self")], "1");
        check(&[("Owner.1", "amazon"), ("Owner.2", "679593333241")], "2 4");
        check(&filter("owner-alias", "amazon"), "2");
        check(&filter("owner-alias", "aws-marketplace"), "4");
        check(&filter("name", "web-????"), "1");
        check(&filter("architecture", "arm64"), "2");
        check(&filter("product-code.type", "marketplace"), "4");
        check(&filter("product-code", "abc"), "4");
        check(&filter("kernel-id", "aki-1"), "");
        check(&filter("creation-date", "2025-03-*"), "1");
        let refused = images(&filter("nmae", "x")).unwrap_err();
        assert_eq!(refused, "The filter 'nmae' is invalid");
    }

    #[test]
    fn images_come_in_pages() {
        let (first, token) = images(&[("MaxResults", "2")]).unwrap();
        let token = token.unwrap();
        assert_eq!(first, "1 2");
        let second = images(&[("MaxResults", "2"), ("NextToken", &token)]).unwrap();
        assert_eq!(second, ("4".to_owned(), None));
        assert!(images(&[("NextToken", "x")]).is_err());
        assert!(images(&[("MaxResults", "0")]).is_err());
    }
}
