//! Packages a Lambda with a `Dockerfile`: builds and runs the image, and copies its `/output`.
//!
//! Like TaskCat's `_docker_build` and `_docker_extract`, with the command line of a container
//! engine, which finds the engine by its own settings (contexts, `DOCKER_HOST`). docker, podman,
//! finch and nerdctl take the same arguments for this.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;
use walkdir::WalkDir;

use super::source::LambdaSource;
use super::{BuildResult, PackageError, archive, blocking, tree};
use crate::input;
use crate::links::ProjectBoundary;
use crate::os;
use crate::process::{self, ExitReason, FinishedProcess, last_lines};

/// The programs that are looked for, in this order.
const KNOWN: [&str; 4] = ["docker", "podman", "finch", "nerdctl"];

/// Time limit for the question whether an engine works.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// The command line of a container engine. It is searched for once, when the first image is built.
pub(super) struct ContainerCli<'a> {
    named: Option<&'a OsStr>,
    /// Replaces PATH.
    pub programs: Option<&'a OsStr>,
    found: OnceCell<Option<OsString>>,
}

impl<'a> ContainerCli<'a> {
    pub(super) fn new(named: Option<&'a OsStr>, programs: Option<&'a OsStr>) -> Self {
        Self {
            named,
            programs,
            found: OnceCell::new(),
        }
    }

    /// Returns the named program, or the first one whose engine answers. If none does, the first
    /// one that exists: its errors say why.
    async fn program(&self) -> Option<OsString> {
        if let Some(named) = self.named {
            return Some(named.to_owned());
        }
        self.found.get_or_init(|| self.search()).await.clone()
    }

    /// Returns the program, and whether its engine answers.
    pub(super) async fn probe(&self) -> Option<(OsString, bool)> {
        let program = self.program().await?;
        let mut command = process::command(&program, self.programs);
        command.arg("version");
        let finished = process::run(command, Vec::new(), PROBE_LIMIT).await;
        let answers = finished.is_ok_and(|it| it.end.is_success());
        Some((program, answers))
    }

    async fn search(&self) -> Option<OsString> {
        let mut first = None;
        for name in KNOWN {
            let mut command = process::command(name, self.programs);
            command.arg("version");
            match process::run(command, Vec::new(), PROBE_LIMIT).await {
                Ok(finished) if finished.end.is_success() => return Some(name.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => first = first.or(Some(name)),
            }
        }
        first.map(OsString::from)
    }
}

pub(super) async fn build(
    lambda: &LambdaSource,
    cli: &ContainerCli<'_>,
) -> Result<BuildResult, PackageError> {
    let Some(program) = cli.program().await else {
        return Err(PackageError::EngineMissing {
            lambda: lambda.name.clone(),
        });
    };
    let tag = tag(&lambda.source);
    let engine = ContainerEngine {
        lambda,
        program: &program,
        programs: cli.programs,
    };
    let file = lambda.source.join("Dockerfile");
    engine
        .run(&[
            OsStr::new("build"),
            OsStr::new("--tag"),
            OsStr::new(&tag),
            OsStr::new("--file"),
            file.as_os_str(),
            lambda.source.as_os_str(),
        ])
        .await?;
    let container = format!("{tag}-{}", Uuid::new_v4().simple());
    let mut removal = ContainerGuard {
        container: &container,
        program: &program,
        programs: cli.programs,
        is_due: true,
    };
    let taken = take_output(&engine, &tag, &container).await;
    let removed = engine
        .run(
            ["rm", "--force", "--volumes", &container]
                .map(OsStr::new)
                .as_slice(),
        )
        .await;
    removal.is_due = false;
    let output = taken?;
    let placed = lambda.clone();
    let mut built = blocking(move || {
        place(
            &placed.name,
            output.path(),
            &placed.archive,
            Some(&placed.bounds),
        )
    })
    .await?;
    if let Err(error) = removed {
        built.warnings.push(format!(
            "the container {container} was not deleted: {error}"
        ));
    }
    Ok(built)
}

/// Returns the tag that TaskCat gives the image of a folder, so that its layers are reused.
fn tag(source: &Path) -> String {
    let path = source.as_os_str().as_encoded_bytes();
    format!(
        "taskcat-build-{}",
        Uuid::new_v5(&Uuid::nil(), path).simple()
    )
}

/// Runs the image to its end, and copies its `/output` to a temporary folder.
async fn take_output(
    engine: &ContainerEngine<'_>,
    tag: &str,
    container: &str,
) -> Result<TempDir, PackageError> {
    engine
        .run(["run", "--name", container, tag].map(OsStr::new).as_slice())
        .await?;
    let output = tree::temporary()?;
    let from = format!("{container}:/output/.");
    engine
        .run(&[
            OsStr::new("cp"),
            OsStr::new(&from),
            output.path().as_os_str(),
        ])
        .await?;
    Ok(output)
}

struct ContainerEngine<'a> {
    lambda: &'a LambdaSource,
    program: &'a OsStr,
    programs: Option<&'a OsStr>,
}

