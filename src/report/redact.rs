//! Implements `--redact`: masks account IDs and bucket names in everything that is written about a
//! run, so that its report can be published.
//!
//! Events are masked before any consumer gets them, so that no report can be forgotten, and reports
//! rendered again from `events.ndjson` are masked, too. Each account and bucket gets its own name
//! (`account-1`, `bucket-2`), so that they can still be told apart. Any separate number of twelve
//! digits counts as an account. The masked buckets are those of the run, those in events of stacks,
//! and those in S3's ARNs and URLs and in a configuration's values.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use fancy_regex::Regex;
use serde_json::Value;

use super::EventConsumer;
use crate::event::{EventKind, RunEvent};

/// Account IDs as separate words.
static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"(?<![0-9A-Za-z.-])\d{12}(?![0-9A-Za-z-])|(?<=:)\d{12}(?=:)|(?<=-)\d{12}(?=-)")
});

/// Buckets in ARNs and in URLs of both styles; only in hosts of S3 itself.
static BUCKET: LazyLock<Regex> = LazyLock::new(|| {
    let name = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]";
    compiled(&format!(
        r#"arn:aws[\w-]*:s3:::({name})|s3://({name})|https?://({name})\.s3[.-][a-z0-9.-]*amazonaws\.com|https?://s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com[a-z.]*/({name})|s3_bucket['"]?\s*[:=]\s*['"]?({name})|\$\[taskcat_(?:getlicensecontent|presignedurl)\][/,]({name})"#
    ))
});

/// The masked names and their replacements.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    accounts: BTreeMap<String, String>,
    buckets: BTreeMap<String, String>,
    /// All names, longest first, since a name may be part of another.
    names: Vec<(String, String)>,
}

impl Redaction {
    /// Creates a redaction that knows these buckets.
    #[cfg(test)]
    fn new(buckets: impl IntoIterator<Item = String>) -> Self {
        let mut redaction = Self::default();
        buckets
            .into_iter()
            .for_each(|bucket| redaction.bucket(&bucket));
        redaction
    }

    /// Creates a redaction of everything in recorded events.
    pub fn of(events: &[RunEvent]) -> Self {
        let mut redaction = Self::default();
        events.iter().for_each(|event| redaction.learn(&event.kind));
        redaction
    }

    /// Masks everything known so far in an event.
    pub fn event(&mut self, event: RunEvent) -> RunEvent {
        self.learn(&event.kind);
        let Ok(mut value) = serde_json::to_value(&event) else {
            return event;
        };
        self.value(&mut value);
        // Only texts have changed, so the value can still be deserialized.
        serde_json::from_value(value).unwrap_or(RunEvent {
            kind: EventKind::Warning {
                cell: None,
                message: "an event could not be masked and was dropped".into(),
            },
            ..event
        })
    }

    /// Adds the accounts and buckets that an event names.
    fn learn(&mut self, kind: &EventKind) {
        match kind {
            EventKind::RunStarted(run) => run
                .cells
                .iter()
                .for_each(|cell| self.account(&cell.account_id)),
            EventKind::BucketCreating { bucket, .. }
            | EventKind::StagingMarked { bucket, .. }
            | EventKind::UploadStarted { bucket, .. }
            | EventKind::BucketDeleted { bucket }
            | EventKind::BucketKept { bucket, .. }
            | EventKind::BucketDeleteFailed { bucket, .. } => self.bucket(bucket),
            EventKind::StackEvent { detail, .. } if detail.resource_type == "AWS::S3::Bucket" => {
                detail.physical_id.iter().for_each(|id| self.bucket(id));
            }
            _ => {}
        }
    }

    fn account(&mut self, id: &str) {
        if !id.is_empty() && !self.accounts.contains_key(id) {
            let name = format!("account-{}", self.accounts.len() + 1);
            self.accounts.insert(id.to_owned(), name.clone());
            self.know(id, name);
        }
    }

    fn bucket(&mut self, bucket: &str) {
        if !bucket.is_empty()
            && !self.buckets.contains_key(bucket)
            && !self.buckets.values().any(|it| it == bucket)
        {
            let name = format!("bucket-{}", self.buckets.len() + 1);
            self.buckets.insert(bucket.to_owned(), name.clone());
            self.know(bucket, name);
        }
    }

    fn know(&mut self, what: &str, name: String) {
        let at = self
            .names
            .partition_point(|(known, _)| known.len() >= what.len());
        self.names.insert(at, (what.to_owned(), name));
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(entries) => {
                // These fields don't contain user-defined text.
                let entries = entries
                    .iter_mut()
                    .filter(|(key, _)| !matches!(key.as_str(), "event" | "at" | "timestamp"));
                entries.for_each(|(_, item)| self.value(item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        for found in found(&ACCOUNT, text) {
            self.account(&found);
        }
        for found in found(&BUCKET, text) {
            self.bucket(&found);
        }
        let names = self
            .names
            .iter()
            .filter(|(what, _)| text.contains(what.as_str()));
        names.fold(text.to_owned(), |text, (what, name)| {
            text.replace(what, name)
        })
    }
}

/// A mask that doesn't compile must not be disabled silently.
#[expect(
    clippy::expect_used,
    reason = "a fault of this file, which every test finds"
)]
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

/// Returns the matches of a pattern: the group that matched, or the whole match.
fn found(pattern: &Regex, text: &str) -> Vec<String> {
    let captures = pattern.captures_iter(text).flatten();
    let found = captures.filter_map(|it| Some(it.iter().flatten().last()?.as_str().to_owned()));
    found.collect()
}

/// A redaction shared by everything that is printed and written, so that an account has one name
/// everywhere.
#[derive(Clone, Debug, Default)]
pub struct SharedRedaction(Arc<Mutex<Redaction>>);

impl SharedRedaction {
    /// Adds buckets, since parameters and errors may contain their names before an event does.
    pub fn know_buckets(&self, buckets: impl IntoIterator<Item = String>) {
        let mut redaction = self.lock();
        buckets
            .into_iter()
            .for_each(|bucket| redaction.bucket(&bucket));
    }

