//! The islands: components that also run in the browser. The server compiles this crate with the feature `ssr`, the
//! WASM with `hydrate`; it is the only crate that is compiled for both.

mod copy_button;
mod live_panel;

pub use copy_button::CopyButton;
pub use live_panel::LivePanel;
