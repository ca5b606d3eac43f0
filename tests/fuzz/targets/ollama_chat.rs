#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signalbox_fuzz::checks::run("ollama-chat", data));
