//! The house rules of CONTRIBUTING.md that a machine can see. Each failure says what to do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/map.rs"]
mod map;
#[path = "tidy/mentions.rs"]
mod mentions;
#[path = "tidy/source.rs"]
mod source;

use std::path::Path;

use files::{TrackedFile, read, root, tracked};
use source::{blanked, functions, has_word_before, line_of, places_of_word};

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 500;
/// Longest function, in lines.
const FUNCTION_LINES_MAX: usize = 60;

/// Files and functions that are longer, with how long they are now: they may shrink, and then this list does too.
const TOO_LONG: &[(&str, usize)] = &[];

const WORDS_OF_UNFINISHED_WORK: [&str; 3] = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const NAMES_THAT_HOLD_ANYTHING: [&str; 10] =
    ["utils", "util", "common", "helpers", "helper", "manager", "service", "services", "core", "misc"];
/// Folders of somebody's machine, and hosts that only a package manager need know.
const NAMES_OF_ELSEWHERE: [&str; 11] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("crates", ".io"),
    concat!("npm", "js"),
    concat!("pypi", ".org"),
    concat!("python", "hosted"),
    concat!("maven", ".org"),
    concat!("proxy.go", "lang"),
    concat!("deb.", "debian"),
];

fn all_well(what_is_wrong: impl IntoIterator<Item = String>) {
    let what_is_wrong: Vec<String> = what_is_wrong.into_iter().collect();
    assert!(what_is_wrong.is_empty(), "\n\n{}\n", what_is_wrong.join("\n"));
}

fn rust_files() -> Vec<TrackedFile> {
    tracked().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

#[test]
fn rooms_use_each_other_only_along_the_map() {
    let map = map::of_page(&read("docs/ARCHITECTURE.md"));
    assert!(!map.is_empty(), "docs/ARCHITECTURE.md has no list `- room → room, room` below its heading `## The map`");
    all_well(map::differences(&map, &map::arrows_of_code(&tracked())));
}

#[test]
fn every_room_is_on_the_map() {
    let mut on_map: Vec<String> = map::of_page(&read("docs/ARCHITECTURE.md")).into_keys().collect();
    on_map.retain(|room| room != "main");
    let rooms: Vec<String> = map::rooms_of_library(&read("src/lib.rs")).into_iter().collect();
    assert_eq!(on_map, rooms, "left: the map of docs/ARCHITECTURE.md, right: src/lib.rs; make them the same");
}

#[test]
fn the_front_ends_do_not_know_each_other_nor_do_hub_and_store() {
    let apart = [["mysql", "tables", "cometql"].as_slice(), &["ws", "session", "hub", "frame"]];
    let forbidden = |from: &str, to: &str| {
        let between = |one: &[&str], other: &[&str]| one.contains(&from) && other.contains(&to);
        let (sql, browsers) = (apart[0], apart[1]);
        between(sql, browsers)
            || between(browsers, sql)
            || between(&["hub"], &["store"])
            || between(&["store"], &["hub"])
    };
    let arrows = map::arrows_of_code(&tracked());
    let crossing = arrows.iter().filter(|((from, to), _)| forbidden(from, to));
    all_well(crossing.map(|((from, to), place)| {
        format!("{place}: {from} must not know {to}, whatever the map says: let them meet in node, pipe or main")
    }));
}

/// What only these files may name, by the beginnings of their paths, and what the others take instead.
const KEPT_APART: [(&str, &[&str], &str); 4] = [
    (
        "embedded",
        &["src/main.rs", "src/config.rs", "src/config/", "src/store.rs", "src/store/embedded"],
        "only main and config choose a store; take `dyn Store`",
    ),
    (
        "redb",
        &[
            "src/store/embedded/copy.rs",
            "src/store/embedded/disk.rs",
            "src/store/embedded/disk/",
            "src/store/embedded/engine.rs",
            "src/store/embedded/checked.rs",
            "src/store/embedded/glass.rs",
            "src/store/embedded/salvage.rs",
        ],
        "only the disk knows the engine; ask `Disk`",
    ),
    ("mio", &["src/ws/reactor.rs"], "only the reactor polls; let bytes and mail go in and out"),
    ("unsafe", &[], "there is a safe way, or a library that has one"),
];

#[test]
fn store_engine_and_poll_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for file in tracked().iter().filter(|file| file.is_rust_in("src/")) {
        let code = blanked(&file.text);
        for (word, homes, advice) in KEPT_APART {
            if !homes.iter().any(|home| file.path.starts_with(home)) {
                let lines = places_of_word(&code, word).into_iter().map(|at| line_of(&code, at));
                wrong.extend(lines.map(|line| format!("{}:{line} names `{word}`: {advice}", file.path)));
            }
        }
    }
    all_well(wrong);
}

