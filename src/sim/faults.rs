//! Faults: what a test or a drill asks the simulator to get wrong, per route and count (`docs/simulator.md`).

use serde::{Deserialize, Serialize};

/// The longest delay, in milliseconds: ten minutes, more than any client's total bound.
const LONGEST_DELAY_MS: u64 = 600_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The answer comes late, and is right.
    Delay,
    /// 429 with Retry-After.
    #[serde(rename = "429")]
    TooMany,
    /// 500.
    #[serde(rename = "500")]
    Internal,
    /// 503 with Retry-After.
    #[serde(rename = "503")]
    Unavailable,
    /// The connection is reset and no answer comes.
    Reset,
    /// The answer's head promises more than its body holds, and the connection closes.
    CutBody,
    /// 200, JSON by its content type, and not JSON.
    Garbage,
    /// 200 with an HTML sign-in page, as a proxy gives it.
    HtmlSignIn,
    /// 401 as for a token that has expired; an OAuth token has then really expired.
    ExpiredToken,
}

/// Whether the world has changed when the fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// The act is not applied (a delay: it is applied after waiting).
    #[default]
    Before,
    /// The act is applied and only its answer suffers.
    After,
}

/// A fault as `POST /faults` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// A workspace's name; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<String>,
    /// `GET`, `POST`, ...; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// A route template such as `/api/2.2/jobs/runs/get`, a concrete path, or either with a trailing `*`; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
    /// What goes wrong.
    #[serde(deserialize_with = "kind_or_status")]
    pub(crate) kind: Kind,
    /// Before or after the act is applied.
    #[serde(default)]
    pub(crate) when: When,
    /// Matching requests let through unharmed first.
    #[serde(default)]
    pub(crate) skip: u64,
    /// How many requests suffer; absent for every one until the fault is deleted.
    #[serde(default = "once")]
    pub(crate) count: Option<u64>,
    /// How late a delayed answer comes, in milliseconds of the wall clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delay_ms: Option<u64>,
    /// Seconds in Retry-After of 429 and 503: 1 unless given, no header when null.
    #[serde(default = "one_second")]
    pub(crate) retry_after_s: Option<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde's default must have the field's type")]
fn once() -> Option<u64> {
    Some(1)
}

#[expect(clippy::unnecessary_wraps, reason = "serde's default must have the field's type")]
fn one_second() -> Option<u64> {
    Some(1)
}

/// Reads `503` as `"503"`: people write both.
fn kind_or_status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    use serde::de::Error as _;

    let value = serde_json::Value::deserialize(deserializer)?;
    let value = match value {
        serde_json::Value::Number(status) => serde_json::Value::String(status.to_string()),
        other => other,
    };
    serde_json::from_value(value).map_err(D::Error::custom)
}

impl Fault {
    /// What is wrong with the fault itself, in a sentence.
    pub(crate) fn complaint(&self, workspaces: &[&str]) -> Option<String> {
        if let Some(name) = &self.workspace
            && !workspaces.contains(&name.as_str())
        {
            return Some(format!("no workspace {name:?}; there are {}", workspaces.join(", ")));
        }
        if let Some(route) = &self.route
            && !route.starts_with('/')
            && route != "*"
        {
            return Some(format!("route {route:?} must begin with a slash, or be \"*\""));
        }
        match (self.kind, self.delay_ms) {
            (Kind::Delay, None | Some(0)) => Some("a delay needs delay_ms above 0".to_owned()),
            (Kind::Delay, Some(ms)) if ms > LONGEST_DELAY_MS => Some(format!("delay_ms is at most {LONGEST_DELAY_MS}")),
            (Kind::Delay, Some(_)) | (_, None) => None,
            (_, Some(_)) => Some("delay_ms belongs to kind \"delay\" alone".to_owned()),
        }
        .or_else(|| (self.count == Some(0)).then(|| "count is at least 1, or null for no end".to_owned()))
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        self.workspace.as_deref().is_none_or(|name| name == target.workspace)
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(target.method))
            && self.route.as_deref().is_none_or(|route| match route.strip_suffix('*') {
                Some(prefix) => target.route.starts_with(prefix) || target.path.starts_with(prefix),
                None => route == target.route || route == target.path,
            })
    }
}

/// What a fault is matched against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The workspace's name.
    pub(crate) workspace: &'a str,
    /// The request's method.
    pub(crate) method: &'a str,
    /// The route template; the path where no route matches.
    pub(crate) route: &'a str,
    /// The path as sent, without query.
    pub(crate) path: &'a str,
}

/// A fault that waits or strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Planted {
    /// Names it for `DELETE /faults?id=`.
    pub(crate) id: u64,
    /// How many requests it has struck.
    pub(crate) struck: u64,
    #[serde(flatten)]
    pub(crate) fault: Fault,
}

