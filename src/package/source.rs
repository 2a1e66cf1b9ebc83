//! Finds the folders of Lambda functions, how to build each, and where to put its archive.
//!
//! Follows TaskCat's `_build_lambdas` and `_recurse`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{PackageError, PackageRequest, PackageSelection};
use crate::links::ProjectBoundary;
use crate::spelling::nearest;

/// A folder to package.
#[derive(Clone, Debug)]
pub(super) struct LambdaSource {
    /// The folder relative to the project root, for messages.
    pub name: String,
    pub source: PathBuf,
    pub build: BuildMethod,
    /// Path of the archive: `<lambda_zip_path>/<name>/lambda.zip`.
    pub archive: PathBuf,
    pub archive_name: String,
    /// Paths in the folder to skip: its own archive, or the folder of all archives.
    pub skip: Vec<PathBuf>,
    /// The project, outside of which nothing is read or written.
    pub bounds: ProjectBoundary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildMethod {
    /// It has a `Dockerfile`.
    Docker,
    /// It has a `requirements.txt`.
    Pip,
    Plain,
}

#[derive(Debug, Default)]
pub(super) struct FoundSources {
    /// The functions sorted by folder, the project's own before its submodules'.
    pub lambdas: Vec<LambdaSource>,
    pub warnings: Vec<String>,
    pub errors: Vec<PackageError>,
}

pub(super) fn find(request: &PackageRequest) -> FoundSources {
    let bounds = ProjectBoundary::new(&request.project_root, request.follow_links);
    let mut search = SourceSearch {
        root: PathBuf::new(),
        bounds,
        selection: request.selection.clone(),
        found: FoundSources::default(),
    };
    match std::path::absolute(&request.project_root) {
        Ok(root) => search.root = resolve(&root),
        Err(error) => {
            search.found.errors.push(PackageError::Read {
                path: request.project_root.clone(),
                error,
            });
            return search.found;
        }
    }
    let source = search.root.join(&request.lambda_source_path);
    let zip = search.root.join(&request.lambda_zip_path);
    if !source.is_dir() {
        search.refuse_unknown(&source, Vec::new());
        return search.found;
    }
    for checked in [
        search.bounds.check(&source),
        search.bounds.check_writable(&zip),
    ] {
        if let Err(escape) = checked {
            search.found.errors.push(escape.into());
            return search.found;
        }
    }
    let source = resolve(&source);
    let zip = resolve(&zip);
    search.folder(&source, &zip);
    let names = search.names(&source);
    search.refuse_unknown(&source, names);
    // A single function is one of the project itself, and changes are those of its own repository.
    search.selection.changed = None;
    if request.build_submodules && search.selection.name.is_none() {
        search.submodules(&search.root.clone(), &source, &zip);
    }
    search.found
}

struct SourceSearch {
    root: PathBuf,
    bounds: ProjectBoundary,
    selection: PackageSelection,
    found: FoundSources,
}

impl SourceSearch {
    /// Adds the Lambda functions of a source folder.
    fn folder(&mut self, source: &Path, zip: &Path) {
        let mut by_output: BTreeMap<PathBuf, Vec<LambdaSource>> = BTreeMap::new();
        for path in self.children(source) {
            if !self.selects(&path) {
                continue;
            }
            let is_folder = match fs::metadata(&path) {
                Ok(metadata) => metadata.is_dir(),
                Err(error) => {
                    self.found.errors.push(PackageError::Read { path, error });
                    continue;
                }
            };
            if !is_folder {
                let name = self.name(&path);
                self.found
                    .warnings
                    .push(format!("{name} is not a directory, so it is not packaged"));
            } else if path != zip {
                // If links are followed, the folder itself may be outside.
                if !self.bounds.follows_links()
                    && let Err(escape) = self.bounds.check(&path)
                {
                    self.found.errors.push(escape.into());
                    continue;
                }
                let Some(name) = path.file_name().and_then(OsStr::to_str) else {
                    self.found.errors.push(PackageError::Name { path });
                    continue;
                };
                let output = zip.join(stem(name));
                if let Err(escape) = self.bounds.check_writable(&output) {
                    self.found.errors.push(escape.into());
                    continue;
                }
                let lambda = self.lambda(path, &output, zip);
                by_output.entry(output).or_default().push(lambda);
            }
        }
        let mut lambdas = Vec::new();
        for mut same in by_output.into_values() {
            match (same.pop(), same.is_empty()) {
                (Some(lambda), true) => lambdas.push(lambda),
                (Some(last), false) => {
                    let archive = last.archive_name.clone();
                    same.push(last);
                    let names = same.into_iter().map(|lambda| lambda.name).collect();
                    self.found.errors.push(PackageError::Collision {
                        lambdas: names,
                        archive,
                    });
                }
                (None, _) => {}
            }
        }
        lambdas.sort_unstable_by(|a, b| a.source.cmp(&b.source));
        self.found.lambdas.extend(lambdas);
    }

