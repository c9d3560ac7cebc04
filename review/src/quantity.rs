//! Amounts of resources (Kubernetes API reference, Quantity).

use serde_json::Value;
use std::fmt;
use std::ops::{Add, Mul, Sub};

/// An amount in billionths, rounded up as the API server does. Sums stop at the largest one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

const ONE: i128 = 1_000_000_000;

const SUFFIXES: [(&str, i128); 16] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", ONE),
    ("k", ONE * 1_000),
    ("M", ONE * 1_000_000),
    ("G", ONE * 1_000_000_000),
    ("T", ONE * 1_000_000_000_000),
    ("P", ONE * 1_000_000_000_000_000),
    ("E", ONE * 1_000_000_000_000_000_000),
    ("Ki", ONE << 10),
    ("Mi", ONE << 20),
    ("Gi", ONE << 30),
    ("Ti", ONE << 40),
    ("Pi", ONE << 50),
    ("Ei", ONE << 60),
];

impl Quantity {
    /// From a field that holds one; nothing where it holds none.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parsed(&number.to_string()),
            Value::String(text) => Self::parsed(text),
            _ => None,
        }
    }

    pub(crate) fn whole(number: u64) -> Self {
        Self(i128::from(number) * ONE)
    }

    fn parsed(text: &str) -> Option<Self> {
        let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-.".contains(letter))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.trim_start_matches(['+', '-']).is_empty() && fraction.is_empty() {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let shift = i32::try_from(fraction.len()).ok()?;
        let known = SUFFIXES.iter().find(|(known, _)| *known == suffix).map(|(_, factor)| *factor);
        let (factor, shift) = match known {
            Some(factor) => (factor, shift),
            None => (ONE, shift.checked_sub(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?),
        };
        let power = 10i128.checked_pow(shift.unsigned_abs())?;
        let scaled = digits.checked_mul(factor)?;
        let amount = if shift < 0 { scaled.checked_mul(power)? } else { rounded_up(scaled, power) };
        Some(Self(amount))
    }
}

fn rounded_up(amount: i128, divisor: i128) -> i128 {
    let (whole, rest) = (amount / divisor, amount % divisor);
    if rest > 0 { whole + 1 } else { whole }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Quantity {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// With the largest of Ki, Mi, ... that leaves a whole number, as people write memory; parts of one as `500m`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wholes = SUFFIXES.iter().rev().filter(|(suffix, _)| suffix.is_empty() || suffix.ends_with('i'));
        let parts = SUFFIXES.iter().rev().filter(|(_, factor)| *factor < ONE);
        let fits = |(_, factor): &&(&str, i128)| self.0 % factor == 0 && (self.0 != 0 || *factor == ONE);
        let (suffix, factor) = wholes.chain(parts).find(fits).unwrap_or(&("n", 1));
        write!(f, "{}{suffix}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_read_as_the_api_server_reads_them() {
        let same = |one: Value, other: &str| assert_eq!(Quantity::of(&one), Quantity::of(&json!(other)), "{one}");
        same(json!(1), "1000m");
        same(json!(0.5), "500m");
        same(json!("1Gi"), "1024Mi");
        same(json!("1e3"), "1k");
        same(json!("12E-1"), "1200m");
        same(json!(".5"), "0.5");
        same(json!("1."), "1");
        same(json!("0.1n"), "1n");
        assert!(Quantity::of(&json!("1E")) > Quantity::of(&json!("1P")));
        for none in [
            json!(""),
            json!("."),
            json!("Mi"),
            json!("1 Gi"),
            json!("1KB"),
            json!("--1"),
            json!(null),
            json!("1e999999999999"),
        ] {
            assert_eq!(Quantity::of(&none), None, "{none}");
        }
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        let written = |text: &str| Quantity::of(&json!(text)).unwrap().to_string();
        for (text, wanted) in
            [("2", "2"), ("0", "0"), ("1.5", "1500m"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("1000", "1000")]
        {
            assert_eq!(written(text), wanted);
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in
            ["9".repeat(400), format!("1e{}", i32::MAX), format!("0.{}", "1".repeat(300)), "1e-2147483648".into()]
        {
            let _ = Quantity::of(&json!(text));
        }
        let large = Quantity::of(&json!("9999999999E")).unwrap();
        assert!(large * u64::MAX + large >= large);
    }
}
