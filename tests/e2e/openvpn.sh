# shellcheck shell=bash
# Functions that run the real openvpn, to be sourced by a test. They need root,
# /dev/net/tun, and a directory made by pki.sh.
#
#   . openvpn.sh
#   openvpn_possible                        returns 0, or prints what is missing
#   server_start DIR certificate|both|password
#   client_connects DIR/x.ovpn [OPTION...]  returns 0 if the client connects without
#                                           any input
#   client_fails DIR/x.ovpn PATTERN [OPTION...]
#                                           returns 0 if the client does not connect
#                                           and a line of its log matches PATTERN
#   server_stop                             can also be called by a trap
#
# Logs are written to DIR/KIND.log and DIR/x.ovpn.log. A client has no terminal, so it
# exits if it needs input. OPTIONs are passed to openvpn, such as
# `--auth-user-pass FILE`.

CONNECT_TIMEOUT_S=${CONNECT_TIMEOUT_S:-60}
CONNECTED="Initialization Sequence Completed"
server_pid=

openvpn_possible() {
    local fault=
    command -v openvpn >/dev/null || fault="openvpn is not installed"
    # `dev null` is no substitute: openvpn refuses it in server mode.
    [ -c /dev/net/tun ] || fault="/dev/net/tun is missing"
    [ "$(id -u)" = 0 ] || fault="only root can open a tunnel"
    [ -z "$fault" ] || { echo "cannot run openvpn: $fault" >&2; return 1; }
}

# wait_for LOG PID: returns 0 once the log reports the connection, and 1 if the process
# exits or the time is up.
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

# client_run PROFILE [OPTION...]: returns 0 if the client connects. Always stops it.
client_run() {
    local profile=$1 pid status=0
    shift
    rm -f "$profile.log"
    # setsid detaches the terminal. Without retries a refusal ends the client at once;
    # only a server that does not answer takes the whole window.
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
        echo "$profile connects, but should not" >&2
        return 1
    fi
    grep -Eq "$pattern" "$profile.log" && return 0
    echo "$profile does not connect, but its log does not match '$pattern':" >&2
    tail -5 "$profile.log" >&2
    return 1
}
