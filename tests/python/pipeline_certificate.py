"""Keys: a certificate for this machine that only who is told of it trusts, and the key of a GitHub App."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def context(folder, address=None):
    """What a server needs for `localhost` and an address. `ca.pem` in the folder vouches for it."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate("An authority of the tests", authority_key, "An authority of the tests", authority_key)
    server = certificate("localhost", key, "An authority of the tests", authority_key, address)
    with open(os.path.join(folder, "ca.pem"), "wb") as file:
        file.write(authority.public_bytes(serialization.Encoding.PEM))
    path = os.path.join(folder, "server.pem")
    with open(path, "wb") as file:
        file.write(server.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    return made


def app_key(folder):
    """The public key; `app-key.pem` in the folder is the private one, as GitHub hands it out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    with open(os.path.join(folder, "app-key.pem"), "wb") as file:
        file.write(key.private_bytes(*pem, serialization.NoEncryption()))
    return key.public_key()


def certificate(subject, key, issuer, issuer_key, address=None):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    names = [x509.DNSName("localhost")]
    if address:
        names.append(x509.IPAddress(ipaddress.ip_address(address)))
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
