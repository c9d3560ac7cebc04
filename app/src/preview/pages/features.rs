//! `/preview-features`: what there is, and what was accepted.

use super::OptIns;
use crate::preview::opt_in::EndReason;
use crate::preview::paths;
use crate::preview::service::accepting::load_features;
use crate::preview::statement::Stage;
use crate::preview::summary::FeatureSummary;
use crate::preview::summary::{Cursor, OptInSummary};
use crate::ui::{Badge, Empty, Notice, Page, PageRequest, Section, Tone, page};
use jiff::{SignedDuration, Timestamp};
use leptos::prelude::*;
use record::StatusKind;

#[component]
pub fn FeaturesPage() -> impl IntoView {
    page(Section::PreviewFeatures, |request| async move {
        let (features, opt_ins) = load_features(&request.state, request.actor()?, cursor(&request)).await?;
        let list = if features.is_empty() {
            view! {
                <Empty title="No preview features at the moment">
                    <p>"When there is one, it is listed here with its risks."</p>
                </Empty>
            }
            .into_any()
        } else {
            let cards = features.into_iter().map(|feature| view! { <Card feature=feature/> }).collect_view();
            view! { <ul class="cards">{cards}</ul> }.into_any()
        };
        let body = view! {
            <h1>"Preview features"</h1>
            <EndingSoon summaries=opt_ins.ending.clone()/>
            <p>
                "Features that are newer and riskier than the rest of the platform. To use one, your team accepts its \
                 risks, and an administrator approves. "
                <a href="/faq/preview-features">"What preview features are"</a>
            </p>
            {list}
            <OptIns
                opt_ins=opt_ins
                address=paths::FEATURES.to_owned()
                hint="By you, for what you may act for, or for a namespace that you administer."
            />
        };
        Ok(Page::new("Preview features", body))
    })
}

/// The place in the list of what was accepted that the address asks for.
pub(super) fn cursor(request: &PageRequest) -> Option<Cursor> {
    request.query("after")?.parse().ok()
}

#[component]
fn Card(feature: FeatureSummary) -> impl IntoView {
    let stage =
        (feature.stage != Stage::Preview).then(|| view! { <Badge tone=Tone::Good text=feature.stage.in_words()/> });
    view! {
        <li class="card">
            <h2><a href=paths::feature(&feature.slug)>{feature.name}</a></h2>
            <p>{feature.purpose}</p>
            {stage}
        </li>
    }
}

/// The notices that are given 30, 7 and 1 days before an end, as long as they matter.
#[component]
pub(super) fn EndingSoon(summaries: Vec<OptInSummary>) -> impl IntoView {
    let soon = Timestamp::now() + SignedDuration::from_hours(30 * 24);
    let (waiting, granted): (Vec<OptInSummary>, Vec<OptInSummary>) =
        summaries.into_iter().partition(|summary| summary.status == StatusKind::Waiting);
    let is_renewed = |summary: &OptInSummary| {
        waiting.iter().any(|other| {
            (&other.feature, &other.scope) == (&summary.feature, &summary.scope) && other.lifecycle.is_in_force()
        })
    };
    let lines: Vec<_> =
        granted
            .iter()
            .filter(|summary| !summary.lifecycle.is_replaced)
            .filter_map(|summary| Some((summary.lifecycle.ends_at().filter(|(at, _)| *at <= soon)?, summary)))
            .map(|((at, reason), summary)| {
                let day = at.strftime("%-d %B %Y");
                let what = format!("{} for {} ends on {day}", summary.feature_name, summary.scope);
                match reason {
                EndReason::Retired => view! {
                    <p>{format!("{what}, because the feature is retired. Stop using it before.")}</p>
                }.into_any(),
                _ if is_renewed(summary) => view! {
                    <p>{format!("{what}. Its risks were accepted again, and that waits for approval.")}</p>
                }.into_any(),
                _ => view! {
                    <p>
                        {what}". To keep it, "<a href=paths::feature(&summary.feature)>"accept its risks again"</a>"."
                    </p>
                }
                .into_any(),
            }
            })
            .collect();
    (!lines.is_empty()).then(|| view! { <Notice tone=Tone::Warn>{lines}</Notice> })
}
