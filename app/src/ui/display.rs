//! Things to look at: badges, notices, code, times, empty states.

use jiff::Timestamp;
use leptos::prelude::*;

/// What a badge or notice means; never told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    Info,
    /// Done, or fine.
    Good,
    Warn,
    /// Refused, or broken.
    Bad,
}

impl Tone {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One or two words of state.
#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    view! { <span class=format!("badge badge--{}", tone.name())>{text}</span> }
}

/// A message about the page.
#[component]
pub fn Notice(tone: Tone, children: Children) -> impl IntoView {
    let role = (tone == Tone::Good).then_some("status");
    view! { <div class=format!("notice notice--{}", tone.name()) role=role>{children()}</div> }
}

/// Nothing here yet, and the one next step.
#[component]
pub fn Empty(
    #[prop(into)] title: String,
    /// What to do about it.
    children: Children,
) -> impl IntoView {
    view! { <div class="empty"><h2>{title}</h2>{children()}</div> }
}

/// A table in a frame of its own, which scrolls where it is too wide. On a phone each row is a block, and its cells say
/// what they are: `data-label` repeats the head of their column.
#[component]
pub fn Table(
    /// What it lists, for those who cannot see it.
    label: &'static str,
    /// Heads of the columns.
    columns: &'static [&'static str],
    children: Children,
) -> impl IntoView {
    let heads = columns.iter().map(|column| view! { <th scope="col">{*column}</th> }).collect_view();
    view! {
        <div class="table-scroll" role="region" aria-label=label tabindex="0">
            <table><thead><tr>{heads}</tr></thead><tbody>{children()}</tbody></table>
        </div>
    }
    .into_any()
}

/// Text to copy: YAML or commands.
#[component]
pub fn Code(
    /// What it is, for those who cannot see it.
    #[prop(into)]
    label: String,
    #[prop(into)] text: String,
) -> impl IntoView {
    view! { <pre class="code" role="region" tabindex="0" aria-label=label><code>{text}</code></pre> }
}

/// A term and what it is, inside a `<dl>`.
#[component]
pub fn Fact(#[prop(into)] term: String, children: Children) -> impl IntoView {
    view! { <div class="fact"><dt>{term}</dt><dd>{children()}</dd></div> }
}

#[component]
pub fn Breadcrumb(
    /// Path and label of each page above this one.
    links: Vec<(String, String)>,
) -> impl IntoView {
    let items = links.into_iter().map(|(path, label)| view! { <li><a href=path>{label}</a></li> }).collect_view();
    view! { <nav class="breadcrumb" aria-label="Breadcrumb"><ol>{items}</ol></nav> }
}

/// A moment: how long ago, the exact time on hover and for machines.
#[component]
pub fn Time(at: Timestamp) -> impl IntoView {
    let exact = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    view! { <time datetime=at.to_string() title=exact>{ago(at, Timestamp::now())}</time> }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second()).max(0);
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        _ => return at.strftime("%-d %B %Y").to_string(),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_tell_them() {
        let now = Timestamp::from_second(10_000_000).unwrap_or_default();
        let before = |seconds: i64| Timestamp::from_second(10_000_000 - seconds).unwrap_or_default();
        for (seconds, words) in [(5, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (90_000, "1 day ago")] {
            assert_eq!(ago(before(seconds), now), words);
        }
        assert_eq!(ago(before(9_000_000), now), "12 January 1970");
    }
}
