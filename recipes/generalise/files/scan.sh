#!/bin/sh
# Looks for secrets that would travel in the image, and refuses: prints the file and the kind, never the value.
#
#   scan.sh [FILES [VALUES]]   two folders in memory, with what was fetched on this machine, one secret a file: FILES as
#                              it was written for applications, VALUES as it came; no file of a disk may contain one, in
#                              whatever spelling (fetched.sh)
#
# A file that only looks like a secret is declared by a line `allow PATH` in /opt/goldseed/generalise.d/*. A literal in code
# or a key that is part of a pinned archive or commit is in everybody's copy of that, so it is no secret of this site: such a
# file is listed and not refused, as long as it is byte for byte what was pinned.
set -u
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
# shellcheck source-path=SCRIPTDIR source=ground.sh
. "$here/ground.sh"
# shellcheck source-path=SCRIPTDIR source=fetched.sh
. "$here/fetched.sh"
findings=0
# Whether the kind of secret that is looked for may be part of published code.
shippable=no

found() {
    case $2 in *"$line_end"*) return 0 ;; esac
    if is_allowed "${2#.}"; then return 0; fi
    if [ "$shippable" = yes ] && is_shipped "$2"; then
        printf 'note secrets: %s: %s, unchanged from the pinned %s\n' "${2#.}" "$1" "$origin"
        return 0
    fi
    printf 'FAIL secrets: %s: %s\n' "${2#.}" "$1"
    findings=$((findings + 1))
}

