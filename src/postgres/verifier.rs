//! What a server keeps instead of a password.
//!
//! `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, all in base64 (`PostgreSQL`, *`pg_authid`*; RFC 5802 §3 and
//! RFC 7677 for the keys), or `md5` and 32 hexadecimal digits. The server takes a malformed verifier for a password, so
//! none is made but by the functions here.

use std::borrow::Cow;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::{base64, pkcs5, pkey, rand, sha, sign};
use zeroize::Zeroizing;

use crate::login::Credentials;
use crate::sensitive::Verifier;

/// Which of the two a server keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifierKind {
    /// For a server whose `password_encryption` is `md5`.
    Md5,
    /// SCRAM-SHA-256, with so many rounds.
    Scram {
        /// `scram_iterations`.
        iterations: u32,
    },
}

/// Which kind of verifier to set, said before the server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifierChoice {
    /// What the server itself makes (`password_encryption`).
    ServersDefault,
    /// What the session's own role had when it logged in.
    AsBefore,
    /// What `pg_hba.conf` always lets in.
    Scram,
}

impl VerifierKind {
    /// As `password_encryption` has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Scram { .. } => "scram-sha-256",
        }
    }

    /// A verifier of this kind, SCRAM's with 16 random bytes of salt.
    ///
    /// # Errors
    /// Where OpenSSL has no random numbers or no memory.
    pub(super) fn of(self, credentials: &Credentials) -> Result<Verifier, ErrorStack> {
        let password = credentials.password.expose();
        let verifier = match self {
            Self::Md5 => {
                postgres_protocol::password::md5(password.as_bytes(), credentials.role.as_str())
            }
            Self::Scram { iterations } => {
                let mut salt = [0; 16];
                rand::rand_bytes(&mut salt)?;
                scram_with_salt(password, iterations, &salt)?
            }
        };
        Ok(Verifier::new(verifier))
    }
}

fn scram_with_salt(password: &str, iterations: u32, salt: &[u8]) -> Result<String, ErrorStack> {
    let password = prepared(password);
    let mut salted = Zeroizing::new([0; 32]);
    let rounds = iterations.max(1) as usize;
    pkcs5::pbkdf2_hmac(
        password.as_bytes(),
        salt,
        rounds,
        MessageDigest::sha256(),
        salted.as_mut_slice(),
    )?;
    let stored_key = sha::sha256(&hmac(salted.as_slice(), b"Client Key")?);
    let server_key = hmac(salted.as_slice(), b"Server Key")?;
    Ok(format!(
        "SCRAM-SHA-256${rounds}:{}${}:{}",
        base64::encode_block(salt),
        base64::encode_block(&stored_key),
        base64::encode_block(&server_key)
    ))
}

/// `SASLprep` (RFC 4013), or the text as it is where that forbids it: as the server and libpq do.
fn prepared(password: &str) -> Zeroizing<String> {
    Zeroizing::new(
        stringprep::saslprep(password)
            .unwrap_or(Cow::Borrowed(password))
            .into_owned(),
    )
}

fn hmac(key: &[u8], text: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = pkey::PKey::hmac(key)?;
    sign::Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::RoleName;
    use crate::sensitive::Password;

    fn credentials(role: &str, password: &str) -> Credentials {
        Credentials {
            role: RoleName::try_from(role.to_owned()).unwrap(),
            password: Password::new(password.to_owned()),
        }
    }

    /// RFC 7677 §3: user `user`, password `pencil`. Its proof and its server's signature follow from these keys.
    #[test]
    fn c19_the_verifier_is_the_one_of_rfc_7677() {
        let salt = base64::decode_block("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = scram_with_salt("pencil", 4096, &salt).unwrap();
        let expected = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
                        $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(verifier, expected);
    }

    #[test]
    fn c19_a_password_is_prepared_with_saslprep_where_that_allows_it() {
        let salt = [7; 16];
        let same = |a: &str, b: &str| {
            scram_with_salt(a, 64, &salt).unwrap() == scram_with_salt(b, 64, &salt).unwrap()
        };
        assert!(same("I\u{ad}X", "IX"), "soft hyphens are dropped");
        assert!(same("\u{2168}", "IX"), "compatibility forms are composed");
        assert!(same("a\u{a0}b", "a b"), "odd blanks become blanks");
        assert!(
            !same("\u{7}x", "x"),
            "what SASLprep forbids is taken as it is"
        );
    }

    #[test]
    fn c19_iterations_are_the_servers_and_each_salt_is_new() {
        let credentials = credentials("app", "secret");
        let kind = VerifierKind::Scram { iterations: 12_345 };
        let [one, two] = [(); 2].map(|()| kind.of(&credentials).unwrap());
        assert!(one.expose().starts_with("SCRAM-SHA-256$12345:"));
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn c19_an_md5_verifier_is_salted_with_the_role() {
        let verifier = VerifierKind::Md5.of(&credentials("md5_user", "password"));
        let expected = "md57cd2b9a92689eab2e58caf2da80afa15";
        assert_eq!(verifier.unwrap().expose(), expected);
    }

    #[test]
    fn c46_a_verifier_prints_as_nothing() {
        let kind = VerifierKind::Scram { iterations: 4096 };
        let verifier = kind.of(&credentials("app", "secret")).unwrap();
        assert!(!format!("{verifier:?}").contains("SCRAM"));
    }
}
