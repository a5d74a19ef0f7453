"""Nodes are upgraded, replaced and restored as docs/cluster.md describes. Stale copies
are refused with a message that helps."""

import itertools
import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
from datetime import datetime

import forge
from cluster import (
    ClusterCase,
    Member,
    alarms,
    copy_to_another_machine,
    enable_cluster_listener,
    leader,
    own_id,
    promote,
    status,
    unverified_context,
    wait_for_catch_up,
    wait_for_no_alarms,
    wait_for_same_index,
    wait_for_voters,
)
from jeton import TIMEOUT_S, Case, World, must, tree, wait_until
from operators import Operator
from redeemers import RetryingClients


def birth(done):
    """Returns the time from which tokens are valid in a ledger that a command made, as
    the command printed it."""
    printed = re.search(r"Links minted before (\S+Z) are refused", done.stderr)[1]
    return int(datetime.fromisoformat(printed).timestamp())


def roll_back(directory, older):
    """Gives a directory the contents of another one. Existing files keep their inodes."""
    for path in directory.rglob("*"):
        if path.is_file() and not (older / path.relative_to(directory)).exists():
            path.unlink()
    for path in older.rglob("*"):
        if path.is_file():
            # Writing to an existing file keeps its inode.
            (directory / path.relative_to(older)).write_bytes(path.read_bytes())


def restore(world, *vouching):
    """Moves a node's ledger aside and restores a new one from it. Returns the birth of
    the new ledger and the finished command."""
    aside = world.dir / "ledger.old"
    (world.dir / "ledger").rename(aside)
    before = tree(aside)
    done = world.jeton("ledger", "restore", aside, *vouching)
    assert done.returncode == 0, done
    assert tree(aside) == before
    return birth(done), done


