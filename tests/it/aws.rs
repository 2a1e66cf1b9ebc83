//! What tests put on a server and find there, by AWS's SDK itself and never with the code under
//! test.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudformation::types::{ChangeSetType, StackStatus};
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, Tagging,
};
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use zip::ZipArchive;

/// A server's clients.
pub struct Aws {
    endpoint: String,
}

impl Aws {
    pub fn at(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
        }
    }

    fn config(&self, region: &str, key: &str) -> SdkConfig {
        let keys = Credentials::new(key, "testing", None, None, "tests");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    fn cloudformation(&self, region: &str) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config(region, "testing"))
    }

    fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        self.s3_of(region, "testing")
    }

    fn s3_of(&self, region: &str, key: &str) -> aws_sdk_s3::Client {
        // The other servers know neither bucket host names nor trailing checksums.
        let config = aws_sdk_s3::config::Builder::from(&self.config(region, key))
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// The stacks of a region that are not deleted, nested ones included.
    pub async fn stacks(&self, region: &str) -> Vec<Value> {
        let pages = self
            .cloudformation(region)
            .describe_stacks()
            .into_paginator()
            .items()
            .send();
        let stacks: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
        let existing = stacks
            .iter()
            .filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete));
        let described = existing.map(|stack| {
            json!({
                "region": region,
                "name": stack.stack_name(),
                "status": stack.stack_status().map(StackStatus::as_str),
                "parent": stack.parent_id(),
                "parameters": object(stack.parameters(), |it| (it.parameter_key(), it.parameter_value())),
                "tags": object(stack.tags(), |it| (it.key(), it.value())),
                "outputs": object(stack.outputs(), |it| (it.output_key(), it.output_value())),
            })
        });
        described.collect()
    }

    /// All buckets by name.
    pub async fn buckets(&self) -> BTreeMap<String, Value> {
        let mut buckets = BTreeMap::new();
        for bucket in self
            .s3("us-east-1")
            .list_buckets()
            .send()
            .await
            .unwrap()
            .buckets()
        {
            let name = bucket.name().unwrap();
            buckets.insert(name.to_owned(), self.bucket(name).await);
        }
        buckets
    }

    async fn region_of(&self, bucket: &str) -> String {
        let location = self
            .s3("us-east-1")
            .get_bucket_location()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
        let region = location
            .location_constraint()
            .map_or("us-east-1", BucketLocationConstraint::as_str);
        if region.is_empty() {
            "us-east-1".to_owned()
        } else {
            region.to_owned()
        }
    }

    async fn bucket(&self, name: &str) -> Value {
        let region = self.region_of(name).await;
        let s3 = self.s3(&region);
        let mut objects = Map::new();
        let pages = s3.list_objects_v2().bucket(name).into_paginator().send();
        for page in pages.collect::<Result<Vec<_>, _>>().await.unwrap() {
            for key in page.contents().iter().filter_map(|it| it.key()) {
                let object = s3.get_object().bucket(name).key(key).send().await.unwrap();
                let body = object.body.collect().await.unwrap().into_bytes();
                let md5: String = Md5::digest(&body)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                objects.insert(key.to_owned(), json!({ "md5": md5, "size": body.len() }));
            }
        }
        let tags = if_set(s3.get_bucket_tagging().bucket(name).send().await);
        let policy =
            if_set(s3.get_bucket_policy().bucket(name).send().await).and_then(|it| it.policy);
        let block = if_set(s3.get_public_access_block().bucket(name).send().await);
        let block = block
            .and_then(|it| it.public_access_block_configuration)
            .map(|it| {
                json!({
                    "BlockPublicAcls": it.block_public_acls,
                    "IgnorePublicAcls": it.ignore_public_acls,
                    "BlockPublicPolicy": it.block_public_policy,
                    "RestrictPublicBuckets": it.restrict_public_buckets,
                })
            });
        json!({
            "region": region,
            "tags": tags.map(|it| object(it.tag_set(), |tag| (Some(tag.key()), Some(tag.value())))).unwrap_or_default(),
            "policy": policy.map(|policy| serde_json::from_str::<Value>(&policy).unwrap()),
            "public_access_block": block,
            "objects": objects,
        })
    }

    /// Puts something there, or asks for it; the first word says what.
    pub async fn put(&self, what: &[&str]) -> Value {
        match *what {
            ["bucket", name, region, ref tags @ ..] => {
                create_bucket(&self.s3(region), name, region).await;
                if !tags.is_empty() {
                    tag_bucket(&self.s3(region), name, tags).await;
                }
            }
            ["foreign-bucket", name, region, account] => {
                create_bucket(&self.s3_of(region, account), name, region).await;
            }
            ["kms-bucket", name, region] => {
                create_bucket(&self.s3(region), name, region).await;
                encrypt_bucket(&self.s3(region), name).await;
            }
            ["bucket-tag", name, key, value] => {
                tag_bucket(
                    &self.s3(&self.region_of(name).await),
                    name,
                    &[&format!("{key}={value}")],
                )
                .await;
            }
            ["object", bucket, key, text] => {
                let body = text.to_owned().into_bytes().into();
                self.s3(&self.region_of(bucket).await)
                    .put_object()
                    .bucket(bucket)
                    .key(key)
                    .body(body)
                    .send()
                    .await
                    .unwrap();
            }
            ["archive", bucket, key] => return self.archive(bucket, key).await,
            ["removed", bucket, key] => {
                self.s3(&self.region_of(bucket).await)
                    .delete_object()
                    .bucket(bucket)
                    .key(key)
                    .send()
                    .await
                    .unwrap();
            }
            ["versioning", bucket, status] => {
                let configuration = aws_sdk_s3::types::VersioningConfiguration::builder()
                    .status(BucketVersioningStatus::from(status))
                    .build();
                let call = self
                    .s3(&self.region_of(bucket).await)
                    .put_bucket_versioning()
                    .bucket(bucket);
                call.versioning_configuration(configuration)
                    .send()
                    .await
                    .unwrap();
            }
            ["parameter", region, name, value] => {
                let ssm = aws_sdk_ssm::Client::new(&self.config(region, "testing"));
                let call = ssm
                    .put_parameter()
                    .name(name)
                    .value(value)
                    .r#type(ParameterType::SecureString);
                call.send().await.unwrap();
            }
            ["secret", region, name, value] => {
                let secrets = aws_sdk_secretsmanager::Client::new(&self.config(region, "testing"));
                secrets
                    .create_secret()
                    .name(name)
                    .secret_string(value)
                    .send()
                    .await
                    .unwrap();
            }
            ["stack", name, region, ref tags @ ..] => {
                let template = r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}"#;
                self.create_stack(region, name, template, tags).await;
            }
            ["template-stack", region, name, template, ref tags @ ..] => {
                self.create_stack(region, name, template, tags).await;
            }
            ["change-set", region, stack, name, template, ref tags @ ..] => {
                let call = self
                    .cloudformation(region)
                    .create_change_set()
                    .stack_name(stack)
                    .change_set_name(name);
                let call = call
                    .change_set_type(ChangeSetType::Create)
                    .template_body(template);
                call.set_tags(Some(stack_tags(tags))).send().await.unwrap();
            }
            ["no-change-set", region, stack, name] => {
                let call = self
                    .cloudformation(region)
                    .delete_change_set()
                    .stack_name(stack)
                    .change_set_name(name);
                call.send().await.unwrap();
            }
            ["change-sets", region, stack] => {
                let found = self
                    .cloudformation(region)
                    .list_change_sets()
                    .stack_name(stack)
                    .send()
                    .await
                    .unwrap();
                return found
                    .summaries()
                    .iter()
                    .filter_map(|it| it.change_set_name())
                    .collect();
            }
            ["protected", region, stack] => {
                let call = self
                    .cloudformation(region)
                    .update_termination_protection()
                    .stack_name(stack);
                call.enable_termination_protection(true)
                    .send()
                    .await
                    .unwrap();
            }
            _ => panic!("nothing is put as {what:?}"),
        }
        Value::Null
    }

    /// The files of a zip archive in a bucket, by name.
    async fn archive(&self, bucket: &str, key: &str) -> Value {
        let s3 = self.s3(&self.region_of(bucket).await);
        let found = s3.get_object().bucket(bucket).key(key).send().await;
        let bytes = found.unwrap().body.collect().await.unwrap().into_bytes();
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let files = (0..archive.len()).map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), Value::String(text))
        });
        Value::Object(files.collect())
    }

    async fn create_stack(&self, region: &str, name: &str, template: &str, tags: &[&str]) {
        let cloudformation = self.cloudformation(region);
        let call = cloudformation
            .create_stack()
            .stack_name(name)
            .template_body(template);
        call.set_tags(Some(stack_tags(tags))).send().await.unwrap();
        loop {
            let found = cloudformation
                .describe_stacks()
                .stack_name(name)
                .send()
                .await
                .unwrap();
            match found.stacks()[0].stack_status() {
                Some(StackStatus::CreateComplete | StackStatus::RollbackComplete) => break,
                Some(StackStatus::CreateInProgress | StackStatus::RollbackInProgress) => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                other => panic!("{name} is {other:?}"),
            }
        }
    }
}

