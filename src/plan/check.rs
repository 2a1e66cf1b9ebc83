//! The checks of a test once its stack is complete, read from the configuration and compared with
//! the template.
//!
//! `draft` collects the problems of a test; `launch` makes the checks.

use std::path::Path;
use std::time::Duration;

use regex::Regex;

use crate::config::{
    CheckConfig, HttpCheckConfig, LoadedConfig, OutputCheckConfig, ResourceCheckConfig,
    TcpCheckConfig,
};
use crate::diagnostic::{Diagnostic, Location};
use crate::event::{StackCheck, StackCheckKind};
use crate::spelling::did_you_mean_one_of;
use crate::template::{Template, is_function_key};

/// The default limit of a check.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The default limit of a drift detection, which takes minutes for large stacks.
const DRIFT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The default pause between two attempts.
const INTERVAL: Duration = Duration::from_secs(5);

/// A check of a test.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// The check for events and reports.
    pub check: StackCheck,
    /// What is checked.
    pub subject: CheckSubject,
    /// Limit for all attempts together.
    pub timeout: Duration,
    /// Pause between two attempts.
    pub interval: Duration,
}

/// What is checked, and what is expected.
#[derive(Clone, Debug)]
pub enum CheckSubject {
    /// The answer to an HTTP request.
    Http {
        /// The URL.
        url: OutputText,
        /// The expected status.
        status: u16,
        /// What the body must match somewhere.
        body: Option<Regex>,
        /// Whether the server's certificate is verified.
        verify_tls: bool,
    },
    /// A TCP connection.
    Tcp {
        /// Host and port.
        address: OutputText,
    },
    /// The value of an output.
    Output {
        /// The output's key.
        key: String,
        /// What the value must match somewhere.
        matches: Regex,
    },
    /// A resource, as Cloud Control describes it.
    Resource {
        /// The logical ID.
        logical_id: String,
        /// Path of the property and its value; `None` if it is enough that the resource exists.
        property: Option<(String, serde_json::Value)>,
        /// The primary identifier, if it isn't the physical ID.
        identifier: Option<OutputText>,
    },
    /// The drift of the whole stack.
    Drift,
    /// A program: a line for the shell, or a list of a program and its arguments.
    Command(serde_json::Value),
}

/// A text in which `${Key}` is the value of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputText(Vec<TextPart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TextPart {
    Literal(String),
    Output(String),
}

impl OutputText {
    /// Parses a text. A `${` without a `}` is kept as written.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((key, after)) = after.split_once('}') else {
                break;
            };
            parts.push(TextPart::Literal(before.to_owned()));
            parts.push(TextPart::Output(key.trim().to_owned()));
            rest = after;
        }
        parts.push(TextPart::Literal(rest.to_owned()));
        Self(parts)
    }

    /// Returns the keys of the outputs that the text needs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TextPart::Output(key) => Some(key.as_str()),
            TextPart::Literal(_) => None,
        })
    }

    /// Returns the text with the values of the outputs.
    ///
    /// # Errors
    /// The key of an output that the stack doesn't have.
    pub fn resolve<'v>(&self, value_of: impl Fn(&str) -> Option<&'v str>) -> Result<String, &str> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                TextPart::Literal(literal) => text.push_str(literal),
                TextPart::Output(key) => text.push_str(value_of(key).ok_or(key.as_str())?),
            }
        }
        Ok(text)
    }
}

/// Reads the checks of one test.
pub(super) struct CheckReader<'a> {
    pub loaded: &'a LoadedConfig,
    pub project_root: &'a Path,
    pub test: &'a str,
    pub template: &'a Template,
}

