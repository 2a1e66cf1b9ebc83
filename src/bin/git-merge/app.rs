//! A GitHub App, which gets a token for one repository that holds for an hour.
//!
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation>

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use taskcat::aws::JobFailure;

use crate::client::{Call, Client, GithubResponse};
use crate::deadline::{self, Deadline};
use crate::parameters::UserParameters;
use crate::stop::Stop;
use crate::token::Token;

/// GitHub takes ten minutes at most; its clock may be behind this one.
const LIFETIME: u64 = 540;
const CLOCK_DRIFT: u64 = 60;

/// Neither `Debug` nor `Display`, as its key.
pub struct App {
    /// The App's id or its client id.
    id: String,
    key: RsaKeyPair,
    /// If it is missing, GitHub is asked for it.
    installation: Option<String>,
}

impl App {
    /// Reads the values of a secret, which errors never quote.
    pub fn new(id: &Value, key: &Value, installation: Option<&Value>) -> Result<Self, String> {
        let plain = |value: &Value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let id = plain(id).ok_or("has an `appId` that is neither a number nor a text")?;
        let key = key
            .as_str()
            .and_then(key_pair)
            .ok_or("has a private key that isn't an RSA key in PEM form")?;
        Ok(Self {
            id,
            key,
            installation: installation.and_then(plain),
        })
    }

    /// Returns a token that may write the repository's contents, and nothing else.
    pub async fn token(
        &self,
        parameters: &UserParameters,
        deadline: Deadline,
    ) -> Result<Token, Stop> {
        let proof = self
            .proof(deadline::now())
            .ok_or_else(|| refused("its key cannot sign"))?;
        let proof =
            Token::of(&proof).map_err(|fault| refused(&format!("what it signs {fault}")))?;
        let client = Client {
            api: &parameters.api,
            token: &proof,
            deadline,
        };
        self.exchange(&client, parameters)
            .await
            .map_err(|stop| stop.without(&proof))
    }

    async fn exchange(
        &self,
        client: &Client<'_>,
        parameters: &UserParameters,
    ) -> Result<Token, Stop> {
        let UserParameters { owner, repo, .. } = parameters;
        let installation = match &self.installation {
            Some(id) => id.clone(),
            None => {
                let answer = client
                    .call(Call::Get, &format!("/repos/{owner}/{repo}/installation"))
                    .await?;
                let id = answer.body["id"].as_u64().filter(|_| answer.status == 200);
                id.ok_or_else(|| self.not_installed(&answer, parameters))?
                    .to_string()
            }
        };
        let wanted = json!({"repositories": [repo], "permissions": {"contents": "write"}});
        let path = format!("/app/installations/{installation}/access_tokens");
        let answer = client.call(Call::Post(&wanted), &path).await?;
        let token = answer.body["token"]
            .as_str()
            .filter(|_| answer.status == 201);
        let token = token.ok_or_else(|| self.not_installed(&answer, parameters))?;
        tracing::info!(app = %self.id, "got a token of the GitHub App");
        Token::of(token).map_err(|fault| refused(&format!("its token {fault}")))
    }

    fn not_installed(&self, answer: &GithubResponse, parameters: &UserParameters) -> Stop {
        let UserParameters {
            owner,
            repo,
            secret,
            ..
        } = parameters;
        let said = if answer.message.is_empty() {
            String::new()
        } else {
            format!(" GitHub says: \"{}\".", answer.message)
        };
        let (kind, text) = match answer.status {
            401 => (
                JobFailure::PermissionError,
                "GitHub doesn't accept its ID and key: put the App's into the secret",
            ),
            403 | 422 => (
                JobFailure::PermissionError,
                "it lacks the permission \"Contents: read and write\": give it to the App",
            ),
            404 => (
                JobFailure::ConfigurationError,
                "it isn't installed there: install the App in the repository",
            ),
            _ => (JobFailure::JobFailed, "GitHub gives no token for it"),
        };
        Stop::failed(
            kind,
            format!(
                "the GitHub App in {} cannot merge in {owner}/{repo}: {text}.{said}",
                secret.arn
            ),
        )
    }

    /// Returns the App's signed identity, a JSON Web Token.
    fn proof(&self, now: u64) -> Option<String> {
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "RS256", "typ": "JWT"}));
        let claims = part(
            json!({"iat": now.saturating_sub(CLOCK_DRIFT), "exp": now + LIFETIME, "iss": self.id}),
        );
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(format!(
            "{signed}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }
}

fn refused(fault: &str) -> Stop {
    Stop::failed(
        JobFailure::ConfigurationError,
        format!("the GitHub App cannot be used: {fault}"),
    )
}

/// From PEM, as GitHub gives it (PKCS #1) or as others write it (PKCS #8). A secret's line breaks
/// may be spaces or `\n`.
fn key_pair(pem: &str) -> Option<RsaKeyPair> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.replace("\\n", "").split_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    match kind {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
        _ => RsaKeyPair::from_pkcs8(&der).ok(),
    }
}
