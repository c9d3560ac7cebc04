//! What a policy may ask of the request that brings an object: before there is one, little is known of it.

use super::CompileError;
use super::references::Names;
use super::syntax::{Body, Kind, Statement, Term, all_statements};

/// The fields of `input.review` that are known.
const KNOWN: [&str; 6] = ["kind", "name", "namespace", "object", "oldObject", "operation"];

/// Those that are not (Gatekeeper 3.23, pkg/target; `_unstable` was there before).
const UNKNOWN: [&str; 11] = [
    "_unstable",
    "dryRun",
    "namespaceObject",
    "options",
    "requestKind",
    "requestResource",
    "requestSubResource",
    "resource",
    "subResource",
    "uid",
    "userInfo",
];

/// What a policy does with the request as a whole.
#[derive(Default)]
pub(super) struct Uses {
    /// Under another name, or as an argument of a function of the policy: what it asks of it is not followed.
    passes_on: bool,
    /// A text of the policy that is the name of a field that is not known.
    named: Option<String>,
}

impl Uses {
    /// # Errors
    /// Where a field is asked for that is not known, or all of them are gone through.
    pub(super) fn add(&mut self, body: &Body, names: &Names) -> Result<(), CompileError> {
        for statement in all_statements(body) {
            for term in statement.terms() {
                self.look(term)?;
            }
            check_call(statement, names)?;
        }
        Ok(())
    }

    pub(super) fn check(self) -> Result<(), CompileError> {
        match self.named {
            Some(name) if self.passes_on => Err(not_known(&name)),
            _ => Ok(()),
        }
    }

    fn look(&mut self, term: &Term) -> Result<(), CompileError> {
        let mut result = Ok(());
        term.visit(&mut |term| {
            match term {
                Term::String(name) if UNKNOWN.contains(&name.as_str()) => self.named = Some(name.clone()),
                Term::Var(_) | Term::Ref(..) => match asked(term) {
                    Asked::Field(name) if !KNOWN.contains(&name) => result = Err(not_known(name)),
                    Asked::AnyField => result = Err(all_fields()),
                    Asked::Whole => self.passes_on = true,
                    Asked::Field(_) | Asked::Nothing => {}
                },
                _ => {}
            }
            // The head of a reference is looked at with its steps.
            match term {
                Term::Ref(_, path) => {
                    for step in path {
                        result = std::mem::replace(&mut result, Ok(())).and_then(|()| self.look(step));
                    }
                    false
                }
                _ => true,
            }
        });
        result
    }
}

/// What a term asks of the request.
enum Asked<'a> {
    Nothing,
    Whole,
    Field(&'a str),
    AnyField,
}

fn asked(term: &Term) -> Asked<'_> {
    let is_input = |term: &Term| matches!(term, Term::Var(name) if name == "input");
    match term {
        term if is_input(term) => Asked::Whole,
        Term::Ref(head, path) if is_input(head) => match &path[..] {
            [Term::String(part), ..] if part != "review" => Asked::Nothing,
            [Term::String(_)] => Asked::Whole,
            [Term::String(_), Term::String(field), ..] => Asked::Field(field),
            _ => Asked::AnyField,
        },
        _ => Asked::Nothing,
    }
}

/// A function that is built in may look at all of the request, but for one that says where.
fn check_call(statement: &Statement, names: &Names) -> Result<(), CompileError> {
    let Kind::Call(name, arguments) = &statement.kind else { return Ok(()) };
    if names.is_own(name) || !arguments.iter().any(|argument| matches!(asked(argument), Asked::Whole)) {
        return Ok(());
    }
    let (whole, path) = match (name.as_str(), &arguments[..]) {
        ("object.get", [whole, Term::Array(steps), default, ..]) if !is_whole(default) => (whole, &steps[..]),
        ("object.get", [whole, step, default, ..]) if !is_whole(default) => (whole, std::slice::from_ref(step)),
        _ => return Err(all_fields()),
    };
    let within_review = match (whole, path) {
        (Term::Ref(..), path) => path,
        (_, [Term::String(part), rest @ ..]) if part == "review" => rest,
        (_, [Term::String(_), ..]) => return Ok(()),
        _ => return Err(all_fields()),
    };
    match within_review.first() {
        Some(Term::String(field)) if KNOWN.contains(&field.as_str()) => Ok(()),
        Some(Term::String(field)) => Err(not_known(field)),
        _ => Err(all_fields()),
    }
}

fn is_whole(term: &Term) -> bool {
    matches!(asked(term), Asked::Whole)
}

fn not_known(field: &str) -> CompileError {
    CompileError::NotRead(format!("it uses `input.review.{field}`, which is not known before"))
}

fn all_fields() -> CompileError {
    CompileError::NotRead("it looks at all of `input.review`, of which a part is not known before".to_owned())
}
