//! `account verify`: what `argocd-cm` says about the account, and what Argo CD does.

use super::config;
use super::enable::{is_labelled, reading, where_is};
use crate::argocd::verify::{KeyVerdict, ask, claims, judge};
use crate::argocd::{Account, ArgoCdError, login_advice};
use crate::cluster::call_patiently;
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route};
use crate::commands::ownership::keys;
use crate::commands::report::{CheckResult, Report};
use crate::commands::terminal::Progress;
use crate::core::Mode;
use crate::time::now;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use secrecy::SecretString;

const CONFIG: &str = "argocd-cm";
const ARGO_CD: &str = "Argo CD";
const RBAC: &str = "RBAC";

/// What the Runtime's services do as the account: resource, actions and object.
const NEEDED: [(&str, &[&str], &str); 5] = [
    ("applications", &["get", "create", "update", "delete", "sync"], "*/*"),
    ("applicationsets", &["get"], "*/*"),
    ("projects", &["get"], "*"),
    ("clusters", &["get"], "*"),
    ("repositories", &["get"], "*"),
];

/// Checks the account in the cluster and in Argo CD. `password` says where the password comes from; in token
/// mode it is needed only to check by password instead of by key.
///
/// # Errors
/// The account's name can't be determined.
pub async fn verify(access: &CommandContext, password: Option<&PasswordFrom>) -> Result<Report, ContextError> {
    let mut report = Report::default();
    let account = access.account().await?;
    report.add(CONFIG, account.clone(), in_config(access, &account).await);
    if let Ok(client) = access.client() {
        keys::probe(client, access.argocd_namespace(), &mut report).await;
    }
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
    let version = route.server.version().await;
    drop(progress);
    match version {
        Ok(version) => report.add(ARGO_CD, "server", CheckResult::Ok(format!("{version} at {}", route.describe()))),
        Err(error) => {
            report.add(ARGO_CD, "server", problem(&route, error));
            return Ok(report);
        }
    }
    let Some(session) = credential(access, &route, &account, password, &mut report).await else { return Ok(report) };
    let progress = Progress::begin("asking Argo CD about the account");
    let found = route.server.account(&session, &account).await;
    match &found {
        Ok(found) => report.add(ARGO_CD, "account", in_argocd(found)),
        Err(error) => report.add(ARGO_CD, "account", problem(&route, error.clone())),
    }
    report.add(RBAC, account, rbac(&route, &session).await);
    drop(progress);
    Ok(report)
}

async fn in_config(access: &CommandContext, account: &str) -> CheckResult {
    let client = match access.client() {
        Ok(client) => client,
        Err(error) => return CheckResult::NotChecked(error.to_string()),
    };
    let namespace = access.argocd_namespace();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = match call_patiently(&reading(namespace), || maps.get(super::CONFIG_MAP)).await {
        Ok(map) => map,
        Err(error) => return CheckResult::NotChecked(where_is(error, namespace).to_string()),
    };
    judge_config(&map, account)
}

fn judge_config(map: &ConfigMap, account: &str) -> CheckResult {
    let problem = |text: &str, advice: &str| CheckResult::Problem(text.to_owned(), advice.to_owned());
    let found = config::read(&map.data.clone().unwrap_or_default(), account);
    if !is_labelled(map) {
        return problem(
            "the ConfigMap lacks a label without which Argo CD doesn't see it",
            "label it app.kubernetes.io/part-of=argocd",
        );
    }
    if let Some(key) = found.broken.first() {
        return problem(
            &format!("{key} is no boolean: Argo CD takes no login and no key of anybody"),
            "write true or false there, or remove it",
        );
    }
    if !found.exists {
        return problem("there is no such account", "name another with --account, or make it");
    }
    let mut wrong = Vec::new();
    if !found.enabled {
        wrong.push("it is disabled");
    }
    if !found.capabilities.contains("login") {
        wrong.push("it lacks login");
    }
    if !found.capabilities.contains("apiKey") {
        wrong.push("it lacks apiKey");
    }
    if wrong.is_empty() {
        CheckResult::Ok("enabled, with login and apiKey".to_owned())
    } else {
        problem(&wrong.join(", "), "account enable")
    }
}

/// A session of the account, or its key; `None` if there is none, and the report says why.
async fn credential(
    access: &CommandContext,
    route: &Route,
    account: &str,
    password: Option<&PasswordFrom>,
    report: &mut Report,
) -> Option<SecretString> {
    if access.settings().auth.mode == Mode::Token && password.is_none() {
        return by_key(access, route, account, report).await;
    }
    let password = match access.password(password.unwrap_or(&PasswordFrom::Settings), account).await {
        Ok(password) => password,
        Err(error) => {
            report.add(ARGO_CD, "login", nothing_to_ask_with(&error));
            return None;
        }
    };
    let _progress = Progress::begin("logging in to Argo CD");
    match route.log_in(account, &password).await {
        Ok(session) => {
            report.add(ARGO_CD, "login", CheckResult::Ok("Argo CD takes the password".to_owned()));
            Some(session)
        }
        Err(error) => {
            report.add(ARGO_CD, "login", refused_login(&error));
            None
        }
    }
}

