//! Routes requests to their service, after checking that they may be answered at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::service::S3Service;
use tokio::time::{Instant, timeout_at};

use super::caller::{self, Credential};
use super::connections::ConnectionSlot;
use super::error::ServiceError;
use super::query::{self, QueryService};
use super::{Cloud, json, origin, route53, s3};

/// The body of a response.
pub(super) type Body = s3s::Body;

/// What happens to a connection after a request.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Response<Body>),
    /// The connection is closed without an answer.
    Cut,
}

/// The longest pause within a body.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The bytes per second that a body must bring on average, except in its first 30 seconds.
const MIN_BYTES_PER_SECOND: usize = 1024;

/// The header that every response has.
const SIMULATED_HEADER: &str = "x-taskcat-simulated";

/// Answers a request.
pub(super) async fn answer(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    slot: &ConnectionSlot,
    request: Request<Incoming>,
) -> Reply {
    let (parts, body) = request.into_parts();
    let mut reply = handle(cloud, s3, slot, parts, body).await;
    if let Reply::Response(response) = &mut reply {
        response
            .headers_mut()
            .insert(SIMULATED_HEADER, HeaderValue::from_static("true"));
        if let Some(ahead) = cloud.scenario.clock_ahead() {
            let date = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&(jiff::Timestamp::now() + ahead));
            let date = date.ok().and_then(|it| HeaderValue::from_str(&it).ok());
            response
                .headers_mut()
                .extend(date.map(|it| (http::header::DATE, it)));
        }
    }
    reply
}

/// A service and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServiceTarget {
    Query(QueryService),
    Json(json::JsonService),
    Route53,
    S3,
}

async fn handle(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    slot: &ConnectionSlot,
    parts: Parts,
    body: Incoming,
) -> Reply {
    if let Err(why) = origin::check(&parts) {
        return closing(error_reply(
            &parts,
            &ServiceError::new(403, "AccessDenied", why),
        ));
    }
    let credential = match caller::read_credential(&parts) {
        Ok(credential) => credential,
        Err(error) => {
            let code = if parts.headers.contains_key("x-amz-content-sha256") {
                "AuthorizationHeaderMalformed"
            } else {
                "IncompleteSignature"
            };
            return error_reply(&parts, &ServiceError::new(400, code, error.0));
        }
    };
    let target = match target_of(&parts, credential.as_ref()) {
        Ok(target) => target,
        Err(error) => {
            let service = credential
                .as_ref()
                .map(|it| it.service.as_str())
                .unwrap_or_default();
            return unknown_service_reply(&parts, service, &error);
        }
    };
    let limit = match target {
        ServiceTarget::Query(_) => query::MAX_BODY,
        ServiceTarget::Json(_) | ServiceTarget::Route53 => json::MAX_BODY,
        ServiceTarget::S3 => s3::MAX_BODY,
    };
    let body = match read_body(&parts, body, limit).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) if target == ServiceTarget::S3 => {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return closing(s3::failure(&ServiceError::new(
                400,
                "EntityTooLarge",
                message,
            )));
        }
        Err(BodyError::TooLarge) => {
            return closing(error_reply(
                &parts,
                &ServiceError::new(413, "RequestEntityTooLarge", "Request size is too large."),
            ));
        }
        Err(BodyError::Slow) => {
            const IDLE: &str = "Your socket connection to the server was not read from or written \
                to within the timeout period.";
            return closing(error_reply(
                &parts,
                &ServiceError::new(400, "RequestTimeout", IDLE),
            ));
        }
        Err(BodyError::CutOff) => return Reply::Cut,
    };
    slot.mark_busy();
    // A call takes effect even if its client disconnects.
    let cloud = cloud.clone();
    let s3 = s3.clone();
    let routed =
        tokio::spawn(async move { route(&cloud, &s3, target, credential, parts, body).await });
    routed.await.unwrap_or(Reply::Cut)
}

/// Hands a complete request to its service.
async fn route(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    target: ServiceTarget,
    credential: Option<Credential>,
    parts: Parts,
    body: Bytes,
) -> Reply {
    match (target, credential) {
        (ServiceTarget::S3, credential) => s3::answer(cloud, s3, credential, parts, body).await,
        (_, None) => error_reply(
            &parts,
            &ServiceError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
        ),
        (ServiceTarget::Query(service), Some(credential)) => {
            let form = query::form(&parts.method, parts.uri.query(), &body);
            query::answer(cloud, service, &credential, &form).await
        }
        (ServiceTarget::Route53, Some(credential)) => {
            route53::answer(cloud, &credential, &parts).await
        }
        (ServiceTarget::Json(service), Some(credential)) => {
            json::answer(cloud, service, &credential, &parts, &body).await
        }
    }
}