# Is this file, as it is now, one of a pinned archive's or commit's own? Then `origin` says of which. The lists are made as
# an archive is unpacked; each begins with its origin and the folder.
is_shipped() {
    own=$(sha256sum <"$1") || return 1
    for list in ./var/lib/goldseed/shipped/*; do
        [ -f "$list" ] || continue
        read -r kind digest folder <"$list"
        case $1 in ".$folder"/*) ;; *) continue ;; esac
        if grep -qxF -e "${own%% *}  ./${1#".$folder"/}" "$list"; then
            origin="$kind $digest"
            return 0
        fi
    done
    folder=${1%/*}
    while [ "$folder" != . ] && [ ! -d "$folder/.git" ]; do folder=${folder%/*}; done
    [ "$folder" != . ] || return 1
    commit=$(git -C "$folder" rev-parse -q --verify HEAD 2>/dev/null) || return 1
    own=$(git hash-object --no-filters -- "$1" 2>/dev/null) || return 1
    [ "$own" = "$(git -C "$folder" rev-parse -q --verify "$commit:${1#"$folder"/}" 2>/dev/null)" ] || return 1
    origin="commit $commit"
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

# matching PATTERN [-i [BUT]]: of the files whose paths are read, those in which a line matches the extended expression,
# and what matches does not match the second one. Lines that only comment do not count.
matching() {
    tr '\n' '\000' | xargs -0 -r grep -El ${2:-} -e "$1" -- 2>/dev/null | while IFS= read -r path; do
        if grep -Ev '^[[:space:]]*([#;]|[*][^[:space:]/]|[*][[:space:]]+[^*[:space:]0-9/])' -- "$path" 2>/dev/null |
            grep -Eo ${2:-} -e "$1" | grep -Evq ${2:-} -e "${3:-^\$}"; then
            printf '%s\n' "$path"
        fi
    done
}

quote="[\"']"
literal="${quote}[^\"']{3,}${quote}"
variable='^[[:space:]]*(export )?[A-Z0-9_]*((PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|APP_KEY|DATABASE_URL)[A-Z0-9_]*|_(PASS|PWD))=[^$[:space:]]{3,}'
# A variable with the name of a secret, as shells, PAM and cron set it; not one that says where a secret is.
secret_name='[A-Z0-9_]*((PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|APP_KEY|ACCESS_KEY|COMPOSER_AUTH|DATABASE_URL)[A-Z0-9_]*|_(PASS|PWD|PW))'
assigned="(^|[[:space:];])(setenv[[:space:]]+$secret_name[[:space:]]+|$secret_name([[:space:]]+DEFAULT)?=)${quote}?[^\$\`[:space:]\"'=][^[:space:]]{2,}"
elsewhere='_(FILE|PATH|DIR|ARN|NAME)([[:space:]]+DEFAULT)?='
# A login in an address.
address='://[^/@:[:space:]]+:[^/@:[:space:]$]{3,}@'

report 'a private key of a person' <<EOT
$(files 'id_rsa' 'id_ecdsa' 'id_ed25519' 'id_dsa')
EOT
report 'a login for a service' <<EOT
$(files '.netrc' '.pgpass' '.git-credentials' 'auth.json' '.dockercfg' '.vault-token' | matching '[^[:space:]]{8,}')
$(files '.npmrc' '.pypirc' | matching '(_authToken|_password|password)[[:space:]]*=[[:space:]]*[^$[:space:]]' -i)
$(files '*' | grep -E '/(\.docker/config\.json|\.config/(gh/hosts\.yml|hub|glab-cli/config\.yml|containers/auth\.json|helm/registry/config\.json|rclone/rclone\.conf|doctl/config\.yaml|gcloud/[^/]*\.json)|\.aws/(sso|cli|login)/cache/[^/]*|\.azure/[^/]*|\.kube/config|\.cargo/credentials[^/]*|\.gem/credentials|\.terraform\.d/credentials[^/]*|\.m2/settings\.xml)$' |
    matching '(token|secret|passw(or)?d|pass|"auth"|key-data|private_key|api_key)[A-Za-z_" -]*[[:space:]]*[:=>][[:space:]]*"?[^[:space:]"$]{6,}' -i)
$(files 'composer.json' 'config.json' | matching '"(github-oauth|gitlab-oauth|gitlab-token|http-basic|bearer)"' | while IFS= read -r path; do
    tr -d '\n' <"$path" | grep -Eq '"(github-oauth|gitlab-oauth|gitlab-token|http-basic|bearer)"[[:space:]]*:[[:space:]]*[{][^}]*:[[:space:]]*[{]?[^}]*"[^"]{6,}"' && printf '%s\n' "$path"
done)
$({
    files 'config' | grep -E '/(\.git|\.git/modules/.*|\.config/git)/config$'
    files '.gitconfig' 'gitconfig' 'pip.conf' '.curlrc' '.wgetrc' '*.repo' '*.list' '*.sources'
} | matching "$address")
EOT
report 'a token of a service' <<EOT
$(files '*' | matching '(^|[^A-Za-z0-9_])(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20}|npm_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{20,}|sk_live_[A-Za-z0-9]{20,})')
EOT
report 'AWS credentials' <<EOT
$({
    files 'credentials' 'config' 'environment' 'profile' '.env' '.env.*' '.bashrc' '.bash_profile' '.profile' '*.php' '*.ini' '*.conf' '*.sh' '*.json' '*.yaml' '*.yml' '.boto' '.s3cfg' '.passwd-s3fs' 'passwd-s3fs' |
        matching '(^|[^A-Za-z0-9])A(KI|SI)A[A-Z0-9]{16}([^A-Za-z0-9]|$)'
    files 'credentials' 'config' '.env' '.env.*' '*.php' '*.ini' '*.conf' '*.sh' '*.json' '*.yaml' '*.yml' |
        matching "aws_secret_access_key${quote}?[[:space:]]*[=:][[:space:]]*${quote}?[A-Za-z0-9/+]{12,}" -i
} | sort -u)
EOT
shippable=yes
report 'a password of a database client' <<EOT
$(files '.my.cnf' 'my.cnf' '*.cnf' | matching '^[[:space:]]*password[[:space:]]*=[[:space:]]*[^[:space:]]' -i)
EOT
shippable=no
# Named so for the one site that they configure.
report 'a literal password in the configuration of an application' <<EOT
$(files 'wp-config.php' | matching "define\\([[:space:]]*${quote}(DB_PASSWORD|[A-Z_]+_(KEY|SALT))${quote}[[:space:]]*,[[:space:]]*${literal}" -i |
    while IFS= read -r path; do
        # The placeholders of WordPress's own sample are not secrets.
        grep -Ei "define\\([[:space:]]*${quote}(DB_PASSWORD|[A-Z_]+_(KEY|SALT))${quote}" -- "$path" |
            grep -Evq 'put your unique phrase here|password_here' && printf '%s\n' "$path"
    done)
$(files '.env' '.env.local' '.env.*.local' '.env.prod*' 'env' 'env.list' 'environment' | matching "$variable" -i)
EOT
shippable=yes
report 'a literal password in the configuration of an application' <<EOT
$(files '.env.*' | grep -v -e '/\.env\.prod[^/]*$' -e '/\.env\.[^/]*local$' | matching "$variable" -i)
$(files 'config.php' 'config.inc.php' 'settings.php' 'local.php' 'parameters.yml' 'LocalSettings.php' |
    matching "(dbpass|password|dbpassword|secret)[a-z'\"]*\\]?[[:space:]]*(=>?|:)[[:space:]]*${literal}" -i)
EOT
report 'a secret in a setting of a service' <<EOT
$(find ./etc/sysconfig ./etc/default ./etc/systemd/system ./etc/php.d ./etc/php-fpm.d ./etc/php ./etc/nginx ./etc/httpd -xdev -type f -size -2048 2>/dev/null |
    matching '(^|[[:space:]"])(Environment=|env\[|fastcgi_param[[:space:]]+|SetEnv[[:space:]]+|export[[:space:]]+)?"?[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|API_KEY)[A-Z0-9_]*(\]|")?[[:space:]]*[= ][[:space:]]*"?[^$[:space:]"]{6,}' -i)
EOT
report 'a secret in a variable that every program gets' <<EOT
$({
    find ./etc/profile ./etc/profile.d ./etc/environment.d ./etc/bashrc ./etc/bash.bashrc ./etc/zshenv ./etc/zsh \
        ./etc/csh.cshrc ./etc/csh.login ./etc/security/pam_env.conf ./etc/rc.local ./etc/rc.d/rc.local ./etc/crontab ./etc/cron.* \
        ./etc/supervisord.conf ./etc/supervisord.d ./etc/supervisor ./etc/apache2/envvars -type f -size -2048 2>/dev/null
    files '.bashrc' '.bash_profile' '.bash_login' '.profile' '.zshrc' '.zshenv' '.zprofile' '.cshrc' '.tcshrc' '.pam_environment'
} | matching "$assigned" -i "$elsewhere")
EOT
report 'a private key' <<EOT
$(files '*.pem' '*.key' '*.p12' '*.php' '*.conf' '*.json' '.env' '*.txt' | matching '^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----' |
    grep -v -e '^./etc/ssl/private/ssl-cert-snakeoil.key$' -e '^./etc/ssh/')
EOT
shippable=no

# What was fetched on this machine: two folders in memory, or none.
if [ $# -gt 0 ]; then look_for_fetched "$1" "${2:-}"; fi

if [ "$findings" -gt 0 ]; then
    printf '%s\n' 'scan: secrets would travel in the image: read them at boot (a secret-file step with on: boot), or, for a file that only looks like one, have a recipe write the line "allow PATH" to a file in /opt/goldseed/generalise.d' >&2
    exit 1
fi
printf 'pass secrets\n'
