//! Markers: small objects that inform runs about each other if they stage to the same bucket.
//!
//! Several runs of a project may stage to a shared bucket concurrently: on two branches or two
//! machines. Each puts a marker under the project's prefix before it lists the bucket, and removes
//! nothing as long as another run's marker exists. A run deletes its marker at its end; a leftover
//! marker is ignored and deleted once it is older than a limit.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::StageError;
use super::bucket::StagingBucket;
use crate::aws::{AwsError, Clients, ErrorKind, Object};
use crate::event::{EventKind, EventSender};

/// The folder of markers below the project's prefix. Hidden, so that no file of a project is ever
/// staged there.
const FOLDER: &str = ".taskcat/runs/";

/// Age from which a marker is considered to be of a run that was killed.
pub(crate) const LIMIT: Duration = Duration::from_secs(12 * 60 * 60);

/// Identifies the markers of a project's runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunMarkers<'r> {
    pub run_id: Uuid,
    /// The project's prefix, with a trailing slash.
    pub prefix: &'r str,
    pub limit: Duration,
}

/// Another run that stages to the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveRun {
    /// The run's ID (`taskcat-id`).
    pub run_id: String,
    /// When its marker expires.
    pub until: Timestamp,
}

/// Other runs' markers in a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OtherMarkers {
    /// Runs with a valid marker, the newest last.
    pub live: Vec<LiveRun>,
    /// Keys of markers that are older than the limit.
    pub stale: Vec<String>,
}

/// A run's marker in a bucket.
#[derive(Clone)]
pub(crate) struct PlacedMarker {
    pub bucket: String,
    pub key: String,
    pub clients: Arc<Clients>,
}

impl RunMarkers<'_> {
    fn folder(&self) -> String {
        format!("{}{FOLDER}", self.prefix)
    }

    /// Returns the key of this run's marker.
    pub(crate) fn key(&self) -> String {
        key_of(self.prefix, &self.run_id.simple().to_string())
    }

    /// Returns whether a key below the project's prefix is a marker's.
    pub(crate) fn is_marker(relative_key: &str) -> bool {
        relative_key.starts_with(FOLDER)
    }

    /// Finds other runs' markers among the objects. Their age is measured by S3's clock, as shown
    /// by this run's own marker.
    pub(crate) fn others(&self, objects: &[Object]) -> OtherMarkers {
        let own = self.key();
        let folder = self.folder();
        let written_at = |object: &Object| object.modified.unwrap_or_else(Timestamp::now);
        let now = objects
            .iter()
            .find(|it| it.key == own)
            .map_or_else(Timestamp::now, written_at);
        let mut others = OtherMarkers::default();
        for object in objects.iter().filter(|it| it.key != own) {
            let Some(run_id) = object.key.strip_prefix(&folder) else {
                continue;
            };
            let until = written_at(object)
                .checked_add(self.limit)
                .unwrap_or(Timestamp::MAX);
            if until > now {
                others.live.push(LiveRun {
                    run_id: run_id.to_owned(),
                    until,
                });
            } else {
                others.stale.push(object.key.clone());
            }
        }
        others.live.sort_by_key(|run| run.until);
        others
    }

    /// Lists other runs' markers in the bucket now.
    pub(crate) async fn look(&self, bucket: &StagingBucket) -> Result<OtherMarkers, AwsError> {
        Ok(self.others(
            &bucket
                .clients
                .list_objects(&bucket.name, &self.folder())
                .await?,
        ))
    }

    /// Returns this run's marker for the bucket, without putting it.
    pub(crate) fn place(&self, bucket: &StagingBucket) -> PlacedMarker {
        PlacedMarker {
            bucket: bucket.name.clone(),
            key: self.key(),
            clients: bucket.clients.clone(),
        }
    }
}

impl PlacedMarker {
    /// Puts the marker, which must already be in the journal. `acl` is that of the files.
    pub(crate) async fn put(
        &self,
        acl: Option<&str>,
        events: &EventSender,
    ) -> Result<(), StageError> {
        let bucket = self.bucket.clone();
        let region = self.clients.region().to_owned();
        let key = self.key.clone();
        events
            .record(EventKind::StagingMarked {
                bucket,
                region,
                key,
            })
            .await?;
        let text = format!("{{\"at\":\"{}\"}}\n", Timestamp::now());
        let mut put = self
            .clients
            .put_object(&self.bucket, &self.key, text.clone(), acl)
            .await;
        if acl.is_some()
            && put
                .as_ref()
                .is_err_and(|error| error.has_code("AccessControlListNotSupported"))
        {
            put = self
                .clients
                .put_object(&self.bucket, &self.key, text, None)
                .await;
        }
        if put
            .as_ref()
            .is_err_and(|error| error.is(ErrorKind::Denied) || error.is(ErrorKind::NotFound))
        {
            self.told_released(events);
        }
        Ok(put?)
    }

    /// Deletes the marker, if it exists; returns whether it certainly doesn't exist anymore. A
    /// remaining one can be found through the journal and expires.
    pub(crate) async fn release(&self, events: &EventSender) -> bool {
        match self.clients.delete_object(&self.bucket, &self.key).await {
            Err(error) if !error.is(ErrorKind::NotFound) => {
                let marker = format!("s3://{}/{}", self.bucket, self.key);
                let message = format!(
                    "the marker {marker} was not deleted, so other runs remove no objects for a \
                     while: {error}"
                );
                events.warn(None, message);
                false
            }
            Ok(()) | Err(_) => {
                self.told_released(events);
                true
            }
        }
    }

    fn told_released(&self, events: &EventSender) {
        events.send(EventKind::StagingReleased {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
        });
    }
}

/// Returns the key of a run's marker. `prefix` is the project's, with a trailing slash.
pub(crate) fn key_of(prefix: &str, run_id: &str) -> String {
    format!("{prefix}{FOLDER}{run_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn young_markers_of_others_count() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let object = |key: &str, modified| Object {
            key: key.to_owned(),
            etag: String::new(),
            size: 0,
            modified,
        };
        let markers = RunMarkers {
            run_id: Uuid::from_u128(1),
            prefix: "demo/",
            limit: LIMIT,
        };
        let own = format!("demo/.taskcat/runs/{}", Uuid::from_u128(1).simple());
        assert_eq!(markers.key(), own);
        let objects = [
            object("demo/a.yaml", at("2026-01-01T00:00:00Z")),
            object(&own, at("2026-01-02T00:00:00Z")),
            object("demo/.taskcat/runs/b", at("2026-01-01T23:00:00Z")),
            object("demo/.taskcat/runs/c", at("2026-01-01T12:00:01Z")),
            object("demo/.taskcat/runs/d", at("2026-01-01T12:00:00Z")),
            object("demo/deep/.taskcat/runs/e", at("2026-01-01T23:00:00Z")),
        ];
        let others = markers.others(&objects);
        let live: Vec<_> = others
            .live
            .iter()
            .map(|run| (run.run_id.as_str(), run.until.to_string()))
            .collect();
        assert_eq!(
            live,
            [
                ("c", "2026-01-02T00:00:01Z".into()),
                ("b", "2026-01-02T11:00:00Z".into())
            ]
        );
        assert_eq!(others.stale, ["demo/.taskcat/runs/d"]);
        assert!(
            RunMarkers::is_marker(".taskcat/runs/b")
                && !RunMarkers::is_marker("deep/.taskcat/runs/e")
        );
    }
}
