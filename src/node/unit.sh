# What a unit does: runs the script of the folder $1 and keeps what it prints, and its code, there. $2 is a word that no
# output holds by chance.
#
# The folder lies in memory. Of what is printed between two lines of a recipe's steps only the first and the last 64 KiB
# are kept, of a script that prints 1 MiB so the first and the last 4 KiB. The place of the code is taken beforehand, so
# that a script which fills the memory keeps its code too.
cd /
printf '%-8s\n' reserved > "$1/code.new" && mkfifo "$1/printed" "$1/lines" || exit 1

# What keeps the output ends when the output does, not with what the unit's limit ends.
(
  trap '' TERM
  # mawk reads no NUL, and takes minutes for a line of megabytes.
  if command -v stdbuf > /dev/null; then
    stdbuf -oL tr -d '\000' < "$1/printed" | stdbuf -oL fold -b -w 8000 > "$1/lines"
  else
    cat < "$1/printed" > "$1/lines"
  fi
) &
(
  trap '' TERM
  # mawk alone reads in blocks unless told.
  case $(awk -W version 2> /dev/null < /dev/null) in mawk*) interactive='-W interactive' ;; *) interactive= ;; esac
  awk $interactive -v "end=$2" '
    function keep(line) {
      if (!full && head + length(line) < most) {
        head += length(line) + 1
        print line
        fflush()
        return
      }
      full = 1
      # Held in pieces of some lines: one by one they would take minutes.
      piece = piece line "\n"
      if (length(piece) >= 256) hold()
    }
    function hold() {
      tail[last++] = piece
      size += length(piece)
      piece = ""
      while (size > most) {
        size -= length(tail[first])
        left_out += length(tail[first])
        delete tail[first++]
      }
    }
    # A step ends, or all: what is held comes out.
    function give_out() {
      if (piece != "") hold()
      if (left_out) print "goldseed: " left_out " bytes left out: the first and the last of this output are kept"
      total += head + size
      while (first < last) {
        printf "%s", tail[first]
        delete tail[first++]
      }
      fflush()
      if (total > 1048576) most = 4096
      full = head = size = left_out = 0
    }
    # What is told of a step may stand behind output without an end.
    function take(line,  next_mark) {
      while (index(line, "@@") && match(line, mark)) {
        if (RSTART > 1) keep(substr(line, 1, RSTART - 1))
        give_out()
        line = substr(line, RSTART)
        next_mark = match(substr(line, 3), mark) + 2
        if (next_mark == 2) next_mark = length(line) + 1
        print substr(line, 1, next_mark - 1)
        fflush()
        line = substr(line, next_mark)
        if (line == "") return
      }
      keep(line)
    }
    BEGIN {
      most = 65536
      first = last = 0
      piece = ""
      mark = "@@[0-9a-f]+ [0-9]+ "
    }
    {
      $0 = rest $0
      rest = ""
      at = index($0, end)
      if (at) $0 = substr($0, 1, at - 1)
      # A part of a longer line: its end may cut in two what is told of a step.
      else if (length($0) >= 8000) {
        rest = substr($0, length($0) - 199)
        $0 = substr($0, 1, length($0) - 200)
      }
      if (!at || $0 != "") take($0)
      if (at) exit
    }
    END {
      if (!at && rest != "") keep(rest)
      give_out()
    }' > "$1/log" ||
    # Where there is no space for it, the output is lost, and the script goes on.
    grep -qaF -e "$2"
) < "$1/lines" &
keeper=$!

# Something that the script left running may still hold its output: its end is told, not waited for.
exec 3> "$1/printed"
sh "$1/script" >&3 2>&1 3>&-
printf '%-8s\n' "$?" 1<> "$1/code.new"
trap '' PIPE
printf '%s\n' "$2" >&3
exec 3>&-
wait "$keeper"
mv "$1/code.new" "$1/code"
