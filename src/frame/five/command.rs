//! What a client of generation 5 says.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::pipe::{Event, MessageId, NameError, PipeName, Position};
use crate::user::UserId;

/// Longest uuid a client may call itself, in bytes.
const UUID_BYTES_MAX: usize = 64;

/// A command and the number its answer carries.
#[derive(Debug)]
pub struct Spoken<'t> {
    /// None for the commands that are not answered.
    pub id: Option<u64>,
    pub command: Command<'t>,
}

#[derive(Debug)]
pub enum Command<'t> {
    Hello {
        uuid: Cow<'t, str>,
        /// Who it says it is, and what proves it.
        user: Option<(UserId, Cow<'t, str>)>,
        position: Option<Position>,
    },
    /// A name that is none stands beside what is wrong with it.
    Subscribe(Vec<Wanted>),
    Unsubscribe(Vec<PipeName>),
    Publish {
        name: PipeName,
        event: Event,
        /// JSON, as it was written.
        text: &'t str,
        uuid: Option<MessageId>,
        is_anonymous: bool,
    },
    History {
        name: PipeName,
        last: usize,
    },
    Count(PipeName),
    Users(PipeName),
    UserData(UserId),
    Seen(UserId),
    Taken(Position),
    Ping,
}

/// A pipe of `subscribe`.
#[derive(Debug)]
pub struct Wanted {
    /// The name as it was given, and the name it is.
    pub given: String,
    pub name: Result<PipeName, NameError>,
    pub position: Option<Position>,
    pub last: Option<usize>,
}

/// Why a frame is no command, and the number it gave, if it could be read so far.
#[derive(Debug)]
pub struct Misunderstood {
    pub id: Option<u64>,
    pub mistake: Mistake,
}

/// What is wrong with a frame: the code of the protocol's errors, and words.
#[derive(PartialEq, Eq, Debug)]
pub struct Mistake {
    pub code: u16,
    pub text: String,
}

impl<T: Into<String>> From<T> for Mistake {
    fn from(text: T) -> Mistake {
        Mistake { code: 400, text: text.into() }
    }
}

/// All keys a frame may have; which of them must be there, the command says.
#[derive(Deserialize)]
struct Frame<'t> {
    #[serde(rename = "do", borrow)]
    what: Cow<'t, str>,
    id: Option<u64>,
    #[serde(borrow)]
    uuid: Option<Cow<'t, str>>,
    user: Option<u64>,
    #[serde(borrow)]
    key: Option<Cow<'t, str>>,
    position: Option<(u64, u64)>,
    #[serde(borrow)]
    pipe: Option<Cow<'t, str>>,
    #[serde(borrow)]
    pipes: Option<&'t RawValue>,
    #[serde(borrow)]
    event: Option<Cow<'t, str>>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    data: Option<&'t RawValue>,
    #[serde(default)]
    anonymous: bool,
    last: Option<usize>,
}

#[derive(Deserialize)]
struct WantedPipe<'t> {
    #[serde(borrow)]
    pipe: Cow<'t, str>,
    position: Option<(u64, u64)>,
    last: Option<usize>,
}

/// A value that is there, `null` as well.
fn even_null<'t, D: serde::Deserializer<'t>>(value: D) -> Result<Option<&'t RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

