//! Calls of services that have no SDK crate here, spoken by hand.
//!
//! The SDK crates of EC2 and Service Quotas cost minutes of compilation and gigabytes of memory for
//! the sake of a few requests, so these are signed and sent here: over the same HTTP client, with
//! the same credentials.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use backon::Retryable;
use quick_xml::events::Event;

use super::endpoint::{EndpointVariant, aws_url, endpoint_override};
use super::retry::{CallFailure, FIRST_CALL_ATTEMPTS, backoff, timeouts};
use super::{AwsError, Clients, ErrorKind};
use crate::catalog;

/// A request without secrets, whole.
pub(super) struct SignedCall {
    pub service: SignedService,
    pub operation: &'static str,
    pub body: Cow<'static, str>,
    /// No other call comes before it, which would have found a wrong endpoint.
    pub is_first_call: bool,
}

/// A service without an SDK crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignedService {
    /// awsQuery: a form in, XML out.
    Ec2,
    /// JSON 1.1.
    ServiceQuotas,
    /// A GET without a body, XML out.
    Route53,
    /// JSON 1.0.
    CloudControl,
    /// awsQuery, with one endpoint per partition.
    Iam,
}

impl SignedService {
    /// Returns the SDK's ID of the service, which names its endpoint in the configuration.
    fn id(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::ServiceQuotas => "Service Quotas",
            Self::Route53 => "Route 53",
            Self::CloudControl => "CloudControl",
            Self::Iam => "IAM",
        }
    }

    /// Returns the name in URLs and signatures.
    fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::ServiceQuotas => "servicequotas",
            Self::Route53 => "route53",
            Self::CloudControl => "cloudcontrolapi",
            Self::Iam => "iam",
        }
    }

    /// Returns the method and the path.
    fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::Ec2 | Self::ServiceQuotas | Self::CloudControl | Self::Iam => ("POST", ""),
            Self::Route53 => ("GET", "/2013-04-01/hostedzone"),
        }
    }

    /// Returns the URL in AWS, and the region that a request is signed for. Route 53 and IAM have
    /// one endpoint per partition (<https://docs.aws.amazon.com/general/latest/gr/r53.html>,
    /// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>).
    fn place(self, region: &str, variant: EndpointVariant) -> (String, &str) {
        let partition = catalog::partition_of(region).name;
        let (url, signed_for) = match (self, partition) {
            (Self::Route53, "aws-cn") => ("https://route53.amazonaws.com.cn", "cn-northwest-1"),
            (Self::Route53, "aws-us-gov") => {
                ("https://route53.us-gov.amazonaws.com", "us-gov-west-1")
            }
            (Self::Route53, "aws") => ("https://route53.amazonaws.com", "us-east-1"),
            (Self::Iam, "aws-cn") => ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Self::Iam, "aws-us-gov") => ("https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (Self::Iam, "aws") => ("https://iam.amazonaws.com", "us-east-1"),
            _ => return (aws_url(self.name(), region, variant), region),
        };
        (url.to_owned(), signed_for)
    }

    fn headers(self, operation: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Ec2 | Self::Iam => vec![(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
            )],
            Self::Route53 => Vec::new(),
            Self::ServiceQuotas => vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                (
                    "x-amz-target",
                    format!("ServiceQuotasV20190624.{operation}"),
                ),
            ],
            Self::CloudControl => vec![
                ("content-type", "application/x-amz-json-1.0".to_owned()),
                ("x-amz-target", format!("CloudApiService.{operation}")),
            ],
        }
    }
}

impl Clients {
    pub(super) async fn signed(&self, call: &SignedCall) -> Result<Vec<u8>, AwsError> {
        let started = Instant::now();
        let mut attempts = 0;
        let may_follow = |error: &AwsError| {
            attempts += 1;
            let failure = match error.kind {
                ErrorKind::Throttled => CallFailure::Throttled,
                ErrorKind::Unreachable if call.is_first_call && attempts >= FIRST_CALL_ATTEMPTS => {
                    return false;
                }
                ErrorKind::Unreachable => CallFailure::ConnectionRefused,
                _ => CallFailure::Other,
            };
            error.may_pass()
                && self.retry_limits.allows_attempt_after(attempts)
                && failure.may_pass(started.elapsed())
        };
        (|| self.ask(call)).retry(backoff()).when(may_follow).await
    }

    async fn ask(&self, call: &SignedCall) -> Result<Vec<u8>, AwsError> {
        let failed = |error: &dyn std::fmt::Display| self.failed(call, ErrorKind::Network, error);
        let unanswered =
            |error: ConnectorError| AwsError::unanswered(call.operation, &self.region, &error);
        let mut request = Request::new(SdkBody::from(&*call.body));
        let service = call.service;
        let variant = EndpointVariant::of(&self.config);
        let (aws, _) = service.place(&self.region, variant);
        let url = endpoint_override(&self.config, service.id()).unwrap_or(aws);
        let (method, path) = service.resource();
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let built = request.set_method(method).is_ok() && request.set_uri(url.as_str()).is_ok();
        if !built {
            return Err(self.failed(call, ErrorKind::Other, &format!("{url} is not a URL")));
        }
        for (name, value) in service.headers(call.operation) {
            request.headers_mut().insert(name, value);
        }
        self.sign(call, &mut request).await?;
        tracing::debug!("{} {} {url}", service.id(), call.operation);

        let limits = timeouts(self.call_timeout);
        let connector = self
            .http
            .connector(limits.connect_timeout(), limits.read_timeout());
        let answer = connector.call(request).await.map_err(unanswered)?;
        let status = answer.status();
        let body = ByteStream::new(answer.into_body())
            .collect()
            .await
            .map_err(|error| failed(&error))?
            .to_vec();
        if status.is_success() {
            Ok(body)
        } else {
            Err(self.refused(call, status.as_u16(), &body))
        }
    }

