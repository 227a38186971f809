//! CometQL against itself and against a parser that somebody else wrote: random statements mean the same to all.
//!
//! What `sqlparser` reads otherwise than MySQL does, and the generator therefore does not write:
//!
//! * `a = b IN (1)`, `a LIKE b = c`: a predicate beside a comparison stands in brackets, because IN, LIKE and BETWEEN
//!   bind more strongly in MySQL, and less or as much there.
//! * `NOT EXISTS (…) IS TRUE` is `NOT (EXISTS (…) IS TRUE)` in MySQL: an EXISTS stands in brackets.
//! * `_utf8mb4'a' 'b'` and `N'a' 'b'` are one string to MySQL.
//! * `\a` and `\f` in a string are letters to MySQL.
//! * `||` and `&&` are OR and AND in MySQL, and the first joins texts there.
//! * `/*! … */` is a comment there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod generator;
mod printed;
mod theirs;
mod values;

use cometql::cometql::{Dialect, Statement, parse};
use generator::{Generator, Quotes};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

fn cases() -> u64 {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") { 100_000 } else { 5_000 }
}

/// Another seed for each run of the long tests; it is printed.
fn seed() -> u64 {
    let seed = match std::env::var("COMETQL_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed,
        None if cases() > 5_000 => std::process::id().into(),
        None => 20_261,
    };
    println!("COMETQL_SEED={seed}");
    seed
}

fn ours(text: &str, dialect: Dialect) -> Statement {
    match parse(text, dialect) {
        Ok(mut statements) if statements.len() == 1 => statements.remove(0),
        other => panic!("{text}\n{other:?}"),
    }
}

/// Fails with the place where two readings of a text part.
fn same(text: &str, one: &str, other: &str) {
    let parts = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from = |text: &str| String::from_utf8_lossy(&text.as_bytes()[parts.saturating_sub(40)..]).into_owned();
    assert!(one == other, "{text}\n\n  one: …{}\nother: …{}", from(one), from(other));
}

#[test]
fn both_parsers_take_a_statement_for_the_same() {
    let mut generator = Generator::new(seed(), Quotes::Any);
    let mut compared = 0;
    for _ in 0..cases() {
        let text = generator.statement();
        let ours = printed::statement(&ours(&text, Dialect::default()));
        let Ok(theirs) = Parser::parse_sql(&MySqlDialect {}, &text) else { continue };
        let [theirs] = &theirs[..] else { panic!("{text}\n{theirs:?}") };
        if let Some(theirs) = theirs::statement(theirs) {
            compared += 1;
            same(&text, &ours, &theirs);
        }
    }
    println!("compared {compared} of {}", cases());
    assert!(compared > cases() * 4 / 5, "they read only {compared} of {}", cases());
}

#[test]
fn what_is_printed_and_parsed_again_is_the_same() {
    let mut generator = Generator::new(seed(), Quotes::Any);
    for _ in 0..cases() {
        let text = generator.statement();
        let first = printed::statement(&ours(&text, Dialect::default()));
        let again = printed::statement(&ours(&first, Dialect::default()));
        same(&text, &first, &again);
        // The printer doubles backslashes, which is not asked for where they are letters.
        let text = first.replace("\\\\", "\\");
        let letters = Dialect { backslash_escapes: false, ..Dialect::default() };
        same(&text, &first, &printed::statement(&ours(&text, letters)));
    }
}

#[test]
fn names_in_double_quotes_are_names_in_backticks() {
    let seed = seed();
    let mut mysql = Generator::new(seed, Quotes::Backticks);
    let mut ansi = Generator::new(seed, Quotes::Ansi);
    for _ in 0..cases() {
        let (mysql, ansi) = (mysql.statement(), ansi.statement());
        let dialect = Dialect { ansi_quotes: true, ..Dialect::default() };
        let (first, second) = (ours(&mysql, Dialect::default()), ours(&ansi, dialect));
        same(&mysql, &printed::statement(&first), &printed::statement(&second));
    }
}
