//! What a page of Markdown says is there: paths, links, commands.

/// A path of the project begins with one of these.
const FOLDERS: [&str; 10] =
    ["src/", "tests/", "docs/", "sql/", "web/", "deploy/", "benches/", "fuzz/", "examples/", ".ci/"];

/// Every `src/…`, `tests/…` and so on in a text, and every target of a link that stays inside the project, each
/// from the root.
pub fn paths(page: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for (at, _) in text.match_indices(folder) {
            let is_inside_another = text[..at].ends_with(|c: char| c.is_alphanumeric() || "/._-".contains(c));
            let path = text[at..].split(|c: char| !(c.is_ascii_alphanumeric() || "/._-*<…".contains(c))).next();
            let path = path.unwrap_or_default().trim_end_matches(['.', '-']);
            // One with a gap in it stands for many.
            if !is_inside_another && !path.contains(['*', '<', '…']) {
                found.push(path.to_owned());
            }
        }
    }
    let folder = page.rfind('/').map_or("", |at| &page[..=at]);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    found.extend(targets.filter(|to| !to.is_empty() && !to.contains("://")).map(|to| format!("{folder}{to}")));
    found
}

/// The lines in blocks of shell, without comments and prompts.
pub fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("\n```").enumerate().filter(|(at, block)| at % 2 == 1 && block.starts_with("sh\n"));
    let lines = blocks.flat_map(|(_, block)| block.lines().skip(1));
    lines
        .map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn paths_are_found_in_prose_and_links() {
    let text = "See `src/ws.rs`, docs/decisions/, [this](0001-x.md#y) and [that](../A.md), not notsrc/x.rs, \
                a/src/y.rs, src/*.rs, `sql/<table>.sql` or [far](https://x.y/z). Then tests/run.";
    let found = paths("docs/decisions/0002.md", text);
    let expected = ["src/ws.rs", "tests/run", "docs/decisions/", "docs/decisions/0001-x.md", "docs/decisions/../A.md"];
    assert_eq!(found, expected);
}

#[test]
fn commands_stand_in_blocks_of_shell() {
    let text = "x\n```sh\ncargo run   # starts\n\ntests/run\n```\n`no`\n```php\nno\n```\n";
    assert_eq!(commands(text), ["cargo run", "tests/run"]);
}
