//! Who sits at the terminal, for what is written down about operators.

use crate::token::NewUserName;

/// Where the login name stands, and how it is looked up.
const VARIABLES: [&str; 2] = ["USER", "LOGNAME"];

/// Returns the login name, if it is one that a token can have. It is what the
/// environment says, and no proof: who holds the admin key may call himself what
/// he likes.
pub(crate) fn get() -> Option<NewUserName> {
    among(|variable| std::env::var(variable).ok())
}

fn among(variable: impl Fn(&str) -> Option<String>) -> Option<NewUserName> {
    VARIABLES.into_iter().filter_map(variable).find_map(|name| NewUserName::new(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_a_token_can_have_is_taken() {
        let named = |user: &str, login: &str| {
            let (user, login) = (user.to_owned(), login.to_owned());
            among(|name| Some(if name == "USER" { user.clone() } else { login.clone() }))
                .map(|name| name.to_string())
        };
        assert_eq!(named("maria", "root").as_deref(), Some("maria"));
        assert_eq!(named("a/b", "root").as_deref(), Some("root"));
        assert_eq!(named("", ".."), None);
        assert_eq!(among(|_| None), None);
    }
}
