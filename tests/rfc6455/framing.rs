//! Headers, lengths, control frames, fragments and closes.

use super::browser::masked;
use super::cases::{Case, Seen, case, closed, echoed, fragmented, text_seen};

const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

pub fn lengths() -> Vec<Case> {
    let overhead = echoed(b"").len();
    let of_frame = |bytes: usize| "x".repeat(bytes - overhead);
    let mut cases: Vec<Case> = [
        overhead,
        64,
        124,
        125,
        126,
        127,
        128,
        1_000,
        4_095,
        65_534,
        65_535,
        65_536,
        65_537,
        500_000,
        MESSAGE_BYTES_MAX,
    ]
    .into_iter()
    .map(|bytes| {
        let text = of_frame(bytes);
        case(format!("a text frame of {bytes} bytes"), &[masked(0x81, &echoed(text.as_bytes()))], &[text_seen(&text)])
    })
    .collect();
    cases.push(case(
        "one byte more than may be",
        &[masked(0x81, &echoed(of_frame(MESSAGE_BYTES_MAX + 1).as_bytes()))],
        &[closed(1009)],
    ));
    for claimed in [MESSAGE_BYTES_MAX as u64 + 1, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
        let mut header = vec![0x81, 0xff];
        header.extend(claimed.to_be_bytes());
        header.extend([1, 2, 3, 4]);
        cases.push(case(format!("a header that claims {claimed} bytes"), &[header], &[closed(1009)]));
    }
    cases
}

pub fn headers() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 1..8u8 {
        for (name, opcode) in [("text", 0x81), ("ping", 0x89), ("close", 0x88), ("a first fragment", 0x01)] {
            let frame = masked(opcode | bits << 4, b"");
            cases.push(case(format!("{name} with reserved bits {bits}"), &[frame], &[closed(1002)]));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for fin in [0x80, 0] {
            let frame = masked(fin | opcode, b"x");
            cases.push(case(format!("reserved opcode {opcode}, fin {fin}"), &[frame], &[closed(1002)]));
        }
    }
    for (name, first) in [("binary", 0x82), ("a binary fragment", 0x02)] {
        for payload in [&b""[..], b"x", &[0xff; 200]] {
            let frame = masked(first, payload);
            cases.push(case(format!("{name} of {} bytes", payload.len()), &[frame], &[closed(1003)]));
        }
    }
    for (name, first) in [("text", 0x81), ("ping", 0x89), ("close", 0x88)] {
        cases.push(case(format!("{name} without a mask"), &[vec![first, 1, b'x']], &[closed(1002)]));
    }
    for mask in [[0; 4], [0xff; 4], [0, 0, 0, 1], *b"mask"] {
        let payload = echoed("ü masked".as_bytes());
        let mut frame = vec![0x81, 0x80 | payload.len() as u8];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        cases.push(case(format!("the mask {mask:?}"), &[frame], &[text_seen("ü masked")]));
    }
    cases
}

pub fn controls() -> Vec<Case> {
    let mut cases = Vec::new();
    let all_bytes: Vec<u8> = (0..=124).map(|byte| byte * 2 + 1).collect();
    for length in [0, 1, 2, 7, 8, 63, 124, 125] {
        let payload = &all_bytes[..length];
        let pong = Seen::Pong(payload.to_vec());
        cases.push(case(format!("a ping of {length} bytes"), &[masked(0x89, payload)], &[pong]));
        cases.push(case(format!("an unsolicited pong of {length} bytes"), &[masked(0x8A, payload)], &[]));
    }
    for (name, opcode) in [("ping", 0x89), ("pong", 0x8A), ("close", 0x88)] {
        for length in [126, 127, 65_536] {
            let frame = masked(opcode, &vec![b'x'; length]);
            cases.push(case(format!("a {name} of {length} bytes"), &[frame], &[closed(1002)]));
        }
        let frame = masked(opcode & 0x7f, b"");
        cases.push(case(format!("a {name} in fragments"), &[frame], &[closed(1002)]));
    }
    let pings: Vec<Vec<u8>> = (0..10).map(|number| masked(0x89, &[number])).collect();
    let pongs: Vec<Seen> = (0..10).map(|number| Seen::Pong(vec![number])).collect();
    cases.push(case("ten pings", &pings, &pongs));
    let pong_then_ping = [masked(0x8A, b"unsolicited"), masked(0x89, b"p")];
    cases.push(case("a pong and a ping", &pong_then_ping, &[Seen::Pong(b"p".to_vec())]));
    cases.push(case(
        "a ping and a text",
        &[masked(0x89, b"p"), masked(0x81, &echoed(b"t")), masked(0x89, b"q")],
        &[Seen::Pong(b"p".to_vec()), text_seen("t"), Seen::Pong(b"q".to_vec())],
    ));
    cases
}

