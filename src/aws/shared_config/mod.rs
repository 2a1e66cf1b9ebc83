//! The AWS configuration files, `~/.aws/config` and `~/.aws/credentials`: profiles and what they
//! set, with the line that sets it.
//!
//! Profiles are botocore's (`configloader.py`, `Session.full_config`): the keys of the credentials
//! file override those of the configuration file. Pure but for [`SharedConfig::load`], which reads
//! the two files; who is to be called with a profile is decided in [`super::credentials`].

mod ini;
pub(super) mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::environment::Environment;
use super::profile_error::ProfileError;
use crate::input::{self, InputError};
use ini::{IniSection, IniSetting, IniValue};

/// The section of the profile that is used if none is selected.
pub(super) const DEFAULT_SECTION: &str = "default";

/// Both files. One that doesn't exist is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedConfig {
    pub config_path: PathBuf,
    pub credentials_path: PathBuf,
    /// Profiles of the configuration file.
    config: IndexMap<String, IniSection>,
    /// Sections of the credentials file.
    credentials: IndexMap<String, IniSection>,
    sso_sessions: IndexMap<String, IniSection>,
    services: IndexMap<String, IniSection>,
}

/// A value and where it is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Located<'a> {
    pub text: &'a str,
    pub path: &'a Path,
    pub line: usize,
}

/// The place, without the value, which may be a secret.
impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

impl fmt::Debug for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigFile {
    Config,
    Credentials,
}

impl SharedConfig {
    /// Reads the files that the environment names, else those in `~/.aws`.
    ///
    /// # Errors
    /// A file can't be read, or a line of it can't.
    pub(super) fn load(environment: &Environment) -> Result<Self, ProfileError> {
        let config_path = path_of(environment, "AWS_CONFIG_FILE", "~/.aws/config");
        let credentials_path = path_of(
            environment,
            "AWS_SHARED_CREDENTIALS_FILE",
            "~/.aws/credentials",
        );
        let config = sections(&config_path)?;
        let credentials = sections(&credentials_path)?;
        Ok(Self::of(config_path, config, credentials_path, credentials))
    }

    fn of(
        config_path: PathBuf,
        config: IndexMap<String, IniSection>,
        credentials_path: PathBuf,
        credentials: IndexMap<String, IniSection>,
    ) -> Self {
        let mut files = Self {
            config_path,
            credentials_path,
            credentials,
            ..Self::default()
        };
        for (header, section) in config {
            let kind = ["profile", "sso-session", "services"]
                .into_iter()
                .find(|kind| header.starts_with(kind));
            let Some(kind) = kind else {
                if header == DEFAULT_SECTION {
                    files.config.insert(header, section);
                }
                continue;
            };
            // Headers of another form are ignored, as boto3 ignores them.
            let Ok([_, name]) =
                words::split(&header).unwrap_or_default().try_into() as Result<[String; 2], _>
            else {
                continue;
            };
            let sections = match kind {
                "profile" => &mut files.config,
                "sso-session" => &mut files.sso_sessions,
                _ => &mut files.services,
            };
            sections.insert(name, section);
        }
        files
    }

    /// Returns whether one of the files has the profile.
    pub(super) fn has_profile(&self, name: &str) -> bool {
        self.config.contains_key(name) || self.credentials.contains_key(name)
    }

    /// Returns the names of all profiles, sorted.
    pub(super) fn profiles(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .config
            .keys()
            .chain(self.credentials.keys())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the place where a profile begins.
    pub(super) fn place_of(&self, profile: &str) -> Option<Located<'_>> {
        let located = |section: &IniSection, path| Located {
            text: "",
            path,
            line: section.line,
        };
        let of_config = || {
            Some(located(
                self.config.get(profile)?,
                self.config_path.as_path(),
            ))
        };
        self.credentials
            .get(profile)
            .map(|section| located(section, &self.credentials_path))
            .or_else(of_config)
    }

