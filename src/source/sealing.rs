//! Credentials on their way to one host: sealed to its public key, bound to one assignment.
//!
//! HPKE (RFC 9180) in base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305. A sealed text is base64 of one byte of version, the
//! encapsulated key (32 bytes) and the ciphertext with its tag. Whoever can read Instances sees the text; only the holder of
//! the private half can open it, and only by naming the Instance and the Deployment that it was sealed for.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use super::Error;

/// The first byte of a sealed text; another one means another form.
const VERSION: u8 = 1;
/// What the keys are for: a text sealed for another purpose does not open here.
const PURPOSE: &[u8] = b"sluice.dev/v1alpha1 credentials";
/// Length of an X25519 key, and of an encapsulated one.
const KEY: usize = 32;

type Suite = X25519HkdfSha256;

/// The private half of a host's key. Never shown, and wiped when dropped.
pub struct PrivateKey(<Suite as Kem>::PrivateKey);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl PrivateKey {
    /// A new pair of keys from the system's randomness.
    pub fn generate() -> Self {
        Self(Suite::gen_keypair().0)
    }

    /// The key as it was saved: 32 bytes in base64, with or without a line's end.
    ///
    /// Errors: [`Error::Sealing`] if it is none.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let key = bytes.and_then(|b| <Suite as Kem>::PrivateKey::from_bytes(&b).ok());
        key.map(Self).ok_or_else(|| {
            Error::Sealing(
                "the saved private key is not 32 bytes in base64; remove its file, and a new one is made"
                    .into(),
            )
        })
    }

    /// The key for its file, which only root may read.
    pub fn to_base64(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(<[u8; KEY]>::from(self.0.to_bytes()));
        Zeroizing::new(STANDARD.encode(bytes.as_slice()))
    }

    /// The public half, in base64: for `status.agent.sealingKey`.
    pub fn public_base64(&self) -> String {
        STANDARD.encode(Suite::sk_to_pk(&self.0).to_bytes())
    }

    /// Opens what was sealed to the public half for the same `bound_to`.
    ///
    /// Errors: [`Error::Sealing`] for any other key, any other binding, any changed byte.
    pub fn unseal(&self, bound_to: &[u8], sealed: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bytes = STANDARD.decode(sealed).map_err(|_| unopened("they are not base64"))?;
        let Some((&VERSION, rest)) = bytes.split_first() else {
            return Err(unopened("they have another form; is the controller newer than this host's agent?"));
        };
        let (key, ciphertext) = rest.split_at_checked(KEY).ok_or_else(|| unopened("they are cut short"))?;
        let key = <Suite as Kem>::EncappedKey::from_bytes(key).map_err(|_| unopened("their key is none"))?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.0,
            &key,
            PURPOSE,
            ciphertext,
            bound_to,
        );
        opened
            .map(Zeroizing::new)
            .map_err(|_| unopened("they were sealed to another key of this host, or for another assignment"))
    }
}

fn unopened(why: &str) -> Error {
    Error::Sealing(format!("the sealed credentials cannot be opened: {why}"))
}

/// Seals `plaintext` to the public key that a host's agent published; opens only there, and only for the same `bound_to`.
///
/// Errors: [`Error::Sealing`] if `public` is no key.
pub fn seal(public: &str, bound_to: &[u8], plaintext: &[u8]) -> Result<String, Error> {
    let no_key = || {
        Error::Sealing("status.agent.sealingKey is not a public key (32 bytes in base64); restart that host's agent, and it writes it anew".into())
    };
    let key = STANDARD.decode(public).map_err(|_| no_key())?;
    let key = <Suite as Kem>::PublicKey::from_bytes(&key).map_err(|_| no_key())?;
    let sealed = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeS::Base,
        &key,
        PURPOSE,
        plaintext,
        bound_to,
    );
    let (encapsulated, ciphertext) = sealed.map_err(|_| no_key())?;
    Ok(STANDARD.encode([&[VERSION], encapsulated.to_bytes().as_slice(), &ciphertext].concat()))
}

/// What the credentials of an assignment are bound to. Uids hold no slash, so no two pairs come to the same.
pub fn binding(instance_uid: &str, deployment_uid: &str) -> Vec<u8> {
    format!("{instance_uid}/{deployment_uid}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_to_a_host_opens_there_and_only_for_that_assignment() {
        let host = PrivateKey::generate();
        let bound = binding("i-1", "d-1");
        let sealed = seal(&host.public_base64(), &bound, b"secret").unwrap();
        assert_eq!(*host.unseal(&bound, &sealed).unwrap(), b"secret");
        assert!(host.unseal(&binding("i-1", "d-2"), &sealed).is_err(), "another deployment");
        assert!(host.unseal(&binding("i-2", "d-1"), &sealed).is_err(), "another host's binding");
        assert!(PrivateKey::generate().unseal(&bound, &sealed).is_err(), "another host's key");
        assert_ne!(seal(&host.public_base64(), &bound, b"secret").unwrap(), sealed, "no two are the same");
    }

    #[test]
    fn a_saved_key_is_the_same_key() {
        let host = PrivateKey::generate();
        let saved = format!("{}\n", *host.to_base64());
        let read = PrivateKey::from_base64(&saved).unwrap();
        assert_eq!(read.public_base64(), host.public_base64());
        assert_eq!(format!("{read:?}"), "PrivateKey(…)");
        assert!(PrivateKey::from_base64("AAAA").is_err());
    }

    #[test]
    fn a_changed_byte_anywhere_does_not_open() {
        let host = PrivateKey::generate();
        let sealed = seal(&host.public_base64(), b"b", b"secret").unwrap();
        let bytes = STANDARD.decode(&sealed).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(host.unseal(b"b", &STANDARD.encode(&changed)).is_err(), "byte {place}");
            assert!(host.unseal(b"b", &STANDARD.encode(&bytes[..place])).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_by_the_fields_name() {
        for key in ["", "AAAA", "not base64", &STANDARD.encode([0u8; KEY])] {
            let error = seal(key, b"", b"x").unwrap_err();
            assert!(error.to_string().starts_with("status.agent.sealingKey"), "{key}: {error}");
        }
    }

    /// The form is a contract between programs of different versions.
    #[test]
    fn the_form_stays_the_same() {
        let host = PrivateKey::from_base64(&STANDARD.encode([7u8; KEY])).unwrap();
        let bytes = STANDARD.decode(seal(&host.public_base64(), b"b", b"secret").unwrap()).unwrap();
        assert_eq!((bytes[0], bytes.len()), (1, 1 + KEY + b"secret".len() + 16));
    }
}
