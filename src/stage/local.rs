//! Lists the project's files to stage: walks the project once, and reads each file once for its
//! checksum.
//!
//! `exclude` determines which files are staged; `sync` compares and uploads them, and calls
//! [`list`] once for any number of buckets. As in TaskCat (`_s3_sync.py`), a link to a file is
//! staged as that file, and a link to a folder is not followed.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use md5::{Digest, Md5};
use walkdir::WalkDir;

use super::exclude::Exclusions;
use crate::aws::PART_SIZE;
use crate::diagnostic::{Diagnostic, Severity};
use crate::input::{self, InputError};
use crate::links::ProjectBoundary;
use crate::os;
use crate::report_files;

/// Lists the files to stage, sorted by key. Reads every file, so call it where blocking is allowed.
///
/// What can't be staged for a reason that the user may not care about (a dangling link, a name that
/// isn't UTF-8) is a warning; an existing file that can't be read is an error.
///
/// # Errors
/// All problems, including warnings, if one of them is an error.
pub(crate) fn list(
    project_root: &Path,
    exclusions: &Exclusions,
    follow_links: bool,
) -> Result<LocalListing, Vec<Diagnostic>> {
    let mut walk = FileWalk::new(project_root, exclusions, follow_links);
    walk.run();
    let mut files = Vec::with_capacity(walk.found.len());
    let mut diagnostics = walk.diagnostics;
    diagnostics.append(&mut walk.outside);
    for read in read_all(walk.found) {
        match read {
            Ok(file) => files.push(file),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    if diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
    {
        return Err(diagnostics);
    }
    files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(LocalListing {
        files,
        warnings: diagnostics,
    })
}

/// Lists the links that lead outside of the project, as errors. Reads no files.
pub(crate) fn links_outside(
    project_root: &Path,
    exclusions: &Exclusions,
    follow_links: bool,
) -> Vec<Diagnostic> {
    let mut walk = FileWalk::new(project_root, exclusions, follow_links);
    walk.run();
    walk.outside
}

#[derive(Clone, Debug)]
pub(crate) struct LocalListing {
    pub files: Vec<LocalFile>,
    pub warnings: Vec<Diagnostic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalFile {
    /// The path relative to the project root, with `/`; the object's key is the project's prefix
    /// followed by it.
    pub key: String,
    pub path: PathBuf,
    /// Number of bytes read.
    pub size: u64,
    /// The ETag that S3 gives the object, without quotes: the MD5 of the content, or from
    /// [`PART_SIZE`] on the MD5 of the parts' MD5s with their number (`<md5>-3`). TaskCat's
    /// `_hash_file` differs from S3 for empty files and for those of exactly [`PART_SIZE`], so it
    /// uploads them each time.
    pub etag: String,
}

struct FileWalk<'a> {
    project_root: &'a Path,
    exclusions: &'a Exclusions,
    /// Keys and paths.
    found: Vec<(String, PathBuf)>,
    diagnostics: Vec<Diagnostic>,
    bounds: ProjectBoundary,
    /// Links that lead outside.
    outside: Vec<Diagnostic>,
    /// The last checked folder, and whether it contains reports.
    report_folder: Option<(PathBuf, bool)>,
}

impl<'a> FileWalk<'a> {
    fn new(project_root: &'a Path, exclusions: &'a Exclusions, follow_links: bool) -> Self {
        let bounds = ProjectBoundary::new(project_root, follow_links);
        Self {
            project_root,
            exclusions,
            found: Vec::new(),
            diagnostics: Vec::new(),
            bounds,
            outside: Vec::new(),
            report_folder: None,
        }
    }

    fn run(&mut self) {
        let mut entries = WalkDir::new(self.project_root).min_depth(1).into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(self.project_root).to_owned();
                    let is_vanished = error
                        .io_error()
                        .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
                    if is_vanished && error.depth() > 0 {
                        self.warn(
                            &path,
                            "vanished while the project was read; it is not staged",
                        );
                    } else {
                        let why = error
                            .io_error()
                            .map_or_else(|| error.to_string(), input::reason);
                        self.diagnostics.push(unreadable(&path, &why));
                    }
                    continue;
                }
            };
            let is_folder = entry.file_type().is_dir();
            let Some(key) = self.key(entry.path()) else {
                self.warn(
                    entry.path(),
                    "has a name that is not UTF-8, which no key in S3 can have; it is not staged",
                );
                if is_folder {
                    entries.skip_current_dir();
                }
                continue;
            };
            if is_folder {
                if self.exclusions.excludes_tree(&key) {
                    entries.skip_current_dir();
                }
            } else if !self.is_excluded(&key) && !self.is_report(entry.path()) {
                self.take(key, entry.file_type(), entry.into_path());
            }
        }
    }

    /// Returns the path relative to the project root, with `/`.
    fn key(&self, path: &Path) -> Option<String> {
        os::with_slashes(path.strip_prefix(self.project_root).ok()?)
    }

    fn is_excluded(&self, key: &str) -> bool {
        self.exclusions.excludes_file(key)
            || key
                .rsplit_once('/')
                .is_some_and(|(folder, _)| self.exclusions.excludes_files_of(folder))
    }

    /// Returns whether a file is a report of this run or an earlier one, wherever `-o` put it.
    fn is_report(&mut self, path: &Path) -> bool {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(folder) = path.parent().filter(|_| report_files::is_report_name(name)) else {
            return false;
        };
        match &self.report_folder {
            Some((known, is_one)) if known == folder => *is_one,
            _ => {
                let is_one = report_files::is_report_folder(folder);
                self.report_folder = Some((folder.to_owned(), is_one));
                is_one
            }
        }
    }

    fn take(&mut self, key: String, kind: fs::FileType, path: PathBuf) {
        let kind = if kind.is_symlink() {
            match fs::metadata(&path) {
                // A link to an excluded folder is excluded, too.
                Ok(target) if target.is_dir() && self.exclusions.excludes_tree(&key) => return,
                Ok(target) => match self.bounds.check(Path::new(&key)) {
                    Ok(()) => target.file_type(),
                    Err(escape) => return self.outside.push(escape.to_diagnostic()),
                },
                Err(error) if os::is_of_dangling_link(&error) => {
                    self.warn(&path, "is a dangling symbolic link; it is not staged");
                    return;
                }
                Err(error) => {
                    self.diagnostics
                        .push(unreadable(&path, &input::reason(&error)));
                    return;
                }
            }
        } else {
            kind
        };
        if kind.is_file() {
            self.found.push((key, path));
        } else if !kind.is_dir() {
            self.warn(&path, "is neither a file nor a directory; it is not staged");
        } else {
            self.warn(
                &path,
                "is a symbolic link to a directory, whose files are not staged",
            );
        }
    }

    fn warn(&mut self, path: &Path, what: &str) {
        self.diagnostics
            .push(Diagnostic::warning(format!("{path:?} {what}")));
    }
}

