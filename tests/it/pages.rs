//! The commands of the README and of the pages in docs/: each was tried by operated.rs, or it is said why it can't be.

/// What people read, with the path that they read it at.
const PAGES: [(&str, &str); 5] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/deploy.md", include_str!("../../docs/deploy.md")),
    ("docs/operate.md", OPERATE),
    ("docs/proof.md", include_str!("../../docs/proof.md")),
    ("docs/secret.md", include_str!("../../docs/secret.md")),
];

pub(super) const OPERATE: &str = include_str!("../../docs/operate.md");

/// The headings whose blocks of commands operated.rs types.
const TYPED: [&str; 4] = [
    "A rotation is stuck",
    "Before you type",
    "The credential leaked",
    "The new value does not work",
];

/// Other commands that it types, by their beginnings.
const TYPED_ALONE: [&str; 4] = [
    "aws secretsmanager get-secret-value",
    "aws secretsmanager restore-secret",
    "aws secretsmanager rotate-secret",
    "ops/rotation rotate",
];

/// Commands that nothing here can run, by their beginnings, and why.
const UNTYPED: [(&str, &str); 9] = [
    ("NOTHING_LOST_SEED=", "the soak, which takes hours"),
    (
        "aws cloudformation set-stack-policy",
        "moto's CloudFormation makes no secret that a policy could protect",
    ),
    (
        "aws logs tail",
        "there are no logs, and the AWS CLI that PyPI has is version 1, without this command",
    ),
    (
        "cargo run --example rotate",
        "the demo: tests/stack/run -m build has it rotate",
    ),
    ("cargo test", "this runs in it"),
    (
        "psql",
        "the servers come without it; giving a role a password by verifier is what verifier.rs is about",
    ),
    ("rustup target add", "fetches a target"),
    ("sam build", "takes minutes: tests/stack/run -m build"),
    (
        "sam deploy",
        "there is no CloudFormation; the proof of the stack is in its place",
    ),
];

#[test]
fn every_command_of_every_page_is_tried_or_it_is_said_why_not() {
    let others = blocks().filter(|(heading, _)| !TYPED.contains(heading));
    let others: Vec<_> = others.flat_map(|(_, block)| commands(&block)).collect();
    let quoted = quoted().filter(|text| text.starts_with("aws "));
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

/// What stands between backquotes, in any page.
fn quoted() -> impl Iterator<Item = &'static str> {
    PAGES.into_iter().flat_map(|(_, text)| text.split('`'))
}

/// The blocks of commands of all pages, each with the heading above it.
fn blocks() -> impl Iterator<Item = (&'static str, String)> {
    PAGES.into_iter().flat_map(|(_, text)| blocks_of(text))
}

fn blocks_of(page: &'static str) -> Vec<(&'static str, String)> {
    let (mut heading, mut inside) = ("", false);
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
    let found = blocks().find(|(above, _)| *above == heading);
    found
        .unwrap_or_else(|| panic!("no commands under {heading}"))
        .1
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
