//! A certificate authority that lives as long as this process, and the certificates it gives to servers.

use std::sync::OnceLock;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

use crate::error::{Context as _, Result};

/// What a server shows to those who ask for TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// A certificate for `localhost` and 127.0.0.1, of the testbed's own authority.
    #[default]
    Valid,
    /// One that ended yesterday.
    Expired,
    /// One for `elsewhere.example`.
    WrongName,
    /// One of an authority that nobody knows.
    OtherCa,
    /// The server speaks no TLS.
    Off,
}

/// A certificate authority.
pub(crate) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// The one that all clusters share, and nobody outside this process knows.
    pub(crate) fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        match SHARED.get() {
            Some(authority) => Ok(authority),
            None => Self::new("testbed").map(|new| SHARED.get_or_init(|| new)),
        }
    }

    /// A new one.
    pub(crate) fn new(name: &str) -> Result<Self> {
        Self::build(name).context("could not make a certificate authority")
    }

    /// Its own certificate, as PEM.
    pub(crate) fn pem(&self) -> Result<Vec<u8>> {
        self.certificate
            .to_pem()
            .context("could not write a certificate")
    }

    /// A server's certificate and key, as PEM.
    pub(crate) fn server(&self, tls: Tls) -> Result<(Vec<u8>, Vec<u8>)> {
        self.issue(tls)
            .context("could not make a server's certificate")
    }

    fn build(name: &str) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = unsigned(name, &key, true)?;
        let subject = named(name)?;
        builder.set_issuer_name(&subject)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(
            KeyUsage::new()
                .critical()
                .key_cert_sign()
                .crl_sign()
                .build()?,
        )?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            certificate: builder.build(),
            key,
        })
    }

    fn issue(&self, tls: Tls) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
        let key = new_key()?;
        let host = if tls == Tls::WrongName {
            "elsewhere.example"
        } else {
            "localhost"
        };
        let mut builder = unsigned(host, &key, tls != Tls::Expired)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let mut names = SubjectAlternativeName::new();
        names.dns(host);
        if tls != Tls::WrongName {
            names.ip("127.0.0.1");
        }
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
        builder.append_extension(names)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build().to_pem()?, key.private_key_to_pem_pkcs8()?))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate for `name`, valid around now or only until yesterday, not signed yet.
fn unsigned(name: &str, key: &PKey<Private>, valid: bool) -> Result<X509Builder, ErrorStack> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or_default();
    let (from, to) = if valid {
        (now - DAY, now + 99 * DAY)
    } else {
        (now - 9 * DAY, now - DAY)
    };
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&*named(name)?)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::from_unix(from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(to)?)?;
    Ok(builder)
}

fn named(name: &str) -> Result<openssl::x509::X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

const DAY: i64 = 86_400;