class SingleNode(Case):
    """A single node: no other node remembers its counts."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.ledger = self.world.dir / "ledger"
        self.backup = self.world.dir / "backup"

    def make_backup(self):
        self.stop(self.world)
        shutil.copytree(self.ledger, self.backup)
        self.world.serve()

    def test_a_ledger_copied_from_a_backup_is_refused_and_can_be_restored(self):
        world, key = self.world, self.world.key("profile")
        world.serve()
        old, dead, twice = world.mint(), world.mint(), world.mint(uses=2).token
        world.must("revoke", dead.id)
        world.must("revoke", "--batch", "00000000")
        world.must("user", "allow-autologin", "alice")
        self.make_backup()
        for token in (old.token, twice):
            self.assert_profile(world.download(token))
        self.stop(self.world)

        shutil.rmtree(self.ledger)
        shutil.copytree(self.backup, self.ledger)
        before = tree(self.ledger)
        for _ in range(2):
            done = world.jeton("serve")
            self.assert_failed(done, self.ledger, "copied or put back")
            self.assertIn("jeton ledger restore", done.stderr)
        self.assertIn("copied or put back", world.jeton("config", "check").stderr)
        self.assertEqual(tree(self.ledger), before)

        born, done = restore(world)
        self.assertIn("Revocations restored: 2.", done.stderr)
        self.assertIn("autologin: 1.", done.stderr)
        world.serve()
        for token in (old.token, twice, world.mint().token):
            self.assert_refused(world.download(token), 410, "issued before")
        said = world.must("inspect", "-", "--node", input=old.token)
        self.assertIn("would be refused: issued before this ledger", said)
        later = {"issued_at": born, "uses": 1}
        self.assert_profile(world.download(forge.token(key, variant=1, **later)))
        nonce = bytes(4) + bytes(range(12))
        self.assert_refused(
            world.download(forge.token(key, nonce=nonce, **later)), 410, "revoked"
        )
        # The restored ledger works like any other: its counts survive a crash.
        once = forge.token(key, **later)
        self.assert_profile(world.download(once))
        world.node.kill()
        world.serve()
        self.assert_refused(world.download(once), 410, "used up")

    def test_a_ledger_overwritten_with_a_backup_is_refused(self):
        self.world.serve()
        self.make_backup()
        self.stop(self.world)
        roll_back(self.ledger, self.backup)
        done = self.world.jeton("serve")
        self.assert_failed(done, "copied or put back")

    def test_a_moved_ledger_starts_after_the_operator_confirms_it_is_newest(self):
        world = self.world
        world.serve()
        token = world.mint(uses=2).token
        self.assert_profile(world.download(token))
        done = world.jeton("ledger", "moved", "--is-newest")
        self.assert_failed(done, "in use by another process")
        self.stop(self.world)
        # A rename needs no confirmation.
        self.ledger.rename(self.backup)
        self.backup.rename(self.ledger)
        world.serve()
        self.stop(self.world)
        shutil.copytree(self.ledger, self.backup)
        shutil.rmtree(self.ledger)
        self.backup.rename(self.ledger)
        self.assert_failed(world.jeton("serve"), "copied or put back")
        done = world.jeton("ledger", "moved")
        self.assert_failed(done, "only you can know")
        self.assert_failed(world.jeton("serve"), "copied or put back")
        # A ledger with a damaged clone guard does not start either.
        (self.ledger / "log" / "place").write_bytes(b"jeton place 1\nnonsense")
        done = world.jeton("serve")
        self.assert_failed(done, "log/place is damaged")
        self.assertIn("jeton ledger moved --is-newest", done.stderr)
        self.assert_failed(world.jeton("config", "check"))
        moved = json.loads(world.must("ledger", "moved", "--is-newest", "--format", "json"))
        self.assertEqual(moved, {"dir": str(self.ledger), "was_needed": True})
        world.serve()
        self.assert_profile(world.download(token))
        self.assert_refused(world.download(token), 410, "used up")

    def test_a_failed_restore_leaves_nothing_behind(self):
        world, aside = self.world, self.world.dir / "ledger.old"
        done = world.jeton("ledger", "restore", self.ledger)
        self.assert_failed(done, "already exists")
        world.serve()
        self.stop(self.world)
        self.ledger.rename(aside)

        def assert_not_restored(name, break_it, repair):
            with self.subTest(name):
                break_it()
                before = tree(world.dir)
                done = world.jeton("ledger", "restore", aside)
                self.assert_failed(done, "ledger.old")
                self.assertEqual(tree(world.dir), before)
                repair()

        (segment,) = (aside / "log").glob("0*")
        data = segment.read_bytes()
        torn = bytearray(data)
        torn[70] ^= 1
        assert_not_restored(
            "damaged log",
            lambda: segment.write_bytes(torn),
            lambda: segment.write_bytes(data),
        )
        assert_not_restored(
            "readable by others", lambda: aside.chmod(0o755), lambda: aside.chmod(0o700)
        )
        identity = aside / "identity.toml"
        text = identity.read_text()
        assert_not_restored("no ledger", identity.unlink, lambda: identity.write_text(text))
        # A ledger that a running node uses cannot be restored from.
        aside.rename(self.ledger)
        world.serve()
        other = World()
        with other:
            shutil.rmtree(other.dir / "ledger")
            done = other.jeton("ledger", "restore", self.ledger)
            self.assert_failed(done, "in use by another process")
            self.assertFalse((other.dir / "ledger").exists())


def readiness(operator):
    """Returns the text of a node's `/readyz`, or nothing while it does not answer."""
    try:
        return operator.request("GET", "/readyz").text
    except OSError:
        return ""


class Upgrade(ClusterCase):
    def test_every_link_works_once_during_a_rolling_restart(self):
        worlds = self.three_voters()
        tokens = [one.token for one in worlds[0].mint_each(["alice"] * 6_000)]
        with RetryingClients(worlds, tokens) as clients:
            clients.wait_for(50)
            # One of them is the leader, which hands over first.
            for world in worlds:
                self.stop(world)
                clients.wait_for(30)
                world.serve()
                clients.wait_for(30)
        self.assertEqual(clients.failures, [])
        print(
            f"{len(clients.delivered)} links, {clients.retries} retries, "
            f"slowest {clients.slowest:.2f} s",
            flush=True,
        )
        self.assertEqual(set(clients.delivered.values()), {True})
        # On an idle machine it is some hundredths of a second.
        self.assertLess(clients.slowest, 15)
        for token, world in zip(clients.delivered, itertools.cycle(worlds)):
            self.assert_refused(world.download(token), 410, "used up")
        wait_for_no_alarms(*worlds)


