//! Who may do what with which object.

use crate::domain::workspace::Environment;

use super::World;
use super::files::{FileRefusal, Tree};
use super::principal::{Access, Grantee, Level, Object, Principal};
use super::shelf::Kind;
use super::site::Site;

impl World {
    /// Whether there is such an object.
    pub fn has(&self, environment: Environment, object: &Object) -> bool {
        let site = self.site(environment);
        match object {
            Object::Job(id) => site.job_entry(*id).is_ok(),
            Object::Pipeline(id) => site.pipeline_entry(id).is_ok(),
            Object::Warehouse(id) => site.warehouses.iter().any(|warehouse| warehouse.id == *id),
            Object::File(id) => site.files.by_id(*id).is_some(),
            Object::Policy(id) => site.shelf.contains_key(&(Kind::Policy, id.clone())),
            Object::Pool(id) => site.shelf.contains_key(&(Kind::Pool, id.clone())),
            Object::Cluster(id) => site.shelf.contains_key(&(Kind::Cluster, id.clone())),
        }
    }

    /// Who was given what on an object itself; empty when it does not exist. Admins may do everything with everything.
    pub fn access(&self, environment: Environment, object: &Object) -> Vec<Access> {
        let site = self.site(environment);
        match object {
            // Runs outlive their job, and so does the right to see them.
            Object::Job(id) => site
                .jobs
                .iter()
                .find(|entry| entry.job.job_id == *id)
                .map(|entry| entry.access.clone())
                .unwrap_or_default(),
            Object::Pipeline(id) => site.pipeline_entry(id).map(|entry| entry.access.clone()).unwrap_or_default(),
            _ if !self.has(environment, object) => Vec::new(),
            Object::Warehouse(_) => site.access.get(object).cloned().unwrap_or_else(everybody_runs),
            _ => site.access.get(object).cloned().unwrap_or_default(),
        }
    }

    /// What an object has from the folders that hold it, nearest first.
    pub fn inherited(&self, environment: Environment, object: &Object) -> Vec<(Access, Object)> {
        let Object::File(id) = object else { return Vec::new() };
        let site = self.site(environment);
        let folders = site.files.folders_of(*id).into_iter().map(Object::File);
        folders
            .flat_map(|folder| {
                let given = site.access.get(&folder).cloned().unwrap_or_default();
                given.into_iter().map(move |access| (access, folder.clone()))
            })
            .collect()
    }

    /// Replaces what was given on an object itself; nothing happens when there is none.
    pub fn set_access(&mut self, environment: Environment, object: &Object, access: Vec<Access>) {
        let exists = self.has(environment, object);
        let site = self.site_mut(environment);
        match object {
            Object::Job(id) => {
                if let Ok((at, _)) = site.job_entry(*id) {
                    site.jobs[at].access = access;
                }
            }
            Object::Pipeline(id) => {
                let found = site.pipelines.iter_mut().find(|entry| entry.pipeline.pipeline_id == *id);
                if let Some(entry) = found {
                    entry.access = access;
                }
            }
            _ if exists => {
                site.access.insert(object.clone(), access);
            }
            _ => {}
        }
    }

    /// The most that somebody may do with an object.
    pub fn level(&self, environment: Environment, object: &Object, who: &Principal) -> Option<Level> {
        if who.is_admin() {
            return Some(Level::Manage);
        }
        let inherited = self.inherited(environment, object).into_iter().map(|(access, _)| access);
        let all = self.access(environment, object).into_iter().chain(inherited);
        all.filter(|entry| who.is_meant_by(&entry.grantee)).map(|entry| entry.level).max()
    }

    /// The folder tree of a workspace.
    pub fn files(&self, environment: Environment) -> &Tree {
        &self.site(environment).files
    }

    /// The folder tree of a workspace, to add to it.
    pub fn files_mut(&mut self, environment: Environment) -> &mut Tree {
        &mut self.site_mut(environment).files
    }

    /// Removes what stands at a path, and the rights to it.
    ///
    /// # Errors
    /// When there is nothing, or a folder holds something and `recursive` is not set.
    pub fn remove_files(&mut self, environment: Environment, path: &str, recursive: bool) -> Result<(), FileRefusal> {
        let site = self.site_mut(environment);
        for id in site.files.remove(path, recursive)? {
            site.access.remove(&Object::File(id));
        }
        Ok(())
    }
}

impl Site {
    /// Everybody manages their own home, and all what is shared.
    pub(super) fn give_homes(&mut self) {
        let people = self.laws.people.iter().map(|person| (format!("/Users/{}", person.user_name), person.grantee()));
        let shared = ("/Shared".to_owned(), Grantee::Group("users".to_owned()));
        for (path, grantee) in people.chain([shared]) {
            if let Ok(folder) = self.files.status(&path) {
                self.access.insert(Object::File(folder.id), vec![Access { grantee, level: Level::Manage }]);
            }
        }
    }
}

fn everybody_runs() -> Vec<Access> {
    vec![Access { grantee: Grantee::Group("users".to_owned()), level: Level::Run }]
}
