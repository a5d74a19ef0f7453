#!/usr/bin/env bash
# Sees to it that what the end-to-end tests need is there: programs, which
# apt-get installs, and the packages that browser/package-lock.json and
# requirements.txt pin, which npm and pip put into folders beside this file.
#
# Leaves with 0 if all is there. If some cannot be had, it leaves with 1 on a
# CI machine (where CI is set), so that no test is left out there unseen, and
# elsewhere with 77, which means "skip".
set -euo pipefail
cd "$(dirname "$0")"

easyrsa=/usr/share/easy-rsa/easyrsa

missing() {
    command -v openvpn >/dev/null || echo openvpn
    command -v curl >/dev/null || echo curl
    command -v python3 >/dev/null || echo python3
    command -v openssl >/dev/null || echo openssl
    command -v strace >/dev/null || echo strace
    command -v haproxy >/dev/null || echo haproxy
    command -v ip >/dev/null || echo iproute2
    [ -x "$easyrsa" ] || echo easy-rsa
    command -v chromium >/dev/null || echo chromium
    command -v zbarimg >/dev/null || echo zbar-tools
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    # Debian takes these two out of its python3.
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# give_up WHAT HINT
give_up() {
    printf 'error: missing: %s\nhint: %s\n' "$1" "$2" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 77
}

# Whether a folder holds what its list asks for. The list is copied into it
# last, so half an installation is none.
holds() { cmp -s "$2" "$1/installed-from"; }

install_browser_driver() {
    (cd browser && npm ci --loglevel=error >&2) || return
    cp browser/package-lock.json browser/node_modules/installed-from
}

install_python_packages() {
    rm -rf .venv
    python3 -m venv .venv && .venv/bin/pip install -q --no-deps -r requirements.txt || return
    cp requirements.txt .venv/installed-from
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
[ ${#packages[@]} = 0 ] || give_up "${packages[*]}" "apt-get install ${packages[*]}"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || give_up 'node 20' 'install a newer nodejs'

holds browser/node_modules browser/package-lock.json || install_browser_driver ||
    give_up 'packages of browser/package-lock.json' 'see what npm says above'
holds .venv requirements.txt || install_python_packages ||
    give_up 'packages of requirements.txt' 'see what pip says above'
