//! Which service a request is for, and whether it may come in at all.

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
use super::cloudformation::ServiceError;
use super::query::{self, Service as Query};
use super::seats::Seat;
use super::{Cloud, json, origin, s3};

/// A body of any of the services.
pub type Body = s3s::Body;

/// What becomes of a connection after a request.
#[derive(Debug)]
pub enum Reply {
    Response(Response<Body>),
    /// The connection is closed without an answer.
    Cut,
}

/// The longest pause within a body.
const PAUSE_AT_MOST: Duration = Duration::from_secs(30);
/// The bytes that a body has to bring in a second on average, but for its first 30 seconds.
const SLOWEST: usize = 1024;

/// What every response carries, whoever wrote it.
const SIMULATED: &str = "x-taskcat-simulated";

/// Answers one request.
pub async fn answer(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    seat: &Seat,
    request: Request<Incoming>,
) -> Reply {
    let (parts, body) = request.into_parts();
    let mut reply = serve(cloud, s3, seat, parts, body).await;
    if let Reply::Response(response) = &mut reply {
        response
            .headers_mut()
            .insert(SIMULATED, HeaderValue::from_static("true"));
    }
    reply
}

/// A service and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Query(Query),
    Json(json::Service),
    S3,
}

async fn serve(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    seat: &Seat,
    parts: Parts,
    body: Incoming,
) -> Reply {
    if let Err(why) = origin::check(&parts) {
        return closing(refuse(&parts, &ServiceError::new(403, "AccessDenied", why)));
    }
    let credential = match caller::read(&parts) {
        Ok(credential) => credential,
        Err(malformed) => {
            let code = if parts.headers.contains_key("x-amz-content-sha256") {
                "AuthorizationHeaderMalformed"
            } else {
                "IncompleteSignature"
            };
            return refuse(&parts, &ServiceError::new(400, code, malformed.0));
        }
    };
    let target = match target(&parts, credential.as_ref()) {
        Ok(target) => target,
        Err(error) => {
            let service = credential
                .as_ref()
                .map(|it| it.service.as_str())
                .unwrap_or_default();
            return refuse_service(&parts, service, &error);
        }
    };
    let limit = match target {
        Target::Query(_) => query::MAX_BODY,
        Target::Json(_) => json::MAX_BODY,
        Target::S3 => s3::MAX_BODY,
    };
    let body = match whole(&parts, body, limit).await {
        Ok(body) => body,
        Err(Unread::TooLarge) if target == Target::S3 => {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return closing(s3::failure(&ServiceError::new(
                400,
                "EntityTooLarge",
                message,
            )));
        }
        Err(Unread::TooLarge) => {
            return closing(refuse(
                &parts,
                &ServiceError::new(413, "RequestEntityTooLarge", "Request size is too large."),
            ));
        }
        Err(Unread::Slow) => {
            const IDLE: &str = "Your socket connection to the server was not read from or written \
                to within the timeout period.";
            return closing(refuse(
                &parts,
                &ServiceError::new(400, "RequestTimeout", IDLE),
            ));
        }
        Err(Unread::CutOff) => return Reply::Cut,
    };
    seat.serves();
    // A client that hangs up doesn't stop what it has asked for.
    let (cloud, s3) = (cloud.clone(), s3.clone());
    let served =
        tokio::spawn(async move { route(&cloud, &s3, target, credential, parts, body).await });
    served.await.unwrap_or(Reply::Cut)
}

/// Hands a whole request to its service.
async fn route(
    cloud: &Arc<Cloud>,
    s3: &S3Service,
    target: Target,
    credential: Option<Credential>,
    parts: Parts,
    body: Bytes,
) -> Reply {
    match (target, credential) {
        (Target::S3, credential) => s3::answer(cloud, s3, credential, parts, body).await,
        (_, None) => refuse(
            &parts,
            &ServiceError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
        ),
        (Target::Query(service), Some(credential)) => {
            let form = query::form(&parts.method, parts.uri.query(), &body);
            query::answer(cloud, service, &credential, &form).await
        }
        (Target::Json(service), Some(credential)) => {
            json::answer(cloud, service, &credential, &parts, &body).await
        }
    }
}

/// By the service that the signature names; without one, by what the request looks like.
fn target(parts: &Parts, credential: Option<&Credential>) -> Result<Target, ServiceError> {
    let Some(credential) = credential else {
        return Ok(unsigned(parts));
    };
    // A presigned request for another service than S3 is as good as any other.
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
    let query = || Query::named(name).map(Target::Query);
    let json = || json::Service::named(name).map(Target::Json);
    let s3 = || (name == "s3").then_some(Target::S3);
    let found = query().or_else(json).or_else(s3);
    // Nothing that a client would try again.
    let message = format!("the service `{name}` is not available in the simulator");
    found.ok_or_else(|| ServiceError::new(400, "ServiceNotAvailable", message))
}

