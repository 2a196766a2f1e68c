//! The README's commands: where they stand, and that each was tried by operated.rs or can't be.

pub(super) const README: &str = include_str!("../../README.md");

/// The headings whose blocks of commands operated.rs types.
const TYPED: [&str; 4] = [
    "Run it",
    "The credential leaked",
    "The new value does not work",
    "A rotation is stuck",
];

/// Other commands that it types, by their beginnings.
const TYPED_ALONE: [&str; 4] = [
    "aws secretsmanager get-secret-value",
    "aws secretsmanager restore-secret",
    "aws secretsmanager rotate-secret",
    "tests/stack/smoke cloud-optimizer-secrets-manager rotate", // as under the headings above
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
    (
        "tests/stack/run sam build",
        "takes minutes: tests/stack/run -m build",
    ),
    (
        "tests/stack/run sam deploy",
        "there is no CloudFormation; the proof of the stack is in its place",
    ),
];

#[test]
fn every_command_of_the_readme_is_tried_or_it_is_said_why_not() {
    let others = blocks().filter(|(heading, _)| !TYPED.contains(heading));
    let others: Vec<_> = others.flat_map(|(_, block)| commands(&block)).collect();
    let quoted = README.split('`').filter(|text| text.starts_with("aws "));
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
        assert!(found, "the README no longer has `{beginning}`");
    }
    for heading in TYPED {
        assert!(!block(heading).is_empty());
    }
}

/// The README's blocks of commands, each with the heading above it.
fn blocks() -> impl Iterator<Item = (&'static str, String)> {
    let (mut heading, mut inside) = ("", false);
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in README.lines() {
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
    blocks.into_iter()
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
    let quoted = README.split('`').map(str::to_owned);
    in_blocks
        .chain(quoted)
        .find(|command| command.starts_with(beginning) && command.len() > beginning.len())
        .unwrap_or_else(|| panic!("the README has no `{beginning}`"))
}
