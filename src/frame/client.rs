//! What browsers say to the node.

use crate::pipe::{Event, NameError, PipeName};
use crate::user::UserId;

/// Longest marker that is echoed, in bytes.
const MARKER_BYTES_MAX: usize = 64;

/// Most names of one list that are refused by name.
const REFUSED_MAX: usize = 20;

/// What a browser asks for in one text frame.
#[derive(PartialEq, Eq, Debug)]
pub enum ClientFrame<'t> {
    /// Replaces all subscriptions. Names that are none are told apart, never the end of the list.
    Subscription {
        names: Vec<PipeName>,
        refused: Vec<(String, NameError)>,
        /// How many more were refused than `refused` tells of.
        unnamed: usize,
    },
    /// `is_anonymous`: the sender does not want to be told by name.
    Publish {
        name: PipeName,
        event: Event,
        text: &'t str,
        is_anonymous: bool,
    },
    Log(PipeName),
    Count {
        name: PipeName,
        marker: &'t str,
    },
    Users {
        name: PipeName,
        marker: &'t str,
    },
    Data {
        user: Option<UserId>,
        marker: &'t str,
    },
    Status(Option<UserId>),
    /// Understood and without effect: telemetry, and calls the original never answered.
    Ignored,
    /// A command whose arguments are wrong, with what is wrong.
    Malformed(String),
    Unknown,
}

impl<'t> ClientFrame<'t> {
    /// The original client's form: a command, one separating byte, arguments.
    pub fn parse(text: &'t str) -> ClientFrame<'t> {
        let (command, rest) = text.split_at(text.find(|c: char| !is_command_letter(c)).unwrap_or(text.len()));
        let mut letters = rest.chars();
        letters.next();
        let arguments = letters.as_str();
        match command {
            "subscription" => subscription(arguments),
            "web_pipe2" => publish(arguments),
            "pipe_log" => about_pipe(arguments, |name, _| ClientFrame::Log(name)),
            "pipe_count" => about_pipe(arguments, |name, marker| ClientFrame::Count { name, marker }),
            "track_pipe_users" => about_pipe(arguments, |name, marker| ClientFrame::Users { name, marker }),
            "user_data" => {
                let (marker, user) = arguments.split_once('\n').unwrap_or((arguments, ""));
                ClientFrame::Data { user: user_of(user), marker: shortened(marker) }
            }
            "user_status" => ClientFrame::Status(user_of(arguments)),
            "statistics" | "cgi_call" | "CometQL_call" => ClientFrame::Ignored,
            _ => ClientFrame::Unknown,
        }
    }
}

fn is_command_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Names stand between any bytes that cannot be part of one. A name given twice counts once.
fn subscription<'t>(arguments: &str) -> ClientFrame<'t> {
    let mut names: Vec<PipeName> = Vec::new();
    let (mut refused, mut unnamed) = (Vec::new(), 0);
    for text in arguments.split(|c: char| !is_command_letter(c) && c != '-').filter(|text| !text.is_empty()) {
        match PipeName::for_subscription(text) {
            Ok(name) => names.push(name),
            Err(error) if refused.len() < REFUSED_MAX => refused.push((shortened(text).to_owned(), error)),
            Err(_) => unnamed += 1,
        }
    }
    names.sort_unstable();
    names.dedup();
    ClientFrame::Subscription { names, refused, unnamed }
}

/// `[@]name`, event, one byte that says nothing, and the text up to the end of the frame.
fn publish(arguments: &str) -> ClientFrame<'_> {
    let mut lines = arguments.splitn(4, '\n');
    let (Some(name), Some(event), Some(_), Some(text)) = (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return ClientFrame::Malformed("web_pipe2 wants a pipe, an event, a * and a message, in four lines".into());
    };
    let (name, is_anonymous) = name.strip_prefix('@').map_or((name, false), |name| (name, true));
    match (PipeName::for_publish(name), event.parse()) {
        (Ok(name), Ok(event)) => ClientFrame::Publish { name, event, text, is_anonymous },
        (Err(error), _) => ClientFrame::Malformed(format!("The pipe {} {error}", shortened(name))),
        (_, Err(error)) => ClientFrame::Malformed(format!("The event {} {error}", shortened(event))),
    }
}

