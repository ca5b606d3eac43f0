//! The chat from end to end: command, core, gateway, the rehearsal over HTTP, and the book.

use crate::support::{Core, event, shown, text};
use control::types::{CostStatus, MessageState, WatchKind};
use control::{ControlErrorKind, ControlEvent};
use futures_util::StreamExt;
use ledger::Ledger;
use serde_json::json;

#[tokio::test]
async fn an_answer_streams_is_saved_and_carries_its_receipt() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain the history of tea", "rehearsal/steady").await;
    let message_id = text(&sent["message_id"]);
    let items = core.watch(&message_id, 0).await;

    let message = items.last().unwrap().message.clone().unwrap();
    let (seen, numbers) = shown(&items);
    assert!(items.len() > 5, "it came in {} items", items.len());
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(message.text.starts_with(&seen) && !seen.is_empty(), "{seen:?}");
    assert_eq!(message.state, MessageState::Complete);
    assert_eq!(message.parent_id.as_deref(), sent["user_message_id"].as_str());

    let receipt = message.receipt.clone().unwrap();
    assert_eq!(sent["request_id"], receipt.request_id);
    assert_eq!((receipt.provider.as_deref(), receipt.attempts), (Some("rehearsal"), 1));
    assert_eq!((receipt.cost_picousd, receipt.cost_status), (Some(0), CostStatus::Computed));
    assert!(receipt.usage.unwrap().output > 0);
    assert!(receipt.time_to_first_token_ms.unwrap() <= receipt.duration_ms.unwrap());

    let tree = core.call("chats.get", json!({"id": chat})).await;
    assert_eq!(tree["messages"][1]["text"], message.text);
    assert_eq!(tree["messages"][1]["receipt"]["request_id"], sent["request_id"]);
    assert_eq!(tree["chat"]["title"], "Explain the history of tea");
    assert_eq!(tree["chat"]["model"], "rehearsal/steady");
    let request = core.call("requests.get", json!({"id": sent["request_id"]})).await;
    assert_eq!((&request["dialect"], &request["status"]), (&json!("chat"), &json!("ok")));
    assert_eq!(request["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_message_is_on_disk_before_the_provider_is_asked() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea\n/drill slow-start 60", "rehearsal/fast").await;
    // Another connection sees what is on disk, not what is in a queue.
    let path = core.folder.path().join("data").join(ledger::FILE_NAME);
    let beside = Ledger::attach_existing(&path, 0).unwrap();
    let tree = beside.chat(&chat).unwrap().unwrap();
    let states: Vec<_> = tree.messages.iter().map(|message| message.state).collect();
    assert_eq!(states, [ledger::MessageState::Complete, ledger::MessageState::Streaming]);
    assert_eq!(tree.messages[1].request_id.as_deref(), sent["request_id"].as_str());
    core.call("chat.stop", json!({"message_id": sent["message_id"]})).await;
    core.ended(&text(&sent["message_id"])).await;
}

#[tokio::test]
async fn stop_works_before_the_first_word() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea\n/drill slow-start 600", "rehearsal/steady").await;
    core.call("chat.stop", json!({"message_id": sent["message_id"]})).await;
    let message = core.ended(&text(&sent["message_id"])).await;
    assert_eq!((message.state, message.text.as_str()), (MessageState::Stopped, ""));
    assert!(message.error.is_none());
    let request = core.call("requests.get", json!({"id": sent["request_id"]})).await;
    assert_eq!(request["status"], "cancelled");
}

#[tokio::test]
async fn stop_keeps_what_had_arrived() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea\n/drill stall", "rehearsal/fast").await;
    let message_id = text(&sent["message_id"]);
    let mut items = core.control.watch(&message_id, 0).await.unwrap();
    let first = tokio::time::timeout(crate::support::PATIENCE, items.next()).await.unwrap().unwrap();
    assert_ne!(first.kind, WatchKind::End);
    core.call("chat.stop", json!({"message_id": message_id})).await;
    let message = core.ended(&message_id).await;
    assert_eq!(message.state, MessageState::Stopped);
    assert!(message.text.starts_with(&first.text.unwrap()));
    // Stopping what has ended changes nothing.
    core.call("chat.stop", json!({"message_id": message_id})).await;
    assert_eq!(core.ended(&message_id).await, message);
}

