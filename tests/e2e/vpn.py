"""Real OpenVPN connections, made with the functions of openvpn.sh."""

import shlex

from jeton import HERE, TIMEOUT_S, require, run

SOURCE = f". {shlex.quote(str(HERE / 'openvpn.sh'))}; "


def require_tunnel():
    """Skips the test if no tunnel can be opened here; on CI, fails it."""
    done = run(["bash", "-c", SOURCE + "openvpn_possible"])
    require(done.returncode == 0, done.stderr.strip())


def with_server(case, directory, server, command):
    """Starts the server of `directory`/`server`.conf and runs a shell command in
    `directory`."""
    script = f"{SOURCE} trap server_stop EXIT; server_start {shlex.quote(str(directory))} {server}"
    done = run(["bash", "-c", f"{script} && {command}"], cwd=directory, timeout=5 * TIMEOUT_S)
    case.assertEqual(done.returncode, 0, done.stderr)


def connects(profile, *options):
    """Returns the shell command that asserts that the real client connects without
    other input."""
    return shlex.join(["client_connects", str(profile), *map(str, options)])


def fails(profile, pattern, *options):
    """Returns the shell command that asserts that the real client fails and logs a
    line that matches `pattern`."""
    return shlex.join(["client_fails", str(profile), pattern, *map(str, options)])