pub fn fragments() -> Vec<Case> {
    let payload = echoed(b"in fragments");
    let seen = [text_seen("in fragments")];
    let end = payload.len();
    let pong = |payload: &[u8]| Seen::Pong(payload.to_vec());
    let mut cases = vec![
        case("a continuation of nothing", &[masked(0x80, b"x")], &[closed(1002)]),
        case("a continuation of nothing, to be continued", &[masked(0x00, b"x")], &[closed(1002)]),
        case("a text within a text", &[masked(0x01, b"x"), masked(0x81, b"y")], &[closed(1002)]),
        case("a first fragment within a text", &[masked(0x01, b"x"), masked(0x01, b"y")], &[closed(1002)]),
        case("a binary within a text", &[masked(0x01, b"x"), masked(0x82, b"y")], &[closed(1003)]),
        case(
            "a continuation behind the end",
            &[fragmented(&payload, &[5]), masked(0x80, b"x")],
            &[seen[0].clone(), closed(1002)],
        ),
        case("each byte a fragment", &[fragmented(&payload, &(1..end).collect::<Vec<_>>())], &seen),
        case("empty fragments around", &[fragmented(&payload, &[0, 0, 4, 4, 4, end, end])], &seen),
        case("two messages in fragments", &[fragmented(&payload, &[3]).repeat(2)], &[seen[0].clone(), seen[0].clone()]),
        case("a close between fragments", &[masked(0x01, b"x"), masked(0x88, b"")], &[Seen::Close(vec![])]),
        case("a close in a code between fragments", &[masked(0x01, b"x"), masked(0x88, &[3, 232])], &[closed(1000)]),
    ];
    for cut in 0..=end {
        let between = [
            masked(0x01, &payload[..cut]),
            masked(0x89, b"between"),
            masked(0x8A, b"unsolicited"),
            masked(0x00, b""),
            masked(0x89, b""),
            masked(0x80, &payload[cut..]),
        ];
        let seen = [pong(b"between"), pong(b""), seen[0].clone()];
        cases.push(case(format!("control frames between fragments at {cut}"), &between, &seen));
    }
    let long = "y".repeat(200_000);
    for bytes in [1_000, 1_024, 4_096, 65_535, 65_536, 199_999] {
        let payload = echoed(long.as_bytes());
        let ends: Vec<usize> = (bytes..payload.len()).step_by(bytes).collect();
        cases.push(case(format!("fragments of {bytes} bytes"), &[fragmented(&payload, &ends)], &[text_seen(&long)]));
    }
    let most = vec![b'z'; MESSAGE_BYTES_MAX + 1];
    for bytes in [65_536, MESSAGE_BYTES_MAX] {
        let ends: Vec<usize> = (bytes..most.len()).step_by(bytes).collect();
        let sent = fragmented(&most, &ends);
        cases.push(case(format!("too much in fragments of {bytes} bytes"), &[sent], &[closed(1009)]));
    }
    cases
}

pub fn closes() -> Vec<Case> {
    let close = |code: u16, reason: &[u8]| masked(0x88, &[&code.to_be_bytes(), reason].concat());
    let mut cases = Vec::new();
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        cases.push(case(format!("the code {code}"), &[close(code, b"")], &[closed(code)]));
        let long = close(code, &[b'r'; 123]);
        cases.push(case(format!("the code {code} with a long reason"), &[long], &[closed(code)]));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(case(format!("the code {code}, which may not be sent"), &[close(code, b"")], &[closed(1002)]));
    }
    let behind = [close(1000, b""), masked(0x81, &echoed(b"x")), masked(0x89, b"p"), close(1001, b"")];
    cases.extend([
        case("a close that says nothing", &[masked(0x88, b"")], &[Seen::Close(vec![])]),
        case("a close of one byte", &[masked(0x88, &[3])], &[closed(1002)]),
        case("a reason in UTF-8", &[close(1000, "früh 😀".as_bytes())], &[closed(1000)]),
        case("a reason that is none", &[close(1000, &[0xff])], &[closed(1007)]),
        case("a reason cut within a letter", &[close(1000, &[0xf0, 0x9f])], &[closed(1007)]),
        case("a reason too long", &[close(1000, &[b'r'; 124])], &[closed(1002)]),
        case("frames behind a close", &behind, &[closed(1000)]),
        case("text before a close", &[masked(0x81, &echoed(b"x")), close(4000, b"")], &[text_seen("x"), closed(4000)]),
    ]);
    cases
}
