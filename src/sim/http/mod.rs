//! The simulator's HTTP side: a port for each workspace that speaks the vendor's wire, and the admin port.
//!
//! One file (or folder) an API: it lists its [`route::Route`]s and answers them; [`routes`] is the only place that
//! knows them all. Everything around a route (credentials, rates, faults, the log) is in [`serve`].

mod access;
mod admin;
mod answer;
mod call;
mod compute;
mod deployment;
mod files;
mod grown;
mod jobs;
mod line;
mod log;
mod oauth;
mod page;
mod permissions;
mod pipelines;
mod policies;
mod query;
mod rate;
mod route;
mod runs;
mod scim;
mod secrets;
mod serve;
mod state;
mod statements;
mod telemetry;
mod unity;
mod warehouses;
mod workspace;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tokio::net::TcpListener;

pub(super) use deployment::{Deployment, Realm, Setting, Site};
pub(super) use log::RequestLog;

/// Every route of a workspace.
fn routes() -> route::Table {
    route::Table::new(
        [
            oauth::routes(),
            scim::routes(),
            jobs::routes(),
            runs::routes(),
            pipelines::routes(),
            warehouses::routes(),
            statements::routes(),
            workspace::routes(),
            files::routes(),
            permissions::routes(),
            policies::routes(),
            compute::routes(),
            secrets::routes(),
            telemetry::routes(),
            unity::routes(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}

/// Serves one workspace until the deployment stops.
pub(super) async fn serve_site(deployment: Arc<Deployment>, site: Arc<Site>, listener: TcpListener) -> io::Result<()> {
    let stop = deployment.stop.clone();
    let port = serve::Port { deployment, site };
    let app = Router::new().fallback(serve::answer).with_state(port);
    axum::serve(line::Lines(listener), app.into_make_service_with_connect_info::<line::Scissors>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// Answers one request to a workspace in memory.
pub(super) async fn answer(deployment: &Arc<Deployment>, site: &Arc<Site>, request: Request) -> Response {
    let port = serve::Port { deployment: Arc::clone(deployment), site: Arc::clone(site) };
    serve::answer_in_memory(&port, request).await
}

/// Serves the admin port until the deployment stops.
pub(super) async fn serve_admin(deployment: Arc<Deployment>, listener: TcpListener) -> io::Result<()> {
    let stop = deployment.stop.clone();
    axum::serve(listener, admin::router(deployment)).with_graceful_shutdown(stop.cancelled_owned()).await
}
