"""Several nodes count as one: a lone node grows without losing a count, every
node answers, and one of three may be lost."""

import tempfile
from pathlib import Path

from cluster import Member, Together, grow, join, leader, listens, status, this
from jeton import Case, World, free_port, run, tree, wait_until
from operators import Operator


class Growing(Together):
    def test_a_lone_node_grows_to_three_and_no_count_is_lost(self):
        first = self.stack.enter_context(World())
        node = first.serve()
        old = first.mint(uses=4).token
        dead = first.mint()
        self.assert_profile(first.download(old))
        first.did("revoke", dead.id)
        node.terminate()
        node.ended()
        listens(first).serve()
        first.id = this(first)

        second, third = self.member(first), self.member(first)
        roles = {id: member["role"] for id, member in status(first).items()}
        self.assertEqual(roles, {first.id: "voter", second.id: "learner", third.id: "learner"})
        # A learner answers as any node does.
        self.assert_profile(second.download(old))
        grow(first, second, third)
        worlds = [first, second, third]
        for world in worlds:
            self.assertEqual({m["role"] for m in status(world).values()}, {"voter"})
        for world in worlds[1:]:
            self.assert_profile(world.download(old))
        for world in worlds:
            self.assert_refused(world.download(old), 410, "used up")
            self.assert_refused(world.download(dead.token), 410, "revoked")

    def test_one_of_three_is_lost_and_comes_back(self):
        worlds = self.three()
        token = first_token = worlds[0].mint(uses=9).token
        for world in worlds:
            self.assert_profile(world.download(token))
        lost = leader(worlds)
        lost.node.kill()
        rest = [world for world in worlds if world is not lost]
        # Who asked in vain was told so, and a use may be gone; never two.
        wait_until("the others to grant", lambda: rest[0].download(token).is_profile)
        self.assert_profile(rest[1].download(rest[0].mint().token))
        self.assertIn(leader(rest), rest)
        wait_until(
            "the lost node to be told", lambda: not status(rest[0])[lost.id]["is_reachable"]
        )
        lost.serve()
        wait_until("it to be heard", lambda: status(rest[0])[lost.id]["is_reachable"])
        self.assert_profile(lost.download(worlds[0].mint().token))
        granted = sum(
            world.download(first_token).is_profile for world in worlds for _ in range(4)
        )
        self.assertLessEqual(granted, 5)

    def test_a_leader_that_stops_hands_over(self):
        worlds = self.three()
        old = leader(worlds)
        old.node.terminate()
        self.assertEqual(old.node.ended(), 0)
        rest = [world for world in worlds if world is not old]
        self.assert_profile(rest[0].download(worlds[0].mint().token))

    def test_a_node_without_a_majority_gives_nothing(self):
        worlds = self.three()
        for world in worlds[1:]:
            world.node.kill()
        last, unlimited = worlds[0], worlds[0].mint(uses="unlimited").token
        self.assert_refused(last.download(last.mint().token), 503, "try again")
        # What it knows of revocations gets too old to vouch for.
        wait_until("the last node to say so", lambda: not last.is_ready(), 30)
        wait_until("nothing to be given", lambda: last.download(unlimited).status == 503, 30)
        ready = Operator.nobody(last).ask("GET", "/readyz")
        self.assertIn("not heard from a majority", ready.text)

    def test_a_removed_node_is_refused(self):
        first = self.first()
        member = self.member(first)
        first.did("cluster", "remove", member.id)
        self.assertEqual(list(status(first)), [first.id])
        wait_until("the removed node to say so", lambda: not member.is_ready(), 30)
        self.assertEqual(member.download(first.mint().token).status, 503)


class Joining(Case):
    def setUp(self):
        self.world = listens(World().__enter__())
        self.addCleanup(self.world.__exit__, None, None, None)
        self.world.serve()
        folder = tempfile.TemporaryDirectory(prefix="jeton-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def refused(self, line, *words):
        """Joins in vain, and leaves nothing behind."""
        target = self.folder / "node"
        done = run(join(line, target, free_port()))
        self.assert_failed(done, *words)
        self.assertEqual(tree(self.folder), {})
        return done

    def test_an_invitation_is_good_once(self):
        line = self.world.did("cluster", "invite").strip()
        self.assertRegex(line, r"\Ajeton-join:1:127\.0\.0\.1:\d+:[0-9a-f]{64}:[\w-]{43}\Z")
        with Member(self.world, line):
            done = self.refused(line, "used already")
            self.assertIn("jeton cluster invite", done.stderr)

    def test_the_secret_is_told_only_to_the_cluster_that_was_meant(self):
        line = self.world.did("cluster", "invite").strip()
        head, fingerprint, secret = line.rsplit(":", 2)
        self.refused(f"{head}:{'0' * 64}:{secret}", "does not belong to the cluster")
        self.refused(f"{head}:{fingerprint}:{'A' * 43}", "used already")
        self.refused(line[:-1], "no join line")
        # All that cost nothing.
        with Member(self.world, line) as member:
            self.assertEqual(len(status(self.world)), 2)
            self.assertNotIn(line.rsplit(":", 1)[1], self.world.log.read_text())
            key = (member.dir / "ledger" / "cluster" / "ca-key.pem")
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)

    def test_what_exists_is_not_touched(self):
        line = self.world.did("cluster", "invite").strip()
        (self.folder / "ledger").mkdir()
        before = tree(self.folder)
        done = run(join(line, self.folder, free_port()))
        self.assert_failed(done, "exists already")
        self.assertEqual(tree(self.folder), before)
        self.assertEqual(len(status(self.world)), 1)

    def test_a_node_of_a_cluster_needs_its_door_and_its_authority(self):
        with Member(self.world) as member:
            authority = member.dir / "ledger" / "cluster"
            authority.rename(member.dir / "elsewhere")
            self.assert_failed(member.jeton("serve"), "certificate authority is not here")
            (member.dir / "elsewhere").rename(authority)
            member.change(f'listen = "127.0.0.1:{member.cluster_port}"', 'listen = "off"')
            self.assert_failed(member.jeton("serve"), "cluster.listen is off")

    def test_a_line_can_come_from_stdin(self):
        line = self.world.did("cluster", "invite")
        done = run(join("-", self.folder / "node", free_port()), input=line)
        self.assertIn(done.stdout.strip(), status(self.world), done)

    def test_nobody_is_there(self):
        line = self.world.did("cluster", "invite").strip()
        self.world.node.kill()
        self.refused(line, "cannot reach the node")

    def test_a_lone_node_needs_no_set_up_and_invites_nobody(self):
        with World() as lone:
            lone.serve()
            (member,) = status(lone).values()
            self.assertEqual((member["role"], member["is_leader"]), ("voter", True))
            done = lone.jeton("cluster", "invite")
            self.assert_failed(done, "does not listen for other nodes")
            self.assertIn("[cluster]", done.stderr)
            self.assertFalse((lone.dir / "ledger" / "cluster").exists())