async fn by_key(access: &CommandContext, route: &Route, account: &str, report: &mut Report) -> Option<SecretString> {
    let place = access.key_place();
    let key = match access.secret_value(&place).await {
        Ok(bytes) => SecretString::from(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            report.add(ARGO_CD, "key", nothing_to_ask_with(&error));
            return None;
        }
    };
    let read = claims(&key);
    let owner = read.as_ref().ok().and_then(|claims| claims.subject.account()).unwrap_or(account).to_owned();
    let answers = ask(&route.server, &key, &owner).await;
    let verdict = judge(&read, now(), &answers);
    let text = format!("in Secret {place}: {verdict}");
    let good = matches!(verdict, KeyVerdict::Good | KeyVerdict::Flawed(_));
    let advice = verdict.advice().unwrap_or("look at Argo CD's server").to_owned();
    report.add(
        ARGO_CD,
        "key",
        match verdict {
            KeyVerdict::Good => CheckResult::Ok(text),
            KeyVerdict::Flawed(_) => CheckResult::Warning(text, advice),
            _ => CheckResult::Problem(text, advice),
        },
    );
    if good && owner != account {
        let text = format!("the key is of the account {owner}, and {account} was asked about");
        report.add(ARGO_CD, "account", CheckResult::Problem(text, format!("name it with --account {owner}")));
        return None;
    }
    good.then_some(key)
}

/// Without a credential nothing is known about the account, so it can't be called good.
fn nothing_to_ask_with(error: &ContextError) -> CheckResult {
    let advice = "mend that, or give the password with --ask-password, --password-stdin or --password-secret";
    CheckResult::Problem(error.to_string(), advice.to_owned())
}

/// A refused login can have several causes, which only Argo CD's log tells apart.
fn refused_login(error: &ArgoCdError) -> CheckResult {
    let advice = login_advice(error).unwrap_or("try again once that is mended");
    CheckResult::Problem(said(error), advice.to_owned())
}

fn in_argocd(found: &Account) -> CheckResult {
    let keys = match found.tokens.len() {
        0 => "no API key".to_owned(),
        1 => "1 API key".to_owned(),
        several => format!("{several} API keys"),
    };
    let mut wrong = Vec::new();
    if !found.enabled {
        wrong.push("it is disabled");
    }
    if !found.may_log_in() {
        wrong.push("it lacks login");
    }
    if !found.may_have_api_keys() {
        wrong.push("it lacks apiKey");
    }
    if wrong.is_empty() {
        CheckResult::Ok(format!("enabled, with login and apiKey; {keys}"))
    } else {
        CheckResult::Problem(format!("{}; {keys}", wrong.join(", ")), "account enable".to_owned())
    }
}

async fn rbac(route: &Route, session: &SecretString) -> CheckResult {
    let mut denied = Vec::new();
    for (resource, actions, which) in NEEDED {
        for action in actions {
            match route.server.can_i(session, resource, action, which).await {
                Ok(true) => {}
                Ok(false) => denied.push(format!("{resource} {action}")),
                Err(error) => return CheckResult::NotChecked(said(&route.explain(error))),
            }
        }
    }
    if denied.is_empty() {
        let needed: Vec<String> =
            NEEDED.iter().map(|(resource, actions, _)| format!("{resource} {}", actions.join("/"))).collect();
        CheckResult::Ok(format!("may {}", needed.join(", ")))
    } else {
        CheckResult::Problem(
            format!("may not {}", denied.join(", ")),
            "give it a role in argocd-rbac-cm that allows them (role:admin has them all)".to_owned(),
        )
    }
}

fn problem(route: &Route, error: ArgoCdError) -> CheckResult {
    let error = route.explain(error);
    let advice = error.cause.advice().unwrap_or("look at the log of Argo CD's server");
    CheckResult::Problem(said(&error), advice.to_owned())
}

/// The error without its advice, which the report shows beside it.
fn said(error: &ArgoCdError) -> String {
    format!("{}: {}", error.what, error.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(labels: &Value, data: &Value) -> CheckResult {
        judge_config(&serde_json::from_value(json!({"metadata": {"labels": labels}, "data": data})).unwrap(), "admin")
    }

    #[test]
    fn what_argocd_cm_says_is_judged() {
        let label = || json!({"app.kubernetes.io/part-of": "argocd"});
        let verdicts = [
            config(&label(), &json!({"accounts.admin": "apiKey"})),
            config(&label(), &json!({})),
            config(&label(), &json!({"admin.enabled": "false"})),
            config(&label(), &json!({"accounts.admin": "apiKey", "accounts.bob.enabled": ""})),
            config(&json!({}), &json!({"accounts.admin": "apiKey"})),
        ];
        let mut report = Report::default();
        for verdict in verdicts {
            report.add(CONFIG, "admin", verdict);
        }
        insta::assert_snapshot!(report.to_string());
    }
}
