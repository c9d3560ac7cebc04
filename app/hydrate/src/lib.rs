//! What the browser runs: the islands.

// Without this line the islands would be linked away.
use islands as _;

/// Called once the module is loaded; the islands then find their places by themselves.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