class Replacing(ClusterCase):
    def test_after_a_dead_node_is_replaced_any_other_may_fail(self):
        worlds = self.three_voters()
        token, spent = worlds[0].mint(uses=3).token, worlds[0].mint().token
        self.assert_profile(worlds[0].download(spent))
        dead = worlds[2]
        dead.node.kill()
        shutil.rmtree(dead.dir / "ledger")
        rest = worlds[:2]
        wait_until("an alarm", lambda: any(dead.id in alarm for alarm in alarms(leader(rest))))
        new = self.member(rest[0])
        wait_for_catch_up(leader(rest), new)
        rest[0].must("cluster", "replace", dead.id, "--by", new.id)
        wait_for_voters(new, [*rest, new])
        for world in [*rest, new]:
            self.assert_profile(world.download(token))
        # The new node counts for the majority: rest[1] alone could not grant.
        rest[0].node.kill()
        remaining = [rest[1], new]
        self.assertIn(leader(remaining), remaining)
        self.assert_profile(new.download(remaining[0].mint().token))
        for world in remaining:
            self.assert_refused(world.download(token), 410, "used up")
            self.assert_refused(world.download(spent), 410, "used up")

    def test_a_node_moves_to_another_machine_and_address(self):
        worlds = self.three_voters()
        token = worlds[0].mint(uses=3).token
        self.assert_profile(worlds[2].download(token))
        self.stop(worlds[2])
        moved = self.enter(copy_to_another_machine(worlds[2]))
        shutil.rmtree(worlds[2].dir / "ledger")
        self.assert_failed(moved.jeton("serve"), "copied or put back")
        moved.must("ledger", "moved", "--is-newest")
        moved.serve()
        address = f"127.0.0.1:{moved.cluster_port}"
        for world in worlds[:2]:
            wait_until(
                "the new address", lambda: status(world)[moved.id]["address"] == address
            )
        wait_until("it to be reachable", lambda: status(worlds[0])[moved.id]["is_reachable"])
        self.assert_profile(moved.download(token))
        worlds[1].node.kill()
        remaining = [worlds[0], moved]
        self.assertIn(leader(remaining), remaining)
        self.assert_profile(moved.download(token))
        self.assert_refused(worlds[0].download(token), 410, "used up")


def may_autologin(world, user):
    """Returns `True` if a node has applied the user's autologin permission."""
    users = Operator(world).must("GET", "users")["users"]
    return any(one["user"] == user and one["autologin"] for one in users)


