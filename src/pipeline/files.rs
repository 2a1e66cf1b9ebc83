//! The files of a pipeline, put together in a temporary folder.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{OWN_PARAMETERS, Programs};
use crate::template::Templates;

/// Name of the template's file.
pub(super) const TEMPLATE: &str = "pipeline.yaml";
/// Text of the template.
pub(super) const TEXT: &str = include_str!("../../pipeline/pipeline.yaml");

const FILES: [(&str, &str); 6] = [
    (TEMPLATE, TEXT),
    (
        "buildspec.changes.yml",
        include_str!("../../pipeline/buildspec.changes.yml"),
    ),
    (
        "buildspec.prune.yml",
        include_str!("../../pipeline/buildspec.prune.yml"),
    ),
    (
        "buildspec.test.yml",
        include_str!("../../pipeline/buildspec.test.yml"),
    ),
    (
        "buildspec.sync.yml",
        include_str!("../../pipeline/buildspec.sync.yml"),
    ),
    (
        "submodules.sh",
        include_str!("../../pipeline/submodules.sh"),
    ),
];

/// Returns the prefix of every folder with programs of the pipeline, in any bucket.
pub(crate) fn program_prefix(name: &str) -> String {
    format!("{name}-tools-")
}

/// A folder with the template, what its stages run, and the programs, which is deleted when this is
/// dropped.
pub(crate) struct PipelineFiles {
    folder: TempDir,
    templates: Templates,
    version: String,
    architecture: &'static str,
}

impl PipelineFiles {
    /// Writes the files for the pipeline of that name, and copies the programs.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub(crate) fn assemble(name: &str, programs: &Programs) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("taskcat-pipeline-")
            .tempdir()?;
        let mut hash = Sha256::new();
        for (file, text) in FILES {
            fs::write(folder.path().join(file), text)?;
            hash.update(text);
        }
        for (file, program) in programs.files() {
            let program = fs::read(program)?;
            hash.update(&program);
            fs::write(folder.path().join(file), program)?;
        }
        let start = hex::encode(&hash.finalize()[..6]);
        let (templates, _) = Templates::load(folder.path(), [(TEMPLATE.to_owned(), None)]);
        Ok(Self {
            folder,
            templates,
            version: format!("{}{start}", program_prefix(name)),
            architecture: programs.architecture,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the name of the folder in the bucket. It depends on the content, so that
    /// CloudFormation sees when a program has changed, and on the pipeline's name, so that
    /// pipelines can share a bucket.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Returns names and values of [`OWN_PARAMETERS`].
    pub(crate) fn own_parameters(&self) -> [(String, String); 2] {
        let [prefix, architecture] = OWN_PARAMETERS.map(str::to_owned);
        [
            (prefix, format!("{}/", self.version)),
            (architecture, self.architecture.to_owned()),
        ]
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }
}
