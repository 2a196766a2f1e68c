//! How the demo speaks: colours where somebody looks, plain text where a file does.

use std::io::{IsTerminal as _, stdout};
use std::time::Instant;

pub(crate) fn say(what: &str, whom: &str) {
    println!("{} {whom}", bold(what));
}

pub(crate) fn done(what: &str, began: Instant) {
    let took = format!("{what}, {:.1} s", began.elapsed().as_secs_f64());
    println!("  {}", dim(&took));
}

pub(crate) fn detail(name: &str, text: &str) {
    println!("    {} {text}", dim(&format!("{name:<11}")));
}

pub(crate) fn claims(holds: bool, claim: &str) -> bool {
    let mark = either(holds, "✓", "✗ NOT TRUE:");
    println!("  {mark} {claim}");
    holds
}

pub(crate) fn bold(text: &str) -> String {
    painted("1", text)
}

pub(crate) fn dim(text: &str) -> String {
    painted("2", text)
}

pub(crate) fn either(good: bool, yes: &str, no: &str) -> String {
    if good {
        painted("32", yes)
    } else {
        painted("31", no)
    }
}

fn painted(colour: &str, text: &str) -> String {
    if stdout().is_terminal() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// `1 statement`, `2 statements`: the first word is the one that is counted.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    match what.split_once(' ') {
        Some((word, rest)) => format!("{count} {word}{plural} {rest}"),
        None => format!("{count} {what}{plural}"),
    }
}
