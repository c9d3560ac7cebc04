//! What a mail about an opt-in says.

use super::{Notification, Occasion, Recipient};
use crate::preview::acceptance::{Acceptance, StepTaken};
use crate::preview::opt_in::{EndReason, Status};
use jiff::Timestamp;

/// A mail without its addresses, in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    /// Lines.
    pub body: String,
}

impl Acceptance {
    /// What happened, for lists.
    #[must_use]
    pub fn occasion_in_words(&self, occasion: Occasion) -> String {
        match occasion {
            Occasion::Accepted => "Accepted".to_owned(),
            Occasion::Step(number) => number
                .checked_sub(1)
                .and_then(|place| self.steps.get(place))
                .map(StepTaken::in_words)
                .unwrap_or_default(),
            Occasion::Notice { ends_at, .. } => format!("Ends on {}", day(ends_at)),
        }
    }

    /// The mail. `site` is the portal's own address, `support` whom people ask.
    #[must_use]
    pub fn letter(&self, notification: &Notification, site: &str, support: &str) -> Letter {
        let (what, sentences) = self.told(notification, site);
        let subject = format!("[Fairway] {what}: {} for {}", self.feature_name, self.accepted.scope);
        let record = format!("{site}/preview-features/acceptances/{}", self.accepted.id);
        let why = match &notification.recipient {
            Recipient::Administrators => "this address is the one of those who decide on preview features".to_owned(),
            Recipient::Person => "you accepted these risks".to_owned(),
            Recipient::Team(name) => format!("this address is the contact of the team {name}"),
        };
        let body =
            format!("{sentences}\n\nThe record: {record}\n\nFairway tells you because {why}. Questions: {support}.\n");
        // A name is one line; what comes as more is none.
        Letter { subject: subject.replace(char::is_control, " "), body }
    }

    /// What happened in a word or two, and in sentences.
    fn told(&self, notification: &Notification, site: &str) -> (String, String) {
        let what = format!("{} for {}", self.feature_name, self.accepted.scope);
        let approvals = format!("{site}/admin/approvals");
        match (notification.occasion, &notification.recipient) {
            (Occasion::Accepted, _) => {
                let why = quoted("Why", &self.accepted.justification);
                let sentences = format!(
                    "{} accepted the risks of {what}, and somebody else has to decide.{why}\n\nDecide: {approvals}",
                    self.person().0
                );
                ("Decide".to_owned(), sentences)
            }
            (Occasion::Step(_), Recipient::Administrators) if matches!(self.status(), Status::Waiting { .. }) => {
                let sentences = format!(
                    "One administrator approved {what}, and a second one has to decide.\n\nDecide: {approvals}"
                );
                ("Decide".to_owned(), sentences)
            }
            (Occasion::Step(_), Recipient::Administrators) if *self.status() == Status::Approved => (
                "Enable by hand".to_owned(),
                format!(
                    "{what} was approved, and Fairway cannot enable it by itself. Do it, and confirm it on the page \
                     of the record."
                ),
            ),
            (Occasion::Step(_), Recipient::Administrators) => (
                "Take back by hand".to_owned(),
                format!(
                    "{what} has ended, and Fairway cannot take back by itself what it gave. Do it, and confirm it \
                     on the page of the record."
                ),
            ),
            (Occasion::Step(number), _) => {
                self.steps.get(number.wrapping_sub(1)).map(|taken| self.told_of_step(taken, &what)).unwrap_or_default()
            }
            (Occasion::Notice { ends_at, .. }, _) => {
                let day = day(ends_at);
                let again = format!("{site}/preview-features/{}", self.accepted.feature);
                let sentences = match self.lifecycle.ends_at() {
                    Some((_, EndReason::Retired)) => format!(
                        "{what} ends on {day}, because the feature is retired. Stop using it before: what it gave is \
                         taken back."
                    ),
                    Some((_, EndReason::NotRenewed)) => format!(
                        "{what} ends on {day}, because its risk statement has changed. To keep it, read what is new \
                         and accept it before: {again}"
                    ),
                    _ => format!(
                        "{what} ends on {day}. To keep it, accept its risks again before, early enough for \
                         an administrator to approve: {again}"
                    ),
                };
                (format!("Ends on {day}"), sentences)
            }
        }
    }

    fn told_of_step(&self, taken: &StepTaken, what: &str) -> (String, String) {
        let said = quoted("Comment", &taken.comment);
        let end = taken.reason.map(EndReason::in_words).unwrap_or_default().to_lowercase();
        match (taken.step.as_str(), taken.status.as_str()) {
            ("approved", _) => (
                "Approved".to_owned(),
                format!(
                    "{what} was approved. An administrator enables it by hand; you are told when that is \
                     confirmed.{said}"
                ),
            ),
            ("refused", _) => ("Refused".to_owned(), format!("{what} was refused, and nothing was enabled.{said}")),
            ("effective", _) => {
                let until = self
                    .lifecycle
                    .ends_at()
                    .map(|(at, _)| format!(" It ends on {}, unless it is accepted again before.", day(at)));
                ("Effective".to_owned(), format!("{what} is effective now.{}{said}", until.unwrap_or_default()))
            }
            (_, "ended") => (
                "Not decided".to_owned(),
                format!("{what} is not decided any more, and nothing was enabled: {end}.{said}"),
            ),
            _ => ("Ended".to_owned(), format!("{what} has ended: {end}. What it gave is taken back.{said}")),
        }
    }
}

/// What somebody wrote, on a line of its own; nothing where they wrote nothing.
fn quoted(what: &str, words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("\n\n{what}: {words}") }
}

fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}
