//! How requests fail, for the document: each group has the statuses that its
//! requests can come to.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::admin::api::error::Failure;

type Answers = BTreeMap<String, RefOr<Response>>;

const REQUEST: (&str, &str) = ("400", "The request is not understood; the message names the field");
const TOKEN: (&str, &str) = ("401", "There is no admin token, or it is not admitted");
const ROLE: (&str, &str) = ("403", "The role of the admin token may not do this");
const TOO_LARGE: (&str, &str) = ("413", "The body has more than 16 KiB");
const CONTENT_TYPE: (&str, &str) = ("415", "The content type is not application/json");
const PROFILES: (&str, &str) = ("500", "The profiles cannot be read");
const LEDGER: (&str, &str) = ("503", "The ledger cannot answer now");

/// How any request that enters may fail.
const READ: [(&str, &str); 3] = [REQUEST, TOKEN, LEDGER];

/// And how one with a body may.
const BODY: [(&str, &str); 6] = [REQUEST, TOKEN, ROLE, TOO_LARGE, CONTENT_TYPE, LEDGER];

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $base:expr, $($more:expr),*;)*) => {$(
        $(#[$doc])*
        pub(in crate::admin::api) struct $name;

        impl IntoResponses for $name {
            fn responses() -> Answers {
                $base.into_iter().chain([$($more),*]).map(answer).collect()
            }
        }
    )*};
}

errors! {
    /// How a request that reads the ledger may fail.
    ReadErrors = READ,;
    /// How a request that reads the users may fail.
    UserErrors = READ, PROFILES;
    /// How a request with a body may fail.
    BodyErrors = BODY, ("404", "There is nothing here");
    /// How a revocation may fail.
    RevokeErrors = BODY, ("409", "That key signed the token this request came with");
    /// How a record may fail.
    RecordErrors = BODY,
        ("404", "No key that this node trusts signed that as a profile token"),
        ("409", "The token is expired, or older than this ledger");
    /// How a change of the cluster may fail.
    ChangeErrors = BODY, ("409", "The members or their roles do not allow it");
    /// How minting may fail.
    MintErrors = BODY,
        ("403", "The role of the admin token may not do this, or the user may not have autologin"),
        ("404", "There is no profile to deliver"),
        ("409", "This node does not mint, or such a token would give no profile"),
        ("500", "The profiles cannot be read, or the clock of the node is wrong"),
        ("503", "The ledger cannot answer now, or the node has no random bytes");
}

fn answer((status, description): (&str, &str)) -> (String, RefOr<Response>) {
    let failure = Ref::from_schema_name(Failure::name());
    let content = ContentBuilder::new().schema(Some(failure)).build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build();
    (status.to_owned(), RefOr::T(response))
}
