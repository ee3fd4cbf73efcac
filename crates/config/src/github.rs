//! Diagnostics as workflow commands of GitHub Actions, one a line, which show them beside the lines of a change.

use crate::diagnostic::{Diagnostic, Diagnostics};

/// `::error file=meet.yaml,line=14,endLine=14,col=9,endColumn=15,title=E0104::unknown key …`.
#[must_use]
pub fn github(files: &[Diagnostics]) -> String {
    files
        .iter()
        .flat_map(|file| file.items.iter().map(|d| command(&file.file, d)))
        .collect()
}

fn command(file: &str, d: &Diagnostic) -> String {
    let mut text = d.message.clone();
    let more = [
        Some(d.label.as_str()).filter(|label| !label.is_empty()),
        d.help.as_deref(),
    ];
    for more in more.into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    let span = d.span;
    // A column behind the end of another line would be read as one of the first.
    let end = if span.line == span.end_line {
        format!(",endColumn={}", span.end_column)
    } else {
        String::new()
    };
    format!(
        "::{} file={},line={},endLine={},col={}{end},title={}::{}\n",
        d.severity.as_str(),
        property(file),
        span.line.max(1),
        span.end_line.max(1),
        span.column.max(1),
        property(d.code),
        data(&text)
    )
}

/// What must not stand in a message as it is.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What must not stand in a property as it is.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemorySource, load};

    #[test]
    fn each_diagnostic_is_one_line_with_its_place_and_nothing_breaks_out_of_it() {
        let text = "listen: { web: { address: \":80%\\n::error::x\" } }\nservices: {}\n";
        let found = load("a,b:c.yaml", text, &MemorySource::default())
            .map(|_| ())
            .unwrap_err();
        let shown = github(&[found]);
        assert_eq!(shown.lines().count(), 2, "{shown}");
        let first = shown.lines().next().unwrap();
        assert!(
            first.starts_with(
                "::error file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=27,endColumn=45,title=E0205::"
            ),
            "{first}"
        );
        assert!(first.contains("80%25%0A"), "{first}");
    }
}
