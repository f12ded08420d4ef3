//! Permissions of objects: read, replace, merge, and the levels that there are (databricks-api.md 6.6).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::route::Route;
use crate::sim::world::principal::{Access, Grantee, Level, Object};

const PERMISSIONS: &str = "/api/2.0/permissions";

pub(super) fn routes() -> Vec<Route> {
    // Warehouses have a second name, of two segments.
    ["/sql/warehouses/{id}", "/{type}/{id}"]
        .into_iter()
        .flat_map(|path| {
            let path = format!("{PERMISSIONS}{path}");
            [
                Route::get(format!("{path}/permissionLevels"), levels),
                Route::get(path.clone(), get),
                Route::put(path.clone(), replace),
                Route::patch(path, merge),
            ]
        })
        .collect()
}

/// One level: what it is, the wire's word, and what it is for.
type Word = (Level, &'static str, &'static str);

/// A kind of object that has permissions.
struct Kind {
    /// As the path spells it.
    word: &'static str,
    /// As the answer spells it.
    object_type: &'static str,
    /// What errors call it, where it must have exactly one owner.
    owned: Option<&'static str>,
    levels: &'static [Word],
    /// Where the administrators' right comes from, and its level.
    of_admins: (&'static str, Level),
    object: fn(&str) -> Option<Object>,
}

const OWNER: Word = (Level::Owner, "IS_OWNER", "Is the owner");

const FILE_LEVELS: [Word; 4] = [
    (Level::View, "CAN_READ", "Can view and copy"),
    (Level::Run, "CAN_RUN", "Can view and run"),
    (Level::Edit, "CAN_EDIT", "Can view, run and edit"),
    (Level::Manage, "CAN_MANAGE", "Can view, run, edit and change permissions"),
];

const KINDS: [Kind; 9] = [
    Kind {
        word: "jobs",
        object_type: "job",
        owned: Some("job"),
        levels: &[
            (Level::View, "CAN_VIEW", "Can view the job and its runs"),
            (Level::Run, "CAN_MANAGE_RUN", "Can view, start and cancel runs"),
            OWNER,
            (Level::Manage, "CAN_MANAGE", "Can edit the job and change permissions"),
        ],
        of_admins: ("/jobs/", Level::Manage),
        object: |id| id.parse().ok().map(Object::Job),
    },
    Kind {
        word: "pipelines",
        object_type: "pipelines",
        owned: Some("pipeline"),
        levels: &[
            (Level::View, "CAN_VIEW", "Can view the pipeline"),
            (Level::Run, "CAN_RUN", "Can view, start and stop the pipeline"),
            (Level::Manage, "CAN_MANAGE", "Can edit the pipeline and change permissions"),
            OWNER,
        ],
        of_admins: ("/pipelines/", Level::Manage),
        object: |id| Some(Object::Pipeline(id.to_owned())),
    },
    Kind {
        word: "warehouses",
        object_type: "warehouses",
        owned: None,
        levels: &[
            (Level::View, "CAN_VIEW", "Can view the warehouse"),
            (Level::Run, "CAN_USE", "Can run queries"),
            (Level::Edit, "CAN_MONITOR", "Can run queries and watch those of others"),
            (Level::Manage, "CAN_MANAGE", "Can edit the warehouse and change permissions"),
            OWNER,
        ],
        of_admins: ("/sql/warehouses/", Level::Manage),
        object: |id| Some(Object::Warehouse(id.to_owned())),
    },
    Kind {
        word: "cluster-policies",
        object_type: "cluster-policy",
        owned: None,
        levels: &[(Level::Run, "CAN_USE", "Can create clusters under the policy")],
        of_admins: ("/cluster-policies/cluster-policies", Level::Run),
        object: |id| Some(Object::Policy(id.to_owned())),
    },
    Kind {
        word: "instance-pools",
        object_type: "instance-pool",
        owned: None,
        levels: &[
            (Level::View, "CAN_ATTACH_TO", "Can attach to the pool"),
            (Level::Manage, "CAN_MANAGE", "Can edit the pool and change permissions"),
        ],
        of_admins: ("/instance-pools/", Level::Manage),
        object: |id| Some(Object::Pool(id.to_owned())),
    },
    Kind {
        word: "clusters",
        object_type: "cluster",
        owned: None,
        levels: &[
            (Level::Manage, "CAN_MANAGE", "Can edit the cluster and change permissions"),
            (Level::Run, "CAN_RESTART", "Can start, restart and stop the cluster"),
            (Level::View, "CAN_ATTACH_TO", "Can attach to the cluster"),
        ],
        of_admins: ("/clusters/", Level::Manage),
        object: |id| Some(Object::Cluster(id.to_owned())),
    },
    Kind {
        word: "directories",
        object_type: "directory",
        owned: None,
        levels: &FILE_LEVELS,
        of_admins: ("/directories/", Level::Manage),
        object: |id| id.parse().ok().map(Object::File),
    },
    Kind {
        word: "files",
        object_type: "file",
        owned: None,
        levels: &FILE_LEVELS,
        of_admins: ("/directories/", Level::Manage),
        object: |id| id.parse().ok().map(Object::File),
    },
    Kind {
        word: "notebooks",
        object_type: "notebook",
        owned: None,
        levels: &FILE_LEVELS,
        of_admins: ("/directories/", Level::Manage),
        object: |id| id.parse().ok().map(Object::File),
    },
];

impl Kind {
    fn word_of(&self, level: Level) -> &'static str {
        self.levels.iter().find(|(known, _, _)| *known == level).map_or("", |(_, word, _)| word)
    }

