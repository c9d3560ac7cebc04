//! Texts as Go's `fmt.Sprintf` writes them (Go 1.26: fmt/print.go, fmt/format.go), with the kinds of arguments that OPA's
//! `sprintf` gives it (OPA 1.17: v1/topdown/strings.go).

use super::Unsure;
use super::term::{Number, Term, push_escaped, quoted};

/// The largest width, precision or place that Go takes.
const LARGEST: usize = 1_000_000;

const UNUSUAL_VERB: Unsure = Unsure("an unusual verb of sprintf");

/// So much padding no policy needs.
const WIDEST: usize = 10_000;

enum Argument {
    Int(i64),
    Float(f64),
    Text(String),
}

impl Argument {
    fn of(term: &Term) -> Result<Self, Unsure> {
        Ok(match term {
            Term::Number(Number::Whole(number)) => {
                Self::Int(i64::try_from(*number).map_err(|_| Unsure("a very large number"))?)
            }
            Term::Number(fraction @ Number::Fraction(number)) => fraction.text().map(|_| Self::Float(*number))?,
            Term::String(text) => Self::Text(text.clone()),
            other => Self::Text(other.text()?),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

#[derive(Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

pub(super) fn sprintf(format: &str, arguments: &[Term]) -> Result<String, Unsure> {
    let arguments = arguments.iter().map(Argument::of).collect::<Result<Vec<_>, _>>()?;
    let format: Vec<char> = format.chars().collect();
    let mut printer = Printer { format: &format, place: 0, arguments: &arguments, next: 0, ..Printer::default() };
    printer.run()?;
    Ok(printer.text)
}

#[derive(Default)]
struct Printer<'a> {
    format: &'a [char],
    /// In the format.
    place: usize,
    arguments: &'a [Argument],
    /// The argument that comes next.
    next: usize,
    is_reordered: bool,
    /// Whether the place of the argument of this verb is one.
    is_good_place: bool,
    flags: Flags,
    text: String,
}

impl Printer<'_> {
    fn run(&mut self) -> Result<(), Unsure> {
        while let Some(&character) = self.format.get(self.place) {
            self.place += 1;
            if character == '%' { self.verb()? } else { self.text.push(character) }
        }
        if !self.is_reordered && self.next < self.arguments.len() {
            self.extra()?;
        }
        Ok(())
    }

    fn extra(&mut self) -> Result<(), Unsure> {
        self.flags = Flags::default();
        self.text.push_str("%!(EXTRA ");
        let arguments = self.arguments;
        for (index, argument) in arguments[self.next..].iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            self.text.push_str(argument.kind());
            self.text.push('=');
            self.print(argument, 'v')?;
        }
        self.text.push(')');
        Ok(())
    }

    fn verb(&mut self) -> Result<(), Unsure> {
        self.flags = Flags::default();
        self.is_good_place = true;
        self.read_flags();
        let mut after_place = self.read_place();
        if self.take('*') {
            self.width_of_argument(&mut after_place)?;
        } else {
            self.flags.width = self.read_number();
            if after_place && self.flags.width.is_some() {
                self.is_good_place = false;
            }
        }
        if self.place + 1 < self.format.len() && self.take('.') {
            if after_place {
                self.is_good_place = false;
            }
            after_place = self.read_place();
            if self.take('*') {
                self.precision_of_argument(&mut after_place);
            } else {
                self.flags.precision = Some(self.read_number().unwrap_or(0));
            }
        }
        if !after_place {
            self.read_place();
        }
        if self.flags.width.max(self.flags.precision) > Some(WIDEST) {
            return Err(Unsure("a very wide text"));
        }
        let Some(&verb) = self.format.get(self.place) else {
            self.text.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.place += 1;
        let arguments = self.arguments;
        let is_go_syntax = verb == 'v' && self.flags.sharp;
        if verb == 'v' {
            // `%#v` is Go's syntax, `%+v` that of its fields: neither changes a number or a text but for its quotes.
            self.flags.sharp = false;
            self.flags.plus = false;
        }
        match (verb, arguments.get(self.next)) {
            ('%', _) => self.text.push('%'),
            (_, _) if !self.is_good_place => self.bad(verb, "(BADINDEX)"),
            (_, None) => self.bad(verb, "(MISSING)"),
            (_, Some(argument)) => {
                self.next += 1;
                match argument {
                    Argument::Text(text) if is_go_syntax => self.quoted(text)?,
                    Argument::Float(_) if is_go_syntax => return Err(UNUSUAL_VERB),
                    argument => self.print(argument, verb)?,
                }
            }
        }
        Ok(())
    }

    fn bad(&mut self, verb: char, what: &str) {
        self.text.push_str("%!");
        self.text.push(verb);
        self.text.push_str(what);
    }

    fn take(&mut self, character: char) -> bool {
        let is_there = self.format.get(self.place) == Some(&character);
        self.place += usize::from(is_there);
        is_there
    }

    fn read_flags(&mut self) {
        while let Some(character) = self.format.get(self.place) {
            match character {
                '#' => self.flags.sharp = true,
                '0' => self.flags.zero = true,
                '+' => self.flags.plus = true,
                '-' => self.flags.minus = true,
                ' ' => self.flags.space = true,
                _ => return,
            }
            self.place += 1;
        }
    }

    fn read_number(&mut self) -> Option<usize> {
        let digits = self.format[self.place..].iter().take_while(|character| character.is_ascii_digit()).count();
        let mut number = None;
        for digit in &self.format[self.place..self.place + digits] {
            let before = number.unwrap_or(0);
            if before > LARGEST {
                // Go gives up on the whole format here.
                self.place = self.format.len();
                return None;
            }
            number = Some(before * 10 + digit.to_digit(10).map_or(0, |digit| digit as usize));
        }
        self.place += digits;
        number
    }

    /// `[2]`: the place of the argument. Says whether there was one.
    fn read_place(&mut self) -> bool {
        if self.format.get(self.place) != Some(&'[') {
            return false;
        }
        self.is_reordered = true;
        let rest = &self.format[self.place..];
        let Some(end) = rest.iter().position(|character| *character == ']').filter(|_| rest.len() >= 3) else {
            self.is_good_place = false;
            self.place += 1;
            return false;
        };
        let digits: String = rest[1..end].iter().collect();
        self.place += end + 1;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { digits.parse::<usize>().ok() } else { None };
        match number.filter(|number| (1..=self.arguments.len()).contains(number)) {
            Some(number) => {
                self.next = number - 1;
                true
            }
            None => {
                self.is_good_place = false;
                number.is_some()
            }
        }
    }

    fn number_of_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        match argument {
            Argument::Int(number) if number.unsigned_abs() <= LARGEST as u64 => Some(*number),
            _ => None,
        }
    }

    fn width_of_argument(&mut self, after_place: &mut bool) -> Result<(), Unsure> {
        let number = self.number_of_argument();
        match number {
            None => self.text.push_str("%!(BADWIDTH)"),
            Some(number) => {
                if number < 0 {
                    self.flags.minus = true;
                    self.flags.zero = false;
                }
                self.flags.width = usize::try_from(number.unsigned_abs()).ok();
            }
        }
        *after_place = false;
        Ok(())
    }

    fn precision_of_argument(&mut self, after_place: &mut bool) {
        let number = self.number_of_argument();
        self.flags.precision = number.and_then(|number| usize::try_from(number).ok());
        if self.flags.precision.is_none() {
            self.text.push_str("%!(BADPREC)");
        }
        *after_place = false;
    }

    fn print(&mut self, argument: &Argument, verb: char) -> Result<(), Unsure> {
        match (argument, verb) {
            (_, 'T') => self.string(argument.kind()),
            (Argument::Int(number), 'v' | 'd') => self.integer(*number, 10, verb),
            (Argument::Int(number), 'b') => self.integer(*number, 2, verb),
            (Argument::Int(number), 'o' | 'O') => self.integer(*number, 8, verb),
            (Argument::Int(number), 'x' | 'X') => self.integer(*number, 16, verb),
            (Argument::Int(number), 'c') => self.character(*number),
            (Argument::Int(number), 'q') => self.quoted_character(*number)?,
            (Argument::Int(number), 'U') => self.code_point(*number)?,
            (Argument::Float(number), 'v') => self.float(*number, 'g', None)?,
            (Argument::Float(number), 'g' | 'G') => self.float(*number, verb, None)?,
            (Argument::Float(number), 'e' | 'E' | 'f' | 'F') => self.float(*number, verb, Some(6))?,
            (Argument::Float(_), 'b' | 'x' | 'X') => return Err(UNUSUAL_VERB),
            (Argument::Text(text), 'v' | 's') => self.string(text),
            (Argument::Text(text), 'q') => self.quoted(text)?,
            (Argument::Text(text), 'x' | 'X') => self.hexadecimal(text, verb)?,
            (_, 'w') => return Err(UNUSUAL_VERB),
            _ => self.wrong_verb(argument, verb)?,
        }
        Ok(())
    }

    /// A verb that the argument does not have: Go says so within the text, and keeps the flags.
    fn wrong_verb(&mut self, argument: &Argument, verb: char) -> Result<(), Unsure> {
        self.bad(verb, "(");
        self.text.push_str(argument.kind());
        self.text.push('=');
        self.print(argument, 'v')?;
        self.text.push(')');
        Ok(())
    }

    fn pad(&mut self, text: &str) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(text.chars().count());
        let filler = if self.flags.zero && !self.flags.minus { "0" } else { " " }.repeat(missing);
        if self.flags.minus {
            self.text.push_str(text);
            self.text.push_str(&filler);
        } else {
            self.text.push_str(&filler);
            self.text.push_str(text);
        }
    }

