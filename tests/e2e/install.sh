#!/usr/bin/env bash
# Installs what the end-to-end tests need: programs with apt-get, and the packages pinned
# in browser/package-lock.json and requirements.txt with npm and pip, into directories
# beside this file.
#
# Exits with 0 if everything is installed. Otherwise exits with 1 on CI (where CI is
# set), so that no test is skipped there unnoticed, and elsewhere with 77, which means
# "skip".
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
    # Debian's python3 package lacks these two modules.
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# give_up MISSING HINT
give_up() {
    printf 'error: missing: %s\nhint: %s\n' "$1" "$2" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 77
}

# is_installed DIR LIST: returns 0 if DIR has the packages of LIST. The list is copied
# into the directory last, so an interrupted installation does not count.
is_installed() { cmp -s "$2" "$1/installed-from"; }

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
    # A failure is detected below, by what is still missing.
    "${as_root[@]}" apt-get update -qq || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${packages[@]}" || true
fi

mapfile -t packages < <(missing)
[ ${#packages[@]} = 0 ] || give_up "${packages[*]}" "apt-get install ${packages[*]}"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || give_up 'node 20' 'install a newer nodejs'

is_installed browser/node_modules browser/package-lock.json || install_browser_driver ||
    give_up 'packages of browser/package-lock.json' 'see the output of npm above'
is_installed .venv requirements.txt || install_python_packages ||
    give_up 'packages of requirements.txt' 'see the output of pip above'
