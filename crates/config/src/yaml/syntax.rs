//! What to do about a text that is no YAML: the parser says where it gave up, the line says why. Words only; the text is
//! never mended by a guess.

/// What to do, by the place where reading ended (both from 1) and the parser's words.
pub(super) fn advice(text: &str, line: u32, column: u32, said: &str) -> Option<String> {
    let number = (line as usize).checked_sub(1)?;
    let lines: Vec<&str> = text.lines().collect();
    let here = lines.get(number).copied().unwrap_or_default();
    let words = |text: &str| Some(text.to_owned());
    let marks = ["<<<<<<<", "=======", ">>>>>>>"];
    if lines
        .iter()
        .any(|line| marks.iter().any(|mark| line.starts_with(mark)))
    {
        return words(
            "a merge was not finished: keep one side, and remove the lines of `<`, `=` and `>`",
        );
    }
    let indent: String = here.chars().take_while(|c| c.is_whitespace()).collect();
    if indent.contains('\t') || said.contains("tab") {
        return words("indent with spaces; YAML does not allow tabs");
    }
    if here.contains("{%") || here.contains("{{") && !here.contains("${{") {
        return words("a template that nobody filled in");
    }
    let rest: String = here
        .chars()
        .skip((column as usize).saturating_sub(1))
        .collect();
    match rest.chars().next() {
        Some(sign @ ('@' | '`' | '%')) if said.contains("unexpected character") => {
            return Some(format!("a text that begins with `{sign}` needs quotes"));
        }
        _ => {}
    }
    if said.contains("escape") {
        return words("in double quotes `\\` begins an escape; write `\\\\`, or use single quotes");
    }
    if said.contains("mapping values are not allowed") {
        return words("a text with `: ` in it needs quotes");
    }
    // A quote that was not closed swallows what follows, up to the next quote: look for the first odd line.
    let is_odd = |line: &str| {
        let bare = line
            .split(" #")
            .next()
            .unwrap_or_default()
            .replace("\\\"", "");
        bare.matches('"').count() % 2 == 1
    };
    if said.contains("quoted scalar") {
        let odd = lines.iter().take(number + 1).position(|line| is_odd(line));
        return odd.map(|at| format!("a quote is not closed, probably on line {}", at + 1));
    }
    if said.contains("bracket") || said.contains("flow") {
        return brackets(&lines, number);
    }
    if said.contains("simple key") {
        return words("a key is followed by `:` and a space");
    }
    if said.contains("block mapping") {
        let value = here.trim_start();
        if value.starts_with("- ") {
            return words("a list stands under a key of its own, not beside keys");
        }
        if here.contains(": [") && rest.is_empty() || here.contains("]:") {
            return words("a text that begins with `[` needs quotes: \"[::1]:8080\"");
        }
        return words(
            "the keys of a map begin in the same column; is this line, or the one above, indented by one space too many or too few?",
        );
    }
    None
}

/// Which bracket is missing or too much, counted up to the line.
fn brackets(lines: &[&str], number: usize) -> Option<String> {
    let mut open: Vec<(char, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate().take(number + 1) {
        for sign in signs(line) {
            if matches!(sign, '{' | '[') {
                open.push((sign, at + 1));
                continue;
            }
            let wanted = if sign == '}' { '{' } else { '[' };
            match open.pop() {
                Some((bracket, _)) if bracket == wanted => {}
                Some((bracket, line)) => {
                    return Some(format!("`{bracket}` of line {line} is closed by `{sign}`"));
                }
                None => return Some(format!("there is no `{wanted}` for this `{sign}`")),
            }
        }
    }
    match open.last() {
        Some((bracket, line)) if *line <= number => {
            Some(format!("`{bracket}` of line {line} is not closed"))
        }
        _ => Some("entries are parted by `,`".to_owned()),
    }
}

/// The brackets of a line that stand in no quotes and no comment.
fn signs(line: &str) -> Vec<char> {
    let mut quote = None;
    let mut signs = Vec::new();
    for c in line.chars() {
        match (quote, c) {
            (None, '#') => break,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '{' | '[' | '}' | ']') => signs.push(c),
            _ => {}
        }
    }
    signs
}
