//! The FAQ: articles, and finding the one that explains a message.

pub mod pages;

/// An article; its text is Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Article {
    /// In the address.
    pub slug: &'static str,
    pub title: &'static str,
    pub text: &'static str,
    /// Parts of messages that this article explains.
    pub messages: &'static [&'static str],
}

macro_rules! article {
    ($slug:literal, $title:literal, [$($message:literal),*]) => {
        Article {
            slug: $slug, title: $title, text: include_str!(concat!("articles/", $slug, ".md")),
            messages: &[$($message),*]
        }
    };
}

/// All articles, in the order of the page.
pub const ARTICLES: &[Article] = &[
    article!(
        "why-cant-i-kubectl-run",
        "Why can't I just kubectl run an image?",
        ["No matching networkpolicy found", "does not have an allowed image registry"]
    ),
    article!("give-access", "How do I give somebody access?", []),
    article!(
        "namespaces",
        "How do I get a namespace?",
        [
            "cannot delete resource \"namespaces\"",
            "cannot create resource \"namespaces\"",
            "is a subnamespace. Please delete the anchor",
            "doesn't allow cascading deletion",
            "cannot create a subnamespace using an existing namespace",
            "object propagated from namespace",
            "would overwrite objects in the following descendant namespace"
        ]
    ),
    article!("network-policies", "How do I allow only what is needed?", []),
    article!(
        "container-has-runasnonroot",
        "Why does my container not start as root?",
        ["container has runAsNonRoot and image"]
    ),
    article!("image-tags", "Which image tags may I use?", ["uses the :latest tag", "didn't specify an image tag"]),
    article!("resource-requests", "What are resource requests, and why are they needed?", ["has no resource requests"]),
    article!(
        "quotas",
        "What do the quota and the limit range of my namespace allow?",
        [
            "failed quota",
            "maximum cpu usage per",
            "maximum memory usage per",
            "minimum cpu usage per",
            "minimum memory usage per"
        ]
    ),
    article!("replicas", "Why two replicas?", ["The provided number of replicas is too low"]),
    article!("pod-security", "What does the restricted standard ask for?", ["violates PodSecurity"]),
    article!(
        "pods-do-not-start",
        "Why do my pods not start?",
        [
            "exceeded quota",
            "Insufficient cpu",
            "Insufficient memory",
            "ImagePullBackOff",
            "ErrImagePull",
            "CreateContainerConfigError",
            "CrashLoopBackOff"
        ]
    ),
    article!("second-person", "Why does a second person have to approve this?", []),
    article!(
        "field-conflicts",
        "Somebody else manages this field. What now?",
        ["Apply failed with", "conflict with \""]
    ),
    article!("forbidden", "The cluster says forbidden. What now?", ["is forbidden: User"]),
    article!("webhook-failed", "A webhook of the cluster failed. What now?", ["failed calling webhook"]),
    article!("redirect-uri", "kubectl says: Unregistered redirect_uri", ["Unregistered redirect_uri"]),
    article!(
        "port-forward-postgres",
        "Connection reset when forwarding a port to Postgres",
        ["error forwarding port 5432", "connection reset by peer"]
    ),
    article!("secrets", "How does a workload get a password?", ["looks like a credential"]),
    article!("encryption-at-rest", "What is encrypted at rest?", []),
    article!("preview-features", "What are preview features?", ["The cluster differs"]),
    article!("record", "What is recorded, and how is it verified?", []),
];

/// The article with that slug.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Article> {
    ARTICLES.iter().find(|article| article.slug == slug)
}

/// The articles that explain a message, the closest match first.
#[must_use]
pub fn diagnose(message: &str) -> Vec<&'static Article> {
    let message = message.to_lowercase();
    let mut found: Vec<(usize, &Article)> = ARTICLES
        .iter()
        .filter_map(|article| {
            let longest = article
                .messages
                .iter()
                .filter(|part| message.contains(&part.to_lowercase()))
                .map(|part| part.len())
                .max()?;
            Some((longest, article))
        })
        .collect();
    found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    found.into_iter().map(|(_, article)| article).collect()
}

/// Markdown to HTML. Raw HTML in the source comes out as text: administrators write some of it.
#[must_use]
pub fn markdown(text: &str) -> String {
    use pulldown_cmark::{Event, Options, Parser, Tag, html};
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        // Links may lead to pages and to this site, never to scripts.
        Event::Start(Tag::Link { link_type, dest_url, title, id })
            if !["https://", "http://", "/", "#"].iter().any(|start| dest_url.starts_with(start)) =>
        {
            Event::Start(Tag::Link { link_type, dest_url: "#".into(), title, id })
        }
        Event::Start(Tag::Image { title, .. }) => Event::Text(title),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, parser);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_people_paste_find_their_article() {
        for (message, slug) in [
            (
                "Error from server ([denied by elastisys-require-networkpolicy] No matching networkpolicy found.): ...",
                "why-cant-i-kubectl-run",
            ),
            (
                "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root",
                "container-has-runasnonroot",
            ),
            ("Bad Request Unregistered redirect_uri (\"http://localhost:18000\").", "redirect-uri"),
            (
                "namespaces \"x\" is forbidden: User \"me\" cannot delete resource \"namespaces\" in API group",
                "namespaces",
            ),
        ] {
            assert_eq!(diagnose(message).first().map(|article| article.slug), Some(slug), "{message}");
        }
        assert!(diagnose("hello").is_empty());
    }

    #[test]
    fn markdown_cannot_bring_scripts_along() {
        let html =
            markdown("<script>alert(1)</script>\n\n[x](javascript:alert(1)) a<img src=x onerror=alert(1)>b ![](x)");
        assert!(html.contains("<a href=\"#\">x</a>"), "{html}");
        for forbidden in ["<script", "<img", "javascript:"] {
            assert!(!html.contains(forbidden), "{html}");
        }
    }

    #[test]
    fn every_article_that_another_links_to_exists() {
        for article in ARTICLES {
            for (_, rest) in
                article.text.match_indices("](/faq/").map(|(at, found)| (at, &article.text[at + found.len()..]))
            {
                let slug = rest.split(')').next().unwrap_or_default();
                assert!(find(slug).is_some(), "{} links to {slug}", article.slug);
            }
        }
    }

    #[test]
    fn every_article_that_a_rule_names_exists() {
        for (rule, slug) in review::rules().iter().filter_map(|rule| Some((rule.id, rule.faq?))) {
            assert!(find(slug).is_some(), "{rule} names {slug}");
        }
    }
}
