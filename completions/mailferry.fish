# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mailferry_global_optspecs
    string join \n c/config= q/quiet v/verbose json color= no-progress h/help V/version
end

function __fish_mailferry_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mailferry_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mailferry_using_subcommand
    set -l cmd (__fish_mailferry_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mailferry -n "__fish_mailferry_needs_command" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_needs_command" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_needs_command" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_needs_command" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_needs_command" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_needs_command" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_needs_command" -s V -l version -d 'Print version'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "run" -d 'Do each account\'s job: sync IMAP, fetch POP3. The line for cron'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "sync" -d 'Synchronise IMAP accounts with their Maildirs, both ways'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "fetch" -d 'Fetch mail one way, from POP3 or IMAP to the Maildir'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "watch" -d 'Stay in the foreground and sync as soon as either side changes'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "check" -d 'Test each profile, from the connection to the Maildir'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "status" -d 'Show unsynced changes and the last run; connects nowhere'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "folders" -d 'List the server\'s folders and where each goes'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "verify" -d 'Compare both sides message by message; 65 if they differ'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "restore" -d 'Upload what the server lacks from the Maildir; never deletes'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "setup" -d 'Find the server\'s settings, test the login and write a profile'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "auth" -d 'Sign in with OAuth 2.0 and store the tokens'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "import" -d 'Print another program\'s accounts as mailferry TOML'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "man" -d 'Print the manual page, or that of a command'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l folder -d 'Only these folders; patterns as in `folders` (repeatable)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -s n -l dry-run -d 'Connect, compare and print the plan; change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l full -d 'Trust no cache: compare everything'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l wait -d 'Wait for a run that holds the Maildir instead of exiting 75'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l folder -d 'Only these folders; patterns as in `folders` (repeatable)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l limit -d 'At most so many new messages; the rest stays for the next run' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l max-size -d 'Skip larger messages, such as 25M' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l direction -d 'Which way to sync [default: the profile\'s `direction`]' -r -f -a "both\t'Both ways'
pull\t'From the server, which is not changed'
push\t'To the server; the Maildir is not changed'"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s n -l dry-run -d 'Connect, compare and print the plan; change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l full -d 'Trust no cache: compare everything'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l wait -d 'Wait for a run that holds the Maildir instead of exiting 75'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l allow-mass-delete -d 'Let this run pass the deletion guard'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l folder -d 'Only these folders; patterns as in `folders` (repeatable)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l limit -d 'At most so many new messages; the rest stays for the next run' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l max-size -d 'Skip larger messages, such as 25M' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l delete-after -d 'Delete them when older than AGE, such as 30d, 12h, 4w' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -s n -l dry-run -d 'Connect, compare and print the plan; change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l full -d 'Trust no cache: compare everything'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l wait -d 'Wait for a run that holds the Maildir instead of exiting 75'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l keep -d 'Keep them [default]'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l delete -d 'Delete them once the download is safe on disk'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l all -d 'Also messages fetched before'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand folders" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l deep -d 'Compare the content too, which downloads every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l to -d 'Upload to this account instead' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l folder -d 'Only these folders; patterns as in `folders` (repeatable)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -s n -l dry-run -d 'Print what would be uploaded; change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l provider -d 'A provider known to mailferry, such as fastmail' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l protocol -d 'imap or pop3' -r -f -a "imap\t'IMAP, both ways'
pop3\t'POP3, one way'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l host -d 'The server\'s name' -r -f -a "(__fish_print_hostnames)"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l port -d 'The server\'s port' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l tls -d 'When TLS begins' -r -f -a "implicit\t'With the first byte'
starttls\t'By STARTTLS or STLS'
none\t'Never: password and mail can be read on the way'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l user -d 'The user name [default: the address, or what the provider wants]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l auth -d 'The mechanism, such as plain or scram-sha-256 [default: auto]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l password-file -d 'A file whose first line is the password; made with mode 0600 if the password was asked for' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l password-env -d 'An environment variable that holds the password' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l password-keyring -d 'The service name of the keyring\'s entry, which is made if the password was asked for' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l client-id -d 'The id of your OAuth 2.0 application: sign in with it instead of a password' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l client-secret-file -d 'A file whose first line is the application\'s secret, if it has one' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l sign-in -d 'When and where to sign in with OAuth 2.0 [default without a terminal: later]' -r -f -a "browser\t'Now, in a browser on this computer'
device\t'Now, with a code on another device'
later\t'Later, with `mailferry auth`'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l token-command -d 'A command whose first line of output is an OAuth 2.0 access token' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l name -d 'The account\'s name in the config file' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l maildir -d 'The Maildir [default: ~/Mail/{account}]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l layout -d 'The layout of the Maildir' -r -f -a "nested\t'ROOT/INBOX, ROOT/Lists/rust'
maildir++\t'INBOX is ROOT, others ROOT/.Lists.rust'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l mode -d 'IMAP: sync both ways, mirror the server, or archive' -r -f -a "sync\t'Both sides become equal'
mirror\t'The Maildir becomes what the server is'
archive\t'Everything is pulled, nothing is ever deleted here'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l delete-after -d 'Delete them when older than AGE, such as 30d, 12h, 4w' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l keep -d 'Keep them [default]'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l delete -d 'Delete them once the download is safe on disk'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -s y -l yes -d 'Take every default and write without asking'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l offline -d 'Do not look on the network for the server\'s settings'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l into -d 'The Maildir [required with a URL; overrides `maildir`]' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l password-command -d 'A command whose first line of output is the password' -r -f -a "(__fish_complete_command)"
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l ca-file -d 'Certificates (PEM) to trust besides the system\'s' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l tls-fingerprint -d 'Accept just the certificate with this SHA-256 (sha256:HEX)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l device -d 'Sign in with a code on another device, for machines without a browser'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand auth" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -l state -d 'Also take over what it has fetched or paired, so that nothing is fetched twice'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -l with-passwords -d 'Print passwords that stand in its file'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -s n -l dry-run -d 'Show what --state would do; change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s h -l help -d 'Print help'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s c -l config -d 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l color -d 'Colours: auto (unless NO_COLOR is set), always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s q -l quiet -d 'Only errors'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s v -l verbose -d 'Say more: -v what changed in each folder, -vv the protocol without its secrets'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l json -d 'One JSON object a line on standard output'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l no-progress -d 'No progress bars'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s h -l help -d 'Print help'
