//! Whom TLS connections trust: the system's authorities, or those of a bundle that the user names,
//! as boto3 does with `AWS_CA_BUNDLE`.
//!
//! A certificate that the bundle holds is trusted as it is, too, if it is within its dates and for
//! the host: a server that has signed its own certificate usually calls itself an authority, which
//! rustls alone refuses.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::super::profile_error::ProfileError;
use super::super::settings::Setting;
use crate::input;

/// Returns the configuration that trusts the certificates of a bundle, and no others.
///
/// # Errors
/// The file can't be read, or has no certificates.
pub(in crate::aws) fn of_bundle(
    bundle: &Setting,
    path: &Path,
) -> Result<ClientConfig, ProfileError> {
    let refused = |reason: String| {
        let help = format!(
            "{} names a file of certificates in PEM: -----BEGIN CERTIFICATE-----",
            bundle.origin
        );
        ProfileError::new(format!(
            "CA bundle {} ({}): {reason}",
            path.display(),
            bundle.origin
        ))
        .help(help)
    };
    let bytes = input::read(path, input::DOCUMENT).map_err(|error| refused(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let certificates =
        certificates.map_err(|_| refused("a certificate cannot be read".to_owned()))?;
    if certificates.is_empty() {
        return Err(refused("it has no certificates".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    let (valid, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if valid == 0 {
        return Err(refused("none of its certificates can be read".to_owned()));
    }
    config(roots, certificates).map_err(|error| refused(error.to_string()))
}

/// Returns the configuration that trusts the system's authorities (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others).
///
/// # Errors
/// The system has none.
pub(in crate::aws) fn of_system() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    config(roots, Vec::new())
}

/// Returns the configuration that accepts every certificate, of which only the signatures are
/// verified.
///
/// # Errors
/// TLS can't be set up.
pub(super) fn unverified() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    verified_by(Arc::new(AnyCertificate(algorithms)), provider)
}

/// Accepts every certificate.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

fn config(
    roots: RootCertStore,
    trusted: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    if roots.is_empty() {
        return Err(rustls::Error::General(
            "no certificates of authorities were found on this system".to_owned(),
        ));
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
    verified_by(Arc::new(Verifier { verifier, trusted }), provider)
}

/// Returns a configuration for HTTP/1.1 in which this verifier judges the certificates.
fn verified_by(
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, rustls::Error> {
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Chains to the authorities as rustls follows them, and the bundle's own certificates.
#[derive(Debug)]
struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The dates were checked before.
            Err(error)
                if is_authority(&error) && self.trusted.iter().any(|it| it == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Returns whether the error is webpki's `CaUsedAsEndEntity`, which rustls hands on unnamed.
pub(super) fn is_authority(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}
