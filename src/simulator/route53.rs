//! Route 53: the hosted zones of seeds and stacks.
//!
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html>

use std::sync::Arc;

use http::request::Parts;
use http::{Method, StatusCode};
use uuid::Uuid;

use super::caller::Credential;
use super::dispatch::Reply;
use super::error::ServiceError;
use super::fault::{CallRefusal, serve_with_faults};
use super::query;
use super::xml::XmlWriter;
use super::{Caller, Cloud};

/// The name in credential scopes.
pub(super) const NAME: &str = "route53";

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Answers a request.
pub(super) async fn answer(cloud: &Arc<Cloud>, credential: &Credential, parts: &Parts) -> Reply {
    let is_list = parts.method == Method::GET && parts.uri.path() == "/2013-04-01/hostedzone";
    let action = if is_list { "ListHostedZones" } else { "" };
    let caller = &credential.caller;
    let serve = || {
        if is_list {
            Ok(list_hosted_zones(cloud, caller))
        } else {
            let message = format!("the simulator has no {} {}", parts.method, parts.uri.path());
            Err(ServiceError::new(400, "InvalidAction", message))
        }
    };
    match serve_with_faults(cloud, NAME, action, caller, None, serve).await {
        Ok(xml) => query::respond(StatusCode::OK, Uuid::new_v4(), xml),
        Err(CallRefusal::Error(error)) => query::failure(None, &error),
        Err(CallRefusal::Cut) => Reply::Cut,
    }
}

fn list_hosted_zones(cloud: &Cloud, caller: &Caller) -> XmlWriter {
    let seeded = cloud.seeds.hosted_zones(caller).into_iter().flatten();
    let seeded = seeded.map(|it| (it.id.clone(), it.name.clone().unwrap_or_default()));
    let created = cloud
        .cloudformation
        .resources(cloud, caller, "AWS::Route53::HostedZone")
        .into_iter()
        .map(|(id, properties)| {
            let name = properties["Name"].as_str().unwrap_or_default().to_owned();
            (id, name)
        });
    let zones: Vec<_> = seeded.chain(created).collect();
    let mut xml = XmlWriter::new();
    xml.in_namespace("ListHostedZonesResponse", NAMESPACE, |xml| {
        xml.element("HostedZones", |xml| {
            for (id, name) in &zones {
                xml.element("HostedZone", |xml| {
                    xml.text("Id", format!("/hostedzone/{id}"))
                        .text("Name", format!("{}.", name.trim_end_matches('.')))
                        .text("CallerReference", id)
                        .element("Config", |xml| {
                            xml.text("PrivateZone", false);
                        })
                        .text("ResourceRecordSetCount", 2);
                });
            }
        })
        .text("IsTruncated", false)
        .text("MaxItems", 100);
    });
    xml
}
