//! Saying something in a chat, asking again, stopping.

use ledger::chats::{Chat, StoredMessage};
use ledger::{ChatTree, MessageState, NewMessage};

use crate::chat::Begin;
use crate::chat::history::{self, UNTITLED};
use crate::commands::models::default_model;
use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{RegenerateArgs, SendArgs, SendResult, StopArgs};

pub(crate) async fn send(control: &Control, args: SendArgs) -> Result<SendResult> {
    if args.text.trim().is_empty() {
        return Err(ControlError::invalid("The message is empty."));
    }
    if args.model.trim().is_empty() {
        return Err(ControlError::invalid("No model is chosen."));
    }
    let tree = tree_of(control, &args.chat_id).await?;
    if let Some(parent) = &args.parent_id {
        let parent = find(&tree, parent)?;
        if parent.state == MessageState::Streaming {
            return Err(ControlError::new(
                crate::types::ControlErrorKind::Busy,
                "The answer before this is still being written. Stop it, or wait for its end.",
            ));
        }
    }
    let clock = control.gateway().clock();
    let question = NewMessage {
        id: clock.new_id(),
        chat_id: args.chat_id.clone(),
        parent_id: args.parent_id,
        role: "user".to_owned(),
        state: MessageState::Complete,
        text: args.text,
        attachments: None,
        model: None,
        request_id: None,
        created_at: clock.now_ms(),
    };
    let title =
        (tree.chat.title == UNTITLED && tree.messages.is_empty()).then(|| history::title(&question.text));
    let mut messages = tree.messages;
    messages.push(stored(&question));
    let result = ask(control, &tree.chat, &messages, Some(question), args.model).await?;
    let chat_id = args.chat_id;
    // The answer is on its way: neither of these may stop it.
    let tidied = control.ledger(move |ledger| {
        ledger.set_draft(&chat_id, "")?;
        title.map_or(Ok(()), |title| ledger.rename_chat(&chat_id, &title))
    });
    if let Err(error) = tidied.await {
        tracing::warn!(kind = ?error.kind, "a chat's title or draft could not be saved");
    }
    control.chats_changed(&tree.chat.id);
    Ok(result)
}

/// Another answer to the same question, beside the ones that there are.
pub(crate) async fn regenerate(control: &Control, args: RegenerateArgs) -> Result<SendResult> {
    let id = args.message_id.clone();
    let message = control.ledger(move |ledger| ledger.message(&id)).await?;
    let message = message.ok_or_else(|| ControlError::not_found("message", &args.message_id))?;
    let tree = tree_of(control, &message.chat_id).await?;
    let question_id = match message.role.as_str() {
        "assistant" => message.parent_id.clone().ok_or_else(|| {
            ControlError::invalid("This answer has no question before it that could be asked again.")
        })?,
        _ => message.id.clone(),
    };
    let model = match args.model.or_else(|| message.model.clone()).or_else(|| tree.chat.model.clone()) {
        Some(model) => model,
        None => default_model(control).await?.ok_or_else(|| ControlError::invalid("No model is chosen."))?,
    };
    find(&tree, &question_id)?;
    let until: Vec<StoredMessage> =
        history::path(&tree.messages, &question_id).into_iter().cloned().collect();
    let result = ask(control, &tree.chat, &until, None, model).await?;
    control.chats_changed(&tree.chat.id);
    Ok(result)
}

pub(crate) async fn stop(control: &Control, args: StopArgs) -> Result<()> {
    control.generations().stop(&args.message_id);
    Ok(())
}

/// Saves the question, where it is new, and an empty answer to the last of `messages`; then asks.
async fn ask(
    control: &Control,
    chat: &Chat,
    messages: &[StoredMessage],
    question: Option<NewMessage>,
    model: String,
) -> Result<SendResult> {
    let clock = control.gateway().clock();
    let Some(user_message_id) = messages.last().map(|message| message.id.clone()) else {
        return Err(ControlError::invalid("There is no question to answer."));
    };
    let request = history::request(&history::path(messages, &user_message_id), &model);
    let (message_id, request_id) = (clock.new_id(), clock.new_id());
    let answer = NewMessage {
        id: message_id.clone(),
        chat_id: chat.id.clone(),
        parent_id: Some(user_message_id.clone()),
        role: "assistant".to_owned(),
        state: MessageState::Streaming,
        text: String::new(),
        attachments: None,
        model: Some(model),
        request_id: Some(request_id.clone()),
        created_at: clock.now_ms(),
    };
    let saved: Vec<NewMessage> = question.into_iter().chain([answer]).collect();
    control.ledger(move |ledger| ledger.add_messages(saved)).await?;
    control.generations().begin(Begin {
        chat_id: chat.id.clone(),
        message_id: message_id.clone(),
        request_id: request_id.clone(),
        request,
    });
    Ok(SendResult { user_message_id, message_id, request_id })
}

async fn tree_of(control: &Control, chat_id: &str) -> Result<ChatTree> {
    let id = chat_id.to_owned();
    let tree = control.ledger(move |ledger| ledger.chat(&id)).await?;
    tree.ok_or_else(|| ControlError::not_found("chat", chat_id))
}

fn find<'t>(tree: &'t ChatTree, id: &str) -> Result<&'t StoredMessage> {
    let message = tree.messages.iter().find(|message| message.id == id);
    message.ok_or_else(|| ControlError::not_found("message of this chat", id))
}

/// A new message as it will be read back.
fn stored(message: &NewMessage) -> StoredMessage {
    StoredMessage {
        id: message.id.clone(),
        chat_id: message.chat_id.clone(),
        parent_id: message.parent_id.clone(),
        role: message.role.clone(),
        state: message.state,
        text: message.text.clone(),
        reasoning: String::new(),
        tool_calls: None,
        attachments: None,
        model: None,
        error_kind: None,
        error_message: None,
        request_id: None,
        created_at: message.created_at,
        ended_at: None,
        receipt: None,
    }
}
