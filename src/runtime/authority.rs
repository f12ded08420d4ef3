//! Reads the rights that acts need, and judges them before the acts: the console and the command line do it here.

use std::collections::BTreeMap;

use crate::databricks::{Client, Error};
use crate::domain::authority::{Need, Rights, Verdict, in_doubt, judge};
use crate::domain::identity::Identity;
use crate::domain::permission::Governed;
use crate::domain::sql::QualifiedName;
use crate::domain::unity::Securable;
use crate::operations::kind::Kind;
use crate::operations::needs::{self, needs};
use crate::operations::plan::Object;

/// The most groups that are looked into for one judgement: SCIM takes some 255 questions a minute (databricks-api.md 8).
const GROUPS: usize = 8;

/// Reads who a client's credential speaks for and what it holds on an object, and judges whether that is enough for an act.
/// It never fails: what cannot be read is unknown.
pub async fn rights(client: &Client, kind: Kind, object: &Object) -> needs::Rights {
    let needs = needs(kind, object);
    match client.me().await {
        Ok(identity) => {
            let judged = judge_all(client, &identity, &needs).await;
            needs::Rights::worst(identity.name(), judged)
        }
        Err(error) => {
            let unknown = |need| (need, Verdict::Unknown { why: error.brief() });
            needs::Rights::worst("the operator", needs.into_iter().map(unknown))
        }
    }
}

/// Judges needs in order; the rights on each object are read once. Rights that cannot be read make no error but an honest
/// "unknown": the act itself will tell.
pub async fn judge_all(client: &Client, identity: &Identity, needs: &[Need]) -> Vec<(Need, Verdict)> {
    let mut read: BTreeMap<String, Rights> = BTreeMap::new();
    let mut groups: BTreeMap<String, bool> = BTreeMap::new();
    let mut judged = Vec::new();
    for need in needs {
        let key = match need {
            Need::Level { kind, id, .. } => format!("{kind:?} {id}"),
            Need::Privilege { kind, name, .. } => format!("{kind:?} {name}"),
        };
        let rights = match read.get(&key) {
            Some(rights) => rights.clone(),
            None => {
                let rights = match need {
                    Need::Level { kind, id, .. } => levels(client, *kind, id).await,
                    Need::Privilege { kind, name, .. } => grants(client, *kind, name).await,
                };
                read.insert(key, rights.clone());
                rights
            }
        };
        for group in in_doubt(identity, need, &rights) {
            if !groups.contains_key(&group) && groups.len() < GROUPS {
                // A group that cannot be read stays in doubt.
                let is_flat = client.is_flat_group(&group).await.unwrap_or(false);
                groups.insert(group, is_flat);
            }
        }
        let flat = groups.iter().filter(|(_, is_flat)| **is_flat).map(|(group, _)| group.clone()).collect();
        judged.push((need.clone(), judge(identity, need, &rights, &flat)));
    }
    judged
}

fn unreadable(error: &Error) -> Rights {
    Rights::Unreadable { why: format!("its rights cannot be read: {}", error.brief()) }
}

async fn levels(client: &Client, kind: Governed, id: &str) -> Rights {
    client.permissions(kind, id).await.map_or_else(|error| unreadable(&error), Rights::Levels)
}

async fn grants(client: &Client, kind: Securable, name: &QualifiedName) -> Rights {
    let grants = match client.effective_grants(kind, name, None).await {
        Ok(grants) => grants,
        Err(error) => return unreadable(&error),
    };
    // An owner that cannot be read is one right less that is known of, no more.
    let owner = match kind {
        Securable::Catalog => client.catalog(name).await.ok().and_then(|found| found.owner),
        Securable::Schema => client.schema(name).await.ok().and_then(|found| found.owner),
        Securable::Table => client.table(name).await.ok().and_then(|found| found.owner),
        Securable::Volume | Securable::Function => None,
    };
    Rights::Grants { grants, owner }
}
