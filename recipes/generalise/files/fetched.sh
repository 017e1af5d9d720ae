# Sourced by scan.sh: looks for the secrets that were fetched on this machine, on all of its disks, in files of any size.
#
# patterns.awk makes expressions of each secret. All of them are looked for in one pass; which secret a file holds is asked
# of the few files that have any. A line of less than six bytes stands in some program by chance: outside of the places
# where applications put things it counts in texts alone.

# A folder below what was fetched, in memory as that is: `long` and `short` with the expressions of each secret.
memory=

# fetched FOLDER SET PROGRAM: makes the expressions for the lines that the awk program picks from each file of a folder.
fetched() {
    if [ ! -d "$1" ]; then return 0; fi
    if [ -z "$memory" ]; then
        memory=$1/.search
        rm -rf "$memory"
        mkdir -m 0700 "$memory" "$memory/long" "$memory/short" || exit 1
    fi
    for value in "$1"/*; do
        [ -f "$value" ] || continue
        name=$2:${value##*/}
        if ! {
            awk "$3" "$value" >"$memory/lines" && in_json "$value" >>"$memory/lines" &&
                awk 'length >= 6' "$memory/lines" >"$memory/some" && awk -f "$here/patterns.awk" "$memory/some" >"$memory/long/$name" &&
                awk 'length < 6' "$memory/lines" >"$memory/some" && awk -f "$here/patterns.awk" "$memory/some" >"$memory/short/$name"
        }; then
            printf 'FAIL secrets: cannot read what was fetched as %s\n' "${value##*/}"
            findings=$((findings + 1))
        fi
    done
}

# in_json FILE: prints the texts that a secret in JSON has under names of secrets: an application takes them out of it.
in_json() {
    tr -d '\n' <"$1" | grep -aoiE '"[^"]*(pass|pwd|secret|token|key|credential|salt|auth)[^"]*"[[:space:]]*:[[:space:]]*"([^"\]|\\.){6,}"' |
        sed -E 's/^"[^"]*"[[:space:]]*:[[:space:]]*"(.*)"$/\1/; s/\\(["\/])/\1/g'
    return 0
}

# search long|short ARGUMENTS-OF-GREP: reads places, one a line, and prints the files on them in which something is found,
# one a line. A file that cannot be searched is printed after a tab. A line break in a name becomes a question mark.
search() {
    cat "$memory/$1"/* >"$memory/all" 2>/dev/null
    if [ ! -s "$memory/all" ]; then return 0; fi
    # shellcheck disable=SC2016 # the inner shell expands
    each_file -size +0 -exec sh -c '
        how=$1 all=$2
        shift 2
        # shellcheck disable=SC2086 # a list of words
        grep -lZE $how -f "$all" -- "$@" 2>/dev/null
        [ "$?" -gt 1 ] || exit 0
        for file do
            grep -qE -f "$all" -- "$file" 2>/dev/null
            if [ "$?" -gt 1 ] && [ -f "$file" ]; then printf "\t%s\000" "$file"; fi
        done' sh "${2:-}" "$memory/all" {} + | tr '\n\000' '?\n'
}

# Reads files, one a line, and prints for each what is said of it, a tab, and the file.
name_secrets() {
    while IFS= read -r path; do
        case $path in
            "$tab"*)
                printf 'cannot be searched for the secrets that were fetched\t%s\n' "${path#"$tab"}"
                continue
                ;;
        esac
        named=
        for expressions in "$memory"/*/?:*; do
            if [ -s "$expressions" ] && grep -qE -f "$expressions" -- "$path" 2>/dev/null; then
                named=yes
                printf 'holds the secret that was fetched as %s\t%s\n' "${expressions##*/?:}" "$path"
            fi
        done
        if [ -z "$named" ]; then printf 'holds a secret that was fetched\t%s\n' "$path"; fi
    done
}

# look_for_fetched FILES VALUES: reports each file that holds one of the secrets in these two folders.
#
# What an application reads may have ordinary lines too, so that only the longest is taken; of what came as a secret every
# line is one, but for the frame of a key or certificate. A line of a few characters would be found everywhere.
look_for_fetched() {
    umask 077
    fetched "$1" 1 'length > length(longest) {longest = $0} END {if (length(longest) >= 6) print longest}'
    fetched "$2" 2 'length >= 4 && !/^-----/'
    if [ -z "$memory" ]; then return 0; fi
    {
        local_places | search long
        local_places | search short -I
        for place in ./etc ./opt ./root ./home ./srv ./usr/local ./var; do
            if [ -d "$place" ] && [ ! -L "$place" ]; then printf '%s\n' "$place"; fi
        done | search short
    } | sort -u | name_secrets | sort -u >"$memory/hits"
    while IFS="$tab" read -r why path; do found "$why" "$path"; done <"$memory/hits"
    rm -rf "$memory"
}