/// All faults that wait, oldest first. A spent fault is gone.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planted: Vec<Planted>,
    last_id: u64,
}

impl Faults {
    /// Plants a fault.
    pub(crate) fn plant(&mut self, fault: Fault) -> Planted {
        self.last_id += 1;
        let planted = Planted { id: self.last_id, struck: 0, fault };
        self.planted.push(planted.clone());
        planted
    }

    /// Those that wait.
    pub(crate) fn planted(&self) -> &[Planted] {
        &self.planted
    }

    /// Removes one fault, or all; gives how many went.
    pub(crate) fn remove(&mut self, id: Option<u64>) -> usize {
        let before = self.planted.len();
        self.planted.retain(|planted| id.is_some_and(|id| planted.id != id));
        before - self.planted.len()
    }

    /// The oldest fault that strikes this request, counted off. Each request suffers one fault at most.
    pub(crate) fn strike(&mut self, target: &Target<'_>) -> Option<Fault> {
        for index in 0..self.planted.len() {
            let Some(planted) = self.planted.get_mut(index).filter(|planted| planted.fault.matches(target)) else {
                continue;
            };
            if planted.fault.skip > 0 {
                planted.fault.skip -= 1;
                continue;
            }
            let fault = planted.fault.clone();
            planted.struck += 1;
            if let Some(count) = &mut planted.fault.count {
                *count -= 1;
                if *count == 0 {
                    self.planted.remove(index);
                }
            }
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET_RUN: Target<'_> = Target {
        workspace: "prod",
        method: "GET",
        route: "/api/2.0/pipelines/{pipeline_id}",
        path: "/api/2.0/pipelines/6f0c",
    };

    fn fault(json: serde_json::Value) -> Fault {
        serde_json::from_value(json).expect("a fault")
    }

    #[test]
    fn a_fault_strikes_once_unless_told_otherwise() {
        let mut faults = Faults::default();
        faults.plant(fault(serde_json::json!({"kind": 503})));
        assert_eq!(faults.strike(&GET_RUN).map(|fault| fault.kind), Some(Kind::Unavailable));
        assert_eq!(faults.strike(&GET_RUN), None);
        assert!(faults.planted().is_empty());
    }

    #[test]
    fn skip_lets_requests_through_first_and_a_null_count_never_ends() {
        let mut faults = Faults::default();
        faults.plant(fault(serde_json::json!({"kind": "reset", "skip": 1, "count": null})));
        assert_eq!(faults.strike(&GET_RUN), None);
        for _ in 0..3 {
            assert!(faults.strike(&GET_RUN).is_some());
        }
        assert_eq!(faults.planted()[0].struck, 3);
        assert_eq!(faults.remove(None), 1);
    }

    #[test]
    fn a_fault_matches_by_template_path_prefix_method_and_workspace() {
        let matching = [
            serde_json::json!({"kind": "500", "route": "/api/2.0/pipelines/{pipeline_id}"}),
            serde_json::json!({"kind": "500", "route": "/api/2.0/pipelines/6f0c", "method": "get"}),
            serde_json::json!({"kind": "500", "route": "/api/2.0/*", "workspace": "prod"}),
            serde_json::json!({"kind": "500", "route": "*"}),
        ];
        let other = [
            serde_json::json!({"kind": "500", "route": "/api/2.0/pipelines"}),
            serde_json::json!({"kind": "500", "method": "POST"}),
            serde_json::json!({"kind": "500", "workspace": "dev"}),
        ];
        for json in matching {
            assert!(fault(json.clone()).matches(&GET_RUN), "{json}");
        }
        for json in other {
            assert!(!fault(json.clone()).matches(&GET_RUN), "{json}");
        }
    }

    #[test]
    fn a_fault_that_makes_no_sense_is_refused_with_a_sentence() {
        for (json, word) in [
            (serde_json::json!({"kind": "delay"}), "delay_ms"),
            (serde_json::json!({"kind": "500", "delay_ms": 5}), "delay_ms"),
            (serde_json::json!({"kind": "500", "count": 0}), "count"),
            (serde_json::json!({"kind": "500", "workspace": "qa"}), "prod, dev"),
            (serde_json::json!({"kind": "500", "route": "jobs"}), "slash"),
        ] {
            let complaint = fault(json.clone()).complaint(&["prod", "dev"]);
            assert!(complaint.as_deref().is_some_and(|text| text.contains(word)), "{json}: {complaint:?}");
        }
        assert_eq!(fault(serde_json::json!({"kind": "delay", "delay_ms": 5})).complaint(&[]), None);
        assert!(serde_json::from_value::<Fault>(serde_json::json!({"kind": "teapot"})).is_err());
        assert!(serde_json::from_value::<Fault>(serde_json::json!({"kind": "500", "cuont": 1})).is_err());
    }
}
