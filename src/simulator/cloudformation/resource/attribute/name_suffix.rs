//! Values of attributes that no table lists, from the end of their names.

use super::super::pattern::Placeholders;
use super::super::{DeclaredResource, arn};
use super::names_own_type;

/// What the end of an attribute's name says of its value, words in lower case and with hyphens
/// before them; the first that fits counts. `{host}` is a name in the service's domain.
pub(super) const SUFFIX_PATTERNS: &[(&str, &str)] = &[
    ("-security-group-id", "sg-{hex17}"),
    ("-security-group-ids", "sg-{hex17}"),
    ("-network-interface-id", "eni-{hex17}"),
    ("-eni-id", "eni-{hex17}"),
    ("-route-table-id", "rtb-{hex17}"),
    ("-vpc-id", "vpc-{hex17}"),
    ("-subnet-id", "subnet-{hex17}"),
    ("-instance-id", "i-{hex17}"),
    ("-image-id", "ami-{hex17}"),
    ("-volume-id", "vol-{hex17}"),
    ("-file-system-id", "fs-{hex17}"),
    ("-key-id", "{uuid}"),
    ("-hosted-zone-id", "Z{upper13}"),
    ("-account-id", "{account}"),
    ("-owner-id", "{account}"),
    ("-id", "{lower10}"),
    ("-domain-name", "{host}"),
    ("-dns-name", "{host}"),
    ("-ip-address", "10.0.{byte}.{byte}"),
    ("-ip-addresses", "10.0.{byte}.{byte}"),
    ("-ip", "10.0.{byte}.{byte}"),
    ("-ips", "10.0.{byte}.{byte}"),
    ("-address", "{host}"),
    ("-endpoint", "{host}"),
    ("-url", "https://{host}"),
    ("-uri", "https://{host}"),
    ("-name", "{name}"),
    ("-availability-zone", "{region}a"),
    ("-availability-zones", "{region}a"),
    ("-time", "2025-01-01T00:00:00Z"),
    ("-date", "2025-01-01T00:00:00Z"),
    ("-timestamp", "2025-01-01T00:00:00Z"),
    ("-at", "2025-01-01T00:00:00Z"),
    ("-version", "1"),
    ("-version-number", "1"),
    ("-revision", "1"),
];

/// Returns a value of the form that the attribute's name suggests.
pub(super) fn from_name_suffix(placeholders: &mut Placeholders, attribute: &str) -> String {
    let declared = placeholders.declared;
    let last = attribute.rsplit('.').next().unwrap_or(attribute);
    let ending = format!("-{}", arn::kebab(last));
    if ending.ends_with("-arn") {
        return arn::related_arn(placeholders, &last[..last.len() - "arn".len()]);
    }
    if names_own_type(declared, attribute, "id")
        || names_own_type(declared, attribute, "identifier")
    {
        return placeholders.id.to_owned();
    }
    if ending.ends_with("-port") {
        return port(declared);
    }
    match SUFFIX_PATTERNS
        .iter()
        .find(|(end, _)| ending.ends_with(end))
    {
        Some((_, pattern)) => {
            let name = placeholders.name.to_ascii_lowercase();
            let service = arn::service(declared.kind);
            let host = format!("{name}.{{lower12}}.{{region}}.{service}.{{suffix}}");
            placeholders.expand(&pattern.replace("{host}", &host))
        }
        None => format!("simulated-{attribute}"),
    }
}

/// Returns the port that the service listens on: the template's, or the default of its engine.
pub(super) fn port(declared: &DeclaredResource) -> String {
    if let Some(port) = declared.property("Port").and_then(|port| port.as_text()) {
        return port;
    }
    let engine = declared
        .property("Engine")
        .and_then(|engine| engine.as_text())
        .unwrap_or_default();
    let starts = |start: &str| engine.starts_with(start);
    let port = match declared.kind.split("::").nth(1).unwrap_or_default() {
        "RDS" if starts("postgres") || starts("aurora-postgres") => "5432",
        "RDS" if starts("oracle") => "1521",
        "RDS" if starts("sqlserver") => "1433",
        "RDS" if starts("db2") => "50000",
        "RDS" => "3306",
        "ElastiCache" if starts("memcached") => "11211",
        "ElastiCache" | "MemoryDB" => "6379",
        "Redshift" | "RedshiftServerless" => "5439",
        "DocDB" => "27017",
        "Neptune" => "8182",
        _ => "443",
    };
    port.to_owned()
}
