//! The AMI IDs in templates: where they are, which images they are meant to name, and how they are
//! replaced without changing any other byte.
//!
//! A template maps regions and codenames to AMI IDs in `Mappings.AWSAMIRegionMap`; filters of EC2's
//! `DescribeImages` select the images of a codename. Both follow TaskCat's
//! `_amiupdater.py`. Pure but for reading files; `cli` asks EC2 and writes.
//!
//! - `filters`: the filters of codenames: built-in ones, those of a file, and those of templates
//! - `edit`: replaces values in a text

mod edit;
mod filters;

pub(crate) use edit::{AmiEdit, apply};
pub(crate) use filters::{AmiFilters, ImageSource};

use crate::diagnostic::Location;
use crate::template::{Template, is_function_key};
use crate::yaml::Node;

/// The mapping that is updated, and the metadata with its filters.
pub(crate) const MAP: &str = "AWSAMIRegionMap";

/// Not a region, but the names of the images, in templates for old versions of TaskCat.
const NAMES: &str = "AMI";

/// A value of the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AmiEntry {
    pub region: String,
    /// `AMZNLINUX2`
    pub codename: String,
    /// The value as written; empty for `""`.
    pub value: String,
    /// Where the value is.
    pub location: Location,
}

impl AmiEntry {
    /// Returns whether the value is the name of an SSM parameter. Its value is looked up at
    /// each launch, so it is never outdated.
    pub(crate) fn is_parameter(&self) -> bool {
        ["{{resolve:", "resolve:ssm:", "/aws/service/"]
            .iter()
            .any(|start| self.value.starts_with(start))
    }

    /// Returns whether the value has the form of an AMI ID.
    pub(crate) fn is_ami(&self) -> bool {
        is_ami(&self.value)
    }
}

/// Returns whether a text has the form of an AMI ID.
pub(crate) fn is_ami(text: &str) -> bool {
    text.strip_prefix("ami-").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Returns the values of the template's mapping in the order of the file.
pub(crate) fn entries(template: &Template) -> Vec<AmiEntry> {
    let map = template.root.get("Mappings").and_then(|it| it.get(MAP));
    let regions = map.map(Node::entries).unwrap_or_default().iter();
    let regions =
        regions.filter(|(region, _)| &*region.text != NAMES && !is_function_key(&region.text));
    let entry = |region: &Node, codename: &Node, value: &Node| AmiEntry {
        region: region.text.to_string(),
        codename: codename.text.to_string(),
        value: value.text.to_string(),
        location: template.location(value.at),
    };
    let entries = regions.flat_map(|(region, codenames)| {
        let scalars = codenames.entries().iter().filter(|(_, it)| it.is_scalar());
        scalars.map(move |(codename, value)| entry(region, codename, value))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn entries_are_the_scalars_of_regions() {
        let text = "Mappings:\n  AWSAMIRegionMap:\n    AMI: {A: Some image}\n    us-east-1:\n      \
                    A: ami-1\n      L: [ami-2]\n      P: '{{resolve:ssm:/aws/service/x}}'\n  \
                    Other: {us-east-1: {A: ami-3}}\nResources: {W: {Type: AWS::SNS::Topic}}\n";
        let file: Arc<Path> = Arc::from(Path::new("t.yml"));
        let (template, _) = Template::parse(&file, "t.yml".to_owned(), text);
        let found = entries(&template.unwrap());
        let lines: Vec<String> = found
            .iter()
            .map(|it| {
                format!(
                    "{} {} {} {}",
                    it.location,
                    it.codename,
                    it.is_ami(),
                    it.is_parameter()
                )
            })
            .collect();
        assert_eq!(
            lines,
            ["t.yml:5:10 A true false", "t.yml:7:10 P false true"]
        );
    }
}
