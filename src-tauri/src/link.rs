//! Opens an address outside the window, in whatever the desktop uses for it.

use std::process::{Command, Stdio};

/// Whether `url` is one the page may have opened: https or mail, nothing that runs or reads files.
pub(crate) fn is_allowed(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("mailto:"));
    rest.is_some_and(|rest| !rest.is_empty() && !url.contains(|c: char| c.is_whitespace() || c.is_control()))
}

/// Hands an allowed `url` to the desktop; the error says why it did not go.
pub(crate) fn open(url: &str) -> Result<(), String> {
    if !is_allowed(url) {
        return Err("Only https and mailto addresses are opened.".to_owned());
    }
    let (program, leading): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(leading).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("Cannot start {program}: {error}"))?;
    // Reaped on a thread of its own: the opener may stay as long as the browser does.
    std::thread::spawn(move || child.wait());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn only_https_and_mail_leave_the_window() {
        assert!(is_allowed("https://example.com/a?b=c#d"));
        assert!(is_allowed("mailto:someone@example.com"));
        for refused in
            ["http://example.com", "file:///etc/passwd", "javascript:alert(1)", "https://", "https://a b"]
        {
            assert!(!is_allowed(refused), "{refused}");
        }
    }
}
