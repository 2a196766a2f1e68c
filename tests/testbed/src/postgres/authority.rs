//! A certificate authority that lives as long as this process, and the certificates it gives to servers.

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

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

/// What a server needs for TLS, as PEM.
pub(super) struct Certified {
    /// The certificate of the authority that all clusters share, whoever has signed this server's.
    pub(super) authority: &'static str,
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Certified {
    pub(super) fn of(tls: Tls) -> Result<Self, rcgen::Error> {
        let shared = Authority::shared()?;
        let (certificate, key) = match tls {
            Tls::OtherCa => Authority::new("somebody else")?.server(tls)?,
            _ => shared.server(tls)?,
        };
        Ok(Self {
            authority: &shared.pem,
            certificate,
            key,
        })
    }
}

/// A certificate authority, and its own certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// The one that all clusters share, and nobody outside this process knows.
    fn shared() -> Result<&'static Self, rcgen::Error> {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        match SHARED.get() {
            Some(authority) => Ok(authority),
            None => Self::new("testbed").map(|new| SHARED.get_or_init(|| new)),
        }
    }

    fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = parameters.self_signed(&key)?.pem();
        let issuer = Issuer::new(parameters, key);
        Ok(Self { issuer, pem })
    }

    /// A server's certificate and key.
    fn server(&self, tls: Tls) -> Result<(String, String), rcgen::Error> {
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
