//! The commands of the README and of the pages in docs/: each was tried by operated.rs, or it is said why it can't be.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What people read, with the path that they read it at.
const PAGES: [(&str, &str); 15] = [
    (
        ".github/CONTRIBUTING.md",
        include_str!("../../.github/CONTRIBUTING.md"),
    ),
    (
        ".github/SECURITY.md",
        include_str!("../../.github/SECURITY.md"),
    ),
    ("README.md", include_str!("../../README.md")),
    (
        "docs/applications.md",
        include_str!("../../docs/applications.md"),
    ),
    ("docs/contract.md", include_str!("../../docs/contract.md")),
    ("docs/deploy.md", include_str!("../../docs/deploy.md")),
    ("docs/incidents.md", include_str!("../../docs/incidents.md")),
    ("docs/migrate.md", include_str!("../../docs/migrate.md")),
    ("docs/operate.md", OPERATE),
    ("docs/proof.md", include_str!("../../docs/proof.md")),
    ("docs/secret.md", include_str!("../../docs/secret.md")),
    ("docs/stack.md", include_str!("../../docs/stack.md")),
    ("docs/adopt.md", include_str!("../../docs/adopt.md")),
    ("docs/compare.md", include_str!("../../docs/compare.md")),
    ("docs/verify.md", include_str!("../../docs/verify.md")),
];

pub(super) const OPERATE: &str = include_str!("../../docs/operate.md");

/// The headings whose blocks of commands operated.rs types.
const TYPED: [&str; 9] = [
    "A region is lost",
    "A rotation is stuck",
    "A secret joins, a secret leaves",
    "And back",
    "Before you type",
    "The credential leaked",
    "The new value does not work",
    "Switch",
    "Trigger a rotation",
];

/// Other commands that it, audit.rs, or checked/, types, by their beginnings.
const TYPED_ALONE: [&str; 6] = [
    "aws secretsmanager get-secret-value",
    "aws secretsmanager restore-secret",
    "aws secretsmanager rotate-secret",
    "ops/rotation audit",
    "ops/rotation check",
    "ops/rotation rotate",
];

/// Commands that nothing here can run, by their beginnings, and why.
const UNTYPED: [(&str, &str); 21] = [
    (".ci/run", "this runs in it"),
    (
        "RUSTUP_TOOLCHAIN=",
        "tests/stack/run -m build does it twice",
    ),
    ("NOTHING_LOST_SEED=", "the soak, which takes hours"),
    (
        "aws cloudformation set-stack-policy",
        "moto's CloudFormation makes no secret that a policy could protect",
    ),
    (
        "aws cloudtrail lookup-events",
        "moto keeps no events; test_runbooks.py has the queries parsed, and run on some",
    ),
    (
        "aws lambda add-permission",
        "there is no function to permit; the template's permission is the same",
    ),
    (
        "aws lambda get-function-configuration",
        "there is no function of AWS's",
    ),
    (
        "aws logs tail",
        "there are no logs, and the AWS CLI that PyPI has is version 1, without this command",
    ),
    (
        "cargo run --example rotate",
        "the demo: tests/stack/run -m build has it rotate",
    ),
    (
        "cargo bench",
        "takes minutes, and wants the machine to itself",
    ),
    ("cargo test", "this runs in it"),
    ("envsubst <", "test_doors.py fills the policies in"),
    ("export REGION", "for envsubst"),
    ("gh ", "there is no release yet"),
    ("git clone", "there is no tag yet"),
    (
        "psql",
        "the servers come without it; giving a role a password by verifier is what verifier.rs is about",
    ),
    ("rustup toolchain install", "fetches a toolchain"),
    ("sam build", "takes minutes: tests/stack/run -m build"),
    (
        "sam deploy",
        "there is no CloudFormation; the proof of the stack is in its place",
    ),
    ("sha256sum", "there is no release yet"),
    ("tar -xzf", "test_release.py unpacks an archive"),
];

