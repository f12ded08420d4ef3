//! The permissions API of workspace objects (databricks-api.md 6.6).

use super::object;

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
