//! From the configuration to clients: one a workspace and role, all of a workspace under one request budget.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, WorkspaceConfig};
use crate::databricks::auth::{AuthError, resolve};
use crate::databricks::transport::{Network, NetworkError, Transport};
use crate::databricks::{
    Budget, Class, Client, ClientOptions, Error, EventsQuery, HostError, Observer, RetryPolicy, RunsQuery,
};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::{JobId, PipelineId, RunId};
use crate::domain::job::Job;
use crate::domain::pipeline::{Pipeline, PipelineEvent, Update};
use crate::domain::request::Lane;
use crate::domain::run::{Output, Run};
use crate::domain::snapshot::FailureKind;
use crate::domain::workspace::Workspace;
use crate::runtime::operator;
use crate::runtime::poller::api::{Answer, ApiError, WorkspaceApi};

/// Attempts of a request that only reads for the screen: a failure is better shown soon than hidden long.
const READ_ATTEMPTS: u32 = 3;

/// Why a workspace cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The credential.
    #[error("{0}")]
    Credential(AuthError),
    /// The address.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Proxies, certificates, TLS.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The CA bundle.
    #[error("the CA bundle {path} cannot be read: {source}")]
    Bundle {
        /// Where it should be.
        path: std::path::PathBuf,
        /// Why it cannot.
        source: std::io::Error,
    },
}

impl ConnectError {
    /// The same as the poller shows it. Nothing was asked, and nothing changes by asking again.
    fn answer(&self) -> ApiError {
        let (kind, brief, hint) = match self {
            Self::Credential(error) => (FailureKind::Auth, error.brief(), error.hint()),
            Self::Host(_) => (
                FailureKind::Config,
                "bad host".into(),
                Some("correct the host of this workspace in the configuration"),
            ),
            Self::Network(_) => (FailureKind::Config, "no network".into(), None),
            Self::Bundle { .. } => {
                (FailureKind::Config, "no CA bundle".into(), Some("correct ca_bundle in the configuration"))
            }
        };
        ApiError {
            kind,
            brief,
            message: with_hint(self.to_string(), hint),
            request_id: None,
            absent: false,
            retry_after: None,
        }
    }
}

/// A workspace and its clients.
pub struct Link {
    /// The workspace as configured.
    pub configured: WorkspaceConfig,
    clients: BTreeMap<Role, Result<Client, Arc<ConnectError>>>,
}

impl Link {
    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.configured.workspace
    }

    /// The client that acts in a role.
    ///
    /// # Errors
    /// Why there is none.
    pub fn client(&self, role: Role) -> Result<Client, Arc<ConnectError>> {
        match self.clients.get(&role) {
            Some(client) => client.clone(),
            // Every role is made; a missing one is the reader's.
            None => Err(Arc::new(ConnectError::Credential(AuthError::NoVariable { name: role.to_string() }))),
        }
    }

    /// What the poller asks.
    pub fn reach(&self) -> Reach {
        match self.client(Role::Reader) {
            Ok(client) => Reach::Open(client),
            Err(error) => Reach::Shut(Arc::new(error.answer())),
        }
    }
}

/// Makes the clients of all workspaces. Nothing is sent yet. A workspace that cannot be spoken to does not keep the others
/// from being shown: its clients are errors.
pub fn connect(
    config: &Config,
    environment: &BTreeMap<String, String>,
    clock: &Arc<dyn Clock>,
    observer: &Observer,
    seed: u64,
) -> Vec<Link> {
    let home = config.paths.home.as_path();
    let links = config.workspaces().into_iter().zip(seed..).map(|(configured, seed)| {
        let roads = Roads { environment, home, clock, observer, seed };
        let clients = roads.clients(&configured);
        Link { configured, clients }
    });
    links.collect()
}

struct Roads<'a> {
    environment: &'a BTreeMap<String, String>,
    home: &'a std::path::Path,
    clock: &'a Arc<dyn Clock>,
    observer: &'a Observer,
    seed: u64,
}

impl Roads<'_> {
    fn clients(&self, configured: &WorkspaceConfig) -> BTreeMap<Role, Result<Client, Arc<ConnectError>>> {
        let transport = self.transport(configured).map_err(Arc::new);
        let per_second = NonZeroU32::new(configured.requests_per_s).unwrap_or(NonZeroU32::MIN);
        let budget = Budget::new(per_second, per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        let client = |role: Role| {
            let transport = transport.clone()?;
            let source = configured.credentials.get(&role).cloned().unwrap_or_default();
            let host = &configured.workspace.host;
            let credentials = resolve(&source, host, self.environment, Some(self.home))
                .map_err(|error| Arc::new(ConnectError::Credential(error)))?;
            let retry = patience(role, configured.timeout, self.seed);
            Client::new(ClientOptions {
                workspace: configured.workspace.clone(),
                transport,
                credentials,
                budget: budget.clone(),
                retry,
                clock: self.clock.clone(),
                observer: self.observer.clone(),
            })
            .map_err(|error| Arc::new(ConnectError::Host(error)))
        };
        Role::ALL.into_iter().map(|role| (role, client(role))).collect()
    }

    fn transport(&self, configured: &WorkspaceConfig) -> Result<Arc<dyn Transport>, ConnectError> {
        let bundle = match &configured.ca_bundle {
            Some(path) => {
                let read = std::fs::read(path);
                Some(read.map_err(|source| ConnectError::Bundle { path: path.clone(), source })?)
            }
            None => None,
        };
        let network =
            Network::for_host(&configured.workspace.host, bundle, configured.connect_timeout, self.environment)?;
        Ok(operator::guarded(Arc::new(network), self.environment))
    }
}

