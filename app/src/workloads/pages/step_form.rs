use crate::workloads::draft::Step;
use crate::workloads::paths;
use uuid::Uuid;

/// The form of a step: where its buttons lead that change rows.
#[derive(Debug, Clone, Copy)]
pub struct StepForm {
    pub draft: Uuid,
    pub step: Step,
}

impl StepForm {
    pub(super) fn action(self, verb: &str) -> String {
        paths::step_action(self.draft, self.step, verb)
    }
}
