//! SQL warehouses (databricks-api.md 5.5).

use serde_json::{Map, Value};

use super::{Int, object, said};
use crate::domain::ids::WarehouseId;
use crate::domain::warehouse::{Warehouse as DomainWarehouse, WarehouseState};

object! {
    WarehouseList {
        warehouses: Vec<Warehouse>,
        next_page_token: String,
    }
    Warehouse {
        id: String,
        name: String,
        state: String,
        cluster_size: String,
        warehouse_type: String,
        enable_serverless_compute: bool,
        num_clusters: Int,
        min_num_clusters: Int,
        max_num_clusters: Int,
        auto_stop_mins: Int,
        creator_name: String,
        health: Health,
    }
    Health {
        status: String,
        summary: String,
        details: String,
        message: String,
        failure_reason: Map<String, Value>,
    }
}

impl Warehouse {
    /// The warehouse as operations see it; none without an id, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<DomainWarehouse> {
        let health = self.health.unwrap_or_default();
        Some(DomainWarehouse {
            id: WarehouseId::new(self.id?),
            name: self.name.unwrap_or_default(),
            state: state(self.state.as_deref().unwrap_or_default()),
            size: self.cluster_size.unwrap_or_default(),
            serverless: self.enable_serverless_compute.unwrap_or(false),
            auto_stop_min: u32::try_from(super::count(self.auto_stop_mins)).unwrap_or(u32::MAX),
            trouble: match health.status.as_deref() {
                Some("DEGRADED" | "FAILED") => said(health.summary)
                    .or_else(|| said(health.message))
                    .or_else(|| said(health.details))
                    .or(health.status),
                _ => None,
            },
        })
    }
}

fn state(text: &str) -> WarehouseState {
    match text {
        "STARTING" => WarehouseState::Starting,
        "RUNNING" => WarehouseState::Running,
        "STOPPING" => WarehouseState::Stopping,
        "STOPPED" => WarehouseState::Stopped,
        "DELETING" | "DELETED" => WarehouseState::Deleted,
        other => WarehouseState::Unknown(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_only_when_there_is_some() {
        let read =
            |text: &str| serde_json::from_str::<Warehouse>(text).expect("decodes").into_domain().expect("has an id");
        let well = read(r#"{"id":"w","state":"RUNNING","health":{"status":"HEALTHY","summary":"fine"}}"#);
        assert_eq!((well.state, well.trouble), (WarehouseState::Running, None));
        let ill = read(r#"{"id":"w","state":"ASLEEP","health":{"status":"FAILED","message":"no quota"}}"#);
        assert_eq!((ill.state, ill.trouble.as_deref()), (WarehouseState::Unknown("ASLEEP".into()), Some("no quota")));
    }
}
