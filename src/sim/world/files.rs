//! The workspace's folder tree: what `workspace/*` and `workspace-files/*` read and write (bundles.md 6).

use std::collections::BTreeMap;

use crate::domain::Instant;

/// One object of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Unique within the workspace.
    pub id: u64,
    /// From `/Workspace` down, without a slash at its end.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last written.
    pub modified_at: Instant,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// Bytes.
    File(Vec<u8>),
    /// A notebook: a source whose first line says so. Stored without the extension of the file that it came from.
    Notebook(Language, Vec<u8>),
}

/// The language of a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `.py`, and `.ipynb`.
    Python,
    /// `.sql`.
    Sql,
    /// `.scala`.
    Scala,
    /// `.r`.
    R,
}

impl Language {
    /// As the wire spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "PYTHON",
            Self::Sql => "SQL",
            Self::Scala => "SCALA",
            Self::R => "R",
        }
    }

    /// By the wire's spelling.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Python, Self::Sql, Self::Scala, Self::R].into_iter().find(|language| language.name() == name)
    }

    /// A source with the first line by which a notebook is known.
    pub fn marked(self, source: Vec<u8>) -> Vec<u8> {
        let mark = format!("{} Databricks notebook source", self.comment());
        if source.starts_with(mark.as_bytes()) { source } else { [mark.as_bytes(), b"\n", &source].concat() }
    }

    /// What begins a comment.
    pub(super) fn comment(self) -> &'static str {
        match self {
            Self::Python | Self::R => "#",
            Self::Sql => "--",
            Self::Scala => "//",
        }
    }
}

/// Why the tree refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefusal {
    /// 404.
    #[error("Path ({0}) doesn't exist.")]
    NoSuchPath(String),
    /// 404: a write whose folder is missing.
    #[error("The parent folder ({0}) does not exist.")]
    NoParent(String),
    /// 409: a write that must not replace.
    #[error("File already exists at ({0}).")]
    Exists(String),
    /// 400: something else stands where it should go.
    #[error("RESOURCE_ALREADY_EXISTS: {0} already exists.")]
    InTheWay(String),
    /// 400: a folder that still holds something.
    #[error("Folder {0} is not empty")]
    NotEmpty(String),
    /// 400: a folder where a file is meant.
    #[error("{0} is a directory")]
    IsDirectory(String),
    /// 400: not below the root.
    #[error("Path ({0}) must be absolute.")]
    Relative(String),
}

/// The tree. `/Users/x` and `/Workspace/Users/x` are the same object.
#[derive(Clone, Debug)]
pub struct Tree {
    objects: BTreeMap<String, Object>,
    next_id: u64,
}

const ROOT: &str = "/Workspace";

