#!/bin/sh
# Looks for everything that a golden image must not carry and prints a line for each row: `pass ROW` or
# `FAIL ROW: why`. Ends with 1 when anything is left.
#
#   assert.sh         on a seed after generalise.sh
#   assert.sh last    the rows that its shutdown unit is for (a tree that is not running)
#   assert.sh proof   on a machine booted from the image: what a new machine has none of
set -u
kind=${1:-now}
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
table=$here/traces.table
# shellcheck source-path=SCRIPTDIR source=ground.sh
. "$here/ground.sh"

failures=
fails() {
    failures="$failures$1$tab$2$line_end"
}

# A trace is there: is it one that matters?
look() {
    row=$1 how=$2 path=$3
    if leads_through_link "$path"; then
        # On no disk of this machine it is not part of the image; on one of them it is, and nothing was cleaned.
        if [ "$(stat -L -c %d "$path" 2>/dev/null)" = "$(stat -c %d .)" ] ||
            { there=$(resolved "$path") && exists "$there" && is_local "$there"; }; then
            fails "$row" "${path#.} is reached through the symbolic link ${link#.}: clean what it points to by a step of your own"
        fi
        return 0
    fi
    if [ "$how" = files ] && [ -L "$path" ]; then
        if [ -d "$path" ] && [ "$(stat -L -c %d "$path")" = "$(stat -c %d .)" ]; then
            inside=$(find "$path/" -xdev ! -type d | head -n 1)
            if [ -n "$inside" ]; then fails "$row" "${inside#.} is there, reached through a symbolic link"; fi
        fi
        return 0
    fi
    if [ -L "$path" ] || [ ! -d "$path" ]; then
        case $path in ./etc/hostname) [ -s "$path" ] || return 0 ;; esac
        is_mounted "$path" || fails "$row" "${path#.} is there"
        return 0
    fi
    case $how in
        remove | shred) is_mounted "$path" || fails "$row" "${path#.} is there" ;;
        empty | shred-in)
            inside=$(ls -A "$path" | head -n 1)
            if [ -n "$inside" ]; then fails "$row" "${path#.} is not empty: $inside"; fi
            ;;
        files)
            inside=$(find "$path" -xdev ! -type d | head -n 1)
            if [ -n "$inside" ]; then fails "$row" "${inside#.} is there"; fi
            ;;
    esac
}

look_at_logs() {
    if [ -z "$log_folder" ]; then
        fails logs "/var/log leads to a folder of other things than logs, or nowhere: have it lead to a folder of its own"
        return 0
    fi
    if [ ! -d "$log_folder" ]; then return 0; fi
    # A daemon that still runs writes about its own stopping; what is newer than the cleaning is left to the shutdown.
    newer=
    if [ "$live" = yes ] && [ -e /run/goldseed/generalise/cleaned ]; then newer=/run/goldseed/generalise/cleaned; fi
    if is_local "$log_folder"; then
        old=$(find "$log_folder" -xdev -type f -size +0 ! -path '*/journal/*' ! -path '*/amazon/ssm/*' \
            ${newer:+! -newer "$newer"} | head -n 1)
        if [ -n "$old" ]; then fails logs "${old#.} holds entries"; fi
    fi
    # What a link in it leads to may be anything: it is not emptied.
    while IFS= read -r link; do
        if [ -z "$link" ] || is_allowed "${link#.}" || ! there=$(resolved "$link"); then continue; fi
        case $there in "$log_folder"/* | "$journal_folder" | "$journal_folder"/* | ./usr/* | .) continue ;; esac
        if [ ! -e "$there" ] || ! is_local "$there"; then continue; fi
        old=$(find "$there" -xdev -type f -size +0 ${newer:+! -newer "$newer"} | head -n 1)
        if [ -n "$old" ]; then
            fails logs "${link#.} is a link to ${there#.}, where ${old#.} holds entries: remove them by a step of your own, or write the line \`allow ${link#.}\` to a file in /opt/goldseed/generalise.d"
        fi
    done <<LINKS
$(find "$log_folder" -xdev -type l)
LINKS
}

look_at_sessions() {
    while IFS= read -r file; do
        if [ -n "$file" ]; then fails php-sessions "${file#.} is a visitor's session"; fi
    done <<FILES
$(session_files)
FILES
}

# A line that nobody understands would do nothing, and nobody would know.
look_at_own() {
    for file in ./opt/goldseed/generalise.d/*; do
        [ -f "$file" ] || continue
        while read -r verb name || [ -n "$verb" ]; do
            case $verb:$name in
                :* | '#'* | allow:?* | remove:/*/*) ;;
                *) fails own "${file#.}: what is \`$verb $name\`? \`allow PATH\`, \`allow UNIT\`, or \`remove /FOLDER/PATH\`" ;;
            esac
        done <"$file"
    done
}

