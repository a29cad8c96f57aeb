# The demo's server and mail: sourced by tests/demo.

server_pid=""

# A free port below the range of outgoing connections. Not perfect, hence the retry in start_server.
free_port() {
    local port
    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

make_certificates() {
    local dir=$1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=mailferry demo authority" \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$dir/key.pem" -out "$dir/request.pem" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > "$dir/names"
    openssl x509 -req -in "$dir/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -extfile "$dir/names" \
        -out "$dir/cert.pem" 2>/dev/null
}

# Dovecot serves no mail to root, so root's demo mail belongs to nobody; as an ordinary user all belongs to that user.
write_server_config() {
    local dir=$1 user group login=""
    user=nobody group=nogroup
    if [ "$(id -u)" -ne 0 ]; then
        user=$(id -un) group=$(id -gn)
        login="default_internal_user = $user
default_login_user = $user
default_internal_group = $group
service anvil {
  chroot =
}
service stats {
  chroot =
}"
    fi
    cat > "$dir/dovecot.conf" <<EOF
base_dir = $dir/run
state_dir = $dir/state
log_path = $dir/log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <$dir/cert.pem
ssl_key = <$dir/key.pem
mail_location = maildir:~/Maildir:LAYOUT=fs
mail_uid = $user
mail_gid = $group
first_valid_uid = 1
first_valid_gid = 1
$login
passdb {
  driver = static
  args = password=pass
}
userdb {
  driver = static
  args = uid=$user gid=$group home=$dir/mail/%u
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
    auto = create
  }
  mailbox Sent {
    special_use = \\Sent
    auto = create
  }
  mailbox Trash {
    special_use = \\Trash
    auto = create
  }
}
service imap-login {
  $([ "$(id -u)" -eq 0 ] || echo 'chroot =')
  inet_listener imap {
    port = $imap_port
  }
  inet_listener imaps {
    port = $imaps_port
    ssl = yes
  }
}
service pop3-login {
  $([ "$(id -u)" -eq 0 ] || echo 'chroot =')
  inet_listener pop3 {
    port = 0
  }
  inet_listener pop3s {
    port = $pop3s_port
    ssl = yes
  }
}
EOF
}

start_server() {
    local dir=$1/server try waited
    chmod 755 "$1"
    mkdir -p "$dir/mail"
    chmod 777 "$dir/mail"
    make_certificates "$dir"
    for try in 1 2 3 4 5; do
        imap_port=$(free_port) imaps_port=$(free_port) pop3s_port=$(free_port)
        write_server_config "$dir"
        dovecot -F -c "$dir/dovecot.conf" </dev/null >>"$dir/log" 2>&1 &
        server_pid=$!
        for waited in {1..200}; do
            kill -0 "$server_pid" 2>/dev/null || break
            if (exec 3<>"/dev/tcp/127.0.0.1/$imaps_port") 2>/dev/null; then
                return 0
            fi
            sleep 0.05
        done
        stop_server
    done
    cat "$dir/log" >&2
    echo "The server does not come up." >&2
    return 1
}

stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=""
}

# Sends the commands of stdin over IMAPS; what the server says goes to stdout, a refused command is fatal.
imap() {
    local answers
    answers=$({ printf 'l LOGIN ada pass\n'; cat; printf 'z LOGOUT\n'; } |
        openssl s_client -quiet -crlf -connect "127.0.0.1:$imaps_port" 2>/dev/null)
    if grep -aE '^[a-z0-9]+ (NO|BAD) ' <<<"$answers" >&2 || ! grep -aq '^z OK' <<<"$answers"; then
        echo "The server refused the demo's mail." >&2
        return 1
    fi
    printf '%s\n' "$answers"
}

# One APPEND: folder (as on the wire), flags, date; the message is stdin, its lines end in LF.
append() {
    local text size
    text=$(cat; printf x)
    text=${text%x}
    size=$(printf '%s' "$text" | sed 's/$/\r/' | LC_ALL=C wc -c)
    printf 'a APPEND "%s" (%s) "%s" {%d+}\n%s\n' "$1" "$2" "$3" "$size" "$text"
}

mail_with() {
    local from=$1 subject=$2
    printf 'From: %s\nTo: Ada Lovelace <ada@example.org>\nSubject: %s\nDate: %s\nMessage-ID: <%s@example.org>\nMIME-Version: 1.0\n' \
        "$from" "$subject" "Mon, 10 Nov 2025 09:00:00 +0100" "$(printf '%s' "$subject" | md5sum | cut -c1-12)"
    cat
}