fn unreadable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(format!("cannot read {path:?}: {why}")).help(format!(
        "let it be read, or exclude it in `{}`",
        super::exclude::IGNORE_FILE
    ))
}

/// Reads files on several threads. The results are in order of completion.
fn read_all(found: Vec<(String, PathBuf)>) -> Vec<Result<LocalFile, Diagnostic>> {
    /// Number of files below which another thread costs more than it saves.
    const FILES_A_THREAD: usize = 64;
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(1 + found.len() / FILES_A_THREAD);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; 256 * 1024];
        let mut done = Vec::new();
        while let Some((key, path)) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(read(key, path, &mut buffer));
        }
        done
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(theirs) => done.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

fn read(key: &str, path: &Path, buffer: &mut [u8]) -> Result<LocalFile, Diagnostic> {
    let read =
        input::open(path, u64::MAX).and_then(|(mut file, _)| Ok(checksum(&mut file, buffer)?));
    match read {
        Ok((size, etag)) => Ok(LocalFile {
            key: key.to_owned(),
            path: path.to_owned(),
            size,
            etag,
        }),
        Err(InputError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Diagnostic::warning(format!(
                "{path:?} vanished while the project was read; it is not staged"
            )))
        }
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

/// Returns size and ETag.
fn checksum(content: &mut impl Read, buffer: &mut [u8]) -> io::Result<(u64, String)> {
    let mut parts = Vec::new();
    let mut part = Md5::new();
    let mut size = 0_u64;
    loop {
        // A read never crosses the end of a part.
        let wanted = usize::try_from(PART_SIZE - size % PART_SIZE)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = match content.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        part.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
        if size.is_multiple_of(PART_SIZE) {
            parts.push(part.finalize_reset());
        }
    }
    if size < PART_SIZE {
        return Ok((size, hex(&part.finalize())));
    }
    if !size.is_multiple_of(PART_SIZE) {
        parts.push(part.finalize());
    }
    let mut whole = Md5::new();
    parts.iter().for_each(|part| whole.update(part));
    Ok((size, format!("{}-{}", hex(&whole.finalize()), parts.len())))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn list_with(root: &Path, prefixes: &[&str]) -> Result<LocalListing, Vec<Diagnostic>> {
        let prefixes: Vec<String> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
        list(root, &Exclusions::load(root, &prefixes).unwrap(), false)
    }

    fn keys(root: &Path, prefixes: &[&str]) -> Vec<String> {
        list_with(root, prefixes)
            .unwrap()
            .files
            .into_iter()
            .map(|file| file.key)
            .collect()
    }

    const TREE: [&str; 19] = [
        ".taskcat.yml",
        ".github/workflows/ci.yml",
        "README.md",
        "README.MD",
        "docs/x.txt",
        "docs.md/inner.txt",
        "functions/packages/f/lambda.zip",
        "functions/source/f/a.py",
        "lambda_functions/source/f/a.py",
        "submodules/s/functions/source/f/a.py",
        "submodules/s/.git",
        "taskcat_outputs/index.html",
        "deep/taskcat_outputs/index.html",
        "templates/a.template.yaml",
        "venv/lib/a.py",
        "deep/venv/lib/a.py",
        "deep/venv2/a.py",
        "a-b/c",
        "a/c",
    ];

    #[test]
    fn stages_what_taskcat_stages() {
        let folder = project(&TREE);
        let expected = [
            "README.MD",
            "a-b/c",
            "a/c",
            "deep/venv2/a.py",
            "docs/x.txt",
            "functions/packages/f/lambda.zip",
            "submodules/s/functions/source/f/a.py",
            "templates/a.template.yaml",
        ];
        assert_eq!(keys(folder.path(), &[]), expected);
    }

    #[test]
    fn prefixes_exclude_folders_not_files() {
        let folder = project(&[
            "docs/x.txt",
            "deep/a/b/c/d.txt",
            "deep/e.txt",
            "venv/a",
            "venv/keep/b",
            "top.txt",
        ]);
        let check = |prefixes: &[&str], expect: &[&str]| {
            assert_eq!(keys(folder.path(), prefixes), expect, "{prefixes:?}")
        };
        check(&["docs/", "deep/"], &["top.txt"]);
        check(&["b"], &["deep/e.txt", "docs/x.txt", "top.txt"]);
        check(
            &["docs/x.txt", "top.txt"],
            &["deep/a/b/c/d.txt", "deep/e.txt", "docs/x.txt", "top.txt"],
        );
        check(
            &["deep/", "docs", "!venv/keep/"],
            &["top.txt", "venv/keep/b"],
        );
    }

    #[test]
    fn an_ignore_file_excludes_as_gitignore_does() {
        let folder = project(&[
            "a.log",
            "sub/a.log",
            "sub/keep.log",
            "build/x",
            "sub/build/x",
            "secret",
            "sub/secret",
            "b.yaml",
        ]);
        fs::write(
            folder.path().join(".taskcatignore"),
            "# logs\n*.log\n!keep.log\n/build/\nsub/secret\n",
        )
        .unwrap();
        assert_eq!(
            keys(folder.path(), &[]),
            ["b.yaml", "secret", "sub/build/x", "sub/keep.log"]
        );
    }

    #[test]
    fn etags_are_those_of_s3() {
        let check = |size: u64, expect: &str| {
            let mut content = io::repeat(b'0').take(size);
            assert_eq!(
                checksum(&mut content, &mut vec![0; 100_000]).unwrap(),
                (size, expect.to_owned()),
                "{size}"
            );
        };
        // The values are what boto3's upload_file returns for the same content.
        check(0, "d41d8cd98f00b204e9800998ecf8427e");
        check(1, "cfcd208495d565ef66e7dff9f98764da");
        check(PART_SIZE - 1, "f8e3b826ee75de4ff12173bad1db527d");
        check(PART_SIZE, "39066a99c9e432fd906a423d4ea1d569-1");
        check(PART_SIZE + 1, "e00dee48210438c9ece74abbd5bee781-2");
        check(2 * PART_SIZE, "45943609b16eb744558f213d1b321aff-2");
    }

    #[test]
    fn links_are_files_but_not_folders() {
        let folder = project(&["a.txt", "real/b.txt"]);
        let root = folder.path();
        symlink("a.txt", root.join("link.txt")).unwrap();
        symlink("real", root.join("directory")).unwrap();
        symlink("real", root.join(".hidden-directory")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let listing = list_with(root, &[]).unwrap();
        let found: Vec<_> = listing
            .files
            .iter()
            .map(|file| (file.key.as_str(), file.size))
            .collect();
        assert_eq!(found, [("a.txt", 5), ("link.txt", 5), ("real/b.txt", 10)]);
        assert_eq!(listing.files[0].etag, listing.files[1].etag);
        let expected = [
            format!(
                "{:?} is a dangling symbolic link; it is not staged",
                root.join("dangling")
            ),
            format!(
                "{:?} is a symbolic link to a directory, whose files are not staged",
                root.join("directory")
            ),
            format!(
                "{:?} is a dangling symbolic link; it is not staged",
                root.join("loop")
            ),
        ];
        assert_eq!(sorted(&listing.warnings), expected);
    }

    #[test]
    fn names_and_kinds_unsupported_by_s3_are_warnings() {
        let folder = project(&["a.txt"]);
        let root = folder.path();
        let odd = root.join(OsStr::from_bytes(b"caf\xe9"));
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join("inside"), "").unwrap();
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        let listing = list_with(root, &[]).unwrap();
        assert_eq!(listing.files.len(), 1);
        let expected = [
            format!(
                "{odd:?} has a name that is not UTF-8, which no key in S3 can have; it is not \
                 staged"
            ),
            format!(
                "{:?} is neither a file nor a directory; it is not staged",
                root.join("socket")
            ),
        ];
        assert_eq!(sorted(&listing.warnings), expected);
    }

    #[test]
    fn a_file_that_vanished_is_a_warning() {
        let folder = project(&["a.txt"]);
        let gone = folder.path().join("gone");
        let read = read_all(vec![
            ("a.txt".into(), folder.path().join("a.txt")),
            ("gone".into(), gone.clone()),
        ]);
        assert_eq!(read.len(), 2);
        let warning = Diagnostic::warning(format!(
            "{gone:?} vanished while the project was read; it is not staged"
        ));
        assert_eq!(read.into_iter().find_map(Result::err), Some(warning));
    }

    #[test]
    #[ignore = "needs a user other than root; run tests/run.sh"]
    fn all_that_users_but_root_cannot_read_is_named_at_once() {
        let folder = project(&["a.txt", "b.txt", "c/d.txt"]);
        let file = folder.path().join("a.txt");
        let sub = folder.path().join("c");
        for path in [&file, &sub] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        }
        let errors = list_with(folder.path(), &[]).unwrap_err();
        let expected = [&file, &sub].map(|path| format!("cannot read {path:?}: permission denied"));
        fs::set_permissions(&sub, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(sorted(&errors), expected);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = project(&[]);
        let missing = folder.path().join("none");
        let errors = list_with(&missing, &[]).unwrap_err();
        assert_eq!(
            sorted(&errors),
            [format!("cannot read {missing:?}: no such file")]
        );
    }

    #[test]
    fn many_files_are_read_in_parallel_and_sorted() {
        let names: Vec<String> = (0..1000)
            .map(|number| format!("d{}/f{number}", number % 7))
            .collect();
        let folder = project(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let listing = list_with(folder.path(), &[]).unwrap();
        let mut expected = names.clone();
        expected.sort_unstable();
        assert_eq!(
            listing
                .files
                .iter()
                .map(|file| &file.key)
                .collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
        let file = &listing.files[0];
        assert_eq!(
            file.etag,
            checksum(&mut file.key.as_bytes(), &mut [0; 16]).unwrap().1
        );
    }

    fn sorted(diagnostics: &[Diagnostic]) -> Vec<String> {
        let mut messages: Vec<String> = diagnostics
            .iter()
            .map(|diagnostic| diagnostic.message.clone())
            .collect();
        messages.sort_unstable();
        messages
    }
}
