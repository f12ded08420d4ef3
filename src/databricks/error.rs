//! What went wrong with a request, to whom, how often, and whether the act may have happened all the same.

use std::fmt;
use std::time::Duration;

use crate::domain::ids::WorkspaceName;

use super::auth::AuthError;

/// Whether the act that a failed request asked for happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It certainly did not: the request never left, or it was refused.
    DidNotHappen,
    /// It may have: look before doing anything else (architecture.md 4).
    Unknown,
}

/// The vendor's classes of refusal (databricks-api.md 2.2): by error code first, then by status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 400 without a more precise code.
    BadRequest,
    /// A value that the platform does not take.
    InvalidParameterValue,
    /// The object is in a state that forbids the act.
    InvalidState,
    /// 401.
    Unauthenticated,
    /// 403.
    PermissionDenied,
    /// 404, `RESOURCE_DOES_NOT_EXIST`, and the Jobs API's 400 for a missing job or run.
    NotFound,
    /// 409 without a more precise code.
    ResourceConflict,
    /// Somebody else changed it at the same time.
    Aborted,
    /// It exists already.
    AlreadyExists,
    /// It exists already, in the older spelling.
    ResourceAlreadyExists,
    /// 429 without a more precise code.
    TooManyRequests,
    /// A quota is used up.
    ResourceExhausted,
    /// The rate limit was reached.
    RequestLimitExceeded,
    /// 499.
    Cancelled,
    /// 500.
    InternalError,
    /// The platform does not know what happened.
    Unknown,
    /// The platform lost data.
    DataLoss,
    /// 501.
    NotImplemented,
    /// 503.
    TemporarilyUnavailable,
    /// 504.
    DeadlineExceeded,
    /// A status without a class of its own.
    Other,
}

impl Class {
    /// The class of a refusal. `route` matters where the Jobs and Clusters APIs answer 400 for a missing object.
    pub fn of(status: u16, code: Option<&str>, route: &str, message: &str) -> Self {
        if status == 400 && code == Some("INVALID_PARAMETER_VALUE") && says_missing(route, message) {
            return Self::NotFound;
        }
        match code {
            Some("INVALID_STATE") => Self::InvalidState,
            Some("INVALID_PARAMETER_VALUE") => Self::InvalidParameterValue,
            Some("RESOURCE_DOES_NOT_EXIST") => Self::NotFound,
            Some("ABORTED") => Self::Aborted,
            Some("ALREADY_EXISTS") => Self::AlreadyExists,
            Some("RESOURCE_ALREADY_EXISTS") => Self::ResourceAlreadyExists,
            Some("RESOURCE_EXHAUSTED") => Self::ResourceExhausted,
            Some("REQUEST_LIMIT_EXCEEDED") => Self::RequestLimitExceeded,
            Some("UNKNOWN") => Self::Unknown,
            Some("DATA_LOSS") => Self::DataLoss,
            _ => Self::of_status(status),
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            409 => Self::ResourceConflict,
            429 => Self::TooManyRequests,
            499 => Self::Cancelled,
            500 => Self::InternalError,
            501 => Self::NotImplemented,
            503 => Self::TemporarilyUnavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::Other,
        }
    }
}

fn says_missing(route: &str, message: &str) -> bool {
    let missing = message.contains("does not exist") || message.contains("doesn't exist");
    let named = if route.ends_with("/clusters/get") {
        message.contains("Cluster ")
    } else if route.ends_with("/jobs/get") {
        message.contains("Job ")
    } else if route.ends_with("/jobs/runs/get") || route.ends_with("/jobs/runs/get-output") {
        message.contains("Run ") || message.contains("Run: ")
    } else {
        false
    };
    missing && named
}

/// What kind of failure it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The platform refused, in its own words.
    Refused(Class),
    /// No token could be had.
    Auth(AuthError),
    /// The workspace's request budget gave it no turn in time; nothing left.
    NoTurn,
    /// Whoever ordered it may not send it any more; nothing left.
    Withheld,
    /// No connection came up.
    Connect,
    /// No answer in time, be it for one attempt or for all of them.
    TimedOut,
    /// The connection ended before the answer did.
    Interrupted,
    /// The answer is too large to take in.
    TooLarge,
    /// A web page came where the API should have answered: a sign-in page, a proxy's notice, a private link's block.
    SignInPage,
    /// The platform points elsewhere. Redirects are not followed: a credential must not travel with them.
    Redirected,
    /// An answer that is not what the API documents.
    Garbled,
    /// A listing whose pages do not come to an end.
    EndlessPages,
    /// The request itself cannot be written; nothing left.
    Unwritable,
}

/// A request that failed for good.
#[derive(Clone)]
pub struct Error(pub(crate) Box<Details>);

/// All that is known about a failed request.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) workspace: WorkspaceName,
    pub(crate) method: http::Method,
    pub(crate) route: &'static str,
    pub(crate) kind: Kind,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) outcome: Outcome,
}

impl Error {
    /// The workspace asked.
    pub fn workspace(&self) -> &WorkspaceName {
        &self.0.workspace
    }

    /// `GET`, `POST`, ...
    pub fn method(&self) -> &str {
        self.0.method.as_str()
    }

    /// The route template, such as `/api/2.0/pipelines/{pipeline_id}`.
    pub fn route(&self) -> &'static str {
        self.0.route
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The class of a refusal; none if it was not refused but broke.
    pub fn class(&self) -> Option<Class> {
        match self.0.kind {
            Kind::Refused(class) => Some(class),
            _ => None,
        }
    }

