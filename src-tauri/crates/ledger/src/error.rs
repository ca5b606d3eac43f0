//! What can go wrong with the ledger, in words that say what, where and what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A failure of the ledger. `Display` is for people; code matches on the variant.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum LedgerError {
    #[error("The ledger {} is in use by another running Signalbox. Use that one, or quit it first.", path.display())]
    InUse { path: PathBuf },
    #[error(
        "The ledger {} is locked by another program. Close the program that has it open (a database browser, a backup). A running Signalbox keeps trying until then.",
        path.display()
    )]
    Locked { path: PathBuf },
    #[error(
        "The ledger {} is damaged ({detail}). Nothing was changed. It can be moved aside and a new one begun, or restored from a backup.",
        path.display()
    )]
    Corrupt { path: PathBuf, detail: String },
    #[error("The disk that holds {} is full. Free some space. A running Signalbox keeps what it can in memory until then.", path.display())]
    Full { path: PathBuf },
    #[error("The ledger {} cannot be written. Check the permissions of the file and of its folder.", path.display())]
    ReadOnly { path: PathBuf },
    #[error(
        "The ledger {} was written by a newer Signalbox (schema {found}, this one knows {known}). Install the newer version, or use another data folder.",
        path.display()
    )]
    TooNew { path: PathBuf, found: u32, known: u32 },
    #[error("There is no ledger at {}. Start Signalbox once with this data folder, or name the right one.", path.display())]
    Missing { path: PathBuf },
    #[error("The ledger {} could not be read or written: {detail}. Check the disk and the folder's permissions.", path.display())]
    Io { path: PathBuf, detail: String },
    /// A name that must be unique is taken.
    #[error("There is already {what} named \"{name}\". Choose another name.")]
    NameTaken { what: &'static str, name: String },
    #[error("There is no {what} {id}.")]
    NotFound { what: &'static str, id: String },
    /// The writer has ended; only happens while the program shuts down.
    #[error("The ledger is closed.")]
    Closed,
    /// SQL that failed for a reason of ours.
    #[error("The ledger {} refused a statement: {detail}. This is a fault in Signalbox; please report it.", path.display())]
    Internal { path: PathBuf, detail: String },
}

impl LedgerError {
    /// The stable word for UIs and logs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "in_use",
            Self::Locked { .. } => "locked",
            Self::Corrupt { .. } => "corrupt",
            Self::Full { .. } => "full",
            Self::ReadOnly { .. } => "read_only",
            Self::TooNew { .. } => "too_new",
            Self::Missing { .. } => "missing",
            Self::Io { .. } => "io",
            Self::NameTaken { .. } => "name_taken",
            Self::NotFound { .. } => "not_found",
            Self::Closed => "closed",
            Self::Internal { .. } => "internal",
        }
    }

    /// Whether the place is at fault rather than the one record: the same write may succeed later.
    pub(crate) const fn is_environmental(&self) -> bool {
        !matches!(self, Self::Internal { .. } | Self::NameTaken { .. } | Self::NotFound { .. })
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { path, detail: error.to_string() },
        }
    }

    pub(crate) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let owned = path.to_owned();
        let rusqlite::Error::SqliteFailure(code, message) = error else {
            // A stored word or number of the wrong type is damage; anything else is our own SQL.
            return match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => {
                    Self::Corrupt { path: owned, detail: format!("an unreadable value: {error}") }
                }
                _ => Self::Internal { path: owned, detail: error.to_string() },
            };
        };
        let detail = message.clone().unwrap_or_else(|| code.to_string());
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked { path: owned },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt { path: owned, detail },
            ErrorCode::DiskFull => Self::Full { path: owned },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { path: owned },
            ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => {
                Self::Io { path: owned, detail }
            }
            _ => Self::Internal { path: owned, detail },
        }
    }
}
