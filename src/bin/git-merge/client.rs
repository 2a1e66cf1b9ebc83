//! One call to GitHub's API, with everything that can go wrong on the way: the network, GitHub's
//! own failures, its rate limits, and redirections. `github` interprets the answers.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::{Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::http::{Headers, Request};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use backon::{ExponentialBuilder, Retryable};
use http::Uri;
use serde_json::Value;
use taskcat::aws::JobFailure;

use crate::deadline::{self, Deadline};
use crate::parameters::Api;
use crate::stop::{Later, Stop};
use crate::token::Token;

/// Number of retries if the network or GitHub itself fails: about eight seconds in total.
const RETRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Time limit of a call until GitHub begins to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause that GitHub asks for if it limits calls without saying for how long.
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api>
const UNSAID_LIMIT: u64 = 60;
/// Maximum number of consecutive redirections.
const MOST_REDIRECTIONS: usize = 3;
/// Maximum length of a message of GitHub's in characters: some error pages are long.
const LONGEST_MESSAGE: usize = 400;

pub struct Client<'a> {
    pub api: &'a Api,
    pub token: &'a Token,
    pub deadline: Deadline,
}

#[derive(Clone, Copy)]
pub enum Call<'a> {
    Get,
    Post(&'a Value),
}

/// An answer that is neither a limit nor a redirection nor a failure of GitHub's own.
pub struct GithubResponse {
    pub status: u16,
    /// `null` where there is no JSON.
    pub body: Value,
    /// GitHub's message if it refuses, otherwise empty.
    pub message: String,
    /// The page that GitHub refers to if it refuses, otherwise empty.
    pub documentation: String,
    limit: Limit,
    location: Option<String>,
}

/// The headers that say when to call again.
#[derive(Default)]
struct Limit {
    retry_after: Option<String>,
    remaining: Option<String>,
    reset: Option<String>,
}

/// A failure that may have passed at the next attempt.
enum TransientError {
    /// No answer, or half of one.
    Network(String),
    /// A status of 500 and more.
    Broken { status: u16, message: String },
}

