//! Cuts text into words inside the engine, with the cutter that queries and the matcher use.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::query::text::Words;

/// The name the schema knows the tokenizer by.
pub(super) const WORDS_TOKENIZER: &str = "weir_words";

#[derive(Debug, Clone, Default)]
pub(super) struct WordsTokenizer {
    token: Token,
}

pub(super) struct WordsStream<'a> {
    words: Words<'a>,
    token: &'a mut Token,
}

impl Tokenizer for WordsTokenizer {
    type TokenStream<'a> = WordsStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordsStream<'a> {
        self.token.reset();
        WordsStream { words: Words::new(text), token: &mut self.token }
    }
}

impl TokenStream for WordsStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(position) = self.words.next_into(&mut self.token.text) else { return false };
        self.token.position = position as usize;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
