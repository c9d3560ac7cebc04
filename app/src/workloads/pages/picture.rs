//! The picture of a workload, and the table and the sentences that say the same.

use crate::ui::{Badge, Notice, Table, Tone};
use leptos::prelude::*;
use review::{Change, Direction, Line, OneSided, Picture};

/// Widths and heights, in the units of the drawing.
const WIDTH: usize = 600;
const PEER_WIDTH: usize = 180;
const CENTRE: usize = 255;
const CENTRE_WIDTH: usize = 90;
const ROW: usize = 64;
const BOX: usize = 52;
const LINE_HEIGHT: usize = 15;

/// As many characters as fit beside each other in a box, and on a line between two.
const PEER_CHARACTERS: usize = 25;
const PORT_CHARACTERS: usize = 10;

/// The most peers drawn on one side; the table has them all.
const MOST_PEERS: usize = 12;

/// One side of the drawing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Something drawn beside the workload.
struct Drawn {
    lines: Vec<String>,
    ports: Vec<String>,
    change: Option<Change>,
}

/// What a change is called, and the class that draws it.
fn named(change: Change) -> (&'static str, &'static str) {
    match change {
        Change::New => ("new", "new"),
        Change::Unchanged => ("", "kept"),
        Change::Removed => ("removed", "removed"),
    }
}

/// Who may reach the workload on the left, what it may reach on the right.
#[component]
fn PictureDrawing(picture: Picture) -> impl IntoView {
    let (left, right) = (drawn(&picture.ingress, "nobody"), drawn(&picture.egress, "nothing"));
    let height = left.len().max(right.len()) * ROW + 40;
    let middle = height / 2;
    let name = wrapped(&picture.workload, 11, 3);
    let name_lines = texts(name, CENTRE + CENTRE_WIDTH / 2, middle + 5, "middle", "picture__name");
    view! {
        <svg
            class="picture"
            xmlns="http://www.w3.org/2000/svg"
            viewBox=format!("0 0 {WIDTH} {height}")
            width=WIDTH
            height=height
            aria-hidden="true"
            focusable="false"
            font-family="system-ui, sans-serif"
            font-size="12"
        >
            <text class="picture__head" x="0" y="14" fill="#4d5b69">"May reach it"</text>
            <text class="picture__head" x=WIDTH y="14" text-anchor="end" fill="#4d5b69">"It may reach"</text>
            {side(left, Side::Left, height)}
            {side(right, Side::Right, height)}
            <rect
                class="picture__workload"
                x=CENTRE
                y=middle
                -
                32
                width=CENTRE_WIDTH
                height="64"
                rx="8"
                fill="#0b5c8a"
                stroke="#0b5c8a"
            />
            {name_lines}
        </svg>
    }
    .into_any()
}

fn drawn(lines: &[Line], nobody: &str) -> Vec<Drawn> {
    let peer = |line: &Line| Drawn {
        lines: wrapped(&line.peer, PEER_CHARACTERS, 2),
        ports: wrapped(&line.ports, PORT_CHARACTERS, 2),
        change: Some(line.change),
    };
    let mut all: Vec<Drawn> = lines.iter().take(MOST_PEERS).map(peer).collect();
    let none = |text: String| Drawn { lines: vec![text], ports: Vec::new(), change: None };
    if !lines.iter().any(|line| line.change != Change::Removed) {
        all.insert(0, none(nobody.to_owned()));
    }
    if lines.len() > MOST_PEERS {
        all.push(none(format!("and {} more, in the table", lines.len() - MOST_PEERS)));
    }
    all
}

fn side(all: Vec<Drawn>, side: Side, height: usize) -> impl IntoView {
    let count = all.len();
    let top = (height - count * ROW) / 2 + 10;
    all.into_iter()
        .enumerate()
        .map(|(index, drawn)| {
            let y = top + index * ROW;
            // Lines end at different heights of the workload, so that they can be followed.
            let end = height / 2 + 20 * (2 * index + 1) / count - 20;
            peer(drawn, side, y, end)
        })
        .collect_view()
}

