//! What a text says differently than another.

use std::time::Duration;

/// How long the shortest difference is looked for, which takes time by the square of what differs. After that a longer
/// one will do.
const DEADLINE: Duration = Duration::from_millis(100);

/// As `diff -u` writes it, with so many lines around each change; empty where both say the same.
#[must_use]
pub fn unified_diff(before: &str, after: &str, context: usize) -> String {
    let mut diff = similar::TextDiff::configure();
    diff.timeout(DEADLINE);
    diff.diff_lines(before, after).unified_diff().context_radius(context).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_every_line_are_compared_all_the_same() {
        let text = |word: &str| (0..20_000).map(|line| format!("{word} {line}\n")).collect::<String>();
        let diff = unified_diff(&text("before"), &text("after"), 3);
        assert!(diff.contains("-before 0\n") && diff.contains("+after 19999\n"));
    }
}
