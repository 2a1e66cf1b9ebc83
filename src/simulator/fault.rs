//! Applies the scenario's faults to calls: each service has its own error codes for throttling and
//! denial.

use std::time::Duration;

use tokio::time::sleep;

use super::error::ServiceError;
use super::scenario::{CallFacts, CallFault, CallPhase};
use super::{Caller, Cloud, sts};

/// Why a call isn't served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallRefusal {
    Error(ServiceError),
    /// The connection is closed without an answer.
    Cut,
}

/// The longest time that a call is held.
const MAX_HOLD: Duration = Duration::from_secs(15 * 60);

/// A fault of one call. The default one changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(super) struct InjectedFault {
    held: Duration,
    refusal: Option<CallRefusal>,
}

impl InjectedFault {
    /// Holds the call, then refuses it or lets it pass.
    pub(super) async fn apply(self) -> Result<(), CallRefusal> {
        if !self.held.is_zero() {
            sleep(self.held.min(MAX_HOLD)).await;
        }
        self.refusal.map_or(Ok(()), Err)
    }
}

/// Serves a call with the scenario's faults: those that come before it, and those that come after
/// it took effect.
pub(super) async fn serve_with_faults<T>(
    cloud: &Cloud,
    service: &str,
    action: &str,
    caller: &Caller,
    name: Option<&str>,
    serve: impl FnOnce() -> Result<T, ServiceError>,
) -> Result<T, CallRefusal> {
    let after = inject_fault(cloud, service, action, caller, name).await?;
    let result = serve();
    after.apply().await?;
    result.map_err(CallRefusal::Error)
}

/// Applies the scenario's fault to a call that isn't served yet, and returns the fault to apply
/// after it was served.
pub(super) async fn inject_fault(
    cloud: &Cloud,
    service: &str,
    action: &str,
    caller: &Caller,
    name: Option<&str>,
) -> Result<InjectedFault, CallRefusal> {
    if cloud.scenario.is_disabled(&caller.region) {
        return Err(CallRefusal::Error(region_disabled(service)));
    }
    cloud.seeds.create_for(cloud, caller);
    let facts = CallFacts {
        service,
        action,
        account: &caller.account,
        region: &caller.region,
        name,
    };
    let Some((phase, fault)) = cloud.scenario.call_fault(&facts) else {
        return Ok(InjectedFault::default());
    };
    let fault = service_fault(fault, service, action, caller);
    match phase {
        CallPhase::Before => fault.apply().await.map(|()| InjectedFault::default()),
        CallPhase::After => Ok(fault),
    }
}

/// Returns a fault with the error code of the service.
fn service_fault(fault: CallFault, service: &str, action: &str, caller: &Caller) -> InjectedFault {
    let refused = |error| InjectedFault {
        refusal: Some(CallRefusal::Error(error)),
        ..InjectedFault::default()
    };
    match fault {
        CallFault::Throttle => refused(throttled(service)),
        CallFault::Deny { message } => refused(denied(service, action, caller, message)),
        CallFault::Error {
            status,
            code,
            message,
        } => refused(ServiceError {
            status,
            code,
            message,
        }),
        CallFault::Delay(held) => InjectedFault {
            held,
            refusal: None,
        },
        CallFault::Hang(held) => InjectedFault {
            held,
            refusal: Some(CallRefusal::Cut),
        },
        CallFault::Cut => InjectedFault {
            refusal: Some(CallRefusal::Cut),
            ..InjectedFault::default()
        },
    }
}

fn throttled(service: &str) -> ServiceError {
    match service {
        "s3" => ServiceError::new(503, "SlowDown", "Please reduce your request rate."),
        "ec2" => ServiceError::new(503, "RequestLimitExceeded", "Request limit exceeded."),
        "ssm" | "secretsmanager" | "codepipeline" | "servicequotas" => {
            ServiceError::new(400, "ThrottlingException", "Rate exceeded")
        }
        _ => ServiceError::new(400, "Throttling", "Rate exceeded"),
    }
}