    fn level_of(&self, word: &str) -> Result<Level, Refusal> {
        let found = self.levels.iter().find(|(_, known, _)| *known == word);
        found.map(|(level, _, _)| *level).ok_or_else(|| {
            let known: Vec<&str> = self.levels.iter().map(|(_, word, _)| *word).collect();
            Refusal::invalid(format!("Permission type {word} is not one of {} for {}.", known.join(", "), self.word))
        })
    }
}

/// The object that the path names. Whoever may do less with it than this is refused, be it there or not.
fn target(call: &Call<'_>, level: Level) -> Result<(&'static Kind, Object), Refusal> {
    let id = call.captured("id");
    let word = match call.captured("type") {
        "" => "warehouses",
        word => word,
    };
    let kind = KINDS
        .iter()
        .find(|kind| kind.word == word)
        .ok_or_else(|| Refusal::invalid(format!("request_object_type is not recognized: {word}")))?;
    let missing = || Refusal::missing(format!("{} {id} does not exist.", kind.object_type));
    let object = (kind.object)(id).ok_or_else(missing)?;
    access::need(call, &object, level, || {
        format!(
            "{} does not have Manage permissions on {} with ID: {id}. Please contact the owner or an administrator for access.",
            call.principal.user_name, kind.object_type
        )
    })?;
    if call.world.has(call.workspace(), &object) { Ok((kind, object)) } else { Err(missing()) }
}

fn levels(call: &mut Call<'_>) -> Answer {
    let (kind, _) = target(call, Level::Manage)?;
    let levels: Vec<Value> = kind
        .levels
        .iter()
        .map(|(_, word, description)| json!({"permission_level": word, "description": description}))
        .collect();
    Ok(Reply::json(&json!({"permission_levels": levels})))
}

fn get(call: &mut Call<'_>) -> Answer {
    let level = if call.world.breaks().rights_told { Level::View } else { Level::Manage };
    let (kind, object) = target(call, level)?;
    Ok(Reply::json(&render(call, kind, &object)))
}

/// Only what was given on the object itself is replaced; what it inherits stays.
fn replace(call: &mut Call<'_>) -> Answer {
    let (kind, object) = target(call, Level::Manage)?;
    let mut wanted = asked(call, kind)?;
    let owner = |access: &[Access]| access.iter().find(|entry| entry.level == Level::Owner).cloned();
    if kind.owned.is_none() && owner(&wanted).is_none() {
        wanted.extend(owner(&call.world.access(call.workspace(), &object)));
    }
    give(call, kind, &object, wanted)
}

fn merge(call: &mut Call<'_>) -> Answer {
    let (kind, object) = target(call, Level::Manage)?;
    let asked = asked(call, kind)?;
    let mut access = call.world.access(call.workspace(), &object);
    let new_owner = asked.iter().any(|entry| entry.level == Level::Owner);
    access.retain(|entry| {
        let named = asked.iter().any(|change| change.grantee == entry.grantee);
        let replaced = new_owner && entry.level == Level::Owner;
        !named && !replaced
    });
    access.extend(asked);
    give(call, kind, &object, access)
}

