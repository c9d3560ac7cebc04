//! Legal text that the parser cannot take as it is, made such that it can: nothing moves to another line.

use serde::de::IgnoredAny;
use std::borrow::Cow;

/// A text for the parser, and by how many lines each document stands further down in it than where it was read.
pub(super) struct Legible<'a> {
    pub(super) text: Cow<'a, str>,
    moved: Vec<u64>,
}

impl<'a> Legible<'a> {
    /// Without a byte order mark, and with objects of JSON that stand one after another parted into documents, as
    /// kubectl reads them (apimachinery, `NewYAMLOrJSONDecoder`).
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let as_it_is = || Self { text: Cow::Borrowed(text), moved: Vec::new() };
        if !text.trim_start().starts_with('{') {
            return as_it_is();
        }
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        let mut ends = Vec::new();
        while let Some(object) = stream.next() {
            if object.is_err() {
                return as_it_is();
            }
            ends.push(stream.byte_offset());
        }
        if ends.len() < 2 {
            return as_it_is();
        }
        Self::parted(text, &ends)
    }

    fn parted(text: &str, ends: &[usize]) -> Self {
        let (mut parted, mut moved, mut begin, mut lines) = (String::with_capacity(text.len()), Vec::new(), 0, 0);
        for end in ends {
            let object = text[begin..*end].trim_start();
            let gap = &text[begin..*end - object.len()];
            if begin > 0 {
                // The line of the three dashes takes the place of an empty one, where there is one.
                let breaks = gap.matches('\n').count();
                let wanted = breaks.max(2);
                parted.push_str("\n---");
                parted.push_str(&"\n".repeat(wanted - 1));
                lines += (wanted - breaks) as u64;
            } else {
                parted.push_str(gap);
            }
            parted.push_str(object);
            moved.push(lines);
            begin = *end;
        }
        Self { text: Cow::Owned(parted), moved }
    }

    /// By how many lines the document of this number, from 0, was moved down.
    pub(super) fn moved(&self, document: usize) -> u64 {
        self.moved.get(document).or(self.moved.last()).copied().unwrap_or_default()
    }
}

/// Longest run of comments that stays: the parser holds no more than 32 back while it looks ahead.
const LONGEST_RUN: usize = 24;

/// The text with long runs of comments emptied, line by line. Lines of block scalars are no comments.
pub(super) fn without_long_runs_of_comments(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut scalar = None;
    while at < lines.len() {
        let run = match scalar {
            None => lines[at..].iter().take_while(|line| is_comment(line)).count(),
            Some(_) => 0,
        };
        if run > LONGEST_RUN {
            lines[at..at + run]
                .iter()
                .for_each(|line| out.push_str(&line[line.trim_end_matches(['\r', '\n']).len()..]));
            at += run;
            continue;
        }
        scalar = block_scalar_after(lines[at], scalar);
        out.push_str(lines[at]);
        at += 1;
    }
    out
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// How far the lines of a block scalar are indented at least, where one goes on after this line.
fn block_scalar_after(line: &str, within: Option<usize>) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    if let Some(least) = within
        && (line.trim().is_empty() || indent >= least)
    {
        return within;
    }
    let header = line.split(" #").next().unwrap_or(line).trim_end();
    let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    let begins =
        header.strip_suffix(['|', '>']).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']));
    begins.then_some(indent + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_block_scalars_are_no_comments() {
        let comments = "    # text\n".repeat(40);
        let text = format!("a:\n  b: |-\n{comments}  c: d\n{}e: f\n", "# comment\n".repeat(40));
        let emptied = without_long_runs_of_comments(&text);
        assert_eq!(emptied.matches("# text").count(), 40);
        assert_eq!(emptied.matches("# comment").count(), 0);
        assert_eq!(emptied.lines().count(), text.lines().count());
    }

    #[test]
    fn objects_one_after_another_are_parted_and_their_lines_known() {
        let legible = Legible::new("\u{feff}{\"a\": 1}\n{\"b\":\n2}\n\n\n{\"c\": 3} {\"d\": 4}\n");
        assert_eq!(legible.text, "{\"a\": 1}\n---\n{\"b\":\n2}\n---\n\n{\"c\": 3}\n---\n{\"d\": 4}");
        assert_eq!([0, 1, 2, 3].map(|document| legible.moved(document)), [0, 1, 1, 3]);
    }

    #[test]
    fn what_is_no_stream_of_json_stays_as_it_is() {
        for text in ["{\"a\": 1}", "{a: b}\n---\n{c: d}", "a: {}\n", "{\"a\": 1}\n---\n{\"b\": 2}"] {
            assert!(matches!(Legible::new(text).text, Cow::Borrowed(_)), "{text}");
        }
    }
}
