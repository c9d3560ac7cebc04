//! What the interpreter would evaluate otherwise than OPA, in words that both understand alike.
//!
//! OPA evaluates the arguments of a negated call before it negates (`not f(input.x)` holds for nobody without `input.x`), the
//! interpreter with it; the same goes for steps of references. So they get a statement of their own: `v = input.x; not f(v)`.
//!
//! `[path, value] := walk(x)` goes through all of `x`, which the interpreter knows as `walk(x, [path, value])` only.

use super::CompileError;
use regorus::unstable as tree;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Query, Rule, RuleHead};
use std::ops::Range;

/// The expressions and statements of a module, those of comprehensions and of `every` with them.
#[derive(Default)]
struct Walk<'a> {
    expressions: Vec<&'a Expr>,
    statements: Vec<&'a LiteralStmt>,
}

impl<'a> Walk<'a> {
    fn of(module: &'a tree::Module) -> Self {
        let mut walk = Self::default();
        module.policy.iter().for_each(|rule| walk.rule(rule));
        walk
    }

    fn rule(&mut self, rule: &'a Rule) {
        let Rule::Spec { head, bodies, .. } = rule else { return };
        let (refr, key, assign) = match head {
            RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => (refr, None, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, key.as_ref(), None),
        };
        let values = bodies.iter().filter_map(|body| body.assign.as_ref()).chain(assign).map(|assign| &assign.value);
        std::iter::once(refr).chain(key).chain(values).for_each(|term| self.expression(term));
        bodies.iter().for_each(|body| self.query(&body.query));
    }

    fn query(&mut self, query: &'a Query) {
        for statement in &query.stmts {
            self.statements.push(statement);
            statement.with_mods.iter().for_each(|with| self.expression(&with.r#as));
            match &statement.literal {
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expression(expr),
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).for_each(|term| self.expression(term));
                }
                Literal::Every { domain, query, .. } => {
                    self.expression(domain);
                    self.query(query);
                }
                Literal::SomeVars { .. } => {}
            }
        }
    }

    fn expression(&mut self, expression: &'a Expr) {
        self.expressions.push(expression);
        children(expression).into_iter().for_each(|child| self.expression(child));
        if let Expr::ArrayCompr { query, .. } | Expr::SetCompr { query, .. } | Expr::ObjectCompr { query, .. } =
            expression
        {
            self.query(query);
        }
    }
}

/// What the interpreter takes for a call, and OPA does not.
pub(super) enum Gap {
    /// On a new line a parenthesis begins another expression: the text with semicolons in such places.
    Line(String),
    /// OPA takes no space there.
    Space,
}

/// The first gap between the name of a function and its parenthesis. Of calls within calls, the outermost.
pub(super) fn gap(module: &tree::Module, text: &str) -> Option<Gap> {
    let mut edits = Edits::default();
    for expression in Walk::of(module).expressions {
        let Expr::Call { span, fcn, .. } = expression else { continue };
        let (end, whole) = (fcn.span().end as usize, span.start as usize..span.end as usize);
        let after = text.get(end..whole.end).unwrap_or_default();
        let between = &after[..after.find(|sign: char| !sign.is_whitespace()).unwrap_or(0)];
        match (after.starts_with('('), between.contains('\n') || after.trim_start().starts_with('#')) {
            (true, _) => {}
            (false, true) if edits.found.iter().any(|(range, _)| whole.contains(&range.start)) => {}
            (false, true) => edits.found.push((end..end, ";".to_owned())),
            (false, false) => return Some(Gap::Space),
        }
    }
    if edits.found.is_empty() { None } else { edits.apply(text).ok().map(Gap::Line) }
}

/// The text of a module with its negated calls taken apart.
pub(super) fn module(module: &tree::Module, text: &str) -> Result<String, CompileError> {
    let mut edits = Edits::default();
    Walk::of(module).statements.into_iter().try_for_each(|statement| edits.statement(statement))?;
    edits.apply(text)
}

#[derive(Default)]
struct Edits {
    /// What stands in a range of the text instead. Of two for one place, the first comes first.
    found: Vec<(Range<usize>, String)>,
    named: usize,
}