impl CheckReader<'_> {
    /// Returns the checks, and everything that is wrong with them.
    pub(super) fn read(&self, configs: &[CheckConfig]) -> (Vec<CheckPlan>, Vec<Diagnostic>) {
        let mut checks = Vec::new();
        let mut problems = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            let path = format!("tests.{}.checks.{index}", self.test);
            match self.subject(config, &path) {
                Ok(subject) => {
                    problems.extend(self.unknown_names(&subject, &path));
                    checks.push(self.planned(config, index, &path, subject));
                }
                Err(problem) => problems.push(*problem),
            }
        }
        (checks, problems)
    }

    fn planned(
        &self,
        config: &CheckConfig,
        index: usize,
        path: &str,
        subject: CheckSubject,
    ) -> CheckPlan {
        let kind = subject.kind();
        let limit = match kind {
            StackCheckKind::Drift => DRIFT_TIMEOUT,
            _ => TIMEOUT,
        };
        let location = self.loaded.location(path);
        let file = location.as_ref().map(|it| {
            let file = it.file.strip_prefix(self.project_root);
            file.unwrap_or(&it.file).display().to_string()
        });
        CheckPlan {
            check: StackCheck {
                number: index + 1,
                name: config.name.clone().unwrap_or_else(|| name_of(config)),
                kind,
                file: file.unwrap_or_default(),
                line: location.map_or(0, |it| it.at.line),
            },
            subject,
            timeout: config.timeout.map_or(limit, |it| it.0),
            interval: config.interval.map_or(INTERVAL, |it| it.0),
        }
    }

    fn subject(&self, config: &CheckConfig, path: &str) -> Result<CheckSubject, Box<Diagnostic>> {
        const KINDS: &str = "`http`, `tcp`, `output`, `resource`, `drift` and `command`";
        let CheckConfig {
            http,
            tcp,
            output,
            resource,
            drift,
            command,
            ..
        } = config;
        let subjects = [
            http.as_ref().map(|it| self.http(it, path)),
            tcp.as_ref().map(|it| self.tcp(it, path)),
            output.as_ref().map(|it| self.output(it, path)),
            resource.as_ref().map(|it| self.resource(it, path)),
            drift.as_ref().map(|_| Ok(CheckSubject::Drift)),
            command.as_ref().map(|it| self.command(it, path)),
        ];
        let mut subjects = subjects.into_iter().flatten();
        match (subjects.next(), subjects.next()) {
            (Some(subject), None) => subject,
            (None, _) => {
                let message = "the check checks nothing".to_owned();
                Err(self.problem(path, message, &format!("give it one of {KINDS}")))
            }
            (Some(_), Some(_)) => {
                let message = format!("the check has more than one of {KINDS}");
                Err(self.problem(path, message, "split it into several checks"))
            }
        }
    }

    fn http(&self, http: &HttpCheckConfig, path: &str) -> Result<CheckSubject, Box<Diagnostic>> {
        let url = self.required(http.url.as_deref(), &format!("{path}.http"), "url")?;
        // An output may hold the scheme, too.
        if !["http://", "https://", "${"]
            .iter()
            .any(|it| url.starts_with(it))
        {
            let message = format!("`{url}` is not a URL");
            let help = "write something like ${Url}/health or https://${Host}/";
            return Err(self.problem(&format!("{path}.http.url"), message, help));
        }
        let body = http.body.as_deref();
        let body = body.map(|it| self.pattern(it, &format!("{path}.http.body")));
        Ok(CheckSubject::Http {
            url: OutputText::parse(url),
            status: http.status.unwrap_or(200),
            body: body.transpose()?,
            verify_tls: http.verify_tls.unwrap_or(true),
        })
    }

    fn tcp(&self, tcp: &TcpCheckConfig, path: &str) -> Result<CheckSubject, Box<Diagnostic>> {
        let address = self.required(tcp.address.as_deref(), &format!("{path}.tcp"), "address")?;
        if !address.contains([':', '$']) {
            let message = format!("`{address}` has no port");
            let help = "write something like ${DatabaseHost}:5432";
            return Err(self.problem(&format!("{path}.tcp.address"), message, help));
        }
        let address = OutputText::parse(address);
        Ok(CheckSubject::Tcp { address })
    }

    fn output(
        &self,
        output: &OutputCheckConfig,
        path: &str,
    ) -> Result<CheckSubject, Box<Diagnostic>> {
        let path = format!("{path}.output");
        let key = self.required(output.key.as_deref(), &path, "key")?;
        let matches = self.required(output.matches.as_deref(), &path, "matches")?;
        Ok(CheckSubject::Output {
            key: key.to_owned(),
            matches: self.pattern(matches, &format!("{path}.matches"))?,
        })
    }

    fn resource(
        &self,
        resource: &ResourceCheckConfig,
        path: &str,
    ) -> Result<CheckSubject, Box<Diagnostic>> {
        let path = format!("{path}.resource");
        let logical_id = self.required(resource.logical_id.as_deref(), &path, "logical_id")?;
        let property = match (&resource.property, &resource.equals) {
            (Some(property), Some(value)) => Some((property.clone(), value.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(self.missing(&path, "equals")),
            (None, Some(_)) => return Err(self.missing(&path, "property")),
        };
        Ok(CheckSubject::Resource {
            logical_id: logical_id.to_owned(),
            property,
            identifier: resource.identifier.as_deref().map(OutputText::parse),
        })
    }

    fn command(
        &self,
        command: &serde_json::Value,
        path: &str,
    ) -> Result<CheckSubject, Box<Diagnostic>> {
        let is_word = |it: &serde_json::Value| it.is_string() || it.is_number();
        let is_valid = match command {
            serde_json::Value::String(line) => !line.trim().is_empty(),
            serde_json::Value::Array(words) => {
                words.first().is_some_and(|it| it != "") && words.iter().all(is_word)
            }
            _ => false,
        };
        if is_valid {
            return Ok(CheckSubject::Command(command.clone()));
        }
        let message = "`command` is neither a line for the shell nor a list of words".to_owned();
        let help = "write something like ./smoke-test.sh or [python3, smoke_test.py]";
        Err(self.problem(&format!("{path}.command"), message, help))
    }

    /// Returns the outputs and resources that the template doesn't have. A macro may add some.
    fn unknown_names(&self, subject: &CheckSubject, path: &str) -> Vec<Diagnostic> {
        let (texts, path): (Vec<&OutputText>, String) = match subject {
            CheckSubject::Http { url, .. } => (vec![url], format!("{path}.http.url")),
            CheckSubject::Tcp { address } => (vec![address], format!("{path}.tcp.address")),
            CheckSubject::Output { key, .. } => {
                let path = format!("{path}.output.key");
                return self
                    .unknown(key, "Outputs", "output", &path)
                    .into_iter()
                    .collect();
            }
            CheckSubject::Resource { logical_id, .. } => {
                let path = format!("{path}.resource.logical_id");
                let unknown = self.unknown(logical_id, "Resources", "resource", &path);
                return unknown.into_iter().collect();
            }
            CheckSubject::Drift | CheckSubject::Command(_) => return Vec::new(),
        };
        let keys = texts.into_iter().flat_map(OutputText::outputs);
        keys.filter_map(|key| self.unknown(key, "Outputs", "output", &path))
            .collect()
    }

    fn unknown(&self, name: &str, section: &str, what: &str, path: &str) -> Option<Diagnostic> {
        let root = &self.template.root;
        if root.get("Transform").is_some() {
            return None;
        }
        let entries = root.get(section).map_or(&[][..], |it| it.entries());
        let names: Vec<&str> = entries.iter().map(|(key, _)| &*key.text).collect();
        if names.iter().any(|it| *it == name || is_function_key(it)) {
            return None;
        }
        let template = &self.template.relative;
        let help = if names.is_empty() {
            format!("the template has no {what}s")
        } else {
            did_you_mean_one_of(name, &names)
        };
        let message = format!("{template} has no {what} `{name}`");
        Some(*self.problem(path, message, &help))
    }

    fn pattern(&self, pattern: &str, path: &str) -> Result<Regex, Box<Diagnostic>> {
        Regex::new(pattern).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ");
            let message = format!("`{pattern}` is not a regular expression: {reason}");
            self.problem(path, message, "the syntax is that of RE2 and Rust")
        })
    }

    fn required<'t>(
        &self,
        text: Option<&'t str>,
        path: &str,
        key: &str,
    ) -> Result<&'t str, Box<Diagnostic>> {
        text.filter(|it| !it.is_empty())
            .ok_or_else(|| self.missing(path, key))
    }

    fn missing(&self, path: &str, key: &str) -> Box<Diagnostic> {
        let message = format!("the check has no `{key}`");
        self.problem(path, message, &format!("set `{key}`"))
    }

    fn problem(&self, path: &str, message: String, help: &str) -> Box<Diagnostic> {
        let problem = Diagnostic::error(format!("test `{}`: {message}", self.test)).help(help);
        Box::new(Diagnostic {
            location: self.location(path),
            ..problem
        })
    }

    /// Returns the location of a value, or of the nearest one around it that has one.
    fn location(&self, path: &str) -> Option<Location> {
        let mut path = path;
        loop {
            match self.loaded.location(path) {
                Some(location) => return Some(location),
                None => path = path.rsplit_once('.')?.0,
            }
        }
    }
}

