//! The raw form of a setting, and its conversion to a typed value.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use toml::de::DeValue;

use crate::cluster::NodeAddress;
use crate::token::IpNetwork;
use crate::token::url::PublicUrl;

/// A setting as the file or a variable has it.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// `"text"`.
    Text(String),
    /// `7`, in decimal.
    Integer(String),
    /// `true` or `false`.
    Bool(bool),
    /// `["text", "text"]`; `None` if an element is not a string.
    List(Option<Vec<String>>),
    /// `[section]` with nothing in it.
    EmptySection,
    /// A type that no setting has.
    Other,
    /// The value of an environment variable, which is untyped.
    Variable(String),
}

impl Raw {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Self::Integer(number.as_str().to_owned())
            }
            DeValue::Boolean(is) => Self::Bool(*is),
            DeValue::Array(list) => {
                let texts = list.iter().map(|one| one.get_ref().as_str().map(str::to_owned));
                Self::List(texts.collect())
            }
            DeValue::Table(_) => Self::EmptySection,
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => Self::Other,
        }
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) | Self::Variable(text) => Ok(text),
            Self::Integer(_) | Self::Bool(_) | Self::List(_) | Self::EmptySection | Self::Other => {
                Err("must be a string in quotes".to_owned())
            }
        }
    }
}

/// A type that a setting can have.
pub(super) trait FromSetting: Sized {
    /// Converts a setting. The error is a phrase that follows the name of the key, such as "must be
    /// true or false".
    fn from_setting(raw: &Raw) -> Result<Self, String>;
}

impl FromSetting for String {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        raw.text().map(str::to_owned)
    }
}

impl FromSetting for PathBuf {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw.text()? {
            "" => Err("must be a path, not empty".to_owned()),
            path => Ok(path.into()),
        }
    }
}

impl FromSetting for PublicUrl {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        parse(raw, "https://HOST or https://HOST:PORT without a path")
    }
}

impl FromSetting for SocketAddr {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        parse(raw, "ADDRESS:PORT such as 0.0.0.0:443 or [::]:443")
    }
}

/// An address to listen on, or `off`.
pub(super) struct Switchable(pub(super) Option<SocketAddr>);

impl FromSetting for Switchable {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw.text()? {
            "off" => Ok(Self(None)),
            _ => SocketAddr::from_setting(raw).map(Some).map(Self),
        }
    }
}

impl FromSetting for NodeAddress {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        parse(raw, "the HOST:PORT that other nodes connect to")
    }
}

fn parse<T: FromStr>(raw: &Raw, expected: &str) -> Result<T, String> {
    let text = raw.text()?;
    text.parse().map_err(|_| format!("must be {expected}, not \"{text}\""))
}

impl FromSetting for bool {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Bool(is) => Ok(*is),
            Raw::Variable(text) if text == "true" => Ok(true),
            Raw::Variable(text) if text == "false" => Ok(false),
            Raw::Text(_)
            | Raw::Integer(_)
            | Raw::List(_)
            | Raw::EmptySection
            | Raw::Other
            | Raw::Variable(_) => Err("must be true or false, without quotes".to_owned()),
        }
    }
}

impl FromSetting for NonZeroU32 {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Integer(text) | Raw::Variable(text) => {
                text.parse().map_err(|_| format!("must be a whole number from 1 to {}", u32::MAX))
            }
            Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::EmptySection | Raw::Other => {
                Err("must be a whole number without quotes".to_owned())
            }
        }
    }
}

/// A variable separates the networks with commas.
impl FromSetting for Vec<IpNetwork> {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        let texts = match raw {
            Raw::List(Some(list)) => list.clone(),
            Raw::Variable(text) if text.trim().is_empty() => Vec::new(),
            Raw::Variable(text) => text.split(',').map(|one| one.trim().to_owned()).collect(),
            Raw::List(None)
            | Raw::Text(_)
            | Raw::Integer(_)
            | Raw::Bool(_)
            | Raw::EmptySection
            | Raw::Other => return Err("must be a list such as [\"192.0.2.0/24\"]".to_owned()),
        };
        let network =
            |text: &String| text.parse().map_err(|why| format!("contains \"{text}\": {why}"));
        texts.iter().map(network).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable<T: FromSetting>(text: &str) -> Result<T, String> {
        T::from_setting(&Raw::Variable(text.to_owned()))
    }

    #[test]
    fn converts_variables_to_every_type() {
        assert_eq!(variable::<bool>("true"), Ok(true));
        assert!(variable::<bool>("yes").is_err());
        assert_eq!(variable::<NonZeroU32>("7").map(NonZeroU32::get), Ok(7));
        assert!(variable::<NonZeroU32>("-7").is_err());
        assert_eq!(variable::<Vec<IpNetwork>>("192.0.2.0/24, ::1").unwrap().len(), 2);
        assert_eq!(variable::<Vec<IpNetwork>>(""), Ok(Vec::new()));
        assert!(variable::<Vec<IpNetwork>>("192.0.2.1/24").is_err());
        assert!(variable::<PathBuf>("").is_err());
    }
}
