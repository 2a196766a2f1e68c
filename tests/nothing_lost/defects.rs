//! The invariants can fail: deliberate defects, each a patch that never ships, each caught.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::invariants::Invariant;
use super::search;

#[tokio::test]
#[ignore = "builds the program once for each defect, which takes minutes"]
async fn every_deliberate_defect_is_caught() {
    let mut table = String::new();
    let mut missed = Vec::new();
    let asked_for = std::env::var("NOTHING_LOST_DEFECT").unwrap_or_default();
    for defect in defects() {
        let name = defect.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.contains(&asked_for) {
            continue;
        }
        let program = build(&defect).await;
        let report = search::until_broken(super::program(), &program, SEED, 300).await;
        match report.violations.first() {
            Some(violation) => {
                let (schedule, broken) = violation.shortest();
                assert_ne!(broken.invariant, Invariant::Testbed, "{name}: {broken}");
                let _ = writeln!(
                    table,
                    "{name}\n  {:?}: {}\n  {schedule:?}",
                    broken.invariant, broken.what
                );
                println!(
                    "{name}: {:?}, after {} schedules\n{violation}",
                    broken.invariant,
                    report.schedules()
                );
            }
            None => missed.push(name),
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}

#[test]
fn every_deliberate_defect_still_fits_the_sources() {
    for defect in defects() {
        let text = std::fs::read_to_string(&defect).unwrap();
        for of_file in text.split("--- a/").skip(1) {
            let (path, hunks) = of_file.split_once('\n').unwrap();
            let source = std::fs::read_to_string(Path::new(HOME).join(path)).unwrap();
            for hunk in hunks.split("\n@@").skip(1) {
                let replaced = hunk.lines().skip(1).filter(|line| !line.starts_with('+'));
                let replaced: Vec<_> = replaced.map(|line| line.get(1..).unwrap_or("")).collect();
                assert!(
                    source.contains(&replaced.join("\n")),
                    "{} changes what is not in {path}: {hunk}",
                    defect.display()
                );
            }
        }
    }
}

fn defects() -> Vec<PathBuf> {
    let folder = Path::new(HOME).join("tests/nothing_lost/defects");
    let mut patches: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    patches.retain(|path| path.extension().is_some_and(|is| is == "patch"));
    patches.sort();
    assert!(patches.len() >= 12, "there were more defects: {patches:?}");
    patches
}

/// The program with a defect, from a copy of the sources, with the dependencies that are built already.
async fn build(defect: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_db-rotation"))
        .parent()
        .unwrap()
        .parent()
        .unwrap();
    let copy = target.join("defect");
    let _ = std::fs::remove_dir_all(copy.join("src"));
    std::fs::create_dir_all(copy.join("tests")).unwrap();
    run(Command::new("cp")
        .arg("-r")
        .arg(Path::new(HOME).join("src"))
        .arg(&copy))
    .await;
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = std::fs::read_to_string(Path::new(HOME).join(file)).unwrap();
        std::fs::write(copy.join(file), renamed(&text)).unwrap();
    }
    // A test of the copy's has it built with the features that the tests' dependencies ask for, as they are built already.
    std::fs::write(copy.join("tests/it.rs"), "").unwrap();
    run(Command::new("git")
        .arg("apply")
        .arg(defect)
        .current_dir(&copy)
        .env("GIT_CEILING_DIRECTORIES", target))
    .await;
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--no-run", "--quiet", "--test", "it"])
        .env("CARGO_TARGET_DIR", target);
    run(cargo.current_dir(&copy)).await;
    target.join("debug/defect")
}

/// A manifest or a lock for a package of another name in a workspace of its own, so that nothing of ours is overwritten.
fn renamed(text: &str) -> String {
    let text = text
        .replace("name = \"db-rotation\"", "name = \"defect\"")
        .replace("members = [\"tests/testbed\"]", "")
        .replace(
            "path = \"tests/testbed\"",
            &format!("path = \"{HOME}/tests/testbed\""),
        )
        .replace("[lib]\n", "[lib]\nname = \"db_rotation\"\n");
    // The benchmark and the tests stay behind.
    let sections = text.split("\n\n");
    let kept = sections
        .filter(|section| !section.contains("[[bench]]\n") && !section.contains("[[test]]\n"));
    kept.collect::<Vec<_>>().join("\n\n")
}

async fn run(command: &mut Command) {
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

const HOME: &str = env!("CARGO_MANIFEST_DIR");
/// Any would do; one and the same makes the table comparable.
const SEED: u64 = 1;
