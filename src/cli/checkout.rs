//! The project of `taskcat deploy run`: a folder, or a repository that is cloned with its
//! submodules by the system's `git` into a temporary folder (TaskCat's `_cli_modules/deploy.py`).

use std::env;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::error::CliError;
use crate::diagnostic::Diagnostic;
use crate::duration::HumanDuration;
use crate::mask::Secrets;
use crate::os;
use crate::process::{self, ExitReason};

/// Where a project is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProjectSource {
    Folder(PathBuf),
    Repository(GitRepository),
}

/// A repository to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitRepository {
    /// The URL without credentials.
    pub url: String,
    /// The protocol, as in `GIT_ALLOW_PROTOCOL`.
    protocol: &'static str,
    /// `user:password` of the URL; it is neither printed nor passed as an argument.
    credentials: Option<String>,
    /// The name of the directory, by which a project without a name is called.
    name: String,
    /// What the user wrote, if that could also be the path of a directory.
    shorthand: Option<String>,
}

/// The protocols of URLs, without helpers such as `ext::`, which run commands.
const PROTOCOLS: [&str; 5] = ["https", "http", "ssh", "git", "file"];

/// Variables by which git, if it has started this process, would take the project's clone for the
/// repository that it works on (`git rev-parse --local-env-vars`).
const REPOSITORY_VARIABLES: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
];

impl ProjectSource {
    /// Returns what TaskCat means by the text: an existing directory, a URL, `org/repo` on GitHub,
    /// or the name of an AWS Quick Start. Other texts are directories, which don't exist.
    ///
    /// # Errors
    /// A URL that git would not clone, or that it could mistake for an option.
    pub(super) fn of(project: &Path) -> Result<Self, CliError> {
        let folder = || Ok(Self::Folder(project.to_owned()));
        let Some(text) = project.to_str().filter(|_| !project.exists()) else {
            return folder();
        };
        if let Some((scheme, rest)) = text.split_once("://") {
            return GitRepository::of_url(scheme, rest).map(Self::Repository);
        }
        if let Some((host, path)) = text.split_once(':')
            && !host.contains('/')
        {
            return GitRepository::of_scp(host, path).map(Self::Repository);
        }
        let on_github = |org: &str, name: &str| GitRepository {
            url: format!("https://github.com/{org}/{name}.git"),
            protocol: "https",
            credentials: None,
            name: name.to_owned(),
            shorthand: Some(text.to_owned()),
        };
        match text.split_once('/') {
            Some((org, name)) if is_plain(org) && is_plain(name) => {
                let name = name.strip_suffix(".git").unwrap_or(name);
                Ok(Self::Repository(on_github(org, name)))
            }
            None if is_plain(text) => {
                let name = format!("quickstart-{text}");
                Ok(Self::Repository(on_github("aws-quickstart", &name)))
            }
            _ => folder(),
        }
    }
}

