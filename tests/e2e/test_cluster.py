"""Clusters: a single node grows to three without losing a count, every node serves
downloads, and one of three may fail."""

import concurrent.futures
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from cluster import (
    ClusterCase,
    Member,
    alarms,
    enable_cluster_listener,
    join_command,
    leader,
    own_id,
    promote,
    roles,
    status,
    wait_for_no_alarms,
    wait_for_voters,
)
from jeton import TIMEOUT_S, Case, World, free_port, jeton, must, run, tree, wait_until
from operators import Operator


def metric(world, name):
    """Returns the value of a node's metric, or `None` if the node does not report it."""
    text = Operator.anonymous(world).request("GET", "/metrics").text
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
    return found and float(found[1])


class Operation(ClusterCase):
    def test_a_single_node_grows_to_three_without_losing_a_count(self):
        first = self.stack.enter_context(World())
        node = first.serve()
        old = first.mint(uses=4).token
        dead = first.mint()
        self.assert_profile(first.download(old))
        first.must("revoke", dead.id)
        node.terminate()
        node.wait_for_exit()
        enable_cluster_listener(first).serve()
        first.id = own_id(first)

        second, third = self.member(first), self.member(first)
        wanted = {first.id: "voter", second.id: "learner", third.id: "learner"}
        self.assertEqual(roles(first), wanted)
        # A learner serves downloads like any node.
        self.assert_profile(second.download(old))
        promote(first, second, third)
        worlds = [first, second, third]
        for world in worlds:
            wait_for_voters(world, worlds)
        again = second.must("cluster", "promote", third.id, third.id)
        self.assertEqual(again, f"nothing changed: {third.id} is a voter already\n")
        itself = first.jeton("cluster", "replace", third.id, "--by", third.id)
        self.assert_failed(itself, "cannot replace itself")
        for world in worlds[1:]:
            self.assert_profile(world.download(old))
        for world in worlds:
            self.assert_refused(world.download(old), 410, "used up")
            self.assert_refused(world.download(dead.token), 410, "revoked")

    def test_one_of_three_nodes_may_fail_and_return(self):
        worlds = self.three_voters()
        token = worlds[0].mint(uses=9).token
        for world in worlds:
            self.assert_profile(world.download(token))
        lost = leader(worlds)
        lost.node.kill()
        rest = [world for world in worlds if world is not lost]
        # A request during the election may fail and burn a use, but never two.
        wait_until("the others to grant", lambda: rest[0].download(token).is_profile)
        self.assert_profile(rest[1].download(rest[0].mint().token))
        self.assertIn(leader(rest), rest)
        wait_until(
            "the lost node to be reported",
            lambda: status(rest[0])[lost.id]["is_reachable"] is False,
        )
        lost.serve()
        wait_until("it to be reachable", lambda: status(rest[0])[lost.id]["is_reachable"])
        self.assert_profile(lost.download(worlds[0].mint().token))
        granted = sum(
            world.download(token).is_profile for world in worlds for _ in range(4)
        )
        self.assertLessEqual(granted, 5)

    def test_a_stopping_leader_hands_over(self):
        worlds = self.three_voters()
        old = leader(worlds)
        old.node.terminate()
        self.assertEqual(old.node.wait_for_exit(), 0)
        rest = [world for world in worlds if world is not old]
        self.assert_profile(rest[0].download(worlds[0].mint().token))

    def test_a_node_without_a_majority_grants_nothing_and_changes_nothing(self):
        worlds = self.three_voters()
        for world in worlds[1:]:
            world.node.kill()
        last, unlimited = worlds[0], worlds[0].mint(uses="unlimited").token
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            # The command keeps trying during the checks below.
            change = pool.submit(last.jeton, "cluster", "demote", *(w.id for w in worlds[1:]))
            self.assert_nothing_granted(last, unlimited)
        done = change.result()
        self.assertEqual((done.returncode, done.stdout), (1, ""), done)
        self.assertRegex(done.stderr, r"error: .*(cannot change now|not known whether)")
        self.assertRegex(done.stderr, r"hint: .*(majority|jeton cluster status)")

    def assert_nothing_granted(self, last, unlimited):
        self.assert_refused(last.download(last.mint().token), 503, "try again")
        # Its revocations become too old to rely on.
        wait_until("the last node to be not ready", lambda: not last.is_ready())
        wait_until("a refusal", lambda: last.download(unlimited).status == 503)
        # Both doors and the commands give the reason, with numbers.
        why = r"not heard from a majority for \d+ s \(at most 10 s\)"
        self.assertRegex(Operator.anonymous(last).request("GET", "/readyz").text, why)
        self.assertRegex(last.get("/readyz").body.decode(), why)
        self.assert_failed(last.jeton("healthcheck"), "503: not ready: ", "(at most 10 s)")
        self.assert_read_only_access(last, why)

    def assert_read_only_access(self, last, why):
        """Asserts what an operator can see of a node that has no majority."""
        done = last.jeton("cluster", "status")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stderr, f"alarm: .*{why}")
        self.assertIn("This node last heard from a majority at 20", done.stderr)
        self.assertEqual(done.stdout.count("voter"), 3, done.stdout)
        checked = last.jeton("cluster", "status", "--check", "--format", "json")
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stderr, "(?m)^error: alarms: \\d, see above\nhint: ")
        reported = json.loads(checked.stdout)
        self.assertEqual([one["is_reachable"] for one in reported["members"]].count(None), 2)
        self.assertEqual(reported["alarms"], re.findall("(?m)^alarm: (.*)$", checked.stderr))
        self.assertTrue(reported["is_stale"])
        operator = Operator(last)
        for path in ("cluster", "status"):
            reported = operator.must("GET", path)
            self.assertTrue(reported["is_stale"], reported)
            self.assertRegex(reported["last_heard"], r"\A20.+Z\Z")
        self.assertEqual(operator.api("GET", "tokens").status, 503)
        self.assertEqual(operator.api("POST", "cluster/invites", {}).status, 503)
        # A new session sees the page of the nodes and no other.
        browser = operator.session()
        self.assertRegex(browser.request("GET", "/nodes").text, why)
        self.assertEqual(browser.request("GET", "/users").status, 503)
        done = last.jeton("list")
        self.assert_failed(done, "not available")
        self.assertIn("jeton cluster status", done.stderr)

    def test_a_dead_leader_can_be_replaced_during_the_election(self):
        first, second, third = self.three_voters()
        spare = self.member(first)
        worlds = [first, second, third]
        wait_until("the spare node to be listed", lambda: spare.id in status(second))
        lost = leader(worlds)
        rest = [world for world in worlds if world is not lost]
        lost.node.kill()
        # There is no leader yet; the command waits for one.
        done = rest[0].jeton(
            "cluster", "replace", lost.id, "--by", spare.id, "--format", "json"
        )
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout), {"changed": f"replaced {lost.id} by {spare.id}"})
        wait_for_voters(rest[1], [*rest, spare])
        wait_for_no_alarms(rest[0])

    def test_a_revocation_reaches_learners_within_a_second(self):
        worlds = self.three_voters()
        learners = [self.member(worlds[0]) for _ in range(2)]
        current = leader(worlds)
        for revoked_at, at in {
            "the leader": current,
            "another voter": next(world for world in worlds if world is not current),
            "a learner": learners[0],
        }.items():
            times = sorted(max(self.times_to_refuse(at, learners)) for _ in range(7))
            print(f"\n        revoked at {revoked_at}: refused by all learners after"
                  f" {statistics.median(times):.3f} s (median of {len(times)}),"
                  f" {times[-1]:.3f} s at most")
            self.assertLess(statistics.median(times), 1)
            # The machine may have stalled once.
            self.assertLess(times[-2], 3)
        self.assertEqual(len(status(worlds[0])), len([*worlds, *learners]))

    def times_to_refuse(self, at, learners):
        """Revokes a token. Returns how long each learner still accepted it after the
        revocation was sent."""
        minted = at.mint(uses="unlimited")
        probes = {learner: (lambda world=learner: world.get(
            f"/rest/GetProfileViaToken?token={minted.token}", "HEAD"
        ).status) for learner in learners}
        for probe in probes.values():
            wait_until("the profile to be offered", lambda: probe() == 200)
        operator = Operator(at)
        started = time.monotonic()

        def refused_after(probe):
            while probe() != 410:
                self.assertLess(time.monotonic() - started, TIMEOUT_S)
            return time.monotonic() - started

        with concurrent.futures.ThreadPoolExecutor(len(probes)) as pool:
            waiting = [pool.submit(refused_after, probe) for probe in probes.values()]
            operator.must("POST", "revocations", {"token": minted.id})
            return [one.result() for one in waiting]

    def test_metrics_report_the_leader_and_an_unreachable_member(self):
        worlds = self.three_voters()
        current = wait_until("metrics that agree", lambda: self.agreed_leader(worlds))
        rest = [world for world in worlds if world is not current]
        self.in_one_term(current, lambda: self.assert_forwarded_once(current, rest[0]))
        lost, other = rest[1], rest[0]
        reachable = f'jeton_cluster_member_reachable{{node="{lost.id}"}}'
        self.in_one_term(current, lambda: self.assertEqual(
            [metric(world, reachable) for world in (current, other)], [1, None]
        ))
        lost.node.kill()
        wait_until(
            "the lost node to be reported",
            lambda: metric(leader([current, other]), reachable) == 0,
        )
        alarm = f"node {lost.id} at 127.0.0.1:{lost.cluster_port} has not been heard from "
        wait_until("an alarm", lambda: any(alarm in one for one in alarms(other)))

    def agreed_leader(self, worlds):
        """Returns the leader if the metrics of all nodes describe a healthy cluster."""
        current, reported = leader(worlds), []
        for world in worlds:
            names = ("leader_known", 'members{role="voter"}', "stale", "term", "is_leader")
            *same, is_leader = (metric(world, f"jeton_cluster_{name}") for name in names)
            reported.append(same)
            staleness = metric(world, "jeton_cluster_staleness_seconds")
            if is_leader != (world is current) or staleness is None or staleness > 5:
                return None
        return current if all(same == [1, 3, 0, reported[0][3]] for same in reported) else None

    def in_one_term(self, world, check):
        """Runs a check that holds only while the leader stays the same. Retries it
        after an election, which a stall of half a second causes."""
        for tries_left in range(9, -1, -1):
            term = metric(world, "jeton_cluster_term")
            try:
                return check()
            except AssertionError:
                if metric(world, "jeton_cluster_term") == term or not tries_left:
                    raise

    def assert_forwarded_once(self, current, other):
        name = "jeton_cluster_spends_forwarded_total"
        before = [metric(world, name) for world in (current, other)]
        self.assert_profile(other.download(other.mint().token))
        after = [metric(world, name) for world in (current, other)]
        self.assertEqual(after, [before[0], before[1] + 1])

    def test_a_removed_node_is_refused(self):
        first = self.first()
        member = self.member(first)
        first.must("cluster", "remove", member.id)
        self.assertEqual(list(status(first)), [first.id])
        wait_until("the removed node to be not ready", lambda: not member.is_ready())
        self.assertEqual(member.download(first.mint().token).status, 503)