impl<'t> Spoken<'t> {
    /// Reads one frame. `pipes_max` is how many pipes one command may name.
    pub fn parse(text: &'t str, pipes_max: usize) -> Result<Spoken<'t>, Misunderstood> {
        let frame: Frame<'t> = serde_json::from_str(text)
            .map_err(|error| Misunderstood { id: None, mistake: format!("This is no command: {error}").into() })?;
        let id = frame.id;
        let misunderstood = |mistake: Mistake| Misunderstood { id, mistake };
        let command = frame.command(pipes_max).map_err(misunderstood)?;
        if id.is_none() && !matches!(command, Command::Hello { .. } | Command::Taken(_)) {
            return Err(misunderstood("A command has an id, which its answer will carry".into()));
        }
        Ok(Spoken { id, command })
    }
}

impl<'t> Frame<'t> {
    fn command(self, pipes_max: usize) -> Result<Command<'t>, Mistake> {
        Ok(match &*self.what {
            "hello" => self.hello()?,
            "subscribe" => Command::Subscribe(wanted(&list(self.pipes, pipes_max)?)),
            "unsubscribe" => {
                let names: Vec<Cow<'_, str>> = list(self.pipes, pipes_max)?;
                // What is no name is not subscribed to either.
                Command::Unsubscribe(names.iter().filter_map(|name| PipeName::for_subscription(name).ok()).collect())
            }
            "publish" => self.publish()?,
            "history" => Command::History { name: self.name()?, last: self.last.unwrap_or(usize::MAX) },
            "count" => Command::Count(self.name()?),
            "users" => Command::Users(self.name()?),
            "user_data" => Command::UserData(self.user()?),
            "seen" => Command::Seen(self.user()?),
            "taken" => Command::Taken(self.position.map(position_of).ok_or("taken wants a position")?),
            "ping" => Command::Ping,
            _ => {
                return Err(
                    "Unknown command. Known are hello, subscribe, unsubscribe, publish, history, count, users, \
                            user_data, seen, taken, ping"
                        .into(),
                );
            }
        })
    }

    fn hello(self) -> Result<Command<'t>, String> {
        let uuid = self.uuid.unwrap_or_default();
        if uuid.len() > UUID_BYTES_MAX {
            return Err(format!("The uuid is longer than {UUID_BYTES_MAX} bytes"));
        }
        let user = match (self.user, self.key) {
            (None, None) => None,
            (Some(number), Some(key)) => Some((user_of(number)?, key)),
            _ => return Err("A user comes with a key, and a key with a user".into()),
        };
        Ok(Command::Hello { uuid, user, position: self.position.map(position_of) })
    }

    fn publish(self) -> Result<Command<'t>, String> {
        let pipe = self.pipe.ok_or("publish wants a pipe")?;
        let name = PipeName::for_publish(&pipe).map_err(|error| format!("The pipe {} {error}", shortened(&pipe)))?;
        let event = self.event.unwrap_or_default();
        let event = event.parse().map_err(|error| format!("The event {} {error}", shortened(&event)))?;
        let text = self.data.ok_or("publish wants data, which is any JSON value")?.get();
        let uuid = self.uuid.map(|uuid| Uuid::parse_str(&uuid)).transpose();
        let uuid = uuid.map_err(|error| format!("The uuid is none: {error}"))?.map(MessageId);
        Ok(Command::Publish { name, event, text, uuid, is_anonymous: self.anonymous })
    }

    fn name(&self) -> Result<PipeName, String> {
        let name = self.pipe.as_deref().ok_or_else(|| format!("{} wants a pipe", self.what))?;
        PipeName::for_subscription(name).map_err(|error| format!("The pipe {} {error}", shortened(name)))
    }

    fn user(&self) -> Result<UserId, String> {
        user_of(self.user.ok_or_else(|| format!("{} wants a user", self.what))?)
    }
}

fn list<'t, T: Deserialize<'t>>(pipes: Option<&'t RawValue>, pipes_max: usize) -> Result<Vec<T>, Mistake> {
    let pipes = pipes.ok_or("The command wants pipes, a list")?;
    let pipes: Vec<T> = serde_json::from_str(pipes.get()).map_err(|error| format!("The list of pipes: {error}"))?;
    match pipes.len() {
        count if count > pipes_max => {
            let text = format!("{count} pipes: a connection has at most subscriptions_max = {pipes_max}");
            Err(Mistake { code: 429, text })
        }
        _ => Ok(pipes),
    }
}

fn wanted(pipes: &[WantedPipe<'_>]) -> Vec<Wanted> {
    let wanted = |wanted: &WantedPipe<'_>| Wanted {
        given: shortened(&wanted.pipe).to_owned(),
        name: PipeName::for_subscription(&wanted.pipe),
        position: wanted.position.map(position_of),
        last: wanted.last,
    };
    pipes.iter().map(wanted).collect()
}

fn position_of((epoch, index): (u64, u64)) -> Position {
    Position { epoch, index }
}

