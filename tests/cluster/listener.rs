//! A browser that listens through everything that happens, at whichever node lets it in, and notes what it hears.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::DEADLINE;
use super::doors::Doors;
use super::load::PIPES;

/// The last that is published to each pipe: who has heard it goes home.
pub const THE_END: &str = "the end";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Generation {
    /// Hears what is published while it is connected.
    Four,
    /// Comes back with its positions.
    Five,
}

/// An epoch of a pipe and an index in it.
pub type Place = (u64, u64);

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A text, and where it stands, which generation 4 is not told.
    Message { text: String, position: Option<Place> },
    /// It was told that something is lost behind where it was, and where the pipe is now.
    Gap { from: Place, to: Place },
    /// A browser of generation 4 was not connected for a moment.
    Away,
}

/// What one browser has heard over all its connections, of each pipe in its order.
pub struct Story {
    pub generation: Generation,
    pub number: usize,
    pub pipes: BTreeMap<String, Vec<Heard>>,
}

pub struct Listener {
    story: Story,
    doors: Doors,
    /// Where it is, or at the next one that is there.
    node: usize,
    comings: usize,
    positions: BTreeMap<String, Place>,
    /// Pipes whose end it has heard.
    at_end: usize,
    /// How many gaps all of them were told of.
    gaps: Arc<AtomicUsize>,
}

type Socket = WebSocket<TcpStream>;

impl Listener {
    /// Comes to this node first. The thread ends when it has heard the end of every pipe.
    pub fn attach(
        generation: Generation,
        number: usize,
        doors: &Doors,
        node: usize,
        gaps: &Arc<AtomicUsize>,
    ) -> JoinHandle<Story> {
        let pipes = PIPES.map(|pipe| (pipe.to_owned(), Vec::new())).into();
        let listener = Listener {
            story: Story { generation, number, pipes },
            doors: doors.clone(),
            node,
            comings: 0,
            positions: BTreeMap::new(),
            at_end: 0,
            gaps: Arc::clone(gaps),
        };
        std::thread::spawn(move || listener.run())
    }

    fn run(mut self) -> Story {
        while self.at_end < PIPES.len() {
            let socket = self.come();
            self.comings += 1;
            if self.story.generation == Generation::Four && self.comings > 1 {
                self.story.pipes.values_mut().for_each(|heard| heard.push(Heard::Away));
            }
            // However it ends: whoever has not heard the end comes back.
            if self.listen(socket).is_none() {
                self.node += 1;
            }
        }
        self.story
    }

    /// Connects to a node that lets it in.
    fn come(&mut self) -> Socket {
        let began = Instant::now();
        loop {
            if let Some(socket) = self.doors.at_or_behind(self.node).and_then(|door| self.open(door.browsers)) {
                return socket;
            }
            assert!(began.elapsed() < DEADLINE, "no node lets browser {} in", self.story.number);
            self.node += 1;
            self.doors.pause();
        }
    }

    fn open(&self, address: SocketAddr) -> Option<Socket> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let target = match self.story.generation {
            Generation::Four => format!("ws/sesion=&myid=0&devid=0&v=4.08&uuid=browser{}&api=js", self.story.number),
            Generation::Five => "ws/v=5&devid=0".to_owned(),
        };
        Some(tungstenite::client(format!("ws://{address}/{target}"), stream).ok()?.0)
    }

    /// Hears until the connection ends, which is None, or the last pipe.
    fn listen(&mut self, mut socket: Socket) -> Option<()> {
        match self.story.generation {
            Generation::Four => say(&mut socket, format!("subscription\n{}", PIPES.join("\n")))?,
            Generation::Five => {
                say(&mut socket, json!({"do": "hello"}).to_string())?;
                let wanted = |pipe: &str| match self.positions.get(pipe) {
                    Some((epoch, index)) => json!({"pipe": pipe, "position": [epoch, index]}),
                    None => json!({"pipe": pipe}),
                };
                let pipes = PIPES.map(wanted);
                say(&mut socket, json!({"do": "subscribe", "id": 1, "pipes": pipes}).to_string())?;
            }
        }
        while self.at_end < PIPES.len() {
            match socket.read() {
                Ok(Message::Text(text)) => self.hear(&serde_json::from_str(&text).expect("JSON"))?,
                // Pings are answered by the library.
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    assert!(!(4200..4300).contains(&code), "browser {} was sent away: {code}", self.story.number);
                    return None;
                }
                Ok(other) => panic!("no node says {other:?}"),
                Err(tungstenite::Error::Io(why)) if why.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("browser {} has heard nothing for {DEADLINE:?}", self.story.number)
                }
                Err(_) => return None,
            }
        }
        Some(())
    }

    /// None when the node asks it to go elsewhere.
    fn hear(&mut self, told: &Value) -> Option<()> {
        match self.story.generation {
            Generation::Four => {
                // What the node itself says has a name that nobody can subscribe to.
                if let Some(pipe) = told["pipe"].as_str().filter(|pipe| PIPES.contains(pipe)) {
                    self.note(pipe, &told["data"], None);
                }
                Some(())
            }
            Generation::Five => self.hear_five(told),
        }
    }

    fn hear_five(&mut self, told: &Value) -> Option<()> {
        let number = self.story.number;
        let pipe = told["pipe"].as_str().unwrap_or_default().to_owned();
        let place = || (told["position"][0].as_u64().expect("an epoch"), told["position"][1].as_u64().expect("one"));
        match told["is"].as_str() {
            Some("welcome" | "answer") => {}
            // It comes back in any case.
            Some("error") if told["code"] == 503 => return None,
            Some("move") => return None,
            Some("subscribed") => match (self.positions.insert(pipe.clone(), place()), &told["recovered"]) {
                (None, _) => {}
                (Some(before), Value::Bool(true)) => assert_eq!(before, place(), "browser {number}: {told}"),
                (Some(before), _) => self.note_gap(&pipe, before, place()),
            },
            Some("gap") => {
                let before = self.positions.insert(pipe.clone(), place()).expect("it has subscribed");
                self.note_gap(&pipe, before, place());
            }
            Some("message") => {
                let (epoch, last) = self.positions.insert(pipe.clone(), place()).expect("it has subscribed");
                assert_eq!(place(), (epoch, last + 1), "browser {number} has a hole that nobody has declared: {told}");
                self.note(&pipe, &told["data"], Some(place()));
            }
            _ => panic!("browser {number} does not know {told}"),
        }
        Some(())
    }

    fn note_gap(&mut self, pipe: &str, from: Place, to: Place) {
        self.story.pipes.get_mut(pipe).expect("its own").push(Heard::Gap { from, to });
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&mut self, pipe: &str, text: &Value, position: Option<(u64, u64)>) {
        let text = text.as_str().expect("a text").to_owned();
        self.at_end += usize::from(text == THE_END);
        self.story.pipes.get_mut(pipe).expect("its own").push(Heard::Message { text, position });
    }
}

fn say(socket: &mut Socket, text: String) -> Option<()> {
    socket.send(Message::text(text)).ok()
}
