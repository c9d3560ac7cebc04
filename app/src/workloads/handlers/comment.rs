use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, PathOf, decode};
use crate::state::AppState;
use crate::workloads::paths;
use crate::workloads::service::second_person::{CommentForm, comment, load_commentable};
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use uuid::Uuid;

/// Comments on a line of a submission, or on the whole of it.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(id): PathOf<Uuid>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let submission = load_commentable(&state, &actor, id).await?;
    let form: CommentForm = decode(&body)?;
    let mut errors = FormErrors::default();
    let line = errors.take("line", parsed_line(&form.line, submission.manifest.lines().count()));
    if form.body.trim().is_empty() {
        errors.add("body", "Write the comment.");
    }
    let outcome = match line.filter(|_| errors.is_empty()) {
        Some(line) => {
            comment(&state, &actor, &submission, line, form.body.trim()).await?;
            FormOutcome::Done(format!("{}#comments", paths::submission(id)))
        }
        None => FormOutcome::again(form, errors),
    };
    Ok(outcome.respond_on(&paths::submission(id), state, parts).await)
}

fn parsed_line(text: &str, lines: usize) -> Result<Option<i32>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let line: Option<i32> = text.trim().parse().ok();
    let is_there = |line: &i32| usize::try_from(*line).is_ok_and(|line| (1..=lines).contains(&line));
    line.filter(is_there)
        .map(Some)
        .ok_or_else(|| format!("Enter the number of a line, from 1 to {lines}, or leave it empty."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_on_a_line_that_there_is_or_on_the_whole() {
        assert_eq!(parsed_line(" ", 3), Ok(None));
        assert_eq!(parsed_line("3", 3), Ok(Some(3)));
        for wrong in ["0", "4", "-1", "x"] {
            assert!(parsed_line(wrong, 3).is_err(), "{wrong}");
        }
    }
}
