//! Says things outside the page, for when there is no page: a native dialog, else standard error.

use tauri::AppHandle;

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

/// A question with two answers, each named for what it does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    pub(crate) yes: &'a str,
    pub(crate) no: &'a str,
}

/// Asks with a native dialog that needs no WebKit, and calls `then` with the answer.
#[cfg(target_os = "linux")]
pub(crate) fn ask(app: &AppHandle, question: &Question<'_>, then: impl FnOnce(Answer) + Send + 'static) {
    use gtk::prelude::{DialogExt as _, GtkWindowExt as _, MessageDialogExt as _, WidgetExt as _};
    let [title, text, yes, no] =
        [question.title, question.text, question.yes, question.no].map(str::to_owned);
    let shown = app.run_on_main_thread(move || {
        let dialog = gtk::MessageDialog::new(
            None::<&gtk::Window>,
            gtk::DialogFlags::empty(),
            gtk::MessageType::Question,
            gtk::ButtonsType::None,
            &title,
        );
        dialog.set_title("Signalbox");
        dialog.set_secondary_text(Some(&text));
        dialog.add_button(&no, gtk::ResponseType::Cancel);
        dialog.add_button(&yes, gtk::ResponseType::Accept);
        let then = std::cell::Cell::new(Some(then));
        dialog.connect_response(move |dialog, response| {
            dialog.close();
            let answer = if response == gtk::ResponseType::Accept { Answer::Yes } else { Answer::No };
            if let Some(then) = then.take() {
                then(answer);
            }
        });
        dialog.show_all();
    });
    if let Err(error) = shown {
        tracing::warn!(%error, "no dialog could be shown");
    }
}

/// Elsewhere the question is only logged, and the careful answer is taken.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask(_: &AppHandle, question: &Question<'_>, then: impl FnOnce(Answer) + Send + 'static) {
    tracing::warn!("{}: {}", question.title, question.text);
    then(Answer::No);
}
