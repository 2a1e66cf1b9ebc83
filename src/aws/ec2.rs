//! EC2: zones, regions, and what parameters name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::signed::{SignedCall, SignedService, items, texts};
use super::{Aws, AwsError, Clients};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>
const AVAILABILITY_ZONES: SignedCall = call(
    "DescribeAvailabilityZones",
    "Action=DescribeAvailabilityZones&Version=2016-11-15&Filter.1.Name=state&Filter.1.Value.1=available",
);

/// Without `AllRegions`: those that the account has enabled.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
const REGIONS: SignedCall = SignedCall {
    service: SignedService::Ec2,
    operation: "DescribeRegions",
    body: Cow::Borrowed("Action=DescribeRegions&Version=2016-11-15"),
    is_first_call: true,
};

const fn call(operation: &'static str, body: &'static str) -> SignedCall {
    SignedCall {
        service: SignedService::Ec2,
        operation,
        body: Cow::Borrowed(body),
        is_first_call: false,
    }
}

/// How existing things of a kind are found by their names or IDs.
#[derive(Clone, Copy, Debug)]
pub struct Ec2Lookup {
    /// The call: `DescribeKeyPairs`.
    pub operation: &'static str,
    /// The filter that selects by name or ID: `key-name`.
    pub filter: &'static str,
    /// The element with the name or ID: `keyName`.
    pub element: &'static str,
}

/// An image that EC2 lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The ID: `ami-0123456789abcdef0`.
    pub id: String,
    /// The name; empty if it has none.
    pub name: String,
    /// When it was created: `2025-06-30T12:00:00.000Z`.
    pub creation_date: String,
}

/// How many images a page holds.
const IMAGES_PAGE: &str = "1000";

/// The most values that a filter takes.
const MAX_VALUES: usize = 200;

impl Aws {
    /// Names of the regions that the profile's account has enabled, in its partition.
    pub async fn regions(&self, profile: &str) -> Result<Vec<String>, AwsError> {
        // Any region of the partition knows them all; the profile's own tells which partition that
        // is.
        let clients = self
            .clients(profile, &self.home_region(profile).await)
            .await;
        let body = clients.signed(&REGIONS).await?;
        let names = texts(&body, &["regionName"]).ok_or_else(|| clients.garbled(&REGIONS))?;
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }
}

impl Clients {
    /// Returns those of the regions of the caller's partition that its account has not enabled.
    pub async fn disabled_regions(&self) -> Result<BTreeSet<String>, AwsError> {
        let call = SignedCall {
            body: "Action=DescribeRegions&Version=2016-11-15&AllRegions=true\
                &Filter.1.Name=opt-in-status&Filter.1.Value.1=not-opted-in"
                .into(),
            is_first_call: true,
            ..call("DescribeRegions", "")
        };
        let body = self.signed(&call).await?;
        let names = texts(&body, &["regionName"]).ok_or_else(|| self.garbled(&call))?;
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }

    /// Returns name and ID (`us-east-1a`, `use1-az6`) of the region's available zones, in AWS's
    /// order.
    pub async fn availability_zones(&self) -> Result<Vec<(String, String)>, AwsError> {
        let body = self.signed(&AVAILABILITY_ZONES).await?;
        zones(&body).ok_or_else(|| self.garbled(&AVAILABILITY_ZONES))
    }

