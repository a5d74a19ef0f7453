# shellcheck shell=bash
# Functions around the real openvpn, to be sourced by a test. They need root,
# /dev/net/tun, and a folder made by pki.sh.
#
#   . openvpn.sh
#   openvpn_possible                        0, or says what is missing
#   server_start DIR certificate|both|password
#   client_connects DIR/x.ovpn [OPTION...]  0 if it connects, without any input
#   client_fails DIR/x.ovpn PATTERN [OPTION...]
#                                           0 if it does not connect and its log
#                                           has a line that matches PATTERN
#   server_stop                             also to be called by a trap
#
# Each leaves a log beside its file: DIR/KIND.log and DIR/x.ovpn.log. A client
# has no terminal, so one that asks for something stops. What openvpn's own
# options would read is given behind the profile, as `--auth-user-pass FILE`.

CONNECT_TIMEOUT_S=${CONNECT_TIMEOUT_S:-60}
CONNECTED="Initialization Sequence Completed"
server_pid=

openvpn_possible() {
    local fault=
    command -v openvpn >/dev/null || fault="openvpn is not installed"
    # A server cannot do with `dev null`: openvpn refuses it in server mode.
    [ -c /dev/net/tun ] || fault="/dev/net/tun is missing"
    [ "$(id -u)" = 0 ] || fault="only root can open a tunnel"
    [ -z "$fault" ] || { echo "openvpn cannot be tried: $fault" >&2; return 1; }
}

# wait_for LOG PID: until the log says so (0), the process ends, or time is up.
wait_for() {
    local log=$1 pid=$2 ticks=$((CONNECT_TIMEOUT_S * 10))
    while [ "$ticks" -gt 0 ]; do
        grep -qs "$CONNECTED" "$log" && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
        ticks=$((ticks - 1))
    done
    return 1
}

end() {
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

server_start() {
    local dir=$1 kind=$2
    server_stop
    rm -f "$dir/$kind.log"
    openvpn --config "$dir/$kind.conf" >"$dir/$kind.log" 2>&1 </dev/null &
    server_pid=$!
    wait_for "$dir/$kind.log" "$server_pid" && return 0
    echo "the server did not start:" >&2
    tail -5 "$dir/$kind.log" >&2
    server_stop
    return 1
}

server_stop() {
    [ -z "$server_pid" ] || end "$server_pid"
    server_pid=
}

# client_run PROFILE [OPTION...]: 0 if it connects. It is ended in any case.
client_run() {
    local profile=$1 pid status=0
    shift
    rm -f "$profile.log"
    # A session of its own takes the terminal away. No retries: a refusal is
    # seen at once. Only silence takes the whole window.
    setsid openvpn --config "$profile" --connect-retry-max 1 --hand-window 30 \
        "$@" >"$profile.log" 2>&1 </dev/null &
    pid=$!
    wait_for "$profile.log" "$pid" || status=1
    end "$pid"
    return "$status"
}

client_connects() {
    client_run "$@" && return 0
    echo "$1 does not connect:" >&2
    tail -5 "$1.log" >&2
    return 1
}

client_fails() {
    local profile=$1 pattern=$2
    shift 2
    if client_run "$profile" "$@"; then
        echo "$profile connects, but it should not" >&2
        return 1
    fi
    grep -Eq "$pattern" "$profile.log" && return 0
    echo "$profile does not connect, but not because of '$pattern':" >&2
    tail -5 "$profile.log" >&2
    return 1
}
