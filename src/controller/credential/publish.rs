//! Publishes the state of the credential: Events, status and metrics.

use super::action::CredentialStatus;
use super::execute::about;
use super::snapshot::SupersededKey;
use super::source::key_place;
use super::status::{self, Report};
use crate::argocd::ListedToken;
use crate::cluster::Event;
use crate::controller::{self, Context};
use crate::settings::freshness;
use crate::time;
use crate::time::Seconds;
use crate::time::seconds;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

/// The age in seconds at which the status is written again, if only its message or the time of the check is
/// new.
const MAX_STATUS_AGE: Seconds = 60;

/// What is known about the key in the Secret.
#[derive(Clone, Copy, Default)]
pub(super) struct KeyFacts<'k> {
    pub account: Option<&'k str>,
    pub key_id: Option<&'k str>,
    pub valid_since: Option<Seconds>,
}

/// Publishes the state, and remembers what was published.
pub(super) struct StatusPublisher {
    context: Context,
    server: String,
    settings: String,
    /// Our keys when they were last listed: the one in the Secret, and the superseded ones.
    pub listed: (Option<ListedToken>, Vec<SupersededKey>),
    /// The state that was last reported.
    reported: Option<CredentialStatus>,
    /// The status that was last written, and when.
    published: Option<(Value, Seconds)>,
}

impl StatusPublisher {
    pub(super) fn new(context: Context, server: String) -> Self {
        let settings = context.settings.taken().to_string();
        Self { context, server, settings, listed: (None, Vec::new()), reported: None, published: None }
    }

    /// Reports in an Event what a check at a person's request showed.
    pub(super) async fn answer(&mut self, status: &CredentialStatus, secret: Option<&Secret>) {
        let name = key_place(&self.context).name;
        let note = format!("looked, as was asked for: {}", status::message(status));
        let event = Event { reason: "CredentialChecked", action: "Check", note, warning: !status.works() };
        self.context.emit_event(about(&self.context, &name, secret), event).await;
        // Written even if nothing is new, to show the time of the check.
        self.published = None;
    }

    /// Reports the state in an Event, if it is new, and updates metrics and status.
    pub(super) async fn report(&mut self, status: &CredentialStatus, known: KeyFacts<'_>, secret: Option<&Secret>) {
        let now = time::now();
        let context = self.context.clone();
        let fresh_for = fresh_for(&context);
        context.metrics.credential.is(status, now, fresh_for);
        context.metrics.credential.superseded(self.listed.1.len());
        let place = key_place(&context);
        let is_new = self.reported.as_ref().is_none_or(|reported| status::kind(reported) != status::kind(status));
        let passing = matches!(status, CredentialStatus::Replacing(_));
        if is_new && !passing {
            let advice = status::advice(status, &context.settings.auth, known.account);
            let advice = advice.map(|advice| format!("; to do: {advice}")).unwrap_or_default();
            let note = format!("{}{advice}", status::message(status));
            let first_and_good =
                self.reported.is_none() && status.works() && !matches!(status, CredentialStatus::Expires(_));
            if first_and_good {
                tracing::info!(secret = place.name, "{note}");
            } else {
                let warning = !matches!(status, CredentialStatus::Valid);
                let event = Event { reason: status::reason(status), action: "Check", note, warning };
                context.emit_event(about(&context, &place.name, secret), event).await;
            }
            self.reported = Some(status.clone());
        }
        let report = Report {
            auth: &context.settings.auth,
            place: &place,
            account: known.account,
            state: status,
            server: &self.server,
            settings: &self.settings,
            valid_since: known.valid_since,
            key_id: known.key_id,
            current: self.listed.0.as_ref(),
            left: &self.listed.1,
        };
        let published = report.status();
        let due = self.published.as_ref().is_none_or(|(before, at)| {
            let age = now.saturating_sub(*at);
            age >= MAX_STATUS_AGE || without_words(before) != without_words(&published)
        });
        if due {
            let mut document = published.clone();
            document["checkedAt"] = time::rfc3339(now).into();
            if status.works() {
                document["seenAt"] = time::rfc3339(now).into();
                document["freshFor"] = fresh_for.into();
            }
            match controller::status::publish(&context, "credential", &document).await {
                Ok(()) => self.published = Some((published, now)),
                Err(error) => {
                    context.metrics.failed(Some(&error.cause));
                    tracing::warn!(%error, "the status is not up to date");
                }
            }
        }
    }
}

/// For how many seconds a good state is fresh.
fn fresh_for(context: &Context) -> Seconds {
    seconds(freshness(context.settings.credentials.check_interval))
}

fn without_words(status: &Value) -> Value {
    let mut status = status.clone();
    status["message"] = Value::Null;
    status
}
