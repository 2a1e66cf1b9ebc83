//! Packages a Lambda with a `requirements.txt`: installs its packages into a copy of it, and packs
//! that.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::source::LambdaSource;
use super::{BuildResult, PackageError, archive, blocking, tree};
use crate::process::{self, last_lines};

/// Replaces `python3 -m pip`, which would import modules of the Lambda instead of Python's own,
/// since the current folder is first in its search path.
const PIP_OF_PYTHON: &str = "import sys; sys.path[:] = [folder for folder in sys.path if folder]; \
    import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)";

pub(super) async fn build(
    lambda: &LambdaSource,
    programs: Option<&OsStr>,
    stop: &CancellationToken,
) -> Result<BuildResult, PackageError> {
    let of_copy = lambda.clone();
    let stop_copy = stop.clone();
    let (copy, mut warnings) = blocking(move || {
        let copy = tree::temporary()?;
        let tree = tree::list(&of_copy.source, &of_copy.skip, Some(&of_copy.bounds))?;
        tree::copy(&tree, copy.path(), &stop_copy)?;
        Ok((copy, tree.warnings))
    })
    .await?;
    install(lambda, &copy, programs).await?;
    let archive = lambda.archive.clone();
    let stop = stop.clone();
    let packed = blocking(move || {
        forget_where(copy.path())?;
        archive::write(copy.path(), &[], None, &archive, &stop)
    });
    let packed = packed.await?;
    warnings.extend(packed.warnings);
    Ok(BuildResult {
        changed: packed.changed,
        warnings,
    })
}

/// Runs the first pip that exists.
async fn install(
    lambda: &LambdaSource,
    copy: &TempDir,
    programs: Option<&OsStr>,
) -> Result<(), PackageError> {
    for (program, first) in [
        ("pip3", &[][..]),
        ("pip", &[]),
        ("python3", &["-c", PIP_OF_PYTHON]),
    ] {
        let mut command = process::command(program, programs);
        command.current_dir(copy.path()).args(first);
        command.args([
            "install",
            "--no-input",
            "--no-color",
            "--disable-pip-version-check",
            "--upgrade",
        ]);
        // Compiled modules contain the modification time of their sources, which differs in each
        // build and isn't kept in an archive: Python wouldn't use them.
        command
            .arg("--no-compile")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
            .arg("--requirement")
            .arg(copy.path().join("requirements.txt"))
            .arg("--target")
            .arg(copy.path());
        return match process::run(command, Vec::new(), super::BUILD_LIMIT).await {
            Ok(finished) if finished.end.is_success() => Ok(()),
            Ok(finished) => Err(PackageError::Failed {
                lambda: lambda.name.clone(),
                program: if first.is_empty() {
                    format!("{program} install")
                } else {
                    "python3 -m pip install".into()
                },
                end: finished.end,
                output: last_lines(&finished.output.text(), 20),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(PackageError::Start {
                lambda: lambda.name.clone(),
                program: program.into(),
                error,
            }),
        };
    }
    Err(PackageError::PipMissing {
        lambda: lambda.name.clone(),
    })
}

/// Removes `direct_url.json` (PEP 610), where pip records the origin of a local package: here a
/// temporary folder, whose name differs in each build and means nothing in a Lambda.
fn forget_where(folder: &Path) -> Result<(), PackageError> {
    let not_read = |error| PackageError::Read {
        path: folder.to_owned(),
        error,
    };
    for entry in fs::read_dir(folder).map_err(not_read)? {
        let info = entry.map_err(not_read)?.path();
        let note = info.join("direct_url.json");
        if info.extension() != Some(OsStr::new("dist-info")) || !is_about_a_file(&note) {
            continue;
        }
        fs::remove_file(&note).map_err(|error| PackageError::Write { path: note, error })?;
        let record = info.join("RECORD");
        if let (Ok(lines), Some(name)) = (
            fs::read_to_string(&record),
            info.file_name().and_then(OsStr::to_str),
        ) {
            let noted = format!("{name}/direct_url.json,");
            let kept: String = lines
                .split_inclusive('\n')
                .filter(|line| !line.starts_with(&noted))
                .collect();
            fs::write(&record, kept).map_err(|error| PackageError::Write {
                path: record,
                error,
            })?;
        }
    }
    Ok(())
}

fn is_about_a_file(note: &Path) -> bool {
    let note = fs::read(note)
        .ok()
        .and_then(|note| serde_json::from_slice::<serde_json::Value>(&note).ok());
    let url = note
        .as_ref()
        .and_then(|note| note.get("url"))
        .and_then(serde_json::Value::as_str);
    url.is_some_and(|url| url.starts_with("file:"))
}
