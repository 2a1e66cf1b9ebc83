//! The table of operations, and the functions that carry them out.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::super::Cloud;
use super::{Requester, buckets, creation, listing, multipart, objects, settings};

/// The operations of S3.
pub(super) struct S3Api(pub Arc<Cloud>);

macro_rules! operations {
    ($($operation:ident: $input:ident -> $output:ident = $function:path;)+) => {
        #[async_trait::async_trait]
        impl S3 for S3Api {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let requester = Requester::of(&request.extensions);
                    $function(&self.0, &requester, request.input).map(S3Response::new)
                }
            )+

            async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
                let requester = Requester::of(&request.extensions);
                let tags = request.extensions.get::<creation::CreationTags>().map(|tags| tags.0.clone());
                buckets::create_bucket(&self.0, &requester, request.input, tags).map(S3Response::new)
            }

            async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                let bytes = objects::read_body(request.input.body.take()).await?;
                objects::put_object(&self.0, request.input, bytes).map(S3Response::new)
            }

            async fn upload_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
                let bytes = objects::read_body(request.input.body.take()).await?;
                multipart::upload_part(&self.0, request.input, bytes).map(S3Response::new)
            }
        }
    };
}

operations! {
    head_bucket: HeadBucketInput -> HeadBucketOutput = buckets::head_bucket;
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput = buckets::get_bucket_location;
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput = buckets::delete_bucket;
    list_buckets: ListBucketsInput -> ListBucketsOutput = buckets::list_buckets;

    list_objects: ListObjectsInput -> ListObjectsOutput = listing::list_objects;
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output = listing::list_objects_v2;
    list_object_versions: ListObjectVersionsInput -> ListObjectVersionsOutput = listing::list_object_versions;

    get_object: GetObjectInput -> GetObjectOutput = objects::get_object;
    head_object: HeadObjectInput -> HeadObjectOutput = objects::head_object;
    delete_object: DeleteObjectInput -> DeleteObjectOutput = objects::delete_object;
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput = objects::delete_objects;
    copy_object: CopyObjectInput -> CopyObjectOutput = objects::copy_object;
    get_object_tagging: GetObjectTaggingInput -> GetObjectTaggingOutput = objects::get_object_tagging;
    put_object_tagging: PutObjectTaggingInput -> PutObjectTaggingOutput = objects::put_object_tagging;
    delete_object_tagging: DeleteObjectTaggingInput -> DeleteObjectTaggingOutput = objects::delete_object_tagging;
    get_object_acl: GetObjectAclInput -> GetObjectAclOutput = objects::get_object_acl;
    put_object_acl: PutObjectAclInput -> PutObjectAclOutput = objects::put_object_acl;

    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput = multipart::create_multipart_upload;
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput = multipart::upload_part_copy;
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput = multipart::complete_multipart_upload;
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput = multipart::abort_multipart_upload;
    list_parts: ListPartsInput -> ListPartsOutput = multipart::list_parts;
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput = multipart::list_multipart_uploads;

    get_bucket_tagging: GetBucketTaggingInput -> GetBucketTaggingOutput = settings::get_bucket_tagging;
    put_bucket_tagging: PutBucketTaggingInput -> PutBucketTaggingOutput = settings::put_bucket_tagging;
    delete_bucket_tagging: DeleteBucketTaggingInput -> DeleteBucketTaggingOutput = settings::delete_bucket_tagging;
    get_bucket_policy: GetBucketPolicyInput -> GetBucketPolicyOutput = settings::get_bucket_policy;
    get_bucket_policy_status: GetBucketPolicyStatusInput -> GetBucketPolicyStatusOutput = settings::get_bucket_policy_status;
    put_bucket_policy: PutBucketPolicyInput -> PutBucketPolicyOutput = settings::put_bucket_policy;
    delete_bucket_policy: DeleteBucketPolicyInput -> DeleteBucketPolicyOutput = settings::delete_bucket_policy;
    get_bucket_encryption: GetBucketEncryptionInput -> GetBucketEncryptionOutput = settings::get_bucket_encryption;
    put_bucket_encryption: PutBucketEncryptionInput -> PutBucketEncryptionOutput = settings::put_bucket_encryption;
    delete_bucket_encryption: DeleteBucketEncryptionInput -> DeleteBucketEncryptionOutput = settings::delete_bucket_encryption;
    get_public_access_block: GetPublicAccessBlockInput -> GetPublicAccessBlockOutput = settings::get_public_access_block;
    put_public_access_block: PutPublicAccessBlockInput -> PutPublicAccessBlockOutput = settings::put_public_access_block;
    delete_public_access_block: DeletePublicAccessBlockInput -> DeletePublicAccessBlockOutput = settings::delete_public_access_block;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput -> GetBucketOwnershipControlsOutput = settings::get_bucket_ownership_controls;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput -> PutBucketOwnershipControlsOutput = settings::put_bucket_ownership_controls;
    delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput -> DeleteBucketOwnershipControlsOutput = settings::delete_bucket_ownership_controls;
    get_bucket_versioning: GetBucketVersioningInput -> GetBucketVersioningOutput = settings::get_bucket_versioning;
    put_bucket_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput = settings::put_bucket_versioning;
    get_bucket_acl: GetBucketAclInput -> GetBucketAclOutput = settings::get_bucket_acl;
    put_bucket_acl: PutBucketAclInput -> PutBucketAclOutput = settings::put_bucket_acl;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput -> GetBucketLifecycleConfigurationOutput = settings::get_bucket_lifecycle_configuration;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput -> PutBucketLifecycleConfigurationOutput = settings::put_bucket_lifecycle_configuration;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput -> DeleteBucketLifecycleOutput = settings::delete_bucket_lifecycle;
}
