//! Key pairs that were created by calls or by stacks, or are seeded.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use uuid::Uuid;

use super::inventory::{Ec2Item, ListingKind, named_by_filter, show};
use crate::simulator::cloudformation::XmlResult;
use crate::simulator::error::ServiceError;
use crate::simulator::query::parameter;
use crate::simulator::xml::XmlWriter;
use crate::simulator::{Caller, Cloud, lock};

/// Key pairs that were created by calls, with their IDs.
#[derive(Debug, Default)]
pub(crate) struct KeyPairs(Mutex<BTreeMap<(Caller, String), String>>);

const KEY_PAIRS: ListingKind = ListingKind {
    set: "keySet",
    ids: "KeyName",
    missing: ("InvalidKeyPair.NotFound", "key pair"),
    absent: &[],
};

impl KeyPairs {
    /// Returns whether a call has created the key pair.
    pub(crate) fn has(&self, caller: &Caller, name: &str) -> bool {
        lock(&self.0).contains_key(&(caller.clone(), name.to_owned()))
    }

    fn of(&self, caller: &Caller) -> Vec<(String, String)> {
        let all = lock(&self.0);
        all.iter()
            .filter(|((owner, _), _)| owner == caller)
            .map(|((_, name), id)| (name.clone(), id.clone()))
            .collect()
    }
}

/// Carries out `DescribeKeyPairs`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeKeyPairs.html>
pub(super) fn describe(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
) -> XmlResult {
    let mut items = all(cloud, caller);
    if cloud.seeds.key_pairs(caller).is_none() {
        let named = named_by_filter("key-name", parameters, &items)?.into_iter();
        items.extend(named.map(|name| {
            let id = id_of(&name);
            item((name, id))
        }));
    }
    show(&KEY_PAIRS, items, parameters)
}

fn all(cloud: &Cloud, caller: &Caller) -> Vec<Ec2Item> {
    let seeded = cloud
        .seeds
        .key_pairs(caller)
        .into_iter()
        .flatten()
        .map(|it| (it.name.clone(), id_of(&it.name)));
    let stacks = cloud
        .cloudformation
        .resources(cloud, caller, "AWS::EC2::KeyPair")
        .into_iter();
    let created = stacks.map(|(name, _)| (name.clone(), id_of(&name)));
    seeded
        .chain(created)
        .chain(cloud.key_pairs.of(caller))
        .map(item)
        .collect()
}

fn item((name, id): (String, String)) -> Ec2Item {
    Ec2Item {
        fields: vec![
            ("keyName", "key-name", name.clone()),
            ("keyPairId", "key-pair-id", id),
            ("keyFingerprint", "fingerprint", fingerprint(&name)),
            ("keyType", "key-type", "rsa".to_owned()),
        ],
        tags: Vec::new(),
    }
}

/// Carries out `CreateKeyPair` and `ImportKeyPair`, which returns no key.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html>
pub(super) fn create(
    cloud: &Cloud,
    caller: &Caller,
    parameters: &[(String, String)],
    is_imported: bool,
) -> XmlResult {
    let name = required(parameters)?;
    let is_taken = all(cloud, caller)
        .iter()
        .any(|it| it.fields.first().is_some_and(|field| field.2 == name));
    if is_taken {
        return Err(ServiceError::new(
            400,
            "InvalidKeyPair.Duplicate",
            "The keypair already exists",
        ));
    }
    let id = id_of(name);
    lock(&cloud.key_pairs.0).insert((caller.clone(), name.to_owned()), id.clone());
    let mut xml = XmlWriter::new();
    xml.text("keyName", name)
        .text("keyFingerprint", fingerprint(name))
        .text("keyPairId", id);
    if !is_imported {
        // The key isn't a real one, since there is nothing to log in to.
        let material = BASE64_STANDARD.encode(format!("simulated {}", Uuid::new_v4()));
        xml.text(
            "keyMaterial",
            format!("-----BEGIN RSA PRIVATE KEY-----\n{material}\n-----END RSA PRIVATE KEY-----"),
        );
    }
    Ok(xml.finish())
}

/// Carries out `DeleteKeyPair`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteKeyPair.html>
pub(super) fn delete(cloud: &Cloud, caller: &Caller, parameters: &[(String, String)]) -> XmlResult {
    lock(&cloud.key_pairs.0).remove(&(caller.clone(), required(parameters)?.to_owned()));
    let mut xml = XmlWriter::new();
    xml.text("return", true);
    Ok(xml.finish())
}

fn required(parameters: &[(String, String)]) -> Result<&str, ServiceError> {
    let missing = || {
        ServiceError::new(
            400,
            "MissingParameter",
            "The request must contain the parameter KeyName",
        )
    };
    parameter(parameters, "KeyName")
        .filter(|name| !name.is_empty())
        .ok_or_else(missing)
}

fn id_of(name: &str) -> String {
    format!("key-0{}", hex::encode(&Md5::digest(name)[..8]))
}

fn fingerprint(name: &str) -> String {
    let bytes = Md5::digest(name);
    bytes
        .chunks(1)
        .map(hex::encode)
        .collect::<Vec<_>>()
        .join(":")
}
