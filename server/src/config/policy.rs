//! The platform's policy: one TOML file.

use super::reader::Reader;
use app::policy::{Policy, PolicyMistake};
use lettre::Address;

/// The policy from the file that the environment names; the usual one where it names none.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Policy> {
    let Some(path) = reader.optional("FAIRWAY_CONFIG") else { return Some(Policy::default()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            reader.mistake(format!("FAIRWAY_CONFIG names {path}, which cannot be read: {error}"));
            return None;
        }
    };
    match toml::from_str::<Policy>(&text) {
        Ok(policy) => {
            for PolicyMistake { near, message } in policy.mistakes().into_iter().chain(address_mistake(&policy)) {
                let line = text.find(&near).map_or(0, |offset| line_of(&text, offset));
                reader.mistake(format!("{path}:{line}: {message}"));
            }
            Some(policy)
        }
        Err(error) => {
            let line = error.span().map_or(0, |span| line_of(&text, span.start));
            reader.mistake(format!("{path}:{line}: {}", error.message()));
            None
        }
    }
}

/// Administrators whom no mail would reach: what an address is, the library knows that sends the mails.
fn address_mistake(policy: &Policy) -> Option<PolicyMistake> {
    let administrators = &policy.notifications.administrators;
    let is_address = administrators.is_empty() || administrators.parse::<Address>().is_ok();
    let message = "notifications.administrators must be one address, such as platform-team@example.com";
    (!is_address).then(|| PolicyMistake::new(administrators, message))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