#[tokio::test]
async fn what_arrives_is_on_disk_while_the_answer_still_streams() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea\n/drill stall", "rehearsal/fast").await;
    let message_id = text(&sent["message_id"]);
    let path = core.folder.path().join("data").join(ledger::FILE_NAME);
    let beside = Ledger::attach_existing(&path, 0).unwrap();
    let saved = async {
        loop {
            let message = beside.message(&message_id).unwrap().unwrap();
            if !message.text.is_empty() {
                return message;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let message = tokio::time::timeout(crate::support::PATIENCE, saved).await.unwrap();
    assert_eq!(message.state, ledger::MessageState::Streaming);
    core.call("chat.stop", json!({"message_id": message_id})).await;
    core.ended(&message_id).await;
}

#[tokio::test]
async fn two_watchers_see_the_same_and_one_that_comes_back_gets_a_snapshot() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea", "rehearsal/steady").await;
    let message_id = text(&sent["message_id"]);
    let mut first = core.control.watch(&message_id, 0).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(first.next().await.unwrap());
    }
    drop(first);
    let back = core.watch(&message_id, 1).await;
    assert_eq!(back[0].kind, WatchKind::Snapshot);
    assert!(back[0].text.as_ref().unwrap().starts_with(&shown(&seen).0));
    let end = back.last().unwrap().message.clone().unwrap();
    assert!(end.text.starts_with(&shown(&back).0));
}

#[tokio::test]
async fn regenerating_makes_a_sibling_and_overwrites_nothing() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea", "rehearsal/fast").await;
    let first = core.ended(&text(&sent["message_id"])).await;
    let again =
        core.call("chat.regenerate", json!({"message_id": first.id, "model": "rehearsal/thinker"})).await;
    core.call("chat.stop", json!({"message_id": again["message_id"]})).await;
    let second = core.ended(&text(&again["message_id"])).await;
    assert_eq!(
        (second.parent_id.clone(), again["user_message_id"].as_str()),
        (first.parent_id.clone(), first.parent_id.as_deref())
    );
    assert_ne!(second.id, first.id);
    let tree = core.call("chats.get", json!({"id": chat})).await;
    assert_eq!(tree["messages"].as_array().unwrap().len(), 3);
    assert_eq!(tree["messages"][1]["text"], first.text);
}

#[tokio::test]
async fn the_history_of_a_branch_is_sent_and_its_beginning_comes_from_the_cache() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea", "rehearsal/fast").await;
    let first = core.ended(&text(&sent["message_id"])).await;
    let sent = core.send(&chat, Some(&first.id), "And coffee?", "rehearsal/fast").await;
    let second = core.ended(&text(&sent["message_id"])).await;
    let (before, after) = (first.receipt.unwrap().usage.unwrap(), second.receipt.unwrap().usage.unwrap());
    assert_eq!(after.cache_read, before.input, "the first question was sent again");
    assert!(after.input > before.input + before.output, "the first answer was sent as well");
}

#[tokio::test]
async fn thoughts_and_tool_calls_are_kept_apart_from_the_text() {
    let core = Core::start().await;
    let message = core.answer("Explain tea\n/drill parallel-tools", "rehearsal/fast").await;
    assert_eq!((message.text.as_str(), message.tool_calls.len()), ("", 2));
    assert_eq!(message.receipt.unwrap().finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!(message.tool_calls[0].name, "rehearsal_lookup");
}

#[tokio::test]
async fn thoughts_are_shown_before_the_answer_and_kept() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea", "rehearsal/thinker").await;
    let message_id = text(&sent["message_id"]);
    let mut items = core.control.watch(&message_id, 0).await.unwrap();
    let first = tokio::time::timeout(crate::support::PATIENCE, items.next()).await.unwrap().unwrap();
    let thought = first.reasoning.unwrap();
    assert!(!thought.is_empty() && first.text.unwrap_or_default().is_empty());
    core.call("chat.stop", json!({"message_id": message_id})).await;
    let message = core.ended(&message_id).await;
    assert!(message.reasoning.starts_with(&thought));
    assert_eq!(message.text, "");
}

