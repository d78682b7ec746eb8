//! The accounts that the simulated provider knows, read from their file.
//!
//! Owns the file's form: the part of TOML that `access-key-id = "secret"` lines need. Promises that an error
//! names the line and never quotes it, for what is wrong there may be the secret.

/// Reads the accounts: one `access-key-id = "secret"` a line, keys bare or quoted, comments and blank lines
/// allowed.
///
/// # Errors
///
/// What is wrong, with the number of the line and nothing of its text.
pub fn parse_accounts(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut accounts: Vec<(String, String)> = Vec::new();
    for (at, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let wrong = |why: &str| format!("line {}: {why}", at + 1);
        let Some((id, secret)) = account(line).map_err(wrong)? else { continue };
        if accounts.iter().any(|(known, _)| *known == id) {
            return Err(wrong("this access key id stands in the file already"));
        }
        accounts.push((id, secret));
    }
    if accounts.is_empty() {
        return Err("there is no account: write `access-key-id = \"secret\"`, one a line".into());
    }
    Ok(accounts)
}

/// One line; `None` when it says nothing.
fn account(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.starts_with('[') {
        return Err("tables are not read here; write `access-key-id = \"secret\"`");
    }
    let (id, rest) = if line.starts_with(['"', '\'']) { quoted(line)? } else { bare(line) };
    let rest =
        rest.trim_start().strip_prefix('=').ok_or("there is no `=` after the access key id")?.trim_start();
    if !rest.starts_with(['"', '\'']) {
        return Err("the secret needs quotes around it");
    }
    let (secret, rest) = quoted(rest)?;
    let rest = rest.trim_start();
    if !(rest.is_empty() || rest.starts_with('#')) {
        return Err("there is more after the secret; only a comment may follow");
    }
    if id.is_empty() || secret.is_empty() {
        return Err("the access key id or the secret is empty");
    }
    Ok(Some((id, secret)))
}

/// A bare key and what follows it.
fn bare(line: &str) -> (String, &str) {
    let end =
        line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).unwrap_or(line.len());
    let (id, rest) = line.split_at(end);
    (id.to_owned(), rest)
}

/// A string in quotes and what follows it. Between `'` everything stands for itself; between `"` a backslash
/// escapes a quote or itself.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, c)| c);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if Some(c) == quote => return Ok((value, &text[at + c.len_utf8()..])),
            '\\' if quote == Some('"') => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                _ => return Err("only \\\" and \\\\ are read as escapes"),
            },
            c => value.push(c),
        }
    }
    Err("a quote is never closed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_may_be_bare_or_quoted_and_comments_may_follow() {
        let text = "\u{feff}# keys\r\n\r\nLTAI-test_1 = \"s#1\" # the first\r\n\"a.b\"='s\\2'\r\n'c d' = \"q\\\"\\\\\"\r\n";
        let expected = [("LTAI-test_1", "s#1"), ("a.b", "s\\2"), ("c d", "q\"\\")];
        let found = parse_accounts(text).unwrap();
        assert_eq!(found, expected.map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    }

    #[test]
    fn an_error_names_the_line_and_never_a_secret() {
        for line in [
            "id = hunter2",
            "id \"hunter2\"",
            "id = \"hunter2",
            "id = \"hunter2\" hunter2",
            "id = \"hunter2\\n\"",
            "[hunter2]",
            "= \"hunter2\"",
            "hunter2.x = \"hunter2\"",
            "ok = \"hunter2\"",
            "id = \"\"",
        ] {
            let error = parse_accounts(&format!("ok = \"fine\"\n\n{line}\n")).unwrap_err();
            assert!(error.starts_with("line 3: ") && !error.contains("hunter2"), "{line}: {error}");
        }
        assert!(parse_accounts("# nothing\n").unwrap_err().contains("no account"));
    }
}
