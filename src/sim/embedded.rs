//! A simulator without ports: the same world, the same wire, the same answers, in memory.
//!
//! For simulations that order everything themselves: nothing here spawns, listens or reads a clock of its own, and the
//! answer to a request follows from the world, the request and the instant that the clock says.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};

use super::http::{self, Deployment, Realm, RequestLog, Setting, Site};
use super::lakehouse::Lakehouse;
use super::pace::Pace;
use super::simulator::{self, Access, Error};
use super::world::World;
use crate::domain::clock::Clock;

/// A simulator in memory. World time is the clock's.
pub struct Embedded {
    deployment: Arc<Deployment>,
    workspaces: Vec<Access>,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Sets a world up. Each workspace's address is `https://NAME.simulated.example`.
    ///
    /// # Errors
    /// When the data beside the world cannot be made.
    pub fn new(world: World, seed: u64, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let log = RequestLog::open(None).map_err(|source| Error::RequestLog { path: Default::default(), source })?;
        let mut sites = Vec::new();
        let mut workspaces = Vec::new();
        for workspace in world.workspaces() {
            let host = format!("https://{}.simulated.example", workspace.name);
            let (access, passes) = simulator::admit(&world, seed, workspace, &host);
            sites.push(Site::new(workspace, host, seed, passes, false));
            workspaces.push(access);
        }
        let setting =
            Setting { scenario: "embedded".to_owned(), seed, unknown_fields: false, clock: Arc::clone(&clock) };
        let lakehouse = Lakehouse::new(&world, seed)?;
        let pace = Pace::new(clock.now(), 1.0);
        let deployment = Arc::new(Deployment::new(setting, Realm { world, lakehouse }, pace, sites, log));
        Ok(Self { deployment, workspaces, clock })
    }

    /// How to reach each workspace.
    pub fn workspaces(&self) -> &[Access] {
        &self.workspaces
    }

    /// Answers a request as the workspace of that index would now.
    pub async fn answer(&self, workspace: usize, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let Some(site) = self.deployment.sites().get(workspace) else { return Response::default() };
        let answer = http::answer(&self.deployment, site, request.map(Body::from)).await;
        let (head, body) = answer.into_parts();
        // In memory nothing breaks, so the body is whole.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Response::from_parts(head, body.into())
    }

    /// Looks at the world as it is now, or changes it without asking anybody.
    pub fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.deployment.with_world(act)
    }

    /// Ends the life of an OAuth token in the workspace of that index.
    pub fn expire_token(&self, workspace: usize, token: &str) {
        if let Some(site) = self.deployment.sites().get(workspace) {
            site.expire(token, self.clock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;
    use crate::sim::scenario::Scenario;

    struct Still(Instant);

    impl Clock for Still {
        fn now(&self) -> Instant {
            self.0
        }
    }

    #[tokio::test]
    async fn it_answers_as_the_simulator_with_ports_does() {
        let text = "about = 'small'\nquiet_before = '1h'\nquiet_after = '1h'\nonly = ['gift_cards', 'returns_flow']";
        let clock = Arc::new(Still("2026-11-24T09:17:23Z".parse().expect("an instant")));
        let world = World::new(&Scenario::parse("small", text).expect("reads"), 7, clock.now());
        let embedded = Embedded::new(world, 7, clock).expect("set up");
        let access = &embedded.workspaces()[0];
        let ask = |path: &str| {
            let bearer = format!("Bearer {}", access.tokens["operator"]);
            Request::get(path).header("authorization", bearer).body(Vec::new()).expect("a request")
        };
        let jobs = embedded.answer(0, ask("/api/2.2/jobs/list")).await;
        assert_eq!(jobs.status(), 200);
        assert!(jobs.headers().contains_key("date"));
        let jobs: serde_json::Value = serde_json::from_slice(jobs.body()).expect("JSON");
        let names: Vec<&str> = jobs["jobs"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|job| job["settings"]["name"].as_str())
            .collect();
        assert_eq!(names, ["gift_cards"], "only what the scenario names");
        assert_eq!(embedded.answer(0, ask("/api/2.2/nothing")).await.status(), 404);
        embedded.expire_token(0, "unknown");
        assert_eq!(embedded.with_world(|world| world.pipelines(crate::domain::workspace::Environment::Prod).len()), 1);
    }
}