/// Returns whether a text can be a part of a repository's name, and no option or directory.
fn is_plain(text: &str) -> bool {
    !text.starts_with(['-', '.'])
        && !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

impl GitRepository {
    fn of_url(scheme: &str, rest: &str) -> Result<Self, CliError> {
        let scheme = scheme.to_lowercase();
        let Some(protocol) = PROTOCOLS.into_iter().find(|known| *known == scheme) else {
            let message = format!("git URLs with `{scheme}://` are not supported");
            return Err(refused(message, "use https, ssh, git or file"));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        // A user of SSH is no secret. A password there would be, but SSH takes none from a URL.
        let (prefix, credentials) = match (protocol, user) {
            ("ssh", Some(user)) => (format!("{}@", user.split(':').next().unwrap_or(user)), None),
            (_, user) => (String::new(), user.map(str::to_owned)),
        };
        let is_bad_host = prefix.starts_with('-')
            || host.starts_with('-')
            || (host.is_empty() && protocol != "file");
        if is_bad_host {
            return Err(refused(
                format!("the git URL {scheme}://{host}/{path} has no valid host"),
                "expected something like https://github.com/org/repo",
            ));
        }
        let url = format!("{protocol}://{prefix}{host}/{path}");
        Self::checked(url, protocol, credentials, path)
    }

    /// Returns the repository of `git@github.com:org/repo.git`.
    fn of_scp(host: &str, path: &str) -> Result<Self, CliError> {
        let name_of_host = host.rsplit('@').next().unwrap_or(host);
        if host.starts_with('-') || name_of_host.starts_with('-') || name_of_host.is_empty() {
            return Err(refused(
                format!("the git URL {host}:{path} has no valid host"),
                "expected something like git@github.com:org/repo.git",
            ));
        }
        if path.starts_with([':', '-']) {
            return Err(refused(
                format!("`{host}:{path}` is not a git URL"),
                "expected something like git@github.com:org/repo.git",
            ));
        }
        Self::checked(format!("{host}:{path}"), "ssh", None, path)
    }

    fn checked(
        url: String,
        protocol: &'static str,
        credentials: Option<String>,
        path: &str,
    ) -> Result<Self, CliError> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let last = path.trim_end_matches('/').rsplit('/').next();
        let last = last.unwrap_or_default();
        let name = last.strip_suffix(".git").unwrap_or(last);
        if !is_plain(name) || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refused(
                format!("the git URL {} names no repository", url.escape_debug()),
                "expected something like https://github.com/org/repo",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            url,
            protocol,
            credentials,
            shorthand: None,
        })
    }

    /// Clones the repository and its submodules into a temporary directory. Requires a runtime.
    ///
    /// # Errors
    /// git cannot be run, fails, or takes longer than `limit`.
    pub(super) async fn clone_for(&self, limit: Duration) -> Result<Checkout, CliError> {
        let checkout = Checkout::new(&self.name)
            .map_err(|error| CliError::local("cannot create a temporary directory", error))?;
        let finished = process::run(self.command(&checkout.root).into(), Vec::new(), limit).await;
        let finished = match finished {
            Ok(finished) => finished,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let message = format!("git is needed to clone {}, and not on PATH", self.url);
                return Err(refused(message, "install git, or pass a directory"));
            }
            Err(error) => return Err(CliError::local("git could not be run", error)),
        };
        if finished.end.is_success() {
            return Ok(checkout);
        }
        let reason = match finished.end {
            ExitReason::TimedOut(limit) => {
                format!("it took longer than {}", HumanDuration(limit))
            }
            end => format!("git {end}"),
        };
        let output = process::last_lines(&finished.output.text(), 10);
        let output = self.secrets().mask(&output);
        let message = format!(
            "cannot clone {}: {reason}{}",
            self.url,
            process::indented(&output)
        );
        Err(refused(message, &self.help()))
    }

    fn command(&self, target: &Path) -> Command {
        let mut command = Command::new("git");
        // Submodules are cloned whole: not every server gives out single commits.
        command
            .args([
                "clone",
                "--quiet",
                "--depth",
                "1",
                "--recurse-submodules",
                "--",
            ])
            .arg(&self.url)
            .arg(target);
        for name in REPOSITORY_VARIABLES {
            command.env_remove(name);
        }
        // Nobody could answer a question about a password, a passphrase or an unknown host.
        command.env("GIT_TERMINAL_PROMPT", "0");
        if !has_ssh_command() {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        if env::var_os("GIT_ALLOW_PROTOCOL").is_none() {
            // A repository from the network must not bring a folder of this machine along as its
            // submodule, which would then be uploaded.
            let allowed = match self.protocol {
                "file" => "file:https:http:ssh:git",
                _ => "https:http:ssh:git",
            };
            command.env("GIT_ALLOW_PROTOCOL", allowed);
        }
        if let Some((with, without)) = self.rewritten() {
            // Arguments are visible to every user of the machine, and the clone's own configuration
            // would keep them (https://git-scm.com/docs/git-config#ENVIRONMENT).
            let before = env::var("GIT_CONFIG_COUNT").ok();
            let index: usize = before.and_then(|it| it.parse().ok()).unwrap_or_default();
            command
                .env("GIT_CONFIG_COUNT", (index + 1).to_string())
                .env(
                    format!("GIT_CONFIG_KEY_{index}"),
                    format!("url.{with}.insteadOf"),
                )
                .env(format!("GIT_CONFIG_VALUE_{index}"), without);
        }
        command
    }

    /// Returns the beginning of the URL with its credentials and without them.
    fn rewritten(&self) -> Option<(String, String)> {
        let credentials = self.credentials.as_ref()?;
        let (scheme, rest) = self.url.split_once("://")?;
        let host = rest.split('/').next()?;
        let with = format!("{scheme}://{credentials}@{host}/");
        Some((with, format!("{scheme}://{host}/")))
    }

    /// Returns the credentials as a whole and their parts, for git's messages.
    fn secrets(&self) -> Secrets {
        let whole = self.credentials.iter();
        let parts = whole.flat_map(|it| std::iter::once(it.as_str()).chain(it.split(':')));
        Secrets::new(parts.map(str::to_owned))
    }

    fn help(&self) -> String {
        match &self.shorthand {
            Some(text) => format!(
                "the project root {text} doesn't exist, so it was looked for on GitHub; pass a \
                 directory, org/repo or the URL of a repository"
            ),
            None => {
                "check the URL and your access to the repository with `git ls-remote`".to_owned()
            }
        }
    }
}

