"""Nodes are upgraded, replaced and brought back, as docs/cluster.md says, and what
must not come back is refused in words that help."""

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
    Member,
    Together,
    alarms,
    at_one_place,
    catch_up,
    copied,
    grow,
    leader,
    listens,
    status,
    this,
    unverified,
    wait_for_calm,
    wait_for_voters,
)
from jeton import PATIENCE_S, Case, World, must, tree, wait_until
from operators import Operator
from redeemers import Clients


def birth(done):
    """Returns the birth of a ledger that a command has just made."""
    printed = re.search(r"Links minted before (\S+Z) are refused", done.stderr)[1]
    return int(datetime.fromisoformat(printed).timestamp())


def set_back(folder, older):
    """Gives a folder the bytes of another one; files that stay are the same files."""
    for path in folder.rglob("*"):
        if path.is_file() and not (older / path.relative_to(folder)).exists():
            path.unlink()
    for path in older.rglob("*"):
        if path.is_file():
            # Opened so, a file keeps its inode.
            (folder / path.relative_to(older)).write_bytes(path.read_bytes())


def restore(world, *vouching):
    """Moves a node's ledger aside and makes a new one of it; returns its birth."""
    aside = world.dir / "ledger.old"
    (world.dir / "ledger").rename(aside)
    before = tree(aside)
    done = world.jeton("ledger", "restore", aside, *vouching)
    assert done.returncode == 0, done
    assert tree(aside) == before
    return birth(done), done


