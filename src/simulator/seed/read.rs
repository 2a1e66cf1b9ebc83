//! Reads a seed file with all files that it names, and reports all errors with their positions.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
#[cfg(test)]
use schemars::Schema;
use walkdir::WalkDir;

use super::super::document::{self, Checker};
use super::super::{s3, ssm};
use super::{SeedFile, Seeds};
use crate::diagnostic::Diagnostic;
use crate::input;
use crate::yaml::{self, Node};

/// The largest file that becomes an object, in bytes. Objects are kept in memory.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The contents of objects, by bucket and key.
#[derive(Debug, Default)]
pub(crate) struct LoadedObjects {
    pub(super) objects: BTreeMap<(String, String), Bytes>,
}

/// Reads a file in YAML or JSON.
///
/// # Errors
/// Returns all errors of the file.
pub(crate) fn read(path: &Path) -> Result<Seeds, Vec<Diagnostic>> {
    let file: Arc<Path> = Arc::from(path);
    let mut loaded = LoadedObjects::default();
    let rules = |checker: &mut Checker, root: &Node| loaded = load(checker, &file, root, "");
    let read: SeedFile = document::read(&file, "the seed file", yaml::read(path), rules)?;
    Ok(Seeds::new(read, loaded))
}

/// Returns the JSON Schema (2020-12) of a seed file.
#[cfg(test)]
pub(crate) fn schema() -> Schema {
    document::published::<SeedFile>("seed")
}

/// Checks what the schema can't express, and reads the files that become objects. `prefix` is the
/// path of the seeds in the file: `seeds.`, or nothing.
pub(crate) fn load(
    checker: &mut Checker,
    file: &Path,
    seeds: &Node,
    prefix: &str,
) -> LoadedObjects {
    let mut loader = SeedLoader {
        checker,
        folder: file.parent().unwrap_or(Path::new("")),
        loaded: LoadedObjects::default(),
    };
    for (index, seed) in list(seeds, "ssm_parameters") {
        loader.ssm_parameter(seed, &format!("{prefix}ssm_parameters[{index}]"));
    }
    for (index, seed) in list(seeds, "secrets") {
        loader.either(
            seed,
            ["value", "keys"],
            &format!("{prefix}secrets[{index}]"),
        );
    }
    for (index, seed) in list(seeds, "buckets") {
        loader.bucket(seed, &format!("{prefix}buckets[{index}]"));
    }
    for (key, name) in [
        ("ssm_parameters", "name"),
        ("secrets", "name"),
        ("buckets", "name"),
        ("exports", "name"),
        ("key_pairs", "name"),
        ("images", "id"),
        ("hosted_zones", "id"),
        ("vpcs", "id"),
    ] {
        loader.refuse_repeated(seeds, key, name, prefix);
    }
    loader.loaded
}

fn list<'n>(node: &'n Node, key: &str) -> impl Iterator<Item = (usize, &'n Node)> {
    let items = node
        .get(key)
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.as_mapping().is_some())
}

struct SeedLoader<'a> {
    checker: &'a mut Checker,
    /// The folder of the seed file.
    folder: &'a Path,
    loaded: LoadedObjects,
}

