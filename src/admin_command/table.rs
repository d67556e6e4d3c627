//! How answers are printed: tables for people, JSON for programs.

use serde_json::Value;

/// Rows in columns as wide as their widest cells.
pub(super) fn table(columns: &[&str], rows: Option<&Value>) -> String {
    let rows: Vec<Vec<String>> =
        std::iter::once(columns.iter().map(|name| (*name).to_owned()).collect())
            .chain(
                rows.and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(|row| columns.iter().map(|name| text(row, name)).collect()),
            )
            .collect();
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| width(at).unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Fields that there are, one to a line.
pub(super) fn details(object: &Value, fields: &[&str]) -> String {
    let given = fields.iter().filter_map(|field| {
        let text = text(object, field);
        (!text.is_empty()).then(|| format!("{field:<26}{text}"))
    });
    given.collect::<Vec<_>>().join("\n")
}

/// A field's text.
pub(super) fn text(object: &Value, field: &str) -> String {
    object.get(field).map(shown).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    match value {
        // Names come from API callers; a terminal must not be steered by them.
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        Value::Null | Value::Object(_) => String::new(),
    }
}

/// JSON over several lines.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_widest_cells() {
        let rows =
            json!([{"Pin": "1", "Name": "long name"}, {"Pin": "12345", "Name": "x\u{1b}[2J"}]);
        assert_eq!(
            table(&["Pin", "Name"], Some(&rows)),
            "Pin    Name\n1      long name\n12345  x[2J"
        );
    }

    #[test]
    fn details_are_what_there_is() {
        let thing =
            json!({"Name": "x", "Port": 5061, "On": false, "Hosts": ["a", "b"], "None": null});
        let fields = ["Name", "Port", "On", "Hosts", "None", "Missing"];
        let lines = details(&thing, &fields);
        let cells: Vec<&str> = lines.split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "Name", "x", "Port", "5061", "On", "false", "Hosts", "a", "b"
            ]
        );
    }
}
