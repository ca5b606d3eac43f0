//! Whether a request is of the kind that a rule names.

use canonical::glob::fits;

use crate::ask::Ask;
use crate::classify::Class;
use crate::policy::Condition;

impl Condition {
    /// Whether everything that the condition says holds for the request.
    pub fn holds(&self, ask: &Ask, class: Class) -> bool {
        let traits = &ask.traits;
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        any(&self.models, &ask.model)
            && any(&self.clients, ask.client.as_deref().unwrap_or_default())
            && (self.tags.is_empty() || self.tags.iter().any(|tag| ask.tags.contains(tag)))
            && (self.tasks.is_empty() || self.tasks.contains(&class))
            && self.min_input_tokens.is_none_or(|least| traits.input_tokens >= least)
            && self.max_input_tokens.is_none_or(|most| traits.input_tokens <= most)
            && is(self.tools, traits.tools > 0)
            && is(self.images, traits.images)
            && is(self.schema, traits.schema)
            && is(self.code, traits.code)
    }

    /// Whether it says nothing, and so holds for every request.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn any(globs: &[String], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| fits(glob, name))
}
