//! The result of a check: a row for people, an object for programs, and what to do.

use serde_json::{Value, json};

use super::super::error::ExitStatus;
use super::super::{output, streams};

/// What was found out by a check.
pub(super) struct DoctorCheck {
    /// What was checked: `clock`.
    name: &'static str,
    /// What was found out, and what wasn't.
    text: String,
    problems: Vec<CheckProblem>,
}

/// What doesn't work, or may not.
struct CheckProblem {
    message: String,
    help: String,
    /// The exit code, unless it is only a warning.
    exit: Option<ExitStatus>,
}

impl DoctorCheck {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            text: text.into(),
            problems: Vec::new(),
        }
    }

    pub(super) fn not_checked(name: &'static str, why: &str) -> Self {
        Self::new(name, format!("not checked: {why}"))
    }

    pub(super) fn error(
        mut self,
        exit: ExitStatus,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        self.problems.push(CheckProblem {
            message: message.into(),
            help: help.into(),
            exit: Some(exit),
        });
        self
    }

    pub(super) fn warning(mut self, message: impl Into<String>, help: impl Into<String>) -> Self {
        self.problems.push(CheckProblem {
            message: message.into(),
            help: help.into(),
            exit: None,
        });
        self
    }

    pub(super) fn print(&self) {
        print_row(self.name, &self.text);
    }

    /// Prints the problems and returns the exit code of the first error.
    pub(super) fn report(&self) -> Option<ExitStatus> {
        for problem in &self.problems {
            if problem.exit.is_some() {
                output::error(&problem.message, Some(&problem.help));
            } else {
                output::warning_with_help(&problem.message, &problem.help);
            }
        }
        self.problems.iter().find_map(|it| it.exit)
    }

    /// `{"name": "clock", "result": "1 s ahead of AWS", "problems": []}`
    pub(super) fn to_json(&self) -> Value {
        let problems = self.problems.iter().map(|it| {
            let severity = if it.exit.is_some() {
                "error"
            } else {
                "warning"
            };
            json!({"severity": severity, "message": it.message, "help": it.help})
        });
        json!({
            "name": self.name,
            "result": self.text,
            "problems": problems.collect::<Vec<_>>(),
        })
    }
}

pub(super) fn print_row(name: &str, text: &str) {
    streams::print_line(format_args!("{name:<12} {text}"));
}
