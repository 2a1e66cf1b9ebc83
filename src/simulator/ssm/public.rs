//! Public parameters, which AWS and others publish under `/aws/service/`.

use md5::{Digest, Md5};
use serde_json::json;

use crate::simulator::Caller;

/// Returns the value of a public parameter: an AMI ID in the form of AWS's, the same for each call.
pub(super) fn public_parameter(caller: &Caller, name: &str) -> Option<String> {
    let path = name.strip_prefix("/aws/service/")?;
    let ami = || {
        let hash = Md5::digest(format!("{}{name}", caller.region));
        let mut digits = hex::encode(&hash[..9]);
        digits.truncate(17);
        format!("ami-{digits}")
    };
    if is_ami_path(name) {
        return Some(ami());
    }
    // The complete recommendation, which contains `…/image_id`.
    path.ends_with("/recommended").then(|| {
        let image = json!({
            "image_id": ami(),
            "image_name": "simulated",
            "os": "simulated",
            "schema_version": 1,
        });
        image.to_string()
    })
}

/// Returns whether AWS, Canonical, Bottlerocket or the Marketplace publish AMI IDs under the path.
pub(super) fn is_ami_path(name: &str) -> bool {
    let Some(path) = name.strip_prefix("/aws/service/") else {
        return false;
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    matches!(last, "image_id" | "ami-id" | "ami_id")
        || first.starts_with("ami-")
        || first == "marketplace"
        || (first == "canonical" && last.starts_with("ami"))
}
