//! A token as an administrator hands it in: its id, its text, a link that carries it,
//! or `-` for one of these on stdin, where no shell history and no `ps` sees it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};

use crate::failure::Failure;
use crate::token::url::{UrlError, token_in_pasted};
use crate::token::{ClaimsError, Nonce, VerifyError};

/// The most bytes of stdin that are looked at; no link of ours has more.
const LEN_MAX: u64 = 4_096;

/// What [`mark_ids`] puts before an id that begins with a hyphen.
const ID_MARK: &str = "id:";

/// Returns `args` with a mark before ids that begin with a hyphen, as one in 64
/// does, so that they are not taken for options. [`read`] takes it off again.
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
    let nothing = || Failure::say("stdin has no token", "pipe a token or a link in");
    read_or(argument, nothing)
}

/// Returns the text that `argument` stands for; if that is stdin and there is nothing,
/// what `nothing` says.
pub(crate) fn read_or(
    argument: &str,
    nothing: impl FnOnce() -> Failure,
) -> Result<String, Failure> {
    let argument = argument.strip_prefix(ID_MARK).unwrap_or(argument);
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    first_line(std::io::stdin().lock())?.ok_or_else(nothing)
}

/// Finds the token in `text`, which it may be or be carried by.
pub(crate) fn token(text: &str) -> Result<&str, Failure> {
    token_in_pasted(text).map_err(|error| {
        let hint = if error == UrlError::Missing {
            "give a token, or one of the links that carry it"
        } else {
            "copy the link again, whole and with nothing added to it"
        };
        Failure::new(&error, hint)
    })
}

/// Says what to do about a text that is no token of ours.
pub(crate) fn explain(error: &VerifyError) -> Failure {
    let hint = match error {
        VerifyError::TooLong | VerifyError::Base64 | VerifyError::TooShort => {
            "copy the link again from where it was sent, whole"
        }
        VerifyError::Version(_) => "it was made by another version of jeton, or is no token",
        VerifyError::UnknownKey(_) => {
            "it was minted with a key that is not trusted here; nodes with these keys answer \
             `token not found`"
        }
        VerifyError::Signature => {
            "it was changed on its way, or forged: believe nothing that it says"
        }
        VerifyError::Claims(ClaimsError::Time) => "the clock of who minted it is wrong",
        VerifyError::Claims(_) => "it was not made by jeton",
        VerifyError::KeyPurpose { .. } => {
            "keys for profile tokens and for admin tokens are kept apart"
        }
    };
    Failure::new(error, hint)
}

/// Returns the first line, unless there is nothing in it.
fn first_line(input: impl Read) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    let read = BufReader::new(input.take(LEN_MAX)).read_line(&mut line);
    read.map_err(|error| {
        Failure::say(format!("cannot read stdin: {error}"), "pipe a line of text in")
    })?;
    Ok(Some(line).filter(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_stdin_counts() {
        assert_eq!(first_line(&b"abc\ndef\n"[..]).unwrap().unwrap(), "abc\n");
        assert_eq!(token(&first_line(&b" abc \r\n"[..]).unwrap().unwrap()).unwrap(), "abc");
        assert_eq!(first_line(&b"\n"[..]).unwrap(), None);
        assert_eq!(first_line(&b""[..]).unwrap(), None);
        assert!(first_line(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn ids_that_begin_with_hyphens_are_ids_and_options_stay_options() {
        for id in ["-T3cgGZ1YSY-MJCwbrhQYw", "--3cgGZ1YSY-MJCwbrhQYw", "-h3cgGZ1YSY-MJCwbrhQYw"] {
            let typed = ["jeton", "revoke", id, "--config", "x", "-", "--user"].map(Into::into);
            let marked = mark_ids(typed.to_vec());
            assert_eq!(marked[2], *format!("id:{id}"));
            assert_eq!(marked[3..], typed[3..]);
            assert_eq!(read(marked[2].to_str().unwrap()).unwrap(), id);
        }
    }

    #[test]
    fn a_link_to_sign_in_carries_a_token_too() {
        assert_eq!(token(" http://127.0.0.1:8444/sign-in#AbC\n").unwrap(), "AbC");
        assert!(token("http://127.0.0.1:8444/sign-in#").is_err());
    }

    #[test]
    fn a_link_that_was_cut_is_told() {
        let said = token("https://vpn.example.com/t/").unwrap_err().to_string();
        assert!(said.starts_with("error: there is no token in the link\nhint: "), "{said}");
        let said = token("https://vpn.example.com/t/ab%63").unwrap_err().to_string();
        assert!(said.contains("copy the link again"), "{said}");
    }
}
