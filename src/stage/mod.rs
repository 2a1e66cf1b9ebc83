//! The project goes to S3: which files, to which buckets, under which keys.
//!
//! [`local`] lists what is to be staged, [`bucket`] makes sure that a bucket stands, [`marker`]
//! tells other runs of this one, [`sync`] brings the bucket's content up to date. Deleting buckets
//! is `teardown`'s. Called by `run`; knows `plan`, `event` and `aws`.

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
    #[error("bucket {bucket} does not exist, or these credentials can't see it")]
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
    /// Whether certainly nothing was created: AWS refused the creation, and no earlier attempt may
    /// have succeeded.
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
