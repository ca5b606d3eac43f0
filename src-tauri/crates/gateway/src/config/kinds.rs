//! A user's own providers: every `providers/*.toml` beside the settings, in the format of the files
//! that we ship. A file that is wrong is left out and told; the others count.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use catalog::{Kinds, ProviderSpec, SpecError};

/// The folder's name, beside the settings file.
pub const FOLDER: &str = "providers";

/// No provider says more about itself than this.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// All kinds that settings may name, and what became of the user's files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserKinds {
    pub kinds: Kinds,
    /// The files that count, by name.
    pub files: Vec<UserKind>,
    /// The files that do not, each with what is wrong.
    pub problems: Vec<SpecError>,
}

/// One file that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKind {
    pub path: PathBuf,
    pub id: String,
    /// It stands in the place of one that we ship.
    pub replaces_shipped: bool,
}

/// The folder with the user's files for the settings at `config_path`.
pub fn folder(config_path: &Path) -> PathBuf {
    config_path.parent().unwrap_or(Path::new("")).join(FOLDER)
}

/// Reads every file in the folder beside the settings at `config_path`. Blocks.
pub fn read(config_path: &Path) -> UserKinds {
    let mut specs: Vec<ProviderSpec> = Vec::new();
    let mut found = UserKinds::default();
    let mut firsts: HashMap<String, PathBuf> = HashMap::new();
    for path in files(&folder(config_path)) {
        let spec = read_file(&path).and_then(|spec| accept(spec, &path, &firsts));
        match spec {
            Ok(spec) => {
                firsts.insert(spec.id.clone(), path.clone());
                found.files.push(UserKind {
                    id: spec.id.clone(),
                    replaces_shipped: catalog::kind(&spec.id).is_some(),
                    path,
                });
                specs.push(spec);
            }
            Err(problem) => found.problems.push(problem),
        }
    }
    found.kinds = Kinds::with(specs);
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml") && !is_hidden(path))
        .collect();
    files.sort();
    files
}

fn read_file(path: &Path) -> Result<ProviderSpec, SpecError> {
    let size = std::fs::metadata(path).map_err(|error| refused(path, error.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(refused(path, format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(path, error.to_string()))?;
    catalog::parse_spec(&text, &path.display().to_string())
}

fn accept(
    spec: ProviderSpec,
    path: &Path,
    firsts: &HashMap<String, PathBuf>,
) -> Result<ProviderSpec, SpecError> {
    if let Some(first) = firsts.get(&spec.id) {
        let message = format!("id `{}` is that of {} already", spec.id, first.display());
        return Err(refused(path, message));
    }
    // What runs inside this process is ours alone.
    let is_ours = catalog::kind(&spec.id).is_some_and(|shipped| shipped.is_in_process);
    if is_ours || spec.is_in_process {
        return Err(refused(path, format!("`{}` cannot be a provider in this process", spec.id)));
    }
    Ok(spec)
}

fn refused(path: &Path, message: String) -> SpecError {
    SpecError { origin: path.display().to_string(), line: None, key: None, nearest: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = "id = \"mine\"\nname = \"Mine\"\nprotocol = \"openai-chat\"\n\
        base_url = \"https://llm.example.com/v1\"\nauth = \"none\"\ndocs = \"https://example.com\"\n\
        unpriced = \"It is mine.\"\n";

    #[test]
    fn a_bad_file_is_told_and_the_rest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("settings.toml");
        assert_eq!(read(&settings), UserKinds::default());
        let providers = super::folder(&settings);
        std::fs::create_dir(&providers).unwrap();
        let write = |name: &str, text: &str| std::fs::write(providers.join(name), text).unwrap();
        write("a.toml", MINE);
        write("b.toml", &MINE.replace("base_url", "base_uri"));
        write("c.toml", MINE);
        write("groq.toml", &MINE.replace("\"mine\"", "\"groq\""));
        write("z.toml", &MINE.replace("\"mine\"", "\"rehearsal\""));
        write(".d.toml.swp", "no toml");
        write(".d.toml", "no toml");
        write("notes.txt", "no toml");
        let found = read(&settings);
        let ids: Vec<_> = found.files.iter().map(|file| (file.id.as_str(), file.replaces_shipped)).collect();
        assert_eq!(ids, [("mine", false), ("groq", true)]);
        let told: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].ends_with("b.toml, line 4: unknown key `base_uri`; did you mean `base_url`?"),
            "{}",
            told[0]
        );
        assert!(told[1].contains("a.toml already"), "{}", told[1]);
        assert!(told[2].contains("rehearsal"), "{}", told[2]);
        assert_eq!(found.kinds.get("groq").unwrap().name, "Mine");
        assert_eq!(found.kinds.iter().count(), catalog::kinds().len() + 1);
    }
}