#[tokio::test]
async fn a_route_fails_over_and_the_receipt_says_so() {
    let settings = "[[route]]\nname = \"best\"\ntargets = [{ provider = \"rehearsal\", model = \"drill-401\" }, \
                    { provider = \"rehearsal\", model = \"fast\" }]\n";
    let core = Core::start_with(settings).await;
    let mut events = core.control.subscribe();
    let message = core.answer("Explain tea", "best").await;
    let receipt = message.receipt.unwrap();
    assert_eq!((receipt.route.as_deref(), receipt.attempts), (Some("best"), 2));
    assert_eq!((receipt.provider.as_deref(), receipt.model.as_deref()), (Some("rehearsal"), Some("fast")));
    assert_eq!((message.state, message.model.as_deref()), (MessageState::Complete, Some("best")));
    let failed = event(&mut events, |event| matches!(event, ControlEvent::AttemptFailed(_))).await;
    assert_eq!(failed.data()["model"], "drill-401");
    let request = core.call("requests.get", json!({"id": receipt.request_id})).await;
    let outcomes: Vec<_> =
        request["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, [&json!("failed"), &json!("ok")]);
}

#[tokio::test]
async fn a_failed_answer_says_why_and_keeps_its_request() {
    let core = Core::start().await;
    for (drill, kind) in
        [("429 0", "rate_limited"), ("500-html", "invalid_response"), ("401", "authentication")]
    {
        let message = core.answer(&format!("Explain tea\n/drill {drill}"), "rehearsal/fast").await;
        assert_eq!(message.state, MessageState::Failed, "{drill}");
        let error = message.error.unwrap();
        // What an HTML page at status 500 is called is the gateway's to say.
        if drill != "500-html" {
            assert_eq!(error.kind, kind, "{drill}: {}", error.message);
        }
        assert!(message.receipt.unwrap().attempts >= 1);
    }
    let message = core.answer("Hello", "nobody/nothing").await;
    assert_eq!((message.state, message.error.unwrap().kind.as_str()), (MessageState::Failed, "not_found"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_truncated_and_keeps_what_came() {
    let core = Core::start().await;
    let message = core.answer("Explain tea\n/drill cut", "rehearsal/fast").await;
    assert_eq!(message.state, MessageState::Truncated);
    assert!(!message.text.is_empty() && message.error.is_some());
    let health = core.call("health.list", json!({"minutes": 60})).await;
    assert_eq!((&health[0]["truncated"], &health[0]["lamp"]), (&json!(1), &json!("degraded")));
}

#[tokio::test]
async fn shutting_down_marks_what_ran_as_interrupted_and_a_restart_still_has_it() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain tea\n/drill stall", "rehearsal/fast").await;
    let message_id = text(&sent["message_id"]);
    let mut items = core.control.watch(&message_id, 0).await.unwrap();
    let first = items.next().await.unwrap().text.unwrap();
    drop(items);
    let core = core.restart().await;
    let message = core.ended(&message_id).await;
    assert_eq!(message.state, MessageState::Interrupted);
    assert!(message.text.starts_with(&first));
}

#[tokio::test]
async fn chats_are_found_renamed_and_deleted_and_say_so() {
    let core = Core::start().await;
    let mut events = core.control.subscribe();
    let chat = core.new_chat().await;
    let sent = core.send(&chat, None, "Explain the history of tea", "rehearsal/fast").await;
    core.ended(&text(&sent["message_id"])).await;
    core.call("chats.set_draft", json!({"id": chat, "text": "half a thought"})).await;
    core.call("chats.rename", json!({"id": chat, "title": "  Tea\n again "})).await;
    let found = core.call("chats.list", json!({"query": "tea again"})).await;
    assert_eq!((&found[0]["id"], &found[0]["draft"]), (&json!(chat), &json!("half a thought")));
    assert_eq!(core.call("chats.list", json!({"query": "zebra"})).await, json!([]));
    core.call("chats.delete", json!({"id": chat})).await;
    let missing = core.ask("chats.get", json!({"id": chat})).await.unwrap_err();
    assert_eq!(missing.kind, ControlErrorKind::NotFound);
    event(
        &mut events,
        |event| matches!(event, ControlEvent::ChatsChanged(changed) if changed.chat_id == chat),
    )
    .await;
    event(&mut events, |event| matches!(event, ControlEvent::RequestSettled(_))).await;
}

#[tokio::test]
async fn an_empty_message_and_an_unknown_parent_are_refused_and_nothing_is_saved() {
    let core = Core::start().await;
    let chat = core.new_chat().await;
    for (words, parent, kind) in
        [("  ", None, ControlErrorKind::Invalid), ("Hello", Some("elsewhere"), ControlErrorKind::NotFound)]
    {
        let args = json!({"chat_id": chat, "parent_id": parent, "text": words, "model": "rehearsal/fast"});
        assert_eq!(core.ask("chat.send", args).await.unwrap_err().kind, kind);
    }
    let tree = core.call("chats.get", json!({"id": chat})).await;
    assert_eq!(tree["messages"], json!([]));
    let missing = core.control.watch("nothing", 0).await.err().unwrap();
    assert_eq!(missing.kind, ControlErrorKind::NotFound);
}
