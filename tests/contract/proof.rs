//! The page that lists the beliefs: docs/proof.md.

use std::fmt::Write as _;

use crate::belief::Asked;
use crate::beliefs;

const PAGE: &str = include_str!("../../docs/proof.md");

/// Each belief, who is asked, and the sources.
fn table() -> String {
    let mut table = "| what we believe | asked of | source |\n|---|---|---|\n".to_owned();
    for belief in beliefs() {
        let whom = match belief.asked {
            Asked::Both(_) => "testbed, AWS",
            Asked::Testbed(_) => "testbed; AWS by `observe`",
            Asked::Watched => "AWS by `observe`",
            Asked::Nobody => "nobody yet",
        };
        let _ = writeln!(
            table,
            "| {} | {whom} | {} |",
            belief.says,
            belief.sources.join("; ").replace(":; ", ": ")
        );
    }
    table
}

#[test]
fn the_page_lists_every_belief_with_its_sources() {
    assert!(
        PAGE.contains(&table()),
        "docs/proof.md should have:\n{}",
        table()
    );
}

#[test]
fn every_belief_has_a_source_or_says_that_none_does() {
    for belief in beliefs() {
        let says = |source: &&str| {
            ["https://", "no page", "AWS's own model"]
                .iter()
                .any(|sign| source.contains(sign))
        };
        assert!(belief.sources.iter().any(says), "{}", belief.says);
    }
}
