#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cometql::mysql::fuzzing::login(bytes));
