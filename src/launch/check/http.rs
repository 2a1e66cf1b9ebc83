//! Checks the answer to an HTTP request.

use std::time::Duration;

use ::http::Uri;

use super::{CheckAttempt, CheckFailure, Checked, CheckedStack, address, repeat};
use crate::aws::UrlAnswer;
use crate::plan::{CheckPlan, CheckSubject};

/// The limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How much of a body is shown, in characters.
const SHOWN: usize = 200;

/// Gets the URL until the answer is the expected one.
pub(super) async fn check(plan: &CheckPlan, stack: &CheckedStack<'_>) -> Checked {
    let CheckSubject::Http {
        url, verify_tls, ..
    } = &plan.subject
    else {
        return Err(CheckFailure::new("it is not an HTTP check"));
    };
    let url = stack.resolve(url)?;
    let parsed = url.parse::<Uri>().ok();
    let host = parsed.as_ref().and_then(Uri::host);
    let scheme = parsed.as_ref().and_then(Uri::scheme_str);
    let Some(host) = host.filter(|_| matches!(scheme, Some("http" | "https"))) else {
        return Err(CheckFailure::new(format!("`{url}` is not a URL")));
    };
    if let Some(not_checked) = address::not_asked(host, stack) {
        return Ok(not_checked);
    }
    let attempt = async |left: Duration| {
        let asked = stack.clients.get_url(&url, *verify_tls, ATTEMPT.min(left));
        match asked.await {
            Ok(answer) => match unexpected(&url, &answer, &plan.subject) {
                None => CheckAttempt::Passed,
                Some(failure) => CheckAttempt::Failed(failure),
            },
            Err(error) => {
                let mut failure = CheckFailure::new(format!("{url}: {error}"));
                if error.is_certificate {
                    failure.reason += " (`verify_tls: false` accepts every certificate)";
                }
                if error.may_pass {
                    CheckAttempt::Failed(failure)
                } else {
                    CheckAttempt::FailedForGood(failure)
                }
            }
        }
    };
    repeat(plan, attempt).await
}

/// Returns why an answer isn't the expected one.
fn unexpected(url: &str, answer: &UrlAnswer, subject: &CheckSubject) -> Option<CheckFailure> {
    let CheckSubject::Http { status, body, .. } = subject else {
        return None;
    };
    if answer.status != *status {
        let expected = format!("status {status}");
        return Some(CheckFailure::found(
            url,
            expected,
            format!("status {}", answer.status),
        ));
    }
    let pattern = body.as_ref().filter(|it| !it.is_match(&answer.body))?;
    let expected = format!("a body that matches `{pattern}`");
    Some(CheckFailure::found(url, expected, beginning(&answer.body)))
}

fn beginning(body: &str) -> String {
    let text: Vec<&str> = body.split_whitespace().collect();
    let text = text.join(" ");
    match text.char_indices().nth(SHOWN) {
        _ if text.is_empty() => "an empty body".to_owned(),
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or(&text)),
        None => format!("`{text}`"),
    }
}
