"""Tokens at the operators' door: minted there and kept, listed in pages,
recorded, and revoked."""

import datetime
import time

import codes
import forge
from jeton import REST, Case, World
from operators import Operator, record_tokens

HOUR = 3_600


def seconds(moment):
    """Reads an RFC 3339 time."""
    return datetime.datetime.fromisoformat(moment).timestamp()


class Minting(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = Operator(cls.world)

    def test_the_defaults_are_one_use_one_hour_user_locked(self):
        started = int(time.time())
        minted = self.operator.mint()
        ended = time.time()
        said = (minted.user, minted.profile_type, minted.uses, minted.network, minted.note)
        self.assertEqual(said, ("alice", "user-locked", 1, None, ""))
        self.assertEqual(seconds(minted.expires_at) - seconds(minted.issued_at), HOUR)
        self.assertTrue(started <= seconds(minted.issued_at) <= ended, minted)

    def test_every_link_is_the_one_of_its_name_and_works(self):
        minted = self.operator.mint(uses=4)
        url = self.world.url
        self.assertEqual(minted.download_url, f"{url}{REST}?token={minted.token}")
        self.assertEqual(minted.import_url, f"openvpn://import-profile/{minted.download_url}")
        self.assertEqual(minted.share_url, f"{url}/t/{minted.token}")
        self.assertEqual(
            minted.scan_url, f"openvpn://import-profile/{url}{REST}/{minted.token}"
        )
        for link in (minted.download_url, minted.import_url, minted.scan_url):
            status, body = self.world.curl(link.removeprefix("openvpn://import-profile/"))
            self.assertEqual(status, 200)
            self.assertIn(b"\nremote ", body)
        self.assert_profile(self.world.get(f"/t/{minted.token}", method="POST"), "alice")
        self.assert_refused(self.world.download(minted.token), 410, "used up")

    def test_the_code_is_a_whole_picture_of_the_scan_link(self):
        minted = self.operator.mint(note="for a phone")
        self.assertTrue(minted.qr_svg.lstrip().startswith(("<svg", "<?xml")))
        drawing = self.world.dir / "code.svg"
        drawing.write_text(minted.qr_svg)
        self.assertEqual(codes.read_file(drawing), [minted.scan_url])

    def test_what_is_asked_for_is_what_is_minted(self):
        minted = self.operator.mint(
            "bob",
            profile_type="server-locked",
            lifetime=2 * HOUR,
            uses=7,
            network="127.0.0.0/8",
            note="the tablet, gr\u00fcn",
        )
        listed = self.operator.listed(user="bob")[minted.id]
        for said in (vars(minted), listed):
            self.assertEqual(said["profile_type"], "server-locked")
            self.assertEqual((said["uses"], said["note"]), (7, "the tablet, gr\u00fcn"))
        self.assertEqual(seconds(listed["expires_at"]) - seconds(listed["issued_at"]), 2 * HOUR)
        self.assertEqual(minted.network, "127.0.0.0/8")
        self.assert_profile(self.world.download(minted.token), "bob")
        self.assertEqual(self.operator.mint(uses="unlimited").uses, None)

    def test_autologin_needs_the_permission(self):
        wish = {"user": "bob", "profile_type": "autologin"}
        reply = self.operator.api("POST", "tokens", wish)
        said = (reply.status, reply.error, reply.json["error"]["message"])
        self.assertEqual(said, (403, "need_autologin", "need autologin"))
        self.operator.must("PUT", "users/bob/autologin", {"allowed": True})
        minted = self.operator.mint(**wish)
        answer = self.world.download(minted.token)
        self.assert_profile(answer, "bob")
        self.assertNotIn(b"\nauth-user-pass", answer.body)
        self.operator.must("PUT", "users/bob/autologin", {"allowed": False})
        self.assertEqual(self.operator.api("POST", "tokens", wish).error, "need_autologin")

    def test_there_is_no_link_to_a_profile_that_is_not_there(self):
        for user in ("mallory", "carol"):
            reply = self.operator.api("POST", "tokens", {"user": user})
            self.assertEqual((reply.status, reply.error), (404, "no_profile"), user)

    def test_a_node_without_a_signing_key_mints_nothing(self):
        with World() as world:
            world.serve()
            operator = Operator(world)
            self.assertFalse(operator.must("GET", "session")["can_mint"])
            reply = operator.api("POST", "tokens", {"user": "alice"})
            self.assertEqual((reply.status, reply.error), (409, "no_signing_key"))
            self.assertEqual(operator.listed(), {})


class Listing(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = operator = Operator(cls.world)
        operator.must("PUT", "users/alice/autologin", {"allowed": True})
        cls.unused = operator.mint(uses=3, lifetime=9 * HOUR)
        cls.in_use = operator.mint("bob", uses=3, lifetime=1 * HOUR)
        cls.used_up = operator.mint(lifetime=2 * HOUR)
        cls.revoked = operator.mint("bob", lifetime=3 * HOUR)
        cls.unlimited = operator.mint(
            profile_type="autologin", uses="unlimited", lifetime=4 * HOUR, note="a tablet"
        )
        for minted in (cls.in_use, cls.used_up, cls.unlimited):
            assert cls.world.download(minted.token).is_profile
        operator.must("POST", "revocations", {"token": cls.revoked.id})

    def ids(self, **query):
        page = next(self.operator.pages(**query))
        ids = [token["id"] for token in page["tokens"]]
        self.assertEqual(page["total"], len(ids))
        return ids

    def test_each_state_has_its_tokens_the_earliest_expiry_first(self):
        unused, in_use, used_up, revoked, unlimited = (
            minted.id
            for minted in (self.unused, self.in_use, self.used_up, self.revoked, self.unlimited)
        )
        self.assertEqual(self.ids(), self.ids(state="live"))
        self.assertEqual(self.ids(state="all"), [in_use, used_up, revoked, unlimited, unused])
        self.assertEqual(self.ids(state="used-up"), [used_up])
        self.assertEqual(self.ids(state="revoked"), [revoked])
        self.assertIn(unused, self.ids(state="unused"))
        self.assertIn(in_use, self.ids(state="in-use"))
        self.assertEqual(set(self.ids()), {in_use, unlimited, unused})
        self.assertEqual(
            set(self.ids(state="unused")) | set(self.ids(state="in-use")), set(self.ids())
        )

    def test_a_token_says_what_became_of_it(self):
        listed = self.operator.listed(state="all")
        for minted, state, used, left in [
            (self.unused, "unused", 0, 3),
            (self.in_use, "in-use", 1, 2),
            (self.used_up, "used-up", 1, 0),
            (self.revoked, "revoked", 0, 1),
        ]:
            token = listed[minted.id]
            said = (token["state"], token["used"], token["uses_left"])
            self.assertEqual(said, (state, used, left))
        token = listed[self.unlimited.id]
        self.assertEqual((token["uses"], token["uses_left"]), (None, None))
        self.assertEqual(token["note"], "a tablet")

    def test_filters_can_be_joined(self):
        self.assertEqual(self.ids(user="bob"), [self.in_use.id])
        self.assertEqual(self.ids(user="bob", state="all"), [self.in_use.id, self.revoked.id])
        self.assertEqual(self.ids(profile_type="autologin"), [self.unlimited.id])
        self.assertEqual(self.ids(profile_type="autologin", user="bob"), [])
        self.assertEqual(self.ids(batch=self.unused.batch), [self.unused.id])
        self.assertEqual(self.ids(user="mallory"), [])

    def test_a_list_holds_no_token(self):
        reply = self.operator.api("GET", "tokens?state=all&limit=1000")
        for minted in (self.unused, self.in_use, self.used_up, self.revoked, self.unlimited):
            self.assertIn(minted.id, reply.text)
            self.assertNotIn(minted.token[-40:], reply.text)


class Paging(Case):
    COUNT = 10_000

    def test_10_000_tokens_are_each_on_one_page_even_while_the_list_changes(self):
        with World().with_signing_key() as world:
            world.serve()
            operator = Operator(world)
            ids = record_tokens(operator, self.COUNT)
            started = time.monotonic()
            pages = list(operator.pages(limit=1000))
            print(f"        {self.COUNT} tokens in {time.monotonic() - started:.2f} s")
            seen = [token["id"] for page in pages for token in page["tokens"]]
            self.assertEqual(len(seen), len(set(seen)))
            self.assertEqual(set(seen), ids)
            self.assertEqual({page["total"] for page in pages}, {self.COUNT})
            self.assertEqual([len(page["tokens"]) for page in pages][:-1], [1000] * 9)
            self.assert_stays_whole_while_it_changes(operator, ids)

    def assert_stays_whole_while_it_changes(self, operator, ids):
        """Between the pages, what was seen is revoked, and new tokens come."""
        seen, revoked = [], set()
        for page in operator.pages(limit=700):
            seen += [token["id"] for token in page["tokens"]]
            operator.must("POST", "revocations", {"token": seen[-1]})
            revoked.add(seen[-1])
            operator.mint(lifetime=60)
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(ids, set(seen))
        self.assertFalse(revoked & set(operator.listed(limit=1000)))


class Records(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.serve()
        self.operator = Operator(self.world)

    def test_a_token_minted_offline_is_listed_before_its_first_use(self):
        minted = self.world.mint("bob", uses=5)
        self.assertNotIn(minted.id, self.operator.listed())
        said = self.operator.must("POST", "records", {"token": minted.token, "note": "by post"})
        self.assertEqual((said["id"], said["user"], said["uses"]), (minted.id, "bob", 5))
        listed = self.operator.listed()[minted.id]
        self.assertEqual((listed["state"], listed["note"]), ("unused", "by post"))
        self.assert_profile(self.world.download(minted.token))
        self.assertEqual(self.operator.listed()[minted.id]["uses_left"], 4)

    def test_a_token_is_recorded_once_and_costs_no_use(self):
        minted = self.world.mint(uses=2)
        self.assert_profile(self.world.download(minted.token))
        for _ in range(3):
            self.operator.must("POST", "records", {"token": minted.token})
        self.assertEqual(self.operator.listed()[minted.id]["used"], 1)

    def test_no_false_token_is_recorded(self):
        minted = self.world.mint()
        reply = self.operator.api("POST", "records", {"token": forge.flip_bit(minted.token, 300)})
        self.assertIn(reply.status, (400, 404), reply)
        self.assertNotIn(minted.token[-40:], reply.text)
        self.assertEqual(self.operator.listed(state="all"), {})

    def test_the_list_outlives_the_node(self):
        """What was recorded was durable before it was said to be."""
        minted = [self.world.mint(uses=3) for _ in range(3)]
        for token in minted:
            self.operator.must("POST", "records", {"token": token.token, "note": "kept"})
        self.world.node.kill()
        self.world.serve()
        listed = self.operator.listed()
        self.assertEqual(set(listed), {token.id for token in minted})
        self.assertEqual({token["note"] for token in listed.values()}, {"kept"})

    def test_a_minted_token_was_durable_before_it_was_given(self):
        self.world.node.kill()
        self.world.with_signing_key().serve()
        minted = self.operator.mint("bob", note="kept too", uses=2)
        self.world.node.kill()
        self.world.serve()
        listed = self.operator.listed()[minted.id]
        self.assertEqual((listed["note"], listed["uses_left"]), ("kept too", 2))
        self.assert_profile(self.world.download(minted.token), "bob")


class Revoking(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.serve()
        self.operator = Operator(self.world)

    def test_a_user_loses_links_minted_offline_before_that_moment_and_none_after(self):
        key, now = self.world.key("profile"), int(time.time())
        used = self.world.mint(uses=9)
        self.assert_profile(self.world.download(used.token))
        # Between the making of a token and that of its ledger there are no tokens.
        born = now - 1
        never_seen = forge.token(key, issued_at=born + 1, uses=9)
        said = self.operator.must("POST", "revocations", {"user": "alice"})
        moment = int(seconds(said["issued_until"]))
        of_the_same_second = forge.token(key, issued_at=moment, uses=9)
        after = forge.token(key, issued_at=moment + 1, uses=9)
        other = forge.token(key, issued_at=born + 1, uses=9, user="bob")
        for _ in range(2):
            for token in (used.token, never_seen, of_the_same_second):
                answer = self.world.download(token)
                self.assertEqual(answer.status, 410, answer)
                self.assertIn(b"revoked", answer.body)
            self.assert_profile(self.world.download(after), "alice")
            self.assert_profile(self.world.download(other), "bob")
            self.world.node.kill()
            self.world.serve()

    def test_a_batch_and_a_key(self):
        batch = self.world.mint_each(["alice", "bob"], uses=9)
        other = self.world.mint(uses=9)
        self.operator.must("POST", "revocations", {"batch": batch[0].batch})
        for minted in batch:
            self.assert_refused(self.world.download(minted.token), 410, "revoked")
        self.assert_profile(self.world.download(other.token))
        self.operator.must("POST", "revocations", {"key": other.key_id})
        self.assert_refused(self.world.download(other.token), 410, "revoked")