/// Returns whether the user has chosen how git runs SSH
/// (<https://git-scm.com/docs/git-config#Documentation/git-config.txt-coresshCommand>).
fn has_ssh_command() -> bool {
    let is_set = |name: &&str| env::var_os(name).is_some();
    let asked = || {
        Command::new("git")
            .args(["config", "--get", "core.sshCommand"])
            .stderr(Stdio::null())
            .output()
    };
    ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(is_set) || asked().is_ok_and(|it| it.status.success())
}

fn refused(message: String, help: &str) -> CliError {
    CliError::Diagnostics(vec![Diagnostic::error(message).help(help)])
}

/// A clone in a temporary directory, which is deleted with this value and however this process
/// ends.
pub(super) struct Checkout {
    pub root: PathBuf,
    /// Deletes the directory when this process was killed.
    guard: Option<Child>,
    /// Deletes the directory otherwise.
    folder: Option<TempDir>,
}

impl Checkout {
    fn new(name: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("taskcat-").tempdir()?;
        Ok(Self {
            root: folder.path().join(name),
            guard: os::deletion_guard(folder.path().as_os_str()).and_then(|mut it| it.spawn().ok()),
            folder: Some(folder),
        })
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // First the folder: if this process is killed meanwhile, the guard continues.
        drop(self.folder.take());
        if let Some(guard) = &mut self.guard {
            // Fails only if the guard has ended, which then has nothing to delete.
            let _ = guard.kill().and_then(|()| guard.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn projects_are_folders_urls_or_names() {
        let check = |text: &str, expect: &str| {
            let found = match ProjectSource::of(Path::new(text)) {
                Ok(ProjectSource::Folder(folder)) => format!("directory {}", folder.display()),
                Ok(ProjectSource::Repository(it)) => format!("{} {}", it.url, it.name),
                Err(error) => {
                    let text = error.text();
                    text.split(" (").next().unwrap().to_owned()
                }
            };
            assert_eq!(found, expect, "{text}");
        };
        check("src", "directory src");
        check("./no/such", "directory ./no/such");
        check("../no-such", "directory ../no-such");
        check("/no/such", "directory /no/such");
        check("no-such/", "directory no-such/");
        check("a b", "directory a b");
        check("-x/y", "directory -x/y");
        check("org/repo", "https://github.com/org/repo.git repo");
        check("org/repo.git", "https://github.com/org/repo.git repo");
        check(
            "bastion",
            "https://github.com/aws-quickstart/quickstart-bastion.git quickstart-bastion",
        );
        check("https://h/a/b.git", "https://h/a/b.git b");
        check("HTTPS://u:p@h/a/b", "https://h/a/b b");
        check("ssh://git:p@h:22/a/b", "ssh://git@h:22/a/b b");
        check(
            "git@github.com:org/repo.git",
            "git@github.com:org/repo.git repo",
        );
        check("file:///srv/a.git", "file:///srv/a.git a");
        check("ext::sh -c x", "`ext::sh -c x` is not a git URL");
        check(
            "ext::https://h/a",
            "git URLs with `ext::https://` are not supported",
        );
        check("ftp://h/a", "git URLs with `ftp://` are not supported");
        check(
            "ssh://-oProxyCommand=x/a",
            "the git URL ssh://-oProxyCommand=x/a has no valid host",
        );
        check(
            "git@-oProxyCommand=x:a",
            "the git URL git@-oProxyCommand=x:a has no valid host",
        );
        check("https:///a", "the git URL https:///a has no valid host");
        check("https://h/", "the git URL https://h/ names no repository");
        check(
            "https://h/..",
            "the git URL https://h/.. names no repository",
        );
        check(
            "https://u:p@h/a b",
            "the git URL https://h/a b names no repository",
        );
    }

    #[test]
    fn credentials_are_neither_arguments_nor_messages() {
        let source = ProjectSource::of(Path::new("https://me:s3cr3t@h:8443/a/b.git"));
        let Ok(ProjectSource::Repository(repository)) = source else {
            panic!("not a repository");
        };
        let command = repository.command(Path::new("/t/b"));
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments.last(), Some(&OsStr::new("/t/b")));
        assert!(arguments.contains(&OsStr::new("https://h:8443/a/b.git")));
        let values: Vec<_> = command.get_envs().filter_map(|(_, value)| value).collect();
        assert!(values.contains(&OsStr::new("url.https://me:s3cr3t@h:8443/.insteadOf")));
        assert!(values.contains(&OsStr::new("https://h:8443/")));
        let message = "fatal: unable to access 'https://me:s3cr3t@h:8443/a/b.git/'";
        let masked = repository.secrets().mask(message);
        assert!(!masked.contains("s3cr3t"), "{masked}");
    }
}