fn peer(drawn: Drawn, side: Side, y: usize, end: usize) -> impl IntoView {
    let middle = y + BOX / 2;
    let (x, from, to) = match side {
        Side::Left => (0, PEER_WIDTH, CENTRE),
        Side::Right => (WIDTH - PEER_WIDTH, CENTRE + CENTRE_WIDTH, WIDTH - PEER_WIDTH),
    };
    let (start, finish) = if side == Side::Left { (middle, end) } else { (end, middle) };
    let Some(change) = drawn.change else {
        let text = texts(drawn.lines.clone(), x + PEER_WIDTH / 2, middle + 4, "middle", "picture__nobody");
        return view! {
            <rect
                class="picture__box picture__box--none"
                x=x
                y=y
                width=PEER_WIDTH
                height=BOX
                rx="6"
                fill="none"
                stroke="#6b7a89"
                stroke-dasharray="2 4"
            />
            {text}
        }
        .into_any();
    };
    let (word, class) = named(change);
    let (stroke, dashes) = match change {
        Change::New => ("#12542b", ""),
        Change::Unchanged => ("#4d5b69", ""),
        Change::Removed => ("#8f1d1d", "5 4"),
    };
    let width = if change == Change::New { "2.5" } else { "1.5" };
    let bend = (from + to) / 2;
    let path = format!("M{from} {start} C{bend} {start} {bend} {finish} {to} {finish}");
    let arrow = format!("M{to} {finish} l-8 -4 v8 z");
    let text = texts(drawn.lines.clone(), x + 10, middle + 4, "start", "picture__peer");
    // All of it stands above the line.
    let raised = 6 + drawn.ports.len().saturating_sub(1) * LINE_HEIGHT / 2;
    let ports = texts(drawn.ports, bend, ((start + finish) / 2).saturating_sub(raised), "middle", "picture__ports");
    view! {
        <g class=format!("picture__connection picture__connection--{class}")>
            <path class="picture__line" d=path fill="none" stroke=stroke stroke-width=width stroke-dasharray=dashes/>
            <path class="picture__arrow" d=arrow fill=stroke/>
            <rect
                class="picture__box"
                x=x
                y=y
                width=PEER_WIDTH
                height=BOX
                rx="6"
                fill="#f4f7f9"
                stroke=stroke
                stroke-width=width
                stroke-dasharray=dashes
            />
            {text}
            <text
                class="picture__change"
                x=x
                +
                PEER_WIDTH
                -
                6
                y=y
                +
                12
                text-anchor="end"
                font-size="10"
                font-weight="600"
                fill=stroke
            >{word}</text>
            {ports}
        </g>
    }
    .into_any()
}

/// Lines of text, centred around a height.
fn texts(lines: Vec<String>, x: usize, y: usize, anchor: &'static str, class: &'static str) -> impl IntoView {
    let first = y - (lines.len().saturating_sub(1)) * LINE_HEIGHT / 2;
    let fill = if class == "picture__name" { "#ffffff" } else { "#17212b" };
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| {
            view! {
                <text class=class x=x y=first + index * LINE_HEIGHT text-anchor=anchor fill=fill>{line}</text>
            }
        })
        .collect_view()
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Breaks a text into lines of at most so many characters, at spaces and behind hyphens where it can; what does not
/// fit into the last is cut off.
fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_inclusive([' ', '-', ',', '/']) {
        let fits = lines.last().is_none_or(|line| line.chars().count() + word.trim_end().chars().count() <= width);
        match lines.last_mut() {
            Some(line) if fits || line.is_empty() => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    let cut = lines.len() > most;
    lines.truncate(most);
    if let Some(last) = lines.last_mut().filter(|_| cut) {
        *last = format!("{}…", last.trim_end());
    }
    lines.into_iter().map(|line| shortened(line.trim(), width)).collect()
}

/// A picture with the sentences and the table that say the same.
#[component]
pub fn Pictured(picture: Picture) -> impl IntoView {
    let [ingress, egress] = picture.sentences();
    view! {
        <p class="sentences">{ingress}" "{egress}</p>
        <div class="picture-scroll" role="region" aria-label="Picture" tabindex="0">
            <PictureDrawing picture=picture.clone()/>
        </div>
        <details id="picture-table"><summary>"The picture as a table"</summary><PictureTable picture=picture/></details>
    }
    .into_any()
}

/// The same as a table.
#[component]
fn PictureTable(picture: Picture) -> impl IntoView {
    let row = |way: &'static str, line: Line| {
        let change = match line.change {
            Change::New => view! { <Badge tone=Tone::Good text="New"/> }.into_any(),
            Change::Unchanged => "Unchanged".into_any(),
            Change::Removed => view! { <Badge tone=Tone::Bad text="Removed"/> }.into_any(),
        };
        let policies =
            if line.policies.is_empty() { "no policy governs this".to_owned() } else { line.policies.join(", ") };
        view! {
            <tr>
                <td data-label="Direction">{way}</td><td data-label="Who or what">{line.peer}</td>
                <td data-label="Ports">{line.ports}</td><td data-label="Allowed by">{policies}</td>
                <td data-label="Change">{change}</td>
            </tr>
        }
    };
    let ingress = picture.ingress.into_iter().map(|line| row("May reach it", line)).collect_view();
    let egress = picture.egress.into_iter().map(|line| row("It may reach", line)).collect_view();
    view! {
        <Table label="Who may talk with it" columns=&["Direction", "Who or what", "Ports", "Allowed by", "Change"]>
            {ingress}{egress}
        </Table>
    }
    .into_any()
}