/// How patient the client of a role is: an attempt may take as long as is configured, and all of them together twice
/// that, so that an attempt that hangs for all its time leaves time for another. What the platform asks us to wait is
/// waited for a minute however short the attempts are.
fn patience(role: Role, timeout: Duration, seed: u64) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let patient = RetryPolicy { attempt_timeout: timeout, total: usual.total.max(timeout * 2), seed, ..usual };
    if role == Role::Reader { RetryPolicy { attempts: READ_ATTEMPTS, ..patient } } else { patient }
}

/// A workspace's reader, or why there is none: then every question is answered with that.
#[derive(Clone)]
pub enum Reach {
    /// It can be asked.
    Open(Client),
    /// It cannot.
    Shut(Arc<ApiError>),
}

impl Reach {
    fn open(&self) -> Answer<&Client> {
        match self {
            Self::Open(client) => Ok(client),
            Self::Shut(error) => Err((**error).clone()),
        }
    }
}

fn with_hint(message: String, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

fn shown(error: &Error) -> ApiError {
    ApiError {
        kind: if error.is_about_credentials() {
            FailureKind::Auth
        } else if error.class() == Some(Class::PermissionDenied) {
            FailureKind::Denied
        } else {
            FailureKind::Remote
        },
        brief: error.brief(),
        message: with_hint(error.to_string(), error.hint()),
        request_id: error.request_id().map(str::to_owned),
        absent: error.is_not_found(),
        retry_after: error.retry_after(),
    }
}

impl WorkspaceApi for Reach {
    fn for_person(&self) -> Self {
        match self {
            Self::Open(client) => Self::Open(client.in_lane(Lane::Look)),
            Self::Shut(error) => Self::Shut(error.clone()),
        }
    }

    fn clock_offset_ms(&self) -> i64 {
        self.open().map_or(0, Client::clock_offset_ms)
    }

    fn requests_last_minute(&self) -> u32 {
        self.open().map_or(0, Client::requests_last_minute)
    }

    async fn jobs(&self) -> Answer<Vec<Job>> {
        self.open()?.jobs(true).await.map_err(|error| shown(&error))
    }

    async fn job(&self, id: JobId) -> Answer<Job> {
        self.open()?.job(id).await.map_err(|error| shown(&error))
    }

    async fn active_runs(&self) -> Answer<Vec<Run>> {
        let query = RunsQuery { active_only: true, ..RunsQuery::default() };
        self.open()?.runs(&query).await.map_err(|error| shown(&error))
    }

    async fn ended_runs(&self, started_from: Instant) -> Answer<Vec<Run>> {
        let query = RunsQuery { completed_only: true, started_from: Some(started_from), ..RunsQuery::default() };
        self.open()?.runs(&query).await.map_err(|error| shown(&error))
    }

    async fn job_runs(&self, job: JobId, at_most: usize, tasks: bool) -> Answer<Vec<Run>> {
        let (job, at_most) = (Some(job), Some(at_most));
        let query = RunsQuery { job, at_most, expand_tasks: tasks, ..RunsQuery::default() };
        self.open()?.runs(&query).await.map_err(|error| shown(&error))
    }

    async fn run(&self, id: RunId) -> Answer<Run> {
        self.open()?.run(id).await.map_err(|error| shown(&error))
    }

    async fn run_output(&self, task_run: RunId) -> Answer<Output> {
        self.open()?.run_output(task_run).await.map_err(|error| shown(&error))
    }

    async fn pipelines(&self) -> Answer<Vec<Pipeline>> {
        self.open()?.pipelines().await.map_err(|error| shown(&error))
    }

    async fn pipeline(&self, id: &PipelineId) -> Answer<Pipeline> {
        self.open()?.pipeline(id).await.map_err(|error| shown(&error))
    }

    async fn pipeline_updates(&self, id: &PipelineId, at_most: usize) -> Answer<Vec<Update>> {
        self.open()?.pipeline_updates(id, at_most).await.map_err(|error| shown(&error))
    }

    async fn pipeline_events(
        &self,
        id: &PipelineId,
        newer_than: Option<Instant>,
        at_most: usize,
    ) -> Answer<Vec<PipelineEvent>> {
        let query = EventsQuery { newer_than, ..EventsQuery::newest(at_most) };
        self.open()?.pipeline_events(id, &query).await.map_err(|error| shown(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_hangs_for_all_its_time_leaves_time_for_another() {
        for seconds in [2, 30, 60, 600] {
            for role in Role::ALL {
                let timeout = Duration::from_secs(seconds);
                let patience = patience(role, timeout, 7);
                assert_eq!(patience.attempt_timeout, timeout, "as configured");
                assert!(patience.total >= (timeout * 2).max(Duration::from_secs(60)), "{role} {patience:?}");
                assert!(patience.attempts >= 2);
            }
        }
    }
}
