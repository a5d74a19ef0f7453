"""Tokens at the admin door: minted there, listed in pages, recorded, and revoked."""

import datetime
import time

import codes
import forge
from jeton import REST, Case, World
from operators import Operator, record_tokens

HOUR = 3_600


def seconds(timestamp):
    """Returns an RFC 3339 timestamp as Unix seconds."""
    return datetime.datetime.fromisoformat(timestamp).timestamp()


class Minting(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = Operator(cls.world)

    def test_the_defaults_are_one_use_one_hour_user_locked(self):
        before = int(time.time())
        minted = self.operator.mint()
        after = time.time()
        fields = (minted.user, minted.profile_type, minted.uses, minted.network, minted.note)
        self.assertEqual(fields, ("alice", "user-locked", 1, None, ""))
        self.assertEqual(seconds(minted.expires_at) - seconds(minted.issued_at), HOUR)
        self.assertTrue(before <= seconds(minted.issued_at) <= after, minted)

    def test_every_link_has_its_documented_form_and_works(self):
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

    def test_the_qr_code_is_an_svg_image_of_the_scan_link(self):
        minted = self.operator.mint(note="for a phone")
        self.assertTrue(minted.qr_svg.lstrip().startswith(("<svg", "<?xml")))
        image = self.world.dir / "code.svg"
        image.write_text(minted.qr_svg)
        self.assertEqual(codes.read_file(image), [minted.scan_url])

    def test_a_minted_token_has_the_requested_properties(self):
        minted = self.operator.mint(
            "bob",
            profile_type="server-locked",
            lifetime=2 * HOUR,
            uses=7,
            network="127.0.0.0/8",
            note="the tablet, gr\u00fcn",
        )
        listed = self.operator.listed(user="bob")[minted.id]
        for token in (vars(minted), listed):
            self.assertEqual(token["profile_type"], "server-locked")
            self.assertEqual((token["uses"], token["note"]), (7, "the tablet, gr\u00fcn"))
        self.assertEqual(seconds(listed["expires_at"]) - seconds(listed["issued_at"]), 2 * HOUR)
        self.assertEqual(minted.network, "127.0.0.0/8")
        self.assert_profile(self.world.download(minted.token), "bob")
        self.assertEqual(self.operator.mint(uses="unlimited").uses, None)

    def test_autologin_needs_the_permission(self):
        body = {"user": "bob", "profile_type": "autologin"}
        reply = self.operator.api("POST", "tokens", body)
        refusal = (reply.status, reply.error, reply.json["error"]["message"])
        self.assertEqual(refusal, (403, "need_autologin", "need autologin"))
        self.operator.must("PUT", "users/bob/autologin", {"allowed": True})
        minted = self.operator.mint(**body)
        answer = self.world.download(minted.token)
        self.assert_profile(answer, "bob")
        self.assertNotIn(b"\nauth-user-pass", answer.body)
        self.operator.must("PUT", "users/bob/autologin", {"allowed": False})
        self.assertEqual(self.operator.api("POST", "tokens", body).error, "need_autologin")

    def test_refuses_to_mint_for_a_user_without_a_profile(self):
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

    def test_filters_by_state_and_sorts_by_expiry(self):
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

    def test_a_listed_token_has_its_state_and_uses(self):
        listed = self.operator.listed(state="all")
        for minted, state, used, left in [
            (self.unused, "unused", 0, 3),
            (self.in_use, "in-use", 1, 2),
            (self.used_up, "used-up", 1, 0),
            (self.revoked, "revoked", 0, 1),
        ]:
            token = listed[minted.id]
            fields = (token["state"], token["used"], token["uses_left"])
            self.assertEqual(fields, (state, used, left))
        token = listed[self.unlimited.id]
        self.assertEqual((token["uses"], token["uses_left"]), (None, None))
        self.assertEqual(token["note"], "a tablet")

    def test_filters_can_be_combined(self):
        self.assertEqual(self.ids(user="bob"), [self.in_use.id])
        self.assertEqual(self.ids(user="bob", state="all"), [self.in_use.id, self.revoked.id])
        self.assertEqual(self.ids(profile_type="autologin"), [self.unlimited.id])
        self.assertEqual(self.ids(profile_type="autologin", user="bob"), [])
        self.assertEqual(self.ids(batch=self.unused.batch), [self.unused.id])
        self.assertEqual(self.ids(user="mallory"), [])

    def test_the_list_contains_no_token_text(self):
        reply = self.operator.api("GET", "tokens?state=all&limit=1000")
        for minted in (self.unused, self.in_use, self.used_up, self.revoked, self.unlimited):
            self.assertIn(minted.id, reply.text)
            self.assertNotIn(minted.token[-40:], reply.text)


class Paging(Case):
    COUNT = 10_000

    def test_paging_through_10_000_tokens_shows_each_once_while_the_list_changes(self):
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
            self.assert_complete_during_changes(operator, ids)

    def assert_complete_during_changes(self, operator, ids):
        """Revokes a listed token and mints a new one after each page."""
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
        record = self.operator.must("POST", "records", {"token": minted.token, "note": "by post"})
        self.assertEqual((record["id"], record["user"], record["uses"]), (minted.id, "bob", 5))
        listed = self.operator.listed()[minted.id]
        self.assertEqual((listed["state"], listed["note"]), ("unused", "by post"))
        self.assert_profile(self.world.download(minted.token))
        self.assertEqual(self.operator.listed()[minted.id]["uses_left"], 4)

    def test_recording_again_changes_nothing_and_spends_no_use(self):
        minted = self.world.mint(uses=2)
        self.assert_profile(self.world.download(minted.token))
        for _ in range(3):
            self.operator.must("POST", "records", {"token": minted.token})
        self.assertEqual(self.operator.listed()[minted.id]["used"], 1)

    def test_refuses_to_record_a_forged_token(self):
        minted = self.world.mint()
        reply = self.operator.api("POST", "records", {"token": forge.flip_bit(minted.token, 300)})
        self.assertIn(reply.status, (400, 404), reply)
        self.assertNotIn(minted.token[-40:], reply.text)
        self.assertEqual(self.operator.listed(state="all"), {})

    def test_recorded_tokens_survive_a_crash(self):
        """A record is durable before the node confirms it."""
        minted = [self.world.mint(uses=3) for _ in range(3)]
        for token in minted:
            self.operator.must("POST", "records", {"token": token.token, "note": "kept"})
        self.world.node.kill()
        self.world.serve()
        listed = self.operator.listed()
        self.assertEqual(set(listed), {token.id for token in minted})
        self.assertEqual({token["note"] for token in listed.values()}, {"kept"})

    def test_a_minted_token_is_durable_before_the_response(self):
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

    def test_revoking_a_user_refuses_tokens_issued_until_then_and_none_later(self):
        key, now = self.world.key("profile"), int(time.time())
        used = self.world.mint(uses=9)
        self.assert_profile(self.world.download(used.token))
        # Never used, recorded or listed before the revocation.
        never_seen = forge.token(key, issued_at=now, uses=9)
        revocation = self.operator.must("POST", "revocations", {"user": "alice"})
        revoked_at = int(seconds(revocation["issued_until"]))
        same_second = forge.token(key, issued_at=revoked_at, uses=9)
        after = forge.token(key, issued_at=revoked_at + 1, uses=9)
        other = forge.token(key, issued_at=now, uses=9, user="bob")
        for _ in range(2):
            for token in (used.token, never_seen, same_second):
                answer = self.world.download(token)
                self.assertEqual(answer.status, 410, answer)
                self.assertIn(b"revoked", answer.body)
            self.assert_profile(self.world.download(after), "alice")
            self.assert_profile(self.world.download(other), "bob")
            self.world.node.kill()
            self.world.serve()

    def test_revokes_a_batch_and_a_key(self):
        batch = self.world.mint_each(["alice", "bob"], uses=9)
        other = self.world.mint(uses=9)
        self.operator.must("POST", "revocations", {"batch": batch[0].batch})
        for minted in batch:
            self.assert_refused(self.world.download(minted.token), 410, "revoked")
        self.assert_profile(self.world.download(other.token))
        self.operator.must("POST", "revocations", {"key": other.key_id})
        self.assert_refused(self.world.download(other.token), 410, "revoked")
