//! `token verify`: judges a token.

use super::{Source, log_in};
use crate::argocd::verify::{KeyHealth, KeyVerdict, ask, diagnose, judge, unfit};
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route};
use crate::commands::report::{CheckResult, Report};
use crate::commands::terminal::Progress;
use crate::core::token::{Claims, Flaw, Subject};
use crate::time::{now, rfc3339};
use secrecy::SecretString;

const TOKEN: &str = "token";
const ARGO_CD: &str = "Argo CD";

/// Judges a token by its claims and by Argo CD's answers. With a password, a session tells a refusal from a
/// broken server.
///
/// # Errors
/// None at present: whatever fails is in the report.
pub async fn verify(
    access: &CommandContext,
    source: &Source,
    password: Option<&PasswordFrom>,
) -> Result<Report, ContextError> {
    let mut report = Report::default();
    let bytes = match source.read(access).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let advice = "name the place of the token with --secret or --file";
            report.add(TOKEN, source.to_string(), CheckResult::Problem(error.to_string(), advice.to_owned()));
            return Ok(report);
        }
    };
    let read = Claims::read(&bytes);
    report.add(TOKEN, source.to_string(), shape(&read, now()));
    if unfit(&read, now()).is_some() {
        report.add(ARGO_CD, "key", CheckResult::NotChecked("it can't be an API key".to_owned()));
        return Ok(report);
    }
    let (Ok(claims), Ok(token)) = (&read, std::str::from_utf8(&bytes)) else { return Ok(report) };
    let token = SecretString::from(token);
    let account = claims.subject.account().unwrap_or_default();
    let progress = Progress::begin("reaching Argo CD");
    let route = match access.argocd().await {
        Ok(route) => route,
        Err(error) => {
            drop(progress);
            let advice = "mend that, or give an address that can be reached from here with --argocd-url";
            report.add(ARGO_CD, "server", CheckResult::Problem(error.to_string(), advice.to_owned()));
            return Ok(report);
        }
    };
    let answers = ask(&route.server, &token, account).await;
    drop(progress);
    let verdict = judge(&read, now(), &answers);
    report.add(ARGO_CD, route.describe(), of_argocd(&route, &verdict));
    if let (Some(password), KeyVerdict::Refused(_)) = (password, &verdict) {
        report.add(ARGO_CD, "beside a session", beside(access, &route, account, password, &verdict).await);
    }
    Ok(report)
}

/// Judges the token by its claims.
fn shape(read: &Result<Claims, Flaw>, now: i64) -> CheckResult {
    let claims = match read {
        Ok(claims) => claims,
        Err(flaw) => return CheckResult::Problem(flaw.to_string(), flaw.advice().to_owned()),
    };
    let Some(flaw) = claims.flaw(now) else {
        return CheckResult::Ok(format!("{}, never expires", described(claims)));
    };
    let when = match flaw {
        Flaw::Expired { at } | Flaw::Expiring { at } | Flaw::NotYetValid { from: at } => format!(" ({})", rfc3339(at)),
        _ => String::new(),
    };
    let said = match &claims.subject {
        Subject::ApiKey { .. } if claims.id.is_some() && flaw.kind() != "other_issuer" => {
            format!("{}; {flaw}{when}", described(claims))
        }
        _ => format!("{flaw}{when}"),
    };
    // A key with an expiry isn't what the Runtime needs, though it works for now.
    if matches!(flaw, Flaw::NotYetValid { .. }) {
        CheckResult::Warning(said, flaw.advice().to_owned())
    } else {
        CheckResult::Problem(said, flaw.advice().to_owned())
    }
}

fn described(claims: &Claims) -> String {
    let account = claims.subject.account().unwrap_or_default();
    let id = claims.id.as_deref().unwrap_or_default();
    let made = claims.issued_at.map(|at| format!(", made at {}", rfc3339(at))).unwrap_or_default();
    format!("an API key of {account:?}, id {id:?}{made}")
}

fn of_argocd(route: &Route, verdict: &KeyVerdict) -> CheckResult {
    let advice = |fallback: &str| verdict.advice().unwrap_or(fallback).to_owned();
    match verdict {
        KeyVerdict::Good => CheckResult::Ok("takes it".to_owned()),
        KeyVerdict::Flawed(_) => CheckResult::Ok("takes it for now".to_owned()),
        KeyVerdict::Unknown(error) => {
            let error = route.explain(error.clone());
            let advice = error.cause.advice().unwrap_or("look at the log of Argo CD's server");
            CheckResult::Problem(format!("not known: {}: {}", error.what, error.cause), advice.to_owned())
        }
        KeyVerdict::Unfit(_) | KeyVerdict::Refused(_) => {
            CheckResult::Problem(verdict.to_string(), advice("make a new key"))
        }
    }
}