impl Edits {
    fn apply(mut self, text: &str) -> Result<String, CompileError> {
        self.found.sort_by_key(|(range, _)| (range.start, range.end));
        let mut edited = String::with_capacity(text.len());
        let mut place = 0;
        for (range, instead) in self.found {
            let before = text.get(place..range.start);
            // One within the other: calls within the arguments of a negated call.
            edited.push_str(before.ok_or_else(|| CompileError::NotRead("it negates calls within calls".to_owned()))?);
            edited.push_str(&instead);
            place = range.end;
        }
        edited.push_str(text.get(place..).unwrap_or_default());
        Ok(edited)
    }

    fn statement(&mut self, statement: &LiteralStmt) -> Result<(), CompileError> {
        match &statement.literal {
            Literal::NotExpr { span, expr } => {
                let before = before_negation(expr);
                if !before.is_empty() && !statement.with_mods.is_empty() {
                    return Err(CompileError::not_read(expr));
                }
                before.into_iter().for_each(|expression| self.give_statement(span.start as usize, expression));
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { span, lhs, rhs, .. } = expr.as_ref()
                    && let Some(argument) = walked(rhs)
                {
                    let instead = format!("walk({}, {})", argument.span().text(), lhs.span().text());
                    self.found.push((span.start as usize..span.end as usize, instead));
                }
            }
            Literal::SomeIn { .. } | Literal::Every { .. } | Literal::SomeVars { .. } => {}
        }
        Ok(())
    }

    fn give_statement(&mut self, place: usize, argument: &Expr) {
        self.named += 1;
        let name = format!("__fairway_{}", self.named);
        let span = argument.span();
        self.found.push((place..place, format!("{name} = {}; ", span.text())));
        self.found.push((span.start as usize..span.end as usize, name));
    }
}

/// What `walk` goes through, where its result is given a name.
pub(super) fn walked(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Call { fcn, params, .. } if fcn.span().text() == "walk" && params.len() == 1 => {
            params.first().map(AsRef::as_ref)
        }
        _ => None,
    }
}

/// What OPA evaluates before a negated expression (v1/ast/compile.go, `rewriteExprTerms` and `rewriteDynamicTerms`).
fn before_negation(expression: &Expr) -> Vec<&Expr> {
    match expression {
        // A comparison for equality takes references as they are.
        Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
            [lhs, rhs].into_iter().flat_map(|side| within(side)).collect()
        }
        call if is_call(call) => children(call).into_iter().filter(|argument| is_dynamic(argument)).collect(),
        other => within(other),
    }
}

/// What is evaluated before an expression that itself stays in its place.
fn within(expression: &Expr) -> Vec<&Expr> {
    match expression {
        call if is_call(call) => vec![call],
        Expr::RefDot { refr, .. } => within(refr),
        Expr::RefBrack { refr, index, .. } => {
            within(refr).into_iter().chain(is_dynamic(index).then_some(index.as_ref())).collect()
        }
        Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
            children(expression).into_iter().filter(|item| is_dynamic(item)).collect()
        }
        // Those of comprehensions belong to their bodies.
        _ => Vec::new(),
    }
}

/// Whether it may have no value, or has to be evaluated to know.
fn is_dynamic(expression: &Expr) -> bool {
    !matches!(
        expression,
        Expr::Var { .. }
            | Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
    )
}

fn is_call(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Call { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::Membership { .. }
            | Expr::UnaryExpr { .. }
    )
}

/// What stands in an expression, but for the bodies of comprehensions and the names of functions.
fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().map(AsRef::as_ref).collect(),
        Expr::Object { fields, .. } => {
            fields.iter().flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()]).collect()
        }
        Expr::ArrayCompr { term, .. } | Expr::SetCompr { term, .. } => vec![term],
        Expr::ObjectCompr { key, value, .. } => vec![key, value],
        Expr::Call { params, .. } => params.iter().map(AsRef::as_ref).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::RefDot { refr, .. } => vec![refr],
        Expr::RefBrack { refr, index, .. } => vec![refr, index],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).map(AsRef::as_ref).collect()
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => Vec::new(),
    }
}
