//! Who is told what of an opt-in by e-mail: those who decide on it, and those whose it is.
//!
//! Nothing is queued. What people should be told follows from the steps and notices that are stored anyway, and beside
//! them stands only what they have been told already; so no news is lost, wherever a replica stopped. An attempt is
//! noted before it is made, so a mail whose end nobody saw comes once more after a pause, under the same Message-ID.

mod letter;

pub use letter::Letter;
pub use record::{Occasion, Recipient};

use super::acceptance::{Acceptance, StepTaken};
use super::opt_in::{EndReason, Status};
use super::statement::{Effect, ScopeKind};
use crate::access::Team;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How long something is news: what could not be sent until then is not sent any more.
pub const NEWS: SignedDuration = SignedDuration::from_hours(72);

/// Whom the settings name to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationSettings {
    /// The address of those who decide, usually a list; nobody if it is empty.
    pub administrators: String,
}

/// How far telling somebody has come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delivery {
    /// Of what.
    pub occasion: Occasion,
    pub recipient: Recipient,
    /// When the mail server took the mail; nothing while it has not.
    pub sent_at: Option<Timestamp>,
    /// What was in the way last; empty where nothing was. Names no address.
    pub problem: String,
    /// When it is tried again, if it was not taken.
    pub next_attempt_at: Timestamp,
}

/// Something that somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Of what.
    pub occasion: Occasion,
    pub recipient: Recipient,
    pub address: String,
    pub at: Timestamp,
}

/// Two kinds of recipients: who has to do something, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Administrators,
    Holders,
}

impl Acceptance {
    /// What people are to be told now: what is news, still true, and not told yet; the oldest first.
    #[must_use]
    pub fn notifications_due(
        &self,
        now: Timestamp,
        settings: &NotificationSettings,
        teams: &[Team],
    ) -> Vec<Notification> {
        let news = self.news().into_iter().filter(|(_, _, at)| now.duration_since(*at) <= NEWS);
        let mut due: Vec<Notification> = news
            .flat_map(|(occasion, audience, at)| {
                let recipients = self.recipients(audience, settings, teams).into_iter();
                recipients.map(move |(recipient, address)| Notification { occasion, recipient, address, at })
            })
            .filter(|notification| self.is_open(notification, now))
            .collect();
        due.sort_by_key(|notification| notification.at);
        due
    }

    fn is_open(&self, notification: &Notification, now: Timestamp) -> bool {
        let mut deliveries = self.deliveries.iter();
        let is_it = |delivery: &&Delivery| {
            delivery.occasion == notification.occasion && delivery.recipient == notification.recipient
        };
        deliveries.find(is_it).is_none_or(|delivery| delivery.sent_at.is_none() && delivery.next_attempt_at <= now)
    }

    /// All that its life so far is reason to tell. Nobody is asked to do what is done already.
    fn news(&self) -> Vec<(Occasion, Audience, Timestamp)> {
        let is_new = matches!(self.status(), Status::Waiting { .. }) && self.steps.is_empty();
        let accepted = is_new.then_some((Occasion::Accepted, Audience::Administrators, self.accepted.accepted_at));
        let steps = (1..).zip(&self.steps).flat_map(|(number, taken)| {
            let audiences = self.audiences_of(taken, number == self.steps.len()).into_iter();
            audiences.map(move |audience| (Occasion::Step(number), audience, taken.taken_at))
        });
        let ends_at = self.status().is_granted().then(|| self.lifecycle.ends_at()).flatten().map(|(at, _)| at);
        let notices = self.lifecycle.noticed.iter().filter(|notice| Some(notice.ends_at) == ends_at).map(|notice| {
            let occasion = Occasion::Notice { days: notice.days, ends_at: notice.ends_at };
            (occasion, Audience::Holders, notice.given_at)
        });
        accepted.into_iter().chain(steps).chain(notices).collect()
    }

    /// Who is told of a step. What Fairway does by itself within seconds is told once it is done.
    fn audiences_of(&self, taken: &StepTaken, is_last: bool) -> Vec<Audience> {
        let manual = self.terms.effect == Effect::Manual;
        let (is_for_holders, is_to_do) = match (taken.step.as_str(), taken.status.as_str()) {
            ("approved", "waiting") => (false, true),
            ("approved", _) => (manual, manual),
            ("refused" | "effective", _) => (true, false),
            ("ending", "ended") => (true, false),
            // Whoever accepted anew knows, and what the new acceptance needs as well is not to be taken back: what is
            // left to do stands among the approvals.
            ("ending", _) if taken.reason == Some(EndReason::Replaced) => (false, false),
            ("ending", _) => (true, manual),
            _ => (false, false),
        };
        let holders = is_for_holders.then_some(Audience::Holders);
        let administrators = (is_to_do && is_last).then_some(Audience::Administrators);
        holders.into_iter().chain(administrators).collect()
    }

