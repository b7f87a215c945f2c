//! Answers that are not a review: a status and one line that says what came and what is expected.

use crate::core::review::{Shown, Unanswerable};
use crate::telemetry::logs::REFUSALS;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Why a request gets no review.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is no review that could be answered: 400.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// The body broke off or is badly framed: 400.
    #[error("the body could not be read to its end")]
    BrokenBody,
    /// There is no such path: 404.
    #[error("there is nothing at {0}; reviews are posted to /mutate")]
    UnknownPath(Shown),
    /// The path is right and the method isn't: 405.
    #[error("the method is {0}; reviews come by POST")]
    WrongMethod(Shown),
    /// The body didn't come in time: 408.
    #[error("the body did not come within {0:?}")]
    Late(Duration),
    /// The body is over the limit: 413.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is announced as something else: 415.
    #[error("the content type is {0}; a review is application/json")]
    WrongType(Shown),
    /// The handler panicked, or an answer could not be written: 500.
    #[error("the webhook failed on this request; its log says where")]
    Failed,
    /// The bodies of other requests take all the memory that there is for them: 503. The API server
    /// tries again after a 5xx with `Retry-After`, and only then.
    #[error("too many large requests are being received; try again in a second")]
    Busy,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unanswerable(_) | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::UnknownPath(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Late(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let reason = self.to_string();
        // All of them are counted; somebody who sends nothing else would fill the log.
        if let Some(left_out) = REFUSALS.pass() {
            tracing::warn!(status = status.as_u16(), reason, left_out, "refused a request");
        }
        let mut response = (status, format!("{reason}\n")).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::WrongMethod(_) => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::Busy => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        // The rest of a body may not be read, so that nothing can follow it; and whoever sends what isn't
        // a review keeps no connection for it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}
