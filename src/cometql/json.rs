//! Is this text JSON (RFC 8259)? Answered without building it, for most messages are asked about.

/// Objects and arrays inside one another: what serde_json reads, too.
const NESTING_MAX: usize = 127;

pub(super) fn is_json(text: &str) -> bool {
    let mut walk = Walk { rest: text.as_bytes() };
    walk.document() == Some(()) && walk.rest.is_empty()
}

/// What is left of the text. A step is `None` where no JSON goes on.
struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    /// One value with blanks around it. The brackets that are open are kept in a list, not on the stack.
    fn document(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.blanks();
            match self.byte()? {
                bracket @ (b'{' | b'[') => {
                    if open.len() == NESTING_MAX {
                        return None;
                    }
                    self.step();
                    self.blanks();
                    // `{` and `[` are closed by the byte two places behind them.
                    if self.byte()? != bracket + 2 {
                        open.push(bracket);
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    self.step();
                }
                _ => self.scalar()?,
            }
            if self.close(&mut open)? {
                return Some(());
            }
        }
    }

    /// After a value: closes what ends here and reads a comma. True when the document is complete.
    fn close(&mut self, open: &mut Vec<u8>) -> Option<bool> {
        loop {
            self.blanks();
            let Some(bracket) = open.last().copied() else { return Some(true) };
            match self.byte()? {
                b',' => {
                    self.step();
                    if bracket == b'{' {
                        self.key()?;
                    }
                    return Some(false);
                }
                byte if byte == bracket + 2 => {
                    self.step();
                    open.pop();
                }
                _ => return None,
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.blanks();
        self.string()?;
        self.blanks();
        self.take(b":")
    }

    fn scalar(&mut self) -> Option<()> {
        match self.byte()? {
            b'"' => self.string(),
            b't' => self.take(b"true"),
            b'f' => self.take(b"false"),
            b'n' => self.take(b"null"),
            _ => self.number(),
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b"\"")?;
        loop {
            let at = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
            self.rest = self.rest.get(at..)?;
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Some(());
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => self.rest = rest,
                [b'\\', b'u', one, two, three, four, rest @ ..]
                    if [one, two, three, four].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                {
                    self.rest = rest;
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.byte()? == b'-' {
            self.step();
        }
        if self.byte()? == b'0' {
            self.step();
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.step();
            if let Some(b'+' | b'-') = self.byte() {
                self.step();
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = self.rest.get(count..)?;
        (count > 0).then_some(())
    }

    fn byte(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn take(&mut self, expected: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    fn is_json_to_serde(text: &str) -> bool {
        serde_json::from_str::<serde_json::Value>(text).is_ok()
    }

    const TEXTS: &[&str] = &[
        "",
        " ",
        "null",
        " true ",
        "false",
        "nul",
        "0",
        "-0",
        "01",
        "-",
        "1.",
        "1.5e+3",
        "1e",
        ".5",
        "\"\"",
        "\"a",
        "\"\t\"",
        r#""\u043f""#,
        r#""\u04""#,
        r#""\x""#,
        "[]",
        "[ ]",
        "[1,]",
        "[1,2]",
        "[1 2]",
        "{}",
        "{ \"a\" : [ { } , 1 ] , \"b\":null }",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[}",
        "{]",
        "1 2",
        "[1]]",
        "\u{a0}1",
        "\"я😀\u{7f}\"",
        r#"{"text":"\"hi\"","list":[-1.5e-3,true,{"x":null}]}"#,
    ];

    #[test]
    fn a_text_is_json_when_serde_says_so() {
        for text in TEXTS {
            assert_eq!(is_json(text), is_json_to_serde(text), "{text}");
        }
        let mut random = Random::new(7);
        for _ in 0..20_000 {
            let text = random.mutated(TEXTS);
            // serde_json refuses lone surrogates and numbers beyond a float; browsers take both.
            if !text.contains("\\u") && !text.contains(['e', 'E']) {
                assert_eq!(is_json(&text), is_json_to_serde(&text), "{text:?} {random:?}");
            }
        }
    }

    #[test]
    fn depth_has_a_limit_and_no_stack() {
        assert!(is_json(&format!("{}{}", "[".repeat(127), "]".repeat(127))));
        assert!(!is_json(&format!("{}{}", "[".repeat(128), "]".repeat(128))));
        assert!(!is_json(&"[".repeat(10_000_000)));
        assert!(!is_json(&"{\"a\":".repeat(1_000_000)));
    }
}
