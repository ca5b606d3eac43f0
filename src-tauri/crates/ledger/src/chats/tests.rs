use serde_json::json;

use super::*;
use crate::testing::{Book, Exchange, NOON, usage};
use crate::{Outcome, Record};

fn said(chat: &str, id: &str, parent: Option<&str>, text: &str, at: i64) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        chat_id: chat.to_owned(),
        parent_id: parent.map(str::to_owned),
        role: "user".to_owned(),
        state: MessageState::Complete,
        text: text.to_owned(),
        attachments: None,
        model: None,
        request_id: None,
        created_at: at,
    }
}

fn answer(chat: &str, id: &str, parent: &str, at: i64) -> NewMessage {
    NewMessage {
        role: "assistant".to_owned(),
        state: MessageState::Streaming,
        model: Some("acme/large".to_owned()),
        request_id: Some(format!("request of {id}")),
        ..said(chat, id, Some(parent), "", at)
    }
}

fn progress(id: &str, text: &str) -> Record {
    Record::MessageProgress(MessageProgress {
        id: id.to_owned(),
        text: text.to_owned(),
        ..MessageProgress::default()
    })
}

fn ended(id: &str, state: MessageState, text: &str, at: i64) -> MessageEnded {
    MessageEnded {
        id: id.to_owned(),
        state,
        text: text.to_owned(),
        reasoning: String::new(),
        tool_calls: None,
        model: None,
        error_kind: None,
        error_message: None,
        ended_at: at,
    }
}

fn talk() -> Book {
    let book = Book::new();
    book.ledger.create_chat("c", "Rivers", Some("acme/large"), NOON).unwrap();
    book.ledger
        .add_messages(vec![said("c", "q", None, "Name the longest river", NOON), answer("c", "a", "q", NOON)])
        .unwrap();
    book
}

fn message(book: &Book, id: &str) -> StoredMessage {
    book.ledger.message(id).unwrap().unwrap()
}

fn found(book: &Book, query: &str) -> Vec<String> {
    book.settle();
    book.ledger.chats(Some(query), 100).unwrap().into_iter().map(|chat| chat.id).collect()
}

/// Whether both indexes hold exactly the titles, and the messages that do not stream.
fn assert_index_is_exact(book: &Book) {
    book.settle();
    book.ledger.check().unwrap();
    let count = |sql: &str| -> i64 {
        book.ledger.read(|connection| Ok(connection.query_row(sql, [], |row| row.get(0)).unwrap())).unwrap()
    };
    assert_eq!(
        count("SELECT count(*) FROM message_search_docsize"),
        count("SELECT count(*) FROM messages WHERE state <> 'streaming'")
    );
    assert_eq!(count("SELECT count(*) FROM chat_search_docsize"), count("SELECT count(*) FROM chats"));
}

#[test]
fn an_answer_is_saved_as_it_grows_and_its_end_is_the_last_word() {
    let book = talk();
    assert_eq!(message(&book, "a").state, MessageState::Streaming);
    assert!(book.ledger.chats(None, 10).unwrap()[0].is_streaming);
    book.write(progress("a", "The Ni"));
    book.write(progress("a", "The Nile is"));
    book.settle();
    assert_eq!(message(&book, "a").text, "The Nile is");

    book.write(Record::MessageEnded(MessageEnded {
        reasoning: "Length, so the Nile.".to_owned(),
        tool_calls: Some(json!([{"id": "t", "name": "measure", "arguments": "{}"}])),
        model: Some("globex/huge".to_owned()),
        ..ended("a", MessageState::Complete, "The Nile is the longest.", NOON + 9)
    }));
    book.write(progress("a", "too late"));
    book.write(Record::MessageEnded(ended("a", MessageState::Failed, "twice", NOON + 10)));
    book.settle();
    let answer = message(&book, "a");
    assert_eq!(answer.text, "The Nile is the longest.");
    assert_eq!((answer.state, answer.ended_at), (MessageState::Complete, Some(NOON + 9)));
    assert_eq!(answer.model.as_deref(), Some("globex/huge"));
    assert_eq!(answer.tool_calls.unwrap()[0]["name"], "measure");
    let chat = &book.ledger.chats(None, 10).unwrap()[0];
    assert_eq!((chat.message_count, chat.is_streaming, chat.updated_at), (2, false, NOON + 9));
    assert_index_is_exact(&book);
}

#[test]
fn a_death_mid_answer_keeps_what_had_arrived() {
    let book = talk();
    book.write(progress("a", "The Nile flows"));
    let book = book.reopen();
    let answer = message(&book, "a");
    assert_eq!((answer.state, answer.text.as_str()), (MessageState::Interrupted, "The Nile flows"));
    assert_eq!(found(&book, "nile"), ["c"]);
    assert_index_is_exact(&book);
}

#[test]
fn branches_are_siblings_and_come_in_the_order_they_were_made() {
    let book = talk();
    book.ledger.add_messages(vec![answer("c", "b", "q", NOON - 5)]).unwrap();
    let tree = book.ledger.chat("c").unwrap().unwrap();
    let edges: Vec<_> =
        tree.messages.iter().map(|message| (message.id.as_str(), message.parent_id.as_deref())).collect();
    assert_eq!(edges, [("q", None), ("a", Some("q")), ("b", Some("q"))]);
    assert_eq!(tree.chat.updated_at, NOON, "an older time does not turn the chat's clock back");
    assert_eq!(book.ledger.chat("none").unwrap(), None);
}

