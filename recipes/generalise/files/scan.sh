#!/bin/sh
# Looks for secrets that would travel in the image, and refuses: prints the file and the kind, never the value.
#
#   scan.sh [FILES [VALUES]]   two folders in memory, with what was fetched on this machine, one secret a file: FILES as
#                              it was written for applications, VALUES as it came; no file of a disk may contain one, in
#                              whatever spelling (fetched.sh)
#
# A file that only looks like a secret is declared by a line `allow PATH` in /opt/goldseed/generalise.d/*.
set -u
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
# shellcheck source-path=SCRIPTDIR source=ground.sh
. "$here/ground.sh"
# shellcheck source-path=SCRIPTDIR source=fetched.sh
. "$here/fetched.sh"
findings=0

found() {
    case $2 in *"$line_end"*) return 0 ;; esac
    if is_allowed "${2#.}"; then return 0; fi
    printf 'FAIL secrets: %s: %s\n' "${2#.}" "$1"
    findings=$((findings + 1))
}

# Reads paths, one a line, and reports each as $1.
report() {
    while IFS= read -r path; do
        if [ -n "$path" ]; then found "$1" "$path"; fi
    done
}

# Where people and applications put things, one place a line: all folders at the top, homes, and disks of their own; the
# distribution's trees under /usr and /var are left out.
places=$({
    for place in ./* ./usr/local ./var/app ./var/www ./var/opt ./var/lib/cloud ./var/lib/goldseed; do
        case $place in
            ./bin | ./boot | ./dev | ./lib* | ./lost+found | ./proc | ./run | ./sbin | ./snap | ./sys | ./tmp | ./usr | ./var) ;;
            *) if [ -d "$place" ] && [ ! -L "$place" ]; then printf '%s\n' "$place"; fi ;;
        esac
    done
    printf '%s\n' "$home_list"
    local_places | grep -vxF .
} | sort -u)

# files NAME…: the files of up to 1 MiB with one of the names, without tests and examples of packages.
files() {
    names=
    for name in "$@"; do names="$names-o$line_end-name$line_end$name$line_end"; done
    (
        set -f
        IFS=$line_end
        # shellcheck disable=SC2086 # lists of words
        find $places -xdev -type f -size -2048 \( ${names#-o} \) ! -name '*.example' ! -name '*.sample' ! -name '*.dist' \
            ! -path '*/tests/*' ! -path '*/Tests/*' ! -path './etc/ssl/certs/*' 2>/dev/null | sort -u
    )
}

# matching PATTERN [-i]: of the files whose paths are read, those in which a line matches the extended expression. Lines
# that only comment do not count.
matching() {
    tr '\n' '\000' | xargs -0 -r grep -El ${2:-} -e "$1" -- 2>/dev/null | while IFS= read -r path; do
        if grep -Ev '^[[:space:]]*[#;*]' -- "$path" 2>/dev/null | grep -Eq ${2:-} -e "$1"; then printf '%s\n' "$path"; fi
    done
}

quote="[\"']"
literal="${quote}[^\"']{3,}${quote}"

report 'a private key of a person' <<EOT
$(files 'id_rsa' 'id_ecdsa' 'id_ed25519' 'id_dsa')
EOT
report 'a login for a service' <<EOT
$(files '.netrc' '.pgpass' '.git-credentials' 'auth.json' '.dockercfg' | matching '[^[:space:]]{8,}')
$(files '.npmrc' '.pypirc' | matching '(_authToken|_password|password)[[:space:]]*=[[:space:]]*[^$[:space:]]' -i)
EOT
report 'AWS credentials' <<EOT
$({
    files 'credentials' 'config' '.env' '.env.*' '*.php' '*.ini' '*.conf' '*.sh' '*.json' '*.yaml' '*.yml' '.boto' '.s3cfg' '.passwd-s3fs' 'passwd-s3fs' |
        matching '(^|[^A-Za-z0-9])A(KI|SI)A[A-Z0-9]{16}([^A-Za-z0-9]|$)'
    files 'credentials' 'config' '.env' '.env.*' '*.php' '*.ini' '*.conf' '*.sh' '*.json' '*.yaml' '*.yml' |
        matching "aws_secret_access_key${quote}?[[:space:]]*[=:][[:space:]]*${quote}?[A-Za-z0-9/+]{12,}" -i
} | sort -u)
EOT
report 'a password of a database client' <<EOT
$(files '.my.cnf' 'my.cnf' '*.cnf' | matching '^[[:space:]]*password[[:space:]]*=[[:space:]]*[^[:space:]]' -i)
EOT
report 'a literal password in the configuration of an application' <<EOT
$(files 'wp-config.php' | matching "define\\([[:space:]]*${quote}(DB_PASSWORD|[A-Z_]+_(KEY|SALT))${quote}[[:space:]]*,[[:space:]]*${literal}" -i |
    while IFS= read -r path; do
        # The placeholders of WordPress's own sample are not secrets.
        grep -Ei "define\\([[:space:]]*${quote}(DB_PASSWORD|[A-Z_]+_(KEY|SALT))${quote}" -- "$path" |
            grep -Evq 'put your unique phrase here|password_here' && printf '%s\n' "$path"
    done)
$(files 'config.php' 'config.inc.php' 'settings.php' 'local.php' 'parameters.yml' 'LocalSettings.php' |
    matching "(dbpass|password|dbpassword|secret)[a-z'\"]*\\]?[[:space:]]*(=>?|:)[[:space:]]*${literal}" -i)
$(files '.env' '.env.*' 'env' 'env.list' 'environment' | matching '^[[:space:]]*(export )?[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|APP_KEY|DATABASE_URL)[A-Z0-9_]*=[^$[:space:]]{3,}' -i)
EOT
report 'a secret in a setting of a service' <<EOT
$(find ./etc/sysconfig ./etc/default ./etc/systemd/system ./etc/php.d ./etc/php-fpm.d ./etc/php ./etc/nginx ./etc/httpd -xdev -type f -size -2048 2>/dev/null |
    matching '(^|[[:space:]"])(Environment=|env\[|fastcgi_param[[:space:]]+|SetEnv[[:space:]]+|export[[:space:]]+)?"?[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|API_KEY)[A-Z0-9_]*(\]|")?[[:space:]]*[= ][[:space:]]*"?[^$[:space:]"]{6,}' -i)
EOT
report 'a private key' <<EOT
$(files '*.pem' '*.key' '*.p12' '*.php' '*.conf' '*.json' '.env' '*.txt' | matching '^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----' |
    grep -v -e '^./etc/ssl/private/ssl-cert-snakeoil.key$' -e '^./etc/ssh/')
EOT

# What was fetched on this machine: two folders in memory, or none.
if [ $# -gt 0 ]; then look_for_fetched "$1" "${2:-}"; fi

if [ "$findings" -gt 0 ]; then
    printf '%s\n' 'scan: secrets would travel in the image: read them at boot (a secret-file step with on: boot), or, for a file that only looks like one, have a recipe write the line "allow PATH" to a file in /opt/goldseed/generalise.d' >&2
    exit 1
fi
printf 'pass secrets\n'
