//! The programs that a pipeline's machines run, as `pipeline/package.sh` builds them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::diagnostic::Diagnostic;
use crate::input;

/// The program for CodeBuild.
const TASKCAT: &str = "taskcat";
/// The archive with the program for Lambda.
const GIT_MERGE: &str = "git-merge.zip";
/// Lambda's name of the program in the archive.
const BOOTSTRAP: &str = "bootstrap";

/// How many bytes of a program are read: its header, and the name of the loader that it needs.
const HEAD: u64 = 4096;
/// `e_machine` of an ELF file, and CloudFormation's word for it.
const MACHINES: [(u16, &str); 2] = [(62, "x86_64"), (183, "arm64")];

/// Both programs, for one architecture.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// `x86_64` or `arm64`, as the template's parameter takes it.
    pub architecture: &'static str,
}

/// What the first bytes of a program say about it.
struct ProgramHeader {
    architecture: &'static str,
    /// Whether it needs the C library of the machine that it was built on.
    is_dynamic: bool,
}

impl Programs {
    /// Finds the programs in a folder; returns them with warnings.
    ///
    /// # Errors
    /// Everything that is missing or isn't a program for the pipeline.
    pub(crate) fn find(folder: &Path) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let taskcat = head(&folder.join(TASKCAT), |file| Ok(Box::new(file)));
        let git_merge = head(&folder.join(GIT_MERGE), |file| {
            let mut archive = ZipArchive::new(file)?;
            let index = archive
                .index_for_name(BOOTSTRAP)
                .ok_or_else(|| io::Error::other("it doesn't contain `bootstrap`"))?;
            let mut start = Vec::new();
            archive
                .by_index(index)?
                .take(HEAD)
                .read_to_end(&mut start)?;
            Ok(Box::new(io::Cursor::new(start)))
        });
        let (taskcat, git_merge) = match (taskcat, git_merge) {
            (Ok(taskcat), Ok(git_merge)) => (taskcat, git_merge),
            (one, other) => return Err([one.err(), other.err()].into_iter().flatten().collect()),
        };
        if taskcat.architecture != git_merge.architecture {
            let one = taskcat.architecture;
            let other = git_merge.architecture;
            let message = format!(
                "{}: {TASKCAT} is for {one} and {GIT_MERGE} for {other}",
                folder.display()
            );
            return Err(vec![
                Diagnostic::error(message).help("build both for the same architecture"),
            ]);
        }
        let dynamic = [(TASKCAT, &taskcat), (GIT_MERGE, &git_merge)]
            .into_iter()
            .filter(|(_, head)| head.is_dynamic);
        let warnings = dynamic.map(|(name, _)| {
            let message = format!(
                "{name} needs a C library at least as new as the one that it was built with"
            );
            Diagnostic::warning(message)
                .help("`pipeline/package.sh` builds programs that need none")
        });
        let warnings = warnings.collect();
        Ok((
            Self {
                folder: folder.to_owned(),
                architecture: taskcat.architecture,
            },
            warnings,
        ))
    }

    /// Returns name and path of each.
    pub(crate) fn files(&self) -> [(&'static str, PathBuf); 2] {
        [TASKCAT, GIT_MERGE].map(|name| (name, self.folder.join(name)))
    }
}

/// Reads the first bytes of a program, which `open` finds in its file.
fn head(
    path: &Path,
    open: impl FnOnce(File) -> io::Result<Box<dyn Read>>,
) -> Result<ProgramHeader, Diagnostic> {
    let mut start = Vec::new();
    let read = File::open(path)
        .and_then(open)
        .and_then(|program| program.take(HEAD).read_to_end(&mut start));
    let help = "build it with `pipeline/package.sh`, and pass its directory with --programs";
    if let Err(error) = read {
        let message = format!(
            "cannot read the pipeline's program {}: {}",
            path.display(),
            input::reason(&error)
        );
        return Err(Diagnostic::error(message).help(help));
    }
    ProgramHeader::of(&start).ok_or_else(|| {
        let message = format!(
            "{} is not a program for Linux on x86_64 or arm64",
            path.display()
        );
        Diagnostic::error(message).help(help)
    })
}

impl ProgramHeader {
    /// Reads the header of a 64-bit little-endian ELF file (<https://man7.org/linux/man-pages/man5/elf.5.html>).
    fn of(start: &[u8]) -> Option<Self> {
        let rest = start.strip_prefix(b"\x7fELF\x02\x01")?;
        let machine = rest
            .get(12..14)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))?;
        let architecture = MACHINES.iter().find(|(number, _)| *number == machine)?.1;
        let is_dynamic = start.windows(8).any(|bytes| bytes == b"ld-linux");
        Some(Self {
            architecture,
            is_dynamic,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn program(machine: u8, loader: &str) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        bytes.extend([machine, 0]);
        bytes.extend(loader.as_bytes());
        bytes
    }

    fn folder(taskcat: &[u8], name: &str, bootstrap: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TASKCAT), taskcat).unwrap();
        let mut archive = ZipWriter::new(File::create(folder.path().join(GIT_MERGE)).unwrap());
        archive
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bootstrap).unwrap();
        archive.finish().unwrap();
        folder
    }

    fn faults(folder: &Path) -> Vec<String> {
        Programs::find(folder)
            .unwrap_err()
            .into_iter()
            .map(|fault| fault.message)
            .collect()
    }

    #[test]
    fn programs_say_what_they_are_made_for() {
        let both = folder(&program(183, ""), BOOTSTRAP, &program(183, ""));
        let (found, warnings) = Programs::find(both.path()).unwrap();
        assert_eq!((found.architecture, warnings.len()), ("arm64", 0));
        let both = folder(
            &program(62, "/lib64/ld-linux-x86-64.so.2"),
            BOOTSTRAP,
            &program(62, ""),
        );
        let (found, warnings) = Programs::find(both.path()).unwrap();
        assert_eq!(found.architecture, "x86_64");
        assert!(
            warnings
                .iter()
                .all(|it| it.message.starts_with("taskcat needs a C library"))
                && warnings.len() == 1
        );
    }

    #[test]
    fn what_can_not_run_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(faults(empty.path()).len(), 2);
        let mixed = folder(&program(183, ""), BOOTSTRAP, &program(62, ""));
        assert!(
            faults(mixed.path())[0].ends_with("taskcat is for arm64 and git-merge.zip for x86_64")
        );
        let wrong = folder(b"#!/bin/sh\n", "main", &program(62, ""));
        let found = faults(wrong.path());
        assert!(
            found[0].ends_with("taskcat is not a program for Linux on x86_64 or arm64"),
            "{found:?}"
        );
        assert!(
            found[1].ends_with("git-merge.zip: it doesn't contain `bootstrap`"),
            "{found:?}"
        );
    }
}
