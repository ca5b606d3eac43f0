//! Builds the desktop shell's generated code; nothing to do for the core alone.

fn main() {
    #[cfg(feature = "desktop")]
    tauri_build::build();
}
