//! Everything that fuzzing has kept as worth a look, once more.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/checks/decode.rs"]
mod decode;

#[test]
fn every_text_of_the_corpus_keeps_what_is_promised() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/decode");
    let mut texts = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        if let Ok(text) = std::fs::read_to_string(entry.unwrap().path()) {
            decode::check(&text);
            texts += 1;
        }
    }
    assert!(texts > 10, "only {texts} texts");
}
