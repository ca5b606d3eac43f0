//! Conversations as things: listed, made, opened, named, deleted.

use crate::chat::history::UNTITLED;
use crate::commands::models::default_model;
use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{
    ChatTreeView, ChatView, CreateChatArgs, IdArgs, ListChatsArgs, RenameChatArgs, SetDraftArgs,
};
use crate::views;

/// More than anyone scrolls through; older ones are found by searching.
const MOST_CHATS: u32 = 2000;

/// Characters of a title that a person gives.
const MOST_TITLE_CHARS: usize = 200;

pub(crate) async fn list(control: &Control, args: ListChatsArgs) -> Result<Vec<ChatView>> {
    let query = args.query.filter(|query| !query.trim().is_empty());
    let chats = control.ledger(move |ledger| ledger.chats(query.as_deref(), MOST_CHATS)).await?;
    Ok(chats.into_iter().map(views::chat_summary).collect())
}

pub(crate) async fn create(control: &Control, args: CreateChatArgs) -> Result<ChatView> {
    let model = match args.model {
        Some(model) => Some(model),
        None => default_model(control).await?,
    };
    let clock = control.gateway().clock();
    let (id, now_ms) = (clock.new_id(), clock.now_ms());
    let chat =
        control.ledger(move |ledger| ledger.create_chat(&id, UNTITLED, model.as_deref(), now_ms)).await?;
    control.chats_changed(&chat.id);
    Ok(views::chat(chat, &[]))
}

pub(crate) async fn get(control: &Control, args: IdArgs) -> Result<ChatTreeView> {
    let id = args.id.clone();
    let tree = control.ledger(move |ledger| ledger.chat(&id)).await?;
    let tree = tree.ok_or_else(|| ControlError::not_found("chat", &args.id))?;
    Ok(ChatTreeView {
        chat: views::chat(tree.chat, &tree.messages),
        messages: tree.messages.into_iter().map(views::message).collect(),
    })
}

pub(crate) async fn rename(control: &Control, args: RenameChatArgs) -> Result<()> {
    let title: String = args.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = title.chars().take(MOST_TITLE_CHARS).collect();
    if title.is_empty() {
        return Err(ControlError::invalid("A chat needs a title."));
    }
    let id = args.id.clone();
    control.ledger(move |ledger| ledger.rename_chat(&id, &title)).await?;
    control.chats_changed(&args.id);
    Ok(())
}

pub(crate) async fn delete(control: &Control, args: IdArgs) -> Result<()> {
    control.generations().stop_chat(&args.id);
    let id = args.id.clone();
    control.ledger(move |ledger| ledger.delete_chat(&id)).await?;
    control.chats_changed(&args.id);
    Ok(())
}

/// Tells nobody: the window that typed it knows.
pub(crate) async fn set_draft(control: &Control, args: SetDraftArgs) -> Result<()> {
    control.ledger(move |ledger| ledger.set_draft(&args.id, &args.text)).await
}
