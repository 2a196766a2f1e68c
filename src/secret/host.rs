//! A host as people write it.

/// The host in `text`, and the port if one stands behind it: as in an RDS instance's `endpoint`, with a dot at the end of the
/// name, with brackets around an IPv6 address, with blanks around it. `None` where nothing is left.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            // More than one colon: an IPv6 address.
            Some((_, rest)) if rest.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c48_a_host_is_read_however_it_is_written() {
        for (text, host, port) in [
            ("db.example", "db.example", None),
            ("db.example:6543", "db.example", Some(6543)),
            ("db.example.", "db.example", None),
            ("db.example.:5432", "db.example", Some(5432)),
            (" db.example\n", "db.example", None),
            ("10.0.0.1:5432", "10.0.0.1", Some(5432)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[2001:db8::7]:5433", "2001:db8::7", Some(5433)),
            ("db.example:", "db.example", None),
        ] {
            let read = host_and_port(text);
            assert_eq!(read, Some((host.to_owned(), port)), "{text:?}");
        }
        for text in ["", "  ", ".", ":5432", "db:port", "db:0", "db:99999"] {
            assert_eq!(host_and_port(text), None, "{text:?}");
        }
    }
}
