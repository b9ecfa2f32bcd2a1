//! SFZ instruments: our own reader of the text, and what the opcodes mean.
//!
//! `source` has bytes and paths, `lex` the text's pieces, `reader` includes and variables, `assemble` the levels. What
//! opcodes there are stands in `table`, what each sets in `op`. Everything is bounded, whatever the bytes: see the
//! constants of `reader` and `assemble`.
//! Source: sfzformat.com.

mod assemble;
#[cfg(test)]
mod coverage;
mod curves;
mod generate;
mod lex;
mod load;
mod op;
mod opcodes;
mod plan;
mod reader;
mod region;
mod source;
mod table;
mod value;
mod warnings;

pub use load::load_sfz;
