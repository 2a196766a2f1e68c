//! What a query gives.

use tokio_postgres::SimpleQueryMessage;

/// One row, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    columns: Vec<(String, Option<String>)>,
}

impl Row {
    /// A column's text; none where it is null or there is no such column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.columns
            .iter()
            .find(|(name, _)| name == column)?
            .1
            .as_deref()
    }

    /// All columns, null being empty.
    pub fn texts(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|(_, value)| value.as_deref().unwrap_or_default())
            .collect()
    }

    /// The first column.
    pub(super) fn first(self) -> Option<String> {
        self.columns.into_iter().next()?.1
    }

    /// A message of the server's, if it is a row.
    pub(super) fn of(message: &SimpleQueryMessage) -> Option<Self> {
        let SimpleQueryMessage::Row(row) = message else {
            return None;
        };
        let names = row.columns().iter().map(|column| column.name().to_owned());
        let columns = names
            .enumerate()
            .map(|(at, name)| (name, row.get(at).map(str::to_owned)))
            .collect();
        Some(Self { columns })
    }
}
