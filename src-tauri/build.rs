//! Builds the desktop shell's generated code; nothing to do for the core alone.

fn main() {
    #[cfg(feature = "desktop")]
    desktop();
}

/// Paths are named because this package's root is the repository, not `src-tauri`. Tauri's own
/// build script looks for capabilities elsewhere and so removes every command of its plugins
/// (`removeUnusedCommands`): right, because the page may call none of them. One that it should
/// be able to call needs its capability inline in `tauri.conf.json`.
#[cfg(feature = "desktop")]
fn desktop() {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    let attributes = tauri_build::Attributes::new().capabilities_path_pattern("src-tauri/capabilities/**/*");
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo:warning={error:#}");
        std::process::exit(1);
    }
}
