//! The way to the database: its name, its port, its certificate.

use super::report::{Check, Report};
use crate::error::Error;
use crate::login::Endpoint;
use crate::postgres::{Certificate, Connector, DatabaseError, Failure};

/// Goes as far as TLS; whether it came so far.
pub(super) async fn check(
    report: &mut Report,
    connector: &Connector<'_>,
    endpoint: &Endpoint,
) -> bool {
    let failed = |failure: Failure| -> Error {
        let attempt = format!("reach {endpoint}");
        DatabaseError { attempt, failure }.into()
    };
    let addresses = connector.look_up(endpoint).await.map_err(failed);
    let Some(addresses) = report.pass(Check::Host, addresses) else {
        return false;
    };
    let names: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    report.ok(Check::Host, names.join(", "));
    let stream = connector.dial(addresses).await.map_err(failed);
    let Some(stream) = report.pass(Check::Tcp, stream) else {
        return false;
    };
    report.ok(Check::Tcp, format!("{endpoint} answers"));
    let certificate = connector
        .certificate(endpoint, stream)
        .await
        .map_err(failed);
    let Some(certificate) = report.pass(Check::Tls, certificate) else {
        return false;
    };
    check_certificate(report, endpoint, certificate);
    true
}

fn check_certificate(report: &mut Report, endpoint: &Endpoint, certificate: Option<Certificate>) {
    let found = certificate
        .as_ref()
        .map(|Certificate { issuer, days_left }| {
            format!("the certificate is from {issuer} and valid for {days_left} more days")
        });
    let found = found.unwrap_or_default();
    if let Some(weakness) = endpoint.tls.weakness() {
        let advice = "Take this out of the secret where the server can do better: the default is verify-full";
        let found = if found.is_empty() {
            weakness.to_owned()
        } else {
            format!("{weakness}; {found}")
        };
        report.warning(Check::Tls, found, advice);
        return;
    }
    if certificate.is_some_and(|certificate| certificate.days_left < SOON) {
        report.warning(
            Check::Tls,
            found,
            "Renew the server's certificate before then",
        );
        return;
    }
    report.ok(Check::Tls, found);
}

/// A certificate that is valid for fewer days than this is to be renewed.
const SOON: i32 = 30;