class LostMajority(ClusterCase):
    def test_the_last_node_of_three_can_be_restored_and_grow_again(self):
        worlds = self.three_voters()
        last, key = worlds[0], worlds[0].key("profile")
        old, fresh, dead = last.mint(uses=3).token, last.mint().token, last.mint()
        self.assert_profile(worlds[1].download(old))
        worlds[2].must("revoke", dead.id)
        last.must("revoke", "--batch", "00000000")
        last.must("user", "allow-autologin", "alice")
        # This is the last entry of the log, so the node has all earlier ones.
        wait_until("the last node to apply it", lambda: may_autologin(last, "alice"))
        for world in worlds[1:]:
            world.node.kill()
            shutil.rmtree(world.dir / "ledger")
        self.assert_refused(last.download(fresh), 503, "try again")
        wait_until("the last node to be not ready", lambda: not last.is_ready())
        # A restart alone does not help.
        last.node.kill()
        last.start()
        anonymous = Operator.anonymous(last)
        wait_until("the reason", lambda: "Connection refused" in readiness(anonymous))
        self.assertEqual(last.download(fresh).status, 503)
        self.stop(last)

        copy = last.dir / "copy"
        shutil.copytree(last.dir / "ledger", copy)
        (last.dir / "ledger").rename(last.dir / "aside")
        self.assert_failed(last.jeton("ledger", "restore", copy), "other nodes share this ledger")
        (last.dir / "aside").rename(last.dir / "ledger")
        born, done = restore(last, "--others-are-gone")
        self.assertRegex(done.stderr, r"The copy ends at \S+Z\. ")
        last.serve()
        last.id = own_id(last)
        # The cost of restoring: links minted before no longer work.
        for token in (old, fresh):
            self.assert_refused(last.download(token), 410, "issued before")
        self.assert_refused(last.download(dead.token), 410, "revoked")
        others = [self.member(last), self.member(last)]
        promote(last, *others)
        worlds = [last, *others]
        wait_for_voters(others[0], worlds)
        later = {"issued_at": born, "uses": 3}
        token, nonce = forge.token(key, variant=1, **later), bytes(4) + bytes(range(12))
        for world in worlds:
            self.assert_profile(world.download(token))
        for world in worlds:
            self.assert_refused(world.download(token), 410, "used up")
            self.assert_refused(world.download(old), 410, "issued before")
            self.assert_refused(
                world.download(forge.token(key, nonce=nonce, **later)), 410, "revoked"
            )


class Theft(ClusterCase):
    def test_a_remaining_node_that_once_joined_makes_a_new_authority(self):
        first, remaining, third = worlds = self.three_voters()
        token = first.mint(uses=2).token
        self.assert_profile(third.download(token))
        remaining.must("cluster", "lead", remaining.id)
        self.assert_failed(remaining.jeton("cluster", "remove", first.id, third.id), "is a voter")
        remaining.must("cluster", "demote", first.id, third.id)
        remaining.must("cluster", "remove", first.id, third.id)
        for world in worlds:
            self.stop(world)
        old = self.fingerprint(remaining)
        shutil.rmtree(remaining.dir / "ledger" / "cluster")
        remaining.serve()
        self.assertNotEqual(self.fingerprint(remaining), old)
        with Member(remaining) as new:
            # The node serves downloads before the new member has started.
            self.assert_profile(remaining.download(token))
            self.assertEqual(len(status(remaining)), 2)
            new.serve()
            self.assert_refused(new.download(token), 410, "used up")

    def test_a_new_authority_shuts_out_the_old_one_without_losing_a_count(self):
        first = self.first()
        stolen = self.member(first)
        self.stop(stolen)
        second, third = self.member(first), self.member(first)
        promote(first, second, third)
        token = first.mint(uses=4).token
        for world in (first, second, third):
            self.assert_profile(world.download(token))
        first.must("cluster", "remove", stolen.id)
        first.must("cluster", "lead", first.id)
        first.must("cluster", "demote", second.id, third.id)
        first.must("cluster", "remove", second.id, third.id)
        self.assertEqual(list(status(first)), [first.id])
        for world in (first, second, third):
            self.stop(world)
        fingerprint = self.fingerprint(first)
        shutil.rmtree(first.dir / "ledger" / "cluster")
        first.serve()
        self.assertNotEqual(self.fingerprint(first), fingerprint)
        others = [self.member(first), self.member(first)]
        promote(first, *others)
        self.assertEqual(self.fingerprint(others[0]), self.fingerprint(first))
        self.assert_profile(others[0].download(token))
        for world in (first, *others):
            self.assert_refused(world.download(token), 410, "used up")

        # A node with the old authority is rejected and learns why.
        stolen.start()
        anonymous = Operator.anonymous(stolen)
        wait_until("the reason", lambda: "authorities" in readiness(anonymous))
        self.assertEqual(stolen.download(first.mint().token).status, 503)
        self.assert_connection_refused(first, stolen)
        self.assertEqual(set(status(first)), {world.id for world in (first, *others)})
        self.assert_profile(others[1].download(first.mint().token))

    def fingerprint(self, world):
        return ssl.PEM_cert_to_DER_cert(
            (world.dir / "ledger" / "cluster" / "ca.pem").read_text()
        )

    def assert_connection_refused(self, first, stolen):
        """Asserts that a certificate signed by the old authority opens no connection."""
        directory = stolen.dir / "ledger" / "cluster"
        key, made = stolen.dir / "thief.key", stolen.dir / "thief.pem"
        ledger = re.search(
            'ledger_id = "(.*)"', (first.dir / "ledger" / "identity.toml").read_text()
        )[1]
        names = stolen.dir / "names"
        names.write_text(f"subjectAltName=DNS:{first.id}.{ledger}.cluster.jeton\n")
        curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        request = must(
            ["openssl", "req", *curve.split(), "-subj", "/CN=thief", "-keyout", key]
        )
        sign = ["openssl", "x509", "-req", "-CA", directory / "ca.pem", "-CAkey"]
        must([*sign, directory / "ca-key.pem", "-extfile", names, "-out", made], input=request)
        for has_certificate in (True, False):
            context = unverified_context()
            if has_certificate:
                context.load_cert_chain(made, key)
            url = f"https://127.0.0.1:{first.cluster_port}/raft"
            try:
                urllib.request.urlopen(url, b"x", timeout=TIMEOUT_S, context=context)
            except urllib.error.HTTPError as error:
                # Without a certificate, the listener answers with a refusal.
                with error:
                    self.assertFalse(has_certificate)
                    self.assertEqual(error.code, 403)
            except OSError:
                self.assertTrue(has_certificate)
            else:
                self.fail("the cluster listener accepted the request")


