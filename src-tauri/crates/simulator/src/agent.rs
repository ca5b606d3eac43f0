//! Who asks: a program in a closed loop, whose conversation grows with each turn.

use crate::chance::Chance;
use crate::scenario::Agents;
use crate::span::Micros;

/// A conversation longer than this is begun anew.
const LONGEST_CONVERSATION: u64 = 60_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Agent {
    pub(crate) conversation: u64,
    /// Tokens said so far.
    context: u64,
    turns_left: u32,
    pub(crate) messages: u32,
    /// Who answered last.
    pub(crate) last_target: Option<usize>,
    /// Asks no more after this.
    pub(crate) until: Micros,
}

/// One question, and the answer it will get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Agent {
    pub(crate) fn new(until: Micros) -> Self {
        Self { conversation: 0, context: 0, turns_left: 0, messages: 0, last_target: None, until }
    }

    pub(crate) fn ask(&mut self, spec: &Agents, chance: &mut Chance) -> Question {
        if self.turns_left == 0 || self.context > LONGEST_CONVERSATION {
            self.conversation = chance.word();
            self.context = 0;
            self.messages = 0;
            self.last_target = None;
            self.turns_left = chance.exponential(f64::from(spec.turns)).ceil().max(1.0) as u32;
        }
        let asked = chance.lognormal(f64::from(spec.question), 0.8).max(1.0) as u64;
        let answer = chance.lognormal(f64::from(spec.answer), 0.8) as u64;
        Question { input: self.context + asked, output: answer.clamp(1, u64::from(spec.max_answer)) }
    }

    pub(crate) fn was_answered(&mut self, question: Question) {
        self.context = question.input + question.output;
        self.messages += 2;
        self.turns_left = self.turns_left.saturating_sub(1);
    }
}