#[test]
fn every_command_of_every_page_is_tried_or_it_is_said_why_not() {
    let others = blocks().filter(|(heading, _)| !TYPED.contains(heading));
    let others: Vec<_> = others.flat_map(|(_, block)| commands(&block)).collect();
    let quoted = quoted().filter(|text| {
        ["aws ", "ops/rotation "]
            .iter()
            .any(|word| text.starts_with(word))
    });
    let found: Vec<_> = others
        .into_iter()
        .chain(quoted.map(str::to_owned))
        .collect();
    let known: Vec<_> = TYPED_ALONE
        .into_iter()
        .chain(UNTYPED.map(|(beginning, _)| beginning))
        .collect();
    for command in &found {
        let known = known.iter().any(|beginning| command.starts_with(beginning));
        assert!(known, "nobody has tried `{command}`");
    }
    for beginning in known {
        let found = found.iter().any(|command| command.starts_with(beginning));
        assert!(found, "no page has `{beginning}` any more");
    }
    for heading in TYPED {
        assert!(!block(heading).is_empty());
    }
}

#[test]
fn every_link_between_pages_leads_to_a_file_and_a_heading() {
    for (path, text) in PAGES {
        let folder = Path::new(path).parent().unwrap();
        let targets = text.split("](").skip(1);
        for target in targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let linked = if file.is_empty() {
                text.to_owned()
            } else {
                let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(folder)
                    .join(file);
                fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {target}: {error}"))
            };
            let found = heading.is_empty() || linked.lines().any(|line| anchor(line) == heading);
            assert!(found, "{path}: {target} has no such heading");
        }
    }
}

#[test]
fn the_picture_is_the_one_that_its_script_draws() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let drawn = Command::new("python3")
        .arg(docs.join("rotation.py"))
        .output()
        .unwrap();
    let kept = fs::read_to_string(docs.join("rotation.svg")).unwrap();
    assert!(
        String::from_utf8_lossy(&drawn.stdout) == kept,
        "docs/rotation.svg is not what docs/rotation.py draws"
    );
}

/// How a link names a heading.
fn anchor(line: &str) -> String {
    let words = line
        .strip_prefix('#')
        .map_or("", |rest| rest.trim_start_matches('#').trim());
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// What stands between backquotes, in any page.
fn quoted() -> impl Iterator<Item = &'static str> {
    PAGES.into_iter().flat_map(|(_, text)| text.split('`'))
}

/// The blocks of commands of all pages, each with the heading above it.
fn blocks() -> impl Iterator<Item = (&'static str, String)> {
    PAGES.into_iter().flat_map(|(_, text)| blocks_of(text))
}

fn blocks_of(page: &'static str) -> Vec<(&'static str, String)> {
    let mut heading = "";
    let mut inside = false;
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in page.lines() {
        match line.trim() {
            "```sh" => {
                inside = true;
                blocks.push((heading, String::new()));
            }
            "```" => inside = false,
            _ if inside => {
                let (_, block) = blocks.last_mut().unwrap();
                *block += line;
                *block += "\n";
            }
            _ if line.starts_with('#') => heading = line.trim_start_matches(['#', ' ']),
            _ => (),
        }
    }
    blocks
}

pub(super) fn block(heading: &str) -> String {
    blocks_under(heading).swap_remove(0)
}

/// The blocks of commands under a heading.
pub(super) fn blocks_under(heading: &str) -> Vec<String> {
    let under = blocks().filter(|(above, _)| *above == heading);
    let found: Vec<_> = under.map(|(_, block)| block).collect();
    assert!(!found.is_empty(), "no commands under {heading}");
    found
}

/// The commands of a block, without comments; what goes on in the next line, in quotes or behind a backslash, is one.
fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line_goes_on = line.strip_suffix('\\');
        match commands.last_mut().filter(|_| open) {
            Some(command) => *command += line_goes_on.unwrap_or(line),
            None => commands.push(line_goes_on.unwrap_or(line).to_owned()),
        }
        let quotes = commands.last().map_or(0, |one| one.matches('\'').count());
        open = line_goes_on.is_some() || quotes % 2 == 1;
    }
    commands
}

/// The first command that begins so, in a block or between backquotes.
pub(super) fn alone(beginning: &str) -> String {
    let in_blocks = blocks().flat_map(|(_, block)| commands(&block));
    in_blocks
        .chain(quoted().map(str::to_owned))
        .find(|command| command.starts_with(beginning) && command.len() > beginning.len())
        .unwrap_or_else(|| panic!("no page has `{beginning}`"))
}