    async fn sign(&self, call: &SignedCall, request: &mut Request) -> Result<(), AwsError> {
        let other = |error: &dyn std::fmt::Display| self.failed(call, ErrorKind::Other, error);
        let credentials = match self.config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await,
            None => return Err(self.failed(call, ErrorKind::Credentials, &"no credentials")),
        };
        let unsigned = |error| AwsError::unsigned(call.operation, &self.region, error);
        let identity = credentials.map_err(unsigned)?.into();
        let variant = EndpointVariant::of(&self.config);
        let (_, signed_for) = call.service.place(&self.region, variant);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(signed_for)
            .name(call.service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| other(&error))?
            .into();
        let body = SignableBody::Bytes(call.body.as_bytes());
        let signable = SignableRequest::new(
            request.method(),
            request.uri(),
            request.headers().iter(),
            body,
        );
        let (instructions, _) = sign(signable.map_err(|error| other(&error))?, &parameters)
            .map_err(|error| other(&error))?
            .into_parts();
        for (name, value) in instructions.headers() {
            request
                .headers_mut()
                .insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Reads an error answer: `<Response><Errors><Error><Code>…</Code><Message>…</Message>`, or
    /// `{"__type": …, "message": …}`.
    fn refused(&self, call: &SignedCall, status: u16, body: &[u8]) -> AwsError {
        let texts = texts(body, &["Code", "Message"]).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name| {
            let in_json = match name {
                "Code" => json["__type"].as_str().and_then(|it| it.rsplit('#').next()),
                _ => json["message"].as_str().or(json["Message"].as_str()),
            };
            let in_xml = texts.iter().find(|(found, _)| *found == name);
            in_xml
                .map(|(_, text)| text.clone())
                .or_else(|| in_json.map(str::to_owned))
        };
        match text("Code") {
            code if status == 501 => AwsError::not_implemented(
                call.operation,
                &self.region,
                code,
                &text("Message").unwrap_or_default(),
            ),
            Some(code) => AwsError::with_code(
                call.operation,
                &self.region,
                code,
                text("Message").unwrap_or_default(),
            ),
            None if status >= 500 => self.failed(
                call,
                ErrorKind::Unavailable,
                &format!("HTTP status {status}"),
            ),
            None => self.failed(call, ErrorKind::Other, &format!("HTTP status {status}")),
        }
    }

    pub(super) fn garbled(&self, call: &SignedCall) -> AwsError {
        self.failed(call, ErrorKind::Other, &"the answer is not as documented")
    }

    fn failed(
        &self,
        call: &SignedCall,
        kind: ErrorKind,
        error: &dyn std::fmt::Display,
    ) -> AwsError {
        AwsError {
            kind,
            ..AwsError::unexpected(call.operation, &self.region, error.to_string())
        }
    }
}

/// Returns the items of a list (`<imagesSet><item>…`), each with the texts of the elements directly
/// in it by name; `None` if it isn't XML.
pub(super) fn items(body: &[u8], list: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut found: Vec<BTreeMap<String, String>> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
                if let [.., parent, item] = &path[..]
                    && parent == list
                    && item == "item"
                {
                    found.push(BTreeMap::new());
                }
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => {
                text.push_str(quick_xml::escape::resolve_predefined_entity(&entity)?);
            }
            Event::End(_) => {
                let name = path.pop()?;
                if let [.., parent, item] = &path[..]
                    && parent == list
                    && item == "item"
                {
                    found.last_mut()?.insert(name, std::mem::take(&mut text));
                }
            }
            Event::Eof => return Some(found),
            _ => {}
        }
    }
}

/// Returns the texts of the named elements in the order of the document; `None` if it isn't XML.
pub(super) fn texts<'n>(body: &[u8], wanted: &[&'n str]) -> Option<Vec<(&'n str, String)>> {
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = wanted
                    .iter()
                    .copied()
                    .find(|name| *name == start.local_name().as_ref());
                inside = name.is_some();
                found.extend(name.map(|name| (name, String::new())));
            }
            Event::Text(text) if inside => found.last_mut()?.1.push_str(&text),
            // `&quot;` and its like come as events of their own.
            Event::GeneralRef(entity) if inside => {
                found
                    .last_mut()?
                    .1
                    .push_str(quick_xml::escape::resolve_predefined_entity(&entity)?);
            }
            Event::End(_) => inside = false,
            Event::Eof => return Some(found),
            _ => {}
        }
    }
}
