//! The awsQuery protocol: forms in, XML out. CloudFormation, STS and IAM use it, and EC2 a variant
//! of it.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use uuid::Uuid;

use super::caller::Credential;
use super::cloudformation;
use super::dispatch::{Body, Reply};
use super::error::ServiceError;
use super::fault::{CallRefusal, serve_with_faults};
use super::xml::XmlWriter;
use super::{Cloud, ec2, iam, sts};

/// A service that uses awsQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryService {
    CloudFormation,
    Sts,
    Ec2,
    Iam,
}

/// An action with its parameters, read from a form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryForm {
    pub action: String,
    pub version: String,
    pub parameters: Vec<(String, String)>,
}

/// The largest form in bytes, so that CloudFormation itself refuses a template of 2 MB, which
/// encoding may treble.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;

impl QueryService {
    const ALL: [Self; 4] = [Self::CloudFormation, Self::Sts, Self::Ec2, Self::Iam];

    /// Returns the name in credential scopes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Sts => "sts",
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
        }
    }

    /// Returns the service with a name in credential scopes.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Returns the service whose API version an unsigned request names.
    pub(super) fn of_version(version: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.version() == version)
    }

    fn version(self) -> &'static str {
        match self {
            Self::CloudFormation => "2010-05-15",
            Self::Sts => "2011-06-15",
            Self::Ec2 => "2016-11-15",
            Self::Iam => "2010-05-08",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }
}

/// Returns the form of a request: its body, or its query string if there is no body.
pub(super) fn form(method: &Method, query: Option<&str>, body: &[u8]) -> QueryForm {
    let mut form = QueryForm::default();
    let bytes = if *method == Method::GET || body.is_empty() {
        query.unwrap_or_default().as_bytes()
    } else {
        body
    };
    for (name, value) in form_urlencoded::parse(bytes) {
        match &*name {
            "Action" => form.action = value.into_owned(),
            "Version" => form.version = value.into_owned(),
            _ if name.starts_with("X-Amz-") => {}
            _ => form
                .parameters
                .push((name.into_owned(), value.into_owned())),
        }
    }
    form
}

/// Returns the value of a parameter.
pub(super) fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
}

/// Returns the values of `prefix.1`, `prefix.2`…, in the order of their numbers.
pub(super) fn list<'a>(parameters: &'a [(String, String)], prefix: &str) -> Vec<&'a str> {
    let numbered = parameters.iter().filter_map(|(name, value)| {
        let number: u32 = name.strip_prefix(prefix)?.strip_prefix('.')?.parse().ok()?;
        Some((number, value.as_str()))
    });
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

/// Answers a request for an awsQuery service.
pub(super) async fn answer(
    cloud: &Arc<Cloud>,
    service: QueryService,
    credential: &Credential,
    form: &QueryForm,
) -> Reply {
    let name = parameter(&form.parameters, "StackName").map(stack_name);
    let caller = &credential.caller;
    let result = serve_with_faults(cloud, service.name(), &form.action, caller, name, || {
        serve(cloud, service, credential, form)
    });
    match result.await {
        Ok(content) => success(service, &form.action, &content),
        Err(CallRefusal::Error(error)) => failure(Some(service), &error),
        Err(CallRefusal::Cut) => Reply::Cut,
    }
}

/// Returns a stack's name, also from its ID.
fn stack_name(name_or_id: &str) -> &str {
    match name_or_id.strip_prefix("arn:") {
        Some(arn) => arn.split('/').nth(1).unwrap_or(name_or_id),
        None => name_or_id,
    }
}

fn serve(
    cloud: &Cloud,
    service: QueryService,
    credential: &Credential,
    form: &QueryForm,
) -> Result<String, ServiceError> {
    if form.action.is_empty() {
        return Err(ServiceError::new(
            400,
            "MissingAction",
            "The request must contain the parameter Action.",
        ));
    }
    if form.version != service.version() {
        return Err(unknown_action(service, form));
    }
    let caller = &credential.caller;
    match service {
        QueryService::CloudFormation => {
            let request = cloudformation::QueryRequest {
                caller,
                parameters: &form.parameters,
            };
            cloud.cloudformation.call(cloud, &form.action, &request)
        }
        QueryService::Sts => {
            sts::call(cloud, credential, form).unwrap_or_else(|| Err(unknown_action(service, form)))
        }
        QueryService::Iam => iam::call(cloud, &credential.caller, form)
            .unwrap_or_else(|| Err(unknown_action(service, form))),
        QueryService::Ec2 => {
            ec2::call(cloud, caller, form).unwrap_or_else(|| Err(unknown_action(service, form)))
        }
    }
}

fn unknown_action(service: QueryService, form: &QueryForm) -> ServiceError {
    let message = match service {
        QueryService::Ec2 => format!(
            "The action {} is not valid for this web service.",
            form.action
        ),
        _ => format!(
            "Could not find operation {} for version {}",
            form.action, form.version
        ),
    };
    ServiceError::new(400, "InvalidAction", &message)
}

