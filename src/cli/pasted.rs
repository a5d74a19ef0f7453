//! Tokens as command arguments: an id, a token, a link, or `-` to read one of these from stdin,
//! which keeps it out of the shell history and `ps`.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};

use crate::failure::Failure;
use crate::token::url::{UrlError, token_in_pasted};
use crate::token::{ClaimsError, Nonce, VerifyError};

/// The most bytes that are read from stdin. Every link is shorter.
const LEN_MAX: u64 = 4_096;

/// The prefix that [`mark_ids`] adds to an id that begins with a hyphen.
const ID_MARK: &str = "id:";

/// Adds a prefix to ids that begin with a hyphen, as one in 64 does, so that clap does not mistake
/// them for options. [`read`] removes it.
pub(crate) fn mark_ids(mut args: Vec<OsString>) -> Vec<OsString> {
    for arg in args.iter_mut().skip(1) {
        let is_id = |text: &str| text.starts_with('-') && text.parse::<Nonce>().is_ok();
        if arg.to_str().is_some_and(is_id) {
            *arg = [OsStr::new(ID_MARK), arg].into_iter().collect();
        }
    }
    args
}

/// Returns the text that `argument` stands for.
pub(crate) fn read(argument: &str) -> Result<String, Failure> {
    let empty = || Failure::say("stdin is empty", "pipe in a token or a link");
    read_or(argument, empty)
}

/// Returns the text that `argument` stands for, or the failure `empty` if that is stdin and its
/// first line is blank.
pub(crate) fn read_or(argument: &str, empty: impl FnOnce() -> Failure) -> Result<String, Failure> {
    let argument = argument.strip_prefix(ID_MARK).unwrap_or(argument);
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    first_line(std::io::stdin().lock())?.ok_or_else(empty)
}

/// Returns the token in `text`, which is a token or a link.
pub(crate) fn token(text: &str) -> Result<&str, Failure> {
    token_in_pasted(text).map_err(|error| {
        let hint = if error == UrlError::Missing {
            "give a token or a link"
        } else {
            "copy the whole link again, and nothing else"
        };
        Failure::new(&error, hint)
    })
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let hint = match error {
            VerifyError::TooLong | VerifyError::Base64 | VerifyError::TooShort => {
                "copy the whole link again from where it was sent"
            }
            VerifyError::Version(_) => "another version of jeton minted it, or it is not a token",
            VerifyError::UnknownKey(_) => {
                "it was minted with a key that is not trusted here; nodes with these keys answer \
                 `token not found`"
            }
            VerifyError::Signature => "it was altered or forged: do not trust its content",
            VerifyError::Claims(ClaimsError::Time) => {
                "the clock of the machine that minted it is wrong"
            }
            VerifyError::Claims(_) => "it was not minted by jeton",
            VerifyError::KeyPurpose { .. } => {
                "a key signs either profile tokens or admin tokens, never both"
            }
        };
        Self::new(&error, hint)
    }
}

/// Returns the first line, unless it is blank.
fn first_line(input: impl Read) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    let read = BufReader::new(input.take(LEN_MAX)).read_line(&mut line);
    read.map_err(|error| {
        Failure::say(format!("cannot read stdin: {error}"), "pipe in a line of text")
    })?;
    Ok(Some(line).filter(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_first_line_of_stdin() {
        assert_eq!(first_line(&b"abc\ndef\n"[..]).unwrap().unwrap(), "abc\n");
        assert_eq!(token(&first_line(&b" abc \r\n"[..]).unwrap().unwrap()).unwrap(), "abc");
        assert_eq!(first_line(&b"\n"[..]).unwrap(), None);
        assert_eq!(first_line(&b""[..]).unwrap(), None);
        assert!(first_line(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn marks_ids_that_begin_with_a_hyphen_and_no_options() {
        for id in ["-T3cgGZ1YSY-MJCwbrhQYw", "--3cgGZ1YSY-MJCwbrhQYw", "-h3cgGZ1YSY-MJCwbrhQYw"] {
            let typed = ["jeton", "revoke", id, "--config", "x", "-", "--user"].map(Into::into);
            let marked = mark_ids(typed.to_vec());
            assert_eq!(marked[2], *format!("id:{id}"));
            assert_eq!(marked[3..], typed[3..]);
            assert_eq!(read(marked[2].to_str().unwrap()).unwrap(), id);
        }
    }

    #[test]
    fn finds_the_token_in_a_sign_in_link() {
        assert_eq!(token(" http://127.0.0.1:8444/sign-in#AbC\n").unwrap(), "AbC");
        assert!(token("http://127.0.0.1:8444/sign-in#").is_err());
    }

    #[test]
    fn rejects_a_truncated_or_altered_link() {
        let message = token("https://vpn.example.com/t/").unwrap_err().to_string();
        assert!(message.starts_with("error: there is no token in the link\nhint: "), "{message}");
        let message = token("https://vpn.example.com/t/ab%63").unwrap_err().to_string();
        assert!(message.contains("copy the whole link again"), "{message}");
    }
}