class Lone(Case):
    """A node that is alone: nobody else remembers what it counted."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.ledger = self.world.dir / "ledger"
        self.backup = self.world.dir / "backup"

    def make_backup(self):
        self.stop(self.world)
        shutil.copytree(self.ledger, self.backup)
        self.world.serve()

    def test_a_backup_that_was_put_back_is_refused_and_restored(self):
        world, key = self.world, self.world.key("profile")
        world.serve()
        old, dead, twice = world.mint(), world.mint(), world.mint(uses=2).token
        world.did("revoke", dead.id)
        world.did("revoke", "--batch", "00000000")
        world.did("user", "allow-autologin", "alice")
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
        said = world.did("inspect", "-", "--node", input=old.token)
        self.assertIn("would be refused: issued before this ledger", said)
        later = {"issued_at": born, "uses": 1}
        self.assert_profile(world.download(forge.token(key, variant=1, **later)))
        nonce = bytes(4) + bytes(range(12))
        self.assert_refused(
            world.download(forge.token(key, nonce=nonce, **later)), 410, "revoked"
        )
        # It is a ledger like any other: its counts outlive a crash, and it can be copied no more.
        once = forge.token(key, **later)
        self.assert_profile(world.download(once))
        world.node.kill()
        world.serve()
        self.assert_refused(world.download(once), 410, "used up")

    def test_a_backup_whose_bytes_were_written_over_the_ledger_is_refused(self):
        self.world.serve()
        self.make_backup()
        self.stop(self.world)
        set_back(self.ledger, self.backup)
        done = self.world.jeton("serve")
        self.assert_failed(done, "copied or put back")

    def test_a_ledger_that_was_moved_is_served_once_someone_vouches_for_it(self):
        world = self.world
        world.serve()
        token = world.mint(uses=2).token
        self.assert_profile(world.download(token))
        done = world.jeton("ledger", "moved", "--is-newest")
        self.assert_failed(done, "in use by another process")
        self.stop(self.world)
        # A rename needs no word.
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
        # Nor does a ledger start of which nothing tells whether it is a copy.
        (self.ledger / "log" / "place").write_bytes(b"jeton place 1\nnonsense")
        done = world.jeton("serve")
        self.assert_failed(done, "log/place is damaged")
        self.assertIn("jeton ledger moved --is-newest", done.stderr)
        self.assert_failed(world.jeton("config", "check"))
        moved = json.loads(world.did("ledger", "moved", "--is-newest", "--format", "json"))
        self.assertEqual(moved, {"dir": str(self.ledger), "was_needed": True})
        world.serve()
        self.assert_profile(world.download(token))
        self.assert_refused(world.download(token), 410, "used up")

    def test_what_cannot_be_restored_leaves_nothing_behind(self):
        world, aside = self.world, self.world.dir / "ledger.old"
        done = world.jeton("ledger", "restore", self.ledger)
        self.assert_failed(done, "is there already")
        world.serve()
        self.stop(self.world)
        self.ledger.rename(aside)

        def unreadable(what, breaks, mends):
            with self.subTest(what):
                breaks()
                before = tree(world.dir)
                done = world.jeton("ledger", "restore", aside)
                self.assert_failed(done, "ledger.old")
                self.assertEqual(tree(world.dir), before)
                mends()

        (segment,) = (aside / "log").glob("0*")
        data = segment.read_bytes()
        torn = bytearray(data)
        torn[70] ^= 1
        unreadable(
            "damaged log",
            lambda: segment.write_bytes(torn),
            lambda: segment.write_bytes(data),
        )
        unreadable("others can read it", lambda: aside.chmod(0o755), lambda: aside.chmod(0o700))
        identity = aside / "identity.toml"
        text = identity.read_text()
        unreadable("no ledger", identity.unlink, lambda: identity.write_text(text))
        # One that a node serves is not yet a copy.
        aside.rename(self.ledger)
        world.serve()
        other = World()
        with other:
            shutil.rmtree(other.dir / "ledger")
            done = other.jeton("ledger", "restore", self.ledger)
            self.assert_failed(done, "in use by another process")
            self.assertFalse((other.dir / "ledger").exists())


def ready(operator):
    """Returns what a node says of itself; nothing while it does not answer."""
    try:
        return operator.ask("GET", "/readyz").text
    except OSError:
        return ""


class Upgrade(Together):
    def test_nodes_are_restarted_one_by_one_and_every_link_works_once(self):
        worlds = self.three()
        tokens = [one.token for one in worlds[0].mint_each(["alice"] * 6_000)]
        with Clients(worlds, tokens) as clients:
            clients.wait_for(50)
            # A leader is among them, who hands over first.
            for world in worlds:
                self.stop(world)
                clients.wait_for(30)
                world.serve()
                clients.wait_for(30)
        self.assertEqual(clients.lost, [])
        print(
            f"{len(clients.given)} links, {clients.retries} asked again, "
            f"the slowest {clients.slowest:.2f} s",
            flush=True,
        )
        self.assertEqual(set(clients.given.values()), {True})
        # Some hundredths of a second where a machine does nothing else.
        self.assertLess(clients.slowest, 15)
        for token, world in zip(clients.given, itertools.cycle(worlds)):
            self.assert_refused(world.download(token), 410, "used up")
        wait_for_calm(*worlds)


class Replacing(Together):
    def test_a_dead_node_is_replaced_and_any_other_may_be_lost_then(self):
        worlds = self.three()
        token, spent = worlds[0].mint(uses=3).token, worlds[0].mint().token
        self.assert_profile(worlds[0].download(spent))
        dead = worlds[2]
        dead.node.kill()
        shutil.rmtree(dead.dir / "ledger")
        rest = worlds[:2]
        wait_until("an alarm", lambda: any(dead.id in alarm for alarm in alarms(leader(rest))))
        new = self.member(rest[0])
        catch_up(leader(rest), new)
        rest[0].did("cluster", "replace", dead.id, "--by", new.id)
        wait_for_voters(new, [*rest, new])
        # It counts for the majority: without it the one that is left could not grant.
        for world in [*rest, new]:
            self.assert_profile(world.download(token))
        rest[0].node.kill()
        left = [rest[1], new]
        self.assertIn(leader(left), left)
        self.assert_profile(new.download(left[0].mint().token))
        for world in left:
            self.assert_refused(world.download(token), 410, "used up")
            self.assert_refused(world.download(spent), 410, "used up")

    def test_a_node_is_moved_to_another_machine_and_address(self):
        worlds = self.three()
        token = worlds[0].mint(uses=3).token
        self.assert_profile(worlds[2].download(token))
        self.stop(worlds[2])
        moved = self.enter(copied(worlds[2]))
        shutil.rmtree(worlds[2].dir / "ledger")
        self.assert_failed(moved.jeton("serve"), "copied or put back")
        moved.did("ledger", "moved", "--is-newest")
        moved.serve()
        address = f"127.0.0.1:{moved.cluster_port}"
        for world in worlds[:2]:
            wait_until(
                "the others to know", lambda: status(world)[moved.id]["address"] == address
            )
        wait_until("it to be heard", lambda: status(worlds[0])[moved.id]["is_reachable"])
        self.assert_profile(moved.download(token))
        worlds[1].node.kill()
        left = [worlds[0], moved]
        self.assertIn(leader(left), left)
        self.assert_profile(moved.download(token))
        self.assert_refused(worlds[0].download(token), 410, "used up")


def may_autologin(world, user):
    """Tells what a node has applied."""
    users = Operator(world).did("GET", "users")["users"]
    return any(one["user"] == user and one["autologin"] for one in users)


class LostMajority(Together):
    def test_the_last_node_of_three_is_restored_and_grows_again(self):
        worlds = self.three()
        last, key = worlds[0], worlds[0].key("profile")
        old, fresh, dead = last.mint(uses=3).token, last.mint().token, last.mint()
        self.assert_profile(worlds[1].download(old))
        worlds[2].did("revoke", dead.id)
        last.did("revoke", "--batch", "00000000")
        last.did("user", "allow-autologin", "alice")
        # It is the last thing that happened; the node has all that was before it.
        wait_until("the last node to know", lambda: may_autologin(last, "alice"))
        for world in worlds[1:]:
            world.node.kill()
            shutil.rmtree(world.dir / "ledger")
        self.assert_refused(last.download(fresh), 503, "try again")
        wait_until("the last node to say so", lambda: not last.is_ready())
        # A restart alone brings nothing back.
        last.node.kill()
        last.start()
        nobody = Operator.nobody(last)
        wait_until("a node that says so", lambda: "Connection refused" in ready(nobody))
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
        last.id = this(last)
        # The price: no link that was minted before works any more.
        for token in (old, fresh):
            self.assert_refused(last.download(token), 410, "issued before")
        self.assert_refused(last.download(dead.token), 410, "revoked")
        others = [self.member(last), self.member(last)]
        grow(last, *others)
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


class Theft(Together):
    def test_whoever_is_left_makes_the_new_authority_also_if_it_once_joined(self):
        first, left, third = worlds = self.three()
        token = first.mint(uses=2).token
        self.assert_profile(third.download(token))
        left.did("cluster", "lead", left.id)
        self.assert_failed(left.jeton("cluster", "remove", first.id, third.id), "votes")
        left.did("cluster", "demote", first.id, third.id)
        left.did("cluster", "remove", first.id, third.id)
        for world in worlds:
            self.stop(world)
        old = self.fingerprint(left)
        shutil.rmtree(left.dir / "ledger" / "cluster")
        left.serve()
        self.assertNotEqual(self.fingerprint(left), old)
        with Member(left) as fresh:
            # It serves also before the first that joins does.
            self.assert_profile(left.download(token))
            self.assertEqual(len(status(left)), 2)
            fresh.serve()
            self.assert_refused(fresh.download(token), 410, "used up")

    def test_a_new_authority_shuts_the_old_one_out_and_no_count_is_lost(self):
        first = self.first()
        stolen = self.member(first)
        self.stop(stolen)
        second, third = self.member(first), self.member(first)
        grow(first, second, third)
        token = first.mint(uses=4).token
        for world in (first, second, third):
            self.assert_profile(world.download(token))
        first.did("cluster", "remove", stolen.id)
        first.did("cluster", "lead", first.id)
        first.did("cluster", "demote", second.id, third.id)
        first.did("cluster", "remove", second.id, third.id)
        self.assertEqual(list(status(first)), [first.id])
        for world in (first, second, third):
            self.stop(world)
        fingerprint = self.fingerprint(first)
        shutil.rmtree(first.dir / "ledger" / "cluster")
        first.serve()
        self.assertNotEqual(self.fingerprint(first), fingerprint)
        others = [self.member(first), self.member(first)]
        grow(first, *others)
        self.assertEqual(self.fingerprint(others[0]), self.fingerprint(first))
        self.assert_profile(others[0].download(token))
        for world in (first, *others):
            self.assert_refused(world.download(token), 410, "used up")

        # Whoever has the old key is not heard, and told why.
        stolen.start()
        nobody = Operator.nobody(stolen)
        wait_until("the thief to be told", lambda: "authorities" in ready(nobody))
        self.assertEqual(stolen.download(first.mint().token).status, 503)
        self.assert_not_heard(first, stolen)
        self.assertEqual(set(status(first)), {world.id for world in (first, *others)})
        self.assert_profile(others[1].download(first.mint().token))

    def fingerprint(self, world):
        return ssl.PEM_cert_to_DER_cert(
            (world.dir / "ledger" / "cluster" / "ca.pem").read_text()
        )

    def assert_not_heard(self, first, stolen):
        """A certificate that the old authority signs opens no connection."""
        folder = stolen.dir / "ledger" / "cluster"
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
        sign = ["openssl", "x509", "-req", "-CA", folder / "ca.pem", "-CAkey"]
        must([*sign, folder / "ca-key.pem", "-extfile", names, "-out", made], input=request)
        for authority, heard in ((folder, False), (None, True)):
            context = unverified()
            if authority:
                context.load_cert_chain(made, key)
            url = f"https://127.0.0.1:{first.cluster_port}/raft"
            try:
                urllib.request.urlopen(url, b"x", timeout=PATIENCE_S, context=context)
            except urllib.error.HTTPError as error:
                # Without any certificate the door is there, and shut.
                with error:
                    self.assertTrue(heard)
                    self.assertEqual(error.code, 403)
            except OSError:
                self.assertFalse(heard)
            else:
                self.fail("the door is open")


class Imposters(Together):
    """Folders that must not speak for a node, and nodes of other clusters."""

    def assert_shut_out(self, world, *words):
        """The node says that it is refused, why, and what to do, and gives nothing."""
        nobody = Operator.nobody(world)
        wait_until("the node to say so", lambda: all(word in ready(nobody) for word in words))
        self.assertFalse(world.is_ready())
        # Its operator is let in to look, though it cannot vouch for his token.
        told = alarms(world)
        self.assertTrue(any(all(word in alarm for word in words) for alarm in told), told)
        self.assertIn("the cluster refuses this node", world.log.read_text())

    def test_an_old_disk_under_its_old_id_is_refused(self):
        worlds = self.three()
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
        # Somebody vouches for it who should not. The others know better.
        old.did("ledger", "moved", "--is-newest")
        old.start()
        self.assert_shut_out(old, "old disk put back", "fresh folder", "jeton cluster replace")
        self.assertEqual(old.download(rest[0].mint().token).status, 503)
        lead = leader(rest)
        wait_until("the leader to tell", lambda: any(
            old.id in alarm and f"jeton cluster replace {old.id}" in alarm for alarm in alarms(lead)
        ))
        # It is told once, not at each of six heartbeats a second; and anew if at times
        # the node did not answer at all.
        self.assertIn(lead.log.read_text().count("a node is not talked to"), range(1, 5))
        for world in rest:
            self.assert_refused(world.download(token), 410, "used up")

    def test_a_disk_set_back_to_a_moment_of_its_last_run_is_refused(self):
        """As a volume is: no file is another one than before, only its bytes are."""
        worlds = self.three()
        old = next(world for world in worlds[1:] if world is not leader(worlds))
        rest = [world for world in worlds if world is not old]
        ledger, volume = old.dir / "ledger", old.dir / "volume"
        with old.node.paused():
            shutil.copytree(ledger, volume)
        token = rest[0].mint(uses=4).token
        self.assert_profile(rest[0].download(token))
        at_one_place(worlds)
        # What it asks for tells the others how far it holds the log.
        for _ in range(3):
            self.assert_profile(old.download(token))
        old.node.kill()
        set_back(ledger, volume)
        old.start()
        self.assert_shut_out(old, "old disk put back", "fresh folder", "jeton cluster replace")
        self.assertEqual(old.download(rest[0].mint().token).status, 503)
        for world in rest:
            self.assert_refused(world.download(token), 410, "used up")

    def test_a_copy_of_a_node_that_runs_is_refused(self):
        worlds = self.three()
        real = next(world for world in worlds[1:] if world is not leader(worlds))
        self.stop(real)
        copy = self.enter(copied(real))
        real.serve()
        self.assert_profile(real.download(worlds[0].mint().token))
        self.assert_failed(copy.jeton("serve"), "copied or put back")
        copy.did("ledger", "moved", "--is-newest")
        copy.start()
        self.assert_shut_out(copy, "a copy of one that runs elsewhere", "fresh folder")
        self.assertEqual(copy.download(worlds[0].mint().token).status, 503)
        for world in worlds:
            self.assert_profile(world.download(worlds[0].mint().token))

    def test_a_node_of_another_cluster_is_told_apart(self):
        first = self.first()
        lost = self.member(first)
        self.stop(lost)
        stranger = listens(self.enter(World()))
        stranger.change(f":{stranger.cluster_port}", f":{lost.cluster_port}")
        stranger.serve()
        told = wait_until("an alarm", lambda: [
            alarm for alarm in alarms(first) if lost.id in alarm and "authorities" in alarm
        ])
        self.assertIn("correct `cluster.address`", told[0])
        for world in (first, stranger):
            self.assertTrue(world.is_ready())
            self.assert_profile(world.download(world.mint().token))

    def test_a_folder_with_parts_of_two_ledgers_does_not_start(self):
        first, other = self.first(), self.enter(World())
        lost = self.member(first)
        for world in (lost, other):
            if world.node:
                self.stop(world)
        authority = lost.dir / "ledger" / "cluster"
        stranger = listens(self.enter(World()))
        stranger.serve()
        shutil.rmtree(authority)
        shutil.copytree(stranger.dir / "ledger" / "cluster", authority)
        done = lost.jeton("serve")
        self.assert_failed(done, "that of another ledger")
        self.assertIn("another member", done.stderr)
        shutil.copy(stranger.dir / "ledger" / "identity.toml", other.dir / "ledger")
        before = tree(other.dir / "ledger")
        done = other.jeton("serve")
        self.assert_failed(done, "the id of this ledger")
        self.assertIn("two ledgers", done.stderr)
        self.assertEqual(tree(other.dir / "ledger"), before)


class Versions(Together):
    """Nodes whose messages are of different versions."""

    def test_a_node_of_a_version_that_is_not_understood_is_not_let_in(self):
        first = self.first()
        line = first.did("cluster", "invite").strip()
        secret = line.rsplit(":", 1)[1]
        wish = {"secret": secret, "node_id": "00000000000000aa", "address": "127.0.0.1:1"}
        wish |= {"version": "99.0.0", "format": 99}
        status_code, refused = self.ask(first, wish)
        self.assertEqual(status_code, 409, refused)
        self.assertIn("jeton 99.0.0", refused["error"])
        self.assertIn("install jeton", refused["hint"])
        self.assertEqual(len(status(first)), 1)
        # The invitation is still good.
        with Member(first, line) as member:
            self.assertEqual(set(status(first)), {first.id, member.id})

    def ask(self, first, wish):
        """Asks to join as a program would that is no jeton of this version."""
        url = f"https://127.0.0.1:{first.cluster_port}/join"
        request = urllib.request.Request(url, json.dumps(wish).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, context=unverified(), timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
