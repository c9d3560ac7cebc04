//! Reports as SARIF 2.1.0 (OASIS), as far as code hosts show it: sections 3.19 (tool), 3.49 (rule), 3.27 (result),
//! 3.29 (place), 3.35 (suppression).

use review::{Finding, Report, Severity, rules};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn render(report: &Report) -> String {
    let broken: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let described: Vec<Value> = broken.into_iter().map(rule).collect();
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let driver = json!({ "name": "fairway", "version": env!("CARGO_PKG_VERSION"), "rules": described });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "results": results }],
    })
    .to_string()
}

/// A rule with its meaning and source; of the cluster's own policies only the name is known.
fn rule(id: &str) -> Value {
    match rules().iter().find(|rule| rule.id == id) {
        Some(rule) => json!({
            "id": id,
            "shortDescription": { "text": rule.meaning },
            "fullDescription": { "text": format!("{} Source: {}.", rule.meaning, rule.source) },
        }),
        None => json!({ "id": id, "shortDescription": { "text": "A policy of the cluster itself." } }),
    }
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
        Severity::Info => "note",
    };
    let mut location =
        json!({ "logicalLocations": [{ "fullyQualifiedName": format!("{} {}", finding.object, finding.path) }] });
    // Standard input is no file that a code host could show.
    if let Some((file, line)) = finding.file.as_deref().filter(|file| *file != "-").zip(finding.line) {
        location["physicalLocation"] = json!({ "artifactLocation": { "uri": file }, "region": { "startLine": line } });
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level,
        "message": { "text": format!("{} {}", finding.message, finding.fix) },
        "locations": [location],
    });
    if let Some(reason) = &finding.exception {
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
    }
    result
}