impl Tree {
    /// A tree with the home folders of these users and a folder for what is shared.
    pub fn new<'a>(users: impl IntoIterator<Item = &'a str>, now: Instant) -> Self {
        let mut tree = Self { objects: BTreeMap::new(), next_id: 2_100_000_000_000_001 };
        tree.add(ROOT.to_owned(), Kind::Directory, now);
        tree.add(format!("{ROOT}/Users"), Kind::Directory, now);
        tree.add(format!("{ROOT}/Shared"), Kind::Directory, now);
        for user in users {
            tree.add(format!("{ROOT}/Users/{user}"), Kind::Directory, now);
        }
        tree
    }

    /// The object at a path.
    ///
    /// # Errors
    /// [`FileRefusal::NoSuchPath`].
    pub fn status(&self, path: &str) -> Result<&Object, FileRefusal> {
        let key = normalized(path)?;
        self.objects.get(&key).ok_or_else(|| FileRefusal::NoSuchPath(path.to_owned()))
    }

    /// The object with an id, for its permissions.
    pub fn by_id(&self, id: u64) -> Option<&Object> {
        self.objects.values().find(|object| object.id == id)
    }

    /// The ids of the folders that hold an object, nearest first.
    pub fn folders_of(&self, id: u64) -> Vec<u64> {
        let mut path = self.by_id(id).map_or("", |object| object.path.as_str());
        let mut ids = Vec::new();
        while let Some((folder, _)) = path.rsplit_once('/') {
            ids.extend(self.objects.get(folder).map(|object| object.id));
            path = folder;
        }
        ids
    }

    /// The nearest object at a path or above it.
    ///
    /// # Errors
    /// When the path is not absolute.
    pub fn nearest(&self, path: &str) -> Result<Option<&Object>, FileRefusal> {
        let key = normalized(path)?;
        let mut at = key.as_str();
        loop {
            match (self.objects.get(at), at.rsplit_once('/')) {
                (Some(object), _) => return Ok(Some(object)),
                (None, Some((above, _))) => at = above,
                (None, None) => return Ok(None),
            }
        }
    }

    /// The bytes of a file or notebook.
    ///
    /// # Errors
    /// When there is none, or it is a folder.
    pub fn read(&self, path: &str) -> Result<&[u8], FileRefusal> {
        match &self.status(path)?.kind {
            Kind::File(bytes) | Kind::Notebook(_, bytes) => Ok(bytes),
            Kind::Directory => Err(FileRefusal::IsDirectory(path.to_owned())),
        }
    }

    /// What a folder holds, in order of name; a file holds itself.
    ///
    /// # Errors
    /// [`FileRefusal::NoSuchPath`].
    pub fn list(&self, path: &str) -> Result<Vec<&Object>, FileRefusal> {
        let object = self.status(path)?;
        if object.kind != Kind::Directory {
            return Ok(vec![object]);
        }
        let prefix = format!("{}/", object.path);
        let depth = prefix.len();
        Ok(self.below(prefix).filter(|child| !child.path[depth..].contains('/')).collect())
    }

    /// All that is below a folder; empty when there is none.
    pub fn tree(&self, path: &str) -> Vec<&Object> {
        normalized(path).map(|key| self.below(format!("{key}/")).collect()).unwrap_or_default()
    }

    /// Makes a folder and those above it; does nothing if it is there.
    ///
    /// # Errors
    /// [`FileRefusal::InTheWay`] when a file stands somewhere on the way.
    pub fn make_folders(&mut self, path: &str, now: Instant) -> Result<(), FileRefusal> {
        let key = normalized(path)?;
        let ends = key.match_indices('/').map(|(at, _)| at).skip(1).chain([key.len()]);
        let steps: Vec<String> = ends.map(|end| key[..end].to_owned()).collect();
        let blocked =
            steps.iter().find(|step| self.objects.get(*step).is_some_and(|found| found.kind != Kind::Directory));
        if let Some(step) = blocked {
            return Err(FileRefusal::InTheWay(step.clone()));
        }
        for step in steps {
            if !self.objects.contains_key(&step) {
                self.add(step, Kind::Directory, now);
            }
        }
        Ok(())
    }

    /// Writes what somebody uploads. A source that calls itself a notebook becomes one, without its extension.
    ///
    /// # Errors
    /// When the folder is missing, or something is there and must not be replaced, or a folder or an object of the
    /// other kind stands there.
    pub fn write(&mut self, path: &str, bytes: Vec<u8>, overwrite: bool, now: Instant) -> Result<&Object, FileRefusal> {
        match notebook(path, &bytes) {
            Some((stem, language)) => self.put(&stem, Kind::Notebook(language, bytes), overwrite, now),
            None => self.put(path, Kind::File(bytes), overwrite, now),
        }
    }

    /// Writes a file or a notebook as such. What is replaced keeps its id.
    ///
    /// # Errors
    /// As [`Tree::write`].
    pub fn put(&mut self, path: &str, kind: Kind, overwrite: bool, now: Instant) -> Result<&Object, FileRefusal> {
        let key = normalized(path)?;
        let parent = key.rsplit_once('/').map_or("", |(parent, _)| parent);
        match self.objects.get(parent) {
            Some(object) if object.kind == Kind::Directory => {}
            Some(_) => return Err(FileRefusal::InTheWay(parent.to_owned())),
            None => return Err(FileRefusal::NoParent(parent.to_owned())),
        }
        if let Some(present) = self.objects.get_mut(&key) {
            let same_kind = std::mem::discriminant(&present.kind) == std::mem::discriminant(&kind);
            if !same_kind {
                return Err(FileRefusal::InTheWay(key));
            }
            if !overwrite {
                return Err(FileRefusal::Exists(key));
            }
            present.kind = kind;
            present.modified_at = now;
        } else {
            self.add(key.clone(), kind, now);
        }
        self.objects.get(&key).ok_or(FileRefusal::NoSuchPath(key))
    }

    /// Removes an object; a folder that holds something only if asked to take all of it. Gives the ids that are gone.
    ///
    /// # Errors
    /// When there is none, or the folder is not empty.
    pub fn remove(&mut self, path: &str, recursive: bool) -> Result<Vec<u64>, FileRefusal> {
        let key = self.status(path)?.path.clone();
        let prefix = format!("{key}/");
        let mut gone: Vec<String> = self.below(prefix).map(|object| object.path.clone()).collect();
        if !gone.is_empty() && !recursive {
            return Err(FileRefusal::NotEmpty(key));
        }
        gone.push(key);
        Ok(gone.iter().filter_map(|path| self.objects.remove(path)).map(|object| object.id).collect())
    }

    fn below(&self, prefix: String) -> impl Iterator<Item = &Object> {
        self.objects
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(_, object)| object)
    }

    fn add(&mut self, path: String, kind: Kind, now: Instant) {
        let id = self.next_id;
        self.next_id += 1;
        self.objects.insert(path.clone(), Object { id, path, kind, created_at: now, modified_at: now });
    }
}