    /// Returns those of the names or IDs that exist. A filter is used, since naming a thing that
    /// doesn't exist is an error.
    pub async fn existing(
        &self,
        lookup: Ec2Lookup,
        names: &[&str],
    ) -> Result<BTreeSet<String>, AwsError> {
        let mut found = BTreeSet::new();
        for names in names.chunks(MAX_VALUES) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("Action", lookup.operation)
                .append_pair("Version", "2016-11-15")
                .append_pair("Filter.1.Name", lookup.filter);
            for (number, name) in (1..).zip(names) {
                form.append_pair(&format!("Filter.1.Value.{number}"), name);
            }
            let call = SignedCall {
                body: form.finish().into(),
                ..call(lookup.operation, "")
            };
            let body = self.signed(&call).await?;
            let texts = texts(&body, &[lookup.element]).ok_or_else(|| self.garbled(&call))?;
            found.extend(texts.into_iter().map(|(_, text)| text));
        }
        Ok(found)
    }

    /// Returns the images that match all filters, each a name with its values. They have no order.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>
    pub async fn images(&self, filters: &[(String, Vec<String>)]) -> Result<Vec<Image>, AwsError> {
        let mut images = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let call = SignedCall {
                body: images_request(filters, token.as_deref()).into(),
                ..call("DescribeImages", "")
            };
            let body = self.signed(&call).await?;
            let items = items(&body, "imagesSet").ok_or_else(|| self.garbled(&call))?;
            images.extend(items.into_iter().map(image));
            let tokens = texts(&body, &["nextToken"]).ok_or_else(|| self.garbled(&call))?;
            let next = tokens.into_iter().next_back().map(|(_, text)| text);
            token = next.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(images);
            }
        }
    }

    /// Returns how many things a call lists, by the element that each of them has once. Deleted
    /// NAT gateways are listed for an hour and don't count.
    pub async fn count(
        &self,
        operation: &'static str,
        element: &'static str,
    ) -> Result<usize, AwsError> {
        let filter = match operation {
            "DescribeNatGateways" => {
                "&Filter.1.Name=state&Filter.1.Value.1=pending&Filter.1.Value.2=available"
            }
            _ => "",
        };
        let call = SignedCall {
            body: format!("Action={operation}&Version=2016-11-15{filter}").into(),
            ..call(operation, "")
        };
        let body = self.signed(&call).await?;
        let texts = texts(&body, &[element]).ok_or_else(|| self.garbled(&call))?;
        Ok(texts.len())
    }
}

fn images_request(filters: &[(String, Vec<String>)], token: Option<&str>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "DescribeImages")
        .append_pair("Version", "2016-11-15")
        .append_pair("MaxResults", IMAGES_PAGE);
    for (number, (name, values)) in (1..).zip(filters) {
        form.append_pair(&format!("Filter.{number}.Name"), name);
        for (at, value) in (1..).zip(values) {
            form.append_pair(&format!("Filter.{number}.Value.{at}"), value);
        }
    }
    if let Some(token) = token {
        form.append_pair("NextToken", token);
    }
    form.finish()
}

fn image(mut fields: BTreeMap<String, String>) -> Image {
    let mut field = |name: &str| fields.remove(name).unwrap_or_default();
    Image {
        id: field("imageId"),
        name: field("name"),
        creation_date: field("creationDate"),
    }
}

fn zones(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut names = Vec::new();
    let mut ids = Vec::new();
    for (element, text) in texts(body, &["zoneName", "zoneId"])? {
        if element == "zoneName" {
            names.push(text)
        } else {
            ids.push(text)
        }
    }
    (names.len() == ids.len()).then(|| names.into_iter().zip(ids).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_whatever_the_order_of_their_elements() {
        let body = b"<R><imagesSet><item><name>a &amp; b</name><blockDeviceMapping><item>\
            <deviceName>/dev/sda1</deviceName><ebs><name>no</name></ebs></item>\
            </blockDeviceMapping><imageId>ami-1</imageId><creationDate>2025</creationDate></item>\
            <item><imageId>ami-2</imageId></item></imagesSet></R>";
        let images: Vec<Image> = items(body, "imagesSet")
            .unwrap()
            .into_iter()
            .map(image)
            .collect();
        let expect = |id: &str, name: &str, creation_date: &str| Image {
            id: id.to_owned(),
            name: name.to_owned(),
            creation_date: creation_date.to_owned(),
        };
        assert_eq!(
            images,
            [expect("ami-1", "a & b", "2025"), expect("ami-2", "", "")]
        );
        assert_eq!(items(b"<R><a></R>", "a"), None);
    }

    #[test]
    fn zones_are_read_in_order_and_garbage_is_none() {
        let body = "<R><availabilityZoneInfo><item><zoneName>us-east-1a</zoneName><zoneId>use1-az6</zoneId></item>\
                    <item><zoneName>us-east-1b</zoneName><zoneId>use1-az1</zoneId></item></availabilityZoneInfo></R>";
        let expect = [("us-east-1a", "use1-az6"), ("us-east-1b", "use1-az1")];
        let expect: Vec<_> = expect
            .iter()
            .map(|(name, id)| (name.to_string(), id.to_string()))
            .collect();
        assert_eq!(zones(body.as_bytes()), Some(expect));
        assert_eq!(zones(b"<R><zoneName>a</R>"), None);
        let error = b"<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was \
            &quot;not&quot; able</Message></Error></Errors></Response>";
        assert_eq!(
            texts(error, &["Message"]),
            Some(vec![("Message", r#"AWS was "not" able"#.to_owned())])
        );
        assert_eq!(zones(b"<R><zoneName>a</zoneName></R>"), None);
    }
}
