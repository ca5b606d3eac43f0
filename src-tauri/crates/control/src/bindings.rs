//! Writes `ui/src/api/bindings.ts`: every type that crosses the control surface, read from the
//! list of commands and the list of events. A test fails when the committed file is not this.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ts_rs::{Config, TS, TypeVisitor};

use crate::error::ControlError;
use crate::table::with_commands;
#[allow(clippy::wildcard_imports, reason = "the table names nearly all of them")]
use crate::types::*;

/// Shown every command and event, with its types.
pub(crate) trait Signatures {
    fn command<A: TS + 'static, R: TS + 'static>(&mut self, name: &'static str);
    fn event<P: TS + 'static>(&mut self, name: &'static str);
}

macro_rules! show_commands {
    ($($name:literal => $module:ident::$handler:ident($args:ty) -> $result:ty;)+) => {
        /// Every command's name, in the list's order.
        pub const COMMANDS: &[&str] = &[$($name,)+];

        fn commands(visit: &mut impl Signatures) {
            $(visit.command::<$args, $result>($name);)+
        }
    };
}
with_commands!(show_commands);

/// The text of `bindings.ts`.
pub fn typescript() -> String {
    // Times, tokens and pico-dollars stay below 2⁵³, where a JavaScript number is still exact:
    // 9 007 US dollars in one sum.
    let mut writer = Writer {
        config: Config::new().with_large_int("number"),
        types: BTreeMap::new(),
        commands: String::new(),
        events: String::new(),
    };
    commands(&mut writer);
    crate::events::signatures(&mut writer);
    writer.visit::<WatchItem>();
    writer.visit::<ControlError>();

    let mut out = String::from(
        "// Generated from src-tauri/crates/control by its tests; do not edit.\n\
         // SIGNALBOX_WRITE_BINDINGS=1 cargo test -p control --lib bindings\n\n",
    );
    for declaration in writer.types.values() {
        out.push_str(declaration);
        out.push('\n');
    }
    let (commands, events) = (&writer.commands, &writer.events);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "\n/** Every command: what it takes and what it gives. */\nexport interface Commands {{\n{commands}}}\n\
         \n/** Every event and its payload. */\nexport interface Events {{\n{events}}}\n"
    );
    out
}

struct Writer {
    config: Config,
    /// Declarations by name.
    types: BTreeMap<String, String>,
    commands: String,
    events: String,
}

impl Signatures for Writer {
    fn command<A: TS + 'static, R: TS + 'static>(&mut self, name: &'static str) {
        self.visit::<A>();
        self.visit::<R>();
        let (args, result) = (A::name(&self.config), R::name(&self.config));
        let _ = writeln!(self.commands, "  \"{name}\": {{ args: {args}; result: {result} }};");
    }

    fn event<P: TS + 'static>(&mut self, name: &'static str) {
        self.visit::<P>();
        let payload = P::name(&self.config);
        let _ = writeln!(self.events, "  \"{name}\": {payload};");
    }
}

impl TypeVisitor for Writer {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only declared types have a file of their own; numbers, lists and options do not.
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            if self.types.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            let declaration = format!("{docs}export {}", T::decl(&self.config));
            let lines: Vec<_> = declaration.lines().map(str::trim_end).collect();
            self.types.insert(name, lines.join("\n"));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../ui/src/api/bindings.ts");

    #[test]
    fn the_committed_bindings_are_the_generated_ones() {
        let generated = typescript();
        if std::env::var_os("SIGNALBOX_WRITE_BINDINGS").is_some() {
            std::fs::write(PATH, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(PATH).unwrap();
        assert!(
            committed == generated,
            "ui/src/api/bindings.ts is stale: SIGNALBOX_WRITE_BINDINGS=1 cargo test -p control --lib bindings"
        );
    }

    #[test]
    fn command_names_are_unique_and_have_a_domain() {
        let names: BTreeSet<_> = COMMANDS.iter().collect();
        assert_eq!(names.len(), COMMANDS.len());
        for name in COMMANDS {
            let (domain, verb) = name.split_once('.').unwrap();
            let is_word = |word: &str| {
                !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
            };
            assert!(is_word(domain) && is_word(verb), "{name}");
        }
    }

    #[test]
    fn no_generated_type_needs_a_bigint() {
        assert!(!typescript().contains("bigint"));
    }
}
