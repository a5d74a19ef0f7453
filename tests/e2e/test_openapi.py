"""The admin API conforms to its OpenAPI document for any input."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

from jeton import ENVIRONMENT, Case, World
from operators import Operator

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SCHEMATHESIS_TIMEOUT_S = 900
# Loads the hooks of schema_formats.py.
FORMATS = {"SCHEMATHESIS_HOOKS": "schema_formats", "PYTHONPATH": str(Path(__file__).parent)}


class OpenApi(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve("--log-level", "info")
        cls.operator = Operator(cls.world)

    def document(self):
        reply = Operator.anonymous(self.world).request("GET", "/openapi.json")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.header("Content-Type"), "application/json")
        return reply.json

    def test_describes_every_route_and_its_responses(self):
        document = self.document()
        self.assertRegex(document["openapi"], r"\A3\.1")
        routes = {
            (method.upper(), path.removeprefix("/api/v1"))
            for path, methods in document["paths"].items()
            for method in methods
        }
        self.assertLessEqual(
            {
                ("GET", "/session"),
                ("GET", "/tokens"),
                ("POST", "/tokens"),
                ("POST", "/records"),
                ("POST", "/inspect"),
                ("POST", "/revocations"),
                ("GET", "/users"),
                ("PUT", "/users/{user}/autologin"),
                ("GET", "/status"),
                ("GET", "/activity"),
            },
            routes,
        )
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                with self.subTest(f"{method} {path}"):
                    self.assertTrue(operation.get("summary") or operation.get("description"))
                    if path.startswith("/api/"):
                        self.assertIn("401", operation["responses"])
                    if method != "get":
                        self.assertIn("403", operation["responses"])
        self.assertNotIn("kind", json.dumps(document["components"]["schemas"]).split('"'))

    def test_schemathesis_finds_no_violation(self):
        seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
        print(f"        SEED={seed}")
        log = self.world.dir / "schemathesis.log"
        command = [
            *(SCHEMATHESIS, "run", f"http://{self.operator.host}/openapi.json"),
            *("--header", f"Authorization: Bearer {self.operator.token}"),
            *("--seed", str(seed), "--checks", "all", "--max-examples", "800"),
            *("--workers", "1", "--generation-database", "none", "--no-color"),
        ]
        with log.open("wb") as out:
            done = subprocess.run(
                command,
                cwd=self.world.dir,
                env=ENVIRONMENT | FORMATS,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=SCHEMATHESIS_TIMEOUT_S,
            )
        text = log.read_text()
        self.assertEqual(done.returncode, 0, f"SEED={seed}\n{text[-8000:]}")
        counts = re.search(r"(\d+) generated", text)
        self.assertTrue(counts and int(counts[1]) > 100, text[-2000:])
        self.assertTrue(self.world.is_ready())
