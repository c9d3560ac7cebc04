//! Resources and safety.

use crate::form::FormErrors;
use serde::{Deserialize, Serialize};

/// Resources and safety, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourcesForm {
    /// Thousandths of a core.
    pub cpu: String,
    /// MiB.
    pub memory: String,
    /// Numeric user.
    pub run_as_user: String,
    /// `yes` where the image's files stay read-only.
    pub read_only_root: String,
}

impl Default for ResourcesForm {
    fn default() -> Self {
        Self {
            cpu: "100".to_owned(),
            memory: "128".to_owned(),
            run_as_user: "10001".to_owned(),
            read_only_root: "yes".to_owned(),
        }
    }
}

/// [`ResourcesForm`], checked.
pub struct CheckedResources {
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// MiB.
    pub memory_mib: u32,
    /// Never 0.
    pub run_as_user: u32,
    /// Whether the image's files stay read-only.
    pub read_only_root: bool,
}

impl ResourcesForm {
    /// Checks it, adding what is wrong to `errors`.
    pub fn check(&self, errors: &mut FormErrors) -> Option<CheckedResources> {
        // The units that manifests write are understood, where they are the ones meant.
        let mut number = |field: &str, text: &str, unit: &str, range: std::ops::RangeInclusive<u32>, message: &str| {
            let text = text.trim();
            let parsed = text.strip_suffix(unit).unwrap_or(text).parse().ok().filter(|number| range.contains(number));
            errors.take(field, parsed.ok_or(message))
        };
        let cpu = number(
            "cpu",
            &self.cpu,
            "m",
            1..=64_000,
            "Enter thousandths of a core, from 1 to 64000; 100 is a tenth of a core.",
        );
        let memory = number("memory", &self.memory, "Mi", 4..=524_288, "Enter mebibytes, from 4 to 524288.");
        let user = number(
            "run_as_user",
            &self.run_as_user,
            "",
            1..=2_147_483_647,
            "Enter a number above 0: 0 is root, and names cannot be checked. Above 10000 is best.",
        );
        Some(CheckedResources {
            cpu_millis: cpu?,
            memory_mib: memory?,
            run_as_user: user?,
            read_only_root: self.read_only_root == "yes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(cpu: &str, memory: &str) -> Option<(u32, u32)> {
        let form = ResourcesForm { cpu: cpu.to_owned(), memory: memory.to_owned(), ..ResourcesForm::default() };
        form.check(&mut FormErrors::default()).map(|checked| (checked.cpu_millis, checked.memory_mib))
    }

    #[test]
    fn units_as_in_manifests_are_understood() {
        assert_eq!(checked("250m", "64Mi"), Some((250, 64)));
        assert_eq!(checked("100", "1Gi"), None);
    }
}