impl Client<'_> {
    /// `path` begins with a slash and is encoded.
    pub async fn call(&self, call: Call<'_>, path: &str) -> Result<GithubResponse, Stop> {
        let mut url = format!("{}{}{path}", self.api.origin, self.api.path);
        let mut redirections = 0;
        // Whatever GitHub says, pauses grow as long as the limit lasts.
        let mut shortest_pause = 1;
        loop {
            let answer = self.insistent(call, &url).await?;
            let now = deadline::now();
            if let Some(not_before) = answer.limited(now) {
                self.pause(not_before.max(now + shortest_pause)).await?;
                shortest_pause = (shortest_pause * 2).min(UNSAID_LIMIT);
            } else if let Some(location) = answer.redirection() {
                redirections += 1;
                if redirections > MOST_REDIRECTIONS {
                    return Err(Stop::failed(
                        JobFailure::SystemUnavailable,
                        format!(
                            "{} redirects in a circle; retry the stage later",
                            self.api.origin
                        ),
                    ));
                }
                url = self.followed(location)?;
            } else {
                return Ok(answer);
            }
        }
    }

    async fn insistent(&self, call: Call<'_>, url: &str) -> Result<GithubResponse, Stop> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_times(RETRIES)
            .with_jitter();
        let again = |passing: &TransientError, pause: Duration| {
            tracing::warn!(
                pause = pause.as_secs_f64(),
                "trying again: {}",
                self.told(passing)
            );
        };
        let answer = (|| self.once(call, url)).retry(pauses).notify(again).await;
        answer.map_err(|passing| {
            let what_to_do = match passing {
                TransientError::Network(_) => {
                    "Check `apiUrl`, and that the function has a route to it (in a VPC: a NAT \
                     gateway), then retry the stage"
                }
                TransientError::Broken { .. } => {
                    "See https://www.githubstatus.com, and retry the stage later"
                }
            };
            let tries = RETRIES + 1;
            let message = format!(
                "{}, {tries} times in a row. {what_to_do}.",
                self.told(&passing)
            );
            Stop::failed(JobFailure::SystemUnavailable, message)
        })
    }

    fn told(&self, passing: &TransientError) -> String {
        let origin = &self.api.origin;
        match passing {
            TransientError::Network(error) => format!("{origin} cannot be reached: {error}"),
            TransientError::Broken { status, message } if message.is_empty() => {
                format!("{origin} failed with status {status}")
            }
            TransientError::Broken { status, message } => {
                format!("{origin} failed with status {status} ({message})")
            }
        }
    }

    async fn once(&self, call: Call<'_>, url: &str) -> Result<GithubResponse, TransientError> {
        let failed =
            |error: &dyn Error| TransientError::Network(self.token.masked(&innermost(error)));
        let answer = connector()
            .call(self.request(call, url)?)
            .await
            .map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).map(str::to_owned);
        let location = header("location");
        let limit = Limit::of(answer.headers());
        let body = ByteStream::new(answer.into_body())
            .collect()
            .await
            .map_err(|error| failed(&error))?;
        let body = serde_json::from_slice(&body.into_bytes()).unwrap_or_default();
        let message = self.token.masked(&message(&body));
        let documentation = body["documentation_url"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match status {
            500.. => Err(TransientError::Broken { status, message }),
            _ => Ok(GithubResponse {
                status,
                body,
                message,
                documentation,
                limit,
                location,
            }),
        }
    }

    fn request(&self, call: Call<'_>, url: &str) -> Result<Request, TransientError> {
        let (method, body) = match call {
            Call::Get => ("GET", SdkBody::empty()),
            Call::Post(body) => ("POST", SdkBody::from(body.to_string())),
        };
        let mut request = Request::new(body);
        let built = request.set_method(method).is_ok() && request.set_uri(url).is_ok();
        if !built {
            return Err(TransientError::Network(
                "its address isn't a URL".to_owned(),
            ));
        }
        let headers = request.headers_mut();
        headers.insert("authorization", self.token.authorization());
        headers.insert("accept", "application/vnd.github+json");
        headers.insert("x-github-api-version", "2022-11-28");
        headers.insert("user-agent", concat!("taskcat/", env!("CARGO_PKG_VERSION")));
        if let Call::Post(_) = call {
            headers.insert("content-type", "application/json");
        }
        Ok(request)
    }

    /// Waits if the invocation lasts long enough, otherwise hands the job over.
    async fn pause(&self, not_before: u64) -> Result<(), Stop> {
        let pause = Duration::from_secs(not_before.saturating_sub(deadline::now()));
        let until = deadline::clock(not_before);
        if pause >= self.deadline.left() {
            let why = format!("GitHub limits the token's calls until {until}");
            return Err(Stop::Later(Later {
                not_before: Some(not_before),
                why,
            }));
        }
        tracing::warn!(
            pause = pause.as_secs(),
            "GitHub limits the token's calls until {until}: waiting"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Returns the target of a redirection. The token is never sent to another host.
    fn followed(&self, location: &str) -> Result<String, Stop> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok(format!("{}{location}", self.api.origin));
        }
        let origin = origin_of(location);
        if origin.as_deref() == Some(&self.api.origin) {
            return Ok(location.to_owned());
        }
        let elsewhere = self
            .token
            .masked(&origin.unwrap_or_else(|| "an invalid URL".to_owned()));
        Err(Stop::failed(
            JobFailure::ConfigurationError,
            format!(
                "{} redirects to {elsewhere}, and the token is not sent to another host. If the \
                 API has moved there, set `apiUrl` to it.",
                self.api.origin
            ),
        ))
    }
}

impl GithubResponse {
    /// Seconds since the epoch before which GitHub doesn't want to be called, if it refused for
    /// that reason.
    fn limited(&self, now: u64) -> Option<u64> {
        let number = |text: &Option<String>| {
            text.as_deref()
                .and_then(|text| text.trim().parse::<u64>().ok())
        };
        let used_up = number(&self.limit.remaining) == Some(0);
        let said = self.limit.retry_after.is_some()
            || used_up
            || self.message.to_lowercase().contains("rate limit");
        if self.status != 429 && !(self.status == 403 && said) {
            return None;
        }
        let reset = number(&self.limit.reset).filter(|_| used_up);
        let after = number(&self.limit.retry_after).map(|seconds| now.saturating_add(seconds));
        Some(after.or(reset).unwrap_or(now + UNSAID_LIMIT))
    }

    /// GitHub redirects where a repository or branch was renamed, and asks for the same call there.
    fn redirection(&self) -> Option<&str> {
        self.location
            .as_deref()
            .filter(|_| matches!(self.status, 301 | 302 | 307 | 308))
    }
}

impl Limit {
    fn of(headers: &Headers) -> Self {
        let header = |name| headers.get(name).map(str::to_owned);
        Self {
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
        }
    }
}

/// `https://host:port`, as [`Api::origin`] is written.
fn origin_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str().to_ascii_lowercase();
    // A URL may have credentials before an `@`.
    let host = authority.rsplit('@').next()?;
    Some(format!("{}://{host}", uri.scheme_str()?))
}

