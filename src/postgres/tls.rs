//! Whom a connection trusts: Amazon's certificate authorities for RDS, and those that `PGSSLROOTCERT` names.

use std::{fmt, fs};

use openssl::asn1::Asn1Time;
use openssl::nid::Nid;
use openssl::x509::X509;
use postgres_native_tls::{TlsConnector, TlsStream};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::tls::TlsConnect as _;

use super::Failure;
use crate::login::{Endpoint, TlsMode, is_rds_proxy};

/// The trusted roots, made ready for one region when the process starts.
///
/// Parsing all the regions' roots would cost more than the rest of the start: an RDS host's name tells its region, and a
/// certificate of another region's could not match it.
pub(crate) struct Roots {
    extra: Vec<native_tls::Certificate>,
    home: Authority,
    ready: native_tls::TlsConnector,
}

/// Whose roots: a region's, or [`PUBLIC`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Authority(String);

/// A server's certificate, as far as people ask.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The common name of who issued it.
    pub(crate) issuer: String,
    /// How long it is still valid.
    pub(crate) days_left: i32,
}

impl Certificate {
    fn of(stream: &tokio_native_tls::TlsStream<TcpStream>) -> Option<Self> {
        let certificate = stream.get_ref().peer_certificate().ok()??;
        let certificate = X509::from_der(&certificate.to_der().ok()?).ok()?;
        let now = Asn1Time::days_from_now(0).ok()?;
        let mut names = certificate.issuer_name().entries_by_nid(Nid::COMMONNAME);
        let issuer = names.next().and_then(|name| name.data().to_string().ok());
        Some(Self {
            issuer: issuer.unwrap_or_default(),
            days_left: now.diff(certificate.not_after()).ok()?.days,
        })
    }
}

impl Roots {
    /// Makes the roots of `region` ready (as Lambda names it in `AWS_REGION`), and those in the PEM file `extra`.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub(crate) fn new(extra: Option<&str>, region: Option<&str>) -> Result<Self, String> {
        let extra = match extra.filter(|path| !path.is_empty()) {
            None => Vec::new(),
            Some(path) => certificates_in_file(path)?,
        };
        let home = Authority(region.unwrap_or_default().to_owned());
        let ready = connector(&extra, &home, TlsMode::VerifyFull)
            .map_err(|e| format!("no TLS with its certificates: {e}"))?;
        Ok(Self { extra, home, ready })
    }

    /// Asks the server at `host` for TLS and makes the handshake; goes no further without.
    pub(super) async fn secure(
        &self,
        endpoint: &Endpoint,
        mut stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        ask_for_tls(&mut stream).await?;
        let connector = self.connector(endpoint).map_err(Failure::Tls)?;
        let connector = TlsConnector::new(connector, &endpoint.host);
        let secured = connector.connect(stream).await;
        secured.map_err(|error| failed(endpoint, error))
    }

    /// The same, to look at the server's certificate, which `postgres_native_tls` keeps to itself.
    pub(super) async fn certificate(
        &self,
        endpoint: &Endpoint,
        mut stream: TcpStream,
    ) -> Result<Option<Certificate>, Failure> {
        ask_for_tls(&mut stream).await?;
        let connector = self.connector(endpoint).map_err(Failure::Tls)?;
        let connector = tokio_native_tls::TlsConnector::from(connector);
        let secured = connector.connect(&endpoint.host, stream).await;
        let secured = secured.map_err(|error| failed(endpoint, error))?;
        Ok(Certificate::of(&secured))
    }

    /// What secures a connection: its chain must end in a trusted root, and its certificate name the host, unless the
    /// secret says otherwise.
    fn connector(
        &self,
        endpoint: &Endpoint,
    ) -> Result<native_tls::TlsConnector, native_tls::Error> {
        let host = endpoint.host.as_str();
        let authority = Authority::of_host(host).unwrap_or_else(|| self.home.clone());
        if authority == self.home && endpoint.tls == TlsMode::VerifyFull {
            return Ok(self.ready.clone());
        }
        connector(&self.extra, &authority, endpoint.tls)
    }
}

/// Asks for TLS (`PostgreSQL`, *Frontend/Backend Protocol*, SSL session encryption).
async fn ask_for_tls(stream: &mut TcpStream) -> Result<(), Failure> {
    #[expect(
        clippy::default_trait_access,
        reason = "the buffer's type is of a crate that is no dependency"
    )]
    let mut request = Default::default();
    frontend::ssl_request(&mut request);
    let asked = stream.write_all(&request).await;
    asked.map_err(Failure::Unreachable)?;
    match stream.read_u8().await.map_err(Failure::Unreachable)? {
        b'S' => Ok(()),
        b'N' => Err(Failure::TlsNotOffered),
        _ => Err(Failure::ConnectionLost(NEITHER.to_owned())),
    }
}