fn give(call: &mut Call<'_>, kind: &Kind, object: &Object, access: Vec<Access>) -> Answer {
    let owners = |access: &[Access]| -> Vec<Grantee> {
        access.iter().filter(|entry| entry.level == Level::Owner).map(|entry| entry.grantee.clone()).collect()
    };
    let (before, after) = (owners(&call.world.access(call.workspace(), object)), owners(&access));
    if let Some(noun) = kind.owned
        && after.len() != 1
    {
        return Err(Refusal::invalid(format!("The {noun} must have exactly one owner.")));
    }
    if after.iter().any(|owner| matches!(owner, Grantee::Group(_))) {
        return Err(Refusal::invalid("Groups can not be owners."));
    }
    let is_owner = before.iter().any(|owner| call.principal.is_meant_by(owner));
    if before != after && !is_owner && !call.principal.is_admin() {
        return Err(Refusal::denied(format!(
            "{} cannot change the owner of {} {}: only its owner and administrators can.",
            call.principal.user_name,
            kind.object_type,
            call.captured("id")
        )));
    }
    let workspace = call.workspace();
    call.world.set_access(workspace, object, access);
    Ok(Reply::json(&render(call, kind, object)))
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    access_control_list: Vec<Entry>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    user_name: Option<String>,
    group_name: Option<String>,
    service_principal_name: Option<String>,
    permission_level: Option<String>,
}

impl Entry {
    fn grantee(self) -> Result<Grantee, Refusal> {
        let names = [
            self.user_name.map(Grantee::User),
            self.group_name.map(Grantee::Group),
            self.service_principal_name.map(Grantee::ServicePrincipal),
        ];
        let [Some(grantee)] = &names.into_iter().flatten().map(Some).collect::<Vec<_>>()[..] else {
            return Err(Refusal::invalid(
                "Exactly one of user_name, group_name and service_principal_name must be given in each entry.",
            ));
        };
        Ok(grantee.clone())
    }
}

fn asked(call: &Call<'_>, kind: &Kind) -> Result<Vec<Access>, Refusal> {
    entries(kind, call.body::<Body>()?.access_control_list)
}

/// The access list that a job is created with.
pub(super) fn of_job(list: Vec<Entry>) -> Result<Vec<Access>, Refusal> {
    entries(&KINDS[0], list)
}

/// One entry a grantee: the last one counts.
fn entries(kind: &Kind, list: Vec<Entry>) -> Result<Vec<Access>, Refusal> {
    let mut access: Vec<Access> = Vec::new();
    for entry in list {
        let level = kind.level_of(entry.permission_level.as_deref().unwrap_or_default())?;
        let grantee = entry.grantee()?;
        access.retain(|other| other.grantee != grantee);
        access.push(Access { grantee, level });
    }
    Ok(access)
}

fn render(call: &Call<'_>, kind: &Kind, object: &Object) -> Value {
    let mut list: Vec<(Grantee, Vec<Value>)> = Vec::new();
    let mut add = |grantee: Grantee, permission: Value| match list.iter_mut().find(|(known, _)| *known == grantee) {
        Some((_, permissions)) => permissions.push(permission),
        None => list.push((grantee, vec![permission])),
    };
    for Access { grantee, level } in call.world.access(call.workspace(), object) {
        add(grantee, json!({"permission_level": kind.word_of(level), "inherited": false}));
    }
    let from_folders = call.world.inherited(call.workspace(), object).into_iter().map(|(access, folder)| {
        let from = if let Object::File(id) = folder { format!("/directories/{id}") } else { String::new() };
        (access, from)
    });
    let (from, level) = kind.of_admins;
    let admins = Access { grantee: Grantee::Group("admins".to_owned()), level };
    for (Access { grantee, level }, from) in from_folders.chain([(admins, from.to_owned())]) {
        let word = kind.word_of(level);
        add(grantee, json!({"permission_level": word, "inherited": true, "inherited_from_object": [from]}));
    }
    let list: Vec<Value> = list.into_iter().map(|(grantee, permissions)| entry(call, grantee, permissions)).collect();
    let path = if kind.word == "warehouses" { "sql/warehouses" } else { kind.word };
    json!({
        "object_id": format!("/{path}/{}", call.captured("id")),
        "object_type": kind.object_type,
        "access_control_list": list,
    })
}

fn entry(call: &Call<'_>, grantee: Grantee, permissions: Vec<Value>) -> Value {
    let (key, name) = match grantee {
        Grantee::User(name) => ("user_name", name),
        Grantee::ServicePrincipal(name) => ("service_principal_name", name),
        Grantee::Group(name) => ("group_name", name),
    };
    let mut entry = Map::new();
    if let Some(known) = call.world.principals().iter().find(|principal| principal.user_name == name) {
        entry.insert("display_name".to_owned(), known.display_name.clone().into());
    }
    entry.insert(key.to_owned(), name.into());
    entry.insert("all_permissions".to_owned(), permissions.into());
    Value::Object(entry)
}
