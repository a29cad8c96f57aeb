
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'mailferry' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'mailferry'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'mailferry' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Do each account''s job: sync IMAP, fetch POP3. The line for cron')
            [CompletionResult]::new('sync', 'sync', [CompletionResultType]::ParameterValue, 'Synchronise IMAP accounts with their Maildirs, both ways')
            [CompletionResult]::new('fetch', 'fetch', [CompletionResultType]::ParameterValue, 'Fetch mail one way, from POP3 or IMAP to the Maildir')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Stay in the foreground and sync as soon as either side changes')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Test each profile: connection, TLS, login, folders, Maildir; changes nothing')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show messages, unsynced changes and the last run, without connecting')
            [CompletionResult]::new('folders', 'folders', [CompletionResultType]::ParameterValue, 'List the server''s folders and where each goes')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Compare Maildir and server message by message; exit 65 if they differ')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Upload what the server lacks from the Maildir; never deletes')
            [CompletionResult]::new('setup', 'setup', [CompletionResultType]::ParameterValue, 'Find the server''s settings, test the login and write a profile')
            [CompletionResult]::new('auth', 'auth', [CompletionResultType]::ParameterValue, 'Sign in with OAuth 2.0 and store the tokens')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Print another program''s accounts as mailferry TOML')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or that of a command')
            break
        }
        'mailferry;run' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('--folder', '--folder', [CompletionResultType]::ParameterName, 'Only these folders; patterns as in `folders` (repeatable)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'Trust no cache: compare everything')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for a run that holds the Maildir instead of exiting 75')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;sync' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('--folder', '--folder', [CompletionResultType]::ParameterName, 'Only these folders; patterns as in `folders` (repeatable)')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many new messages; the rest stays for the next run')
            [CompletionResult]::new('--max-size', '--max-size', [CompletionResultType]::ParameterName, 'Skip larger messages, such as 25M')
            [CompletionResult]::new('--direction', '--direction', [CompletionResultType]::ParameterName, 'Which way to sync [default: the profile''s `direction`]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'Trust no cache: compare everything')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for a run that holds the Maildir instead of exiting 75')
            [CompletionResult]::new('--allow-mass-delete', '--allow-mass-delete', [CompletionResultType]::ParameterName, 'Let this run pass the deletion guard')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;fetch' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('--folder', '--folder', [CompletionResultType]::ParameterName, 'Only these folders; patterns as in `folders` (repeatable)')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many new messages; the rest stays for the next run')
            [CompletionResult]::new('--max-size', '--max-size', [CompletionResultType]::ParameterName, 'Skip larger messages, such as 25M')
            [CompletionResult]::new('--delete-after', '--delete-after', [CompletionResultType]::ParameterName, 'Delete the server''s copies when older than AGE, such as 30d, 12h, 4w')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Connect, compare and print the plan; change nothing')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'Trust no cache: compare everything')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for a run that holds the Maildir instead of exiting 75')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep the server''s copies [default]')
            [CompletionResult]::new('--delete', '--delete', [CompletionResultType]::ParameterName, 'Delete the server''s copies once the download is safe on disk')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also messages fetched before')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;watch' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;check' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;status' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;folders' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;verify' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Compare the content too, which downloads every message')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;restore' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Upload to this account instead')
            [CompletionResult]::new('--folder', '--folder', [CompletionResultType]::ParameterName, 'Only these folders; patterns as in `folders` (repeatable)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Print what would be uploaded; change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be uploaded; change nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;setup' {
            [CompletionResult]::new('--provider', '--provider', [CompletionResultType]::ParameterName, 'A provider known to mailferry, such as fastmail')
            [CompletionResult]::new('--protocol', '--protocol', [CompletionResultType]::ParameterName, 'imap or pop3')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s port')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'When TLS begins')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The user name [default: the address, or what the provider wants]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'The mechanism, such as plain or scram-sha-256 [default: auto]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'A file whose first line is the password; made with mode 0600 if the password was asked for')
            [CompletionResult]::new('--password-env', '--password-env', [CompletionResultType]::ParameterName, 'An environment variable that holds the password')
            [CompletionResult]::new('--password-keyring', '--password-keyring', [CompletionResultType]::ParameterName, 'The service name of the keyring''s entry')
            [CompletionResult]::new('--client-id', '--client-id', [CompletionResultType]::ParameterName, 'The id of your OAuth 2.0 application: sign in with it instead of a password')
            [CompletionResult]::new('--token-command', '--token-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is an OAuth 2.0 access token')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The account''s name in the config file')
            [CompletionResult]::new('--maildir', '--maildir', [CompletionResultType]::ParameterName, 'The Maildir [default: ~/Mail/{account}]')
            [CompletionResult]::new('--layout', '--layout', [CompletionResultType]::ParameterName, 'The layout of the Maildir')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'IMAP: sync both ways, mirror the server, or archive')
            [CompletionResult]::new('--delete-after', '--delete-after', [CompletionResultType]::ParameterName, 'Delete the server''s copies when older than AGE, such as 30d, 12h, 4w')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep the server''s copies [default]')
            [CompletionResult]::new('--delete', '--delete', [CompletionResultType]::ParameterName, 'Delete the server''s copies once the download is safe on disk')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Take every default and write without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Take every default and write without asking')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Do not look on the network for the server''s settings')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;auth' {
            [CompletionResult]::new('--into', '--into', [CompletionResultType]::ParameterName, 'The Maildir [required with a URL; overrides `maildir`]')
            [CompletionResult]::new('--password-command', '--password-command', [CompletionResultType]::ParameterName, 'A command whose first line of output is the password')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Certificates (PEM) to trust besides the system''s')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Accept just the certificate with this SHA-256 (sha256:HEX)')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Sign in with a code on another device, for machines without a browser')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;import' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Also take over what it has fetched or paired, so that nothing is fetched twice')
            [CompletionResult]::new('--with-passwords', '--with-passwords', [CompletionResultType]::ParameterName, 'Print passwords that stand in its file')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show what --state would do; change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what --state would do; change nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;completions' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mailferry;man' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colours [default: auto; NO_COLOR is honoured]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v the summary, -vv the protocol, with every secret left out')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One JSON object a line on standard output')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'No progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
