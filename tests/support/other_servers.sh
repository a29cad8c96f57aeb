#!/bin/bash
# Courier and Cyrus for the tests. Debian's packages of them conflict with Dovecot's, so they are not installed: their packages, and
# those libraries that the machine lacks, are downloaded with apt and unpacked into a cache outside the repository. Run as a script it
# prints that folder, in which `courier` and `cyrus` are; a second run finds it ready. Needs no root once apt has its package lists.
# Never starts a daemon.
set -euo pipefail

COURIER="courier-imap courier-pop courier-base courier-authlib"
CYRUS="cyrus-imapd cyrus-pop3d cyrus-common"
# Grows whenever what is unpacked changes.
EDITION=1

# Where they are unpacked. As root the mail is served by `nobody`, who must be able to reach the programs.
cache_folder() {
    if [ -n "${MAILFERRY_TEST_CACHE:-}" ]; then
        echo "$MAILFERRY_TEST_CACHE"
    elif [ "$(id -u)" -eq 0 ]; then
        echo /var/cache/mailferry-tests
    else
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/mailferry-tests"
    fi
}

# The packages named, and what they would bring along on this machine that is not installed.
with_what_they_need() {
    {
        printf '%s\n' "$@"
        # A package with a version in brackets is an upgrade: the installed library serves. Daemons and interpreters are not needed.
        LC_ALL=C apt-get install -s --no-install-recommends "$@" 2>/dev/null |
            awk '/^Inst/ && $3 !~ /^\[/ && $2 !~ /^(exim4|postfix|gawk|db|gnutls-bin)/ { print $2 }'
    } | sort -u
}

# Downloads and unpacks packages into a folder, with a list of the folders of their libraries beside it.
unpack() {
    local into=$1 packages name
    shift
    mapfile -t packages < <(with_what_they_need "$@")
    mkdir -p "$into/packages"
    # Without the sandbox user, who could not write into a private folder.
    (cd "$into/packages" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}" >&2)
    for name in "$into"/packages/*.deb; do
        dpkg -x "$name" "$into"
    done
    rm -r "$into/packages"
    (cd "$into" && find . -name '*.so*' -printf '%h\n' | sed 's/^\.//' | sort -u) >"$into/libraries"
}

# Courier asks for passwords at a socket whose path is compiled in. A relative path of the same length in its place: every server of the
# tests has the socket in its own working directory.
relocate_authentication() {
    local library=$1 at old new
    at=$(LC_ALL=C grep -obaE '/run/courier/aut+hdaemon/socket' "$library" | head -n 1)
    old=${at#*:}
    [ -n "$old" ] || { echo "no socket path in $library" >&2; return 1; }
    new=auth.sock
    while [ "${#new}" -lt $((${#old} - 1)) ]; do new="/$new"; done
    printf '%s' ".$new" | dd of="$library" bs=1 seek="${at%%:*}" conv=notrunc status=none
}

# Apt's package lists, if they know nothing of these servers.
need_package_lists() {
    [ -n "$(apt-cache madison courier-imap 2>/dev/null)" ] && return 0
    if [ "$(id -u)" -eq 0 ]; then
        apt-get -qq update >&2
    else
        sudo -n apt-get -qq update >&2 || { echo "Please run:  sudo apt-get update" >&2; return 1; }
    fi
}

main() {
    local cache ready work
    cache=$(cache_folder)
    ready=$cache/servers-$EDITION
    if [ ! -e "$ready" ]; then
        command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
            { echo "Courier and Cyrus are taken from Debian's packages: this machine has no apt" >&2; return 1; }
        umask 022
        mkdir -p "$cache"
        exec 9>"$cache/lock"
        flock 9
        if [ ! -e "$ready" ]; then
            echo "Unpacking Courier and Cyrus into $ready" >&2
            need_package_lists
            work=$(mktemp -d "$cache/unpack.XXXXXX")
            chmod 755 "$work"
            # shellcheck disable=SC2064,SC2086 # the folder of now; the names are words
            trap "rm -rf '$work'" EXIT
            # shellcheck disable=SC2086
            { unpack "$work/courier" $COURIER && unpack "$work/cyrus" $CYRUS; }
            relocate_authentication "$(readlink -f "$(find "$work/courier" -name 'libcourierauth.so*' | head -n 1)")"
            [ -x "$work/courier/usr/sbin/couriertcpd" ] && [ -x "$work/cyrus/usr/lib/cyrus/bin/master" ] ||
                { echo "apt gave no complete Courier and Cyrus" >&2; return 1; }
            mv -T "$work" "$ready"
        fi
    fi
    echo "$ready"
}

main