    /// Who an audience is, with their addresses, none of them twice. Whoever was erased has none any more, and a
    /// contact that is no address, such as a channel, gets no mail.
    fn recipients(
        &self,
        audience: Audience,
        settings: &NotificationSettings,
        teams: &[Team],
    ) -> Vec<(Recipient, String)> {
        let mut recipients: Vec<(Recipient, String)> = match audience {
            Audience::Administrators => vec![(Recipient::Administrators, settings.administrators.clone())],
            Audience::Holders => {
                // Where they are today, and nowhere once they were erased.
                let person = self.identity.iter().map(|_| (Recipient::Person, self.person_address.clone()));
                let contacts = teams.iter().filter(|team| self.is_for(team));
                person.chain(contacts.map(|team| (Recipient::Team(team.name.clone()), team.contact.clone()))).collect()
            }
        };
        let mut seen = BTreeSet::new();
        recipients.retain(|(_, address)| is_address(address) && seen.insert(address.to_lowercase()));
        recipients
    }

    fn is_for(&self, team: &Team) -> bool {
        match self.accepted.scope.kind {
            ScopeKind::Team => team.name == self.accepted.scope.name,
            ScopeKind::Namespace | ScopeKind::Environment => {
                team.namespaces.iter().any(|name| self.accepted.namespaces.contains(name))
            }
        }
    }
}

