//! The examples of the page are what the server understands and says.

use cometql::frame::five::{Command, Spoken};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/PROTOCOL.md");

/// The JSON objects of the page that begin so, with values where it has none.
fn examples(beginning: &str) -> Vec<String> {
    let object = |(begin, _)| {
        let mut depth = 0;
        let length = PAGE[begin..].find(|letter| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            depth == 0
        });
        let text = &PAGE[begin..=begin + length.expect("a closing brace")];
        text.replace("[e,i]", "[1,2]")
            .replace("\"uuid\":\"…\"", "\"uuid\":\"00000000-0000-0000-0000-000000000001\"")
            .replace(", …", "")
            .replace(":…", ":1")
    };
    PAGE.match_indices(beginning).map(object).collect()
}

#[test]
fn every_command_on_the_page_is_understood_and_there_are_no_others() {
    let examples = examples("{\"do\":");
    let mut on_the_page: Vec<String> = Vec::new();
    for example in &examples {
        let spoken = Spoken::parse(example, 1_024).unwrap_or_else(|why| panic!("{example}: {why:?}"));
        let is_answered = !matches!(spoken.command, Command::Hello { .. } | Command::Taken(_));
        assert_eq!(spoken.id.is_some(), is_answered, "{example}");
        let json: Value = serde_json::from_str(example).unwrap();
        on_the_page.push(json["do"].as_str().unwrap().to_owned());
    }
    let refusal = Spoken::parse("{\"do\":\"dance\",\"id\":1}", 1).unwrap_err().mistake.text;
    let (_, known) = refusal.split_once("Known are ").unwrap();
    assert_eq!(on_the_page, known.split(", ").collect::<Vec<_>>());
}

#[test]
fn everything_on_the_page_that_a_node_says_is_json() {
    let kinds: Vec<String> = examples("{\"is\":")
        .iter()
        .map(|example| serde_json::from_str::<Value>(example).unwrap_or_else(|why| panic!("{example}: {why}")))
        .map(|json| json["is"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["welcome", "subscribed", "message", "history", "gap", "answer", "error", "move"]);
}