    /// The status of the last answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The vendor's error code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The words of the vendor or of the system, made harmless for a terminal.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The vendor's request id, which its support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the platform asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many attempts were made; 0 if it never got a turn.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// From the call until it was given up.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Whether the act happened.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether the object is not there. A hidden object can look the same, or be a 403 (databricks-api.md 3.14).
    pub fn is_not_found(&self) -> bool {
        self.class() == Some(Class::NotFound)
    }

    /// Whether the credential is at fault: missing, wrong, expired or refused. A token that could not be fetched for want of
    /// an answer is not.
    pub fn is_about_credentials(&self) -> bool {
        match self.kind() {
            Kind::Auth(error) => !error.is_transient(),
            _ => self.class() == Some(Class::Unauthenticated),
        }
    }

    /// A few words for the header: `401 token expired`.
    pub fn brief(&self) -> String {
        let words = match &self.0.kind {
            Kind::Refused(class) => return self.brief_refusal(*class),
            Kind::Auth(error) => return error.brief(),
            Kind::NoTurn => "request budget used up",
            Kind::Withheld => "not sent",
            Kind::Connect => "no connection",
            Kind::TimedOut => "timed out",
            Kind::Interrupted => "connection lost",
            Kind::TooLarge => "answer too large",
            Kind::SignInPage => "sign-in page",
            Kind::Redirected => "redirected",
            Kind::Garbled => "unreadable answer",
            Kind::EndlessPages => "endless listing",
            Kind::Unwritable => "request not writable",
        };
        words.to_owned()
    }

    fn brief_refusal(&self, class: Class) -> String {
        let status = self.0.status.unwrap_or_default();
        let words = match class {
            Class::Unauthenticated if self.0.message.to_ascii_lowercase().contains("expired") => "token expired",
            Class::Unauthenticated => "credential refused",
            Class::PermissionDenied => "permission denied",
            Class::NotFound => "not found",
            Class::TooManyRequests | Class::RequestLimitExceeded | Class::ResourceExhausted => "too many requests",
            Class::InternalError | Class::Unknown | Class::DataLoss => "internal error",
            Class::TemporarilyUnavailable => "unavailable",
            Class::DeadlineExceeded => "deadline exceeded",
            Class::ResourceConflict | Class::Aborted => "conflict",
            Class::AlreadyExists | Class::ResourceAlreadyExists => "exists already",
            Class::InvalidState => "invalid state",
            Class::InvalidParameterValue => "invalid parameter",
            Class::NotImplemented => "not implemented",
            Class::Cancelled => "canceled",
            Class::BadRequest | Class::Other => "refused",
        };
        format!("{status} {words}")
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        match &self.0.kind {
            Kind::Auth(error) => error.hint(),
            Kind::Refused(Class::Unauthenticated) => {
                Some("check the credential of this workspace's role, or sign in again with `databricks auth login`")
            }
            Kind::Refused(Class::PermissionDenied) => {
                Some("the credential is valid but lacks a permission on this object")
            }
            Kind::Connect => Some("check the host, the network, HTTPS_PROXY and NO_PROXY"),
            Kind::SignInPage | Kind::Redirected => Some(
                "check that the host is a workspace's own address and that no proxy or private link stands in the way",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        write!(f, "{} {} of {}: ", details.method, details.route, details.workspace)?;
        if let Some(status) = details.status {
            write!(f, "{status} ")?;
        }
        if let Some(code) = &details.code {
            write!(f, "{code} ")?;
        }
        match (&details.kind, details.message.is_empty()) {
            (Kind::Auth(error), _) => write!(f, "{error}")?,
            (_, true) => f.write_str(&self.brief())?,
            (_, false) => f.write_str(&details.message)?,
        }
        f.write_str(" (")?;
        if let Some(id) = &details.request_id {
            write!(f, "request id {id}, ")?;
        }
        let plural = if details.attempts == 1 { "" } else { "s" };
        write!(f, "{} attempt{plural}, {} ms", details.attempts, details.elapsed.as_millis())?;
        if details.outcome == Outcome::Unknown && details.method != http::Method::GET {
            f.write_str(", it may have happened all the same")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_before_the_status() {
        let class = |status, code| Class::of(status, code, "/api/2.2/jobs/list", "");
        assert_eq!(class(400, Some("INVALID_STATE")), Class::InvalidState);
        assert_eq!(class(400, Some("RESOURCE_ALREADY_EXISTS")), Class::ResourceAlreadyExists);
        assert_eq!(class(429, Some("RESOURCE_EXHAUSTED")), Class::ResourceExhausted);
        assert_eq!(class(400, Some("QUOTA_EXCEEDED")), Class::BadRequest);
        assert_eq!(class(401, Some("401")), Class::Unauthenticated);
        assert_eq!(class(502, None), Class::Other);
    }

    #[test]
    fn a_missing_job_or_run_is_a_400_that_means_404() {
        let class = |route, message| Class::of(400, Some("INVALID_PARAMETER_VALUE"), route, message);
        assert_eq!(class("/api/2.2/jobs/get", "Job 5 does not exist."), Class::NotFound);
        assert_eq!(class("/api/2.2/jobs/runs/get", "Run 5 does not exist."), Class::NotFound);
        assert_eq!(class("/api/2.2/jobs/runs/get", "Run: 5 in job: 6 doesn't exist."), Class::NotFound);
        assert_eq!(class("/api/2.2/jobs/get", "Limit 200 is too large."), Class::InvalidParameterValue);
        assert_eq!(class("/api/2.2/jobs/run-now", "Job 5 does not exist."), Class::InvalidParameterValue);
    }
}
