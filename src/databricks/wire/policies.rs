//! Cluster policies (databricks-api.md 7.1). A definition is a JSON document inside a string and stays one.

use serde_json::{Map, Value};

use super::{Int, object};

object! {
    PolicyList {
        policies: Vec<Policy>,
    }
    Policy {
        policy_id: String,
        name: String,
        definition: String,
        description: String,
        creator_user_name: String,
        created_at_timestamp: Int,
        is_default: bool,
        max_clusters_per_user: Int,
        policy_family_id: String,
        policy_family_definition_overrides: String,
        libraries: Vec<Map<String, Value>>,
    }
}
