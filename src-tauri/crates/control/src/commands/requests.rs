//! One request with everything that the book knows of it.

use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{IdArgs, RequestView};
use crate::views;

pub(crate) async fn get(control: &Control, args: IdArgs) -> Result<RequestView> {
    let id = args.id.clone();
    let detail = control.ledger(move |ledger| ledger.request(&id)).await?;
    detail.map(views::request).ok_or_else(|| ControlError::not_found("request", &args.id))
}
