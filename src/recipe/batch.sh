# Adjacent folders, files and lines that differ are done together: a process for each folder, not three for each file.

# FUNCTION: holds such steps. They are gathered, then staged, then put in place, each file in one motion of its own. When
# anything goes wrong they are done again step by step, so that the one that fails says why; those after it may be done
# already then. None of them notifies.
gs_batch() {
  case $gs_other in ' ' | unknown) ;; *)
    gs_told= gs_count=0 gs_alone= gs_folders= gs_attributes= gs_files= gs_edited= gs_rows=
    read -r gs_up gs_rest < /proc/uptime
    gs_began=${gs_up%.*}${gs_up#*.}
    gs_pass=gs_gather
    "$1"
    gs_pass=
    if [ "$gs_count" -gt 1 ] && [ -z "$gs_alone" ]; then
      if ( set -f; IFS=$gs_nl; gs_all_at_once "$1" ) 2>/dev/null; then
        gs_tell "$gs_began"
        return
      fi
      gs_redone=changed
    fi
    ;;
  esac
  "$1"
  gs_redone=
}

# ID FUNCTION PATH OWNER GROUP MODE..., or ID gs_line PATH LINE PATTERN: a step that differs. Rows of attributes are
# OWNER:GROUP MODE/PATH; the names of users and groups hold no slash.
gs_gather() {
  gs_told="$gs_told$1 changed$gs_nl"
  gs_count=$((gs_count + 1))
  case $2 in
    gs_directory) gs_folders=$gs_folders"$4:$5 $6$3$gs_nl" ;;
    gs_line)
      case $gs_nl$gs_edited in *"$gs_nl$3$gs_nl"*) ;; *) gs_edited=$gs_edited$3$gs_nl ;; esac
      gs_rows="$gs_rows$3	$5	$4$gs_nl"
      ;;
    *)
      if gs_differs "$1:attributes"; then
        gs_attributes=$gs_attributes"$4:$5 $6$3$gs_nl"
      else
        gs_files=$gs_files"$4:$5 $6$3$gs_nl"
        # What a step says to that is better than what mv does.
        if [ -d "$3" ]; then gs_alone=1; fi
      fi
      ;;
  esac
}

# FUNCTION: in a subshell, where words are split at the ends of lines alone.
gs_all_at_once() {
  if [ -n "$gs_folders" ]; then
    gs_paths "$gs_folders"
    mkdir -p $gs_found && gs_own "$gs_folders" && gs_label $gs_found || return 1
  fi
  gs_own "$gs_attributes" || return 1
  if [ -n "$gs_files" ]; then gs_put_files "$1" || return 1; fi
  for gs_path in $gs_edited; do gs_edit_lines "$gs_path" || return 1; done
}

# ROWS: leaves their paths in gs_found.
gs_paths() {
  gs_found=
  for gs_row in $1; do gs_found=$gs_found/${gs_row#*/}$gs_nl; done
}

# ROWS [STAGED]: owner, group and mode, with two processes for each that are the same.
gs_own() {
  gs_left=$1
  while [ -n "$gs_left" ]; do
    gs_key=${gs_left%%/*} gs_same= gs_others=
    for gs_row in $gs_left; do
      gs_path=/${gs_row#*/}
      if [ "${gs_row%%/*}" != "$gs_key" ]; then
        gs_others=$gs_others$gs_row$gs_nl
      elif [ -n "${2:-}" ]; then
        gs_same=$gs_same${gs_path%/*}/.~goldseed/${gs_path##*/}$gs_nl
      else
        gs_same=$gs_same$gs_path$gs_nl
      fi
    done
    chown ${2:+-h} "${gs_key% *}" $gs_same && chmod "0${gs_key#* }" $gs_same || return 1
    gs_left=$gs_others
  done
}

# FUNCTION: the files are written beside their places, in folders that only root can enter and the next run would remove.
gs_put_files() {
  gs_paths "$gs_files"
  gs_places=$gs_found gs_stages=
  for gs_path in $gs_places; do
    gs_stage=${gs_path%/*}/.~goldseed
    case $gs_nl$gs_stages in *"$gs_nl$gs_stage$gs_nl"*) ;; *) gs_stages=$gs_stages$gs_stage$gs_nl ;; esac
  done
  printf %s "$gs_stages" > "$gs_state/temporary" || return 1
  trap 'rm -rf $gs_stages; gs_temporary_done' EXIT
  mkdir -m 0700 $gs_stages || return 1
  gs_pass=gs_write gs_unwritten=
  set -C
  "$1"
  set +C
  [ -z "$gs_unwritten" ] && gs_own "$gs_files" staged || return 1
  for gs_stage in $gs_stages; do
    set --
    for gs_path in $gs_places; do
      if [ "${gs_path%/*}/.~goldseed" = "$gs_stage" ]; then set -- "$@" "$gs_stage/${gs_path##*/}"; fi
    done
    mv -f "$@" "${gs_stage%.~goldseed}" || return 1
  done
  rmdir $gs_stages || return 1
  trap - EXIT
  gs_temporary_done && gs_label $gs_places
}
# ID FUNCTION PATH OWNER GROUP MODE CHECK ENCODING CONTENT: of a file that differs, the content.
gs_write() {
  [ "$2" = gs_file ] && ! gs_differs "$1:attributes" || return 0
  printf %s "$9" > "${3%/*}/.~goldseed/${3##*/}" || gs_unwritten=1
}

# PATH: all of its lines in one go.
gs_edit_lines() {
  export gs_rows gs_path
  gs_target=$1
  if [ -h "$1" ]; then gs_target=$(readlink -f "$1") || return 1; fi
  [ -f "$gs_target" ] && gs_temporary "$gs_target" && cp -p "$gs_target" "$gs_temp" && LC_ALL=C awk '
    BEGIN {
      rows = split(ENVIRON["gs_rows"], row, "\n")
      for (i = 1; i <= rows; i++) {
        split(row[i], field, "\t")
        if (field[1] == ENVIRON["gs_path"]) { pattern[++wants] = field[2]; wanted[wants] = field[3] "" }
      }
    }
    { out[++lines] = $0 }
    END {
      for (w = 1; w <= wants; w++) {
        for (at = lines; at > 0; at--) if (pattern[w] == "" ? out[at] == wanted[w] : out[at] ~ pattern[w]) break
        out[at ? at : ++lines] = wanted[w]
      }
      for (i = 1; i <= lines; i++) print out[i]
    }' < "$gs_target" > "$gs_temp" && mv -f "$gs_temp" "$gs_target" && gs_temporary_done && gs_label "$gs_target"
}

# BEGAN: the lines of the log. The first step that changed something has the time of all.
gs_tell() {
  gs_since=$1
  while [ -n "$gs_told" ]; do
    gs_row=${gs_told%%"$gs_nl"*}
    gs_told=${gs_told#*"$gs_nl"}
    case $gs_row in
      *' ok') ;;
      *)
        if [ -n "$gs_since" ]; then
          printf '@@%s %s %s start\n' "$gs_nonce" "$gs_since" "${gs_row% *}"
          gs_since=
          read -r gs_up gs_rest < /proc/uptime
          gs_looked=${gs_up%.*}${gs_up#*.}
        fi
        ;;
    esac
    printf '@@%s %s %s\n' "$gs_nonce" "$gs_looked" "$gs_row"
  done
}