fn unsigned(parts: &Parts) -> Target {
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
        "amazonssm" => return Target::Json(json::Service::Ssm),
        "secretsmanager" => return Target::Json(json::Service::SecretsManager),
        "codepipeline" => return Target::Json(json::Service::CodePipeline),
        _ => {}
    }
    let query = parts.uri.query().unwrap_or_default();
    let version = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "Version");
    let by_version = version.and_then(|(_, version)| Query::of_version(&version));
    let is_form = header("content-type").starts_with("application/x-www-form-urlencoded")
        && parts.uri.path() == "/";
    match by_version {
        Some(service) => Target::Query(service),
        None if is_form => Target::Query(Query::CloudFormation),
        None => Target::S3,
    }
}

/// Why there is no body.
#[derive(Debug)]
enum Unread {
    TooLarge,
    Slow,
    CutOff,
}

/// The whole body, in one piece.
async fn whole(parts: &Parts, mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    let announced = parts
        .headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let announced = match announced.map(usize::try_from) {
        Some(Ok(length)) if length <= limit => length,
        Some(_) => return Err(Unread::TooLarge),
        None => 0,
    };
    let started = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let earned = Duration::from_secs((bytes.len() / SLOWEST) as u64);
        let until = (started + PAUSE_AT_MOST + earned).min(Instant::now() + PAUSE_AT_MOST);
        let Some(frame) = timeout_at(until, body.frame())
            .await
            .map_err(|_| Unread::Slow)?
        else {
            break;
        };
        let Ok(data) = frame.map_err(|_| Unread::CutOff)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(Unread::TooLarge);
        }
        make_room(&mut bytes, data.len(), announced);
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Makes room for what comes, and for what is announced as far as that can be believed: it costs
/// nothing to announce. Objects are kept as they came, so there is to be no more room than needed.
fn make_room(bytes: &mut Vec<u8>, coming: usize, announced: usize) {
    const BELIEVED: usize = 8 * 1024 * 1024;
    if bytes.capacity() - bytes.len() < coming {
        let rest = announced.saturating_sub(bytes.len());
        let believed = rest.min(bytes.len().max(BELIEVED));
        match rest {
            0 => bytes.reserve(coming),
            _ => bytes.reserve_exact(believed.max(coming)),
        }
    }
}

/// An error in the words of whichever protocol the request seems to speak.
fn refuse(parts: &Parts, error: &ServiceError) -> Reply {
    if parts.headers.contains_key("x-amz-target") {
        return json::failure(error);
    }
    if parts.headers.contains_key("x-amz-content-sha256") {
        return s3::failure(error);
    }
    query::failure(None, error)
}

/// Services besides S3 that speak XML by paths.
const SPEAK_XML: [&str; 3] = ["cloudfront", "route53", "s3control"];

/// An error of a service that isn't here, in its protocol: what is no form and no XML is JSON.
fn refuse_service(parts: &Parts, service: &str, error: &ServiceError) -> Reply {
    let content = parts
        .headers
        .get("content-type")
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    match content.starts_with("application/x-www-form-urlencoded") || SPEAK_XML.contains(&service) {
        true => query::failure(None, error),
        false => json::failure(error),
    }
}

/// The rest of a body that isn't read stands in the way of a next request.
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
    fn room_is_made_as_needed() {
        let check = |announced: usize, total: usize, most: usize| {
            let mut bytes = Vec::new();
            for _ in 0..total.div_ceil(1000) {
                make_room(&mut bytes, 1000, announced);
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
        // What was announced and doesn't come.
        check(usize::MAX, 1_000, 8 * 1024 * 1024);
        // What comes without being announced.
        check(0, 5_000, 10_000);
    }

    #[test]
    fn requests_find_their_service() {
        let check = |request: http::request::Builder, expect: Result<Target, &str>| {
            let parts = request.body(()).unwrap().into_parts().0;
            let credential = caller::read(&parts).unwrap();
            let found = target(&parts, credential.as_ref()).map_err(|error| error.message);
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
            Ok(Target::Query(Query::CloudFormation)),
        );
        check(signed("sts"), Ok(Target::Query(Query::Sts)));
        check(signed("ec2"), Ok(Target::Query(Query::Ec2)));
        check(signed("ssm"), Ok(Target::Json(json::Service::Ssm)));
        check(
            signed("secretsmanager"),
            Ok(Target::Json(json::Service::SecretsManager)),
        );
        check(signed("s3"), Ok(Target::S3));
        check(signed("iam"), Ok(Target::Query(Query::Iam)));
        check(
            signed("ecr"),
            Err("the service `ecr` is not available in the simulator"),
        );
        let unsigned = |uri: &str| Request::builder().uri(uri);
        check(unsigned("/bucket/key"), Ok(Target::S3));
        check(
            unsigned("/?Action=X&Version=2011-06-15"),
            Ok(Target::Query(Query::Sts)),
        );
        check(
            unsigned("/").header("content-type", "application/x-www-form-urlencoded"),
            Ok(Target::Query(Query::CloudFormation)),
        );
        check(
            unsigned("/").header("x-amz-target", "AmazonSSM.GetParameter"),
            Ok(Target::Json(json::Service::Ssm)),
        );
        check(
            unsigned("/").header("x-amz-target", "secretsmanager.GetSecretValue"),
            Ok(Target::Json(json::Service::SecretsManager)),
        );
    }
}
