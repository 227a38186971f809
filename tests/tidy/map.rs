//! The map of `docs/ARCHITECTURE.md`: which room may use which.

use std::collections::{BTreeMap, BTreeSet};

use super::files::TrackedFile;
use super::source::{blanked, rooms_named};

/// A room, and the rooms it uses.
pub type Map = BTreeMap<String, BTreeSet<String>>;

/// Reads the lines `- room → room, room` below the heading `## The map`; a room that uses none says `nothing`.
pub fn of_page(page: &str) -> Map {
    let section = page.split("\n## ").find(|section| section.starts_with("The map\n")).unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(" → "));
    let plain = |text: &str| text.trim().trim_matches('`').to_owned();
    lines
        .map(|(room, used)| {
            let used = used.split(',').map(plain).filter(|room| room != "nothing");
            (plain(room), used.collect())
        })
        .collect()
}

/// The modules `lib.rs` declares.
pub fn rooms_of_library(library: &str) -> BTreeSet<String> {
    let code = blanked(library);
    let declared = code.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'));
    declared.map(str::to_owned).collect()
}

/// An arrow that is there, and the first place where it is.
pub type Arrows = BTreeMap<(String, String), String>;

pub fn arrows_of_code(files: &[TrackedFile]) -> Arrows {
    let mut arrows = Arrows::new();
    for file in files.iter().filter(|file| file.is_rust_in("src/") && file.path != "src/lib.rs") {
        let inside = file.path.trim_start_matches("src/").trim_end_matches(".rs");
        let room = inside.split('/').next().unwrap_or(inside);
        let depth = inside.split('/').count();
        // The binary is a crate of its own and names the library.
        let root = if room == "main" { "cometql" } else { "crate" };
        for (used, line) in rooms_named(&blanked(&file.text), root, depth) {
            if used != room {
                arrows.entry((room.to_owned(), used)).or_insert_with(|| format!("{}:{line}", file.path));
            }
        }
    }
    arrows
}

/// What is wrong between map and code, a line each.
pub fn differences(map: &Map, arrows: &Arrows) -> Vec<String> {
    let is_listed = |from: &str, to: &str| map.get(from).is_some_and(|used| used.contains(to));
    let unlisted = arrows.iter().filter(|((from, to), _)| !is_listed(from, to)).map(|((from, to), place)| {
        format!(
            "{place}: {from} uses {to}, and the map has no such arrow. Ask a room that is on the map for it; a new \
             arrow is rare, and argued in docs/ARCHITECTURE.md"
        )
    });
    let listed = map.iter().flat_map(|(from, used)| used.iter().map(move |to| (from.clone(), to.clone())));
    let unused = listed.filter(|arrow| !arrows.contains_key(arrow)).map(|(from, to)| {
        format!("docs/ARCHITECTURE.md: nothing in {from} uses {to} any more. Take the arrow off the map")
    });
    unlisted.chain(unused).collect()
}

#[test]
fn the_map_is_a_list_under_its_heading() {
    let page =
        "# A\n\n- x → y\n\n## The map\n\ntext\n\n- `mysql` → `tables`, `node`\n- clock → nothing\n\n## Next\n- b → c\n";
    let map = of_page(page);
    assert_eq!(map.keys().collect::<Vec<_>>(), ["clock", "mysql"]);
    assert_eq!(map["mysql"].iter().collect::<Vec<_>>(), ["node", "tables"]);
    assert!(map["clock"].is_empty());
    assert_eq!(rooms_of_library("//! x\npub mod a;\n// pub mod b;\n").into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn an_arrow_too_many_and_one_too_few_are_both_told() {
    let file = |path: &str, text: &str| TrackedFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/ws.rs", "use crate::hub::Hub;"),
        file("src/ws/shard.rs", "use crate::ws::Config;\nfn f() { super::super::mysql::g() }"),
        file("src/main.rs", "use cometql::{ws, ws::page};"),
        file("tests/ws.rs", "use crate::world;"),
    ];
    let map = of_page("\n## The map\n- ws → hub, node\n- main → ws\n");
    let found = differences(&map, &arrows_of_code(&files));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("src/ws/shard.rs:2: ws uses mysql"), "{found:?}");
    assert!(found[1].contains("nothing in ws uses node"), "{found:?}");
}
