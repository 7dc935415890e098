//! Tables of `upgrade.toml`, read key by key: every value knows its place, and a key that nobody asked for is an error.

use super::error::{ConfigError, Place, Problem};
use alloy::primitives::{Address, B256, Bytes, U256};
use errand_types::{AmountError, Eth};
use std::{fmt::Display, str::FromStr};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// where it stands
    pub at: Place,
    /// what it is
    pub data: Data,
}

/// What a value is. Numbers stay text, so that they have no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// in quotes
    Text(String),
    /// without; with its prefix where it is not decimal
    Integer(String),
    /// `true` or `false`
    Bool(bool),
    /// in brackets
    Array(Vec<Value>),
    /// key by key, in the order of the keys
    Table(Vec<(Key, Value)>),
    /// a fraction or a date: of no use here
    Other(&'static str),
}

/// A key and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// where it stands
    pub at: Place,
    /// the key
    pub name: String,
}

impl Value {
    pub(crate) fn error(&self, problem: Problem) -> ConfigError {
        ConfigError::new(self.at, problem)
    }

    /// What kind of value it is, in words.
    pub(crate) fn found(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "a text",
            Data::Integer(_) => "a number",
            Data::Bool(_) => "true or false",
            Data::Array(_) => "an array",
            Data::Table(_) => "a table",
            Data::Other(what) => what,
        }
    }

    pub(crate) fn wrong_type(&self, expected: &'static str) -> ConfigError {
        self.error(Problem::WrongType { expected, found: self.found() })
    }

    pub(crate) fn bad(&self, expected: impl Into<String>, why: impl Display) -> ConfigError {
        let value = match &self.data {
            Data::Text(text) | Data::Integer(text) => text.clone(),
            Data::Bool(value) => value.to_string(),
            _ => self.found().to_owned(),
        };
        self.error(Problem::BadValue { expected: expected.into(), value, why: why.to_string() })
    }

    pub(crate) fn text(&self) -> Result<&str, ConfigError> {
        match &self.data {
            Data::Text(text) => Ok(text),
            _ => Err(self.wrong_type("a text")),
        }
    }

    pub(crate) fn array(&self) -> Result<&[Self], ConfigError> {
        match &self.data {
            Data::Array(values) => Ok(values),
            _ => Err(self.wrong_type("an array")),
        }
    }

    pub(crate) fn entries(&self) -> Result<&[(Key, Self)], ConfigError> {
        match &self.data {
            Data::Table(entries) => Ok(entries),
            _ => Err(self.wrong_type("a table")),
        }
    }

    /// A number without a unit, as number or as text.
    pub(crate) fn number<N: FromStr<Err: Display>>(&self, expected: &'static str) -> Result<N, ConfigError> {
        match &self.data {
            Data::Integer(text) | Data::Text(text) => text.parse().map_err(|error| self.bad(expected, error)),
            _ => Err(self.wrong_type("a number")),
        }
    }

    pub(crate) fn address(&self) -> Result<Address, ConfigError> {
        let text = self.text()?;
        parse_address(text).map_err(|why| self.bad("address", why))
    }

    pub(crate) fn bytes(&self) -> Result<Bytes, ConfigError> {
        self.text()?.parse().map_err(|error| self.bad("0x… bytes", error))
    }

    pub(crate) fn word(&self) -> Result<B256, ConfigError> {
        self.text()?.parse().map_err(|error| self.bad("bytes32", error))
    }

    /// Wei, written with a unit.
    pub(crate) fn amount(&self) -> Result<U256, ConfigError> {
        match &self.data {
            Data::Text(text) => match text.parse() {
                Ok(Eth(wei)) => Ok(wei),
                Err(AmountError::NoEthUnit(value)) => Err(self.error(Problem::AmountWithoutUnit { value })),
                Err(error) => Err(self.bad("amount", error)),
            },
            Data::Integer(text) => Err(self.error(Problem::AmountWithoutUnit { value: text.clone() })),
            _ => Err(self.wrong_type("an amount")),
        }
    }
}

/// An address; where it is written in mixed case, with a correct checksum.
pub(crate) fn parse_address(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error| format!("{error}"))?;
    let digits = text.trim_start_matches("0x");
    let mixed = digits.bytes().any(|byte| byte.is_ascii_uppercase())
        && digits.bytes().any(|byte| byte.is_ascii_lowercase());
    if mixed && Address::parse_checksummed(format!("0x{digits}"), None).is_err() {
        return Err(format!("its checksum is wrong; it would be {address}"));
    }
    Ok(address)
}

/// A table of which every key has to be asked for.
#[derive(Debug)]
pub(crate) struct Table {
    /// for messages, as in `[project]`
    pub(crate) name: String,
    pub(crate) at: Place,
    left: Vec<(Key, Value)>,
    known: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(name: impl Into<String>, value: Value) -> Result<Self, ConfigError> {
        match value.data {
            Data::Table(left) => Ok(Self { name: name.into(), at: value.at, left, known: Vec::new() }),
            _ => Err(value.wrong_type("a table")),
        }
    }

    pub(crate) fn optional(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        let place = self.left.iter().position(|(present, _)| present.name == key)?;
        Some(self.left.remove(place).1)
    }

    pub(crate) fn required(&mut self, key: &'static str) -> Result<Value, ConfigError> {
        self.optional(key)
            .ok_or_else(|| ConfigError::new(self.at, Problem::MissingKey { key, table: self.name.clone() }))
    }

    /// Refuses what was not asked for.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        match self.left.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => {
                let known = self.known.join(", ");
                Err(ConfigError::new(key.at, Problem::UnknownKey { key: key.name, table: self.name, known }))
            }
        }
    }
}

/// Reads the text as one table.
pub(crate) fn read(text: &str) -> Result<Value, ConfigError> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = Place::of(text, error.span().map_or(0, |span| span.start));
        ConfigError::new(at, Problem::MalformedToml(error.message().trim().to_owned()))
    })?;
    Ok(Value { at: Place { line: 1, column: 1 }, data: table(text, document.get_ref()) })
}

fn table(text: &str, table: &DeTable<'_>) -> Data {
    let mut entries: Vec<(Key, Value)> = table
        .iter()
        .map(|(key, value)| {
            let at = Place::of(text, key.span().start);
            let mut value = convert(text, value);
            if matches!(value.data, Data::Table(_)) {
                // The span of a table begins anywhere; its key is where people look.
                value.at = at;
            }
            (Key { at, name: key.get_ref().to_string() }, value)
        })
        .collect();
    entries.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Data::Table(entries)
}

fn convert(text: &str, value: &Spanned<DeValue<'_>>) -> Value {
    let data = match value.get_ref() {
        DeValue::String(content) => Data::Text(content.to_string()),
        DeValue::Integer(number) => Data::Integer(number.to_string().replace('_', "")),
        DeValue::Boolean(value) => Data::Bool(*value),
        DeValue::Array(values) => Data::Array(values.iter().map(|value| convert(text, value)).collect()),
        DeValue::Table(inner) => table(text, inner),
        DeValue::Float(_) => Data::Other("a fraction"),
        DeValue::Datetime(_) => Data::Other("a date"),
    };
    Value { at: Place::of(text, value.span().start), data }
}
