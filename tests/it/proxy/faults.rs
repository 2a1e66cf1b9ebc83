//! Faults that the proxy injects: which calls they hit, and what the client gets to see.
//!
//! A fault is written `ACTION[@REGION]=WHAT[+SKIP][*TIMES]`. ACTION is the API's name or a pattern
//! (`*`, `Describe*`). WHAT is one of
//!
//! - `STATUS:CODE`: this error, before the call reaches the server
//! - `throttle`: the service's own throttling error
//! - `rate:NUMBER`: the same for what exceeds so many calls a second
//! - `internal`: the service's own internal error, with status 500
//! - `body:PATH`: success, with the body that the file at this path holds
//! - `cut`: the connection is closed without an answer
//! - `hang`: no answer until the client closes the connection, for 300 s at most
//! - `after:WHAT`: one of these after the server has carried out the call: its answer is lost
//! - `delay:SECONDS`: the answer is late
//!
//! SKIP calls pass first, and TIMES ends the fault after so many hits. Of the faults that match a
//! call, the first that hits it counts.
//!
//! `hide:bucket=SECONDS` and `hide:stack=SECONDS` imitate eventual consistency: calls that name a
//! bucket or stack fail as if it didn't exist, for so long after the answer to its creation.
//! CreateBucket, CreateStack and DeleteStack see it at once.

use std::collections::HashMap;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::{Value, json};

use super::call::s3_path;

static FAULT: LazyLock<Regex> = LazyLock::new(|| {
    let what =
        r"(?:after:)?(?:\d+:\w+|throttle|rate:[\d.]+|internal|body:[^*+]+|cut|hang)|delay:[\d.]+";
    Regex::new(&format!(
        r"^(?<action>[\w*?\[\]]+)(?:@(?<region>[\w-]+))?=(?<what>{what})(?:\+(?<skip>\d+))?(?:\*(?<times>\d+))?$"
    ))
    .unwrap()
});

#[derive(Clone, Debug, PartialEq)]
enum What {
    Error { status: u16, code: String },
    Throttle,
    Internal,
    Body(String),
    Cut,
    Hang,
    Delay(Duration),
}

/// What a fault does to a call that it hits.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The fault as it was written.
    pub text: String,
    what: What,
    /// Whether the server carries out the call first.
    pub is_after: bool,
}

/// A bucket of tokens, one a call.
#[derive(Debug)]
struct Rate {
    per_second: f64,
    tokens: f64,
    refilled: Instant,
}

#[derive(Debug)]
struct Fault {
    action: Regex,
    region: Option<String>,
    skip: u32,
    times: Option<u32>,
    rate: Option<Rate>,
    effect: Effect,
}

/// The service, region (of stacks) and name of what was created.
type Created = (String, Value, String);

/// The faults of a proxy, and what it knows of resources that can't be seen yet.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    /// By service.
    hidden_for: HashMap<&'static str, Duration>,
    hidden_until: HashMap<Created, Instant>,
}

impl Faults {
    pub fn new(texts: &[&str]) -> Self {
        let mut faults = Self::default();
        for text in texts {
            let seconds = |text: &str| Duration::from_secs_f64(text.parse().unwrap());
            if let Some(time) = text.strip_prefix("hide:bucket=") {
                faults.hidden_for.insert("s3", seconds(time));
            } else if let Some(time) = text.strip_prefix("hide:stack=") {
                faults.hidden_for.insert("cloudformation", seconds(time));
            } else {
                faults.faults.push(Fault::new(text));
            }
        }
        faults
    }

    /// Notes a creation that the server has confirmed.
    pub fn note(&mut self, call: &Value) {
        let is_creation = matches!(
            call["action"].as_str(),
            Some("CreateBucket" | "CreateStack")
        );
        let hidden_for = self
            .hidden_for
            .get(call["service"].as_str().unwrap_or_default());
        if let (true, Some(&hidden_for), Some(created)) = (is_creation, hidden_for, resource(call))
        {
            self.hidden_until
                .entry(created)
                .or_insert(Instant::now() + hidden_for);
        }
    }

    /// Status and body of the error for a call that names something created a moment ago.
    pub fn not_yet_visible(&self, call: &Value) -> Option<(u16, String)> {
        let created = resource(call)?;
        if Instant::now() >= *self.hidden_until.get(&created)? {
            return None;
        }
        let name = created.2;
        match call["action"].as_str()? {
            "CreateBucket" | "CreateStack" | "DeleteStack" => None,
            _ if call["service"] == "s3" => Some((
                404,
                error_body("s3", "NoSuchBucket", "The specified bucket does not exist"),
            )),
            action => {
                let stack = if action == "DescribeStacks" {
                    format!("Stack with id {name}")
                } else {
                    format!("Stack [{name}]")
                };
                Some((
                    400,
                    error_body(
                        "cloudformation",
                        "ValidationError",
                        &format!("{stack} does not exist"),
                    ),
                ))
            }
        }
    }

    /// What the fault does that hits this call, which is counted.
    pub fn of(&mut self, call: &Value) -> Option<Effect> {
        for fault in &mut self.faults {
            if fault.times == Some(0) || !fault.matches(call) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.rate.as_mut().is_none_or(Rate::is_exceeded) {
                fault.times = fault.times.map(|times| times - 1);
                return Some(fault.effect.clone());
            }
        }
        None
    }
}

