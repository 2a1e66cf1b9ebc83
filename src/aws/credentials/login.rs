//! `aws login`: credentials of a console session, from a profile's `login_session`
//! (<https://docs.aws.amazon.com/cli/v1/userguide/cli-configure-sign-in.html>). They live for
//! minutes and are renewed with a token that is bound to a key (DPoP, RFC 9449).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::http::UnsignedRequest;
use super::super::profile_error::ProfileError;
use super::super::shared_config::Located;
use super::{CredentialSources, FoundCredentials, Loaded, cache, time};
use crate::{catalog, input};

const CACHE: &str = ".aws/login/cache";
/// Credentials that live longer aren't renewed.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

struct LoginSession<'a> {
    sources: &'a CredentialSources,
    profile: &'a str,
    name: Located<'a>,
    path: PathBuf,
}

/// Returns the credentials of the profile's login session, if it has one.
pub(super) async fn load(sources: &CredentialSources, profile: &str) -> Loaded {
    let Some(name) = sources.settings.files.get(profile, "login_session") else {
        return Ok(None);
    };
    let environment = &sources.settings.environment;
    let folder = environment
        .get("AWS_LOGIN_CACHE_DIRECTORY")
        .map(|path| environment.expanded_path(path));
    let folder = folder.unwrap_or_else(|| environment.in_home(CACHE));
    let session = LoginSession {
        sources,
        profile,
        name,
        path: folder.join(cache::name(Sha256::digest(name.text))),
    };
    let credentials = session.credentials().await?;
    Ok(Some(FoundCredentials {
        credentials,
        source: format!("login session {} ({name})", name.text),
    }))
}

impl LoginSession<'_> {
    fn refused(&self, reason: impl std::fmt::Display) -> ProfileError {
        let message = format!(
            "the login session {} of profile `{}` {reason}",
            self.name.text, self.profile
        );
        ProfileError::new(message).help(format!(
            "log in with `aws login --profile {}`",
            self.profile
        ))
    }

    async fn credentials(&self) -> Result<Credentials, ProfileError> {
        let bytes = input::read(&self.path, input::DOCUMENT).map_err(|error| {
            self.refused(format_args!(
                "isn't open ({}: {error})",
                self.path.display()
            ))
        })?;
        let token: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let missing = ["accessToken", "refreshToken", "dpopKey", "clientId"]
            .iter()
            .find(|key| token[**key].is_null());
        if let Some(missing) = missing {
            return Err(self.refused(format_args!(
                "cannot be read: {} has no `{missing}`",
                self.path.display()
            )));
        }
        let access = &token["accessToken"];
        let expiry = access["expiresAt"].as_str().and_then(time::parse);
        if expiry.is_some_and(|expiry| expiry > SystemTime::now() + RENEWAL) {
            return self.read(access);
        }
        let renewed = self.renew(token).await?;
        cache::write(&self.path, &renewed);
        self.read(&renewed["accessToken"])
    }

    fn read(&self, access: &Value) -> Result<Credentials, ProfileError> {
        let text = |key: &str| {
            access[key]
                .as_str()
                .ok_or_else(|| self.refused(format_args!("cannot be read: it has no `{key}`")))
        };
        let expiry = access["expiresAt"].as_str().and_then(time::parse);
        let token = Some(text("sessionToken")?.to_owned());
        Ok(Credentials::new(
            text("accessKeyId")?,
            text("secretAccessKey")?,
            token,
            expiry,
            "login",
        ))
    }

    async fn renew(&self, mut token: Value) -> Result<Value, ProfileError> {
        let url = self.url(token["signInRegion"].as_str());
        let key = token["dpopKey"].as_str().and_then(private_key);
        let key = key.ok_or_else(|| {
            self.refused(format_args!("has no usable key in {}", self.path.display()))
        })?;
        let proof = proof(&key, &url, &Uuid::new_v4().to_string(), SystemTime::now());
        let proof = proof.ok_or_else(|| self.refused("cannot be renewed: its key cannot sign"))?;
        let body = json!({
            "clientId": token["clientId"], "refreshToken": token["refreshToken"],
            "grantType": "refresh_token",
        });
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("dpop", proof),
        ];
        let limit = self.sources.call_timeout;
        let query = UnsignedRequest {
            method: "POST",
            url: &url,
            headers,
            body: body.to_string(),
            limit,
        };
        let answer = self.sources.http.ask(query).await.map_err(|error| {
            let mut refused = self
                .refused(format_args!("cannot be renewed: {}", error.message))
                .may_pass();
            refused.help = error.help;
            refused
        })?;
        let json = answer.json();
        if answer.status != 200 {
            return Err(self.not_renewed(answer.status, &json));
        }
        let new = &json["accessToken"];
        let (Some(seconds), true) = (json["expiresIn"].as_u64(), new["accessKeyId"].is_string())
        else {
            return Err(self.refused("cannot be renewed: the answer has no credentials"));
        };
        let expiry = time::format(SystemTime::now() + Duration::from_secs(seconds));
        let account = token["accessToken"]["accountId"].clone();
        token["accessToken"] = json!({
            "accessKeyId": new["accessKeyId"], "secretAccessKey": new["secretAccessKey"],
            "sessionToken": new["sessionToken"], "accountId": account, "expiresAt": expiry,
        });
        token["refreshToken"] = json["refreshToken"].clone();
        Ok(token)
    }

    fn not_renewed(&self, status: u16, answer: &Value) -> ProfileError {
        match answer["error"].as_str().unwrap_or_default() {
            "TOKEN_EXPIRED" => self.refused("has expired"),
            "USER_CREDENTIALS_CHANGED" => self.refused("has ended: the password was changed"),
            "INSUFFICIENT_PERMISSIONS" => self
                .refused("cannot be renewed: permission for signin:CreateOAuth2Token is missing")
                .help("attach the managed policy SignInLocalDevelopmentAccess"),
            _ if status >= 500 => self
                .refused(format_args!("cannot be renewed: HTTP status {status}"))
                .may_pass(),
            other => self.refused(format_args!(
                "cannot be renewed: HTTP status {status} {other}"
            )),
        }
    }

    /// Returns the URL of the sign-in service
    /// (<https://docs.aws.amazon.com/general/latest/gr/signin-service.html>).
    fn url(&self, region: Option<&str>) -> String {
        let own = self
            .sources
            .settings
            .endpoint("Signin")
            .map(|it| it.text.trim_end_matches('/').to_owned());
        let configured = self
            .sources
            .settings
            .region()
            .ok()
            .flatten()
            .map(|it| it.text);
        let region = region
            .map(str::to_owned)
            .or(configured)
            .unwrap_or_else(|| self.sources.region.clone());
        let partition = catalog::partition_of(&region);
        let host = match partition.name {
            "aws" => "signin.aws.amazon.com",
            "aws-cn" => "signin.amazonaws.cn",
            "aws-us-gov" => "signin.amazonaws-us-gov.com",
            _ => "",
        };
        let aws = match host {
            "" => format!("https://{region}.signin.{}", partition.dns_suffix),
            host => format!("https://{region}.{host}"),
        };
        format!("{}/v1/token", own.unwrap_or(aws))
    }
}