async fn create_bucket(s3: &aws_sdk_s3::Client, name: &str, region: &str) {
    let constraint = BucketLocationConstraint::from(region);
    let configuration = CreateBucketConfiguration::builder()
        .location_constraint(constraint)
        .build();
    let configuration = Some(configuration).filter(|_| region != "us-east-1");
    s3.create_bucket()
        .bucket(name)
        .set_create_bucket_configuration(configuration)
        .send()
        .await
        .unwrap();
}

/// With keys of KMS, so that the ETags of objects are no checksums.
async fn encrypt_bucket(s3: &aws_sdk_s3::Client, name: &str) {
    let by_default =
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let by_default = by_default.build().unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    s3.put_bucket_encryption()
        .bucket(name)
        .server_side_encryption_configuration(configuration)
        .send()
        .await
        .unwrap();
}

async fn tag_bucket(s3: &aws_sdk_s3::Client, name: &str, tags: &[&str]) {
    let tag = |(key, value)| {
        aws_sdk_s3::types::Tag::builder()
            .key(key)
            .value(value)
            .build()
            .unwrap()
    };
    let tags = tags
        .iter()
        .filter_map(|it| it.split_once('='))
        .map(tag)
        .collect();
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
    s3.put_bucket_tagging()
        .bucket(name)
        .tagging(tagging)
        .send()
        .await
        .unwrap();
}

/// From `KEY=VALUE`.
fn stack_tags(tags: &[&str]) -> Vec<aws_sdk_cloudformation::types::Tag> {
    let tag = |(key, value)| {
        aws_sdk_cloudformation::types::Tag::builder()
            .key(key)
            .value(value)
            .build()
    };
    tags.iter()
        .filter_map(|it| it.split_once('='))
        .map(tag)
        .collect()
}

fn object<'a, T>(
    items: &'a [T],
    pair: impl Fn(&'a T) -> (Option<&'a str>, Option<&'a str>),
) -> Value {
    let pairs = items.iter().map(pair);
    Value::Object(
        pairs
            .map(|(key, value)| (key.unwrap_or_default().to_owned(), value.into()))
            .collect(),
    )
}

/// What a question about a bucket finds; `None` where nothing was ever set.
fn if_set<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, E>) -> Option<T> {
    match answer {
        Err(error) if error.code().is_some_and(|code| code.starts_with("NoSuch")) => None,
        answer => Some(answer.unwrap()),
    }
}