/// A pipe and, where there is one, a marker; each on a line.
fn about_pipe<'t>(arguments: &'t str, make: impl Fn(PipeName, &'t str) -> ClientFrame<'t>) -> ClientFrame<'t> {
    let mut lines = arguments.split('\n');
    let (name, marker) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    match PipeName::for_subscription(name) {
        Ok(name) => make(name, shortened(marker)),
        Err(error) => ClientFrame::Malformed(format!("The pipe {} {error}", shortened(name))),
    }
}

fn user_of(text: &str) -> Option<UserId> {
    text.trim().parse().ok().and_then(UserId::new)
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MARKER_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PipeName {
        PipeName::for_subscription(text).unwrap()
    }

    #[test]
    fn a_subscription_takes_every_name_that_is_one() {
        let parse = |text: &str| match ClientFrame::parse(text) {
            ClientFrame::Subscription { names, refused, unnamed } => (names, refused.len() + unnamed),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse("subscription\nweb_room\ntrack_hall"), (vec![name("track_hall"), name("web_room")], 0));
        assert_eq!(parse("subscription\na\nbb\nbb\n\ncc.dd"), (vec![name("bb"), name("cc"), name("dd")], 1));
        assert_eq!(parse(&format!("subscription\n{}\nok", "x".repeat(65))), (vec![name("ok")], 1));
        assert_eq!(parse(&"subscription\nx".replace("\nx", &"\nx".repeat(50_000))), (vec![], 50_000));
        assert_eq!(parse("subscription\n"), (vec![], 0));
        assert_eq!(parse("subscription"), (vec![], 0));
        assert_eq!(ClientFrame::parse("statistics\n{}"), ClientFrame::Ignored);
        for text in ["", "\n", "subscriptions\nxx", "привет", "{\"json\":1}"] {
            assert_eq!(ClientFrame::parse(text), ClientFrame::Unknown, "{text}");
        }
    }

    #[test]
    fn each_command_has_its_arguments() {
        let event = |text: &str| text.parse::<Event>().unwrap();
        let cases = [
            (
                "web_pipe2\nweb_room\nsay\n*\n\"a\nb\"",
                ClientFrame::Publish {
                    name: name("web_room"),
                    event: event("say"),
                    text: "\"a\nb\"",
                    is_anonymous: false,
                },
            ),
            (
                "web_pipe2\n@web_room\n\n*\n",
                ClientFrame::Publish { name: name("web_room"), event: event(""), text: "", is_anonymous: true },
            ),
            ("pipe_log\nroom\n48\n", ClientFrame::Log(name("room"))),
            ("pipe_count\nweb_room\n48\n", ClientFrame::Count { name: name("web_room"), marker: "48" }),
            ("pipe_count\nweb_room", ClientFrame::Count { name: name("web_room"), marker: "" }),
            ("track_pipe_users\ntrack_hall\n48", ClientFrame::Users { name: name("track_hall"), marker: "48" }),
            ("user_data\n48\n7", ClientFrame::Data { user: UserId::new(7), marker: "48" }),
            ("user_data\n48\nx", ClientFrame::Data { user: None, marker: "48" }),
            ("user_status\n7", ClientFrame::Status(UserId::new(7))),
            ("user_status\n0", ClientFrame::Status(None)),
        ];
        for (text, frame) in cases {
            assert_eq!(ClientFrame::parse(text), frame, "{text}");
        }
        for text in
            ["web_pipe2", "web_pipe2\nweb_room\nsay\n*", "web_pipe2\nweb room\nsay\n*\nx", "pipe_log\nx", "pipe_count"]
        {
            assert!(matches!(ClientFrame::parse(text), ClientFrame::Malformed(_)), "{text}");
        }
    }
}
