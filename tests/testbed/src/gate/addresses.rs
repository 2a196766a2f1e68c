//! RDS's addresses: what moto says of instances and clusters holds, but its host names lead nowhere.

use bytes::Bytes;

/// Which addresses of RDS's are this machine's: how they begin, and the host instead.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Vec<(String, String)>);

impl Addresses {
    pub(super) fn add(&mut self, beginning: &str, host: &str) {
        self.0.push((beginning.to_owned(), host.to_owned()));
    }

    /// A question about a host's first label is about what RDS calls so.
    pub(super) fn asked(&self, form: &Bytes) -> Bytes {
        let mut text = String::from_utf8_lossy(form).into_owned();
        for (beginning, host) in &self.0 {
            let [name, label] = [beginning, host].map(|text| first_label(text));
            text = text
                .split('&')
                .map(|pair| match pair.split_once("Identifier=") {
                    Some((kind, asked)) if asked == label => format!("{kind}Identifier={name}"),
                    _ => pair.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("&");
        }
        text.into()
    }

    /// The answer with this machine's hosts.
    pub(super) fn answered(&self, xml: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(xml);
        // A tag and the text behind it, up to the next tag.
        let pieces = text.split('<').map(|piece| match piece.split_once('>') {
            Some((tag, text)) => format!("{tag}>{}", self.host(text).unwrap_or(text)),
            None => piece.to_owned(),
        });
        pieces.collect::<Vec<_>>().join("<").into()
    }

    fn host(&self, address: &str) -> Option<&str> {
        let mut known = self.0.iter();
        let fits =
            |beginning: &str| address.starts_with(beginning) && address.ends_with(".amazonaws.com");
        known
            .find(|(beginning, _)| fits(beginning))
            .map(|(_, host)| host.as_str())
    }
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}
