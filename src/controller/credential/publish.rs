//! Telling people: an Event where something is new, the status, the metrics.

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

/// A status that says nothing new, but for its words and the time of the look, is written again at this
/// age.
const MAX_STATUS_AGE: Seconds = 60;

/// What is known of the key.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'k> {
    pub account: Option<&'k str>,
    pub key_id: Option<&'k str>,
    pub valid_since: Option<Seconds>,
}

/// What people have been told.
pub(super) struct StatusPublisher {
    context: Context,
    server: String,
    settings: String,
    /// Keys of ours at the last look that could list them: the one in the Secret, and the others.
    pub listed: (Option<ListedToken>, Vec<SupersededKey>),
    /// The state that people know of.
    told: Option<CredentialStatus>,
    /// The status that was written last, and when.
    published: Option<(Value, Seconds)>,
}

impl StatusPublisher {
    pub(super) fn new(context: Context, server: String) -> Self {
        let settings = context.settings.taken().to_string();
        Self { context, server, settings, listed: (None, Vec::new()), told: None, published: None }
    }

    /// A person asked for a look, and gets to know what it showed.
    pub(super) async fn answer(&mut self, how: &CredentialStatus, secret: Option<&Secret>) {
        let name = key_place(&self.context).name;
        let note = format!("looked, as was asked for: {}", status::message(how));
        let event = Event { reason: "CredentialChecked", action: "Check", note, warning: !how.works() };
        self.context.tell(about(&self.context, &name, secret), event).await;
        // Also where nothing is new, so that the time of the look is seen.
        self.published = None;
    }

    /// Tells people how things are, if that is new.
    pub(super) async fn report(&mut self, how: &CredentialStatus, known: Known<'_>, secret: Option<&Secret>) {
        let now = time::now();
        let context = self.context.clone();
        let fresh_for = fresh_for(&context);
        context.metrics.credential.is(how, now, fresh_for);
        context.metrics.credential.superseded(self.listed.1.len());
        let place = key_place(&context);
        let is_new = self.told.as_ref().is_none_or(|told| status::kind(told) != status::kind(how));
        let passing = matches!(how, CredentialStatus::Replacing(_));
        if is_new && !passing {
            let advice = status::advice(how, &context.settings.auth, known.account);
            let advice = advice.map(|advice| format!("; to do: {advice}")).unwrap_or_default();
            let note = format!("{}{advice}", status::message(how));
            let first_and_good = self.told.is_none() && how.works() && !matches!(how, CredentialStatus::Expires(_));
            if first_and_good {
                tracing::info!(secret = place.name, "{note}");
            } else {
                let warning = !matches!(how, CredentialStatus::Valid);
                let event = Event { reason: status::reason(how), action: "Check", note, warning };
                context.tell(about(&context, &place.name, secret), event).await;
            }
            self.told = Some(how.clone());
        }
        let report = Report {
            auth: &context.settings.auth,
            place: &place,
            account: known.account,
            state: how,
            server: &self.server,
            settings: &self.settings,
            valid_since: known.valid_since,
            key_id: known.key_id,
            current: self.listed.0.as_ref(),
            left: &self.listed.1,
        };
        let status = report.status();
        let due = self.published.as_ref().is_none_or(|(before, at)| {
            let age = now.saturating_sub(*at);
            age >= MAX_STATUS_AGE || without_words(before) != without_words(&status)
        });
        if due {
            let mut document = status.clone();
            document["checkedAt"] = time::rfc3339(now).into();
            if how.works() {
                document["seenAt"] = time::rfc3339(now).into();
                document["freshFor"] = fresh_for.into();
            }
            match controller::status::publish(&context, "credential", &document).await {
                Ok(()) => self.published = Some((status, now)),
                Err(error) => {
                    context.metrics.failed(Some(&error.cause));
                    tracing::warn!(%error, "the status is not up to date");
                }
            }
        }
    }
}

/// For how many seconds a good word counts.
fn fresh_for(context: &Context) -> Seconds {
    seconds(freshness(context.settings.credentials.check_interval))
}

fn without_words(status: &Value) -> Value {
    let mut status = status.clone();
    status["message"] = Value::Null;
    status
}
