//! Which proxy a URL is called through, as the environment says: Python's rules
//! (`urllib.request.getproxies_environment` and `proxy_bypass_environment`), which are boto3's.
//!
//! Pure. Container and instance metadata never go through a proxy; their clients don't ask here.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::Scheme;
use http::{HeaderValue, Uri};

use super::super::environment::Environment;

/// The proxies of the process.
#[derive(Clone, Debug, Default)]
pub(in crate::aws) struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    /// `NO_PROXY`, as it is set.
    bypass: String,
}

/// A proxy that a variable sets.
#[derive(Debug)]
pub(in crate::aws) struct Proxy {
    /// `HTTPS_PROXY`
    pub variable: String,
    /// Without user and password: `http://proxy.example.com:8080`.
    pub shown: String,
    /// `None` where the variable's value can't be used.
    pub server: Option<ProxyServer>,
}

/// Where a proxy is, and how it knows the user.
pub(in crate::aws) struct ProxyServer {
    pub uri: Uri,
    /// User and password, for the header `proxy-authorization`.
    pub authorization: Option<HeaderValue>,
}

/// Without user and password.
impl std::fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.uri)
    }
}

impl Proxies {
    /// Reads the variables.
    pub(crate) fn of(environment: &Environment) -> Self {
        let proxy = |scheme: &str| {
            let (variable, value) = variable(environment, scheme)?;
            Some(Arc::new(Proxy::new(variable, value)))
        };
        let bypass = variable(environment, "no")
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default();
        Self {
            http: proxy("http"),
            https: proxy("https"),
            bypass,
        }
    }

    /// Returns the proxy for a URL, unless it is called directly.
    pub(crate) fn of_url(&self, url: &Uri) -> Option<&Arc<Proxy>> {
        let proxy = if url.scheme() == Some(&Scheme::HTTPS) {
            &self.https
        } else {
            &self.http
        };
        let authority = url.authority()?.as_str();
        proxy
            .as_ref()
            .filter(|_| !is_bypassed(authority, &self.bypass))
    }
}

/// Returns the variable of a scheme. One in lower case takes precedence, and switches the proxy off
/// if it is empty.
fn variable<'e>(environment: &'e Environment, scheme: &str) -> Option<(String, &'e str)> {
    let lower = format!("{scheme}_proxy");
    if let Some(value) = environment.raw(&lower) {
        return (!value.is_empty()).then_some((lower, value));
    }
    // A web server sets HTTP_PROXY for a request with a header `Proxy` (CVE-2016-1000110).
    if scheme == "http" && environment.raw("REQUEST_METHOD").is_some() {
        return None;
    }
    let (name, value) = environment
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&lower))?;
    (!value.is_empty()).then_some((name.to_owned(), value))
}

impl Proxy {
    fn new(variable: String, value: &str) -> Self {
        let value = value.trim();
        let url = if value.contains("://") {
            value.to_owned()
        } else {
            format!("http://{value}")
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", value));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let shown = format!("{scheme}://{host}");
        let uri = Uri::try_from(shown.as_str())
            .ok()
            .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let server = uri
            .filter(|_| matches!(scheme, "http" | "https"))
            .map(|uri| ProxyServer {
                uri,
                authorization: user.and_then(basic_authorization),
            });
        Self {
            variable,
            shown,
            server,
        }
    }
}

/// `user:password`, in which `%` escapes characters.
fn basic_authorization(user: &str) -> Option<HeaderValue> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut words = unescaped(name);
    words.push(b':');
    words.extend(unescaped(password));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(words))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn unescaped(text: &str) -> Vec<u8> {
    // A form's encoding, but that `+` is itself.
    let form = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded = form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned());
    decoded.unwrap_or_default().into_bytes()
}

/// Returns whether `NO_PROXY` names a host, with or without its port, or an end of its name.
fn is_bypassed(authority: &str, bypass: &str) -> bool {
    if bypass == "*" {
        return true;
    }
    let authority = authority.to_lowercase();
    let port = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.chars().all(|it| it.is_ascii_digit()));
    let host = port.map_or(authority.as_str(), |(host, _)| host);
    let names = bypass
        .split(',')
        .map(|name| name.trim().trim_start_matches('.').to_lowercase());
    names.filter(|name| !name.is_empty()).any(|name| {
        let suffix = format!(".{name}");
        host == name || authority == name || host.ends_with(&suffix) || authority.ends_with(&suffix)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::environment;
    use super::*;

    #[test]
    fn the_proxy_is_pythons() {
        let check = |variables: &[(&str, &str)], url: &str, expected: &str| {
            let proxies = Proxies::of(&environment(variables));
            let found = proxies.of_url(&Uri::try_from(url).unwrap());
            let found = found
                .map(|it| format!("{} {}", it.variable, it.shown))
                .unwrap_or_default();
            assert_eq!(found, expected, "{variables:?} {url}");
        };
        let both = [("HTTP_PROXY", "http://p:1"), ("HTTPS_PROXY", "q:2")];
        check(&both, "http://h/", "HTTP_PROXY http://p:1");
        check(&both, "https://h/", "HTTPS_PROXY http://q:2");
        check(
            &[("HTTP_PROXY", "http://p:1"), ("http_proxy", "http://l:1")],
            "http://h/",
            "http_proxy http://l:1",
        );
        check(
            &[("HTTP_PROXY", "http://p:1"), ("http_proxy", "")],
            "http://h/",
            "",
        );
        check(&[("HTTP_PROXY", "")], "http://h/", "");
        check(
            &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
            "http://h/",
            "",
        );
        check(
            &[("HTTPS_PROXY", "http://user:s3cr3t@p:1/")],
            "https://h/",
            "HTTPS_PROXY http://p:1",
        );
        check(
            &[("HTTPS_PROXY", "socks5://p:1")],
            "https://h/",
            "HTTPS_PROXY socks5://p:1",
        );
        check(&[("ALL_PROXY", "http://p:1")], "https://h/", "");
        for (bypass, url, is_direct) in [
            ("*", "http://h/", true),
            ("a,*", "http://h/", false),
            ("h", "http://h:8080/", true),
            ("h:8080", "http://h:8080/", true),
            ("h:8080", "http://h:9090/", false),
            (
                ".amazonaws.com",
                "http://sts.us-east-1.amazonaws.com/",
                true,
            ),
            ("amazonaws.com", "http://notamazonaws.com/", false),
            (" H , b", "http://h/", true),
            (".0.0.1", "http://127.0.0.1:1/", true),
            ("127.0.0.0/8", "http://127.0.0.1/", false),
            ("[::1]", "http://[::1]:80/", true),
        ] {
            let variables = [("HTTP_PROXY", "http://p:1"), ("NO_PROXY", bypass)];
            check(
                &variables,
                url,
                if is_direct {
                    ""
                } else {
                    "HTTP_PROXY http://p:1"
                },
            );
        }
    }

    #[test]
    fn user_and_password_are_sent_unescaped_and_never_shown() {
        let proxy = Proxy::new("HTTPS_PROXY".into(), "http://me:a%40b+c@p:1");
        let server = proxy.server.as_ref().unwrap();
        assert_eq!(
            server.authorization.as_ref().unwrap(),
            &format!("Basic {}", STANDARD.encode("me:a@b+c"))
        );
        assert!(!format!("{proxy:?}").contains("a%40b"), "{proxy:?}");
        assert!(
            Proxy::new("HTTPS_PROXY".into(), "socks5://p:1")
                .server
                .is_none()
        );
        assert!(
            Proxy::new("HTTPS_PROXY".into(), "http://:1")
                .server
                .is_none()
        );
    }
}