/// Asks the same about a session of the account: a refusal is definite only beside one that is accepted.
async fn beside(
    access: &CommandContext,
    route: &Route,
    account: &str,
    password: &PasswordFrom,
    verdict: &KeyVerdict,
) -> CheckResult {
    let session = match log_in(access, route, account, password).await {
        Ok(session) => session,
        Err(error) => return CheckResult::NotChecked(error.to_string()),
    };
    let session = ask(&route.server, &session, account).await.session(account);
    said_of(verdict, diagnose(verdict.answer(), Some(&session)))
}

fn said_of(verdict: &KeyVerdict, health: KeyHealth) -> CheckResult {
    match health {
        KeyHealth::Works => CheckResult::Ok("the key is taken".to_owned()),
        KeyHealth::Dead => CheckResult::Problem(
            "a fresh session is taken and the key is not: it is dead".to_owned(),
            "make a new key".to_owned(),
        ),
        KeyHealth::Odd => CheckResult::Warning(
            format!("the key is taken, and so not dead, though {verdict}"),
            verdict.advice().unwrap_or("ask again in a moment").to_owned(),
        ),
        KeyHealth::Withheld(refusal) => CheckResult::Problem(
            format!("the key comes back once this is mended: {refusal}"),
            KeyVerdict::Refused(refusal).advice().unwrap_or_default().to_owned(),
        ),
        KeyHealth::ServerBroken(how) => CheckResult::Problem(
            format!(
                "a fresh session isn't taken either ({how}): Argo CD's configuration is broken, and the key may be good"
            ),
            "look at argocd-cm (its label, each accounts.….enabled), argocd-secret, and the log of Argo CD's server"
                .to_owned(),
        ),
        KeyHealth::Unknown(Some(error)) => CheckResult::NotChecked(error.to_string()),
        KeyHealth::Unknown(None) | KeyHealth::Undecided => CheckResult::NotChecked(verdict.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argocd::verify::{Refusal, SessionHealth};

    const NOW: i64 = 1_800_000_000;

    fn claims(subject: Subject, expires_at: Option<i64>) -> Claims {
        Claims {
            issuer: Some("argocd".to_owned()),
            subject,
            id: Some("id-1".to_owned()),
            issued_at: Some(NOW),
            not_before: None,
            expires_at,
        }
    }

    #[test]
    fn what_a_token_is_is_said_with_its_times() {
        let key = || Subject::ApiKey { account: "admin".to_owned() };
        let mut report = Report::default();
        for read in [
            Ok(claims(key(), None)),
            Ok(claims(key(), Some(NOW + 1))),
            Ok(claims(key(), Some(NOW - 1))),
            Ok(claims(Subject::Session { account: "admin".to_owned() }, Some(NOW + 1))),
            Err(Flaw::SpaceAround),
        ] {
            report.add(TOKEN, "Secret argocd-token, key token", shape(&read, NOW));
        }
        insta::assert_snapshot!(report.to_string());
    }

    #[test]
    fn what_is_accepted_and_not_listed_is_odd_and_no_dead_key() {
        let verdict = KeyVerdict::Refused(Refusal::NotListed);
        let health = diagnose(verdict.answer(), Some(&SessionHealth::Accepted));
        let CheckResult::Warning(text, advice) = said_of(&verdict, health) else { panic!("no warning") };
        assert!(text.contains("not dead") && advice.contains("replica"), "{text}; {advice}");
        let verdict = KeyVerdict::Refused(Refusal::NotTaken(None));
        for (session, word) in [
            (SessionHealth::Accepted, "dead"),
            (SessionHealth::Disabled, "comes back"),
            (SessionHealth::NotAccepted("its own account can't be read with it".to_owned()), "its own account"),
        ] {
            let health = diagnose(verdict.answer(), Some(&session));
            let CheckResult::Problem(text, _) = said_of(&verdict, health) else { panic!("no problem") };
            assert!(text.contains(word), "{text}");
        }
    }
}
