//! Enough of Rust's grammar to see what a file does: code without its comments and texts, functions, paths.

/// The code with every comment, text and character replaced by blanks; places and lines stay what they were.
pub fn blanked(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_prose(bytes, at);
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Where the comment, text or character that begins at `at` ends; `at` itself when none begins there.
fn end_of_prose(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let is_part_of_word = at > 0 && is_word_byte(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => end_of_block_comment(bytes, at),
        [b'"', ..] => end_of_text(bytes, at + 1),
        [b'r' | b'b' | b'c', ..] if !is_part_of_word => end_of_prefixed_text(bytes, at),
        [b'\'', b'\\', _, ..] => {
            at + 3 + rest[3..].iter().position(|byte| *byte == b'\'').map_or(0, |length| length + 1)
        }
        [b'\'', ..] => end_of_character(bytes, at),
        _ => at,
    }
}

fn end_of_block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `b"…"`, `c"…"`, `r"…"`, `br#"…"#` and so on.
fn end_of_prefixed_text(bytes: &[u8], from: usize) -> usize {
    let letters = bytes[from..].iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let is_raw = bytes[from..from + letters].contains(&b'r');
    let hashes = bytes[from + letters..].iter().take_while(|byte| **byte == b'#').count();
    let quote = from + letters + hashes;
    if letters > 2 || bytes.get(quote) != Some(&b'"') || (hashes > 0 && !is_raw) {
        return from;
    }
    if !is_raw {
        return end_of_text(bytes, quote + 1);
    }
    let closing = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let length = bytes[quote + 1..].windows(closing.len()).position(|window| window == closing);
    length.map_or(bytes.len(), |length| quote + 1 + length + closing.len())
}

/// `'x'`, whose `x` may take several bytes; a lifetime has no second apostrophe that near.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    let length = match bytes.get(at + 1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if bytes.get(at + 1 + length) == Some(&b'\'') { at + length + 2 } else { at }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The places where `word` stands alone, not as a part of a longer one.
pub fn places_of_word(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let is_alone = |at: &usize| {
        let before = at.checked_sub(1).is_some_and(|before| is_word_byte(bytes[before]));
        let after = bytes.get(at + word.len()).copied().is_some_and(is_word_byte);
        !before && !after
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_alone).collect()
}

/// Whether something like `word!` or `word(` stands in the code.
pub fn has_word_before(code: &str, word: &str, sign: char) -> bool {
    places_of_word(code, word).iter().any(|at| code[at + word.len()..].trim_start().starts_with(sign))
}

/// Counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

pub struct Function {
    pub name: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// From the line of its name to that of its last brace.
    pub lines: usize,
}

/// Every function with a body, in blanked code.
pub fn functions(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for at in places_of_word(code, "fn") {
        let name = first_word(&code[at + 2..]);
        if let (false, Some(end)) = (name.is_empty(), end_of_body(code, at)) {
            let (line, last) = (line_of(code, at), line_of(code, end));
            functions.push(Function { name: name.to_owned(), line, lines: last - line + 1 });
        }
    }
    functions
}

fn end_of_body(code: &str, from: usize) -> Option<usize> {
    let (mut inside, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => inside += 1,
            b')' | b']' => inside = inside.saturating_sub(1),
            b';' if inside == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(at),
            b'}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(text.len())]
}

/// The rooms that blanked code names, by paths that begin with `root` (`crate`, or the library's name) and by
/// `super` that leads out of the room. A file of a room is one module deep, a file in its folder two.
pub fn rooms_named(code: &str, root: &str, depth: usize) -> Vec<(String, usize)> {
    let mut rooms = Vec::new();
    let mut add = |path: &str, at: usize| {
        rooms.extend(first_parts(path).into_iter().map(|room| (room, line_of(code, at))));
    };
    for at in places_of_word(code, root) {
        // `a::crate_name::b` is somebody else's.
        if !code[..at].trim_end().ends_with("::")
            && let Some(path) = code[at + root.len()..].trim_start().strip_prefix("::")
        {
            add(path, at);
        }
    }
    for at in places_of_word(code, "super") {
        if code[..at].trim_end().ends_with("super::") {
            continue;
        }
        let (mut path, mut steps) = (&code[at..], 0);
        while let Some(rest) = path.trim_start().strip_prefix("super").and_then(|rest| rest.strip_prefix("::")) {
            (path, steps) = (rest, steps + 1);
        }
        if steps >= depth + modules_around(code, at) {
            add(path, at);
        }
    }
    rooms
}

/// In how many `mod … { }` of its file a place stands.
fn modules_around(code: &str, place: usize) -> usize {
    let begins = |at: &usize| {
        let rest = &code[at + 3..];
        rest[rest.find(first_word(rest)).unwrap_or(0) + first_word(rest).len()..].trim_start().starts_with('{')
    };
    let around = |at: &usize| *at < place && end_of_body(code, *at).is_some_and(|end| end > place);
    places_of_word(code, "mod").iter().filter(|at| begins(at) && around(at)).count()
}

/// The first part of a path, or of each path in braces. `*` is one: it names every room at once.
fn first_parts(path: &str) -> Vec<String> {
    let path = path.trim_start();
    if path.starts_with('*') {
        return vec!["*".to_owned()];
    }
    let Some(group) = path.strip_prefix('{') else {
        let word = first_word(path);
        return if word.is_empty() || word == "self" { Vec::new() } else { vec![word.to_owned()] };
    };
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (at, sign) in group.char_indices() {
        match sign {
            ',' | '}' if depth == 0 => {
                parts.extend(first_parts(&group[from..at]));
                from = at + 1;
                if sign == '}' {
                    break;
                }
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts
}

#[test]
fn comments_and_texts_are_no_code() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"a("b\"c", 'd', '\'', "e") f"#, r"a(      ,    ,     ,    ) f"),
        ("r#\"a \"b\" c\"# d", "               d"),
        ("br\"\\\" b\"x\\\"\" c", "c"),
        ("fn f<'a>(x: &'a str) -> &'static str", "fn f<'a>(x: &'a str) -> &'static str"),
        ("r#type + bar + 'é' + '\\u{1f}' + b'\"' + d", "r#type + bar + + + b + d"),
    ];
    for (source, code) in cases {
        let got = blanked(source);
        assert_eq!(got.split_whitespace().collect::<Vec<_>>(), code.split_whitespace().collect::<Vec<_>>(), "{source}");
        assert_eq!(got.len(), source.len(), "{source}");
    }
}

#[test]
fn a_function_is_as_long_as_its_braces() {
    let source = "trait T { fn none(&self) -> [u8; 4]; }\nfn one() { x(fn_like) }\n\
                  pub async fn four(x: fn(u8) -> u8)\nwhere X: Y,\n{\n    if x { \"}\" } }\n";
    let found: Vec<_> = functions(&blanked(source)).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("one".to_owned(), 2, 1), ("four".to_owned(), 3, 4)]);
}

