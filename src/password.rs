//! The policy by which a new password is made.

/// What `GetRandomPassword` is asked for: the settings of AWS's rotation functions, with their defaults.
#[expect(clippy::struct_excessive_bools, reason = "the API's own flags")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswordPolicy {
    /// Characters, 1–4096.
    pub length: u16,
    /// Characters that never occur.
    pub exclude_characters: String,
    /// No digits.
    pub exclude_numbers: bool,
    /// No ASCII punctuation.
    pub exclude_punctuation: bool,
    /// No upper-case letters.
    pub exclude_uppercase: bool,
    /// No lower-case letters.
    pub exclude_lowercase: bool,
    /// At least one character of each kind that is not excluded.
    pub require_each_included_type: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            length: 32,
            exclude_characters: r#":/@"'\"#.to_owned(),
            exclude_numbers: false,
            exclude_punctuation: false,
            exclude_uppercase: false,
            exclude_lowercase: false,
            require_each_included_type: true,
        }
    }
}

impl PasswordPolicy {
    /// The kinds of characters a password may hold, each as the setting that excludes it and what is left of it.
    fn kinds(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        type Kind = (&'static str, bool, fn(&char) -> bool);
        let kinds: [Kind; 4] = [
            (
                "EXCLUDE_LOWERCASE",
                self.exclude_lowercase,
                char::is_ascii_lowercase,
            ),
            (
                "EXCLUDE_UPPERCASE",
                self.exclude_uppercase,
                char::is_ascii_uppercase,
            ),
            (
                "EXCLUDE_NUMBERS",
                self.exclude_numbers,
                char::is_ascii_digit,
            ),
            (
                "EXCLUDE_PUNCTUATION",
                self.exclude_punctuation,
                char::is_ascii_punctuation,
            ),
        ];
        kinds
            .into_iter()
            .filter(|(_, excluded, _)| !excluded)
            .map(|(setting, _, is_kind)| {
                let left =
                    ('!'..='~').filter(|c| is_kind(c) && !self.exclude_characters.contains(*c));
                (setting, left.count())
            })
    }

    /// The setting that makes a password impossible, and why; `None` where one can be made.
    ///
    /// Secrets Manager would say so only when the first rotation is due.
    pub(crate) fn impossible(&self) -> Option<(&'static str, String)> {
        let kinds: Vec<_> = self.kinds().collect();
        if kinds.iter().all(|(_, left)| *left == 0) {
            return Some((
                "EXCLUDE_CHARACTERS",
                "it leaves no character to make a password of".to_owned(),
            ));
        }
        if !self.require_each_included_type {
            return None;
        }
        if let Some((setting, _)) = kinds.iter().find(|(_, left)| *left == 0) {
            let why = format!("it excludes every character of a required kind; set {setting} too");
            return Some(("EXCLUDE_CHARACTERS", why));
        }
        (usize::from(self.length) < kinds.len()).then(|| {
            let why = format!(
                "{} characters cannot hold one of each of {} kinds",
                self.length,
                kinds.len()
            );
            ("PASSWORD_LENGTH", why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_can_make_a_password() {
        assert_eq!(PasswordPolicy::default().impossible(), None);
    }

    #[test]
    fn c8_a_policy_that_no_password_can_meet_names_the_setting_at_fault() {
        let digits_gone = PasswordPolicy {
            exclude_characters: "0123456789".to_owned(),
            ..PasswordPolicy::default()
        };
        assert_eq!(
            digits_gone.impossible().map(|(name, _)| name),
            Some("EXCLUDE_CHARACTERS")
        );
        let short = PasswordPolicy {
            length: 3,
            ..PasswordPolicy::default()
        };
        assert_eq!(
            short.impossible().map(|(name, _)| name),
            Some("PASSWORD_LENGTH")
        );
        let short_but_free = PasswordPolicy {
            require_each_included_type: false,
            ..short
        };
        assert_eq!(short_but_free.impossible(), None);
        let nothing_left = PasswordPolicy {
            exclude_numbers: true,
            exclude_punctuation: true,
            exclude_uppercase: true,
            exclude_lowercase: true,
            require_each_included_type: false,
            ..PasswordPolicy::default()
        };
        assert_eq!(
            nothing_left.impossible().map(|(name, _)| name),
            Some("EXCLUDE_CHARACTERS")
        );
    }
}