look_at_mounts() {
    while IFS= read -r point; do
        [ -n "$point" ] || continue
        if is_mounted "$point"; then
            fails network-mounts "${point#.} is still mounted"
        elif [ -d "$point" ] && [ -n "$(ls -A "$point")" ]; then
            fails mount-points "${point#.} has files of its own under the mount, written while it was not mounted: move them to the share or remove them, they would be hidden by it and lost with the machine"
        fi
    done <<POINTS
$(network_points)
POINTS
}

look_at_fstab() {
    while read -r device point _ options; do
        [ -n "$device" ] || continue
        for needed in _netdev nofail; do
            case ,$options, in
                *,"$needed",*) ;;
                *) fails fstab "$point: the option $needed is missing: a machine that cannot reach it would not boot" ;;
            esac
        done
    done <<LINES
$(network_fstab)
LINES
    if [ -f ./etc/fstab ]; then
        named=$(grep -E '^[[:space:]]*/dev/(sd|xvd|hd|vd|nvme)' ./etc/fstab | head -n 1)
        if [ -n "$named" ]; then
            fails fstab "a device by its name, which changes with the kind of machine: ${named%%[[:space:]]*}; use UUID="
        fi
    fi
}

look_at_swap() {
    while IFS= read -r file; do
        if [ -z "$file" ]; then continue; fi
        # The head that mkswap writes has less than fifty bytes.
        if [ "$(tr -d '\000' <"$file" | head -c 100 | wc -c)" -gt 64 ]; then fails swap "${file#.} holds memory of this machine"; fi
    done <<FILES
$(swap_files)
FILES
}

# The empty file or the link to /dev/null by which somebody forbids a unit for good.
is_mask() {
    if [ -L "$1" ]; then
        case $(readlink "$1") in /dev/null | */dev/null) return 0 ;; esac
        return 1
    fi
    [ -f "$1" ] && [ ! -s "$1" ]
}

# Debian masks the units of packages that were removed but not purged: there is nothing to start.
is_installed() {
    [ -e "./usr/lib/systemd/system/$1" ] || [ -e "./lib/systemd/system/$1" ] ||
        [ -e "./usr/local/lib/systemd/system/$1" ] || [ -e "./etc/init.d/${1%.service}" ]
}

# Prints what systemd makes of the needed units of this tree: name, state and the vendor's wish, one unit a line.
unit_states() {
    set -f
    # shellcheck disable=SC2086 # a list of words
    systemctl --root="$ground" list-unit-files --no-legend --no-pager $needed_units 2>/dev/null
    set +f
}

look_at_units() {
    for unit in $beanstalk_units $(procfile_units); do
        for path in ./etc/systemd/system/"$unit" ./etc/systemd/system/*.wants/"$unit" \
            ./etc/systemd/system/*.requires/"$unit"; do
            if exists "$path"; then fails units "${path#.} is there: it would start before Beanstalk has set the machine up"; fi
        done
    done
    for unit in $needed_units; do
        for path in ./etc/systemd/system/$unit; do
            name=${path##*/}
            if ! is_mask "$path" || ! is_installed "$name" || is_allowed "$name"; then continue; fi
            fails units "$name is masked, on every machine of the image: have a recipe run \`systemctl unmask $name\`, or write the line \`allow $name\` to a file in /opt/goldseed/generalise.d"
        done
    done
    # The web server and PHP are not among these: Beanstalk starts them itself. Everything else starts by being enabled.
    while read -r name state preset; do
        case $name in nginx.* | httpd.* | apache2.* | php*) continue ;; esac
        case $state:$preset in disabled:enabled) ;; *) continue ;; esac
        if is_allowed "$name"; then continue; fi
        fails units "$name is disabled, and its vendor enables it: have a recipe run \`systemctl enable $name\`, or write the line \`allow $name\` to a file in /opt/goldseed/generalise.d"
    done <<STATES
