//! `/preview-features`: what there is, and what was accepted.

use super::OptIns;
use crate::preview::opt_in::EndReason;
use crate::preview::paths;
use crate::preview::service::accepting::{EndingOptIn, load_features};
use crate::preview::statement::Stage;
use crate::preview::summary::Cursor;
use crate::preview::summary::FeatureSummary;
use crate::ui::{Badge, Empty, MoreRows, Notice, Page, PageRequest, Section, Tone, page};
use jiff::{SignedDuration, Timestamp};
use leptos::prelude::*;

#[component]
pub fn FeaturesPage() -> impl IntoView {
    page(Section::PreviewFeatures, |request| async move {
        let limit = request.row_limit("features");
        let (features, opt_ins) = load_features(&request.state, request.actor()?, limit, cursor(&request)).await?;
        let list = if features.rows.is_empty() {
            view! {
                <Empty title="No preview features at the moment">
                    <p>"When there is one, it is listed here with its risks."</p>
                </Empty>
            }
            .into_any()
        } else {
            let cards = features.rows.into_iter().map(|feature| view! { <Card feature=feature/> }).collect_view();
            let more =
                view! { <MoreRows request=request.clone() list="features" what="features" others=features.others/> };
            view! { <ul class="cards" id="features">{cards}</ul>{more} }.into_any()
        };
        let body = view! {
            <h1>"Preview features"</h1>
            <EndingSoon opt_ins=opt_ins.ending.clone()/>
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
pub(super) fn EndingSoon(opt_ins: Vec<EndingOptIn>) -> impl IntoView {
    let soon = Timestamp::now() + SignedDuration::from_hours(30 * 24);
    let lines: Vec<_> = opt_ins
        .into_iter()
        .filter(|ending| !ending.summary.lifecycle.is_replaced)
        .filter_map(|ending| Some((ending.summary.lifecycle.ends_at().filter(|(at, _)| *at <= soon)?, ending)))
        .map(|((at, reason), EndingOptIn { summary, is_renewed })| {
            let what = format!("{} for {} ends on {}", summary.feature_name, summary.scope, at.strftime("%-d %B %Y"));
            match reason {
                EndReason::Retired => view! {
                    <p>{format!("{what}, because the feature is retired. Stop using it before.")}</p>
                }
                .into_any(),
                _ if is_renewed => view! {
                    <p>{format!("{what}. Its risks were accepted again, and that waits for approval.")}</p>
                }
                .into_any(),
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
