//! Whether a pod already carries anything that injection could have put there.

use super::decide::targets;
use super::injection::VOLUME_NAME;
use super::{Injector, Pod, STATUS};

impl Injector {
    /// Whether the pod carries any of the variables that its service reads, our volume or our annotation, put
    /// there under other settings or by the Runtime's chart. It doesn't say whether they are right.
    #[must_use]
    pub fn carries(&self, pod: &Pod<'_>) -> bool {
        let metadata = &pod.metadata.value;
        let spec = &pod.spec.value;
        let Some((service, injection)) = self.service_of(pod) else { return false };
        let has_variable = targets(spec, service).iter().any(|target| {
            let mut variables = target.container.env.iter().filter_map(|(_, variable)| variable.variable());
            variables.any(|variable| variable.read_as() == injection.reads)
        });
        has_variable
            || metadata.annotations.get(STATUS).is_some()
            || spec.volumes.iter().any(|(_, volume)| volume.name.is(VOLUME_NAME))
    }
}
