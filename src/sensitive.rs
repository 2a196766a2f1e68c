//! Text that nobody may see: wiped from memory when dropped, printed by nothing, and taken out of a server's words.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What all sensitive text is made of. Clones share one text, which is wiped with the last of them.
///
/// It has no `Display`, no `Serialize`, and a `Debug` that shows nothing; `expose` is the one way out.
#[derive(Clone)]
pub(crate) struct Sensitive(Arc<Zeroizing<String>>);

/// Declares a kind of sensitive text, so that one can't be taken for another.
macro_rules! kind {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone)]
        pub(crate) struct $name(Sensitive);

        impl $name {
            /// Takes over `text`; the caller keeps no copy.
            pub(crate) fn new(text: String) -> Self {
                Self(Sensitive(Arc::new(Zeroizing::new(text))))
            }

            /// The text itself: for the wire, never for a message.
            pub(crate) fn expose(&self) -> &str {
                &self.0.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl From<&$name> for Sensitive {
            fn from(text: &$name) -> Self {
                text.0.clone()
            }
        }
    };
}

kind! {
    /// A role's password.
    Password
}
kind! {
    /// What a server keeps instead of a password. As good as the password for whoever imitates the server.
    Verifier
}
kind! {
    /// A secret's value: JSON that holds a password.
    SecretText
}
kind! {
    /// SQL that holds a verifier or a password.
    SensitiveSql
}
kind! {
    /// What the service hands a rotation function that works across accounts, to prove whom it acts for.
    RotationToken
}

/// The sensitive texts that a server may know and must not tell a log through its messages.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<Sensitive>);

impl Redaction {
    /// The same, with `text` among what must not be told.
    pub(crate) fn and(mut self, text: impl Into<Sensitive>) -> Self {
        self.0.push(text.into());
        self
    }

    /// Whether `words`, written by somebody else, repeat any of the texts.
    pub(crate) fn covers(&self, words: &str) -> bool {
        self.0.iter().any(|text| text.is_in(words))
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redaction({} texts)", self.0.len())
    }
}

impl Sensitive {
    fn is_in(&self, words: &str) -> bool {
        let text = self.0.as_str();
        // A statement that is told back has its quotes doubled, and its backslashes where it has any.
        let quoted = Zeroizing::new(text.replace('\'', "''"));
        let escaped = Zeroizing::new(quoted.replace('\\', "\\\\"));
        let forms = [text, quoted.as_str(), escaped.as_str()];
        !text.is_empty() && forms.into_iter().any(|form| words.contains(form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c46_sensitive_text_prints_as_nothing() {
        let password = Password::new("hunter2".to_owned());
        let redaction = Redaction::default().and(&password);
        let printed = format!("{password:?} {password:#?} {redaction:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn c46_words_that_repeat_a_secret_are_recognized_however_it_is_quoted() {
        let redaction = Redaction::default().and(&Password::new(r"it's\me".to_owned()));
        for words in [r"it's\me", r"role 'it''s\me'", r"E'it''s\\me'"] {
            assert!(redaction.covers(words), "{words}");
        }
        assert!(!redaction.covers("its me"));
        assert!(!Redaction::default().covers("anything"));
    }

    #[test]
    fn an_empty_secret_is_in_no_words() {
        let redaction = Redaction::default().and(&Password::new(String::new()));
        assert!(!redaction.covers("anything"));
    }
}
