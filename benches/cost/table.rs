//! Rows of figures, each beside what it may be.

use std::time::Duration;

use super::process::Cost;

/// What something costs: wall, CPU, memory; the budget in ms of CPU and MiB.
pub(crate) fn cost(what: &str, costs: &[Cost], budget: Option<(f64, Option<f64>)>) {
    let wall = Spread::of(costs.iter().map(|cost| milliseconds(cost.wall)));
    let cpu = Spread::of(costs.iter().map(|cost| milliseconds(cost.cpu)));
    let memory = Spread::of(costs.iter().map(|cost| mebibytes(cost.peak_memory)));
    let budget = budget.map(|(most_cpu, most_memory)| {
        let within = cpu.median <= most_cpu && most_memory.is_none_or(|most| memory.median <= most);
        let memory = most_memory.map(|most| format!(", {most} MiB"));
        judged(
            within,
            &format!("{most_cpu} ms of CPU{}", memory.unwrap_or_default()),
        )
    });
    row(
        what,
        &[wall.to_string(), cpu.to_string(), memory.to_string()],
        budget,
    );
}

/// How long something takes, and how many milliseconds it may.
pub(crate) fn time(what: &str, spans: &[Duration], budget: Option<f64>) {
    let spread = Spread::of(spans.iter().copied().map(milliseconds));
    let budget = budget.map(|most| judged(spread.median <= most, &format!("{most} ms")));
    row(what, &[spread.to_string()], budget);
}

/// How often something happens in each step, and how often it may.
pub(crate) fn counts(what: &str, counts: [usize; 4], budget: Option<[usize; 4]>) {
    let budget = budget.map(|most| {
        let within = counts.iter().zip(most).all(|(count, most)| *count <= most);
        judged(within, &most.map(|most| most.to_string()).join(", "))
    });
    row(what, &counts.map(|count| count.to_string()), budget);
}

/// How many bytes something has, and how many MiB it may have.
pub(crate) fn size(what: &str, bytes: u64, budget: Option<f64>) {
    let size = mebibytes(bytes);
    let budget = budget.map(|most| judged(size <= most, &format!("{most} MiB")));
    row(what, &[format!("{size:.2} MiB")], budget);
}

/// The heads of the columns that follow.
pub(crate) fn head(columns: &[&str]) {
    let columns: Vec<_> = columns.iter().map(|&column| column.to_owned()).collect();
    row("", &columns, Some("budget".to_owned()));
}

#[expect(clippy::print_stdout, reason = "a table is there to be read")]
fn row(what: &str, figures: &[String], budget: Option<String>) {
    let width = FIGURES / figures.len();
    let figures: Vec<_> = figures
        .iter()
        .map(|figure| format!("{figure:<width$}"))
        .collect();
    let figures = figures.concat();
    let budget = budget.unwrap_or_default();
    println!(
        "{}",
        format!("{what:<46}{figures:<FIGURES$}{budget}").trim_end()
    );
}

fn judged(within: bool, budget: &str) -> String {
    if within {
        budget.to_owned()
    } else {
        format!("{budget}  ◀ OVER")
    }
}

/// A median, and where the middle eight of ten lie.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |tenths: usize| {
            let index = (sorted.len().saturating_sub(1) * tenths + 5) / 10;
            sorted.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            low: at(1),
            median: at(5),
            high: at(9),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { low, median, high } = self;
        write!(f, "{median:.1} ({low:.1}–{high:.1})")
    }
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// The width of all figures together.
const FIGURES: usize = 72;
