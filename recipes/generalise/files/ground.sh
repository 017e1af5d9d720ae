# Sourced by generalise.sh, assert.sh and scan.sh: where the machine is, and how its paths are walked.
#
# GOLDSEED_ROOT   the tree to work on, / when it is not set. All paths are taken relative to it after a `cd`, so that a
#                 name in it can hold anything, and nothing outside of it is ever named.
# GOLDSEED_MOUNTS the list of mounts, /proc/self/mounts when it is not set.
# GOLDSEED_SWAPS  the list of what is swapped to, /proc/swaps of a machine when it is not set.

cd "${GOLDSEED_ROOT:-/}" || exit 1
ground=$(pwd -P)
live=no
if [ "$ground" = / ] && [ -d /run/systemd/system ]; then live=yes; fi
line_end='
'
tab=$(printf '\t')
LC_ALL=C
export LC_ALL

# Prints the mounts at and below the ground, one a line: path (relative, `.` for the ground), tab, file system type.
mounts() {
    while read -r _ point kind _; do
        case $point in *\\*) point=$(printf '%b' "$point") ;; esac
        case $point in
            "$ground") printf '.\t%s\n' "$kind" ;;
            "${ground%/}"/*) printf './%s\t%s\n' "${point#"${ground%/}"/}" "$kind" ;;
        esac
    done <"${GOLDSEED_MOUNTS:-/proc/self/mounts}"
}
mount_list=$(mounts)

# Is something mounted at this very path?
is_mounted() {
    case "$line_end$mount_list" in
        *"$line_end$1$tab"*) return 0 ;;
        *) return 1 ;;
    esac
}

# Is something mounted below this path?
is_mounted_below() {
    case "$line_end$mount_list" in
        *"$line_end$1/"*) return 0 ;;
        *) return 1 ;;
    esac
}

# Prints what lies on disks of this machine, and so in its image: the ground, and the mount points of other disks.
local_places() {
    echo .
    printf '%s\n' "$mount_list" | while IFS="$tab" read -r point kind; do
        case $point in '' | . | ./dev | ./dev/* | ./proc | ./proc/* | ./run | ./run/* | ./sys | ./sys/*) continue ;; esac
        if ! is_elsewhere "$kind"; then printf '%s\n' "$point"; fi
    done
}

# Does a file system of this type lie in memory, on the network, or nowhere?
is_elsewhere() {
    if is_network "$1"; then return 0; fi
    case $1 in
        tmpfs | ramfs | devtmpfs | devpts | proc | sysfs | cgroup | cgroup2 | securityfs | debugfs | tracefs | pstore | bpf | \
            autofs | mqueue | hugetlbfs | configfs | fusectl | fuse.* | binfmt_misc | efivarfs | rpc_pipefs | nfsd | nsfs | \
            selinuxfs | squashfs | iso9660) return 0 ;;
    esac
    return 1
}

# Does something of this type come over the network?
is_network() {
    case $1 in
        nfs | nfs4 | efs | cifs | smb3 | ceph | glusterfs | lustre | 9p | fuse.s3fs | fuse.rclone | fuse.sshfs | fuse.gcsfuse | \
            fuse.mount-s3 | fuse.goofys | fuse.glusterfs) return 0 ;;
    esac
    return 1
}

# Does the way to this path lead through a symbolic link? Then `link` is that link. The last part may be one.
leads_through_link() {
    rest=${1#./}
    walked=.
    while :; do
        case $rest in
            */*) ;;
            *) return 1 ;;
        esac
        walked=$walked/${rest%%/*}
        rest=${rest#*/}
        if [ -L "$walked" ]; then
            link=$walked
            return 0
        fi
    done
}

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# resolved PATH: prints where a path leads, as on a machine whose root the ground is.
resolved() (
    walked=. rest=${1#./} links=0
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $part in
            '' | .) ;;
            ..) walked=${walked%/*} && walked=${walked:-.} ;;
            *)
                if [ ! -L "$walked/$part" ]; then
                    walked=$walked/$part
                    continue
                fi
                links=$((links + 1))
                [ "$links" -le 40 ] || return 1
                target=$(readlink "$walked/$part")
                case $target in /*) walked=. ;; esac
                rest=$target/$rest
                ;;
        esac
    done
    printf '%s\n' "$walked"
)

# Is this path, which leads through no link, on a disk of this machine?
is_local() {
    nearest=. kind_there=unknown
    while IFS="$tab" read -r point kind; do
        case $1/ in "$point"/*) if [ "${#point}" -ge "${#nearest}" ]; then nearest=$point kind_there=$kind; fi ;; esac
    done <<MOUNTS
$mount_list
MOUNTS
    ! is_elsewhere "$kind_there"
}

# Where the logs are: /var/log, or the folder to which a link there leads. Empty where that is no folder of logs alone.
log_folder=$(resolved ./var/log)
case $log_folder in . | ./boot | ./etc | ./home | ./opt | ./root | ./srv | ./usr | ./var) log_folder= ;; esac
journal_folder=$(resolved ./var/log/journal)

# Prints the home directories, one a line. One that is a link, or reached through one, lies elsewhere: it is left out.
homes() {
    {
        echo ./root
        for home in ./home/*; do printf '%s\n' "$home"; done
        while IFS=: read -r _ _ _ _ _ home _; do printf '.%s\n' "$home"; done <./etc/passwd
    } 2>/dev/null | sort -u | while IFS= read -r home; do
        case $home in
            ./ | . | ./bin | ./sbin | ./usr | ./usr/* | ./dev | ./proc | ./run | ./run/* | *..*) continue ;;
        esac
        if [ -d "$home" ] && [ ! -L "$home" ] && ! leads_through_link "$home"; then printf '%s\n' "$home"; fi
    done
}
home_list=$(homes)

# Calls `$1 ROW HOW PATH` for each path that a line of the table stands for and that is there. $2: now | last | all.
# $3: yes for the rows that hold on a proof, any for all rows.
each_trace() {
    while read -r row when proof how pattern; do
        case $row in '' | '#'*) continue ;; esac
        case $2 in "$when" | all) ;; *) continue ;; esac
        case $3 in "$proof" | any) ;; *) continue ;; esac
        case $pattern in
            '~/'*)
                while IFS= read -r base; do
                    if [ -n "$base" ]; then each_match "$1" "$base" "${pattern#"~/"}"; fi
                done <<HOMES
$home_list
HOMES
                ;;
            /var/log/*) if [ -d "${log_folder:-./nowhere}" ]; then each_match "$1" "$log_folder" "${pattern#/var/log/}"; fi ;;
            *) each_match "$1" . "${pattern#/}" ;;
        esac
    done <<TABLE
$(cat "$table" && own_traces)
TABLE
}

# Calls `$1 ROW HOW PATH` for each match of the glob $3 in the directory $2. The glob is expanded inside of it, so that
# a home whose name has a bracket in it is taken as it is.
each_match() {
    call=$1 base=$2 glob=$3
    cd "$base" || return 0
    old_separators=$IFS
    IFS=
    # shellcheck disable=SC2086 # globs are meant to expand; words do not split, IFS is empty
    set -- $glob
    IFS=$old_separators
    cd "$ground" || exit 1
    for found in "$@"; do
        found=$base/$found
        if exists "$found"; then "$call" "$row" "$how" "$found"; fi
    done
}

# What the recipes of this machine want removed as well: lines `remove PATH` in /opt/goldseed/generalise.d/*.
own_traces() {
    for file in ./opt/goldseed/generalise.d/*; do
        [ -f "$file" ] || continue
        while read -r verb path || [ -n "$verb" ]; do
            case $verb:$path in
                remove:/*/*) printf 'own now yes remove %s\n' "$path" ;;
            esac
        done <"$file"
    done
}

