//! The login name of the operator, for the audit log.

use crate::token::NewUserName;

/// The variables to read the login name from, in this order.
const VARIABLES: [&str; 2] = ["USER", "LOGNAME"];

/// Returns the login name, if it is a valid user name. It proves nothing: a holder of the admin key
/// can use any name.
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
    fn takes_the_first_valid_name() {
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