#[test]
fn a_file_is_one_idea_and_a_function_fits_on_a_screen() {
    let mut long = Vec::new();
    let is_written = |file: &&TrackedFile| !file.path.ends_with(".json") && !file.is_lock();
    for file in tracked().iter().filter(|file| file.is_in_source_or_tests()).filter(is_written) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push((file.path.clone(), lines, format!("at most {FILE_LINES_MAX}; part it by its ideas")));
        }
        if file.path.ends_with(".rs") {
            let all = functions(&blanked(&file.text)).into_iter();
            let too_long = all.filter(|function| function.lines > FUNCTION_LINES_MAX);
            long.extend(too_long.map(|function| {
                let name = format!("{}: {}", file.path, function.name);
                (name, function.lines, format!("at most {FUNCTION_LINES_MAX}; it begins at line {}", function.line))
            }));
        }
    }
    let is_excused = |name: &str, lines: usize| TOO_LONG.contains(&(name, lines));
    let mut wrong: Vec<String> = long
        .iter()
        .filter(|(name, lines, _)| !is_excused(name, *lines))
        .map(|(name, lines, advice)| format!("{name} has {lines} lines, {advice}"))
        .collect();
    let is_there = |excuse: &(&str, usize)| long.iter().any(|(name, lines, _)| (name.as_str(), *lines) == *excuse);
    wrong.extend(TOO_LONG.iter().filter(|excuse| !is_there(excuse)).map(|(name, lines)| {
        format!(
            "{name} has no longer {lines} lines: write down its new length in TOO_LONG of tests/tidy.rs, or nothing"
        )
    }));
    all_well(wrong);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let code = blanked(&file.text);
        for word in ["todo", "unimplemented", "dbg"] {
            if has_word_before(&code, word, '!') {
                wrong.push(format!("{}: finish what `{word}!` stands for, and remove it", file.path));
            }
        }
    }
    for file in tracked().iter().filter(|file| !file.is_lock()) {
        for word in WORDS_OF_UNFINISHED_WORK {
            for at in places_of_word(&file.text, word) {
                let line = line_of(&file.text, at);
                wrong.push(format!("{}:{line}: do what {word} asks for, or write down why not", file.path));
            }
        }
    }
    all_well(wrong);
}

#[test]
fn a_name_says_what_is_inside() {
    let mut wrong = Vec::new();
    for file in tracked() {
        let parts = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        for name in parts.filter(|name| NAMES_THAT_HOLD_ANYTHING.contains(name)) {
            wrong.push(format!("{}: `{name}` could hold anything; name it after what is in it", file.path));
        }
        if file.path.ends_with(".rs") {
            let code = blanked(&file.text);
            for name in NAMES_THAT_HOLD_ANYTHING.iter().filter(|name| code.contains(&format!("mod {name} "))) {
                wrong.push(format!("{}: a module `{name}` could hold anything", file.path));
            }
        }
    }
    all_well(wrong);
}

#[test]
fn there_are_no_macros_of_our_own_and_no_ignored_tests() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let code = blanked(&file.text);
        if has_word_before(&code, "macro_rules", '!') {
            wrong.push(format!("{}: write a function or a table instead of a macro", file.path));
        }
        if code.contains("#[ignore") {
            wrong.push(format!(
                "{}: a test runs or goes; a long one looks whether COMETQL_TESTS is `all`, as `tests/run --all` sets it",
                file.path
            ));
        }
    }
    all_well(wrong);
}

#[test]
fn unsafe_code_is_forbidden_in_both_crates() {
    let missing = ["src/lib.rs", "src/main.rs"].into_iter().filter(|path| {
        let code = blanked(&read(path));
        !code.lines().any(|line| line == "#![forbid(unsafe_code)]")
    });
    all_well(missing.map(|path| format!("{path}: put `#![forbid(unsafe_code)]` back below its heading")));
}

