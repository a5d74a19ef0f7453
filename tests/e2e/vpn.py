"""Real OpenVPN connections, by the functions of openvpn.sh."""

import shlex

from jeton import HERE, PATIENCE_S, needs, run

SOURCE = f". {shlex.quote(str(HERE / 'openvpn.sh'))}; "


def needs_tunnel():
    """Skips unless a tunnel can be opened here; on CI that is a failure."""
    done = run(["bash", "-c", SOURCE + "openvpn_possible"])
    needs(done.returncode == 0, done.stderr.strip())


def in_tunnel(case, folder, server, what):
    """Starts the server of `folder`/`server`.conf, in that folder, and does
    `what` in a shell."""
    script = f"{SOURCE} trap server_stop EXIT; server_start {shlex.quote(str(folder))} {server}"
    done = run(["bash", "-c", f"{script} && {what}"], cwd=folder, timeout=5 * PATIENCE_S)
    case.assertEqual(done.returncode, 0, done.stderr)


def connects(profile, *options):
    """Says in a shell that the real client connects, given nothing else."""
    return shlex.join(["client_connects", str(profile), *map(str, options)])


def fails(profile, pattern, *options):
    """Says in a shell that the real client fails, with this in its log."""
    return shlex.join(["client_fails", str(profile), pattern, *map(str, options)])
