//! Finds the newest image of each codename, in all regions at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;

use crate::ami::{self, ImageSource};
use crate::aws::{Aws, AwsError, Clients, ErrorKind, Image};

/// How many regions are asked at the same time.
const CONCURRENCY: usize = 16;

/// What has to be found, where, and with whose credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AmiLookup {
    pub region: String,
    pub profile: String,
    pub source: ImageSource,
}

/// What was found.
pub(super) enum AmiAnswer {
    /// The newest image.
    Newest(Image),
    /// There is no such image or parameter.
    Nothing,
    /// The parameter has another value than an AMI ID.
    OtherValue,
    Failed(AwsError),
}

/// Asks for all images, each once.
pub(super) async fn newest(
    aws: &Aws,
    lookups: BTreeSet<AmiLookup>,
) -> BTreeMap<AmiLookup, AmiAnswer> {
    let mut by_region: BTreeMap<(String, String), Vec<AmiLookup>> = BTreeMap::new();
    for lookup in lookups {
        let key = (lookup.profile.clone(), lookup.region.clone());
        by_region.entry(key).or_default().push(lookup);
    }
    let regions = stream::iter(by_region).map(|((profile, region), lookups)| async move {
        let clients = aws.clients(&profile, &region).await;
        in_region(&clients, lookups).await
    });
    let answers: Vec<Vec<_>> = regions.buffer_unordered(CONCURRENCY).collect().await;
    answers.into_iter().flatten().collect()
}

/// Asks one after another, and stops if the region cannot be used at all.
async fn in_region(clients: &Clients, lookups: Vec<AmiLookup>) -> Vec<(AmiLookup, AmiAnswer)> {
    let mut answers = Vec::new();
    let mut unusable: Option<AwsError> = None;
    for lookup in lookups {
        let answer = match &unusable {
            Some(error) => AmiAnswer::Failed(error.clone()),
            None => ask(clients, &lookup.source).await,
        };
        if let AmiAnswer::Failed(error) = &answer
            && is_of_region(error)
        {
            unusable = Some(error.clone());
        }
        answers.push((lookup, answer));
    }
    answers
}

/// Returns whether every other call in the region would fail as well.
fn is_of_region(error: &AwsError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Credentials
            | ErrorKind::MissingProfile
            | ErrorKind::Unreachable
            | ErrorKind::Network
    )
}

async fn ask(clients: &Clients, source: &ImageSource) -> AmiAnswer {
    match source {
        ImageSource::Filters(filters) => match clients.images(filters).await {
            Ok(images) => newest_of(images).map_or(AmiAnswer::Nothing, AmiAnswer::Newest),
            Err(error) => AmiAnswer::Failed(error),
        },
        ImageSource::Parameter(name) => match clients.ssm_parameter(name).await {
            Ok((id, _)) if ami::is_ami(&id) => AmiAnswer::Newest(Image {
                id,
                name: name.clone(),
                creation_date: String::new(),
            }),
            Ok(_) => AmiAnswer::OtherValue,
            Err(error) if error.kind == ErrorKind::NotFound => AmiAnswer::Nothing,
            Err(error) => AmiAnswer::Failed(error),
        },
    }
}

/// Returns the image that was created last; of several the one whose name, then ID comes last, so
/// that the result doesn't depend on AWS's order.
fn newest_of(images: Vec<Image>) -> Option<Image> {
    images.into_iter().max_by_key(|image| {
        let created = image.creation_date.parse::<Timestamp>().ok();
        (created, image.name.clone(), image.id.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_that_was_created_last_is_the_newest() {
        let image = |(id, creation_date): (&str, &str)| Image {
            id: id.to_owned(),
            name: String::new(),
            creation_date: creation_date.to_owned(),
        };
        let check = |images: &[(&str, &str)], expect: &str| {
            let newest = newest_of(images.iter().copied().map(image).collect());
            assert_eq!(newest.unwrap().id, expect);
        };
        let second = "2025-01-02T00:00:00.000Z";
        check(
            &[("ami-2", second), ("ami-1", "2025-01-10T00:00:00Z")],
            "ami-1",
        );
        check(&[("ami-2", second), ("ami-1", second)], "ami-2");
        check(&[("ami-1", second), ("ami-2", "")], "ami-1");
        assert_eq!(newest_of(Vec::new()), None);
    }
}