/// Returns the service that the signature names or, without one, the one that the request suggests.
fn target_of(
    parts: &Parts,
    credential: Option<&Credential>,
) -> Result<ServiceTarget, ServiceError> {
    let Some(credential) = credential else {
        return Ok(unsigned_target_of(parts));
    };
    // A presigned request is accepted by all services, not only by S3.
    if credential.service != "s3"
        && credential
            .expires
            .is_some_and(|end| end < jiff::Timestamp::now())
    {
        return Err(ServiceError::new(
            403,
            "SignatureDoesNotMatch",
            "Signature expired".to_owned(),
        ));
    }
    let name = credential.service.as_str();
    let query = || QueryService::named(name).map(ServiceTarget::Query);
    let json = || json::JsonService::named(name).map(ServiceTarget::Json);
    let s3 = || (name == "s3").then_some(ServiceTarget::S3);
    let route53 = || (name == route53::NAME).then_some(ServiceTarget::Route53);
    let found = query().or_else(json).or_else(s3).or_else(route53);
    // Clients don't retry this error.
    let message = format!("the service `{name}` is not available in the simulator");
    found.ok_or_else(|| ServiceError::new(400, "ServiceNotAvailable", message))
}

fn unsigned_target_of(parts: &Parts) -> ServiceTarget {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let of_json = header("x-amz-target")
        .split(['_', '.'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    match of_json.as_str() {
        "amazonssm" => return ServiceTarget::Json(json::JsonService::Ssm),
        "secretsmanager" => return ServiceTarget::Json(json::JsonService::SecretsManager),
        "codepipeline" => return ServiceTarget::Json(json::JsonService::CodePipeline),
        "cloudapiservice" => return ServiceTarget::Json(json::JsonService::CloudControl),
        "servicequotasv20190624" => return ServiceTarget::Json(json::JsonService::ServiceQuotas),
        _ => {}
    }
    let query = parts.uri.query().unwrap_or_default();
    let version = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "Version");
    let by_version = version.and_then(|(_, version)| QueryService::of_version(&version));
    let is_form = header("content-type").starts_with("application/x-www-form-urlencoded")
        && parts.uri.path() == "/";
    match by_version {
        Some(service) => ServiceTarget::Query(service),
        None if is_form => ServiceTarget::Query(QueryService::CloudFormation),
        None => ServiceTarget::S3,
    }
}

/// Why a body can't be read.
#[derive(Debug)]
enum BodyError {
    TooLarge,
    Slow,
    CutOff,
}

/// Reads the complete body.
async fn read_body(parts: &Parts, mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let announced = parts
        .headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let announced = match announced.map(usize::try_from) {
        Some(Ok(length)) if length <= limit => length,
        Some(_) => return Err(BodyError::TooLarge),
        None => 0,
    };
    let started = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let earned = Duration::from_secs((bytes.len() / MIN_BYTES_PER_SECOND) as u64);
        let until = (started + MAX_PAUSE + earned).min(Instant::now() + MAX_PAUSE);
        let Some(frame) = timeout_at(until, body.frame())
            .await
            .map_err(|_| BodyError::Slow)?
        else {
            break;
        };
        let Ok(data) = frame.map_err(|_| BodyError::CutOff)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(BodyError::TooLarge);
        }
        reserve_room(&mut bytes, data.len(), announced);
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Reserves room for the data that arrive, and for the announced length up to a limit, because
/// announcing costs nothing. Objects keep their buffers, so there should be no more room than
/// needed.
fn reserve_room(bytes: &mut Vec<u8>, coming: usize, announced: usize) {
    const MAX_TRUSTED: usize = 8 * 1024 * 1024;
    if bytes.capacity() - bytes.len() < coming {
        let rest = announced.saturating_sub(bytes.len());
        let trusted = rest.min(bytes.len().max(MAX_TRUSTED));
        match rest {
            0 => bytes.reserve(coming),
            _ => bytes.reserve_exact(trusted.max(coming)),
        }
    }
}

/// Returns an error in the protocol that the request seems to use.
fn error_reply(parts: &Parts, error: &ServiceError) -> Reply {
    if parts.headers.contains_key("x-amz-target") {
        return json::failure(error);
    }
    if parts.headers.contains_key("x-amz-content-sha256") {
        return s3::failure(error);
    }
    query::failure(None, error)
}

/// Services besides S3 that use XML over REST.
const XML_SERVICES: [&str; 2] = ["cloudfront", "s3control"];

/// Returns an error of a service that isn't simulated, in its protocol: JSON unless it is known to
/// use forms or XML.
fn unknown_service_reply(parts: &Parts, service: &str, error: &ServiceError) -> Reply {
    let content = parts
        .headers
        .get("content-type")
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    if content.starts_with("application/x-www-form-urlencoded") || XML_SERVICES.contains(&service) {
        query::failure(None, error)
    } else {
        json::failure(error)
    }
}

/// Closes the connection, because the unread rest of the body would precede the next request.
fn closing(mut reply: Reply) -> Reply {
    if let Reply::Response(response) = &mut reply {
        response
            .headers_mut()
            .insert("connection", HeaderValue::from_static("close"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_grow_with_what_arrives() {
        let check = |announced: usize, total: usize, most: usize| {
            let mut bytes = Vec::new();
            for _ in 0..total.div_ceil(1000) {
                reserve_room(&mut bytes, 1000, announced);
                bytes.extend_from_slice(&[0; 1000]);
            }
            assert!(
                bytes.capacity() <= most,
                "{announced} {total}: {}",
                bytes.capacity()
            );
        };
        check(5_000, 5_000, 5_000);
        check(20_000_000, 20_000_000, 20_000_000);
        // An announced length that doesn't arrive.
        check(usize::MAX, 1_000, 8 * 1024 * 1024);
        // Data that arrive without being announced.
        check(0, 5_000, 10_000);
    }

    #[test]
    fn requests_are_routed_to_their_service() {
        let check = |request: http::request::Builder, expect: Result<ServiceTarget, &str>| {
            let parts = request.body(()).unwrap().into_parts().0;
            let credential = caller::read_credential(&parts).unwrap();
            let found = target_of(&parts, credential.as_ref()).map_err(|error| error.message);
            assert_eq!(found, expect.map_err(str::to_owned), "{parts:?}");
        };
        let signed = |service: &str| {
            let value = format!(
                "AWS4-HMAC-SHA256 Credential=k/d/us-east-1/{service}/aws4_request, \
                 SignedHeaders=h, Signature=s"
            );
            Request::builder().uri("/").header("authorization", value)
        };
        check(
            signed("cloudformation"),
            Ok(ServiceTarget::Query(QueryService::CloudFormation)),
        );
        check(signed("sts"), Ok(ServiceTarget::Query(QueryService::Sts)));
        check(signed("ec2"), Ok(ServiceTarget::Query(QueryService::Ec2)));
        check(
            signed("ssm"),
            Ok(ServiceTarget::Json(json::JsonService::Ssm)),
        );
        check(
            signed("secretsmanager"),
            Ok(ServiceTarget::Json(json::JsonService::SecretsManager)),
        );
        check(signed("s3"), Ok(ServiceTarget::S3));
        check(signed("iam"), Ok(ServiceTarget::Query(QueryService::Iam)));
        check(
            signed("ecr"),
            Err("the service `ecr` is not available in the simulator"),
        );
        let unsigned = |uri: &str| Request::builder().uri(uri);
        check(unsigned("/bucket/key"), Ok(ServiceTarget::S3));
        check(
            unsigned("/?Action=X&Version=2011-06-15"),
            Ok(ServiceTarget::Query(QueryService::Sts)),
        );
        check(
            unsigned("/").header("content-type", "application/x-www-form-urlencoded"),
            Ok(ServiceTarget::Query(QueryService::CloudFormation)),
        );
        check(
            unsigned("/").header("x-amz-target", "AmazonSSM.GetParameter"),
            Ok(ServiceTarget::Json(json::JsonService::Ssm)),
        );
        check(
            unsigned("/").header("x-amz-target", "secretsmanager.GetSecretValue"),
            Ok(ServiceTarget::Json(json::JsonService::SecretsManager)),
        );
    }
}