impl CheckSubject {
    /// Returns the kind for events and reports.
    fn kind(&self) -> StackCheckKind {
        match self {
            Self::Http { .. } => StackCheckKind::Http,
            Self::Tcp { .. } => StackCheckKind::Tcp,
            Self::Output { .. } => StackCheckKind::Output,
            Self::Resource { .. } => StackCheckKind::Resource,
            Self::Drift => StackCheckKind::Drift,
            Self::Command(_) => StackCheckKind::Command,
        }
    }
}

/// Returns the name of a check without one: what it checks, as written.
fn name_of(config: &CheckConfig) -> String {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    if let Some(http) = &config.http {
        format!("http {}", text(&http.url))
    } else if let Some(tcp) = &config.tcp {
        format!("tcp {}", text(&tcp.address))
    } else if let Some(output) = &config.output {
        format!("output {}", text(&output.key))
    } else if let Some(resource) = &config.resource {
        let property = resource.property.as_ref().map(|it| format!(".{it}"));
        let id = text(&resource.logical_id);
        format!("resource {id}{}", property.unwrap_or_default())
    } else if let Some(command) = &config.command {
        let words = |it: &serde_json::Value| match it {
            serde_json::Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let line = match command {
            serde_json::Value::Array(items) => {
                items.iter().map(words).collect::<Vec<_>>().join(" ")
            }
            line => words(line),
        };
        format!("command {}", line.lines().next().unwrap_or_default())
    } else {
        "drift".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::tests::TempProject;

    #[test]
    fn outputs_are_put_into_a_text() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let value_of = |key: &str| (key == "Url").then_some("http://x");
            let parsed = OutputText::parse(text);
            assert_eq!(
                parsed.resolve(value_of).as_deref(),
                expect.as_deref(),
                "{text}"
            );
        };
        check("${Url}/health", Ok("http://x/health"));
        check("https://static/", Ok("https://static/"));
        check("${Url}${ Url }", Ok("http://xhttp://x"));
        check("${Url", Ok("${Url"));
        check("${Host}:80", Err("Host"));
    }

    #[test]
    fn wrong_checks_are_problems_of_their_test() {
        let project = TempProject::new(&[
            (
                ".taskcat.yml",
                "project: {name: p, regions: [us-east-1]}\ntests:\n  web:\n    \
                 template: t.yaml\n    checks:\n      - name: nothing\n      \
                 - http: {url: \"ftp://x\"}\n      - http: {url: \"${Ulr}/\"}\n      \
                 - output: {key: Url, matches: \"(\"}\n      \
                 - resource: {logical_id: Qeue}\n      \
                 - resource: {logical_id: Queue, equals: 1}\n      \
                 - drift: none\n        output: {key: Url, matches: x}\n      \
                 - command: []\n      - tcp: {address: host}\n",
            ),
            (
                "t.yaml",
                "Resources: {Queue: {Type: AWS::SQS::Queue}}\nOutputs: {Url: {Value: x}}\n",
            ),
        ]);
        let said = project.said(&project.draft().unwrap_err());
        let expect = [
            ".taskcat.yml:6:9: test `web`: the check checks nothing (give it one of `http`, \
             `tcp`, `output`, `resource`, `drift` and `command`)",
            ".taskcat.yml:7:16: test `web`: `ftp://x` is not a URL (write something like \
             ${Url}/health or https://${Host}/)",
            ".taskcat.yml:8:16: test `web`: t.yaml has no output `Ulr` (did you mean `Url`?)",
            ".taskcat.yml:9:28: test `web`: `(` is not a regular expression: unclosed group (the \
             syntax is that of RE2 and Rust)",
            ".taskcat.yml:10:20: test `web`: t.yaml has no resource `Qeue` (did you mean \
             `Queue`?)",
            ".taskcat.yml:11:9: test `web`: the check has no `property` (set `property`)",
            ".taskcat.yml:12:9: test `web`: the check has more than one of `http`, `tcp`, \
             `output`, `resource`, `drift` and `command` (split it into several checks)",
            ".taskcat.yml:14:9: test `web`: `command` is neither a line for the shell nor a list \
             of words (write something like ./smoke-test.sh or [python3, smoke_test.py])",
            ".taskcat.yml:15:15: test `web`: `host` has no port (write something like \
             ${DatabaseHost}:5432)",
        ];
        assert_eq!(said, expect);
    }
}
