#!/usr/bin/env bash
# Sees to it that the programs of the end-to-end tests are there, and installs
# what is missing with apt-get.
#
# Leaves with 0 if all are there. If some cannot be had, it leaves with 1 on a
# CI machine (where CI is set), so that no test is left out there unseen, and
# elsewhere with 77, which means "skip".
set -euo pipefail

easyrsa=/usr/share/easy-rsa/easyrsa

missing() {
    command -v openvpn >/dev/null || echo openvpn
    command -v curl >/dev/null || echo curl
    command -v python3 >/dev/null || echo python3
    command -v openssl >/dev/null || echo openssl
    command -v strace >/dev/null || echo strace
    [ -x "$easyrsa" ] || echo easy-rsa
}

mapfile -t packages < <(missing)
if [ ${#packages[@]} -gt 0 ]; then
    echo "installing: ${packages[*]}" >&2
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    # Whether it worked is judged below, by what is there.
    "${as_root[@]}" apt-get update -qq || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${packages[@]}" || true
fi

mapfile -t packages < <(missing)
if [ ${#packages[@]} -gt 0 ]; then
    echo "error: missing: ${packages[*]}" >&2
    echo "hint: apt-get install ${packages[*]}" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 77
fi
