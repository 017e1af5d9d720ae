# One look at everything that a stretch of steps compares: stat, sha256sum and awk, whatever their number.

gs_look_attributes() { stat -L -c '=%f|%U|%G|%u|%g|%n' "$@" >> "$gs_work/look" 2>/dev/null || :; }
gs_look_contents() { sha256sum "$@" >> "$gs_work/look" 2>/dev/null || :; }

# ROWS: what is to be, fields between tabs. Leaves in gs_other, between blanks, the ids of the steps that differ. A file
# of which the content is right has a second word, ID:attributes. System files stand there by their paths instead.
# Lines are compared with what the steps before them leave, so that many may edit one file.
gs_compare() {
  read -r gs_up gs_rest < /proc/uptime
  gs_looked=${gs_up%.*}${gs_up#*.}
  printf %s "$1" > "$gs_work/rows" && printf '\n' >> "$gs_work/look" || exit 1
  export gs_root
  gs_other=" $(LC_ALL=C awk '
    # Text next to "" is compared as text: 1.0 is no 1.
    function user(name, uid, home, shell, groups,  i, n, text, field, group) {
      if (!read_users++) {
        while ((getline text < (root "/etc/passwd")) > 0) { split(text, field, ":"); entry[field[1]] = text }
        while ((getline text < (root "/etc/group")) > 0) {
          split(text, field, ":"); number[field[1]] = field[3]
          n = split(field[4], member, ","); for (i = 1; i <= n; i++) in_group[field[1], member[i]]
        }
      }
      if (!(name in entry)) return 0
      split(entry[name], field, ":")
      if (uid != "" && uid != field[3] || home != "" && home != field[6] || shell != "" && shell != field[7]) return 0
      n = split(groups, group, ",")
      for (i = 1; i <= n; i++) if (!((group[i], name) in in_group) && (!(group[i] in number) || number[group[i]] != field[4])) return 0
      return 1
    }
    # Owners and groups are wanted by their names or by their numbers.
    function attributes(path, word,  want, now) {
      if (!(path in held)) return 0
      split(word, want, "|"); split(held[path], now, "|")
      return "=" want[1] == now[1] && is(want[2], now[2], now[4]) && is(want[3], now[3], now[5])
    }
    function is(want, name, number) { return want "" == name "" || want ~ /^[0-9]+$/ && want + 0 == number + 0 }
    function line(path, wanted, pattern,  i) {
      # At a folder mawk would end.
      if (!(path in regular)) return 0
      if (path != loaded) {
        split("", text); lines = 0; loaded = path
        while ((getline text[lines + 1] < path) > 0) lines++
        close(path)
      }
      for (i = lines; i > 0; i--) if (pattern == "" ? text[i] == wanted : text[i] ~ pattern) break
      if (i && text[i] == wanted) return 1
      text[i ? i : ++lines] = wanted
      return 0
    }
    BEGIN { FS = "\t"; root = ENVIRON["gs_root"] }
    NR == FNR { row[++rows] = $0; next }
    {
      seen[$0]; row_of_stat = $0
      if (sub(/^=[0-9a-f]+[|][^|]*[|][^|]*[|][0-9]+[|][0-9]+[|]/, "")) {
        held[$0] = row_of_stat
        if (row_of_stat ~ /^=8/) regular[$0]
      }
    }
    END {
      for (r = 1; r <= rows; r++) {
        split(row[r], want, "\t"); kind = want[1]; name = want[2]; path = want[3]; right = 0
        if (kind == "user") right = user(path, want[4], want[5], want[6], want[7])
        else if (kind == "line") right = line(path, want[4] "", want[5])
        else {
          if (kind == "system") { name = path; path = root path }
          right = attributes(path, want[4])
          if (kind != "directory" && !((want[5] "  " path) in seen)) right = 0
          else if (kind != "directory" && !right) name = name " " name ":attributes"
          if (kind == "system" && !right) name = want[2] " " name
        }
        if (!right) printf "%s ", name
      }
    }' "$gs_work/rows" "$gs_work/look")" || gs_other=unknown
  : > "$gs_work/look"
}
# WORD: the look has shown it; when the look failed, every step has to be done.
gs_differs() { case $gs_other in *" $1 "*) ;; unknown) case $1 in *:attributes) return 1 ;; esac ;; *) return 1 ;; esac; }

# ID FUNCTION ARGUMENT...: a step that has nothing to do when the look has shown nothing.
gs_do() {
  if gs_differs "$1"; then
    ${gs_pass:-gs_step} "$@"
    return
  fi
  case $gs_pass in
    '') printf '@@%s %s %s ok\n' "$gs_nonce" "$gs_looked" "$1" ;;
    gs_gather) gs_told="$gs_told$1 ok$gs_nl" ;;
  esac
  gs_notify=
}