/// Why a handshake with an endpoint failed.
fn failed(endpoint: &Endpoint, error: native_tls::Error) -> Failure {
    match (Failure::of_handshake(error), rootless(&endpoint.host)) {
        (Failure::Tls(error), Some(region)) => Failure::NoRoots { region, error },
        (failure, _) => failure,
    }
}

impl Authority {
    /// `None` for a host whose name is not Amazon's.
    fn of_host(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let name = host.strip_suffix(".rds.amazonaws.com")?;
        let region = name.rsplit('.').next()?;
        let authority = if is_rds_proxy(&host) { PUBLIC } else { region };
        Some(Self(authority.to_owned()))
    }

    /// This authority's certificates, with the words between them; empty where there are none.
    fn pem(&self) -> &'static str {
        if self.0 == PUBLIC {
            return AMAZON;
        }
        let mut parts = BUNDLE.split("\n# ").skip(1);
        parts
            .find_map(|part| part.split_once('\n').filter(|(name, _)| *name == self.0))
            .map_or("", |(_, pem)| pem)
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({} and {} extra)", self.home.0, self.extra.len())
    }
}

/// The region of an RDS host, where no roots of its are built in.
fn rootless(host: &str) -> Option<String> {
    let authority = Authority::of_host(host)?;
    authority.pem().is_empty().then_some(authority.0)
}

fn connector(
    extra: &[native_tls::Certificate],
    authority: &Authority,
    tls: TlsMode,
) -> Result<native_tls::TlsConnector, native_tls::Error> {
    let mut builder = native_tls::TlsConnector::builder();
    builder
        .min_protocol_version(Some(native_tls::Protocol::Tlsv12))
        .danger_accept_invalid_hostnames(tls == TlsMode::VerifyCa)
        .disable_built_in_roots(true);
    for root in native_tls::Certificate::stack_from_pem(authority.pem().as_bytes())? {
        builder.add_root_certificate(root);
    }
    for root in extra {
        builder.add_root_certificate(root.clone());
    }
    builder.build()
}

fn certificates_in_file(path: &str) -> Result<Vec<native_tls::Certificate>, String> {
    let pem = fs::read(path).map_err(|e| format!("{path:?} cannot be read: {e}"))?;
    let certificates = native_tls::Certificate::stack_from_pem(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(format!("{path:?} holds no certificate in PEM form"));
    }
    Ok(certificates)
}

const NEITHER: &str = "the server answered neither yes nor no to the request for TLS";
/// In a region's place: Amazon's public authorities, which RDS Proxy uses.
const PUBLIC: &str = "public";
/// Their certificates.
const AMAZON: &str = include_str!("../amazon.pem");
/// Those of RDS's regions that are valid today; the file says where they are from.
const BUNDLE: &str = include_str!("roots.pem");

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(host: &str) -> Option<String> {
        Authority::of_host(host).map(|a| a.0)
    }

    #[test]
    fn an_rds_host_tells_its_region_and_a_proxy_has_public_roots() {
        assert_eq!(
            authority("db.abc123.eu-west-1.rds.amazonaws.com").as_deref(),
            Some("eu-west-1")
        );
        assert_eq!(
            authority("DB.cluster-ro-abc.US-EAST-1.RDS.amazonaws.com").as_deref(),
            Some("us-east-1")
        );
        assert_eq!(
            authority("p.proxy-abc.eu-west-1.rds.amazonaws.com").as_deref(),
            Some(PUBLIC)
        );
        assert_eq!(
            authority("proxy-db.abc123.eu-west-1.rds.amazonaws.com").as_deref(),
            Some("eu-west-1")
        );
        assert_eq!(authority("db.example"), None);
        assert_eq!(authority("rds.amazonaws.com.evil"), None);
    }

    #[test]
    fn every_part_of_the_bundle_parses_and_each_region_has_its_three_roots() {
        let names: Vec<_> = BUNDLE
            .split("\n# ")
            .skip(1)
            .filter_map(|part| part.lines().next())
            .collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names {
            let pem = Authority(name.to_owned()).pem();
            let roots = native_tls::Certificate::stack_from_pem(pem.as_bytes()).unwrap();
            assert_eq!(roots.len(), 3, "{name}");
        }
        let public = native_tls::Certificate::stack_from_pem(AMAZON.as_bytes()).unwrap();
        assert_eq!(public.len(), 4);
    }

    #[test]
    fn no_root_in_the_bundle_has_expired() {
        let now = Asn1Time::days_from_now(0).unwrap();
        for bundle in [AMAZON, BUNDLE] {
            for root in X509::stack_from_pem(bundle.as_bytes()).unwrap() {
                assert!(root.not_after() > now, "{:?}", root.subject_name());
            }
        }
    }

    #[test]
    fn an_unknown_region_has_no_roots_of_its_own_and_no_others() {
        assert_eq!(Authority("mars-north-1".to_owned()).pem(), "");
        assert!(Roots::new(None, Some("mars-north-1")).is_ok());
    }
}
