//! Stages the project to S3: selects files, buckets and keys.
//!
//! [`local`] lists the files, [`bucket`] finds or creates the bucket, [`marker`] informs other
//! runs, and [`sync`] updates the bucket's content. `teardown` deletes buckets. Called by `run`;
//! depends on `plan`, `event` and `aws`.

pub(crate) mod bucket;
pub(crate) mod exclude;
pub(crate) mod local;
pub(crate) mod marker;
mod policy;
pub(crate) mod sync;

use crate::aws::AwsError;
use crate::event::JournalWriteFailed;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error("bucket {bucket} does not exist, or these credentials cannot see it")]
    NoSuchBucket { bucket: String },
    #[error(
        "bucket {bucket} is in {found}, not in {expected}: S3 bucket names are unique, choose \
         another `s3_bucket`"
    )]
    WrongRegion {
        bucket: String,
        found: String,
        expected: String,
    },
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    NotRecorded(#[from] JournalWriteFailed),
}

impl StageError {
    /// Returns whether certainly nothing was created: AWS refused the creation, and no earlier
    /// attempt may have succeeded.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Aws(error) => {
                let is_ambiguous =
                    error.may_have_taken_effect() || error.has_code("BucketAlreadyOwnedByYou");
                error.operation == "CreateBucket" && !is_ambiguous
            }
            Self::NoSuchBucket { .. } | Self::WrongRegion { .. } | Self::NotRecorded(_) => true,
        }
    }
}