#[test]
fn rooms_are_found_however_they_are_named() {
    let named = |code: &str, depth| rooms_named(&blanked(code), "crate", depth).into_iter().map(|(room, _)| room);
    let names = |code: &str, depth| named(code, depth).collect::<Vec<String>>();
    assert_eq!(names("use crate::hub::Hub;\nfn f(x: crate::pipe::Pipe) {}", 1), ["hub", "pipe"]);
    assert_eq!(names("use crate::{a::{b, c}, self, d,\n e::*};", 1), ["a", "d", "e"]);
    assert_eq!(names("// crate::hub\nlet x = \"crate::hub\"; my_crate::x", 1), [""; 0]);
    assert_eq!(
        names("use super::hub::Hub;\nmod tests { use super::*; use super::super::frame; }", 1),
        ["hub", "frame"]
    );
    assert_eq!(names("use super::other; use super::super::node; pub(in super::super) fn f() {}", 2), ["node"]);
    assert_eq!(names("use super::*; use crate::*; mod tests { use super::*; }", 1), ["*", "*"]);
    assert_eq!(names("mod a;\nfn f() { super::x() }", 1), ["x"]);
}

#[test]
fn a_word_is_found_only_alone() {
    assert!(has_word_before("x; dbg! (y)", "dbg", '!'));
    assert!(!has_word_before("x.dbg_all!(y); no_dbg!(); dbg = !x", "dbg", '!'));
    assert!(has_word_before("tokio::time::sleep(x)", "sleep", '('));
    assert!(!has_word_before("sleepy(x); use a::sleep;", "sleep", '('));
    assert_eq!(line_of("a\nb\nc", 4), 3);
}
