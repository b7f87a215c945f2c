//! Answers other than reviews: a status, and one line that says what came and what is expected.

use crate::core::review::{Shown, Unanswerable};
use crate::telemetry::logs::REFUSALS;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Why a request isn't answered with a review.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 400: the body isn't a review that could be answered.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// 400: the body broke off or is badly framed.
    #[error("the body could not be read to its end")]
    BrokenBody,
    /// 404: there is no such path.
    #[error("there is nothing at {0}; reviews are posted to /mutate")]
    UnknownPath(Shown),
    /// 405: the path exists, but not for this method.
    #[error("the method is {0}; reviews come by POST")]
    WrongMethod(Shown),
    /// 408: the body didn't arrive within this time.
    #[error("the body did not come within {0:?}")]
    Late(Duration),
    /// 413: the body is longer than this limit, in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// 415: the content type isn't JSON.
    #[error("the content type is {0}; a review is application/json")]
    WrongType(Shown),
    /// 500: the handler panicked, or an answer couldn't be serialized.
    #[error("the webhook failed on this request; its log says where")]
    Failed,
    /// 503: other requests take all of the memory budget. The API server retries after a 5xx with
    /// `Retry-After`, and only then.
    #[error("too many large requests are being received; try again in a second")]
    Busy,
}

impl Refusal {
    /// The HTTP status of the answer.
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
        // All are counted, but a client that sends nothing else would fill the log.
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
        // The rest of the body may be unread, so nothing can follow it; and a client that doesn't send
        // reviews should hold no connection.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}