    /// Masks everything known so far in a text.
    pub fn text(&self, text: &str) -> String {
        self.lock().text(text)
    }

    fn event(&self, event: RunEvent) -> RunEvent {
        self.lock().event(event)
    }

    fn lock(&self) -> MutexGuard<'_, Redaction> {
        // A panic while the lock was held leaves valid names.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer that gets masked events.
pub struct RedactedConsumer {
    inner: Box<dyn EventConsumer>,
    redaction: SharedRedaction,
}

impl RedactedConsumer {
    /// Wraps a consumer.
    pub fn new(inner: Box<dyn EventConsumer>, redaction: SharedRedaction) -> Self {
        Self { inner, redaction }
    }
}

impl EventConsumer for RedactedConsumer {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let event = self.redaction.event(event.clone());
        self.inner.take(&event)
    }

    fn tick(&mut self) -> io::Result<()> {
        self.inner.tick()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.inner.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{SCENARIOS, fixture};

    #[test]
    fn accounts_and_buckets_are_masked() {
        let check = |text: &str, expect: &str| {
            let mut redaction = Redaction::new(["tcat-one".to_owned(), "tcat-one-more".to_owned()]);
            redaction.account("111122223333");
            assert_eq!(redaction.text(text), expect, "{text}");
        };
        check(
            "arn:aws:iam::111122223333:role/x",
            "arn:aws:iam::account-1:role/x",
        );
        check(
            "arn:aws-cn:sns:cn-north-1:444455556666:t",
            "arn:aws-cn:sns:cn-north-1:account-2:t",
        );
        check(
            "in 444455556666, not in 111122223333.",
            "in account-2, not in account-1.",
        );
        check(
            "assets-444455556666-us-east-1",
            "assets-account-2-us-east-1",
        );
        check("tcat-one-more and tcat-one", "bucket-2 and bucket-1");
        check("arn:aws:s3:::my.bucket/key", "arn:aws:s3:::bucket-3/key");
        check("s3://other/key", "s3://bucket-3/key");
        check(
            "https://other.s3.eu-west-1.amazonaws.com/key",
            "https://bucket-3.s3.eu-west-1.amazonaws.com/key",
        );
        check(
            "https://s3.amazonaws.com/other/key",
            "https://s3.amazonaws.com/bucket-3/key",
        );
        check(
            "https://s3-eu-west-1.amazonaws.com/other/key",
            "https://s3-eu-west-1.amazonaws.com/bucket-3/key",
        );
        // Neither is an account.
        check(
            "1234567890123 and 5b0c2a30-7f0e-4d1c-9d3e-123456789012",
            "1234567890123 and 5b0c2a30-7f0e-4d1c-9d3e-123456789012",
        );
        check("s3_bucket: my-bucket", "s3_bucket: bucket-3");
        check(
            "\"s3_bucket\": \"my-bucket\",",
            "\"s3_bucket\": \"bucket-3\",",
        );
        check(
            "$[taskcat_getlicensecontent]/other/key",
            "$[taskcat_getlicensecontent]/bucket-3/key",
        );
        check("nothing here", "nothing here");
    }

    #[test]
    fn no_account_and_no_bucket_is_left_in_a_recorded_run() {
        for scenario in SCENARIOS {
            let events = fixture(scenario);
            let EventKind::RunStarted(run) = &events[0].kind else {
                panic!("{scenario}")
            };
            let accounts: Vec<&str> = run
                .cells
                .iter()
                .map(|cell| cell.account_id.as_str())
                .filter(|it| it.len() == 12)
                .collect();
            assert!(!accounts.is_empty() || scenario == "hostile", "{scenario}");
            let buckets = events.iter().filter_map(|event| match &event.kind {
                EventKind::UploadStarted { bucket, .. } => Some(bucket.as_str()),
                _ => None,
            });
            let mut redaction = Redaction::of(&events);
            let masked: Vec<RunEvent> = events
                .iter()
                .map(|event| redaction.event(event.clone()))
                .collect();
            let text = serde_json::to_string(&masked).unwrap();
            for secret in accounts.into_iter().chain(buckets) {
                assert!(!text.contains(secret), "{scenario}: {secret}");
            }
            assert!(
                masked
                    .iter()
                    .zip(&events)
                    .all(|(masked, event)| masked.seq == event.seq && masked.at == event.at)
            );
            // Masking again changes nothing.
            let mut again = Redaction::of(&masked);
            let twice: Vec<RunEvent> = masked
                .iter()
                .map(|event| again.event(event.clone()))
                .collect();
            assert!(twice.len() == masked.len());
        }
    }
}
