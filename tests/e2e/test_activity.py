"""Events are reported to operators, written to the audit log, and counted in metrics."""

import json
import re
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families

import forge
from jeton import HERE, REST, Case, World, wait_until
from operators import Operator

REPOSITORY = HERE.parents[1]


class Activity(Case):
    def setUp(self):
        self.world = self.enterContext(World().with_signing_key())
        self.world.serve()
        self.operator = Operator(self.world, name="olga")

    def written(self, count):
        """Waits until the audit log has `count` lines, and returns all lines. No request
        waits for the audit log."""
        return wait_until(
            f"{count} lines", lambda: (lines := self.world.audit)[count - 1 :] and lines
        )

    def test_events_of_a_token_are_listed_newest_first_and_logged_in_order(self):
        minted = self.operator.mint("bob", uses=1)
        self.assert_profile(self.world.download(minted.token))
        self.world.download(minted.token)
        self.operator.must("POST", "revocations", {"token": minted.id})
        events = self.operator.events()
        self.assertEqual(
            [event["event"] for event in events],
            ["operation", "refused", "delivered", "operation"],
        )
        revoked, refused, delivered, made = events
        for event in (refused, delivered):
            self.assertEqual((event["id"], event["key_id"]), (minted.id, minted.key_id))
            self.assertEqual((event["user"], event["profile_type"]), ("bob", "user-locked"))
            self.assertEqual(event["client"], "127.0.0.1")
        self.assertEqual(delivered["uses_left"], 0)
        self.assertEqual(refused["reason"], "used-up")
        for event in (revoked, made):
            self.assertEqual((event["operator"], event["role"]), ("olga", "admin"))
        self.assertIn("revoked", revoked["did"])
        self.assertIn(minted.id, revoked["did"])
        self.assertIn(minted.id, made["did"])
        for event in events:
            self.assertRegex(event["at"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        self.assertEqual(self.written(4), events[::-1])

    def test_events_can_be_filtered(self):
        for user in ("alice", "bob", "alice"):
            self.assert_profile(self.world.download(self.world.mint(user).token))
        self.world.download("nonsense")
        self.operator.must("PUT", "users/bob/autologin", {"allowed": True})
        self.assertEqual(len(self.operator.events(user="alice")), 2)
        self.assertEqual(len(self.operator.events(event="delivered")), 3)
        self.assertEqual(len(self.operator.events(event="operation")), 1)
        self.assertEqual(len(self.operator.events(event="delivered", user="bob")), 1)
        self.assertEqual(len(self.operator.events(limit=2)), 2)
        self.assertEqual(self.operator.events(limit=1)[0]["event"], "operation")

    def test_each_refusal_has_its_reason(self):
        world, key, now = self.world, self.world.key("profile"), int(time.time())
        revoked = world.mint()
        self.operator.must("POST", "revocations", {"token": revoked.id})
        reasons = {}
        for name, token in {
            "expired": forge.token(key, issued_at=now - 90, lifetime=10),
            "not-yet": forge.token(key, issued_at=now + 86_400),
            "autologin": forge.token(key, variant=1),
            "revoked": revoked.token,
            "no-profile": forge.token(key, user="mallory"),
            "forged": forge.flip_bit(forge.token(key), 300),
        }.items():
            before = self.operator.events(event="refused")
            world.download(token)
            (event,) = [e for e in self.operator.events(event="refused") if e not in before]
            self.assertEqual("id" in event, name != "forged", event)
            reasons[name] = event["reason"]
        self.assertEqual(len(set(reasons.values())), 6, reasons)
        self.assertEqual(reasons["expired"], "expired")
        self.assertEqual(reasons["revoked"], "revoked")

    def test_looking_at_a_token_is_no_event(self):
        minted = self.world.mint()
        self.world.get(f"{REST}?token={minted.token}", method="HEAD")
        self.world.get(f"/t/{minted.token}")
        self.operator.must("POST", "inspect", {"token": minted.token})
        self.operator.listed()
        self.assertEqual(self.operator.events(), [])

    def test_garbage_displaces_no_event_and_fills_no_disk(self):
        self.assert_profile(self.world.download(self.world.mint().token))
        started = time.monotonic()
        for number in range(1_000):
            self.world.download(f"nonsense{number}")
        self.assertEqual(len(self.operator.events(event="delivered")), 1)

        def logged():
            """Returns the lines about refusals in the audit log, and the refusals that
            they stand for."""
            lines = [line for line in self.world.audit if line["event"] == "refused"]
            return len(lines), len(lines) + sum(line.get("left_out", 0) for line in lines)

        # The next line that is written counts the refusals left out before it.
        wait_until("all refusals", lambda: self.world.download("x") and logged()[1] >= 1_000)
        # Ten lines per second. The first and the last second may be partial.
        self.assertLessEqual(logged()[0], 10 * (time.monotonic() - started + 2))

    def test_a_restarted_node_appends_to_the_audit_log(self):
        self.operator.mint()
        before = self.written(1)
        self.world.node.terminate()
        self.world.node.wait_for_exit()
        self.world.serve()
        self.operator.mint()
        self.assertEqual(self.written(2)[:1], before)

    def test_other_users_cannot_read_the_audit_log(self):
        self.operator.mint()
        self.written(1)
        self.assertEqual(self.world.audit_file.stat().st_mode & 0o077, 0)

    def test_the_audit_log_is_reopened_on_sighup(self):
        self.operator.mint()
        self.written(1)
        old = self.world.audit_file.with_suffix(".1")
        self.world.audit_file.rename(old)
        self.world.node.send_sighup()
        wait_until("the new file", self.world.audit_file.exists)
        self.operator.mint()
        self.written(1)
        self.assertEqual(len(old.read_text().splitlines()), 1)


class Metrics(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = Operator(cls.world)

    def scraped(self):
        """Returns the metrics by name, and the samples by name and labels, as the
        OpenMetrics parser reads them."""
        reply = Operator.anonymous(self.world).request("GET", "/metrics")
        self.assertEqual(reply.status, 200)
        self.assertRegex(
            reply.header("Content-Type"), r"\Aapplication/openmetrics-text; ?version=1\.0\.0"
        )
        families = list(text_string_to_metric_families(reply.text))
        samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }
        return {family.name: family for family in families}, samples

    def test_documented_metrics_exist_with_type_and_help(self):
        families, _ = self.scraped()
        for name, kind in {
            "jeton_redemptions": "counter",
            "jeton_refusals": "counter",
            "jeton_ledger_commit_seconds": "histogram",
            "jeton_verify_cache_hits": "counter",
            "jeton_verify_cache_misses": "counter",
            "jeton_tls_handshakes": "counter",
            "jeton_certificate_expiry_timestamp_seconds": "gauge",
            "jeton_trusted_keys": "gauge",
            "jeton_ledger_ready": "gauge",
            "jeton_ledger_applied_index": "gauge",
            "jeton_audit_lines_lost": "counter",
        }.items():
            with self.subTest(name):
                self.assertIn(name, families)
                self.assertEqual(families[name].type, kind)
                self.assertTrue(families[name].documentation)
        self.assertTrue({"jeton_build_info", "jeton_build"} & set(families))

    def test_counters_grow_by_the_number_of_events(self):
        minted = self.operator.mint(uses=2)
        _, before = self.scraped()
        for _ in range(5):
            self.world.download(minted.token)
        self.world.download("nonsense")
        _, after = self.scraped()
        grown = {key: after[key] - before.get(key, 0) for key in after}
        self.assertEqual(grown["jeton_redemptions_total", ("profile_type", "user-locked")], 2)
        self.assertEqual(grown["jeton_refusals_total", ("reason", "used-up")], 3)
        self.assertEqual(
            sum(n for key, n in grown.items() if key[0] == "jeton_refusals_total"), 4
        )
        self.assertEqual(
            sum(n for key, n in grown.items() if key[0] == "jeton_tls_handshakes_total"), 6
        )
        self.assertGreaterEqual(grown["jeton_ledger_commit_seconds_count",], 2)
        self.assertGreaterEqual(grown["jeton_ledger_applied_index",], 2)
        self.assertGreaterEqual(grown["jeton_verify_cache_hits_total",], 4)

    def test_gauges_report_the_state(self):
        _, samples = self.scraped()
        self.assertEqual(samples["jeton_ledger_ready",], 1)
        self.assertEqual(samples["jeton_trusted_keys", ("purpose", "profile")], 1)
        self.assertEqual(samples["jeton_trusted_keys", ("purpose", "admin")], 1)
        self.assertGreater(samples["jeton_certificate_expiry_timestamp_seconds",], time.time())
        self.assertEqual(samples["jeton_audit_lines_lost_total",], 0)

    def test_metrics_name_no_user_token_or_address(self):
        minted = self.operator.mint("bob", note="a secret note")
        self.world.download(minted.token)
        text = Operator.anonymous(self.world).request("GET", "/metrics").text
        for word in ("bob", minted.id, minted.token[:20], "127.0.0.1", "note", "root"):
            self.assertNotIn(word, text)

    def test_the_admin_door_answers_health_checks(self):
        anonymous = Operator.anonymous(self.world)
        for path in ("/healthz", "/readyz"):
            reply = anonymous.request("GET", path)
            self.assertEqual((reply.status, reply.text), (200, "ok\n"))

    def test_the_dashboard_queries_only_existing_metrics(self):
        dashboard = json.loads((REPOSITORY / "docs" / "grafana.json").read_text())
        queried = set(re.findall(r"\bjeton_\w+", json.dumps(dashboard)))
        self.assertTrue(queried)
        families, samples = self.scraped()
        known = {key[0] for key in samples} | set(families)
        documented = (REPOSITORY / "docs" / "metrics.md").read_text()
        for name in sorted(queried):
            with self.subTest(name):
                suffixes = ("", "_total", "_bucket", "_sum", "_count")
                base = re.sub("_(total|bucket|sum|count)$", "", name)
                self.assertTrue({base + suffix for suffix in suffixes} & known)
                self.assertIn(base, documented)
