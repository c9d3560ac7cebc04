//! When a second person must look at a submission, and what they may say.

use crate::policy::PolicyMistake;
use review::{Finding, Report};
use serde::{Deserialize, Serialize};

/// Which findings need a second person: a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondPerson {
    /// Rules any finding of which needs one.
    pub rules: Vec<String>,
    /// Whether a finding that is accepted by annotation needs one.
    pub exceptions: bool,
}

impl Default for SecondPerson {
    fn default() -> Self {
        let rules =
            ["netpol/allows-all", "netpol/internet-egress", "netpol/internet-ingress", "image/untrusted-registry"];
        Self { rules: rules.map(str::to_owned).into(), exceptions: true }
    }
}

impl SecondPerson {
    /// Rules that are named and that there are not. The cluster's own policies are not known here.
    pub fn mistakes(&self) -> impl Iterator<Item = PolicyMistake> {
        let is_known = |rule: &str| rule.starts_with("policy/") || review::rules().iter().any(|known| known.id == rule);
        self.rules.iter().filter(move |rule| !is_known(rule)).map(|rule| {
            PolicyMistake::new(rule, format!("second_person.rules names {rule}, and there is no such rule"))
        })
    }

    /// Why a second person must approve what was reviewed, in words; none where nobody must.
    #[must_use]
    pub fn reasons(&self, report: &Report) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for finding in report.findings.iter().filter(|finding| self.is_needed_for(finding)) {
            let reason = match &finding.exception {
                Some(reason) => format!("{} Accepted by the author: {reason}", finding.message),
                None => finding.message.clone(),
            };
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    fn is_needed_for(&self, finding: &Finding) -> bool {
        self.rules.contains(&finding.rule) || (self.exceptions && finding.exception.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use review::{Context, Selection, Settings, decode, review};

    fn reasons(egress: &str, annotations: &str) -> Vec<String> {
        let policy = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, \
             annotations: {annotations}}}, spec: {{podSelector: {{}}, egress: [{egress}]}}}}"
        );
        let report =
            review(&decode("p", &policy).unwrap(), &Context::default(), &Settings::default(), Selection::default());
        SecondPerson::default().reasons(&report)
    }

    #[test]
    fn an_allow_all_and_an_exception_need_a_second_person_and_a_narrow_policy_does_not() {
        assert_eq!(reasons("{to: [{podSelector: {}}], ports: [{port: 80}]}", "{}"), Vec::<String>::new());
        assert_eq!(reasons("{}", "{}"), ["These pods may reach anything on every port."]);
        let accepted = reasons(
            "{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}",
            "{exception.fairway.dev/netpol.internet-egress: Talks to payment providers.}",
        );
        assert!(accepted[0].ends_with("Accepted by the author: Talks to payment providers."), "{accepted:?}");
    }
}