impl SeedLoader<'_> {
    fn ssm_parameter(&mut self, seed: &Node, path: &str) {
        let Some((node, name)) = seed
            .get("name")
            .and_then(|node| Some((node, node.as_str()?)))
        else {
            return;
        };
        // Only AWS can create these, but those that the simulator lacks can be seeded.
        if name.starts_with("/aws/service/") {
            return;
        }
        if let Err(refusal) = ssm::check_name(name) {
            self.checker.error(
                node.at,
                format!(
                    "`{path}.name` isn't a valid name of an SSM parameter: {}",
                    refusal.message
                ),
                None,
            );
        }
    }

    /// Checks that exactly one of two keys is set, and returns it.
    fn either<'n>(
        &mut self,
        seed: &'n Node,
        keys: [&'static str; 2],
        path: &str,
    ) -> Option<(&'static str, &'n Node)> {
        let [one, other] = keys;
        match (seed.get(one), seed.get(other)) {
            (Some(node), None) => Some((one, node)),
            (None, Some(node)) => Some((other, node)),
            (None, None) => {
                self.checker.error(
                    seed.at,
                    format!("`{path}` lacks `{one}` or `{other}`"),
                    None,
                );
                None
            }
            (Some(_), Some(node)) => {
                self.checker.error(
                    node.at,
                    format!("`{path}` has both `{one}` and `{other}`"),
                    None,
                );
                None
            }
        }
    }

    fn bucket(&mut self, seed: &Node, path: &str) {
        let name = seed
            .get("name")
            .and_then(|node| Some((node, node.as_str()?)));
        if let Some((node, name)) = name.filter(|(_, name)| !s3::is_bucket_name(name)) {
            let help = "expected 3 to 63 lower case letters, digits, dots and dashes";
            self.checker.error(
                node.at,
                format!("`{path}.name` isn't a valid bucket name: {name}"),
                Some(help.to_owned()),
            );
        }
        if let Some(node) = seed.get("account")
            && let Some(account) = node.as_str()
            && !(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            let message =
                format!("`{path}.account` is `{account}`, but must be an account ID of 12 digits");
            self.checker.error(node.at, message, None);
        }
        let bucket = name.map(|(_, name)| name).unwrap_or_default();
        for (index, object) in list(seed, "objects") {
            let path = format!("{path}.objects[{index}]");
            let key = object.get("key").and_then(Node::as_str).unwrap_or_default();
            match self.either(object, ["text", "file"], &path) {
                Some(("text", text)) => {
                    self.take(bucket, key.to_owned(), text.text.to_string().into())
                }
                Some((_, file)) => self.file(bucket, key, file, &format!("{path}.file")),
                None => {}
            }
        }
        for (index, folder) in list(seed, "folders") {
            self.folder(bucket, folder, &format!("{path}.folders[{index}]"));
        }
    }

    fn file(&mut self, bucket: &str, key: &str, node: &Node, path: &str) {
        let Some(name) = node.as_str() else { return };
        match input::read(&self.folder.join(name), MAX_FILE) {
            Ok(content) => self.take(bucket, key.to_owned(), content.into()),
            Err(error) => self.checker.error(
                node.at,
                format!("`{path}`: can't read {name}: {error}"),
                None,
            ),
        }
    }

    /// Reads every file below the folder, except those of version control.
    fn folder(&mut self, bucket: &str, seed: &Node, path: &str) {
        let Some((node, name)) = seed
            .get("path")
            .and_then(|node| Some((node, node.as_str()?)))
        else {
            return;
        };
        let prefix = seed
            .get("prefix")
            .and_then(Node::as_str)
            .unwrap_or_default()
            .trim_end_matches('/');
        let root = self.folder.join(name);
        if !root.is_dir() {
            let message = format!("`{path}.path`: {name} isn't a folder");
            let help = "paths are relative to this file's folder".to_owned();
            return self.checker.error(node.at, message, Some(help));
        }
        let walk = WalkDir::new(&root)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|it| it.file_name() != ".git");
        for entry in walk {
            let read = entry
                .map_err(|error| error.to_string())
                .and_then(|entry| object_of(&root, entry.path()));
            match read {
                Ok(Some((key, content))) => {
                    let key = if prefix.is_empty() {
                        key
                    } else {
                        format!("{prefix}/{key}")
                    };
                    self.take(bucket, key, content);
                }
                Ok(None) => {}
                Err(error) => self
                    .checker
                    .error(node.at, format!("`{path}.path`: {error}"), None),
            }
        }
    }

    fn take(&mut self, bucket: &str, key: String, content: Bytes) {
        self.loaded
            .objects
            .insert((bucket.to_owned(), key), content);
    }

    /// Reports seeds with the same name, unless they are for other regions or accounts.
    fn refuse_repeated(&mut self, seeds: &Node, key: &str, name: &str, prefix: &str) {
        let mut known: HashMap<(String, String, String), usize> = HashMap::new();
        for (index, seed) in list(seeds, key) {
            let Some(node) = seed.get(name).filter(|node| node.as_str().is_some()) else {
                continue;
            };
            let of = |key: &str| {
                seed.get(key)
                    .map(|node| node.to_json().to_string())
                    .unwrap_or_default()
            };
            let identity = (node.text.to_string(), of("regions"), of("accounts"));
            if let Some(first) = known.insert(identity, index) {
                let message = format!(
                    "`{prefix}{key}[{index}].{name}` is `{}`, the same as in \
                     `{prefix}{key}[{first}]`",
                    node.text
                );
                self.checker.error(node.at, message, None);
            }
        }
    }
}

