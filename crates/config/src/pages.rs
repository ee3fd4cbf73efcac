//! What a page of `bascule help CODE` has besides the meaning in [`codes`](crate::codes): an example that triggers the code,
//! how to mend it, and codes that are near it. A test runs every example that is a file and finds its code in it.

mod machine;
mod meaning;
mod shape;
mod value;

use crate::codes::Code;

/// What triggers a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// A whole file.
    File(&'static str),
    /// Something that no file alone can show.
    Situation(&'static str),
}

/// The rest of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// What triggers it.
    pub example: Example,
    /// How to mend it.
    pub mend: &'static str,
    /// Codes that are near it.
    pub related: &'static [&'static str],
}

const fn file(
    code: &'static str,
    example: &'static str,
    mend: &'static str,
    related: &'static [&'static str],
) -> Page {
    let example = Example::File(example);
    Page {
        code,
        example,
        mend,
        related,
    }
}

const fn situation(
    code: &'static str,
    example: &'static str,
    mend: &'static str,
    related: &'static [&'static str],
) -> Page {
    let example = Example::Situation(example);
    Page {
        code,
        example,
        mend,
        related,
    }
}

/// All pages, in the order of their tables.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    [shape::PAGES, value::PAGES, meaning::PAGES, machine::PAGES]
        .into_iter()
        .flatten()
}

/// The page of a code.
#[must_use]
pub fn page(code: &str) -> Option<&'static Page> {
    pages().find(|page| page.code == code)
}

/// A whole page as text for a terminal.
#[must_use]
pub fn page_text(code: &Code) -> String {
    let mut text = format!("{}: {}\n\n{}\n", code.code, code.title, code.explanation);
    let Some(page) = page(code.code) else {
        return text;
    };
    match page.example {
        Example::File(example) => {
            text.push_str("\nFor example:\n\n");
            for line in example.lines() {
                text.push_str(format!("    {line}").trim_end());
                text.push('\n');
            }
        }
        Example::Situation(words) => text.push_str(&format!("\nFor example: {words}\n")),
    }
    text.push_str(&format!("\nTo mend it: {}\n", page.mend));
    if !page.related.is_empty() {
        text.push_str(&format!("\nSee also: {}\n", page.related.join(", ")));
    }
    text
}
