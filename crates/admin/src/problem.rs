//! How a request is refused: the stable codes, and the refusals of the control plane turned into `problem+json`. A code
//! never changes its meaning; scripts and the CLI's exit codes match it. Nothing is decided here.

mod refusal;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(crate) use refusal::{Asked, refused};

use crate::api::{FieldError, Problem};

/// The media type of [`Problem`].
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// A stable code of the admin API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, for the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As on the wire: `E0612`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// No credentials, or wrong ones.
    Unauthenticated = "E0601", UNAUTHORIZED, "Credentials are needed";
    /// Known, and not allowed.
    NotPermitted = "E0602", FORBIDDEN, "Not permitted";
    /// `Host` or `Origin` is not ours.
    WrongHost = "E0603", FORBIDDEN, "The Host or Origin is not accepted here";
    /// A mutation without `If-Match`.
    PreconditionRequired = "E0604", PRECONDITION_REQUIRED, "If-Match is needed";
    /// The state moved since it was read.
    Stale = "E0605", PRECONDITION_FAILED, "The state has moved";
    /// A header or query parameter that cannot be read.
    BadRequest = "E0606", BAD_REQUEST, "The request cannot be read";
    /// A body that does not fit.
    BadBody = "E0607", UNPROCESSABLE_ENTITY, "The body does not fit";
    /// A body that is too large.
    BodyTooLarge = "E0608", PAYLOAD_TOO_LARGE, "The body is too large";
    /// No such path.
    NoRoute = "E0609", NOT_FOUND, "There is no such path";
    /// A path that does not know the method.
    NoMethod = "E0610", METHOD_NOT_ALLOWED, "The path does not take this method";
    /// A body that is not JSON by its type.
    WrongMediaType = "E0611", UNSUPPORTED_MEDIA_TYPE, "The body must be application/json";
    /// One or more rails would break.
    Rails = "E0612", CONFLICT, "Refused by a safety rule";
    /// No such service, in the path.
    UnknownService = "E0613", NOT_FOUND, "There is no such service";
    /// No such backend, in the path.
    UnknownBackend = "E0614", NOT_FOUND, "There is no such backend";
    /// No such provider.
    UnknownProvider = "E0615", NOT_FOUND, "There is no such provider";
    /// No such endpoint.
    UnknownEndpoint = "E0616", NOT_FOUND, "There is no such endpoint";
    /// No such shift, revision, evacuation or override.
    NotFound = "E0617", NOT_FOUND, "There is no such thing";
    /// Shares that cannot sum to 100 %.
    Sum = "E0618", UNPROCESSABLE_ENTITY, "The shares cannot add up to 100 %";
    /// Nothing would have a share.
    AllOff = "E0619", UNPROCESSABLE_ENTITY, "All backends would be off";
    /// A shift of the service is running.
    Busy = "E0620", CONFLICT, "A shift is running";
    /// The shift is in a phase in which this cannot be asked.
    WrongPhase = "E0621", CONFLICT, "The shift is in another phase";
    /// An expiry that is zero or too far.
    TooLong = "E0622", UNPROCESSABLE_ENTITY, "The expiry is not allowed";
    /// What was accepted could not be stored.
    Store = "E0623", SERVICE_UNAVAILABLE, "The change could not be stored";
    /// The controller is stopping or gone.
    Unavailable = "E0624", SERVICE_UNAVAILABLE, "The controller does not answer";
    /// A configuration that cannot be loaded.
    InvalidConfig = "E0625", UNPROCESSABLE_ENTITY, "The configuration is invalid";
    /// More clients than are served at once.
    TooManyClients = "E0626", SERVICE_UNAVAILABLE, "Too many clients";
    /// Somebody who must say why did not.
    ReasonRequired = "E0627", BAD_REQUEST, "A reason is needed";
    /// A share or a name in the body that is not known or not possible.
    BadField = "E0628", UNPROCESSABLE_ENTITY, "A field cannot be accepted";
}

impl Code {
    /// Whether the same request may succeed later without change.
    const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Store | Self::Unavailable | Self::TooManyClients | Self::Busy
        )
    }
}

/// A refusal on its way out. Boxed: it travels in every `Result` of the handlers.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) problem: Box<Problem>,
}

impl Refused {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let problem = Problem {
            kind: format!("urn:bascule:error:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            retryable: code.is_retryable(),
            ..Problem::default()
        };
        Self {
            code,
            problem: Box::new(problem),
        }
    }

    /// With one more place that is wrong.
    pub(crate) fn at(mut self, error: FieldError) -> Self {
        self.problem.errors.push(error);
        self
    }

    /// A field of the body that cannot be accepted.
    pub(crate) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Code::BadField, detail.clone()).at(FieldError {
            pointer: pointer.to_owned(),
            detail,
            ..FieldError::default()
        })
    }

    /// A name that is not known, with the one that was probably meant and those there are.
    pub(crate) fn unknown<'a>(
        code: Code,
        pointer: &str,
        what: &str,
        asked: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let meant = crate::suggest::nearest(asked, known.iter().copied());
        let hint = meant.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let detail = format!("there is no {what} `{asked}`{hint}");
        Self::new(code, detail.clone()).at(FieldError {
            pointer: pointer.to_owned(),
            detail,
            suggestion: meant.map(Into::into),
            accepted: known.into_iter().map(str::to_owned).collect(),
            ..FieldError::default()
        })
    }
}

/// Kept beside the response, so that the rim can complete, count and log it.
#[derive(Debug, Clone)]
pub(crate) struct Said(pub(crate) Code, pub(crate) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let said = Said(self.code, self.problem.detail.clone());
        let mut response = (self.code.status(), axum::Json(*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match said.0 {
            Code::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::TooManyClients | Code::Store | Code::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(said);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_their_range() {
        let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.iter().all(|code| code.starts_with("E06")));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}
