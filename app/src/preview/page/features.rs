//! `/preview-features`: what there is, and what was accepted.

use super::Accepted;
use crate::preview::Feature;
use crate::preview::acceptance::Acceptance;
use crate::preview::api::{Place, load_features};
use crate::preview::opt_in::{End, Standing};
use crate::preview::terms::Stage;
use crate::ui::{Badge, Empty, Notice, Page, PageRequest, Section, Tone, page};
use jiff::{SignedDuration, Timestamp};
use leptos::prelude::*;

/// The page.
#[component]
pub fn FeaturesPage() -> impl IntoView {
    page(Section::PreviewFeatures, |request| async move {
        let (features, seen) = load_features(&request.state, request.actor()?, place(&request)).await?;
        let features: Vec<Feature> =
            features.into_iter().filter(|feature| feature.description.stage != Stage::Retired).collect();
        let list = if features.is_empty() {
            view! { <Empty title="No preview features at the moment"><p>"When there is one, it is listed here with its risks."</p></Empty> }.into_any()
        } else {
            let cards = features.into_iter().map(|feature| view! { <Card feature=feature/> }).collect_view();
            view! { <ul class="cards">{cards}</ul> }.into_any()
        };
        let body = view! {
            <h1>"Preview features"</h1>
            <EndingSoon acceptances=seen.ending.clone()/>
            <p>"Features that are newer and riskier than the rest of the platform. To use one, your team accepts its risks, and an administrator approves. "<a href="/faq/preview-features">"What preview features are"</a></p>
            {list}
            <Accepted seen=seen address="/preview-features".to_owned() hint="By you, for what you may act for, or for a namespace that you administer."/>
        };
        Ok(Page::new("Preview features", body))
    })
}

/// The place in the list of what was accepted that the address asks for.
pub(super) fn place(request: &PageRequest) -> Option<Place> {
    request.query("after")?.parse().ok()
}

#[component]
fn Card(feature: Feature) -> impl IntoView {
    let Feature { description, .. } = feature;
    let stage = (description.stage != Stage::Preview)
        .then(|| view! { <Badge tone=Tone::Good text=description.stage.in_words()/> });
    view! {
        <li class="card">
            <h2><a href=format!("/preview-features/{}", description.slug)>{description.name}</a></h2>
            <p>{description.purpose}</p>
            {stage}
        </li>
    }
}

/// The notices that are given 30, 7 and 1 days before an end, as long as they matter.
#[component]
pub(super) fn EndingSoon(acceptances: Vec<Acceptance>) -> impl IntoView {
    let soon = Timestamp::now() + SignedDuration::from_hours(30 * 24);
    let renewed: Vec<_> = acceptances
        .iter()
        .filter(|acceptance| matches!(acceptance.standing(), Standing::Waiting { .. }) && acceptance.life.is_in_force())
        .map(|acceptance| (acceptance.accepted.feature.clone(), acceptance.accepted.scope.clone()))
        .collect();
    let ending =
        acceptances.into_iter().filter(|acceptance| acceptance.standing().is_granted() && !acceptance.life.is_replaced);
    let ending: Vec<_> = ending
        .filter_map(|acceptance| Some((acceptance.life.ends_at().filter(|(at, _)| *at <= soon)?, acceptance)))
        .collect();
    (!ending.is_empty()).then(|| {
        let lines = ending
            .into_iter()
            .map(|((at, end), acceptance)| {
                let day = at.strftime("%-d %B %Y").to_string();
                let what = format!("{} for {} ends on {day}", acceptance.feature_name, acceptance.accepted.scope);
                let place = (acceptance.accepted.feature.clone(), acceptance.accepted.scope.clone());
                match end {
                    _ if end != End::Retired && renewed.contains(&place) => view! { <p>{format!("{what}. Its risks were accepted again, and that waits for approval.")}</p> }.into_any(),
                    End::Retired => view! { <p>{format!("{what}, because the feature is retired. Stop using it before.")}</p> }.into_any(),
                    _ => view! {
                        <p>{what}". To keep it, "<a href=format!("/preview-features/{}", acceptance.accepted.feature)>"accept its risks again"</a>"."</p>
                    }
                    .into_any(),
                }
            })
            .collect_view();
        view! { <Notice tone=Tone::Warn>{lines}</Notice> }
    })
}