class Joining(Case):
    def setUp(self):
        self.world = enable_cluster_listener(World().__enter__())
        self.addCleanup(self.world.__exit__, None, None, None)
        self.world.serve()
        directory = tempfile.TemporaryDirectory(prefix="jeton-e2e-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def refused(self, line, *words):
        """Asserts that joining fails and leaves nothing behind."""
        target = self.directory / "node"
        done = run(join_command(line, target, free_port()))
        self.assert_failed(done, *words)
        self.assertEqual(tree(self.directory), {})
        return done

    def test_an_invitation_is_good_once(self):
        line = self.world.must("cluster", "invite").strip()
        self.assertRegex(line, r"\Ajeton-join:1:127\.0\.0\.1:\d+:[0-9a-f]{64}:[\w-]{43}\Z")
        with Member(self.world, line):
            done = self.refused(line, "has been used")
            self.assertIn("jeton cluster invite", done.stderr)

    def test_the_secret_is_sent_only_to_the_inviting_cluster(self):
        line = self.world.must("cluster", "invite").strip()
        head, fingerprint, secret = line.rsplit(":", 2)
        self.refused(f"{head}:{'0' * 64}:{secret}", "does not belong to the cluster")
        self.refused(f"{head}:{fingerprint}:{'A' * 43}", "has been used")
        self.refused(line[:-1], "not a complete join line")
        # The invitation is still good.
        with Member(self.world, line) as member:
            self.assertEqual(len(status(self.world)), 2)
            self.assertNotIn(line.rsplit(":", 1)[1], self.world.log.read_text())
            key = member.dir / "ledger" / "cluster" / "ca-key.pem"
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)

    def test_join_keeps_existing_files(self):
        line = self.world.must("cluster", "invite").strip()
        (self.directory / "ledger").mkdir()
        before = tree(self.directory)
        done = run(join_command(line, self.directory, free_port()))
        self.assert_failed(done, "already exists")
        self.assertEqual(tree(self.directory), before)
        self.assertEqual(len(status(self.world)), 1)

    def test_a_member_needs_its_cluster_listener_and_its_authority(self):
        with Member(self.world) as member:
            authority = member.dir / "ledger" / "cluster"
            authority.rename(member.dir / "elsewhere")
            self.assert_failed(member.jeton("serve"), "certificate authority is missing here")
            (member.dir / "elsewhere").rename(authority)
            member.change(f'listen = "127.0.0.1:{member.cluster_port}"', 'listen = "off"')
            self.assert_failed(member.jeton("serve"), "cluster.listen is off")

    def test_reads_a_join_line_from_stdin(self):
        done = run(join_command("-", self.directory / "node", free_port()), input="")
        self.assert_failed(done, "stdin has no join line")
        self.assertIn("jeton cluster invite", done.stderr)
        line = self.world.must("cluster", "invite")
        done = run(join_command("-", self.directory / "node", free_port()), input=line)
        self.assertIn(done.stdout.strip(), status(self.world), done)
        # The new node has no private key. Commands that need one say which.
        for command, hint in (
            (["mint", "--user", "alice"], r"hint: mint on the machine .*profile-\*\.pem"),
            (["list"], r"hint: .*copy admin-\*\.pem"),
        ):
            done = jeton(*command, "--config", self.directory / "node" / "jeton.toml")
            self.assert_failed(done, "`keys.signing` is not set")
            self.assertRegex(done.stderr, hint)

    def test_a_node_with_a_wrong_address_reports_it_and_the_remedy(self):
        with Member(self.world, address=f"127.0.0.1:{free_port()}") as lost:
            lost.start()
            wait_until("the log", lambda: "no other node has reached" in lost.log.read_text())
            (alarm,) = [one for one in alarms(lost) if "no other node has reached" in one]
            self.assertRegex(alarm, r"at 127\.0\.0\.1:\d+ since it started \d+ s ago")
            self.assertIn(f"jeton cluster remove {lost.id}", alarm)
            self.world.must("cluster", "remove", lost.id)
        with Member(self.world) as member:
            member.serve()
            self.assertEqual(alarms(member), [])

    def test_commands_print_json(self):
        invite = json.loads(self.world.must("cluster", "invite", "--format", "json"))
        self.assertRegex(invite["expires_at"], r"\A20.+Z\Z")
        port = free_port()
        made = [*join_command(invite["line"], self.directory / "node", port), "--format", "json"]
        made = json.loads(must(made))
        self.assertEqual(made["address"], f"127.0.0.1:{port}")
        self.assertEqual(status(self.world)[made["node_id"]]["role"], "learner")
        done = json.loads(self.world.must("cluster", "remove", made["node_id"], "--format", "json"))
        self.assertEqual(done, {"changed": f"removed {made['node_id']}"})

    def test_joining_an_unreachable_node_fails(self):
        line = self.world.must("cluster", "invite").strip()
        self.world.node.kill()
        self.refused(line, "cannot reach the node")

    def test_a_single_node_needs_no_setup_and_refuses_to_invite(self):
        with World() as single:
            single.serve()
            (member,) = status(single).values()
            self.assertEqual((member["role"], member["is_leader"]), ("voter", True))
            done = single.jeton("cluster", "invite")
            self.assert_failed(done, "does not listen for other nodes")
            self.assertIn("[cluster]", done.stderr)
            self.assertFalse((single.dir / "ledger" / "cluster").exists())