/// `message` of GitHub's errors, and what its `errors` add; on one line.
fn message(body: &Value) -> String {
    let details = body["errors"].as_array().into_iter().flatten();
    let details = details.filter_map(|it| it.as_str().or_else(|| it["message"].as_str()));
    let said: Vec<&str> = body["message"]
        .as_str()
        .into_iter()
        .chain(details)
        .collect();
    let words: Vec<&str> = said
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    words.join(" ").chars().take(LONGEST_MESSAGE).collect()
}

/// The outer errors only say that something failed; the innermost one says what.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// One for the process: making one reads the system's certificates.
fn connector() -> &'static Connector {
    static CONNECTOR: OnceLock<Connector> = OnceLock::new();
    CONNECTOR.get_or_init(|| {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(PATIENCE)
            .build();
        Connector::builder()
            .connector_settings(settings)
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::AwsLc,
            ))
            .build()
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;

    fn refused(
        status: u16,
        retry_after: Option<&str>,
        remaining: Option<&str>,
        reset: Option<&str>,
    ) -> GithubResponse {
        let [retry_after, remaining, reset] =
            [retry_after, remaining, reset].map(|it| it.map(str::to_owned));
        let limit = Limit {
            retry_after,
            remaining,
            reset,
        };
        GithubResponse {
            status,
            body: Value::Null,
            message: String::new(),
            documentation: String::new(),
            limit,
            location: None,
        }
    }

    #[test]
    fn limits_say_when_to_come_again() {
        let check =
            |answer: GithubResponse, expect: Option<u64>| assert_eq!(answer.limited(1_000), expect);
        check(refused(403, None, None, None), None);
        check(refused(403, None, Some("4999"), Some("2000")), None);
        check(refused(403, None, Some("0"), Some("2000")), Some(2_000));
        check(refused(429, None, Some("0"), Some("2000")), Some(2_000));
        check(
            refused(403, Some("30"), Some("4999"), Some("2000")),
            Some(1_030),
        );
        check(
            refused(429, Some("30"), Some("0"), Some("2000")),
            Some(1_030),
        );
        check(refused(429, None, Some("4999"), Some("2000")), Some(1_060));
        check(refused(403, Some("soon"), None, None), Some(1_060));
        check(refused(200, None, Some("0"), Some("2000")), None);
        check(refused(404, Some("30"), Some("0"), Some("2000")), None);
        let secondary = "You have exceeded a secondary rate limit";
        check(
            GithubResponse {
                message: secondary.into(),
                ..refused(403, None, None, None)
            },
            Some(1_060),
        );
    }

    #[test]
    fn the_token_stays_with_its_host() {
        let api = Api {
            origin: "https://api.github.com".into(),
            path: String::new(),
        };
        let token = Token::of("ghp_1234").unwrap();
        let client = Client {
            api: &api,
            token: &token,
            deadline: Deadline::of(SystemTime::now()),
        };
        let check = |location: &str, expect: Result<&str, &str>| match (
            client.followed(location),
            expect,
        ) {
            (Ok(url), Ok(expect)) => assert_eq!(url, expect),
            (Err(Stop::Failed(failure)), Err(expect)) => {
                assert!(failure.message.contains(expect), "{failure:?}")
            }
            (other, _) => panic!("{location}: {other:?}"),
        };
        let moved = "https://api.github.com/repositories/1/merges";
        check(moved, Ok(moved));
        check("/repositories/1/merges", Ok(moved));
        check("https://API.GitHub.com/x", Ok("https://API.GitHub.com/x"));
        check(
            "https://evil.example/x",
            Err("redirects to https://evil.example,"),
        );
        check("//evil.example/x", Err("redirects to an invalid URL"));
        check(
            "http://api.github.com/x",
            Err("redirects to http://api.github.com,"),
        );
        check(
            "https://api.github.com:8443/x",
            Err("redirects to https://api.github.com:8443,"),
        );
        check(
            "https://api.github.com@evil.example/",
            Err("redirects to https://evil.example,"),
        );
        check(
            "https://ghp_1234.evil.example/",
            Err("redirects to https://****.evil.example,"),
        );
    }

    #[test]
    fn github_is_quoted_on_one_line() {
        let check = |body: Value, expect: &str| assert_eq!(message(&body), expect);
        check(json!({"message": "Merge conflict"}), "Merge conflict");
        check(
            json!({"message": "Rules\n\nbroken", "errors": [{"message": "one"}, "two"]}),
            "Rules broken one two",
        );
        check(Value::Null, "");
        check(
            json!({"message": "x".repeat(5_000)}),
            &"x".repeat(LONGEST_MESSAGE),
        );
    }
}
