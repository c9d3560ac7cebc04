//! Whether a policy calculates, and with what: OPA has more digits than the interpreter (big.Float with 64 of the binary
//! system; v1/topdown/arithmetic.go).

use super::CompileError;
use super::syntax::{Body, Kind, Term, all_statements};

const OPERATORS: [&str; 5] = ["plus", "minus", "mul", "div", "rem"];

/// What the bodies of a policy calculate.
#[derive(Default)]
pub(super) struct Arithmetic {
    operators: usize,
    divides: bool,
    /// A number with a fraction is in it, or a function that may give one.
    has_fractions: bool,
}

impl Arithmetic {
    pub(super) fn add(&mut self, body: &Body) {
        for statement in all_statements(body) {
            if let Kind::Call(name, arguments) = &statement.kind {
                // A difference of sets looks the same; the sign of a number is one too.
                self.operators += usize::from(OPERATORS.contains(&name.as_str()) && arguments.first() != Some(&zero()));
                self.divides |= name == "div";
                self.has_fractions |= name.starts_with("units.");
            }
            for term in statement.terms() {
                term.visit(&mut |term| {
                    self.has_fractions |= matches!(term, Term::Number(text) if text.contains('.'));
                    true
                });
            }
        }
    }

    /// Whether numbers that are not whole would be calculated with.
    pub(super) fn calculates(&self) -> Result<bool, CompileError> {
        let goes_on = self.divides && self.operators > 1;
        match self.operators > 0 && (self.has_fractions || goes_on) {
            true => Err(CompileError::NotRead("it calculates with fractions".to_owned())),
            false => Ok(self.operators > 0),
        }
    }
}

/// What a negative number is taken from.
fn zero() -> Term {
    Term::Number("0".to_owned())
}
