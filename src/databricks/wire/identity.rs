//! Who am I, as SCIM writes it (databricks-api.md 8): camel case, ids as text.

use super::{object, said};
use crate::domain::identity::Identity;

object! {
    #[serde(rename_all = "camelCase")]
    User {
        id: String,
        user_name: String,
        display_name: String,
        active: bool,
        groups: Vec<Reference>,
        emails: Vec<Reference>,
        entitlements: Vec<Reference>,
        external_id: String,
    }
    Reference {
        display: String,
        value: String,
        r#type: String,
        primary: bool,
    }
    #[serde(rename_all = "camelCase")]
    Groups {
        #[serde(rename = "Resources")]
        resources: Vec<Group>,
    }
    #[serde(rename_all = "camelCase")]
    Group {
        display_name: String,
        members: Vec<Member>,
    }
    Member {
        #[serde(rename = "$ref")]
        reference: String,
    }
}

impl Group {
    /// Whether no group is among its members. Where a member does not say what it is, one may be.
    pub(crate) fn is_flat(&self) -> bool {
        let kind = |member: &Member| member.reference.clone().unwrap_or_default();
        self.members
            .iter()
            .flatten()
            .map(kind)
            .all(|reference| ["Users/", "ServicePrincipals/"].iter().any(|kind| reference.contains(kind)))
    }
}

impl User {
    /// The identity as operations see it.
    pub(crate) fn into_domain(self) -> Identity {
        Identity {
            id: self.id.unwrap_or_default(),
            user_name: self.user_name.unwrap_or_default(),
            display_name: said(self.display_name),
            active: self.active.unwrap_or(true),
            groups: self.groups.into_iter().flatten().filter_map(|group| group.display.or(group.value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_principal_has_little_to_say() {
        let user: User = serde_json::from_str(r#"{"id":"7","userName":"0f-uuid"}"#).expect("decodes");
        let identity = user.into_domain();
        assert_eq!((identity.name(), identity.active, identity.groups.len()), ("0f-uuid", true, 0));
    }

    #[test]
    fn a_group_is_flat_if_every_member_says_that_it_is_no_group() {
        let flat = |members: &str| {
            let group: Group =
                serde_json::from_str(&format!(r#"{{"displayName":"g","members":{members}}}"#)).expect("decodes");
            group.is_flat()
        };
        assert!(flat("[]") && flat(r#"[{"$ref":"Users/1"},{"$ref":"ServicePrincipals/2"}]"#));
        assert!(!flat(r#"[{"$ref":"Users/1"},{"$ref":"Groups/2"}]"#) && !flat(r#"[{"value":"1"}]"#));
    }

    #[test]
    fn groups_are_named_as_people_name_them() {
        let user: User = serde_json::from_str(
            r#"{"id":"7","userName":"a@b.c","displayName":"Ana","active":false,"groups":[{"display":"admins","value":"1"},{"value":"2"}]}"#,
        )
        .expect("decodes");
        let identity = user.into_domain();
        assert_eq!((identity.name(), identity.active), ("Ana", false));
        assert_eq!(identity.groups, ["admins", "2"]);
    }
}
