//! Checks that a TCP connection can be made.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{CheckAttempt, CheckFailure, Checked, CheckedStack, address, repeat};
use crate::input;
use crate::plan::{CheckPlan, OutputText};

/// The limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Connects until that succeeds. Proxies aren't used.
pub(super) async fn check(
    text: &OutputText,
    plan: &CheckPlan,
    stack: &CheckedStack<'_>,
) -> Checked {
    let address = stack.resolve(text)?;
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let Some((host, port)) = parts.filter(|(host, _)| !host.is_empty()) else {
        let reason = format!("`{address}` is not a host and port such as db.example.com:5432");
        return Err(CheckFailure::new(reason));
    };
    if let Some(not_checked) = address::not_asked(host, stack) {
        return Ok(not_checked);
    }
    let host = host.trim_matches(['[', ']']);
    let attempt = async |left: Duration| {
        let limit = ATTEMPT.min(left);
        let reason = match timeout(limit, TcpStream::connect((host, port))).await {
            Ok(Ok(_)) => return CheckAttempt::Passed,
            Ok(Err(error)) => input::reason(&error),
            Err(_) => format!("no connection within {} s", limit.as_secs_f32()),
        };
        CheckAttempt::Failed(CheckFailure::new(format!(
            "cannot connect to {address}: {reason}"
        )))
    };
    repeat(plan, attempt).await
}
