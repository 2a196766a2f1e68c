//! A certificate authority that lives as long as this process, and the certificates it gives to servers.

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::error::{Context as _, Result};

/// What a server shows to those who ask for TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// A certificate for `localhost` and 127.0.0.1, of the testbed's own authority.
    #[default]
    Valid,
    /// One that has expired.
    Expired,
    /// One for `elsewhere.example`.
    WrongName,
    /// One of an authority that nobody knows.
    OtherCa,
    /// The server speaks no TLS.
    Off,
}

/// A certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
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
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate and key, as PEM.
    pub(crate) fn server(&self, tls: Tls) -> Result<(String, String)> {
        self.issue(tls)
            .context("could not make a server's certificate")
    }

    fn build(name: &str) -> Result<Self, rcgen::Error> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = parameters.self_signed(&key)?.pem();
        let issuer = Issuer::new(parameters, key);
        Ok(Self { issuer, pem })
    }

    fn issue(&self, tls: Tls) -> Result<(String, String), rcgen::Error> {
        let names = match tls {
            Tls::WrongName => vec!["elsewhere.example".to_owned()],
            _ => ["localhost", "127.0.0.1"].map(str::to_owned).into(),
        };
        let mut parameters = CertificateParams::new(names)?;
        if tls == Tls::Expired {
            parameters.not_after = date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
