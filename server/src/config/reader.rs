//! Reading settings from the environment, and collecting what is wrong with them.

use secrecy::SecretString;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;
use url::Url;

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The settings have {} mistake{}:", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|mistake| writeln!(f, "- {mistake}"))
    }
}

impl std::error::Error for ConfigError {}

/// Gives the values of variables. A value of the wrong form is noted, and then nothing of it is used.
pub(super) struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, mistakes: Vec::new() }
    }

    /// The settings, where nothing was wrong with any of them.
    pub(super) fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigError> {
        match settings {
            Some(settings) if self.mistakes.is_empty() => Ok(settings),
            _ => Err(ConfigError(self.mistakes)),
        }
    }

    pub(super) fn mistake(&mut self, mistake: impl Into<String>) {
        self.mistakes.push(mistake.into());
    }

    /// A variable that may be left out, or be empty.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.trim().is_empty())
    }

    pub(super) fn text(&mut self, name: &str, default: Option<&str>) -> Option<String> {
        let text = self.optional(name).or_else(|| default.map(str::to_owned));
        if text.is_none() {
            self.mistake(format!("{name} is not set"));
        }
        text
    }

    /// A secret: the variable, or what the file holds that the variable with `_FILE` at its end names.
    pub(super) fn secret(&mut self, name: &str) -> Option<SecretString> {
        let by_file = format!("{name}_FILE");
        match (self.optional(name), self.optional(&by_file)) {
            (Some(_), Some(_)) => self.mistake(format!("{name} and {by_file} are both set: set one of them")),
            (secret, None) => return secret.map(SecretString::from),
            // Editors end a file with a line break, which belongs to no secret.
            (None, Some(file)) => match std::fs::read_to_string(&file) {
                Ok(secret) if !secret.trim().is_empty() => return Some(secret.trim_end_matches(['\r', '\n']).into()),
                Ok(_) => self.mistake(format!("{by_file} names {file}, which is empty")),
                Err(error) => self.mistake(format!("{by_file} names {file}, which cannot be read ({error})")),
            },
        }
        None
    }

    pub(super) fn parse<T: std::str::FromStr>(
        &mut self,
        name: &str,
        default: Option<&str>,
        expected: &str,
    ) -> Option<T> {
        let text = self.text(name, default)?;
        text.parse().map_err(|_| self.mistake(format!("{name} is not {expected}"))).ok()
    }

    pub(super) fn duration(&mut self, name: &str, default: &str, unit: Duration) -> Option<Duration> {
        self.above_zero(name, default).map(|number| unit * number.get())
    }

    pub(super) fn count(&mut self, name: &str, default: &str) -> Option<usize> {
        usize::try_from(self.above_zero(name, default)?.get()).ok()
    }

    fn above_zero(&mut self, name: &str, default: &str) -> Option<NonZeroU32> {
        self.parse(name, Some(default), "a whole number above 0")
    }

    pub(super) fn web_address(&mut self, name: &str, default: Option<&str>) -> Option<Url> {
        let url: Url = self.parse(name, default, "an address that begins with https://")?;
        if url.scheme() == "https" || (url.scheme() == "http" && is_local(&url)) {
            return Some(url);
        }
        self.mistake(format!("{name} must begin with https://; http:// is for localhost only"));
        None
    }
}

/// Whether an address is on this machine, so that nobody can listen in on the way.
pub(super) fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