class Impostors(ClusterCase):
    """Stale or copied node directories, and nodes of other clusters."""

    def assert_shut_out(self, world, *words):
        """Asserts that the node is not ready and reports the cluster's refusal with
        these words."""
        anonymous = Operator.anonymous(world)
        wait_until("the reason", lambda: all(word in readiness(anonymous) for word in words))
        self.assertFalse(world.is_ready())
        # Operators still have read-only access, although the node cannot check their
        # token against current revocations.
        reported = alarms(world)
        self.assertTrue(any(all(word in alarm for word in words) for alarm in reported), reported)
        self.assertIn("the cluster refuses this node", world.log.read_text())

    def test_a_stale_disk_is_refused_under_its_node_id(self):
        worlds = self.three_voters()
        old = next(world for world in worlds[1:] if world is not leader(worlds))
        rest = [world for world in worlds if world is not old]
        self.stop(old)
        backup = old.dir / "backup"
        shutil.copytree(old.dir / "ledger", backup)
        old.serve()
        token = rest[0].mint(uses=3).token
        for world in worlds:
            self.assert_profile(world.download(token))
        self.stop(old)
        shutil.rmtree(old.dir / "ledger")
        shutil.copytree(backup, old.dir / "ledger")
        self.assert_failed(old.jeton("serve"), "copied or put back")
        # A wrong confirmation does not help: the other nodes detect the stale disk.
        old.must("ledger", "moved", "--is-newest")
        old.start()
        self.assert_shut_out(old, "old disk put back", "fresh directory", "jeton cluster replace")
        self.assertEqual(old.download(rest[0].mint().token).status, 503)
        current = leader(rest)
        wait_until("the leader's alarm", lambda: any(
            old.id in alarm and f"jeton cluster replace {old.id}" in alarm
            for alarm in alarms(current)
        ))
        # Logged once, not at each of six heartbeats per second. If the node does not
        # answer for a while, it is logged again.
        self.assertIn(current.log.read_text().count("a node is ignored"), range(1, 5))
        for world in rest:
            self.assert_refused(world.download(token), 410, "used up")

    def test_a_disk_rolled_back_to_a_snapshot_of_its_last_run_is_refused(self):
        """As with a volume snapshot, the files keep their inodes; only contents change."""
        worlds = self.three_voters()
        old = next(world for world in worlds[1:] if world is not leader(worlds))
        rest = [world for world in worlds if world is not old]
        ledger, volume = old.dir / "ledger", old.dir / "volume"
        with old.node.paused():
            shutil.copytree(ledger, volume)
        token = rest[0].mint(uses=4).token
        self.assert_profile(rest[0].download(token))
        wait_for_same_index(worlds)
        # With these requests, the other nodes learn its durable index.
        for _ in range(3):
            self.assert_profile(old.download(token))
        old.node.kill()
        roll_back(ledger, volume)
        old.start()
        self.assert_shut_out(old, "old disk put back", "fresh directory", "jeton cluster replace")
        self.assertEqual(old.download(rest[0].mint().token).status, 503)
        for world in rest:
            self.assert_refused(world.download(token), 410, "used up")

    def test_a_copy_of_a_running_node_is_refused(self):
        worlds = self.three_voters()
        real = next(world for world in worlds[1:] if world is not leader(worlds))
        self.stop(real)
        copy = self.enter(copy_to_another_machine(real))
        real.serve()
        self.assert_profile(real.download(worlds[0].mint().token))
        self.assert_failed(copy.jeton("serve"), "copied or put back")
        copy.must("ledger", "moved", "--is-newest")
        copy.start()
        self.assert_shut_out(copy, "a copy of one that runs elsewhere", "fresh directory")
        self.assertEqual(copy.download(worlds[0].mint().token).status, 503)
        for world in worlds:
            self.assert_profile(world.download(worlds[0].mint().token))

    def test_a_node_of_another_cluster_is_detected(self):
        first = self.first()
        lost = self.member(first)
        self.stop(lost)
        foreign = enable_cluster_listener(self.enter(World()))
        foreign.change(f":{foreign.cluster_port}", f":{lost.cluster_port}")
        foreign.serve()
        reported = wait_until("an alarm", lambda: [
            alarm for alarm in alarms(first) if lost.id in alarm and "authorities" in alarm
        ])
        self.assertIn("correct `cluster.address`", reported[0])
        for world in (first, foreign):
            self.assertTrue(world.is_ready())
            self.assert_profile(world.download(world.mint().token))

    def test_a_directory_with_parts_of_two_ledgers_does_not_start(self):
        first, other = self.first(), self.enter(World())
        lost = self.member(first)
        for world in (lost, other):
            if world.node:
                self.stop(world)
        authority = lost.dir / "ledger" / "cluster"
        foreign = enable_cluster_listener(self.enter(World()))
        foreign.serve()
        shutil.rmtree(authority)
        shutil.copytree(foreign.dir / "ledger" / "cluster", authority)
        done = lost.jeton("serve")
        self.assert_failed(done, "belongs to another ledger")
        self.assertIn("another member", done.stderr)
        shutil.copy(foreign.dir / "ledger" / "identity.toml", other.dir / "ledger")
        before = tree(other.dir / "ledger")
        done = other.jeton("serve")
        self.assert_failed(done, "belongs to another ledger")
        self.assertIn("two ledgers", done.stderr)
        self.assertEqual(tree(other.dir / "ledger"), before)


class Versions(ClusterCase):
    """Nodes with different message formats."""

    def test_a_node_of_an_unknown_version_cannot_join(self):
        first = self.first()
        line = first.must("cluster", "invite").strip()
        secret = line.rsplit(":", 1)[1]
        body = {"secret": secret, "node_id": "00000000000000aa", "address": "127.0.0.1:1"}
        body |= {"version": "99.0.0", "format": 99}
        status_code, refused = self.send_join_request(first, body)
        self.assertEqual(status_code, 409, refused)
        self.assertIn("jeton 99.0.0", refused["error"])
        self.assertIn("install jeton", refused["hint"])
        self.assertEqual(len(status(first)), 1)
        # The invitation is still good.
        with Member(first, line) as member:
            self.assertEqual(set(status(first)), {first.id, member.id})

    def send_join_request(self, first, body):
        """Sends a join request and returns the status and the JSON of the response."""
        url = f"https://127.0.0.1:{first.cluster_port}/join"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            context = unverified_context()
            with urllib.request.urlopen(request, context=context, timeout=TIMEOUT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