/// Reads a key in PEM, as SEC1 or PKCS #8.
fn private_key(pem: &str) -> Option<EcdsaKeyPair> {
    let base64: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .map(str::trim)
        .collect();
    let der = STANDARD.decode(base64).ok()?;
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()
}

/// Returns the header `DPoP` of a POST to `url`.
fn proof(key: &EcdsaKeyPair, url: &str, id: &str, now: SystemTime) -> Option<String> {
    // Uncompressed: a byte, and 32 of each coordinate.
    let public = key.public_key().as_ref();
    let x = public.get(1..33)?;
    let y = public.get(33..65)?;
    let jwk = json!({"kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        "crv": "P-256"});
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let payload = json!({"htm": "POST", "htu": url, "iat": seconds, "jti": id});
    let encoded = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).ok()?;
    Some(format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(signature.as_ref())
    ))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_proof_is_signed_with_the_key_of_the_session() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> =
            key.private_key().as_der().unwrap();
        let base64 = STANDARD.encode(der.as_ref());
        let pem =
            format!("-----BEGIN EC PRIVATE KEY-----\n{base64}\n-----END EC PRIVATE KEY-----\n");
        let key = private_key(&pem).unwrap();
        let proof = proof(&key, "https://h/v1/token", "id", SystemTime::UNIX_EPOCH).unwrap();
        let (message, signature) = proof.rsplit_once('.').unwrap();
        let (_, payload) = message.split_once('.').unwrap();
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(
            payload,
            r#"{"htm":"POST","htu":"https://h/v1/token","iat":0,"jti":"id"}"#
        );
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
        public
            .verify(
                message.as_bytes(),
                &URL_SAFE_NO_PAD.decode(signature).unwrap(),
            )
            .unwrap();
        assert!(private_key("no key").is_none());
    }
}
