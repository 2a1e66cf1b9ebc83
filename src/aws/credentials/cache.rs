//! Files of open sessions below `~/.aws`, as the AWS CLI names and writes them.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tempfile::NamedTempFile;

/// Returns the name of a file: a hash in hexadecimal.
pub(super) fn name(hash: impl AsRef<[u8]>) -> String {
    format!("{}.json", hex::encode(hash))
}

/// Writes a session for the user alone. One that can't be written costs another login, and no more.
pub(super) fn write(path: &Path, session: &Value) {
    let Some(folder) = path.parent() else { return };
    let written = fs::create_dir_all(folder).and_then(|()| {
        // A new file of `tempfile` has the mode 600.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(session.to_string().as_bytes())?;
        file.persist(path).map_err(|error| error.error)
    });
    if let Err(error) = written {
        tracing::debug!("{}: {error}", path.display());
    }
}