fn user_of(number: u64) -> Result<UserId, String> {
    UserId::new(number).ok_or_else(|| format!("{number} is no user: a number from 1 to 2147483647"))
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Spoken<'_>, Misunderstood> {
        Spoken::parse(text, 3)
    }

    #[test]
    fn commands_are_read_as_the_protocol_says() {
        let hello = r#"{"do":"hello","uuid":"u","user":42,"key":"k\u0065y","position":[5,6]}"#;
        let Ok(Spoken { id: None, command: Command::Hello { uuid, user: Some((user, key)), position } }) = parse(hello)
        else {
            panic!("{:?}", parse(hello))
        };
        assert_eq!((&*uuid, user.number(), &*key), ("u", 42, "key"));
        assert_eq!(position, Some(Position { epoch: 5, index: 6 }));

        let publish = r#"{"do":"publish","id":3,"pipe":"web_chat","event":"say","data": {"a": [1, "\u00e9"]} ,"uuid":"00000000-0000-0000-0000-000000000001","anonymous":true}"#;
        let Ok(Spoken { id: Some(3), command: Command::Publish { name, event, text, uuid, is_anonymous: true } }) =
            parse(publish)
        else {
            panic!("{:?}", parse(publish))
        };
        assert_eq!((name.as_str(), event.as_str(), text), ("web_chat", "say", r#"{"a": [1, "\u00e9"]}"#));
        assert_eq!(uuid, Some(MessageId(Uuid::from_u128(1))));

        let subscribe =
            r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"aa"},{"pipe":"b","position":[1,2]},{"pipe":"cc","last":9}]}"#;
        let Ok(Spoken { command: Command::Subscribe(wanted), .. }) = parse(subscribe) else { panic!() };
        let names: Vec<bool> = wanted.iter().map(|wanted| wanted.name.is_ok()).collect();
        assert_eq!((names, wanted[1].position.is_some(), wanted[2].last), (vec![true, false, true], true, Some(9)));
        let commands = [
            r#"{"do":"unsubscribe","id":1,"pipes":["aa","b"]}"#,
            r#"{"do":"history","id":0,"pipe":"aa","last":20}"#,
            r#"{"do":"count","id":1,"pipe":"web_a"}"#,
            r#"{"do":"users","id":1,"pipe":"track_a"}"#,
            r#"{"do":"user_data","id":1,"user":1}"#,
            r#"{"do":"seen","id":1,"user":1}"#,
            r#"{"do":"taken","position":[1,2]}"#,
            r#"{"do":"ping","id":1,"and":"keys that nobody knows"}"#,
            r#"{"do":"hello"}"#,
            r#"{"do":"publish","id":1,"pipe":"web_a","data":null}"#,
        ];
        for text in commands {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn what_is_no_command_is_told_and_numbered_where_it_has_a_number() {
        let cases = [
            ("", None),
            ("hello", None),
            ("[]", None),
            ("{}", None),
            (r#"{"do":7}"#, None),
            (r#"{"do":"dance","id":9}"#, Some(9)),
            (r#"{"do":"ping"}"#, None),
            (r#"{"do":"ping","id":-1}"#, None),
            (r#"{"do":"hello","user":1}"#, None),
            (r#"{"do":"hello","user":0,"key":"x"}"#, None),
            (r#"{"do":"subscribe","id":9}"#, Some(9)),
            (r#"{"do":"subscribe","id":9,"pipes":["aa"]}"#, Some(9)),
            (r#"{"do":"unsubscribe","id":9,"pipes":["aa","bb","cc","dd"]}"#, Some(9)),
            (r#"{"do":"publish","id":9,"pipe":"web_a"}"#, Some(9)),
            (r#"{"do":"publish","id":9,"pipe":"web a","data":1}"#, Some(9)),
            (r#"{"do":"publish","id":9,"pipe":"web_a","event":"a b","data":1}"#, Some(9)),
            (r#"{"do":"publish","id":9,"pipe":"web_a","data":1,"uuid":"x"}"#, Some(9)),
            (r#"{"do":"count","id":9}"#, Some(9)),
            (r#"{"do":"seen","id":9,"user":4294967296}"#, Some(9)),
            (r#"{"do":"taken"}"#, None),
        ];
        for (text, id) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.id, id, "{text}");
            assert!(!error.mistake.text.is_empty());
            assert_eq!(error.mistake.code, if text.contains("dd") { 429 } else { 400 }, "{text}");
        }
    }
}
