//! Checks, one after the other: what a person or a machine reads.

use crate::core::text::line;
use serde_json::{Value, json};
use std::fmt;

/// Characters of a text that are shown: objects of a cluster may hold more.
const MAX_TEXT: usize = 2000;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good; with what was seen.
    Ok(String),
    /// Good for now; with what is to be done.
    Warning(String, String),
    /// Not good; with what is to be done.
    Problem(String, String),
    /// Not looked at; with the reason.
    NotChecked(String),
}

impl Verdict {
    const fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Warning(..) => "warning",
            Self::Problem(..) => "problem",
            Self::NotChecked(_) => "not checked",
        }
    }

    /// Of a terminal.
    const fn colour(&self) -> &'static str {
        match self {
            Self::Ok(_) => "32",
            Self::Warning(..) => "33",
            Self::Problem(..) => "31",
            Self::NotChecked(_) => "2",
        }
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Self::Ok(text) | Self::NotChecked(text) => (text, None),
            Self::Warning(text, advice) | Self::Problem(text, advice) => (text, Some(advice)),
        }
    }
}

/// One check of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which probe.
    pub probe: &'static str,
    /// What was looked at.
    pub subject: String,
    /// How it ended.
    pub verdict: Verdict,
}

/// Every check, in order. As text it is one line a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Adds one.
    pub fn add(&mut self, probe: &'static str, subject: impl Into<String>, verdict: Verdict) {
        self.checks.push(Check { probe, subject: subject.into(), verdict });
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn has_problem(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.verdict, Verdict::Problem(..)))
    }

    /// For machines: `{"good": bool, "checks": [{"probe", "subject", "result", "text", "advice"?}]}`.
    #[must_use]
    pub fn json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            let (text, advice) = check.verdict.parts();
            let mut entry = json!({
                "probe": check.probe, "subject": check.subject, "result": check.verdict.word(), "text": text,
            });
            if let Some(advice) = advice {
                entry["advice"] = advice.into();
            }
            entry
        });
        json!({ "good": !self.has_problem(), "checks": checks.collect::<Vec<_>>() })
    }
}

impl Report {
    /// As text, a line a check; with colours or without.
    #[must_use]
    pub fn text(&self, colour: bool) -> String {
        let mut out = String::new();
        for Check { probe, subject, verdict } in &self.checks {
            let (text, advice) = verdict.parts();
            let (subject, text) = (line(subject, MAX_TEXT, &[]), line(text, MAX_TEXT, &[]));
            let word = format!("{:<11}", verdict.word());
            let word = if colour { format!("\x1b[{}m{word}\x1b[0m", verdict.colour()) } else { word };
            let advice = advice.map(|advice| format!("; to do: {}", line(advice, MAX_TEXT, &[]))).unwrap_or_default();
            out.extend([word.as_str(), "  ", probe, ": ", &subject, ": ", &text, &advice, "\n"]);
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_and_only_a_problem_is_bad() {
        let mut report = Report::default();
        report.add("certificates", "CA", Verdict::Ok("good".to_owned()));
        report.add("certificates", "leaf", Verdict::Warning("old".to_owned(), "look".to_owned()));
        report.add("bundle", "pod", Verdict::NotChecked("far away".to_owned()));
        assert!(!report.has_problem());
        report.add("admission", "app-proxy", Verdict::Problem("no".to_owned(), "yes".to_owned()));
        assert!(report.has_problem());
        insta::assert_snapshot!(report.to_string(), @r"
        ok           certificates: CA: good
        warning      certificates: leaf: old; to do: look
        not checked  bundle: pod: far away
        problem      admission: app-proxy: no; to do: yes
        ");
        report.add("bundle", "a\nok", Verdict::Ok("\u{1b}[2J\nok  all: good".to_owned()));
        assert!(report.to_string().ends_with("\nok           bundle: a ok: [2J ok  all: good\n"));
        assert!(report.text(true).starts_with("\x1b[32mok         \x1b[0m  certificates: CA: good\n"));
        assert_eq!(report.json()["good"], false);
        assert_eq!(report.json()["checks"][3]["advice"], "yes");
    }
}