    /// Returns what a profile sets for a key.
    pub(super) fn get(&self, profile: &str, key: &str) -> Option<Located<'_>> {
        self.get_in(ConfigFile::Credentials, profile, key)
            .or_else(|| self.get_in(ConfigFile::Config, profile, key))
    }

    /// Returns what a profile sets for a key in one of the files.
    pub(super) fn get_in(&self, file: ConfigFile, profile: &str, key: &str) -> Option<Located<'_>> {
        let (sections, path) = match file {
            ConfigFile::Config => (&self.config, &self.config_path),
            ConfigFile::Credentials => (&self.credentials, &self.credentials_path),
        };
        text(sections.get(profile)?.keys.get(key)?, path)
    }

    /// Returns what a profile sets for a key of a nested block: `s3`, `addressing_style`.
    pub(super) fn get_nested<'a>(
        &'a self,
        profile: &str,
        block: &str,
        key: &str,
    ) -> Option<Located<'a>> {
        let of = |sections: &'a IndexMap<String, IniSection>, path: &'a Path| {
            nested(sections.get(profile)?.keys.get(block)?, key, path)
        };
        of(&self.credentials, &self.credentials_path)
            .or_else(|| of(&self.config, &self.config_path))
    }

    /// Returns what an `[sso-session NAME]` sets for a key.
    pub(super) fn sso_session(&self, name: &str, key: &str) -> Option<Located<'_>> {
        text(
            self.sso_sessions.get(name)?.keys.get(key)?,
            &self.config_path,
        )
    }

    /// Returns the keys of an `[sso-session NAME]`, if there is one.
    pub(super) fn sso_session_keys(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.sso_sessions.get(name)?.keys.keys().map(String::as_str))
    }

    /// Returns what the `[services NAME]` of a profile sets for a service, such as its
    /// `endpoint_url`.
    pub(super) fn service(&self, profile: &str, service: &str, key: &str) -> Option<Located<'_>> {
        let name = self.get(profile, "services")?.text;
        nested(
            self.services.get(name)?.keys.get(service)?,
            key,
            &self.config_path,
        )
    }
}

fn text<'a>(setting: &'a IniSetting, path: &'a Path) -> Option<Located<'a>> {
    match &setting.value {
        IniValue::Text(text) => Some(Located {
            text,
            path,
            line: setting.line,
        }),
        IniValue::Block(_) => None,
    }
}

fn nested<'a>(setting: &'a IniSetting, key: &str, path: &'a Path) -> Option<Located<'a>> {
    match &setting.value {
        IniValue::Block(block) => block.get(key).map(|(line, text)| Located {
            text,
            path,
            line: *line,
        }),
        IniValue::Text(_) => None,
    }
}

fn path_of(environment: &Environment, variable: &str, default: &str) -> PathBuf {
    environment.expanded_path(environment.get(variable).unwrap_or(default))
}

fn sections(path: &Path) -> Result<IndexMap<String, IniSection>, ProfileError> {
    // As botocore: whatever isn't a file isn't there.
    if path == Path::new("/dev/null") || !input::is_given(path) {
        return Ok(IndexMap::new());
    }
    let bytes = match input::read(path, input::DOCUMENT) {
        Ok(bytes) => bytes,
        Err(InputError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(IndexMap::new());
        }
        Err(error) => return Err(ProfileError::new(format!("{}: {error}", path.display()))),
    };
    let parsed = ini::decode(&bytes).and_then(|text| ini::parse(&text));
    parsed.map_err(|error| {
        ProfileError::new(format!(
            "{}:{}: {}",
            path.display(),
            error.line,
            error.message
        ))
    })
}

#[cfg(test)]
pub(super) fn of_texts(config: &str, credentials: &str) -> SharedConfig {
    let parse = |text| ini::parse(text).unwrap();
    SharedConfig::of(
        "config".into(),
        parse(config),
        "credentials".into(),
        parse(credentials),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = a\n[profile dev]\nregion = b\nservices = local\ns3 \
        =\n  x = 1\n\
                          [profile \"my own\"]\nregion = c\n[profile it's]\nregion = \
                          d\n[plain]\nregion = e\n\
                          [sso-session s]\nsso_region = f\n[services local]\ns3 =\n  endpoint_url \
                          = http://h\n";

    #[test]
    fn the_credentials_file_overrides_the_configuration_file() {
        let files = of_texts(CONFIG, "[dev]\nregion = g\n[other]\nx = 1\n");
        assert_eq!(files.profiles(), ["default", "dev", "my own", "other"]);
        let check = |profile: &str, key: &str, expected: &str| {
            let found = files
                .get(profile, key)
                .map(|it| format!("{} {it}", it.text))
                .unwrap_or_default();
            assert_eq!(found, expected, "{profile} {key}");
        };
        check("default", "region", "a config:2");
        check("dev", "region", "g credentials:2");
        check("my own", "region", "c config:9");
        check("plain", "region", "");
        check("dev", "s3", "");
        assert_eq!(files.get_nested("dev", "s3", "x").unwrap().text, "1");
        assert_eq!(
            files.service("dev", "s3", "endpoint_url").unwrap().text,
            "http://h"
        );
        assert_eq!(files.sso_session("s", "sso_region").unwrap().text, "f");
        assert_eq!(files.place_of("my own").unwrap().to_string(), "config:8");
    }
}