plain() { printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s\n' "$*"; }

attachment() {
    printf 'Content-Type: multipart/mixed; boundary="b1"\n\n--b1\nContent-Type: text/plain; charset=utf-8\n\n%s\n--b1\n' "$1"
    printf 'Content-Type: application/pdf; name="%s"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n' "$2"
    head -c "$3" /dev/urandom | base64 -w 76
    printf -- '--b1--\n'
}

# The sample mailbox: folders, nesting, names beyond ASCII (in modified UTF-7), flags, keywords, attachments, 8-bit.
fill_mailbox() {
    local i
    {
        for i in Archive/2025 Lists/rust "Entw&APw-rfe" "R&-D/&ZeVnLIqe-"; do printf 'c CREATE "%s"\n' "$i"; done
        plain "Noon at the Italian place?" | mail_with "Grace Hopper <grace@example.org>" "Lunch on Friday" |
            append INBOX "" "10-Nov-2025 09:12:00 +0100"
        attachment "The invoice is attached." invoice-117.pdf 60000 | mail_with "billing@example.com" "Invoice 2025-117" |
            append INBOX '\Seen' "11-Nov-2025 10:00:00 +0100"
        plain "Only today." | mail_with "shop@example.com" "50% off everything" | append INBOX "" "12-Nov-2025 11:00:00 +0100"
        plain "Grüße aus München, schöne Straße." | mail_with "=?UTF-8?Q?J=C3=BCrgen?= <juergen@example.de>" "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=" |
            append INBOX '\Seen \Answered $Forwarded' "12-Nov-2025 12:00:00 +0100"
        plain "Please look at section 3." | mail_with "Alan <alan@example.org>" "Review of the draft" |
            append INBOX '\Flagged work todo' "13-Nov-2025 08:30:00 +0100"
        for i in {1..12}; do
            plain "Message $i of a long thread about borrow checking." | mail_with "list@rust.example.org" "[rust] Re: lifetimes ($i)" |
                append Lists/rust '\Seen' "0$((i % 9 + 1))-Nov-2025 07:00:00 +0000"
        done
        plain "Noch nicht fertig." | mail_with "ada@example.org" "Angebot" | append "Entw&APw-rfe" '\Draft \Seen' "13-Nov-2025 20:00:00 +0100"
        attachment "研究の図です。" figure.pdf 200000 | mail_with "yamada@example.jp" "Figures" |
            append "R&-D/&ZeVnLIqe-" '\Seen research' "13-Nov-2025 21:00:00 +0900"
        plain "Kept for the record." | mail_with "hr@example.org" "Contract" | append Archive/2025 '\Seen' "02-Jan-2025 09:00:00 +0100"
    } | imap >/dev/null
}

change_server() {
    {
        plain "The train is late." | mail_with "Grace Hopper <grace@example.org>" "New on the server" | append INBOX "" "14-Nov-2025 09:00:00 +0100"
        printf 'c CREATE "Travel"\ns SELECT INBOX\nf STORE 4 +FLAGS (\\Flagged travel)\n'
    } | imap >/dev/null
}

# A folder's name in 22 columns, where a Han character has two and printf counts bytes.
padded() {
    local han letters
    han=$(printf '%s' "$1" | LC_ALL=C tr -cd '\340-\357' | LC_ALL=C wc -c)
    letters=$(printf '%s' "$1" | LC_ALL=C tr -d '\200-\277' | LC_ALL=C wc -c)
    printf '%s%*s' "$1" $((22 - letters - han)) ''
}

# A Maildir as folders with their messages; flags are the letters after ":2,".
show_tree() {
    local root=$1 dir name
    (cd "$root" && find . -type d -name cur | sort) | while read -r dir; do
        name=${dir#./}
        name=${name%/cur}
        printf '  %s %3d in all\n' "$(padded "$name")" "$(find "$root/$name/cur" "$root/$name/new" -type f | wc -l)"
    done
    (cd "$root" && find . -path '*/INBOX/*' -type f -path '*/[cn][ue][rw]/*' | sort | head -6 | sed 's/^/    /')
}

# Counts the messages of every folder on both sides.
compare_sides() {
    local root=$1 name remote local_count wrong=0 path
    while IFS=$'\t' read -r name path; do
        remote=$(printf 's STATUS "%s" (MESSAGES)\n' "$name" | imap | sed -n 's/.*(MESSAGES \([0-9]*\)).*/\1/p')
        local_count=$(find "$root/$path/cur" "$root/$path/new" -type f | wc -l)
        printf '  %s server %3d   here %3d\n' "$(padded "$path")" "$remote" "$local_count"
        [ "$remote" -eq "$local_count" ] || wrong=1
    done < <(printf '%s\t%s\n' INBOX INBOX Drafts Drafts Trash Trash Travel Travel Archive/2025 Archive/2025 Lists/rust Lists/rust \
        'Entw&APw-rfe' Entwürfe 'R&-D/&ZeVnLIqe-' R\&D/日本語)
    return "$wrong"
}
