"""What can be brought back, and at which price: a backup, a copied folder, a disk
that was moved."""

import re
import shutil
from datetime import datetime

import forge
from jeton import Case, World, tree


def birth(done):
    """Returns the birth of a ledger that a command has just made."""
    printed = re.search(r"Links minted before (\S+Z) are refused", done.stderr)[1]
    return int(datetime.fromisoformat(printed).timestamp())


def restore(world):
    """Moves a node's ledger aside and makes a new one of it; returns its birth."""
    aside = world.dir / "ledger.old"
    (world.dir / "ledger").rename(aside)
    before = tree(aside)
    done = world.jeton("ledger", "restore", aside)
    assert done.returncode == 0, done
    assert tree(aside) == before
    return birth(done), done


class Lone(Case):
    """A node that is alone: nobody else remembers what it counted."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.ledger = self.world.dir / "ledger"
        self.backup = self.world.dir / "backup"

    def stop(self):
        self.world.node.terminate()
        self.assertEqual(self.world.node.ended(), 0)

    def make_backup(self):
        self.stop()
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
        self.stop()

        shutil.rmtree(self.ledger)
        shutil.copytree(self.backup, self.ledger)
        before = tree(self.ledger)
        for _ in range(2):
            done = world.jeton("serve", timeout=10)
            self.assert_failed(done, self.ledger, "copied or put back")
            self.assertIn("jeton ledger restore", done.stderr)
        self.assertIn("copied or put back", world.jeton("config", "check").stderr)
        self.assertEqual(tree(self.ledger), before)

        born, done = restore(world)
        self.assertIn("Revocations taken over: 2.", done.stderr)
        self.assertIn("autologin: 1.", done.stderr)
        world.serve()
        for token in (old.token, twice, world.mint().token):
            self.assert_refused(world.download(token), 410, "issued before")
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
        self.stop()
        for path in self.backup.rglob("*"):
            if path.is_file():
                target = self.ledger / path.relative_to(self.backup)
                with target.open("r+b" if target.exists() else "wb") as file:
                    file.truncate()
                    file.write(path.read_bytes())
        done = self.world.jeton("serve", timeout=10)
        self.assert_failed(done, "copied or put back")

    def test_a_ledger_that_was_moved_is_served_once_someone_vouches_for_it(self):
        world = self.world
        world.serve()
        token = world.mint(uses=2).token
        self.assert_profile(world.download(token))
        done = world.jeton("ledger", "moved", "--is-newest")
        self.assert_failed(done, "in use by another process")
        self.stop()
        # A rename needs no word.
        self.ledger.rename(self.backup)
        self.backup.rename(self.ledger)
        world.serve()
        self.stop()
        shutil.copytree(self.ledger, self.backup)
        shutil.rmtree(self.ledger)
        self.backup.rename(self.ledger)
        self.assert_failed(world.jeton("serve", timeout=10), "copied or put back")
        done = world.jeton("ledger", "moved")
        self.assert_failed(done, "only you can know")
        self.assert_failed(world.jeton("serve", timeout=10), "copied or put back")
        world.did("ledger", "moved", "--is-newest")
        world.serve()
        self.assert_profile(world.download(token))
        self.assert_refused(world.download(token), 410, "used up")

    def test_what_cannot_be_restored_leaves_nothing_behind(self):
        world, aside = self.world, self.world.dir / "ledger.old"
        done = world.jeton("ledger", "restore", self.ledger)
        self.assert_failed(done, "is there already")
        world.serve()
        self.stop()
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