$(unit_states)
STATES
}

look_at_machine_id() {
    if [ ! -e ./etc/machine-id ]; then
        fails machine-id "/etc/machine-id is missing: it must be there and empty"
    elif [ -s ./etc/machine-id ]; then
        fails machine-id "/etc/machine-id is not empty"
    fi
    if [ -s ./var/lib/dbus/machine-id ] && [ ! -L ./var/lib/dbus/machine-id ]; then
        fails machine-id "/var/lib/dbus/machine-id is a copy of its own"
    fi
}

# The stock parts of Beanstalk must still be there: without them no machine joins.
look_at_stock() {
    if [ -d ./opt/elasticbeanstalk ] && [ -z "$(ls -A ./opt/elasticbeanstalk)" ]; then
        fails beanstalk-stock "/opt/elasticbeanstalk is empty: Beanstalk's own programs are gone"
    fi
}

look_at_disk() {
    if [ "$live" != yes ]; then return 0; fi
    used=$(df -P / | awk 'NR == 2 {print $5 + 0}')
    if [ "${used:-0}" -gt 85 ]; then fails disk-space "the root volume is $used % full; new machines need room for logs and deployments"; fi
    # Not every file system counts its files beforehand: then there is no number.
    used=$(df -iP / | awk 'NR == 2 {print $5 + 0}')
    if [ "${used:-0}" -gt 85 ]; then fails disk-space "the root volume has used $used % of the inodes that it has for files; new machines need some for deployments"; fi
}

look_at_shutdown_unit() {
    if [ "$live" != yes ]; then return 0; fi
    systemctl -q is-active goldseed-last-traces.service ||
        fails shutdown-unit "goldseed-last-traces.service does not wait for the shutdown"
}

case $kind in
    now)
        each_trace look now any
        for about in own logs sessions mounts fstab swap units machine_id stock disk shutdown_unit; do "look_at_$about"; done
        rows='logs network-mounts mount-points fstab swap units machine-id beanstalk-stock disk-space shutdown-unit'
        wanted='$2 == "now"'
        ;;
    last)
        each_trace look last any
        if is_local "$journal_folder" && [ -n "$(ls -A "$journal_folder" 2>/dev/null)" ]; then
            fails journal "${journal_folder#.} is not empty"
        fi
        rows=journal
        wanted='$2 == "last"'
        ;;
    proof)
        each_trace look all yes
        look_at_sessions
        look_at_stock
        look_at_fstab
        look_at_units
        rows='fstab beanstalk-stock units'
        wanted='$3 == "yes"'
        if [ "$live" = yes ] && [ ! -s ./etc/machine-id ]; then fails machine-id "/etc/machine-id is empty on a machine that runs"; fi
        rows="$rows machine-id"
        ;;
    *)
        printf 'assert: what is "%s"? now, last or proof\n' "$kind" >&2
        exit 2
        ;;
esac

for row in $(awk '/^[a-z]/ && '"$wanted"' && !seen[$1]++ {print $1}' "$table") own $rows; do
    case $line_end$failures in
        *"$line_end$row$tab"*)
            printf '%s' "$failures" | while IFS="$tab" read -r name why; do
                if [ "$name" = "$row" ]; then printf 'FAIL %s: %s\n' "$row" "$why"; fi
            done
            ;;
        *) printf 'pass %s\n' "$row" ;;
    esac
done
[ -z "$failures" ]
