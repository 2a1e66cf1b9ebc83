//! The archive with the pipeline's configuration, which its source stage reads.

use std::io::{self, Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The key of the configuration in the pipeline's bucket.
pub(crate) const CONFIGURATION: &str = "configuration.zip";

/// Packs `taskcat.yml`, the configuration of the tests, and `production.json`, the parameters and
/// tags of the production stack.
pub(crate) fn archive(taskcat: &str, production: &str) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("taskcat.yml", taskcat), ("production.json", production)] {
        archive.start_file(name, SimpleFileOptions::default())?;
        archive.write_all(text.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}
