//! A report of checks, for people or programs.

use crate::core::text::line;
use serde_json::{Value, json};
use std::fmt;

/// How many characters of a text are shown, since objects of a cluster may hold more.
const MAX_TEXT: usize = 2000;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// Good; what was found.
    Ok(String),
    /// Good for now; what was found, and what to do.
    Warning(String, String),
    /// Not good; what was found, and what to do.
    Problem(String, String),
    /// Not checked; why.
    NotChecked(String),
}

impl CheckResult {
    const fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Warning(..) => "warning",
            Self::Problem(..) => "problem",
            Self::NotChecked(_) => "not checked",
        }
    }

    /// The colour of the word, as a code of ANSI escapes.
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

/// The check of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The name of the probe.
    pub probe: &'static str,
    /// What was checked.
    pub subject: String,
    /// The result.
    pub verdict: CheckResult,
}

/// A list of checks, in order. As text, each is a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Adds a check.
    pub fn add(&mut self, probe: &'static str, subject: impl Into<String>, verdict: CheckResult) {
        self.checks.push(Check { probe, subject: subject.into(), verdict });
    }

    /// Whether any check found a problem.
    #[must_use]
    pub fn has_problem(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.verdict, CheckResult::Problem(..)))
    }

    /// The report as `{"good": bool, "checks": [{"probe", "subject", "result", "text", "advice"?}]}`.
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
    /// The report as text, one line per check, with or without colours.
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
        report.add("certificates", "CA", CheckResult::Ok("good".to_owned()));
        report.add("certificates", "leaf", CheckResult::Warning("old".to_owned(), "look".to_owned()));
        report.add("bundle", "pod", CheckResult::NotChecked("far away".to_owned()));
        assert!(!report.has_problem());
        report.add("admission", "app-proxy", CheckResult::Problem("no".to_owned(), "yes".to_owned()));
        assert!(report.has_problem());
        insta::assert_snapshot!(report.to_string(), @r"
        ok           certificates: CA: good
        warning      certificates: leaf: old; to do: look
        not checked  bundle: pod: far away
        problem      admission: app-proxy: no; to do: yes
        ");
        report.add("bundle", "a\nok", CheckResult::Ok("\u{1b}[2J\nok  all: good".to_owned()));
        assert!(report.to_string().ends_with("\nok           bundle: a ok: [2J ok  all: good\n"));
        assert!(report.text(true).starts_with("\x1b[32mok         \x1b[0m  certificates: CA: good\n"));
        assert_eq!(report.json()["good"], false);
        assert_eq!(report.json()["checks"][3]["advice"], "yes");
    }
}
