//! `/styleguide`: every component in every state, for those who build pages.

use super::{
    Badge, Breadcrumb, Checkbox, Code, Empty, ErrorSummary, Fact, Field, Notice, Page, Section, Select, Submit, Table,
    TextArea, Time, Tone, page,
};
use crate::error::AppError;
use crate::form::FormErrors;
use leptos::prelude::*;

/// The page; it exists only where the settings say so.
#[component]
pub fn StyleguidePage() -> impl IntoView {
    page(Section::None, |request| async move {
        if !request.state.policy.styleguide {
            return Err(AppError::NotFound);
        }
        let mut errors = FormErrors::default();
        errors.add("wrong", "Enter a name of lower-case letters.");
        let tones = [Tone::Info, Tone::Good, Tone::Warn, Tone::Bad];
        let badges = tones.map(|tone| view! { <Badge tone=tone text="Status"/>" " }).collect_view();
        let notices = tones.map(|tone| view! {
            <Notice tone=tone><p>"What happened, and what to do now. "<a href="#notices">"A link"</a></p></Notice>
        }).collect_view();
        let options = vec![("a".to_owned(), "First choice".to_owned()), ("b".to_owned(), "Second choice".to_owned())];
        let body = view! {
            <Breadcrumb links=vec![("/".to_owned(), "Home".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            <div class="page-head"><h1>"Style guide"</h1><a class="button" href="#buttons">"Main action"</a></div>
            <p class="lead">"A lead says in one sentence what a page is for."</p>
            <h2 id="buttons">"Buttons"</h2>
            <div class="buttons">
                <Submit label="Create namespace"/><Submit label="Add another" secondary=true/>
                <button class="button button--quiet">"Quiet"</button>
            </div>
            <h2>"Badges"</h2><p>{badges}</p>
            <h2 id="notices">"Notices"</h2>{notices}
            <h2>"Form"</h2>
            <form class="form">
                <Field name="plain" label="A field" hint="With a hint." value="typed"/>
                <Field name="wrong" label="A wrong field" value="Wrong One" errors=errors/>
                <Field name="short" label="A short field" value="2" width="short" optional=true/>
                <TextArea
                    name="long"
                    label="A long text"
                    hint="Several lines."
                    value="one\ntwo"
                    errors=FormErrors::default()
                />
                <Select name="choice" label="A choice" options=options value="b"/>
                <Checkbox name="ticked" label="A ticked box" hint="With a hint." checked=true/>
                <fieldset><legend>"A group"</legend><Checkbox name="open" label="An open box"/></fieldset>
            </form>
            <h2>"Facts"</h2>
            <dl class="facts">
                <Fact term="Name">"web"</Fact><Fact term="When"><Time at=jiff::Timestamp::now()/></Fact>
            </dl>
            <h2>"Table"</h2>
            <Table label="Example" columns=&["Name", "Status"]>
                <tr>
                    <th scope="row"><a href="#table">"shop"</a></th>
                    <td data-label="Status"><Badge tone=Tone::Good text="Active"/></td>
                </tr>
            </Table>
            <h2>"Code"</h2>
            <Code label="Example manifest" text="apiVersion: v1\nkind: Pod\nmetadata:\n  name: web"/>
            <Empty title="An empty state">
                <p>"What is missing, and "<a href="#empty">"the one next step"</a>"."</p>
            </Empty>
            <ul class="cards"><li class="card"><h2><a href="#card">"A card"</a></h2><p>"Leads somewhere."</p></li></ul>
        };
        Ok(Page::new("Style guide", body))
    })
}