/// Returns the key and the content of a file below a folder; none for anything but a file.
fn object_of(root: &Path, path: &Path) -> Result<Option<(String, Bytes)>, String> {
    if path.is_dir() {
        return Ok(None);
    }
    let relative = path.strip_prefix(root).unwrap_or(path);
    let Some(key) = relative.to_str() else {
        return Err(format!("the name of {} isn't valid UTF-8", path.display()));
    };
    match input::read(path, MAX_FILE) {
        Ok(content) => Ok(Some((key.replace('\\', "/"), content.into()))),
        Err(error) => Err(format!("can't read {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_SCHEMAS=1 cargo test --lib seed` regenerates the file.
    #[test]
    fn the_published_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/seed.schema.json");
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), current);
    }

    /// Reads a file `s.yml` that is beside the file `a.txt` and the folder `d`.
    fn read_text(text: &str) -> Result<Seeds, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("d/e")).unwrap();
        for (name, text) in [
            ("s.yml", text),
            ("a.txt", "a"),
            ("d/b.txt", "b"),
            ("d/e/c.txt", "c"),
        ] {
            std::fs::write(path(name), text).unwrap();
        }
        let root = format!("{}/", folder.path().display());
        let said = |all: Vec<Diagnostic>| {
            all.iter()
                .map(|it| it.to_string().replace(&root, ""))
                .collect()
        };
        read(&path("s.yml")).map_err(said)
    }

    #[test]
    fn every_error_is_reported_with_its_position() {
        let check = |text: &str, expect: &[&str]| {
            let said = read_text(text).map(|_| ()).unwrap_err();
            assert_eq!(said, expect, "{text}");
        };
        check(
            "[]",
            &["s.yml:1:1: the seed file is a list, but must be a mapping"],
        );
        check(
            "ssm_parameter: []\nsecrets: {a: b}",
            &[
                "s.yml:1:1: the seed file has no key `ssm_parameter` (did you mean \
                 `ssm_parameters`?)",
                "s.yml:2:10: `secrets` is a mapping, but must be a list",
            ],
        );
        check(
            "ssm_parameters:\n- {name: /a, value: 5}\n- {name: no/slash, value: x, type: Text}\n- \
             {value: x}\n- {name: /a, value: y}",
            &[
                "s.yml:2:21: `ssm_parameters[0].value` is a whole number, but must be text (write \
                 it in quotes: \"5\")",
                "s.yml:3:10: `ssm_parameters[1].name` isn't a valid name of an SSM parameter: \
                 Parameter name must be a fully qualified name.",
                "s.yml:3:36: `ssm_parameters[1].type` is `Text`, but must be one of String, \
                 StringList, SecureString",
                "s.yml:4:3: `ssm_parameters[2]` lacks `name`",
                "s.yml:5:10: `ssm_parameters[3].name` is `/a`, the same as in `ssm_parameters[0]`",
            ],
        );
        check(
            "secrets: [{name: a}, {name: b, value: x, keys: {c: d}}]\nbuckets:\n- name: Big\n  \
             account: '12'\n  objects: \
             [{key: k}, {key: l, file: gone.txt}]\n  folders: [{path: gone}]\nvpcs: [{id: vpc-1, \
             is_default: 1}]",
            &[
                "s.yml:1:11: `secrets[0]` lacks `value` or `keys`",
                "s.yml:1:48: `secrets[1]` has both `value` and `keys`",
                "s.yml:3:9: `buckets[0].name` isn't a valid bucket name: Big (expected 3 to 63 \
                 lower case letters, digits, dots and dashes)",
                "s.yml:4:12: `buckets[0].account` is `12`, but must be an account ID of 12 digits",
                "s.yml:5:13: `buckets[0].objects[0]` lacks `text` or `file`",
                "s.yml:5:38: `buckets[0].objects[1].file`: can't read gone.txt: no such file",
                "s.yml:6:20: `buckets[0].folders[0].path`: gone isn't a folder (paths are relative \
                 to this file's folder)",
                "s.yml:7:32: `vpcs[0].is_default` is a whole number, but must be true or false",
            ],
        );
    }

    #[test]
    fn files_and_folders_become_objects() {
        let seeds = read_text(
            "buckets:\n- {name: one, objects: [{key: k, text: x}, {key: l, file: a.txt}]}\n- name: \
             two\n  folders: [{path: \
             d}, {path: d/e, prefix: p/}]",
        );
        let seeds = seeds.unwrap();
        let found = seeds.objects.iter().map(|((bucket, key), content)| {
            format!("{bucket}/{key}={}", String::from_utf8_lossy(content))
        });
        let found: Vec<_> = found.collect();
        assert_eq!(
            found,
            [
                "one/k=x",
                "one/l=a",
                "two/b.txt=b",
                "two/e/c.txt=c",
                "two/p/c.txt=c"
            ]
        );
    }

    #[test]
    fn names_may_repeat_across_regions() {
        let text =
            "exports: [{name: a, value: x, regions: [us-*]}, {name: a, value: y, regions: [eu-*]}]";
        assert!(read_text(text).is_ok());
    }
}