/// Whether a text can be an address at all; what it really is, the mail server says.
fn is_address(text: &str) -> bool {
    let is_plain = text.chars().all(|sign| !sign.is_whitespace() && !sign.is_control() && !"<>,;".contains(sign));
    is_plain && text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::acceptance::{AcceptanceDocument, fold};
    use crate::preview::lifecycle::{Lifecycle, Notice};
    use crate::preview::statement::{RiskStatement, Stage};
    use proptest::prelude::*;
    use record::Digest;
    use record::Identity;
    use uuid::Uuid;

    const HOUR: i64 = 3600;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * HOUR).unwrap()
    }

    fn step(step: &str, status: &str, hour: i64) -> StepTaken {
        let by = ["approved", "refused"].contains(&step).then(|| Uuid::from_u128(2));
        StepTaken {
            step: step.parse().unwrap(),
            person_id: by,
            identity: by.map(|by| Digest::of(by.to_string())),
            person: None,
            reason: ["ending", "ended"].contains(&step).then_some(EndReason::Revoked),
            comment: "Because".into(),
            status: status.parse().unwrap(),
            request_id: String::new(),
            taken_at: at(hour),
        }
    }

    /// Accepted in hour 0 for the namespace shop, and what became of it.
    fn acceptance(effect: Effect, approvals: u8, steps: &[StepTaken]) -> Acceptance {
        let terms = RiskStatement { approvals, effect, ..RiskStatement::example() };
        let accepted = AcceptanceDocument { justification: "We need it".into(), ..AcceptanceDocument::example(&terms) };
        let identity = Identity {
            issuer: "https://idp".into(),
            subject: "dana".into(),
            name: "Dana".into(),
            email: "dana@example.com".into(),
            salt: [10; 32],
        };
        let opt_in = fold(Uuid::from_u128(1), &terms, steps).unwrap();
        let lifecycle = Lifecycle {
            status: opt_in.status().kind(),
            stage: Stage::Preview,
            retires_at: None,
            approved_at: crate::preview::acceptance::approved_at(steps),
            validity_months: 12,
            later: Vec::new(),
            is_replaced: false,
            noticed: Vec::new(),
        };
        Acceptance {
            document: accepted.document(),
            digest: accepted.digest(),
            statement: terms.document(),
            feature_name: terms.name.clone(),
            feature_since: at(0),
            person_id: Uuid::from_u128(1),
            person_address: identity.email.clone(),
            identity: Some(identity),
            steps: steps.to_vec(),
            problem: String::new(),
            drift: String::new(),
            deliveries: Vec::new(),
            next_attempt_at: None,
            accepted,
            terms,
            opt_in,
            lifecycle,
        }
    }

    fn teams(contact: &str) -> Vec<Team> {
        let team = |name: &str, namespace: &str| Team {
            name: name.into(),
            namespaces: vec![namespace.into()],
            contact: contact.into(),
            ..Team::default()
        };
        vec![team("shop", "shop"), team("pay", "pay")]
    }

    fn due_with(acceptance: &Acceptance, hour: i64, contact: &str) -> Vec<Notification> {
        let settings = NotificationSettings { administrators: "admins@example.com".into() };
        acceptance.notifications_due(at(hour), &settings, &teams(contact))
    }

    /// What is due, as it is stored, and where it goes.
    fn due(acceptance: &Acceptance, hour: i64) -> Vec<String> {
        let due = due_with(acceptance, hour, "team@example.com").into_iter();
        due.map(|due| format!("{} {} {}", due.occasion, due.recipient, due.address)).collect()
    }

    #[test]
    fn those_who_decide_are_told_what_waits_and_those_whose_it_is_what_came_of_it() {
        let manual = |approvals, steps: &[StepTaken]| due(&acceptance(Effect::Manual, approvals, steps), 1);
        assert_eq!(manual(1, &[]), ["accepted administrators admins@example.com"]);
        let once = step("approved", "waiting", 0);
        assert_eq!(manual(2, std::slice::from_ref(&once)), ["step-1 administrators admins@example.com"]);
        assert_eq!(
            manual(1, &[step("refused", "refused", 0)]),
            ["step-1 person dana@example.com", "step-1 team/shop team@example.com"]
        );
        let approved = step("approved", "approved", 0);
        let told = manual(1, std::slice::from_ref(&approved));
        assert!(told.contains(&"step-1 administrators admins@example.com".to_owned()), "{told:?}");
        let done = manual(1, &[approved.clone(), step("effective", "effective", 0)]);
        assert!(!done.iter().any(|told| told.contains("administrators")), "nobody is asked for what is done: {done:?}");
        let label = Effect::RoleBinding { cluster_role: "editor".into() };
        assert_eq!(due(&acceptance(label, 1, &[approved]), 1), Vec::<String>::new(), "told once it is effective");
    }

    #[test]
    fn notices_are_sent_while_they_are_of_the_end_there_is() {
        let steps = [step("approved", "approved", 0), step("effective", "effective", 0)];
        let mut effective = acceptance(Effect::Manual, 1, &steps);
        let (ends_at, _) = effective.lifecycle.ends_at().unwrap();
        let notice = |ends_at| Notice { days: 7, given_at: at(999), ends_at };
        effective.lifecycle.noticed = vec![notice(at(5)), notice(ends_at)];
        let occasion = Occasion::Notice { days: 7, ends_at };
        let told = due(&effective, 1000);
        assert_eq!(
            told,
            [format!("{occasion} person dana@example.com"), format!("{occasion} team/shop team@example.com")]
        );
    }

    #[test]
    fn whoever_was_erased_and_contacts_that_are_no_address_get_no_mail_and_nobody_gets_two() {
        let refused = acceptance(Effect::Manual, 1, &[step("refused", "refused", 0)]);
        let addresses = |acceptance: &Acceptance, contact| {
            due_with(acceptance, 1, contact).into_iter().map(|due| due.address).collect::<Vec<_>>()
        };
        for no_address in ["#shop", "@shop", "Shop <shop@example.com>", "shop@example.com, pay@example.com"] {
            assert_eq!(addresses(&refused, no_address), ["dana@example.com"], "{no_address}");
        }
        let moved = Acceptance { person_address: "dana@example.org".into(), ..refused.clone() };
        assert_eq!(addresses(&moved, "#shop"), ["dana@example.org"], "where they are today");
        assert_eq!(addresses(&refused, "Dana@example.com"), ["dana@example.com"]);
        let erased = Acceptance { identity: None, ..refused };
        assert_eq!(addresses(&erased, "team@example.com"), ["team@example.com"]);
    }

    #[test]
    fn what_was_not_sent_within_three_days_is_no_news_any_more() {
        let waiting = acceptance(Effect::Manual, 1, &[]);
        assert_eq!((due(&waiting, 72).len(), due(&waiting, 73).len()), (1, 0));
    }

    proptest! {
        #[test]
        fn nobody_is_told_the_same_twice_and_every_letter_leads_to_the_record(
            approvals in 1_u8..=2,
            length in 0_usize..=5,
            manual: bool,
            justification in "\\PC{0,40}",
        ) {
            let mut steps = vec![
                step("approved", "waiting", 1), step("approved", "approved", 2), step("effective", "effective", 3),
                step("ending", "ending", 4), step("ended", "ended", 5),
            ];
            steps[1].person_id = Some(Uuid::from_u128(3));
            if approvals == 1 {
                steps.remove(0);
            }
            steps.truncate(length);
            let effect = if manual { Effect::Manual } else { Effect::RoleBinding { cluster_role: "editor".into() } };
            let mut acceptance = acceptance(effect, approvals, &steps);
            acceptance.accepted.justification = justification;
            let first = due_with(&acceptance, 6, "team@example.com");
            for told in &first {
                let letter = acceptance.letter(told, "https://fairway.example.com", "the platform team");
                prop_assert!(
                    !letter.subject.contains(char::is_control) && letter.subject.contains("Snippets for namespace shop")
                );
                prop_assert!(letter.body.contains("https://fairway.example.com/preview-features/acceptances/"));
                acceptance.deliveries.push(Delivery {
                    occasion: told.occasion,
                    recipient: told.recipient.clone(),
                    sent_at: Some(at(6)),
                    problem: String::new(),
                    next_attempt_at: at(6),
                });
            }
            prop_assert_eq!(acceptance.deliveries.len(), first.len());
            prop_assert_eq!(due_with(&acceptance, 6, "team@example.com"), Vec::new());
        }
    }
}
