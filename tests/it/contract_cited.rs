//! docs/contract.md and docs/stack.md define the cases; tests prove them. Neither goes without the other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A file's path in the repository, and its text.
type File = (String, String);

#[test]
fn every_case_that_is_cited_is_defined() -> Result<()> {
    let defined = defined()?;
    for (path, text) in files()? {
        for case in cited(&text).chain(named(&text)) {
            assert!(
                defined.contains(&case),
                "{path} cites {case}, which no page defines"
            );
        }
    }
    Ok(())
}

#[test]
fn every_case_that_is_defined_is_proven_by_a_test() -> Result<()> {
    let mut proven = BTreeSet::new();
    for (path, text) in files()? {
        proven.extend(named(&text));
        // The template's proof is a table, whose rows have the numbers.
        if path.starts_with("tests/stack/") {
            proven.extend(cited(&text).filter(|case| case.starts_with('S')));
        }
    }
    let unproven: Vec<_> = defined()?.difference(&proven).cloned().collect();
    assert!(unproven.is_empty(), "no test has {unproven:?}");
    Ok(())
}

#[test]
fn the_contract_names_the_errors_of_the_operators_table() -> Result<()> {
    let contract = fs::read_to_string(root().join("docs/contract.md"))?;
    let (_, named) = contract.split_once("## The names of errors").unwrap();
    let named: BTreeSet<_> = named.split('`').skip(1).step_by(2).collect();
    let table = fs::read_to_string(root().join("docs/operate.md"))?;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(named, rows);
    Ok(())
}

#[test]
fn a_number_in_a_word_is_no_citation() {
    let text = "C1, (C22) and s3 of C-3, AC4, C5a, S999: not S6_x";
    assert_eq!(cited(text).collect::<Vec<_>>(), ["C1", "C22"]);
    let text = "async fn c26_c27_both_may() {}\nfn c_1() {}\nfn case_c2_x() {}";
    assert_eq!(named(text).collect::<Vec<_>>(), ["C26", "C27"]);
}

/// The cases, each of which a page lists once: `- C12. …`.
fn defined() -> Result<BTreeSet<String>> {
    let mut defined = BTreeSet::new();
    for page in ["docs/contract.md", "docs/stack.md"] {
        let text = fs::read_to_string(root().join(page))?;
        let items = text.lines().filter_map(|line| line.strip_prefix("- "));
        for case in items.filter_map(|item| item.split_once(". ")?.0.to_owned().into()) {
            assert!(is_case(&case), "{page} lists {case:?}, which is no case");
            assert!(defined.insert(case.clone()), "{case} is defined twice");
        }
    }
    Ok(defined)
}

/// The numbers that a text has as words of their own.
fn cited(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .filter(|word| is_case(word))
        .map(str::to_owned)
}

/// The numbers with which the names of functions begin: `fn c26_c27_…`.
fn named(text: &str) -> impl Iterator<Item = String> + '_ {
    let names = text
        .split('\n')
        .filter_map(|line| line.split_once("fn ").map(|(_, name)| name));
    names.flat_map(|name| {
        name.split('_')
            .map(str::to_uppercase)
            .take_while(|part| is_case(part))
    })
}

fn is_case(word: &str) -> bool {
    let number = word.strip_prefix(['C', 'S']).unwrap_or_default();
    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// What people write in this repository and may cite a case in.
fn files() -> Result<Vec<File>> {
    let mut files = Vec::new();
    for place in [
        ".github",
        "CHANGELOG.md",
        "README.md",
        "benches",
        "docs",
        "examples",
        "ops",
        "src",
        "template.yaml",
        "tests",
    ] {
        read(place, &mut files)?;
    }
    assert!(files.len() > 100, "only {} files", files.len());
    Ok(files)
}

fn read(place: &str, files: &mut Vec<File>) -> Result<()> {
    let path = root().join(place);
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            read(&format!("{place}/{}", name.to_string_lossy()), files)?;
        }
    } else if path.is_file() && WRITTEN.iter().any(|kind| place.ends_with(kind)) {
        files.push((place.to_owned(), fs::read_to_string(path)?));
    }
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const WRITTEN: [&str; 6] = [".md", ".py", ".rs", ".sql", ".yaml", ".yml"];
