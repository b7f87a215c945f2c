//! What the controller does there, and what must never be.

use super::*;

impl World {
    /// What the controller would do now, and what it would write down before it.
    pub(in super::super) fn wanted(&mut self) -> Option<(Action, RolloutRecord)> {
        if self.looks {
            self.check();
        }
        self.observe();
        let NextStep::Execute(action, record) = plan(&self.seen, self.now).next else { return None };
        Some((action, record))
    }

    /// One pass. Says whether it did something.
    pub(in super::super) fn pass(&mut self, killed: bool) -> Result<bool, TestCaseError> {
        let Some((action, record)) = self.wanted() else { return Ok(false) };
        self.act(action, record, killed)?;
        if !killed {
            self.fill();
            self.bounds()?;
        }
        Ok(true)
    }

    /// Writes down what it is about to do, and does it, unless it is killed in between.
    pub(in super::super) fn act(
        &mut self,
        action: Action,
        record: RolloutRecord,
        killed: bool,
    ) -> Result<(), TestCaseError> {
        self.seen.record = record;
        if killed {
            self.killed += 1;
            self.restarts_cut_short += usize::from(matches!(action, Action::Restart { .. }));
            return Ok(());
        }
        match action {
            Action::Replace { workload, uid, how, drift, .. } => self.replace(&workload, &uid, how, drift),
            Action::Restart { workload, value } => self.restart(&workload, value),
            Action::Remember => Ok(()),
        }
    }

    /// Whatever is moved: the webhook injects, the value was seen to work, and what pods require is there.
    fn may_move(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.webhook, "nothing is moved without proof");
        prop_assert!(self.secret, "the Secret is gone");
        let known = self.accepted.is_some_and(|(value, at)| value == self.value && self.now < at + FRESH);
        prop_assert!(self.good && known, "the value is of no use, or nobody knows");
        prop_assert!(self.config_map, "a new pod would not start");
        Ok(())
    }

    /// A ready pod goes, or a workload with one is restarted: what went before has come back.
    fn nothing_outstanding(&self, but: usize) -> Result<(), TestCaseError> {
        for (workload, life) in self.lives.iter().enumerate().filter(|(workload, _)| *workload != but) {
            let outstanding = life.outstanding.is_some_and(|(settings, _)| settings == self.settings);
            prop_assert!(!outstanding, "{} hasn't its new pod yet", WORKLOADS[workload].name);
        }
        Ok(())
    }

    fn replace(
        &mut self,
        workload: &WorkloadId,
        uid: &str,
        how: RemovalMethod,
        drift: Option<Drift>,
    ) -> Result<(), TestCaseError> {
        self.may_move()?;
        let place = WORKLOADS.iter().position(|shape| shape.name == workload.name).unwrap();
        let view = self.seen.pods.iter().find(|pod| pod.facts.uid == uid).unwrap();
        let stale = view.verdict == PodVerdict::Drifted(Drift::Stale) && !WORKLOADS[place].rolls;
        let lacks = matches!(view.verdict, PodVerdict::Drifted(Drift::Missed | Drift::Outdated));
        prop_assert!(stale || lacks, "{view:?}");
        prop_assert_eq!(view.verdict.drift(), drift);
        prop_assert_eq!(how == RemovalMethod::Evict, view.facts.readiness.ready);
        if how == RemovalMethod::Evict {
            prop_assert!(self.of(place).all(|pod| self.available(pod)), "one at a time");
            self.nothing_outstanding(place)?;
            self.lives[place].taken.push(self.now);
            self.lives[place].outstanding = Some((self.settings, self.now));
        } else {
            self.deleted += 1;
        }
        self.pods.retain(|pod| pod.uid != uid);
        Ok(())
    }

    fn restart(&mut self, workload: &WorkloadId, value: String) -> Result<(), TestCaseError> {
        self.may_move()?;
        let place = WORKLOADS.iter().position(|shape| shape.name == workload.name).unwrap();
        let stale = |pod: &PodView| pod.verdict == PodVerdict::Drifted(Drift::Stale);
        prop_assert!(self.seen.pods_of(workload).any(stale));
        let ready = self.of(place).any(|pod| pod.ready.is_some());
        if ready {
            self.nothing_outstanding(place)?;
            self.lives[place].restarts.push(self.now);
        } else {
            self.deleted += 1;
        }
        let life = &mut self.lives[place];
        if life.restarted.as_ref() != Some(&value) {
            life.restarted = Some(value);
            life.revision += 1;
            if ready {
                life.outstanding = Some((self.settings, self.now));
            }
        }
        Ok(())
    }

    fn bounds(&self) -> Result<(), TestCaseError> {
        let within = |times: &[Seconds]| times.iter().filter(|at| self.now < **at + 3600).count();
        for (life, shape) in self.lives.iter().zip(&WORKLOADS) {
            let (taken, restarts) = (within(&life.taken), within(&life.restarts));
            prop_assert!(taken <= 4 * shape.replicas + 2 + self.killed, "{taken} pods within an hour");
            prop_assert!(restarts <= 6 + self.killed, "{restarts} restarts within an hour");
        }
        Ok(())
    }
}
