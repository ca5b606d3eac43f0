//! Keeps the window from staying blank where WebKit's fast path does not work.
//!
//! WebKitGTK hands frames over as DMA buffers; NVIDIA's proprietary driver breaks that on
//! many machines and shows nothing (tauri #9304, #9394). Whoever set a variable of WebKit's
//! themselves knows better, and nothing is changed.

/// What turns the DMA buffer renderer off.
const SAFE: (&str, &str) = ("WEBKIT_DISABLE_DMABUF_RENDERER", "1");

/// Variables of the user's that mean "leave my graphics alone".
const CHOSEN: &[&str] = &[
    "WEBKIT_DISABLE_DMABUF_RENDERER",
    "WEBKIT_DISABLE_COMPOSITING_MODE",
    "WEBKIT_DMABUF_RENDERER_FORCE_SHM",
];

/// Whether the next start should use safe graphics: the user asked, or the driver is known to fail.
fn wanted(asked: bool, chosen: bool, nvidia: bool) -> bool {
    !chosen && (asked || nvidia)
}

/// Starts this program again with safe graphics where they are wanted; returns where they are not.
///
/// A new start, because a process cannot safely change its own environment once it may have threads.
#[cfg(target_os = "linux")]
pub(crate) fn prepare(asked: bool) {
    let chosen = CHOSEN.iter().any(|name| std::env::var_os(name).is_some());
    let nvidia = std::path::Path::new("/proc/driver/nvidia/version").exists();
    if wanted(asked, chosen, nvidia) {
        let error = again();
        eprintln!("signalbox: cannot start again with safe graphics, going on without: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn prepare(_asked: bool) {}

/// Whether this process already runs with safe graphics, or with the user's own choice.
pub(crate) fn are_chosen() -> bool {
    CHOSEN.iter().any(|name| std::env::var_os(name).is_some())
}

/// Replaces this process by a new one with safe graphics; returns only if that fails.
#[cfg(target_os = "linux")]
fn again() -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    match std::env::current_exe() {
        Ok(program) => {
            std::process::Command::new(program).args(std::env::args_os().skip(1)).env(SAFE.0, SAFE.1).exec()
        }
        Err(error) => error,
    }
}

/// Settles the core, then starts again with safe graphics.
pub(crate) fn restart_safely(app: &tauri::AppHandle) {
    use tauri::Manager as _;
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        app.state::<crate::core::Core>().stop().await;
        #[cfg(target_os = "linux")]
        eprintln!("signalbox: cannot start again with safe graphics: {}", again());
        app.exit(1);
    });
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn a_variable_the_user_set_is_never_overridden() {
        assert!(!wanted(true, true, true));
    }

    #[test]
    fn nvidia_or_the_flag_alone_is_enough() {
        assert!(wanted(false, false, true));
        assert!(wanted(true, false, false));
        assert!(!wanted(false, false, false));
    }
}
