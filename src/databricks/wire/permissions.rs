//! The permissions API of workspace objects (databricks-api.md 6.6).

use super::{object, said};
use crate::domain::permission::{self as domain, Governed, Holder};

object! {
    ObjectPermissions {
        object_id: String,
        object_type: String,
        access_control_list: Vec<AccessControl>,
    }
    /// One principal's levels: `all_permissions` in answers, `permission_level` in requests.
    AccessControl {
        user_name: String,
        group_name: String,
        service_principal_name: String,
        display_name: String,
        all_permissions: Vec<Permission>,
        permission_level: String,
    }
    Permission {
        permission_level: String,
        inherited: bool,
        inherited_from_object: Vec<String>,
    }
    PermissionLevels {
        permission_levels: Vec<PermissionLevel>,
    }
    PermissionLevel {
        permission_level: String,
        description: String,
    }
}

/// The kind of an object in a path.
pub(crate) fn kind(kind: Governed) -> &'static str {
    match kind {
        Governed::Job => "jobs",
        Governed::Pipeline => "pipelines",
        Governed::Warehouse => "warehouses",
        Governed::ClusterPolicy => "cluster-policies",
    }
}

impl ObjectPermissions {
    /// One entry for each level of each principal. An entry that names none of the three kinds of principal is left out.
    pub(crate) fn into_domain(self) -> Vec<domain::Permission> {
        let entries = self.access_control_list.unwrap_or_default().into_iter();
        entries.filter_map(AccessControl::into_domain).flatten().collect()
    }
}

impl AccessControl {
    fn into_domain(self) -> Option<Vec<domain::Permission>> {
        let holder = said(self.user_name)
            .map(Holder::User)
            .or_else(|| said(self.group_name).map(Holder::Group))
            .or_else(|| said(self.service_principal_name).map(Holder::ServicePrincipal))?;
        let permission = |permission: Permission| {
            Some(domain::Permission {
                holder: holder.clone(),
                level: said(permission.permission_level)?,
                inherited_from: permission.inherited_from_object.unwrap_or_default(),
            })
        };
        Some(self.all_permissions.unwrap_or_default().into_iter().filter_map(permission).collect())
    }
}