#[test]
fn a_test_neither_sleeps_nor_measures() {
    let mut wrong = Vec::new();
    for file in tracked() {
        let code = match &file.path {
            path if path.starts_with("tests/") && path.ends_with(".rs") => blanked(&file.text),
            path if path.starts_with("tests/") && path.contains('.') => file.text.clone(),
            // Tests stand last in a file.
            path if path.ends_with(".rs") => blanked(&file.text).split("#[cfg(test)]\nmod tests {").skip(1).collect(),
            _ => continue,
        };
        if has_word_before(&code, "sleep", '(') {
            wrong.push(format!("{}: wait for the thing itself, with a generous deadline, and do not sleep", file.path));
        }
        if code.lines().any(|line| has_word_before(line, "elapsed", '(') && !line.contains("DEADLINE")) {
            wrong.push(format!("{}: compare elapsed time with nothing but a generous `DEADLINE`", file.path));
        }
    }
    all_well(wrong);
}

#[test]
fn every_dependency_is_argued_in_a_comment_above_it() {
    let names = unargued(&read("Cargo.toml")).into_iter();
    all_well(names.map(|name| format!("Cargo.toml: say in a comment above `{name}` what it is for")));
}

/// The dependencies that have no comment in the line above.
fn unargued(manifest: &str) -> Vec<String> {
    let (mut is_list, mut above, mut names) = (false, "", Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_list = line.ends_with("dependencies]");
        } else if let (true, false, Some((name, value))) = (is_list, line.starts_with('#'), line.split_once(" = "))
            && !above.starts_with('#')
            && !value.contains("path =")
        {
            names.push(name.to_owned());
        }
        above = line;
    }
    names
}

#[test]
fn a_dependency_without_a_comment_is_seen() {
    let manifest =
        "[package]\nname = \"x\"\n[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n[dev-dependencies]\nc = \"1\"\n";
    assert_eq!(unargued(manifest), ["b", "c"]);
}

#[test]
fn no_file_names_a_developers_machine_or_a_registry() {
    // As cargo writes it into every lock file.
    let written_by_cargo = concat!("registry+https://github.com/rust-lang/crates", ".io-index");
    let mut wrong = Vec::new();
    for file in tracked() {
        let text = if file.path.ends_with("Cargo.lock") { file.text.replace(written_by_cargo, "") } else { file.text };
        for name in NAMES_OF_ELSEWHERE {
            for (at, _) in text.match_indices(name) {
                wrong.push(format!(
                    "{}:{}: `{name}` means nothing elsewhere; leave it out",
                    file.path,
                    line_of(&text, at)
                ));
            }
        }
        if file.path.ends_with("package-lock.json") && text.contains("\"resolved\"") {
            wrong.push(format!(
                "{}: take the lines `resolved` out (npm install --omit-lockfile-registry-resolved)",
                file.path
            ));
        }
    }
    all_well(wrong);
}

#[test]
fn what_the_pages_name_is_there() {
    let mut wrong = Vec::new();
    for file in tracked().iter().filter(|file| file.path.ends_with(".md")) {
        let missing = mentions::paths(&file.path, &file.text).into_iter().filter(|path| !root().join(path).exists());
        wrong.extend(missing.map(|path| format!("{} names {path}, which is not there", file.path)));
    }
    all_well(wrong);
}

#[test]
fn the_commands_of_the_pages_can_be_run() {
    let mut wrong = Vec::new();
    for page in ["README.md", "CONTRIBUTING.md"] {
        for command in mentions::commands(&read(page)) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let is_there = match words.as_slice() {
                ["cargo", "test", "--test", name, ..] => ["tests/{}.rs", "tests/{}/main.rs"]
                    .iter()
                    .any(|place| root().join(place.replace("{}", name)).exists()),
                ["cargo", _, "--example", name, ..] => root().join(format!("examples/{name}.rs")).exists(),
                [script, ..] if script.contains('/') => is_executable(&root().join(script)),
                _ => true,
            };
            if !is_there {
                wrong.push(format!("{page}: `{command}` cannot be run: the file is not there, or not executable"));
            }
        }
    }
    all_well(wrong);
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[test]
fn every_conversation_has_its_table_and_every_table_its_conversation() {
    let mut wrong = Vec::new();
    for file in tracked() {
        let name = file.path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        if file.path.starts_with("sql/") && !root().join(format!("src/tables/{name}.rs")).exists() {
            wrong.push(format!("{}: there is no table src/tables/{name}.rs", file.path));
        }
        let is_table = file.is_rust_in("src/tables/") && blanked(&file.text).contains("impl Table for ");
        if is_table && !root().join(format!("sql/{name}.sql")).exists() {
            wrong.push(format!("{}: show what the table does in sql/{name}.sql; tests/sql.rs replays it", file.path));
        }
    }
    all_well(wrong);
}
