//! UTF-8: texts that are, and bytes that only look like it.

use super::browser::masked;
use super::cases::{BEHIND_ECHOED, Case, case, closed, echoed, fragmented, text_seen};

const VALID: [&str; 22] = [
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "Ελληνικά, Русский, 日本語, العربية",
    "\u{0}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{1fffe}",
    "\u{3ffff}",
    "\u{4fffe}",
    "\u{8ffff}",
    "\u{fffff}",
    "\u{10fffe}",
    "\u{10ffff}",
    "a\u{301}😀👩\u{200d}👩",
];

const INVALID: [&[u8]; 42] = [
    // Continuations without a beginning.
    &[0x80],
    &[0xbf],
    &[0x80, 0xbf],
    &[0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf],
    // Beginnings without an end.
    &[0xc2],
    &[0xdf],
    &[0xc2, b' '],
    &[0xe0, 0xa0],
    &[0xef, 0xbf],
    &[0xe1, 0x80, b' '],
    &[0xf0, 0x90, 0x80],
    &[0xf4, 0x8f, 0xbf],
    &[0xf1, 0x80, b' ', 0x80],
    &[0xc2, 0xe1, 0x80, 0xf1, 0x80, 0x80],
    &[0xc2, 0xc2],
    &[0xe1, 0xe1, 0x80, 0x80],
    // Bytes that are never part of it.
    &[0xfe],
    &[0xff],
    &[0xfe, 0xfe, 0xff, 0xff],
    &[0xf5, 0x80, 0x80, 0x80],
    &[0xf8, 0x88, 0x80, 0x80, 0x80],
    &[0xfb, 0xbf, 0xbf, 0xbf, 0xbf],
    &[0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
    &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf],
    // Longer than need be.
    &[0xc0, 0x80],
    &[0xc0, 0xaf],
    &[0xc1, 0xbf],
    &[0xe0, 0x80, 0x80],
    &[0xe0, 0x80, 0xaf],
    &[0xe0, 0x9f, 0xbf],
    &[0xf0, 0x80, 0x80, 0x80],
    &[0xf0, 0x80, 0x80, 0xaf],
    &[0xf0, 0x8f, 0xbf, 0xbf],
    // Halves of pairs, alone and together.
    &[0xed, 0xa0, 0x80],
    &[0xed, 0xad, 0xbf],
    &[0xed, 0xae, 0x80],
    &[0xed, 0xb0, 0x80],
    &[0xed, 0xbf, 0xbf],
    &[0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
    // Beyond the last.
    &[0xf4, 0x90, 0x80, 0x80],
    &[0xf7, 0xbf, 0xbf, 0xbf],
    &[0xce, 0xba, 0xed, 0xa0, 0x80, b'e', b'd', b'i', b't', b'e', b'd'],
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, text) in VALID.iter().enumerate() {
        let payload = echoed(text.as_bytes());
        let seen = [text_seen(text)];
        cases.push(case(format!("valid {number}"), &[masked(0x81, &payload)], &seen));
        // Cut between all bytes, within letters too.
        let ends: Vec<usize> = (payload.len() - text.len() - BEHIND_ECHOED..payload.len()).collect();
        cases.push(case(format!("valid {number}, each byte a fragment"), &[fragmented(&payload, &ends)], &seen));
        let pinged: Vec<Vec<u8>> = vec![
            masked(0x01, &payload[..payload.len() - 1]),
            masked(0x8A, b""),
            masked(0x80, &payload[payload.len() - 1..]),
        ];
        cases.push(case(format!("valid {number}, with a pong before its last byte"), &pinged, &seen));
    }
    for (number, bytes) in INVALID.iter().enumerate() {
        let refused = [closed(1007)];
        let payload = echoed(bytes);
        cases.push(case(format!("invalid {number}"), &[masked(0x81, &payload)], &refused));
        cases.push(case(format!("invalid {number} alone"), &[masked(0x81, bytes)], &refused));
        let ends: Vec<usize> = (payload.len() - bytes.len() - BEHIND_ECHOED..payload.len()).collect();
        cases.push(case(format!("invalid {number}, each byte a fragment"), &[fragmented(&payload, &ends)], &refused));
        let within = echoed(&[b"valid \xc3\xa9 ", *bytes, b" and on"].concat());
        cases.push(case(format!("invalid {number} in the middle"), &[masked(0x81, &within)], &refused));
    }
    cases
}
