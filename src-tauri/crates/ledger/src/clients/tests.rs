use crate::testing::{Book, NOON};
use crate::{Client, Ledger, Record};

fn client(id: &str, name: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: name.to_owned(),
        key_hash: format!("hash of {id}"),
        key_hint: "wxyz".to_owned(),
        created_at: NOON,
        last_seen_at: None,
    }
}

#[test]
fn a_key_added_beside_the_owner_counts_at_once() {
    let book = Book::new();
    assert_eq!(book.ledger.find_client("hash of a").unwrap(), None);
    let helper = Ledger::attach(&book.path(), NOON).unwrap();
    helper.add_client(client("a", "notebook")).unwrap();
    assert_eq!(book.ledger.find_client("hash of a").unwrap(), Some(client("a", "notebook")));
    assert_eq!(book.ledger.clients().unwrap(), helper.clients().unwrap());
}

#[test]
fn a_revoked_key_opens_nothing_and_frees_its_name() {
    let book = Book::new();
    book.ledger.add_client(client("a", "notebook")).unwrap();
    let taken = book.ledger.add_client(client("b", "notebook")).unwrap_err();
    assert_eq!(taken.kind(), "name_taken");
    assert!(taken.to_string().contains("notebook"), "{taken}");
    book.ledger.revoke_client("a", NOON + 1).unwrap();
    assert_eq!(book.ledger.find_client("hash of a").unwrap(), None);
    assert_eq!(book.ledger.revoke_client("a", NOON + 2).unwrap_err().kind(), "not_found");
    book.ledger.add_client(client("b", "notebook")).unwrap();
    assert_eq!(book.ledger.clients().unwrap(), [client("b", "notebook")]);
}

#[test]
fn the_last_use_of_a_key_never_goes_backwards() {
    let book = Book::new();
    book.ledger.add_client(client("a", "notebook")).unwrap();
    for at in [NOON + 5, NOON + 9, NOON + 7] {
        book.write(Record::ClientSeen { id: "a".to_owned(), at });
    }
    book.settle();
    assert_eq!(book.ledger.clients().unwrap()[0].last_seen_at, Some(NOON + 9));
}

#[test]
fn a_clients_json_holds_no_hash() {
    let json = serde_json::to_string(&client("a", "notebook")).unwrap();
    assert!(!json.contains("hash"), "{json}");
}
