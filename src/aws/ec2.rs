//! EC2: two calls, spoken by hand.
//!
//! The EC2 SDK crate costs minutes of compilation and gigabytes of memory for the sake of two
//! requests, so they are signed and sent here: awsQuery over the same HTTP client, with the same
//! credentials.

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
use super::{Aws, AwsError, Clients, ErrorKind};

/// A request without secrets, whole.
struct Ec2Query {
    operation: &'static str,
    body: &'static str,
    /// No other call comes before it, which would have found a wrong endpoint.
    is_first_call: bool,
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>
const AVAILABILITY_ZONES: Ec2Query = Ec2Query {
    operation: "DescribeAvailabilityZones",
    body: "Action=DescribeAvailabilityZones&Version=2016-11-15&Filter.1.Name=state&Filter.1.Value.1=available",
    is_first_call: false,
};

/// Without `AllRegions`: those that the account has enabled.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
const REGIONS: Ec2Query = Ec2Query {
    operation: "DescribeRegions",
    body: "Action=DescribeRegions&Version=2016-11-15",
    is_first_call: true,
};

impl Aws {
    /// Names of the regions that the profile's account has enabled, in its partition.
    pub async fn regions(&self, profile: &str) -> Result<Vec<String>, AwsError> {
        // Any region of the partition knows them all; the profile's own tells which partition that
        // is.
        let clients = self
            .clients(profile, &self.home_region(profile).await)
            .await;
        let body = clients.query(&REGIONS).await?;
        let names = texts(&body, &["regionName"]).ok_or_else(|| clients.garbled(&REGIONS))?;
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }
}

impl Clients {
    /// Returns name and ID (`us-east-1a`, `use1-az6`) of the region's available zones, in AWS's
    /// order.
    pub async fn availability_zones(&self) -> Result<Vec<(String, String)>, AwsError> {
        let body = self.query(&AVAILABILITY_ZONES).await?;
        zones(&body).ok_or_else(|| self.garbled(&AVAILABILITY_ZONES))
    }

    async fn query(&self, query: &Ec2Query) -> Result<Vec<u8>, AwsError> {
        let started = Instant::now();
        let mut attempts = 0;
        let may_follow = |error: &AwsError| {
            attempts += 1;
            let failure = match error.kind {
                ErrorKind::Throttled => CallFailure::Throttled,
                ErrorKind::Unreachable
                    if query.is_first_call && attempts >= FIRST_CALL_ATTEMPTS =>
                {
                    return false;
                }
                ErrorKind::Unreachable => CallFailure::ConnectionRefused,
                _ => CallFailure::Other,
            };
            error.may_pass()
                && self.retry_limits.allows_attempt_after(attempts)
                && failure.may_pass(started.elapsed())
        };
        (|| self.ask(query)).retry(backoff()).when(may_follow).await
    }

    async fn ask(&self, query: &Ec2Query) -> Result<Vec<u8>, AwsError> {
        let failed = |error: &dyn std::fmt::Display| self.failed(query, ErrorKind::Network, error);
        let unanswered =
            |error: ConnectorError| AwsError::unanswered(query.operation, &self.region, &error);
        let mut request = Request::new(SdkBody::from(query.body));
        let url = endpoint_override(&self.config, "EC2")
            .unwrap_or_else(|| aws_url("ec2", &self.region, EndpointVariant::of(&self.config)));
        let built = request.set_method("POST").is_ok() && request.set_uri(url.as_str()).is_ok();
        if !built {
            return Err(self.failed(query, ErrorKind::Other, &format!("{url} is not a URL")));
        }
        request.headers_mut().insert(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        self.sign(query, &mut request).await?;
        tracing::debug!("EC2 {} {url}", query.operation);

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
            Err(self.refused(query, status.as_u16(), &body))
        }
    }

    async fn sign(&self, query: &Ec2Query, request: &mut Request) -> Result<(), AwsError> {
        let other = |error: &dyn std::fmt::Display| self.failed(query, ErrorKind::Other, error);
        let credentials = match self.config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await,
            None => return Err(self.failed(query, ErrorKind::Credentials, &"no credentials")),
        };
        let unsigned = |error| AwsError::unsigned(query.operation, &self.region, error);
        let identity = credentials.map_err(unsigned)?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| other(&error))?
            .into();
        let body = SignableBody::Bytes(query.body.as_bytes());
        let signable = SignableRequest::new("POST", request.uri(), request.headers().iter(), body);
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

    /// Reads an error answer: `<Response><Errors><Error><Code>…</Code><Message>…</Message>`.
    fn refused(&self, query: &Ec2Query, status: u16, body: &[u8]) -> AwsError {
        let texts = texts(body, &["Code", "Message"]).unwrap_or_default();
        let text = |name| {
            texts
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, text)| text.clone())
        };
        match text("Code") {
            code if status == 501 => AwsError::not_implemented(
                query.operation,
                &self.region,
                code,
                &text("Message").unwrap_or_default(),
            ),
            Some(code) => AwsError::with_code(
                query.operation,
                &self.region,
                code,
                text("Message").unwrap_or_default(),
            ),
            None if status >= 500 => self.failed(
                query,
                ErrorKind::Unavailable,
                &format!("HTTP status {status}"),
            ),
            None => self.failed(query, ErrorKind::Other, &format!("HTTP status {status}")),
        }
    }

    fn garbled(&self, query: &Ec2Query) -> AwsError {
        self.failed(
            query,
            ErrorKind::Other,
            &"the answer is not XML as documented",
        )
    }

    fn failed(&self, query: &Ec2Query, kind: ErrorKind, error: &dyn std::fmt::Display) -> AwsError {
        AwsError {
            kind,
            ..AwsError::unexpected(query.operation, &self.region, error.to_string())
        }
    }
}

fn zones(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut names = Vec::new();
    let mut ids = Vec::new();
    for (element, text) in texts(body, &["zoneName", "zoneId"])? {
        if element == "zoneName" {
            names.push(text)
        } else {
            ids.push(text)
        }
    }
    (names.len() == ids.len()).then(|| names.into_iter().zip(ids).collect())
}

/// Returns the texts of the named elements in the order of the document; `None` if it isn't XML.
fn texts<'n>(body: &[u8], wanted: &[&'n str]) -> Option<Vec<(&'n str, String)>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_in_order_and_garbage_is_none() {
        let body = "<R><availabilityZoneInfo><item><zoneName>us-east-1a</zoneName><zoneId>use1-az6</zoneId></item>\
                    <item><zoneName>us-east-1b</zoneName><zoneId>use1-az1</zoneId></item></availabilityZoneInfo></R>";
        let expect = [("us-east-1a", "use1-az6"), ("us-east-1b", "use1-az1")];
        let expect: Vec<_> = expect
            .iter()
            .map(|(name, id)| (name.to_string(), id.to_string()))
            .collect();
        assert_eq!(zones(body.as_bytes()), Some(expect));
        assert_eq!(zones(b"<R><zoneName>a</R>"), None);
        let error = b"<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was \
            &quot;not&quot; able</Message></Error></Errors></Response>";
        assert_eq!(
            texts(error, &["Message"]),
            Some(vec![("Message", r#"AWS was "not" able"#.to_owned())])
        );
        assert_eq!(zones(b"<R><zoneName>a</zoneName></R>"), None);
    }
}
