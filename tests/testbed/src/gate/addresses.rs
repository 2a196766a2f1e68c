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
    pub(super) fn told(&self, xml: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(xml);
        let texts = text.split_inclusive('<').map(|piece| self.led(piece));
        texts.collect::<String>().into()
    }

    /// A tag and the text behind it, up to the next tag.
    fn led(&self, piece: &str) -> String {
        let Some((tag, text)) = piece.split_once('>') else {
            return piece.to_owned();
        };
        let text = text.trim_end_matches('<');
        let led = self
            .0
            .iter()
            .find(|(beginning, _)| text.starts_with(beginning) && text.ends_with(".amazonaws.com"));
        match led {
            Some((_, host)) => format!("{tag}>{host}<"),
            None => piece.to_owned(),
        }
    }
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}
