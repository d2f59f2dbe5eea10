//! The parser, from tokens to a graph:
//!
//! ```text
//! text      = NAME "=" sum { ";" parameter }
//! sum       = product { ("+" | "-") product }
//! product   = unary { ("*" | "/") unary }
//! unary     = "-" unary | primary [ "^" unary ]
//! primary   = NUMBER | "x" | "pi" | PARAMETER | FUNCTION "(" sum { "," sum } ")" | "(" sum ")"
//! parameter = [ "fixed" ] NAME "=" number [ "swap" number ]
//! number    = [ "-" ] NUMBER
//! ```

use std::f64::consts::PI;

use super::error::{WrittenError, WrittenErrorKind as Kind};
use super::graph::{Full, Graph, MAX_EXPONENT};
use super::limits::{MAX_DEPTH, MAX_PARAMS};
use super::names;
use super::param::{Setting, WrittenParam};
use super::token::{Token, What, tokens};
use crate::kernel::cpu::activation::program::{Node, Operation};

/// The tokens that are not read yet.
pub(super) struct Cursor<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    next: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Result<Self, WrittenError> {
        Ok(Cursor { text, tokens: tokens(text)?, next: 0 })
    }

    pub fn tokens(&self) -> &[Token<'t>] {
        &self.tokens
    }

    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).copied()
    }

    /// The place of the next token.
    fn place(&self) -> usize {
        self.peek().map_or(self.text.chars().count(), |token| token.place)
    }

    pub fn error(&self, place: usize, kind: Kind) -> WrittenError {
        WrittenError::new(self.text, place, kind)
    }

    fn expected(&self, expected: &'static str) -> WrittenError {
        let found = self.peek().map(|token| token.text.to_owned());
        self.error(self.place(), Kind::Expected { expected, found })
    }

    /// The next token, if it is one of these symbols or words.
    fn take(&mut self, symbols: &[&str]) -> Option<Token<'t>> {
        let token = self.peek().filter(|token| symbols.iter().any(|text| token.is(text) || token.is_word(text)))?;
        self.next += 1;
        Some(token)
    }

    fn expect(&mut self, symbol: &str, expected: &'static str) -> Result<Token<'t>, WrittenError> {
        self.take(&[symbol]).ok_or_else(|| self.expected(expected))
    }

    /// A name that means nothing else.
    pub fn new_name(&mut self, expected: &'static str) -> Result<Token<'t>, WrittenError> {
        let token = self.peek().filter(|token| token.what == What::Name).ok_or_else(|| self.expected(expected))?;
        if let Some(meaning) = names::meaning(token.text) {
            return Err(self.error(token.place, Kind::Taken { name: token.text.to_owned(), meaning }));
        }
        self.next += 1;
        Ok(token)
    }

    fn number(&mut self) -> Result<f64, WrittenError> {
        let negative = self.take(&["-"]).is_some();
        match self.peek() {
            Some(Token { what: What::Number(number), .. }) => {
                self.next += 1;
                Ok(if negative { -number } else { number })
            }
            _ => Err(self.expected("a number")),
        }
    }

    /// The parameters, separated by `;`, up to the end.
    pub fn settings(&mut self, first: &str) -> Result<Vec<Setting>, WrittenError> {
        let mut settings: Vec<Setting> = Vec::new();
        loop {
            let fixed = self.take(&["fixed"]).is_some();
            let token = self.new_name("the name of a parameter")?;
            if token.text == first || settings.iter().any(|other| other.name == token.text) {
                return Err(self.error(token.place, Kind::Doubled(token.text.to_owned())));
            }
            if settings.len() == MAX_PARAMS {
                return Err(self.error(token.place, Kind::TooManyParams));
            }
            self.expect("=", "`=` and a number")?;
            let start = self.number()?;
            let swapped = if self.take(&["swap"]).is_some() { Some(self.number()?) } else { None };
            settings.push(Setting { name: token.text.to_owned(), place: token.place, start, swapped, fixed });
            match self.peek() {
                None => return Ok(settings),
                Some(_) => self.expect(";", "`;` or the end")?,
            };
        }
    }
}

/// An activation as it is read from a text.
pub(super) struct Formula {
    pub name: String,
    pub params: Vec<WrittenParam>,
    pub graph: Graph,
    /// For each node, the place in the text of the operation that it was first computed for.
    pub places: Vec<usize>,
    /// The node of the value.
    pub value: usize,
}

pub(super) fn formula(cursor: &mut Cursor<'_>) -> Result<Formula, WrittenError> {
    let name = cursor.new_name("the name of the activation")?.text;
    cursor.expect("=", "`=` and a formula")?;
    let start = cursor.next;
    // The formula is read when the parameters are known.
    while cursor.peek().is_some_and(|token| !token.is(";")) {
        cursor.next += 1;
    }
    let settings = if cursor.take(&[";"]).is_some() { cursor.settings(name)? } else { Vec::new() };
    cursor.next = start;

    let mut parser = Parser {
        cursor,
        settings: &settings,
        used: vec![false; settings.len()],
        uses_x: false,
        depth: 0,
        graph: Graph::default(),
        places: Vec::new(),
    };
    let value = parser.sum()?;
    if parser.cursor.peek().is_some_and(|token| !token.is(";")) {
        return Err(parser.cursor.expected("an operator, `;` or the end"));
    }
    let Parser { used, uses_x, graph, places, .. } = parser;
    if let Some((setting, _)) = settings.iter().zip(used).find(|&(_, used)| !used) {
        return Err(cursor.error(setting.place, Kind::Unused(setting.name.clone())));
    }
    if !uses_x {
        return Err(cursor.error(cursor.tokens[start].place, Kind::WithoutX));
    }
    let params = settings.into_iter().map(WrittenParam::from).collect();
    Ok(Formula { name: name.to_owned(), params, graph, places, value })
}

struct Parser<'p, 't> {
    cursor: &'p mut Cursor<'t>,
    settings: &'p [Setting],
    used: Vec<bool>,
    uses_x: bool,
    depth: usize,
    graph: Graph,
    places: Vec<usize>,
}

impl Parser<'_, '_> {
    fn sum(&mut self) -> Result<usize, WrittenError> {
        let mut sum = self.product()?;
        while let Some(sign) = self.cursor.take(&["+", "-"]) {
            let operation = if sign.is("+") { Operation::Add } else { Operation::Subtract };
            let next = self.product()?;
            sum = self.make(sign.place, |graph| graph.binary(operation, sum, next))?;
        }
        Ok(sum)
    }

    fn product(&mut self) -> Result<usize, WrittenError> {
        let mut product = self.unary()?;
        while let Some(sign) = self.cursor.take(&["*", "/"]) {
            let operation = if sign.is("*") { Operation::Multiply } else { Operation::Divide };
            let next = self.unary()?;
            product = self.make(sign.place, |graph| graph.binary(operation, product, next))?;
        }
        Ok(product)
    }

    fn unary(&mut self) -> Result<usize, WrittenError> {
        if let Some(sign) = self.cursor.take(&["-"]) {
            let value = self.nested(sign.place, Self::unary)?;
            return self.make(sign.place, |graph| graph.unary(Operation::Negate, value));
        }
        let base = self.primary()?;
        let Some(sign) = self.cursor.take(&["^"]) else { return Ok(base) };
        let place = self.cursor.place();
        let exponent = self.nested(sign.place, Self::unary)?;
        match (self.graph.value(base), self.graph.value(exponent)) {
            (None, Some(value)) if value.fract() == 0.0 && value.abs() > MAX_EXPONENT => {
                Err(self.cursor.error(place, Kind::Exponent(value)))
            }
            _ => self.make(sign.place, |graph| graph.power(base, exponent)),
        }
    }

    fn primary(&mut self) -> Result<usize, WrittenError> {
        const EXPECTED: &str = "a number, a name, `-` or `(`";
        let token = self.cursor.peek().ok_or_else(|| self.cursor.expected(EXPECTED))?;
        let node = match token.what {
            What::Number(number) => Node::Constant(number),
            What::Symbol if token.is("(") => {
                self.cursor.next += 1;
                let value = self.nested(token.place, Self::sum)?;
                self.cursor.expect(")", "an operator or `)`")?;
                return Ok(value);
            }
            What::Symbol => return Err(self.cursor.expected(EXPECTED)),
            What::Name if token.text == "x" => {
                self.uses_x = true;
                Node::X
            }
            What::Name if token.text == "pi" => Node::Constant(PI),
            What::Name => match self.settings.iter().position(|setting| setting.name == token.text) {
                Some(param) => {
                    self.used[param] = true;
                    Node::Param(param)
                }
                None => return self.call(token),
            },
        };
        self.cursor.next += 1;
        self.make(token.place, |graph| graph.node(node))
    }

    /// A function, or a name that is not known.
    fn call(&mut self, name: Token<'_>) -> Result<usize, WrittenError> {
        let operation = names::function(name.text);
        self.cursor.next += 1;
        let open = self.cursor.take(&["("]);
        let operation = match (operation, open) {
            (Some(operation), Some(_)) => operation,
            (Some(_), None) => return Err(self.cursor.expected("`(` and the argument of the function")),
            (None, Some(_)) => return Err(self.cursor.error(name.place, Kind::UnknownFunction(name.text.to_owned()))),
            (None, None) => return Err(self.cursor.error(name.place, Kind::UnknownName(name.text.to_owned()))),
        };
        let mut arguments = vec![self.nested(name.place, Self::sum)?];
        while self.cursor.take(&[","]).is_some() {
            arguments.push(self.nested(name.place, Self::sum)?);
        }
        self.cursor.expect(")", "an operator, `,` or `)`")?;
        match arguments[..] {
            [a] if operation.arity() == 1 => self.make(name.place, |graph| graph.unary(operation, a)),
            [a, b] if operation.arity() == 2 => self.make(name.place, |graph| graph.binary(operation, a, b)),
            _ => {
                let kind = Kind::Arguments { function: name.text.to_owned(), takes: operation.arity() };
                Err(self.cursor.error(name.place, kind))
            }
        }
    }

    /// One level further down.
    fn nested(
        &mut self,
        place: usize,
        read: impl FnOnce(&mut Self) -> Result<usize, WrittenError>,
    ) -> Result<usize, WrittenError> {
        if self.depth == MAX_DEPTH {
            return Err(self.cursor.error(place, Kind::TooDeep));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// A node for what stands at `place`.
    fn make(
        &mut self,
        place: usize,
        node: impl FnOnce(&mut Graph) -> Result<usize, Full>,
    ) -> Result<usize, WrittenError> {
        let made = node(&mut self.graph).map_err(|Full| self.cursor.error(place, Kind::TooManyOperations))?;
        self.places.resize(self.graph.nodes().len(), place);
        Ok(made)
    }
}
