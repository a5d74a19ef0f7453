"""Nodes behind one host name: a load balancer may choose any member of one ledger, and
it can distinguish the tokens of two ledgers by their first characters."""

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from cluster import Member, enable_cluster_listener, leader, own_id, promote
from jeton import Case, World, wait_until
from load_balancer import LoadBalancer


class BehindOneName(Case):
    def setUp(self):
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.proxy = self.stack.enter_context(LoadBalancer())

    def world(self):
        return self.proxy.configure_backend(self.stack.enter_context(World()))

    def test_members_share_their_counts_and_one_may_fail(self):
        first = enable_cluster_listener(self.world())
        first.serve()
        first.id = own_id(first)
        worlds = [first]
        for _ in range(2):
            worlds.append(self.proxy.configure_backend(self.stack.enter_context(Member(first))))
            worlds[-1].serve()
        promote(first, *worlds[1:])
        self.proxy.start(first.dir / "tls", {"jeton": worlds}, "default_backend jeton")
        tokens = [one.token for one in first.mint_each(["alice"] * 40, uses=1)]
        with ThreadPoolExecutor(16) as clients:
            answers = list(clients.map(self.proxy.download, tokens * 3))
        self.assertEqual(sum(answer.is_profile for answer in answers), 40)
        self.assertEqual({answer.status for answer in answers}, {200, 410})

        lost = leader(worlds)
        lost.node.kill()
        rest = [world for world in worlds if world is not lost]
        leader(rest)
        wait_until(
            "the proxy to drop the lost node",
            lambda: all(self.proxy.download(tokens[0]).status == 410 for _ in range(9)),
        )
        for token in [one.token for one in first.mint_each(["alice"] * 9, uses=1)]:
            self.assert_profile(self.proxy.download(token))
            self.assert_refused(self.proxy.download(token), 410, "used up")

    def test_the_first_characters_of_a_token_select_its_ledger(self):
        groups = {"a": self.world(), "b": self.world()}
        choice = "default_backend a\n"
        for name, world in groups.items():
            world.serve()
            prefix = self.token_prefix(world)
            self.assertTrue(world.mint().token.startswith(prefix))
            choice += (
                f"  use_backend {name} if {{ url_param(token) -m beg {prefix} }}"
                f" || {{ path_beg /t/{prefix} }}\n"
            )
        self.proxy.start(
            groups["a"].dir / "tls", {name: [world] for name, world in groups.items()}, choice
        )
        other = {"a": "b", "b": "a"}
        for name, world in groups.items():
            minted = world.mint(uses=2)
            self.assert_profile(self.proxy.download(minted.token))
            self.assertEqual(world.listed()[minted.id]["used"], 1)
            self.assert_profile(self.proxy.download(minted.token))
            self.assert_refused(self.proxy.download(minted.token), 410, "used up")
            # The other ledger does not know the token's key.
            self.assertEqual(groups[other[name]].download(minted.token).status, 404)

    @staticmethod
    def token_prefix(world):
        """Returns the prefix of all tokens of a key: the version and the key id."""
        key_id = world.key("profile").stem.removeprefix("profile-")
        return base64.urlsafe_b64encode(bytes.fromhex(f"01{key_id}")).decode()[:6]
