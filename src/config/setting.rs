//! What a setting may be, and how a value is made of it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use toml::de::DeValue;

use super::{LogFormat, LogLevel};
use crate::cluster::NodeAddress;
use crate::token::IpNetwork;
use crate::token::url::PublicUrl;

/// A setting as it was written.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// `"text"`.
    Text(String),
    /// `7`, in decimal digits.
    Integer(String),
    /// `true` or `false`.
    Bool(bool),
    /// `["text", "text"]`; `None` if an element is no text.
    List(Option<Vec<String>>),
    /// `[section]` with nothing in it.
    EmptySection,
    /// Something that no setting is.
    Other,
    /// The value of an environment variable, which has no type.
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

    fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) | Self::Variable(text) => Ok(text),
            Self::Integer(_) | Self::Bool(_) | Self::List(_) | Self::EmptySection | Self::Other => {
                Err("must be a text in quotes".to_owned())
            }
        }
    }
}

/// A value that a setting can be made into.
pub(super) trait FromSetting: Sized {
    /// Makes the value, or says in words what is wrong: a phrase to be put
    /// behind the key's name.
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
        let text = raw.text()?;
        text.parse().map_err(|_| {
            format!("must be https://HOST or https://HOST:PORT without a path, not \"{text}\"")
        })
    }
}

impl FromSetting for SocketAddr {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        let text = raw.text()?;
        let wrong =
            || format!("must be ADDRESS:PORT such as 0.0.0.0:443 or [::]:443, not \"{text}\"");
        text.parse().map_err(|_| wrong())
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
        let text = raw.text()?;
        text.parse().map_err(|_| {
            format!("must be HOST:PORT, where the other nodes reach this one, not \"{text}\"")
        })
    }
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
                text.parse().map_err(|_| format!("must be a number from 1 to {}", u32::MAX))
            }
            Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::EmptySection | Raw::Other => {
                Err("must be a number without quotes".to_owned())
            }
        }
    }
}

/// In a variable, the networks stand with commas between them.
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
            | Raw::Other => return Err("must be a list of texts: [\"192.0.2.0/24\"]".to_owned()),
        };
        let network =
            |text: &String| text.parse().map_err(|why| format!("has \"{text}\" in it: {why}"));
        texts.iter().map(network).collect()
    }
}

impl FromSetting for LogFormat {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        raw.text()?.parse().map_err(|_| "must be \"text\" or \"json\"".to_owned())
    }
}

impl FromSetting for LogLevel {
    fn from_setting(raw: &Raw) -> Result<Self, String> {
        raw.text()?.parse().map_err(|_| "must be one of error, warn, info, debug, trace".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable<T: FromSetting>(text: &str) -> Result<T, String> {
        T::from_setting(&Raw::Variable(text.to_owned()))
    }

    #[test]
    fn a_variable_can_be_of_every_type() {
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
