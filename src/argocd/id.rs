//! Ids of API keys.

use ring::rand::{SecureRandom, SystemRandom};

/// A new UUID; `None` if there are no random numbers. Ids are never reused: Argo CD compares only the id of a
/// key, so reuse would make an old key valid again. (Version 4, variant 1 of RFC 9562; a crate for it would
/// be one more, for these few lines.)
#[must_use]
pub fn fresh_uuid() -> Option<String> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    let bits = (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (place, digit) in text.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    Some(uuid)
}