# Is this path, or this unit, declared harmless by a line `allow PATH` or `allow UNIT` in /opt/goldseed/generalise.d/*?
is_allowed() {
    for file in ./opt/goldseed/generalise.d/*; do
        [ -f "$file" ] || continue
        while read -r verb name || [ -n "$verb" ]; do
            if [ "$verb" = allow ] && [ "$name" = "$1" ]; then return 0; fi
        done <"$file"
    done
    return 1
}

# Prints the lines of fstab that mount something over the network: device, path, type, options; spaces as \040.
network_fstab() {
    [ -f ./etc/fstab ] || return 0
    while read -r device point kind options _; do
        case $device in '' | '#'*) continue ;; esac
        case $kind:,$options, in
            nfs:* | nfs4:* | efs:* | cifs:* | smb3:* | ceph:* | glusterfs:* | lustre:* | fuse:* | fuse.*:* | *:*,_netdev,*)
                printf '%s %s %s %s\n' "$device" "$point" "$kind" "$options" ;;
        esac
    done <./etc/fstab
}

# Prints the directories on which something comes over the network, mounted now or not: relative, one a line.
network_points() {
    {
        printf '%s\n' "$mount_list" | while IFS="$tab" read -r point kind; do
            if is_network "$kind"; then printf '%s\n' "$point"; fi
        done
        network_fstab | while read -r _ point _; do printf '.%b\n' "$point"; done
        for file in ./opt/goldseed/bridge/mounts.d/*; do
            [ -f "$file" ] || continue
            while IFS= read -r point; do [ -n "$point" ] && printf '.%s\n' "$point"; done <"$file"
        done
    } | sort -u
}

# The swap files that fstab names, that are in use, or that are signed as such: relative, one a line.
swap_files() {
    {
        if [ -f ./etc/fstab ]; then
            while read -r device _ kind _; do
                case $kind:$device in
                    swap:/dev/*) ;;
                    swap:/*) printf '.%b\n' "$device" ;;
                esac
            done <./etc/fstab
        fi
        if [ "$live" = yes ] || [ -n "${GOLDSEED_SWAPS:-}" ]; then
            while read -r file kind _; do
                if [ "$kind" = file ]; then printf '.%b\n' "$file"; fi
            done <"${GOLDSEED_SWAPS:-/proc/swaps}"
        fi
        signed_files
    } | sort -u | while IFS= read -r path; do
        if [ -f "$path" ] && [ ! -L "$path" ] && ! is_allowed "${path#.}"; then printf '%s\n' "$path"; fi
    done
}

# Prints the files that are signed as a place to swap, or to hibernate, at the end of their first page.
signed_files() {
    page=$(getconf PAGESIZE 2>/dev/null) || page=4096
    local_places | each_file -size +7 -exec stat -c '%s %n' {} + |
        awk '{size = $1; sub(/^[0-9]+ /, ""); if (size % 4096 == 0 || size >= 1048576) print}' |
        while IFS= read -r file; do
            dd if="$file" bs=2 skip=$((page / 2 - 5)) count=5 2>/dev/null |
                grep -aqE '^(SWAPSPACE2|SWAP-SPACE|S1SUSPEND|S2SUSPEND|ULSUSPEND|LINHIB0001)' && printf '%s\n' "$file"
        done
}

# Prints the files in which PHP, CodeIgniter and Laravel keep sessions of visitors, wherever they are: their names tell.
session_files() {
    local_places | each_file \( -name 'sess_*' -o -name 'ci_session*' -o -path '*/framework/sessions/*' \) -print |
        grep -E '/(sess_[A-Za-z0-9,-]{22,256}|ci_session[A-Za-z0-9.:,-]{32,}|framework/sessions/[A-Za-z0-9]{40})$'
}

# each_file EXPRESSION…: reads places, one a line, and calls find for the files on the disks of each.
each_file() {
    while IFS= read -r place; do
        find "$place" -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run \) -prune -o -type f "$@" 2>/dev/null
    done
}

# Prints the units that Beanstalk makes of the other lines of an application's Procfile: they would start on a new machine
# before anything is deployed. What a recipe enabled, or is allowed, is none of these.
procfile_units() {
    for path in ./etc/systemd/system/*.service; do
        if [ ! -f "$path" ] || [ -L "$path" ]; then continue; fi
        unit=${path##*/}
        case $unit in
            nginx.* | httpd.* | apache2.* | php*-fpm.* | php-fpm.* | amazon-* | xray.* | cfn-hup.* | healthd.*) continue ;;
        esac
        grep -Eq '^[[:space:]]*PartOf[[:space:]]*=(.*[[:space:]])?eb-app\.target([[:space:]]|$)' "$path" || continue
        if grep -qxF "$unit" ./opt/goldseed/services 2>/dev/null || is_allowed "$unit"; then continue; fi
        printf '%s\n' "$unit"
    done
}

# The units that Beanstalk copies into /etc/systemd/system and enables again by itself on a new machine.
beanstalk_units='aws-eb.target eb-app.target web.service cfn-hup.service healthd.service'

# The units without which a machine of the image does not join, serve or keep time; words with globs.
needed_units='nginx.service httpd.service apache2.service php-fpm.service php*-fpm.service crond.service cron.service
    amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service cloud-init*.service cloud-config.service
    cloud-final.service cloud-init.target cloud-config.target chronyd.service chrony.service'
