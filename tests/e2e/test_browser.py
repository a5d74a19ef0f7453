"""The admin pages and the share page in a real Chromium.

The scenarios are in browser/*.mjs. Screenshots of every page are kept in screenshots/
for inspection.
"""

import json
import re

from cluster import Member, enable_cluster_listener, own_id, promote
from jeton import ENVIRONMENT, HERE, Case, World, run, vpn_directory, wait_until
from operators import ROLES, Operator, admin_token, record_tokens

SCREENSHOTS = HERE / "screenshots"
SCENARIO_TIMEOUT_S = 600


class Browser(Case):
    """Each test has its own node, because its scenario changes the node."""

    def setUp(self):
        self.world = self.enterContext(World().with_signing_key())
        self.world.serve("--log-level", "info")
        self.operator = Operator(self.world)
        SCREENSHOTS.mkdir(exist_ok=True)

    def run_scenario(self, name, world=None, **options):
        """Runs a scenario in the browser with these options and returns its output."""
        world = world or self.world
        token = admin_token(world, name="olga")
        admin_url = f"http://{Operator(world).host}"
        defaults = {
            "name": name,
            "adminUrl": admin_url,
            "publicUrl": world.url,
            "token": token,
            "link": f"{admin_url}/sign-in#{token}",
            "screenshots": str(SCREENSHOTS),
        }
        script = HERE / "browser" / f"{name}.mjs"
        options = json.dumps(defaults | options)
        # Chromium's temporary files are removed with the world.
        environment = {**ENVIRONMENT, "TMPDIR": str(world.dir)}
        done = run(["node", script], input=options, env=environment, timeout=SCENARIO_TIMEOUT_S)
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        return done.stdout

    def certificate(self, user):
        """Returns the user's certificate, which no other profile contains."""
        issued = (vpn_directory() / "pki" / "issued" / f"{user}.crt").read_text()
        begin = "-----BEGIN CERTIFICATE-----"
        return begin + issued.partition(begin)[2].rstrip()

    def test_an_operator_mints_shares_and_revokes(self):
        self.world.must("user", "allow-autologin", "alice")
        self.run_scenario("journey", certificate=self.certificate("alice"))
        events = [event["event"] for event in self.operator.events()]
        self.assertEqual(events.count("delivered"), 1)

    def test_pages_offer_each_role_only_its_own_actions(self):
        for user in ("alice", "bob"):
            self.operator.mint(user, uses=3)
        tokens = {role: admin_token(self.world, role, role) for role in ROLES}
        self.run_scenario("roles", tokens=tokens)

    def test_the_dialog_works_with_the_keyboard_alone(self):
        self.operator.must("PUT", "users/alice/autologin", {"allowed": True})
        self.run_scenario("keyboard")

    def test_every_page_fits_and_is_accessible_at_every_width_in_light_and_dark(self):
        dead = self.fill_pages()
        share = self.operator.mint("bob", uses=2, lifetime=40 * 86_400)
        self.run_scenario("pages", shareUrl=share.share_url, deadUrl=dead.share_url)

    def test_the_nodes_page_shows_members_and_alarms(self):
        first = self.enterContext(enable_cluster_listener(World()))
        first.serve()
        first.id = own_id(first)
        members = [self.enterContext(Member(first)) for _ in range(3)]
        for member in members:
            member.serve()
        promote(first, *members[:2])
        ids = [world.id for world in (first, *members)]
        self.run_scenario("nodes", first, view="nodes-healthy", members=ids)
        members[1].node.kill()
        # Whether it says "for" or "since" depends on how long the leader has led.
        silent = f"{members[1].id} at .* has not been heard from (for|since)"
        wait_until("the alarm about the lost node", lambda: any(
            re.search(silent, one) for one in Operator(first).must("GET", "cluster")["alarms"]
        ))
        self.run_scenario("nodes", first, view="nodes-lost", members=ids, alarm=silent)
        for world in (members[0], members[2]):
            world.node.kill()
        stale = "not heard from a majority for"
        wait_until("it to be stale", lambda: Operator(first).must("GET", "status")["is_stale"])
        self.run_scenario("nodes", first, view="nodes-stale", members=ids, alarm=stale)

    def fill_pages(self):
        """Makes tokens and events for the pages to show. Returns a used-up token."""
        operator = self.operator
        operator.must("PUT", "users/alice/autologin", {"allowed": True})
        for number in range(12):
            user = ("alice", "bob")[number % 2]
            minted = operator.mint(user, uses=number % 4 + 1, note=f"device {number}")
            for _ in range(number % 3):
                self.world.download(minted.token)
        operator.mint(profile_type="autologin", uses="unlimited", note="a kiosk, far away")
        operator.must("POST", "revocations", {"token": operator.mint("bob").id})
        self.world.download("nonsense")
        dead = operator.mint()
        for _ in range(2):
            self.world.download(dead.token)
        return dead

    def test_the_tokens_page_stays_fast_with_10_000_tokens(self):
        count = 10_000
        record_tokens(self.operator, count)
        output = self.run_scenario("many_tokens", count=count, withinMs=5_000)
        print(f"\n        {output.strip()}")
