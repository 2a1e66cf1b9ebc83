//! Adds the assets of a `cdk synth` output to a local run. `Web.assets.json`, beside
//! `Web.template.json`, says in which bucket the template expects each file, such as the template
//! of a nested stack; `cdk deploy` uploads them first
//! (<https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.cloud_assembly_schema.AssetManifest.html>).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::catalog::partition_of;
use crate::input;
use crate::simulator::ACCOUNT_ID;
use crate::simulator::seed::Seeds;

/// Maximum size of a manifest and of an asset, in bytes. CloudFormation's limit for templates is
/// far lower.
const MAX_FILE: u64 = 16 << 20;

#[derive(Deserialize)]
struct AssetManifest {
    #[serde(default)]
    files: BTreeMap<String, FileAsset>,
}

#[derive(Deserialize)]
struct FileAsset {
    source: FileSource,
    destinations: BTreeMap<String, FileDestination>,
}

#[derive(Deserialize)]
struct FileSource {
    /// The path relative to the manifest; absent if a command creates the file.
    path: Option<String>,
    #[serde(default)]
    packaging: FileAssetPackaging,
}

#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileAssetPackaging {
    #[default]
    File,
    /// A directory as an archive, for functions; the simulator doesn't need its content.
    Zip,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileDestination {
    bucket_name: String,
    object_key: String,
    /// The region; absent if the stack isn't specific to a region.
    region: Option<String>,
}

/// Adds the file assets of a template to the seeds, in the buckets of every region.
///
/// # Errors
/// The template's manifest or a file in it cannot be read; the error says which, and why.
pub(super) fn seed(template: &Path, regions: &[String], seeds: &mut Seeds) -> Result<(), String> {
    let Some(stack) = template
        .to_str()
        .and_then(|path| path.strip_suffix(".template.json"))
    else {
        return Ok(());
    };
    let path = format!("{stack}.assets.json");
    if !input::is_given(Path::new(&path)) {
        return Ok(());
    }
    let text = input::read(Path::new(&path), MAX_FILE)
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    let manifest: AssetManifest = serde_json::from_slice(&text)
        .map_err(|error| format!("{path} is not an asset manifest: {error}"))?;
    let folder = template.parent().unwrap_or(Path::new(""));
    for FileAsset {
        source,
        destinations,
    } in manifest.files.into_values()
    {
        let Some(file) = source
            .path
            .filter(|_| source.packaging == FileAssetPackaging::File)
        else {
            continue;
        };
        let file = folder.join(file);
        let content = input::read(&file, MAX_FILE)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        for destination in destinations.values() {
            for region in regions {
                let region = destination.region.as_deref().unwrap_or(region);
                let bucket = filled(&destination.bucket_name, region);
                seeds.add_bucket(&bucket, region);
                seeds.add_object(
                    &bucket,
                    &filled(&destination.object_key, region),
                    content.clone().into(),
                );
            }
        }
    }
    Ok(())
}

/// Replaces the placeholders in a name.
fn filled(name: &str, region: &str) -> String {
    name.replace("${AWS::AccountId}", ACCOUNT_ID)
        .replace("${AWS::Region}", region)
        .replace("${AWS::Partition}", partition_of(region).name)
}