impl ContainerEngine<'_> {
    async fn run(&self, arguments: &[&OsStr]) -> Result<FinishedProcess, PackageError> {
        let lambda = || self.lambda.name.clone();
        let mut command = process::command(self.program, self.programs);
        command.args(arguments);
        let finished = match process::run(command, Vec::new(), super::BUILD_LIMIT).await {
            Ok(finished) => finished,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PackageError::ProgramMissing {
                    lambda: lambda(),
                    program: self.program.to_string_lossy().into_owned(),
                });
            }
            Err(error) => {
                return Err(PackageError::Start {
                    lambda: lambda(),
                    program: self.program.to_string_lossy().into_owned(),
                    error,
                });
            }
        };
        if finished.end == ExitReason::Exited(0) {
            return Ok(finished);
        }
        let verb = arguments
            .first()
            .map(|verb| verb.to_string_lossy())
            .unwrap_or_default();
        let program = format!("{} {verb}", self.program.to_string_lossy());
        let output = last_lines(&finished.output.text(), 20);
        Err(PackageError::Failed {
            lambda: lambda(),
            program,
            end: finished.end,
            output,
        })
    }
}

/// Removes the container when the build is cancelled. The removal can't be awaited; the engine
/// finishes it by itself.
struct ContainerGuard<'a> {
    container: &'a str,
    program: &'a OsStr,
    programs: Option<&'a OsStr>,
    is_due: bool,
}

impl Drop for ContainerGuard<'_> {
    fn drop(&mut self) {
        if !self.is_due {
            return;
        }
        let mut command = process::command(self.program, self.programs).into_std();
        command
            .args(["rm", "--force", "--volumes", self.container])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        os::in_own_group(&mut command);
        if let Ok(mut child) = command.spawn() {
            std::thread::spawn(move || child.wait());
        }
    }
}

/// Copies the container's output files to the folder of `lambda.zip`.
fn place(
    lambda: &str,
    output: &Path,
    archive: &Path,
    bounds: Option<&ProjectBoundary>,
) -> Result<BuildResult, PackageError> {
    let mut built = BuildResult::default();
    let folder = archive.parent().unwrap_or(archive);
    let mut files = 0;
    // Links aren't followed: one in the container may point to anything on this machine.
    for entry in WalkDir::new(output).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| PackageError::Read {
            path: output.to_owned(),
            error: error.into(),
        })?;
        let below = entry.path().strip_prefix(output).unwrap_or(entry.path());
        if entry.file_type().is_file() {
            files += 1;
            let to = folder.join(below);
            if let (Some(bounds), Some(folder)) = (bounds, to.parent()) {
                bounds.check_writable(folder)?;
            }
            let changed = place_file(entry.path(), &to)?;
            if to == archive {
                built.changed = Some(changed);
            }
        } else if !entry.file_type().is_dir() {
            built.warnings.push(format!(
                "{lambda}: /output/{} is not a file, so it is left out",
                below.display()
            ));
        }
    }
    if files == 0 {
        return Err(PackageError::NoOutput {
            lambda: lambda.to_owned(),
        });
    }
    if built.changed.is_none() {
        built.warnings.push(format!(
            "{lambda}: the container left no lambda.zip in /output"
        ));
    }
    Ok(built)
}

fn place_file(from: &Path, to: &Path) -> Result<bool, PackageError> {
    let mut file = archive::create_beside(to)?;
    let opened = input::open(from, u64::MAX).map_err(io::Error::other);
    let (mut content, _) = opened.map_err(|error| PackageError::Read {
        path: from.to_owned(),
        error,
    })?;
    io::copy(&mut content, file.as_file_mut()).map_err(|error| PackageError::Write {
        path: to.to_owned(),
        error,
    })?;
    archive::exchange(file, to)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn tags_are_those_of_taskcat() {
        let expected = "taskcat-build-964507466a04576da548832aeb15e7c4";
        assert_eq!(tag(Path::new("/tmp/pk/functions/source/dock")), expected);
    }

    #[test]
    fn output_is_placed_file_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        let archive = folder.path().join("packages/f/lambda.zip");
        fs::create_dir_all(output.join("more")).unwrap();
        let error = place("f", &output, &archive, None).unwrap_err();
        let expected =
            "f: the container left nothing in /output: its Dockerfile must put lambda.zip there";
        assert_eq!(error.to_string(), expected);

        fs::write(output.join("more/x"), "x").unwrap();
        symlink("/etc/passwd", output.join("link")).unwrap();
        let built = place("f", &output, &archive, None).unwrap();
        let warnings = [
            "f: /output/link is not a file, so it is left out",
            "f: the container left no lambda.zip in /output",
        ];
        assert_eq!(
            (built.changed, built.warnings),
            (None, warnings.map(str::to_owned).to_vec())
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("packages/f/more/x")).unwrap(),
            "x"
        );
        assert!(!folder.path().join("packages/f/link").exists());

        fs::write(output.join("lambda.zip"), "zip").unwrap();
        assert_eq!(
            place("f", &output, &archive, None).unwrap().changed,
            Some(true)
        );
        assert_eq!(
            place("f", &output, &archive, None).unwrap().changed,
            Some(false)
        );
    }
}