/// The most workloads named that do not agree.
const MOST_NAMED: usize = 3;

/// Who does not agree to what the picture promises.
#[component]
pub fn Disagreements(one_sided: Vec<OneSided>) -> impl IntoView {
    (!one_sided.is_empty()).then(|| {
        let items = [Direction::Ingress, Direction::Egress]
            .into_iter()
            .filter_map(|direction| disagreement(&one_sided, direction))
            .map(|text| view! { <li>{text}</li> })
            .collect_view();
        view! {
            <Notice tone=Tone::Warn>
                <p>"Both ends must allow a connection, and these do not yet:"</p>
                <ul>{items}</ul>
            </Notice>
        }
        .into_any()
    })
}

/// Those of one direction in a sentence; the first few by name.
fn disagreement(one_sided: &[OneSided], direction: Direction) -> Option<String> {
    let closed: Vec<&str> =
        one_sided.iter().filter(|one| one.direction == direction).map(|one| one.closed.as_str()).collect();
    let names = closed.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    let who = match closed.len() {
        0 => return None,
        count if count > MOST_NAMED => format!("{names} and {} more", count - MOST_NAMED),
        _ => names,
    };
    Some(match (direction, closed.len()) {
        (Direction::Egress, 1) => format!("{who} does not let it in: no policy there allows it."),
        (Direction::Egress, _) => format!("{who} do not let it in: no policies there allow it."),
        (Direction::Ingress, 1) => format!("{who} may not reach it: its own policies do not let it out to here."),
        (Direction::Ingress, _) => format!("{who} may not reach it: their own policies do not let them out to here."),
    })
}

/// The picture by itself, as SVG.
#[must_use]
pub fn picture_svg(picture: Picture) -> String {
    let drawing = Owner::new().with(|| view! { <PictureDrawing picture=picture/> }.to_html());
    // leptos parts texts by comments, which a drawing does not need.
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", drawing.replace("<!>", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_agree_is_said_in_a_sentence_however_many_there_are() {
        let of = |count: usize, direction| {
            let one =
                |number: usize| OneSided { closed: format!("shop/a{number}[Pod]"), direction, ports: String::new() };
            disagreement(&(0..count).map(one).collect::<Vec<_>>(), direction)
        };
        assert_eq!(of(0, Direction::Egress), None);
        assert_eq!(of(1, Direction::Egress).unwrap(), "shop/a0[Pod] does not let it in: no policy there allows it.");
        assert!(
            of(9, Direction::Ingress)
                .unwrap()
                .starts_with("shop/a0[Pod], shop/a1[Pod], shop/a2[Pod] and 6 more may not reach it")
        );
    }

    #[test]
    fn text_breaks_where_people_would_break_it() {
        assert_eq!(wrapped("every pod in shop", 30, 2), ["every pod in shop"]);
        assert_eq!(
            wrapped("pods with app=web in payments-production", 24, 2),
            ["pods with app=web in", "payments-production"]
        );
        assert_eq!(wrapped(&"x".repeat(40), 10, 2), [format!("{}…", "x".repeat(9))]);
        assert_eq!(wrapped("one two three four", 8, 2), ["one two", "three…"]);
    }
}
