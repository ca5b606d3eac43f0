//! How many of the models that recorded requests ask for find a price and a context window, by
//! provider: printed, and held to what was reached.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_tests::corpus;

/// What the path names, as Gemini's and Bedrock's do.
fn in_path(path: &str) -> Option<String> {
    let rest = path.split_once("/model/").or_else(|| path.split_once("/models/"))?.1;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let name = rest[..end].replace("%3A", ":").replace("%2F", "/");
    // Behind Gemini's colon stands what is to be done.
    let is_deed = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase());
    Some(match name.rsplit_once(':') {
        Some((model, deed)) if is_deed(deed) && !name.starts_with("arn:") => model.to_owned(),
        _ => name,
    })
}

#[derive(Default)]
struct Join {
    models: usize,
    priced: usize,
    windows: usize,
    missing: Vec<String>,
}

#[test]
fn recorded_models_find_their_prices_and_windows() {
    let Some(records) = corpus::everything() else { return };
    let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.response.status == 200) {
        let Some(request) = &record.request else { continue };
        let said = request.body.as_ref().and_then(|body| body["model"].as_str()).map(str::to_owned);
        if let Some(model) = said.or_else(|| in_path(&request.path)) {
            asked.entry(record.provider.clone()).or_default().insert(model);
        }
    }
    let mut all = Join::default();
    for (provider, models) in &asked {
        let Some(prices) = catalog::kind(provider).and_then(|kind| kind.price_provider.as_deref()) else {
            continue;
        };
        let mut join = Join { models: models.len(), ..Join::default() };
        for model in models {
            match catalog::models::model(prices, model) {
                Some(info) => {
                    join.priced += usize::from(info.input_usd_per_mtok.is_some());
                    join.windows += usize::from(info.context_window.is_some());
                }
                None => join.missing.push(model.clone()),
            }
        }
        println!(
            "{provider}: {} models, {} priced, {} with a window; not in the table: {}",
            join.models,
            join.priced,
            join.windows,
            join.missing.join(", ")
        );
        all.models += join.models;
        all.priced += join.priced;
        all.windows += join.windows;
    }
    println!("all: {} models, {} priced, {} with a window", all.models, all.priced, all.windows);
    // The others are models that the table of today no longer has.
    assert!(all.priced >= 154 && all.windows >= 153, "{} and {} of {}", all.priced, all.windows, all.models);
}