fn success(service: QueryService, action: &str, content: &str) -> Reply {
    let request_id = Uuid::new_v4();
    let mut xml = XmlWriter::new();
    xml.in_namespace(
        &format!("{action}Response"),
        service.namespace(),
        |xml| match service {
            QueryService::Ec2 => {
                xml.text("requestId", request_id).append(content);
            }
            _ => {
                xml.raw(&format!("{action}Result"), content)
                    .element("ResponseMetadata", |xml| {
                        xml.text("RequestId", request_id);
                    });
            }
        },
    );
    respond(StatusCode::OK, request_id, xml)
}

/// Returns an error in the service's format; in the common format if the service isn't known.
pub(super) fn failure(service: Option<QueryService>, error: &ServiceError) -> Reply {
    let request_id = Uuid::new_v4();
    let code_and_message = |xml: &mut XmlWriter| {
        xml.text("Code", &error.code)
            .text("Message", &error.message);
    };
    let mut xml = XmlWriter::new();
    if service == Some(QueryService::Ec2) {
        xml.element("Response", |xml| {
            xml.element("Errors", |xml| {
                xml.element("Error", code_and_message);
            })
            .text("RequestID", request_id);
        });
    } else {
        let namespace = service.unwrap_or(QueryService::CloudFormation).namespace();
        xml.in_namespace("ErrorResponse", namespace, |xml| {
            xml.element("Error", |xml| {
                xml.text(
                    "Type",
                    if error.status < 500 {
                        "Sender"
                    } else {
                        "Receiver"
                    },
                );
                code_and_message(xml);
            });
            xml.text("RequestId", request_id);
        });
    }
    respond(
        StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        request_id,
        xml,
    )
}

/// Returns a response with XML.
pub(super) fn respond(status: StatusCode, request_id: Uuid, xml: XmlWriter) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        xml.finish()
    );
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/xml;charset=UTF-8")
        .header("x-amzn-requestid", request_id.to_string())
        .body(Body::from(Bytes::from(body)));
    response.map_or(Reply::Cut, Reply::Response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: Reply) -> (u16, String) {
        let Reply::Response(response) = reply else {
            panic!("cut")
        };
        let text = String::from_utf8(response.body().bytes().unwrap().to_vec()).unwrap();
        let id = response.headers()["x-amzn-requestid"].to_str().unwrap();
        (response.status().as_u16(), text.replace(id, "ID"))
    }

    #[test]
    fn forms_are_read_from_body_or_query() {
        let read =
            |method: Method, query: Option<&str>, body: &str| form(&method, query, body.as_bytes());
        let expect = QueryForm {
            action: "A".into(),
            version: "2010-05-15".into(),
            parameters: vec![("X.2".into(), "b c".into()), ("X.1".into(), "ü&".into())],
        };
        let text = "Action=A&Version=2010-05-15&X.2=b+c&X.1=%C3%BC%26";
        assert_eq!(read(Method::POST, None, text), expect);
        assert_eq!(
            read(Method::GET, Some(&format!("{text}&X-Amz-Signature=s")), ""),
            expect
        );
        assert_eq!(list(&expect.parameters, "X"), ["ü&", "b c"]);
        assert_eq!(parameter(&expect.parameters, "X.2"), Some("b c"));
        assert_eq!(
            read(Method::POST, None, "\u{0}%%%=&&&="),
            QueryForm {
                parameters: vec![("\u{0}%%%".into(), "".into()), ("".into(), "".into())],
                ..QueryForm::default()
            }
        );
    }

    #[test]
    fn responses_are_wrapped_as_each_service_does() {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let check = |reply: Reply, status: u16, expect: &str| {
            assert_eq!(body(reply), (status, format!("{head}{expect}")));
        };
        check(
            success(
                QueryService::CloudFormation,
                "CreateStack",
                "<StackId>a</StackId>",
            ),
            200,
            "<CreateStackResponse \
             xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><CreateStackResult>\
             <StackId>a</StackId></CreateStackResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>\
             </CreateStackResponse>",
        );
        check(
            success(
                QueryService::Ec2,
                "DescribeRegions",
                "<regionInfo></regionInfo>",
            ),
            200,
            "<DescribeRegionsResponse \
             xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>ID</requestId>\
             <regionInfo></regionInfo></DescribeRegionsResponse>",
        );
        check(
            failure(
                Some(QueryService::CloudFormation),
                &ServiceError::new(400, "ValidationError", "a < b"),
            ),
            400,
            "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
             <Code>ValidationError</Code><Message>a &lt; \
             b</Message></Error><RequestId>ID</RequestId></ErrorResponse>",
        );
        check(
            failure(
                Some(QueryService::Ec2),
                &ServiceError::new(503, "RequestLimitExceeded", "Request limit exceeded."),
            ),
            503,
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit \
             exceeded.</Message>\
             </Error></Errors><RequestID>ID</RequestID></Response>",
        );
    }

    #[test]
    fn stack_names_are_read_from_arns() {
        assert_eq!(
            stack_name("arn:aws:cloudformation:us-east-1:1:stack/tcat-a/0b1c"),
            "tcat-a"
        );
        assert_eq!(stack_name("tcat-a"), "tcat-a");
    }
}