    fn pad_with_spaces(&mut self, text: &str) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn truncated(&self, text: &str) -> String {
        text.chars().take(self.flags.precision.unwrap_or(usize::MAX)).collect()
    }

    fn string(&mut self, text: &str) {
        self.pad(&self.truncated(text));
    }

    fn quoted(&mut self, text: &str) -> Result<(), Unsure> {
        if self.flags.sharp || self.flags.plus {
            return Err(UNUSUAL_VERB);
        }
        let text = quoted(&self.truncated(text))?;
        self.pad(&text);
        Ok(())
    }

    fn hexadecimal(&mut self, text: &str, verb: char) -> Result<(), Unsure> {
        if self.flags.sharp || self.flags.space {
            return Err(UNUSUAL_VERB);
        }
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(self.flags.precision.unwrap_or(usize::MAX))];
        let digits = if verb == 'x' { hex::encode(bytes) } else { hex::encode_upper(bytes) };
        self.pad(&digits);
        Ok(())
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn integer(&mut self, number: i64, base: u32, verb: char) {
        let size = number.unsigned_abs();
        let digits = match (base, verb) {
            (2, _) => format!("{size:b}"),
            (8, _) => format!("{size:o}"),
            (16, 'X') => format!("{size:X}"),
            (16, _) => format!("{size:x}"),
            _ => size.to_string(),
        };
        let sign = self.sign(number < 0);
        let least = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if number == 0 => return self.pad_with_spaces(""),
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width.saturating_sub(sign.len()),
            (None, _) => 0,
        };
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        let digits = format!("{zeros}{digits}");
        let prefix = match (verb, base, self.flags.sharp) {
            ('O', _, _) => "0o",
            (_, 2, true) => "0b",
            (_, 8, true) if !digits.starts_with('0') => "0",
            ('X', 16, true) => "0X",
            (_, 16, true) => "0x",
            _ => "",
        };
        self.pad_with_spaces(&format!("{sign}{prefix}{digits}"));
    }

    fn character(&mut self, number: i64) {
        let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.pad(&character.to_string());
    }

    fn quoted_character(&mut self, number: i64) -> Result<(), Unsure> {
        if self.flags.sharp || self.flags.plus {
            return Err(UNUSUAL_VERB);
        }
        let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut text = "'".to_owned();
        if character == '\'' {
            text.push_str("\\'");
        } else {
            push_escaped(&mut text, character)?;
        }
        text.push('\'');
        self.pad(&text);
        Ok(())
    }

    fn code_point(&mut self, number: i64) -> Result<(), Unsure> {
        if self.flags.sharp || number < 0 {
            return Err(UNUSUAL_VERB);
        }
        let least = self.flags.precision.unwrap_or(4).max(4);
        self.pad_with_spaces(&format!("U+{number:0least$X}"));
        Ok(())
    }

    fn float(&mut self, number: f64, verb: char, precision: Option<usize>) -> Result<(), Unsure> {
        if self.flags.sharp {
            return Err(UNUSUAL_VERB);
        }
        let precision = self.flags.precision.or(precision);
        let size = number.abs();
        let digits = match (verb, precision) {
            ('e' | 'E', Some(precision)) => with_exponent(&format!("{size:.precision$e}")),
            ('f' | 'F', Some(precision)) => format!("{size:.precision$}"),
            (_, Some(precision)) => general(size, precision.max(1)),
            (_, None) => shortest(size),
        };
        let digits = if matches!(verb, 'E' | 'G') { digits.to_uppercase() } else { digits };
        let sign = self.sign(number.is_sign_negative());
        let width = self.flags.width.unwrap_or(0);
        if !sign.is_empty() && self.flags.zero && !self.flags.minus && width > sign.len() + digits.len() {
            let zeros = "0".repeat(width - sign.len() - digits.len());
            self.text.push_str(&format!("{sign}{zeros}{digits}"));
        } else {
            self.pad(&format!("{sign}{digits}"));
        }
        Ok(())
    }
}

