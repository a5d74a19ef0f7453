"""The pages, in a real Chromium: what a person sees and does there.

The stories stand in browser/*.mjs. Pictures of every page are left in
screenshots/, to be looked at.
"""

import json
import re

from cluster import Member, grow, listens, this
from jeton import ENVIRONMENT, HERE, Case, World, run, vpn_folder, wait_until
from operators import ROLES, Operator, admin_token, fill

SCREENSHOTS = HERE / "screenshots"
STORY_S = 600


class Browser(Case):
    """Each test has a node of its own, for its story changes it."""

    def setUp(self):
        self.world = self.enterContext(World().mints_itself())
        self.world.serve("--log-level", "info")
        self.operator = Operator(self.world)
        SCREENSHOTS.mkdir(exist_ok=True)

    def tell(self, name, world=None, **facts):
        """Has the browser tell a story with these facts, and returns what was
        said."""
        world = world or self.world
        token = admin_token(world, name="olga")
        admin_url = f"http://{Operator(world).host}"
        known = {
            "name": name,
            "adminUrl": admin_url,
            "publicUrl": world.url,
            "token": token,
            "link": f"{admin_url}/sign-in#{token}",
            "screenshots": str(SCREENSHOTS),
        }
        story = HERE / "browser" / f"{name}.mjs"
        facts = json.dumps(known | facts)
        # Chromium writes its crumbs here, and they are swept up with the world.
        environment = {**ENVIRONMENT, "TMPDIR": str(world.dir)}
        done = run(["node", story], input=facts, env=environment, timeout=STORY_S)
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        return done.stdout

    def certificate(self, user):
        """Returns the lines that only this user's profile has."""
        issued = (vpn_folder() / "pki" / "issued" / f"{user}.crt").read_text()
        begin = "-----BEGIN CERTIFICATE-----"
        return begin + issued.partition(begin)[2].rstrip()

    def test_an_operators_day(self):
        self.world.did("user", "allow-autologin", "alice")
        self.tell("journey", certificate=self.certificate("alice"))
        told = [event["event"] for event in self.operator.events()]
        self.assertEqual(told.count("delivered"), 1)

    def test_each_role_is_offered_what_it_may_do(self):
        for user in ("alice", "bob"):
            self.operator.mint(user, uses=3)
        tokens = {role: admin_token(self.world, role, role) for role in ROLES}
        self.tell("roles", tokens=tokens)

    def test_the_dialog_needs_no_mouse(self):
        self.operator.did("PUT", "users/alice/autologin", {"allowed": True})
        self.tell("keyboard")

    def test_every_page_at_every_width_in_light_and_dark(self):
        dead = self.fill_with_life()
        share = self.operator.mint("bob", uses=2, lifetime=40 * 86_400)
        self.tell("looks", shareUrl=share.share_url, deadUrl=dead.share_url)

    def test_the_nodes_of_a_cluster(self):
        first = self.enterContext(listens(World()))
        first.serve()
        first.id = this(first)
        members = [self.enterContext(Member(first)) for _ in range(3)]
        for member in members:
            member.serve()
        grow(first, *members[:2])
        ids = [world.id for world in (first, *members)]
        self.tell("nodes", first, view="nodes-well", members=ids)
        members[1].node.kill()
        # Since when, depends on who leads, and for how long.
        silent = f"{members[1].id} at .* has not been heard from (for|since)"
        wait_until("the lost one to be told of", lambda: any(
            re.search(silent, one) for one in Operator(first).did("GET", "cluster")["alarms"]
        ))
        self.tell("nodes", first, view="nodes-lost", members=ids, alarm=silent)
        for world in (members[0], members[2]):
            world.node.kill()
        stale = "not heard from a majority for"
        wait_until("it to be stale", lambda: Operator(first).did("GET", "status")["is_stale"])
        self.tell("nodes", first, view="nodes-stale", members=ids, alarm=stale)

    def fill_with_life(self):
        """Has something happen that pages can show; returns a used-up link."""
        operator = self.operator
        operator.did("PUT", "users/alice/autologin", {"allowed": True})
        for number in range(12):
            user = ("alice", "bob")[number % 2]
            minted = operator.mint(user, uses=number % 4 + 1, note=f"device {number}")
            for _ in range(number % 3):
                self.world.download(minted.token)
        operator.mint(profile_type="autologin", uses="unlimited", note="a kiosk, far away")
        operator.did("POST", "revocations", {"token": operator.mint("bob").id})
        self.world.download("nonsense")
        dead = operator.mint()
        for _ in range(2):
            self.world.download(dead.token)
        return dead

    def test_the_page_of_tokens_stays_fast_with_10_000(self):
        count = 10_000
        fill(self.operator, count)
        print(f"\n        {self.tell('many', count=count, withinMs=5_000).strip()}")
