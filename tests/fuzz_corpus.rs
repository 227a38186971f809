//! The corpus of `fuzz/` through the bodies that the fuzzer runs, each file whole and cut off at each of its bytes.
//! Those of the MySQL wire are private, and are replayed in `src/mysql/fuzzing.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

fn replay(corpus: &str, body: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        (0..=bytes.len()).for_each(|cut| body(&bytes[..cut]));
    }
}

#[test]
fn statements_are_read() {
    replay("cometql", bodies::cometql);
}

#[test]
fn websocket_frames_are_read() {
    replay("websocket_frames", bodies::websocket_frames);
}

#[test]
fn http_requests_are_read() {
    replay("http_request", bodies::http_request);
}

#[test]
fn frames_of_browsers_are_read() {
    replay("client_frame", bodies::client_frame);
}

#[test]
fn commands_of_generation_five_are_read() {
    replay("command_of_five", bodies::command_of_five);
}