fn denied(service: &str, action: &str, caller: &Caller, message: Option<String>) -> ServiceError {
    let (status, code) = match service {
        "ec2" => (403, "UnauthorizedOperation"),
        "ssm" | "secretsmanager" | "codepipeline" | "servicequotas" => {
            (400, "AccessDeniedException")
        }
        _ => (403, "AccessDenied"),
    };
    let said = || {
        let user = sts::user_arn(caller);
        let why = format!("because no identity-based policy allows the {service}:{action} action");
        match service {
            "ec2" => {
                format!(
                    "You are not authorized to perform this operation. User: {user} is not \
                     authorized to perform: {service}:{action} {why}"
                )
            }
            _ => format!("User: {user} is not authorized to perform: {service}:{action} {why}"),
        }
    };
    ServiceError::new(status, code, message.unwrap_or_else(said))
}

/// Returns the error of a region that isn't enabled, which doesn't know the account's keys.
fn region_disabled(service: &str) -> ServiceError {
    const TOKEN: &str = "The security token included in the request is invalid.";
    match service {
        "s3" => ServiceError::new(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        "ec2" => ServiceError::new(
            401,
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        ),
        "ssm" | "secretsmanager" | "codepipeline" => {
            ServiceError::new(400, "UnrecognizedClientException", TOKEN)
        }
        _ => ServiceError::new(403, "InvalidClientTokenId", TOKEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::clock::Clock;
    use crate::simulator::scenario::Scenario;

    fn call_with_fault(
        file: serde_json::Value,
        service: &str,
        action: &str,
    ) -> Result<(), CallRefusal> {
        let cloud = Cloud::new(
            Clock::new(1.0),
            Scenario::new(serde_json::from_value(file).unwrap()),
        );
        let caller = Caller {
            account: "123456789012".into(),
            region: "me-south-1".into(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(serve_with_faults(
            &cloud,
            service,
            action,
            &caller,
            None,
            || Ok(()),
        ))
    }

    #[test]
    fn faults_use_the_error_codes_of_each_service() {
        let check = |fault: &str, service: &str, status: u16, code: &str| {
            let file = match fault {
                "disabled" => serde_json::json!({"disabled_regions": ["me-south-1"]}),
                fault => serde_json::json!({"calls": [{"service": "*", "fault": fault}]}),
            };
            match call_with_fault(file, service, "Act") {
                Err(CallRefusal::Error(error)) => {
                    assert_eq!((error.status, error.code.as_str()), (status, code))
                }
                other => panic!("{fault} {service}: {other:?}"),
            }
        };
        check("throttle", "cloudformation", 400, "Throttling");
        check("throttle", "s3", 503, "SlowDown");
        check("throttle", "ec2", 503, "RequestLimitExceeded");
        check("throttle", "ssm", 400, "ThrottlingException");
        check("deny", "sts", 403, "AccessDenied");
        check("deny", "ec2", 403, "UnauthorizedOperation");
        check("deny", "secretsmanager", 400, "AccessDeniedException");
        check("disabled", "cloudformation", 403, "InvalidClientTokenId");
        check("disabled", "s3", 403, "InvalidAccessKeyId");
        check("disabled", "ec2", 401, "AuthFailure");
        check("disabled", "ssm", 400, "UnrecognizedClientException");
    }

    #[test]
    fn calls_are_cut_held_or_passed() {
        let rule = |fault: &str, lasts: Option<&str>| {
            let rule = serde_json::json!({"service": "s3", "fault": fault, "for": lasts});
            serde_json::json!({"calls": [rule]})
        };
        assert_eq!(
            call_with_fault(rule("cut", None), "s3", "PutObject"),
            Err(CallRefusal::Cut)
        );
        assert_eq!(
            call_with_fault(rule("hang", Some("1ms")), "s3", "PutObject"),
            Err(CallRefusal::Cut)
        );
        assert_eq!(
            call_with_fault(rule("delay", Some("1ms")), "s3", "PutObject"),
            Ok(())
        );
        assert_eq!(
            call_with_fault(rule("cut", None), "ec2", "DescribeRegions"),
            Ok(())
        );
        let Err(CallRefusal::Error(error)) =
            call_with_fault(rule("deny", None), "s3", "CreateBucket")
        else {
            panic!()
        };
        assert_eq!(
            error.message,
            "User: arn:aws:iam::123456789012:user/simulated is not authorized to perform: \
             s3:CreateBucket because no \
             identity-based policy allows the s3:CreateBucket action"
        );
    }
}
