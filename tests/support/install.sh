# Installs what a build and the tests need on a Debian machine that has only a Rust toolchain. Sourced by tests/run, tests/demo, .ci/run.
# Quick and silent when all is there. Never starts, stops or restarts a daemon.

# Prints the packages, of those named, that are not installed.
missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q ' installed$' || echo "$name"
    done
}

# Makes sure of packages; with neither root nor sudo it says which ones are missing and ends the script.
need_packages() {
    local missing as_root=()
    # The daemons live outside an ordinary user's PATH.
    export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian: please see that the equivalents of these packages are installed: $*" >&2
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "Missing: ${missing[*]}" >&2
            echo "Install with:  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo -n)
    fi
    echo "Installing: ${missing[*]}" >&2
    if ! (without_daemons && install_with_apt "${missing[@]}"); then
        echo "Could not install: ${missing[*]}" >&2
        exit 1
    fi
}

# For the rest of this (sub)shell: a policy that answers 101 keeps the packages' scripts from starting or restarting any daemon. An
# administrator's own policy stays as it is.
without_daemons() {
    local policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    # shellcheck disable=SC2064 # the path and the way to root are those of now
    trap "${as_root[*]} rm -f $policy" EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null && "${as_root[@]}" chmod 755 "$policy"
}

# Uses `as_root` of its caller.
install_with_apt() {
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    "${apt[@]}" update >&2 && "${apt[@]}" install -y --no-install-recommends "$@" >&2
}

# What every script needs to build and to talk to a server.
need_build_packages() {
    need_packages gcc libc6-dev pkg-config libssl-dev openssl dovecot-imapd dovecot-pop3d
    if ! command -v cargo >/dev/null; then
        # rustup's default place, which a non-login shell may not have in its PATH.
        export PATH="$PATH:$HOME/.cargo/bin"
    fi
    if ! command -v cargo >/dev/null; then
        echo "Missing: a Rust toolchain (cargo). See https://rustup.rs" >&2
        exit 1
    fi
}

# What the whole test suite needs beside it: fault injection, a second Maildir reader, a keyring, the tools from which people move in, and
# Courier and Cyrus, which stand beside Dovecot unpacked (a test that misses them fails and says why).
need_test_packages() {
    need_build_packages
    need_packages strace mblaze gnome-keyring libsecret-tools dbus-daemon isync offlineimap3 getmail6 fetchmail mpop
    bash "$(dirname "${BASH_SOURCE[0]}")/other_servers.sh" >/dev/null || echo "The tests on Courier and Cyrus will fail." >&2
}
