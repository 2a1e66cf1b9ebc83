//! Addresses of what a stack has launched, and whether they exist where AWS is only simulated.

use std::net::IpAddr;

use super::CheckedStack;
use crate::event::CheckResult;

/// Returns why a host isn't asked: the simulation has no servers, except for those of this machine
/// that the user has started.
pub(super) fn not_asked(host: &str, stack: &CheckedStack<'_>) -> Option<CheckResult> {
    let reason = || format!("not checked locally: {host} exists only in the simulation");
    let is_asked = !stack.is_simulated || is_loopback(host);
    (!is_asked).then(|| CheckResult::NotChecked { reason: reason() })
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_those_of_this_machine() {
        let check = |host: &str, expect: bool| assert_eq!(is_loopback(host), expect, "{host}");
        check("localhost", true);
        check("127.0.0.1", true);
        check("127.8.9.1", true);
        check("[::1]", true);
        check("10.0.0.1", false);
        check("localhost.example.com", false);
        check("web-1234.us-east-1.elb.amazonaws.com", false);
    }
}
