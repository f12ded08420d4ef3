//! The generated pages say what the program says.

use std::path::{Path, PathBuf};

use lakeshift::cli::reference;

#[test]
fn the_reference_pages_are_what_the_program_knows() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages: Vec<(PathBuf, String)> =
        vec![(docs.join("cli.md"), reference::cli_page()), (docs.join("config.md"), reference::config_page())];
    pages.push((docs.join("statements.md"), reference::statements_page()));
    pages.push((docs.join("doctor.md"), lakeshift::cli::doctor::docs::page()));
    let statements = serde_json::to_string_pretty(&reference::statements_document()).expect("a list prints");
    let conformance = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    pages.push((conformance.join("sql/statements.json"), statements + "\n"));
    for (file, schema) in reference::documents() {
        let text = serde_json::to_string_pretty(&schema).expect("a schema prints");
        pages.push((docs.join("output").join(file), text + "\n"));
    }
    let regenerate = std::env::var_os("LAKESHIFT_REGENERATE").is_some();
    for (path, page) in pages {
        if regenerate {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
            std::fs::write(&path, page).expect("the page can be written");
        } else {
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            let again = "LAKESHIFT_REGENERATE=1 cargo test --test it reference";
            assert!(found == page, "{} is out of date; write it again with `{again}`", path.display());
        }
    }
}
