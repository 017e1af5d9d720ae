# Files, folders, links and lines.

# PATH: names the temporary file or folder beside it, writes that name down, and makes sure it is not there.
gs_temporary() {
  gs_has_folder "$1" || return 1
  gs_temp=$1.~goldseed
  printf '%s\n' "$gs_temp" > "$gs_state/temporary" || return 1
  if [ -e "$gs_temp" ] || [ -h "$gs_temp" ]; then rm -rf "$gs_temp"; fi
}
gs_temporary_done() { : > "$gs_state/temporary"; }
gs_label() { if command -v restorecon > /dev/null 2>&1; then restorecon -F "$@" || :; fi; }

# PATH: the folder that it belongs into is there.
gs_has_folder() { gs_parent=${1%/*}; gs_is_folder "${gs_parent:-/}"; }
# PATH: it is a folder.
gs_is_folder() {
  if [ -d "$1" ]; then return 0; fi
  if [ -e "$1" ] || [ -h "$1" ]; then
    gs_say "$1 is no folder"
  else
    gs_say "the folder $1 does not exist: add a step \`directory: {path: $1}\` before it"
  fi
  return 1
}

# PATH OWNER GROUP MODE. Five digits: with four, GNU chmod leaves a folder's set-group-id bit.
gs_attributes() { chown "$2:$3" "$1" && chmod "0$4" "$1"; }

# PATH OWNER GROUP MODE: the temporary file takes its place in one motion.
gs_settle() {
  if [ -d "$1" ]; then
    gs_say "$1 is a folder"
    return 1
  fi
  gs_attributes "$gs_temp" "$2" "$3" "$4" && mv -f "$gs_temp" "$1" && gs_temporary_done && gs_label "$1"
}

# PATH OWNER GROUP MODE
gs_directory() {
  if [ -e "$1" ] || [ -h "$1" ]; then gs_is_folder "$1" || return 1; fi
  gs_touch && mkdir -p "$1" && gs_attributes "$1" "$2" "$3" "$4" && gs_label "$1"
}

# PATH OWNER GROUP MODE CHECK ENCODING CONTENT [LOOK]: what differs was seen under the step's id, or as LOOK.
gs_file() {
  if gs_differs "${8:-$gs_id}:attributes"; then
    gs_touch && gs_attributes "$1" "$2" "$3" "$4"
    return
  fi
  gs_touch && gs_temporary "$1" || return 1
  umask 077
  set -C
  case $6 in
    text) printf %s "$7" > "$gs_temp" ;;
    held) gs_held "$7" > "$gs_temp" ;;
    *) printf %s "$7" | base64 -d > "$gs_temp" ;;
  esac
  gs_code=$?
  set +C
  umask 022
  [ "$gs_code" -eq 0 ] || return 1
  if [ -z "$5" ]; then
    gs_settle "$1" "$2" "$3" "$4"
    return
  fi
  # Commands look at it in its place. Whoever goes on after a kill finds noted what is to be undone there.
  gs_before=new
  if [ -e "$1" ]; then
    gs_note_check copied "$1" && rm -f "$1.~goldseed-old" && cp -p "$1" "$1.~goldseed-old" || return 1
    gs_before=old
  fi
  gs_note_check "$gs_before" "$1" && gs_settle "$1" "$2" "$3" "$4" || {
    gs_undo_unchecked
    return 1
  }
  if sh -c "$5" < /dev/null; then
    gs_note_check copied "$1" && gs_undo_unchecked
    return
  fi
  gs_undo_unchecked
  gs_say "the check of the new $1 failed; the old state is back"
  return 1
}

# copied|old|new PATH: what is to be undone: a copy beside the file is to go, or to come back, or the file is to go.
gs_note_check() {
  printf '%s %s\n' "$1" "$2" > "$gs_state/unchecked.new" && mv -f "$gs_state/unchecked.new" "$gs_state/unchecked"
}
gs_undo_unchecked() {
  [ -s "$gs_state/unchecked" ] || return 0
  IFS= read -r gs_rest < "$gs_state/unchecked"
  gs_path=${gs_rest#* }
  case ${gs_rest%% *} in
    copied) rm -f "$gs_path.~goldseed-old" ;;
    old)
      # Nothing can take the place of a file on which something is mounted; then it is the old one still.
      [ ! -e "$gs_path.~goldseed-old" ] || { mv -f "$gs_path.~goldseed-old" "$gs_path" && gs_label "$gs_path"; } ||
        { cmp -s "$gs_path.~goldseed-old" "$gs_path" && rm -f "$gs_path.~goldseed-old"; }
      ;;
    new) rm -f "$gs_path" ;;
  esac && rm -f "$gs_state/unchecked"
}

# PATH MODE CONTENT: root's file in one of the system's own folders.
gs_system_file() {
  gs_differs "$1" || return 0
  gs_file "$gs_root$1" root root "$2" '' text "$3" "$1"
}

# PATH PROGRAM: an awk program rewrites a file; owner, group and mode stay.
gs_edit() {
  if [ ! -f "$1" ]; then
    if [ -d "$1" ]; then
      gs_say "$1 is a folder, and not a file"
    elif [ ! -d "${1%/*}/" ]; then
      gs_say "$1 is not there, and neither is its folder; a package has to bring them first, or steps \`directory\` and \`file\`"
    else
      gs_say "$1 is not there; a package or a file step has to bring it first"
    fi
    return 1
  fi
  gs_target=$1
  if [ -h "$1" ]; then gs_target=$(readlink -f "$1") || return 1; fi
  LC_ALL=C awk "$2" < "$gs_target" > "$gs_work/edit" || return 1
  cmp -s "$gs_work/edit" "$gs_target" && return 0
  gs_touch && gs_temporary "$gs_target" && cp -p "$gs_target" "$gs_temp" && cat "$gs_work/edit" > "$gs_temp" &&
    mv -f "$gs_temp" "$gs_target" && gs_temporary_done && gs_label "$gs_target"
}

# PATH SETTINGS: lines of section, key and value, between tabs.
gs_ini() {
  gs_settings=$2
  export gs_settings
  gs_edit "$1" '
    function trim(t) { sub(/^[ \t]+/, "", t); sub(/[ \t\r]+$/, "", t); return t }
    BEGIN {
      rows = split(ENVIRON["gs_settings"], row, "\n")
      for (i = 1; i <= rows; i++) if (row[i] != "") {
        a = index(row[i], "\t"); rest = substr(row[i], a + 1); b = index(rest, "\t"); wants++
        section[wants] = substr(row[i], 1, a - 1); key[wants] = substr(rest, 1, b - 1); value[wants] = substr(rest, b + 1)
        want[section[wants] "\t" key[wants]] = wants
      }
      here = ""; last[""] = 0
    }
    {
      line = $0
      # What some editors of Windows begin a file with.
      if (NR == 1 && index(line, "\357\273\277") == 1) { mark = substr(line, 1, 3); line = substr(line, 4) }
      bare = trim(line)
      if (bare ~ /^\[.*\]$/) { here = substr(bare, 2, length(bare) - 2); if (!(here in last)) last[here] = 0 }
      else if (bare !~ /^[;#]/ && (eq = index(bare, "=")) && ((name = here "\t" trim(substr(bare, 1, eq - 1))) in want)) {
        w = want[name]
        if (w in done) next
        done[w] = 1
        if (trim(substr(bare, eq + 1)) != value[w]) line = key[w] " = " value[w]
      }
      out[++lines] = line
      if (bare != "") last[here] = lines
    }
    END {
      for (w = 1; w <= wants; w++) if (!(w in done)) {
        s = section[w]; text = key[w] " = " value[w] "\n"
        if (s in last) after[last[s]] = after[last[s]] text
        else { if (!(s in added)) { order[++news] = s; added[s] = "" }; added[s] = added[s] text }
      }
      printf "%s%s", mark, after[0]
      for (i = 1; i <= lines; i++) { print out[i]; if (i in after) printf "%s", after[i] }
      for (i = 1; i <= news; i++) printf "\n[%s]\n%s", order[i], added[order[i]]
    }'
}

# PATH LINE PATTERN: the last line that the pattern (or, without one, the line itself) finds becomes the line.
gs_line() {
  gs_wanted=$2 gs_pattern=$3
  export gs_wanted gs_pattern
  gs_edit "$1" '
    BEGIN { wanted = ENVIRON["gs_wanted"] ""; pattern = ENVIRON["gs_pattern"] }
    { out[++lines] = $0; if (pattern == "" ? $0 == wanted : $0 ~ pattern) at = lines }
    END { if (!at) at = ++lines; out[at] = wanted; for (i = 1; i <= lines; i++) print out[i] }'
}

# PATH NAME COMMENT PLACE PATTERN CONTENT: what stands between two marks becomes the content; everything else stays.
gs_block() {
  gs_begin="$3 BEGIN $2" gs_end="$3 END $2" gs_place=$4 gs_pattern=$5 gs_wanted=$6
  export gs_begin gs_end gs_place gs_pattern gs_wanted
  gs_edit "$1" '
    BEGIN {
      begin = ENVIRON["gs_begin"]; end = ENVIRON["gs_end"]; place = ENVIRON["gs_place"]; pattern = ENVIRON["gs_pattern"]
    }
    $0 == begin { if (!at) at = lines + 1; inside = 1; next }
    inside { if ($0 == end) inside = 0; next }
    { out[++lines] = $0 }
    place == "after" && $0 ~ pattern { near = lines + 1 }
    place == "before" && !near && $0 ~ pattern { near = lines }
    END {
      if (inside) { print "the mark " begin " stands there without its end; remove it first" > "/dev/stderr"; exit 1 }
      if (!at && place == "end") at = lines + 1
      if (!at) at = near
      if (!at) { print "no line matches " pattern ", where the block belongs" > "/dev/stderr"; exit 1 }
      for (i = 1; i <= lines + 1; i++) {
        if (i == at) printf "%s\n%s%s\n", begin, ENVIRON["gs_wanted"], end
        if (i <= lines) print out[i]
      }
    }'
}

# PATH TARGET
gs_link() {
  if [ -h "$1" ]; then
    [ "$(readlink "$1")" = "$2" ] && return 0
  elif [ -e "$1" ]; then
    gs_say "$1 is there and is no link"
    return 1
  fi
  gs_has_folder "$1" && gs_touch && ln -sfn "$2" "$1"
}

# PATH...
gs_absent() {
  for gs_path in "$@"; do
    if [ -e "$gs_path" ] || [ -h "$gs_path" ]; then
      if gs_mounted "$gs_path"; then
        gs_say "$gs_path is a mount point"
        return 1
      fi
      gs_touch && rm -rf "$gs_path" || return 1
    fi
  done
}

gs_mounted() {
  while read -r gs_rest gs_point gs_rest; do
    [ "$gs_point" = "$1" ] && return 0
  done < /proc/self/mounts
  return 1
}
