//! How a letter between nodes looks: JSON, so that two versions can talk while one node after the other is replaced.
//!
//! What a reader does not know in it is passed over. A question that it does not understand is answered so, and who asked
//! counts it among those who did not answer.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::node::everywhere::{BrowsersOf, BrowsersSince, ClientsOf, SubscribersOf, SubscribersSince};
use crate::store::Peer;

/// The version of what is said here. A reader may understand a letter of a later one, or not.
const VERSION: u32 = 1;
/// Longest letter, in bytes.
pub(super) const LETTER_BYTES_MAX: usize = 1_024 * 1_024;

/// A letter as it travels.
#[derive(Serialize, Deserialize)]
struct Written<'l> {
    version: u32,
    from: u16,
    /// By what the sender of a question knows its answer.
    number: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    question: Option<&'l RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    answer: Option<&'l RawValue>,
}

/// A letter that was read.
pub(super) struct Letter<'l> {
    pub from: Peer,
    pub number: u64,
    pub content: Content<'l>,
}

pub(super) enum Content<'l> {
    Question(&'l RawValue),
    /// `None`: the question was not understood.
    Answer(Option<&'l RawValue>),
}

/// What a node asks of another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// A page of who subscribes to some pipes.
    Subscribers(SubscribersOf, SubscribersSince),
    /// A page of the SQL clients.
    Clients(ClientsOf, Option<u32>),
    /// A page of the connections of browsers.
    Browsers(BrowsersOf, BrowsersSince),
    /// What was counted, as a login of this tenant sees it.
    Counts { tenant: u32 },
    /// Ends a SQL client, its statement, or a connection of a browser, for a login of this tenant.
    End { tenant: u32, number: u64, statement_only: bool },
}

impl<'l> Letter<'l> {
    /// `None` when it is none.
    pub fn read(bytes: &'l [u8]) -> Option<Letter<'l>> {
        if bytes.len() > LETTER_BYTES_MAX {
            return None;
        }
        let Written { from, number, question, answer, .. } = serde_json::from_slice(bytes).ok()?;
        let content = question.map_or(Content::Answer(answer), Content::Question);
        Some(Letter { from: Peer(from), number, content })
    }
}

pub(super) fn question(from: Peer, number: u64, question: &Question) -> serde_json::Result<Vec<u8>> {
    let question = serde_json::value::to_raw_value(question)?;
    write(from, number, Some(&question), None)
}

/// `None` says that the question was not understood.
pub(super) fn answer(from: Peer, number: u64, answer: Option<&RawValue>) -> serde_json::Result<Vec<u8>> {
    write(from, number, None, answer)
}

fn write(
    from: Peer,
    number: u64,
    question: Option<&RawValue>,
    answer: Option<&RawValue>,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written { version: VERSION, from: from.0, number, question, answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Peer = Peer(3);

    #[test]
    fn a_question_and_its_answers_come_through() {
        let asked = Question::End { tenant: 5, number: 1 << 41, statement_only: true };
        let bytes = question(FROM, u64::MAX, &asked).expect("JSON");
        let letter = Letter::read(&bytes).expect("a letter");
        assert_eq!((letter.from, letter.number), (FROM, u64::MAX));
        let Content::Question(read) = letter.content else { panic!("a question") };
        let Ok(Question::End { tenant: 5, number, statement_only: true }) = serde_json::from_str(read.get()) else {
            panic!("{read}")
        };
        assert_eq!(number, 1 << 41);
        for said in [None, Some("false")] {
            let raw = said.map(|said| RawValue::from_string(said.to_owned()).expect("JSON"));
            let bytes = answer(FROM, 7, raw.as_deref()).expect("JSON");
            let Content::Answer(read) = Letter::read(&bytes).expect("a letter").content else { panic!("an answer") };
            assert_eq!(read.map(RawValue::get), said);
        }
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over_and_what_it_asks_is_not_understood() {
        let later = br#"{"version":9,"from":3,"number":7,"sealed":{"by":[1]},"question":{"weather":{"where":"here"}}}"#;
        let letter = Letter::read(later).expect("a letter");
        let Content::Question(asked) = letter.content else { panic!("a question") };
        assert!(serde_json::from_str::<Question>(asked.get()).is_err());
        let more = br#"{"version":9,"from":3,"number":7,"question":{"counts":{"tenant":5,"since":"noon"}}}"#;
        let Content::Question(asked) = Letter::read(more).expect("a letter").content else { panic!("a question") };
        assert!(matches!(serde_json::from_str(asked.get()), Ok(Question::Counts { tenant: 5 })));
    }

    #[test]
    fn what_is_no_letter_is_none() {
        let long = format!(r#"{{"version":1,"from":3,"number":7,"answer":"{}"}}"#, "x".repeat(LETTER_BYTES_MAX));
        let deep = format!(r#"{{"version":1,"from":3,"number":7,"answer":{}1"#, "[".repeat(100_000));
        let bad: [&[u8]; 7] = [
            b"",
            b"\xFF",
            b"{}",
            br#"{"version":1,"from":70000,"number":7}"#,
            br#"{"version":1,"from":3,"number":-1}"#,
            long.as_bytes(),
            deep.as_bytes(),
        ];
        for bytes in bad {
            assert!(Letter::read(bytes).is_none());
        }
    }
}
