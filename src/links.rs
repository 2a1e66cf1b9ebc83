//! Finds paths and symbolic links that lead outside the project.
//!
//! Files outside must be neither published nor overwritten, and a pull request can add a link to
//! anything that the machine can read. Check every path of the project here before reading or
//! writing it. Depends only on `diagnostic`.

use std::path::{Component, Path, PathBuf};

use crate::diagnostic::Diagnostic;

/// The folder that paths must not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectBoundary {
    root: PathBuf,
    follow_links: bool,
}

/// How a path leaves the project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathEscape {
    /// Through a link in the project; `link` is relative to the project root.
    #[error(
        "{} is a symbolic link to {}, which is outside the project",
        link.display(),
        target.display()
    )]
    Link { link: PathBuf, target: PathBuf },
    /// By itself, since it is absolute or has too many `..`.
    #[error("{} is outside the project", .0.display())]
    Path(PathBuf),
}

impl ProjectBoundary {
    /// Creates a boundary. `follow_links` allows reading what links point to; writing outside is
    /// never allowed.
    pub(crate) fn new(project_root: &Path, follow_links: bool) -> Self {
        let absolute =
            std::path::absolute(project_root).unwrap_or_else(|_| project_root.to_owned());
        Self {
            root: absolute.canonicalize().unwrap_or(absolute),
            follow_links,
        }
    }

    /// Returns whether reading through links out of the project is allowed.
    pub(crate) fn follows_links(&self) -> bool {
        self.follow_links
    }

    /// Checks that a path may be read. It is relative to the project root or starts with it.
    ///
    /// # Errors
    /// The path leads outside.
    pub(crate) fn check(&self, path: &Path) -> Result<(), PathEscape> {
        match self.walk(path) {
            Err(PathEscape::Link { .. }) if self.follow_links => Ok(()),
            checked => checked,
        }
    }

    /// Checks that a path may be written, which is never allowed outside.
    ///
    /// # Errors
    /// The path leads outside.
    pub(crate) fn check_writable(&self, path: &Path) -> Result<(), PathEscape> {
        self.walk(path)
    }

    /// Follows a path link by link as far as it exists.
    fn walk(&self, path: &Path) -> Result<(), PathEscape> {
        let escape = || PathEscape::Path(path.to_owned());
        let relative = match path.strip_prefix(&self.root) {
            Ok(relative) => relative.to_owned(),
            Err(_) if path.is_relative() => path.to_owned(),
            // The project root itself may have been given through a link.
            Err(_) => match path.canonicalize() {
                Ok(real) => real
                    .strip_prefix(&self.root)
                    .map_err(|_| escape())?
                    .to_owned(),
                Err(_) => return Err(escape()),
            },
        };
        let mut current = self.root.clone();
        for component in relative.components() {
            match component {
                Component::CurDir => continue,
                Component::ParentDir => {
                    if current == self.root {
                        return Err(escape());
                    }
                    current.pop();
                    continue;
                }
                Component::Normal(name) => current.push(name),
                Component::RootDir | Component::Prefix(_) => return Err(escape()),
            }
            if !current.is_symlink() {
                continue;
            }
            // A dangling link can't be read, but writing to it would create a file at its end.
            let target = current
                .canonicalize()
                .or_else(|_| std::fs::read_link(&current).map(|it| self.beside(&current, &it)));
            let target = target.unwrap_or_else(|_| current.clone());
            if !target.starts_with(&self.root) {
                let link = current
                    .strip_prefix(&self.root)
                    .unwrap_or(&current)
                    .to_owned();
                return Err(PathEscape::Link { link, target });
            }
            current = target;
        }
        Ok(())
    }

    /// Returns the path that a dangling link points to, without `.` and `..`.
    fn beside(&self, link: &Path, target: &Path) -> PathBuf {
        let mut named = PathBuf::new();
        for component in link
            .parent()
            .unwrap_or(&self.root)
            .join(target)
            .components()
        {
            match component {
                Component::ParentDir => _ = named.pop(),
                Component::CurDir => {}
                component => named.push(component),
            }
        }
        named
    }
}

impl PathEscape {
    /// Returns an error diagnostic with help.
    pub(crate) fn to_diagnostic(&self) -> Diagnostic {
        let help = match self {
            Self::Link { .. } => {
                "copy the file into the project, exclude the link, or pass --follow-links to use it"
            }
            Self::Path(_) => "use a path in the project, relative to its root",
        };
        Diagnostic::error(self.to_string()).help(help)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_and_links_are_kept_inside() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let root = base.join("project");
        fs::create_dir_all(root.join("deep/er")).unwrap();
        fs::create_dir(base.join("outside")).unwrap();
        fs::write(base.join("outside/file"), "").unwrap();
        symlink("../../outside", root.join("deep/out")).unwrap();
        symlink("deep/out/file", root.join("chain")).unwrap();
        symlink("er", root.join("deep/in")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("../gone", root.join("dangling-out")).unwrap();
        symlink("again", root.join("again")).unwrap();
        let check = |path: &str, expect: Result<(), &str>| {
            for path in [PathBuf::from(path), root.join(path)] {
                let found = ProjectBoundary::new(&root, false)
                    .check(&path)
                    .map_err(|escape| match escape {
                        PathEscape::Link { link, .. } => link.display().to_string(),
                        PathEscape::Path(_) => "path".to_owned(),
                    });
                assert_eq!(found, expect.map_err(str::to_owned), "{path:?}");
            }
        };
        for path in [
            "",
            "deep/er",
            "deep/../deep",
            "deep/in/x",
            "none/x",
            "dangling",
            "again",
            "deep/in/../er",
        ] {
            check(path, Ok(()));
        }
        check("..", Err("path"));
        check("deep/../../outside/file", Err("path"));
        check("../project-2", Err("path"));
        check("deep/out/file", Err("deep/out"));
        check("deep/out/none", Err("deep/out"));
        check("chain", Err("chain"));
        check("dangling-out", Err("dangling-out"));
        let following = ProjectBoundary::new(&root, true);
        assert_eq!(following.check(Path::new("chain")), Ok(()));
        assert!(following.check_writable(Path::new("chain")).is_err());
        assert!(following.check(Path::new("../outside/file")).is_err());
        assert!(following.check(&base.join("outside/file")).is_err());
        let escape = ProjectBoundary::new(&root, false)
            .check(Path::new("chain"))
            .unwrap_err();
        let target = base.join("outside/file");
        assert_eq!(
            escape.to_string(),
            format!(
                "chain is a symbolic link to {}, which is outside the project",
                target.display()
            )
        );
    }
}