#[test]
fn a_message_carries_its_requests_receipt() {
    let book = talk();
    assert_eq!(message(&book, "a").receipt, None, "before the request is written");
    let mut exchange = Exchange::new("request of a", NOON, "acme/large").cost(77);
    exchange.usage = Some(usage(12, 40));
    exchange.write_to(&book);
    book.settle();
    let receipt = message(&book, "a").receipt.unwrap();
    assert_eq!(receipt, book.ledger.receipt("request of a").unwrap().unwrap());
    assert_eq!((receipt.attempts, receipt.cost_picousd), (1, Some(77)));
    assert_eq!(receipt.usage.unwrap().output, 40);
    assert_eq!(receipt.tokens_per_second(), Some(50.0));
    assert_eq!((receipt.provider.as_deref(), receipt.model.as_deref()), (Some("acme"), Some("large")));
    assert_eq!(book.ledger.receipt("none").unwrap(), None);
}

#[test]
fn messages_are_stored_all_or_none() {
    let book = talk();
    let refused = book.ledger.add_messages(vec![
        said("c", "fine", Some("a"), "Go on", NOON),
        said("nowhere", "lost", None, "Hello", NOON),
    ]);
    assert_eq!(refused.unwrap_err().kind(), "not_found");
    assert_eq!(book.ledger.message("fine").unwrap(), None);
}

#[test]
fn titles_drafts_and_attachments_are_kept() {
    let book = talk();
    book.ledger.rename_chat("c", "Long rivers").unwrap();
    book.ledger.set_draft("c", "And the second").unwrap();
    let picture = NewMessage {
        attachments: Some(json!([{"kind": "image", "data": "AAAA"}])),
        ..said("c", "p", Some("q"), "What is this", NOON)
    };
    book.ledger.add_messages(vec![picture]).unwrap();
    let book = book.reopen();
    let tree = book.ledger.chat("c").unwrap().unwrap();
    assert_eq!((tree.chat.title.as_str(), tree.chat.draft.as_str()), ("Long rivers", "And the second"));
    assert_eq!(tree.messages[2].attachments.as_ref().unwrap()[0]["data"], "AAAA");
    for refused in
        [book.ledger.rename_chat("x", "y"), book.ledger.set_draft("x", "y"), book.ledger.delete_chat("x")]
    {
        assert_eq!(refused.unwrap_err(), LedgerError::NotFound { what: "chat", id: "x".to_owned() });
    }
}

#[test]
fn a_deleted_chat_takes_its_messages_and_leaves_its_costs() {
    let book = talk();
    Exchange::new("request of a", NOON, "acme/large").cost(77).write_to(&book);
    book.ledger.delete_chat("c").unwrap();
    // Its answer was still streaming, and goes on for a moment.
    book.write(progress("a", "The Nile"));
    book.write(Record::MessageEnded(ended("a", MessageState::Stopped, "The Nile", NOON)));
    book.settle();
    assert_eq!(book.ledger.chats(None, 10).unwrap(), []);
    assert_eq!(book.ledger.message("q").unwrap(), None);
    assert_eq!(found(&book, "river"), Vec::<String>::new());
    assert_eq!(book.ledger.request("request of a").unwrap().unwrap().request.outcome, Outcome::Ok);
    assert_index_is_exact(&book);
}

#[test]
fn search_finds_parts_of_words_in_titles_and_texts_in_any_script() {
    let book = Book::new();
    for (id, title, text) in [
        ("a", "Weekend in Zürich", "Where do I find good coffee"),
        ("b", "Rust", "Explain the borrow checker to me"),
        ("c", "料理", "東京で一番おいしい寿司屋はどこですか"),
        ("d", "Percent", "What is 50% of a_b \"quoted\" AND NOT OR NEAR(x)"),
    ] {
        book.ledger.create_chat(id, title, None, NOON).unwrap();
        book.ledger.add_messages(vec![said(id, &format!("m{id}"), None, text, NOON)]).unwrap();
    }
    for (query, expected) in [
        ("coffee", vec!["a"]),
        ("COFF", vec!["a"]),
        ("zurich", vec!["a"]),
        ("checker borrow", vec!["b"]),
        ("borrow coffee", vec![]),
        ("寿司屋", vec!["c"]),
        ("寿司", vec!["c"]),
        ("料理", vec!["c"]),
        ("0%", vec!["d"]),
        ("a_b", vec!["d"]),
        ("\"quoted\"", vec!["d"]),
        ("NEAR(x)", vec!["d"]),
        ("%", vec!["d"]),
        ("me", vec!["b"]),
        ("to me borrow", vec!["b"]),
        ("\\", vec![]),
        ("", vec!["d", "c", "b", "a"]),
        ("   ", vec!["d", "c", "b", "a"]),
    ] {
        assert_eq!(found(&book, query), expected, "{query:?}");
    }
}

#[test]
fn a_new_title_replaces_the_old_one_in_search() {
    let book = talk();
    book.ledger.rename_chat("c", "Mountains").unwrap();
    assert_eq!(found(&book, "rivers"), Vec::<String>::new());
    assert_eq!(found(&book, "mountain"), ["c"]);
    assert_index_is_exact(&book);
}

#[test]
fn the_last_used_chat_comes_first_and_the_limit_holds() {
    let book = Book::new();
    for n in 0..5 {
        book.ledger.create_chat(&n.to_string(), "Chat", None, NOON + n).unwrap();
    }
    book.ledger.add_messages(vec![said("1", "m", None, "Back again", NOON + 100)]).unwrap();
    let ids: Vec<_> = book.ledger.chats(None, 3).unwrap().into_iter().map(|chat| chat.id).collect();
    assert_eq!(ids, ["1", "4", "3"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever is typed, search answers; it never becomes an operator or an error.
    #[test]
    fn any_query_is_answered(query in "\\PC{0,40}") {
        let book = talk();
        book.ledger.chats(Some(&query), 10).unwrap();
    }
}
