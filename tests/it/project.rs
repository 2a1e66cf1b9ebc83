//! A copy of a project under `fixtures/projects`, for one test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub struct Project {
    folder: TempDir,
    name: String,
}

impl Project {
    pub fn copy_of(scenario: &str) -> Self {
        let project = Self::empty(scenario);
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures/projects")
                .join(scenario),
            &project.path(),
        );
        project
    }

    pub fn empty(name: &str) -> Self {
        let project = Self {
            folder: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            name: name.to_owned(),
        };
        fs::create_dir(project.path()).unwrap();
        project
    }

    /// The project's root. Its parent is the test's own as well.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// An empty folder that serves as the user's home.
    pub fn home(&self) -> PathBuf {
        let home = self.folder.path().join("home");
        fs::create_dir_all(&home).unwrap();
        home
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Paths of the files below a folder of the project, relative to that folder, sorted; none if
    /// it is not there.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.path().join(folder), "", &mut found);
        found.sort();
        found
    }
}

fn list(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

/// What a run of the fixture itself, such as `tests/demo.sh`, leaves in it.
const LEFT_BY_RUNS: [&str; 3] = ["taskcat_outputs", ".taskcat", "packages"];

/// Files keep their permissions: hooks are programs.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if LEFT_BY_RUNS.iter().any(|left| entry.file_name() == *left) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
