#!/bin/sh
# Makes tests/data/pki and the throw-away key anew, with Debian's easy-rsa.
# The certificates are fixtures: tests bring their own clock, so they need no
# renewal. Only one private key is kept, and its name says that it is unsafe.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export EASYRSA_PKI="$work/pki" EASYRSA_BATCH=1 EASYRSA_SILENT=1
export EASYRSA_ALGO=ec EASYRSA_CURVE=prime256v1
easyrsa=${EASYRSA:-/usr/share/easy-rsa/easyrsa}

"$easyrsa" init-pki
EASYRSA_REQ_CN="jeton test CA" "$easyrsa" build-ca nopass
"$easyrsa" build-server-full server nopass
for user in alice bob carol; do
    "$easyrsa" build-client-full "$user" nopass
done
"$easyrsa" revoke carol

rm -rf pki
mkdir -p pki/issued
cp "$work/pki/ca.crt" "$work/pki/index.txt" pki/
cp "$work"/pki/issued/*.crt pki/issued/
# The tests put it back, to show what became of her certificate.
cp "$work"/pki/revoked/certs_by_serial/*.crt pki/carol-revoked.crt
cp "$work/pki/private/alice.key" unsafe-test-alice.key
openvpn --genkey tls-crypt unsafe-test-tls-crypt.key
