//! YAML and differences to look at, line by line.

use super::display::Tone;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// Something to say about a line.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Which, from 1.
    pub line: u64,
    pub tone: Tone,
    pub text: String,
}

/// YAML with numbered lines, its keys told apart from its values, and marks under the lines that they are about. A
/// line has the id `line-N`.
#[component]
pub fn Yaml(
    /// What it is, for those who cannot see it.
    #[prop(into)]
    label: String,
    text: String,
    /// What is said about its lines.
    #[prop(optional)]
    marks: Vec<Mark>,
) -> impl IntoView {
    let mut marks_of: BTreeMap<u64, Vec<&Mark>> = BTreeMap::new();
    for mark in &marks {
        marks_of.entry(mark.line).or_default().push(mark);
    }
    let lines = text
        .lines()
        .zip(1_u64..)
        .map(|(line, number)| {
            let marked = marks_of.remove(&number).unwrap_or_default();
            let class = marked.first().map_or("yaml__line", |_| "yaml__line yaml__line--marked");
            let said = marked
                .iter()
                .map(|mark| view! {
                    <span class=format!("yaml__mark yaml__mark--{}", mark.tone.name())>{mark.text.clone()}"\n"</span>
                })
                .collect_view();
            view! { <span class=class id=format!("line-{number}")><Tokens line=line.to_owned()/>"\n"</span>{said} }
        })
        .collect_view();
    view! { <pre class="code yaml" role="region" tabindex="0" aria-label=label><code>{lines}</code></pre> }.into_any()
}

#[component]
fn Tokens(line: String) -> impl IntoView {
    let (lead, key, rest) = split(&line);
    let rest_class = match rest.trim() {
        text if text.starts_with('#') => "yaml__comment",
        text if text.starts_with(['"', '\'']) => "yaml__text",
        _ => "",
    };
    view! {
        // leptos writes a space for an empty text.
        {(!lead.is_empty()).then(|| lead.to_owned())}
        {(!key.is_empty()).then(|| view! { <span class="yaml__key">{key.to_owned()}</span> })}
        {(!rest.is_empty()).then(|| view! { <span class=rest_class>{rest.to_owned()}</span> })}
    }
}

/// Indentation and dashes; the key, if there is one; and what follows.
fn split(line: &str) -> (&str, &str, &str) {
    let start = line.find(|c| c != ' ' && c != '-').unwrap_or(line.len());
    let (lead, rest) = line.split_at(start);
    let end = rest.find(": ").or_else(|| rest.ends_with(':').then(|| rest.len() - 1));
    match end {
        Some(end) if !rest.starts_with(['"', '\'', '#']) => (lead, &rest[..end], &rest[end..]),
        _ => (lead, "", rest),
    }
}

/// The most lines of a difference that are shown.
const MOST_DIFF_LINES: usize = 1_000;

#[component]
pub fn Diff(
    /// What it is, for those who cannot see it.
    #[prop(into)]
    label: String,
    /// As `diff -u` writes it.
    text: String,
) -> impl IntoView {
    let more = text.lines().count().saturating_sub(MOST_DIFF_LINES);
    let more = (more > 0).then(|| view! { <p class="quiet">{format!("{more} more lines are not shown.")}</p> });
    let lines = text
        .lines()
        .take(MOST_DIFF_LINES)
        .map(|line| {
            let line = line.to_owned();
            match line.chars().next() {
                Some('+') => view! { <ins class="diff__line">{line}"\n"</ins> }.into_any(),
                Some('-') => view! { <del class="diff__line">{line}"\n"</del> }.into_any(),
                _ => view! { <span class="diff__line">{line}"\n"</span> }.into_any(),
            }
        })
        .collect_view();
    view! { <pre class="code diff" role="region" tabindex="0" aria-label=label><code>{lines}</code></pre>{more} }
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_values() {
        assert_eq!(split("  - name: web"), ("  - ", "name", ": web"));
        assert_eq!(split("spec:"), ("", "spec", ":"));
        assert_eq!(split("- 8080"), ("- ", "", "8080"));
        assert_eq!(split("\"a: b\""), ("", "", "\"a: b\""));
        assert_eq!(split("image: harbor.example.com/a:1"), ("", "image", ": harbor.example.com/a:1"));
        assert_eq!(split("# note: this"), ("", "", "# note: this"));
    }
}