/// `1.5e7` as Go writes it, with at least two digits and a sign: `1.5e+07`.
fn with_exponent(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |exponent| ("-", exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The fewest digits that say which number it is (`%v` of a float64).
pub(super) fn shortest(number: f64) -> String {
    written(number, &format!("{number:e}"), 6)
}

/// So many digits (`%g` with a precision), without zeros at the end.
fn general(number: f64, precision: usize) -> String {
    let text = format!("{number:.digits$e}", digits = precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    let nd = digits.chars().filter(char::is_ascii_digit).count();
    let place = exponent.parse::<i32>().unwrap_or(0) + 1;
    let threshold = match i32::try_from(nd).unwrap_or(i32::MAX) {
        nd if i32::try_from(precision).unwrap_or(i32::MAX) > nd && nd >= place => nd,
        _ => i32::try_from(precision).unwrap_or(i32::MAX),
    };
    written(number, &format!("{digits}e{exponent}"), threshold)
}

/// A number whose digits are known, with an exponent where it is small, or so large.
fn written(number: f64, scientific: &str, threshold: i32) -> String {
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok()).unwrap_or(0);
    if exponent < -4 || exponent >= threshold { with_exponent(scientific) } else { plain(number, scientific) }
}

/// The digits of a scientific number without its exponent.
fn plain(number: f64, scientific: &str) -> String {
    let decimals = scientific.split_once('e').map_or(0, |(digits, exponent)| {
        let after = digits.split_once('.').map_or(0, |(_, after)| after.len());
        let exponent = exponent.parse::<i64>().unwrap_or(0);
        usize::try_from(i64::try_from(after).unwrap_or(0) - exponent).unwrap_or(0)
    });
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::approx_constant)]

    use super::*;

    fn whole(number: i128) -> Term {
        Term::Number(Number::Whole(number))
    }

    fn fraction(number: f64) -> Term {
        Term::Number(Number::Fraction(number))
    }

    /// What Go 1.26 prints.
    #[test]
    fn numbers_and_texts_are_written_as_go_writes_them() {
        let format =
            "%05s|%-05s|%05d|%-05d|%+05d|%x|%X|%#x|%#o|%O|%b|%08b|% d|%.0d|%.5d|%8.3d|%08.3d|%q|%c|%U|%-8q|%08q";
        let text = |text: &str| Term::String(text.to_owned());
        let mut arguments = vec![text("ab"), text("ab")];
        arguments.extend([42, 42, 42, 255, 255, 255, 8, 8, 5, 5, 7, 0, 42, 42, 42, 65, 8364, 8364].map(whole));
        arguments.extend([text("a"), text("b")]);
        let expected = "000ab|ab   |00042|42   |+0042|ff|FF|0xff|010|0o10|101|00000101| 7||00042|     042|     042|'A'|€|U+20AC|\"a\"     |00000\"b\"";
        assert_eq!(sprintf(format, &arguments).unwrap(), expected);
        let format = "%v|%v|%6v|%06v|%-6v|%.3v|%.10g|%.3g|%08.3f|%+.2e|% f|%e";
        let arguments = [0.1, 1e-5, 1.5, 1.5, 1.5, 3.14159, 1.5, 1234567.5, -3.14159, 12345.678, 2.5, 0.00001];
        let expected = "0.1|1e-05|   1.5|0001.5|1.5   |3.14|1.5|1.23e+06|-003.142|+1.23e+04| 2.500000|1.000000e-05";
        assert_eq!(sprintf(format, &arguments.map(fraction)).unwrap(), expected);
        let shown = [123456789.5, 1000000.5, 100000.5, 1234567.25].map(shortest);
        assert_eq!(shown, ["1.234567895e+08", "1.0000005e+06", "100000.5", "1.23456725e+06"]);
    }
}
