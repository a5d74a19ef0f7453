//! The serialized form of values that have a text: that text in formats that people read, such as
//! JSON, and their bytes in all others, such as postcard.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, de};

/// Implements `Serialize` and `Deserialize` for newtypes with `Display` and `FromStr`.
macro_rules! text_form {
    ($($value:ident),*) => {$(
        impl serde::Serialize for $value {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $value {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    $crate::token::text_form::parse(from)
                } else {
                    serde::Deserialize::deserialize(from).map(Self)
                }
            }
        }
    )*};
}

pub(crate) use text_form;

/// Deserializes a value from its text.
pub(crate) fn parse<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::token::{
        AdminRole, Batch, IpNetwork, KeyId, KeyPurpose, Nonce, ProfileKind, UnixSeconds, UserName,
    };

    fn check<T>(word: &T, text: &str, bytes: &[u8])
    where
        T: Debug + DeserializeOwned + PartialEq + Serialize,
    {
        let json = format!("\"{text}\"");
        assert_eq!(serde_json::to_string(word).unwrap(), json);
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *word);
        assert_eq!(postcard::to_stdvec(word).unwrap(), bytes, "{text}");
        assert_eq!(postcard::from_bytes::<T>(bytes).unwrap(), *word);
    }

    #[test]
    fn a_word_is_its_text_in_json_and_its_bytes_in_postcard() {
        check(&KeyId([0x3f, 0x2a, 0x9c, 1]), "3f2a9c01", &[0x3f, 0x2a, 0x9c, 1]);
        check(&Batch([1, 2, 3, 4]), "01020304", &[1, 2, 3, 4]);
        check(&Nonce([9; 16]), "CQkJCQkJCQkJCQkJCQkJCQ", &[9; 16]);
        check(&UnixSeconds::new(300), "1970-01-01T00:05:00Z", &[0xac, 2]);
        check(&ProfileKind::UserLocked, "user-locked", &[0]);
        check(&ProfileKind::Autologin, "autologin", &[1]);
        check(&ProfileKind::ServerLocked, "server-locked", &[2]);
        check(&AdminRole::Viewer, "viewer", &[0]);
        check(&AdminRole::Operator, "operator", &[1]);
        check(&AdminRole::Admin, "admin", &[2]);
        check(&KeyPurpose::Profile, "profile", &[0]);
        check(&KeyPurpose::Admin, "admin", &[1]);
        check(&UserName::new("al").unwrap(), "al", &[2, b'a', b'l']);
        let network = |text: &str| text.parse::<IpNetwork>().unwrap();
        check(&network("192.0.2.0/24"), "192.0.2.0/24", &[0, 192, 0, 2, 0, 24]);
        let v6 = [&[1, 0x20, 1, 0x0d, 0xb8][..], &[0; 12], &[32]].concat();
        check(&network("2001:db8::/32"), "2001:db8::/32", &v6);
    }
}
