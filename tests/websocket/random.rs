//! Bytes that make no sense.

use super::browser::{Browser, masked, request};
use super::world::{config, until, world};

#[test]
fn random_bytes_end_only_their_own_connection() {
    let world = world(config());
    let mut witness = Browser::subscriber(world.address, &["hello"]);
    let seed = 0x5EED_u64;
    println!("seed {seed:#x}");
    let mut state = seed;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=u&api=js";
    for round in 0..400 {
        let mut bytes = request(target).into_bytes();
        if round % 2 == 0 {
            for _ in 0..3 {
                let payload: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
                bytes.extend(masked(random() as u8, &payload));
            }
        }
        for _ in 0..random() % 8 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() as usize % bytes.len() + 1);
        let mut browser = Browser::silent(world.address);
        // It may be closed while it is still sending.
        let _ = std::io::Write::write_all(&mut browser.socket, &bytes);
    }
    until("they are gone", || world.status.browsers_connected() == 1);
    world.publish("hello", "still here");
    assert_eq!(witness.frame().json()["data"], "still here");
}
