//! ConstraintTemplates (templates.gatekeeper.sh).

use crate::manifest::Manifest;
use serde_json::Value;

/// A template's policy text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) rego: String,
    pub(super) libraries: Vec<String>,
    pub(super) version: RegoVersion,
}

/// The syntax that a policy is written in; templates say `v1`, or nothing for the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RegoVersion {
    V0,
    V1,
}

/// Why a template's policy cannot be evaluated here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// It is written in something else, such as CEL.
    #[error("it is not written in Rego")]
    NotRego,
    /// The interpreter does not take it.
    #[error("{0}")]
    Invalid(String),
}

impl Template {
    /// The kind of the constraints that a template makes possible; nothing where the manifest is no template.
    pub(super) fn kind_of(manifest: &Manifest) -> Option<&str> {
        let is_template =
            manifest.group_version().0 == "templates.gatekeeper.sh" && manifest.object().kind == "ConstraintTemplate";
        manifest.value()["spec"]["crd"]["spec"]["names"]["kind"].as_str().filter(|_| is_template)
    }

    /// Reads the policy: `rego` of the target, or `code` with the engine Rego.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, TemplateError> {
        let targets = manifest.value()["spec"]["targets"].as_array().into_iter().flatten();
        let source = targets.into_iter().find_map(source_of).ok_or(TemplateError::NotRego)?;
        let libraries = source["libs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            rego: source["rego"].as_str().unwrap_or_default().to_owned(),
            libraries: libraries.map(str::to_owned).collect(),
            version: if source["version"] == "v1" { RegoVersion::V1 } else { RegoVersion::V0 },
        })
    }

    /// Whether it looks at other objects than the one it judges.
    pub(super) fn looks_at_inventory(&self) -> bool {
        std::iter::once(&self.rego).chain(&self.libraries).any(|text| text.contains("inventory"))
    }
}

fn source_of(target: &Value) -> Option<&Value> {
    let codes = target["code"].as_array().into_iter().flatten();
    let code = codes.into_iter().find(|code| code["engine"] == "Rego").map(|code| &code["source"]);
    code.or_else(|| target["rego"].is_string().then_some(target))
}