impl Fault {
    fn new(text: &str) -> Self {
        let found = FAULT
            .captures(text)
            .unwrap_or_else(|| panic!("invalid fault: {text}"));
        let number = |name| found.name(name).map(|it| it.as_str().parse().unwrap());
        let action = found["action"].replace('*', ".*").replace('?', ".");
        let (is_after, what) = match found["what"].strip_prefix("after:") {
            Some(what) => (true, what),
            None => (false, &found["what"]),
        };
        Self {
            action: Regex::new(&format!("^{action}$")).unwrap(),
            region: found.name("region").map(|it| it.as_str().to_owned()),
            skip: number("skip").unwrap_or(0),
            times: number("times"),
            rate: what
                .strip_prefix("rate:")
                .map(|rate| Rate::new(rate.parse().unwrap())),
            effect: Effect {
                text: text.to_owned(),
                what: What::new(what),
                is_after,
            },
        }
    }

    fn matches(&self, call: &Value) -> bool {
        self.action
            .is_match(call["action"].as_str().unwrap_or_default())
            && self
                .region
                .as_ref()
                .is_none_or(|region| call["region"] == **region)
    }
}

impl Rate {
    fn new(per_second: f64) -> Self {
        Self {
            per_second,
            tokens: per_second,
            refilled: Instant::now(),
        }
    }

    /// Whether this call is one too many; takes a token otherwise. Refused calls cost nothing.
    fn is_exceeded(&mut self) -> bool {
        let now = Instant::now();
        let refill = (now - self.refilled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + refill).min(self.per_second.max(1.0));
        self.refilled = now;
        if self.tokens < 1.0 {
            return true;
        }
        self.tokens -= 1.0;
        false
    }
}

impl What {
    fn new(text: &str) -> Self {
        match text.split_once(':') {
            None if text == "throttle" => Self::Throttle,
            None if text == "internal" => Self::Internal,
            None if text == "cut" => Self::Cut,
            None => Self::Hang,
            Some(("rate", _)) => Self::Throttle,
            Some(("body", path)) => Self::Body(path.to_owned()),
            Some(("delay", seconds)) => {
                Self::Delay(Duration::from_secs_f64(seconds.parse().unwrap()))
            }
            Some((status, code)) => Self::Error {
                status: status.parse().unwrap(),
                code: code.to_owned(),
            },
        }
    }
}

impl Effect {
    /// How late the answer is.
    pub fn delay(&self) -> Option<Duration> {
        if let What::Delay(delay) = self.what {
            Some(delay)
        } else {
            None
        }
    }

    /// Whether the connection stays open while the client gets no answer.
    pub fn hangs(&self) -> bool {
        self.what == What::Hang
    }

    /// Status and body of the answer that the client sees; `None` where it sees none.
    pub fn answer(&self, service: &str) -> Option<(u16, String)> {
        let refused: String;
        let (status, code, message) = match &self.what {
            What::Error { status, code } => {
                refused = format!("refused by the test: {code}");
                (*status, code.as_str(), refused.as_str())
            }
            What::Throttle => throttle(service),
            What::Internal => internal_error(service),
            What::Body(path) => return Some((200, fs::read_to_string(path).unwrap())),
            What::Cut | What::Hang | What::Delay(_) => return None,
        };
        Some((status, error_body(service, code, message)))
    }
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html> and the
/// other services' own pages.
fn throttle(service: &str) -> (u16, &'static str, &'static str) {
    match service {
        "s3" => (503, "SlowDown", "Please reduce your request rate."),
        "ec2" => (503, "RequestLimitExceeded", "Request limit exceeded."),
        "ssm" | "secretsmanager" | "codepipeline" => (400, "ThrottlingException", "Rate exceeded"),
        _ => (400, "Throttling", "Rate exceeded"),
    }
}

fn internal_error(service: &str) -> (u16, &'static str, &'static str) {
    match service {
        "s3" => (
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        "ec2" => (500, "InternalError", "An internal error has occurred"),
        "ssm" => (500, "InternalServerError", "An internal error occurred."),
        "secretsmanager" => (500, "InternalServiceError", "An internal error occurred."),
        _ => (500, "InternalFailure", "An internal error has occurred."),
    }
}

/// The bucket or stack that a call is about.
fn resource(call: &Value) -> Option<Created> {
    let (region, name) = if call["service"] == "s3" {
        (Value::Null, s3_path(call["path"].as_str()?).0)
    } else {
        let name = call["form"]["StackName"].as_str()?;
        // arn:aws:cloudformation:us-east-1:123456789012:stack/NAME/ID
        let name = if name.starts_with("arn:") {
            name.split('/').nth(1)?
        } else {
            name
        };
        (call["region"].clone(), name)
    };
    Some((
        call["service"].as_str()?.to_owned(),
        region,
        name.to_owned(),
    ))
}

fn error_body(service: &str, code: &str, message: &str) -> String {
    let error = format!("<Code>{code}</Code><Message>{message}</Message>");
    match service {
        "s3" => format!("<Error>{error}<RequestId>0</RequestId></Error>"),
        "ec2" => {
            format!(
                "<Response><Errors><Error>{error}</Error></Errors><RequestID>0</RequestID></Response>"
            )
        }
        "ssm" | "secretsmanager" | "codepipeline" => {
            json!({ "__type": code, "message": message }).to_string()
        }
        _ => {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>0</RequestId></ErrorResponse>"
            )
        }
    }
}
