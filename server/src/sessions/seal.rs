//! Sealing session data with a key that only the browser's cookie leads to: who reads the database
//! finds neither tokens nor a way to use a session.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use tower_sessions::session::Id;
use uuid::Uuid;

/// Length of the nonce before the sealed bytes (XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03).
const NONCE: usize = 24;

/// What the database knows a session by.
pub(super) fn id_hash(id: &Id) -> [u8; 32] {
    derive(b"fairway session id", id)
}

/// What a session is called on pages: tells nothing of the cookie, nor of the hash.
pub(super) fn public_id(id: &Id) -> Uuid {
    let digest = derive(b"fairway session name", id);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Keys from one 128-bit random id, kept apart by their labels; a slow derivation would add
/// nothing, as the id is not a password.
fn derive(label: &[u8], id: &Id) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(label);
    hasher.update(id.0.to_le_bytes());
    hasher.finalize().into()
}

fn cipher(id: &Id) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&derive(b"fairway session data", id).into())
}

/// Seals; gives nothing only where the machine has no randomness.
pub(super) fn seal(id: &Id, data: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    let sealed = cipher(id).encrypt(XNonce::from_slice(&nonce), data).ok()?;
    Some([&nonce[..], &sealed].concat())
}

/// Opens what was sealed for the same id and not changed since.
pub(super) fn open(id: &Id, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    cipher(id).decrypt(XNonce::from_slice(nonce), sealed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_id_opens_what_was_sealed_and_only_unchanged() {
        let sealed = seal(&Id(1), b"secret").unwrap_or_default();
        assert_eq!(open(&Id(1), &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(open(&Id(2), &sealed), None);
        let mut changed = sealed.clone();
        changed[NONCE] ^= 1;
        assert_eq!(open(&Id(1), &changed), None);
        assert_eq!(open(&Id(1), &[]), None);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
