//! What lies in volumes: files and folders, by volume and path.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Lakehouse;
use crate::domain::Instant;
use crate::sim::sql::TableName;

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Entry {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// What it holds.
        content: Vec<u8>,
        /// When it was last written.
        modified_at: Instant,
    },
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum FileTrouble {
    /// There is none.
    Missing,
    /// There is one already.
    Exists,
    /// A folder stands there, or a file where a folder is needed.
    WrongKind,
    /// The folder holds something.
    NotEmpty,
}

/// Entries of a volume, by their paths within it: no slash at either end.
type Files = BTreeMap<String, Entry>;

/// Files of all volumes. A volume that was dropped is never asked again.
#[derive(Debug, Default)]
pub(super) struct VolumeFiles(BTreeMap<Uuid, Files>);

impl Lakehouse {
    fn files_of(&mut self, volume: &TableName) -> Result<&mut Files, FileTrouble> {
        let schema = self.engine.catalog().schema(&volume.catalog, &volume.schema).map_err(|_| FileTrouble::Missing)?;
        let id = schema.volumes.get(&volume.table).ok_or(FileTrouble::Missing)?.facts.id;
        Ok(self.files.0.entry(id).or_default())
    }

    /// What stands at a path; the volume itself is a folder.
    pub(in crate::sim) fn volume_entry(&mut self, volume: &TableName, path: &str) -> Result<Entry, FileTrouble> {
        let files = self.files_of(volume)?;
        if path.is_empty() { Ok(Entry::Folder) } else { files.get(path).cloned().ok_or(FileTrouble::Missing) }
    }

    /// What a folder holds, by name.
    pub(in crate::sim) fn volume_list(
        &mut self,
        volume: &TableName,
        path: &str,
    ) -> Result<Vec<(String, Entry)>, FileTrouble> {
        if self.volume_entry(volume, path)? != Entry::Folder {
            return Err(FileTrouble::WrongKind);
        }
        let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
        let files = self.files_of(volume)?;
        Ok(files
            .iter()
            .filter_map(|(at, entry)| Some((at.strip_prefix(&inside)?.to_owned(), entry.clone())))
            .filter(|(name, _)| !name.contains('/'))
            .collect())
    }

    /// Writes a file; the folders that lead to it come with it.
    pub(in crate::sim) fn volume_write(
        &mut self,
        volume: &TableName,
        path: &str,
        content: Vec<u8>,
        overwrite: bool,
        at: Instant,
    ) -> Result<(), FileTrouble> {
        let files = self.files_of(volume)?;
        match files.get(path) {
            Some(Entry::Folder) => return Err(FileTrouble::WrongKind),
            Some(Entry::File { .. }) if !overwrite => return Err(FileTrouble::Exists),
            _ => {}
        }
        make_folders(files, path.rsplit_once('/').map_or("", |(parent, _)| parent))?;
        files.insert(path.to_owned(), Entry::File { content, modified_at: at });
        Ok(())
    }

    /// Makes a folder and those that lead to it; one that is there stays.
    pub(in crate::sim) fn volume_make_folder(&mut self, volume: &TableName, path: &str) -> Result<(), FileTrouble> {
        make_folders(self.files_of(volume)?, path)
    }

    /// Removes a file, or an empty folder.
    pub(in crate::sim) fn volume_remove(
        &mut self,
        volume: &TableName,
        path: &str,
        is_folder: bool,
    ) -> Result<(), FileTrouble> {
        let files = self.files_of(volume)?;
        let entry = files.get(path).ok_or(FileTrouble::Missing)?;
        if (*entry == Entry::Folder) != is_folder {
            return Err(FileTrouble::Missing);
        }
        let inside = format!("{path}/");
        if files.keys().any(|at| at.starts_with(&inside)) {
            return Err(FileTrouble::NotEmpty);
        }
        files.remove(path);
        Ok(())
    }
}

fn make_folders(files: &mut Files, path: &str) -> Result<(), FileTrouble> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain((!path.is_empty()).then_some(path.len()));
    for folder in ends.filter_map(|end| path.get(..end)) {
        if matches!(files.get(folder), Some(Entry::File { .. })) {
            return Err(FileTrouble::WrongKind);
        }
        files.insert(folder.to_owned(), Entry::Folder);
    }
    Ok(())
}
