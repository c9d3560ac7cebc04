//! What Gatekeeper and OPA demand of a policy before they evaluate it, and what the interpreter must be told otherwise. A
//! policy that the cluster would not accept gets no verdict here.

mod arithmetic;
mod calls;
mod references;
mod request;
mod rewrite;
mod safety;
mod scopes;
mod signatures;
mod syntax;
mod types;

use self::references::{Names, Policy};
use super::{RegoError, RegoPolicy, RegoVersion};
use regorus::Source;
use regorus::unstable as tree;
use std::num::NonZeroU32;

/// The text of a policy and of its libraries as the interpreter evaluates it like OPA.
pub(super) struct Compiled {
    pub(super) rego: String,
    pub(super) libraries: Vec<String>,
    /// Whether it has operators of arithmetic.
    pub(super) calculates: bool,
}

/// Why a policy is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CompileError {
    /// Neither by the cluster.
    NotAccepted(String),
    /// By the cluster only.
    NotRead(String),
}

impl CompileError {
    fn not_accepted(reason: impl Into<String>) -> Self {
        Self::NotAccepted(reason.into())
    }

    fn not_read(expression: &tree::Expr) -> Self {
        Self::NotRead(format!("line {} is of a kind that Fairway does not read", expression.span().line))
    }
}

impl From<CompileError> for RegoError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::NotAccepted(reason) => Self::NotAccepted(reason),
            CompileError::NotRead(reason) => Self::Failed(reason),
        }
    }
}

/// # Errors
/// [`RegoError::NotAccepted`], or [`RegoError::Failed`] where it cannot be read.
pub(super) fn compile(policy: &RegoPolicy) -> Result<Compiled, RegoError> {
    let template = Parsed::of("template.rego", &policy.rego, policy.version)?;
    let libraries = policy.libraries.iter().enumerate();
    let libraries: Vec<_> = libraries
        .map(|(index, library)| Parsed::of(&format!("library-{index}.rego"), library, policy.version))
        .collect::<Result<_, _>>()?;
    let modules = Policy {
        template: syntax::module(&template.module)?,
        libraries: libraries.iter().map(|library| syntax::module(&library.module)).collect::<Result<_, _>>()?,
    };
    let calculates = check(&modules)?;
    Ok(Compiled {
        rego: template.rewritten()?,
        libraries: libraries.iter().map(Parsed::rewritten).collect::<Result<_, _>>()?,
        calculates,
    })
}

/// A module with the text that it was read from.
struct Parsed {
    module: tree::Module,
    text: String,
}

impl Parsed {
    fn of(name: &str, text: &str, version: RegoVersion) -> Result<Self, RegoError> {
        let mut parsed = Self { module: parse(name, text, version)?, text: text.to_owned() };
        while let Some(gap) = rewrite::gap(&parsed.module, &parsed.text) {
            let rewrite::Gap::Line(text) = gap else {
                return Err(CompileError::not_accepted("it has a space before the parenthesis of a call").into());
            };
            parsed = Self { module: parse(name, &text, version)?, text };
        }
        Ok(parsed)
    }

    fn rewritten(&self) -> Result<String, CompileError> {
        rewrite::module(&self.module, &self.text)
    }
}

fn parse(name: &str, text: &str, version: RegoVersion) -> Result<tree::Module, RegoError> {
    let failed = |error: anyhow::Error| RegoError::Failed(super::interpreter::in_one_line(&error.to_string()));
    let source = Source::from_contents(name.to_owned(), text.to_owned()).map_err(failed)?;
    let mut parser = tree::Parser::new(&source).map_err(failed)?;
    parser.set_max_col(NonZeroU32::MAX);
    if version == RegoVersion::V1 {
        parser.enable_rego_v1().map_err(failed)?;
    }
    parser.parse().map_err(failed)
}

/// Whether it calculates.
fn check(policy: &Policy) -> Result<bool, CompileError> {
    references::check(policy)?;
    let mut bodies = Vec::new();
    let (mut request, mut arithmetic) = (request::Uses::default(), arithmetic::Arithmetic::default());
    for module in policy.modules() {
        let names = Names::of(policy, module);
        let globals = names.globals();
        for rule in &module.rules {
            for bound in scopes::bodies(rule, &globals)? {
                let body = calls::Calls::default().body(bound.body);
                references::check_calls(&body, &names)?;
                let known = globals.iter().cloned().chain(bound.arguments).collect();
                let ordered = safety::check(&body, &known, &|name| names.arity(name))?;
                types::check(&ordered, &names)?;
                request.add(&body, &names)?;
                arithmetic.add(&body);
                bodies.push((module, rule, body));
            }
        }
    }
    references::check_recursion(policy, &bodies)?;
    request.check()?;
    arithmetic.calculates()
}
