//! Tables as kubectl prints them: upper-case headers, three blanks between columns, nothing after the last.

/// One line a row; cells without content read `<none>`, line breaks become blanks.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
    let body = rows.iter().map(|row| row.iter().map(|c| cell(c)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    lines.iter().map(|l| line(l, &widths) + "\n").collect()
}

fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "<none>".into() } else { text }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}   "));
    padded.collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a-long-name".into(), "x\ny".into()], vec!["b".into(), String::new()]];
        insta::assert_snapshot!(table(&["NAME", "MESSAGE"], &rows), @r"
        NAME          MESSAGE
        a-long-name   x y
        b             <none>
        ");
    }
}
