//! Permissions of jobs, pipelines and warehouses (databricks-api.md 6.6).

use super::client::Client;
use super::error::Error;
use super::request::Request;
use super::wire::permissions as wire;
use crate::domain::permission::{Governed, Permission};

impl Client {
    /// Who has which level on an object. To read it takes CAN_MANAGE on most kinds of objects; else it is a 403.
    ///
    /// # Errors
    /// As any request.
    pub async fn permissions(&self, kind: Governed, id: &str) -> Result<Vec<Permission>, Error> {
        let route = "/api/2.0/permissions/{object_type}/{object_id}";
        let read: wire::ObjectPermissions = self.fetch(&Request::get(route).at(wire::kind(kind)).at(id)).await?;
        Ok(read.into_domain())
    }

    /// The levels that can be given on an object, as the platform names them.
    ///
    /// # Errors
    /// As any request.
    pub async fn permission_levels(&self, kind: Governed, id: &str) -> Result<Vec<String>, Error> {
        let route = "/api/2.0/permissions/{object_type}/{object_id}/permissionLevels";
        let read: wire::PermissionLevels = self.fetch(&Request::get(route).at(wire::kind(kind)).at(id)).await?;
        let levels = read.permission_levels.unwrap_or_default();
        Ok(levels.into_iter().filter_map(|level| level.permission_level).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake::{World, json as answer};
    use super::*;
    use crate::domain::permission::Holder;

    #[tokio::test(start_paused = true)]
    async fn levels_are_read_with_their_holders() {
        let world = World::new(|request, _| match request.url.path().ends_with("permissionLevels") {
            true => answer(200, &json!({"permission_levels": [{"permission_level": "CAN_VIEW"}, {}]})),
            false => answer(
                200,
                &json!({"object_id": "/jobs/7", "access_control_list": [
                    {"user_name": "ana", "all_permissions": [{"permission_level": "IS_OWNER", "inherited": false}]},
                    {"group_name": "admins", "all_permissions": [
                        {"permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": ["/jobs/"]}]},
                    {"service_principal_name": "sp-1", "all_permissions": [{"permission_level": "CAN_MANAGE_RUN"}]},
                    {"display_name": "nobody", "all_permissions": [{"permission_level": "CAN_VIEW"}]}]}),
            ),
        });
        let client = world.client();
        let permission = |holder, level: &str, from: &[&str]| Permission {
            holder,
            level: level.into(),
            inherited_from: from.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(
            client.permissions(Governed::Job, "7").await.expect("reads"),
            [
                permission(Holder::User("ana".into()), "IS_OWNER", &[]),
                permission(Holder::Group("admins".into()), "CAN_MANAGE", &["/jobs/"]),
                permission(Holder::ServicePrincipal("sp-1".into()), "CAN_MANAGE_RUN", &[]),
            ]
        );
        assert_eq!(client.permission_levels(Governed::ClusterPolicy, "A").await.expect("reads"), ["CAN_VIEW"]);
        assert_eq!(
            world.lines(),
            ["GET /api/2.0/permissions/jobs/7", "GET /api/2.0/permissions/cluster-policies/A/permissionLevels"]
        );
    }
}