/// From `/Workspace` down, without a slash at its end.
fn normalized(path: &str) -> Result<String, FileRefusal> {
    if !path.starts_with('/') {
        return Err(FileRefusal::Relative(path.to_owned()));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let below = if parts.first() == Some(&"Workspace") { &parts[1..] } else { &parts[..] };
    Ok(below.iter().fold(ROOT.to_owned(), |path, part| path + "/" + part))
}

fn notebook(path: &str, bytes: &[u8]) -> Option<(String, Language)> {
    let (stem, extension) = path.rsplit_once('.')?;
    let language = match extension.to_ascii_lowercase().as_str() {
        "py" | "ipynb" => Language::Python,
        "sql" => Language::Sql,
        "scala" => Language::Scala,
        "r" => Language::R,
        _ => return None,
    };
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let marker = format!("{} Databricks notebook source", language.comment());
    let marked = String::from_utf8_lossy(first).trim_end() == marker;
    (marked || extension.eq_ignore_ascii_case("ipynb")).then(|| (stem.to_owned(), language))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new(["ana@example.com"], Instant::UNIX_EPOCH)
    }

    const HOME: &str = "/Workspace/Users/ana@example.com";

    #[test]
    fn a_file_needs_its_folder_and_folders_come_with_those_above() {
        let (mut tree, path) = (tree(), format!("{HOME}/a/b/c.txt"));
        let missing = tree.write(&path, b"1".to_vec(), true, Instant::UNIX_EPOCH);
        assert_eq!(missing, Err(FileRefusal::NoParent(format!("{HOME}/a/b"))));
        tree.make_folders(&format!("{HOME}/a/b"), Instant::UNIX_EPOCH).expect("makes both");
        tree.write(&path, b"1".to_vec(), true, Instant::UNIX_EPOCH).expect("writes");
        assert_eq!(tree.read("/Users/ana@example.com/a/b/c.txt"), Ok(b"1".as_slice()));
        let names: Vec<&str> =
            tree.list(&format!("{HOME}/a")).expect("lists").iter().map(|o| o.path.as_str()).collect();
        assert_eq!(names, [format!("{HOME}/a/b")], "children, not grandchildren");
    }

    #[test]
    fn a_lock_is_taken_once() {
        let (mut tree, path) = (tree(), format!("{HOME}/deploy.lock"));
        let first = tree.write(&path, b"mine".to_vec(), false, Instant::UNIX_EPOCH).expect("takes it").id;
        let second = tree.write(&path, b"theirs".to_vec(), false, Instant::UNIX_EPOCH);
        assert_eq!(second, Err(FileRefusal::Exists(path.clone())));
        assert_eq!(tree.read(&path), Ok(b"mine".as_slice()));
        let forced = tree.write(&path, b"theirs".to_vec(), true, Instant::UNIX_EPOCH).expect("forces it").id;
        assert_eq!(forced, first, "replacing keeps the id");
    }

    #[test]
    fn a_notebook_loses_its_extension_and_a_plain_source_keeps_it() {
        let mut tree = tree();
        let notebook = b"# Databricks notebook source\nprint(1)\n".to_vec();
        tree.write(&format!("{HOME}/n.py"), notebook, true, Instant::UNIX_EPOCH).expect("writes");
        tree.write(&format!("{HOME}/p.py"), b"print(1)\n".to_vec(), true, Instant::UNIX_EPOCH).expect("writes");
        assert!(matches!(tree.status(&format!("{HOME}/n")).expect("there").kind, Kind::Notebook(Language::Python, _)));
        assert!(tree.status(&format!("{HOME}/n.py")).is_err());
        assert!(matches!(tree.status(&format!("{HOME}/p.py")).expect("there").kind, Kind::File(_)));
    }

    #[test]
    fn a_full_folder_goes_only_as_a_whole_and_its_neighbors_stay() {
        let mut tree = tree();
        for name in ["a/x", "ab/x"] {
            tree.make_folders(&format!("{HOME}/{name}"), Instant::UNIX_EPOCH).expect("makes");
        }
        assert_eq!(tree.remove(&format!("{HOME}/a"), false), Err(FileRefusal::NotEmpty(format!("{HOME}/a"))));
        assert_eq!(tree.remove(&format!("{HOME}/a"), true).expect("removes").len(), 2);
        assert!(tree.status(&format!("{HOME}/a/x")).is_err());
        assert!(tree.status(&format!("{HOME}/ab/x")).is_ok());
    }

    #[test]
    fn a_folder_cannot_go_where_a_file_is() {
        let mut tree = tree();
        tree.write(&format!("{HOME}/f"), Vec::new(), true, Instant::UNIX_EPOCH).expect("writes");
        let refused = tree.make_folders(&format!("{HOME}/f/g"), Instant::UNIX_EPOCH);
        assert_eq!(refused, Err(FileRefusal::InTheWay(format!("{HOME}/f"))));
    }
}