    fn selects(&self, path: &Path) -> bool {
        let PackageSelection { name, changed } = &self.selection;
        let is_named = name
            .as_deref()
            .is_none_or(|name| path.file_name() == Some(OsStr::new(name)));
        let folder = self.name(path);
        let is_within = |file: &String| Path::new(file).starts_with(&folder);
        let has_changed = changed
            .as_ref()
            .is_none_or(|changed| changed.is_empty() || changed.iter().any(is_within));
        is_named && has_changed
    }

    /// Adds an error if the selected function doesn't exist.
    fn refuse_unknown(&mut self, source: &Path, known: Vec<String>) {
        let Some(name) = &self.selection.name else {
            return;
        };
        if !known.contains(name) {
            self.found.errors.push(PackageError::UnknownFunction {
                name: name.clone(),
                folder: self.name(source),
                nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
            });
        }
    }

    fn names(&mut self, source: &Path) -> Vec<String> {
        let folders = self.children(source).into_iter().filter(|it| it.is_dir());
        let names = folders.filter_map(|it| Some(it.file_name()?.to_str()?.to_owned()));
        names.collect()
    }

    fn lambda(&self, source: PathBuf, output: &Path, zip: &Path) -> LambdaSource {
        let build = if source.join("Dockerfile").is_file() {
            BuildMethod::Docker
        } else if source.join("requirements.txt").is_file() {
            BuildMethod::Pip
        } else {
            BuildMethod::Plain
        };
        let archive = output.join("lambda.zip");
        LambdaSource {
            name: self.name(&source),
            build,
            archive_name: self.name(&archive),
            skip: vec![zip.to_owned(), archive.clone()],
            source,
            archive,
            bounds: self.bounds.clone(),
        }
    }

    /// Adds the Lambda functions of `submodules/`, recursively.
    fn submodules(&mut self, base: &Path, source: &Path, zip: &Path) {
        for submodule in self.children(&base.join("submodules")) {
            let within = |path: &Path| {
                path.strip_prefix(&self.root)
                    .map(|below| submodule.join(below))
            };
            let (Ok(source_there), Ok(zip_there)) = (within(source), within(zip)) else {
                let path = if source.starts_with(&self.root) {
                    zip
                } else {
                    source
                };
                self.found.errors.push(PackageError::OutsideProject {
                    path: path.to_owned(),
                });
                return;
            };
            if source_there.is_dir() {
                self.folder(&source_there, &zip_there);
                self.submodules(&submodule, source, zip);
            }
        }
    }

    /// Returns the subfolders, sorted; empty if the folder doesn't exist.
    fn children(&mut self, folder: &Path) -> Vec<PathBuf> {
        if !folder.is_dir() {
            return Vec::new();
        }
        let children: Result<Vec<PathBuf>, _> = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut children = children.unwrap_or_else(|error| {
            self.found.errors.push(PackageError::Read {
                path: folder.to_owned(),
                error,
            });
            Vec::new()
        });
        children.sort_unstable();
        children
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// Implements Python's `Path.stem`, which differs from Rust's for `name.`: a trailing dot is part
/// of the name.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, suffix)) if !stem.is_empty() && !suffix.is_empty() => stem,
        _ => name,
    }
}

/// Implements Python's `Path.resolve` of an absolute path: resolves links and dots as far as the
/// path exists.
fn resolve(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            Component::CurDir => {}
            component => real.push(component),
        }
        real = real.canonicalize().unwrap_or(real);
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The results of `Path(name).stem` in Python 3.11.
    #[test]
    fn stems_are_those_of_python() {
        let check = |name: &str, expect: &str| assert_eq!(stem(name), expect, "{name}");
        check("plain", "plain");
        check("a.b", "a");
        check("a.b.c", "a.b");
        check(".hidden", ".hidden");
        check(".hidden.d", ".hidden");
        check("trailing.", "trailing.");
        check("a..b", "a.");
    }

    #[test]
    fn paths_are_resolved_as_far_as_they_exist() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        std::os::unix::fs::symlink("real/deep", root.join("link")).unwrap();
        let check = |path: &str, expect: &str| {
            assert_eq!(resolve(&root.join(path)), root.join(expect), "{path}")
        };
        check("link/x", "real/deep/x");
        check("link/../x", "real/x");
        check("none/../real", "real");
        check("none/./more", "none/more");
    }
}
