# Reads secrets, one a line, and prints extended regular expressions for grep: one finds a secret however it is
# escaped, up to three more find it inside of a text in base64.
#
# A letter or digit is the same in every language. Any other character is an alternative of all its spellings: with
# backslashes before it (PHP, shell, JSON, SQL), as a JSON escape, an entity of XML or HTML, a percent-encoding, and the
# detours by which a shell, SQL or YAML quotes a quote. So mixtures and double escapes are found too.
#
# Runs under mawk, gawk and busybox awk with LC_ALL=C: a character is a byte.

BEGIN {
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    for (i = power[0] = 1; i <= 10; i++) power[i] = 2 * power[i - 1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    entity["&"] = "amp"; entity["<"] = "lt"; entity[">"] = "gt"; entity["\""] = "quot"; entity["'"] = "apos"
}

# The character itself, as an expression.
function literal(c) {
    if (c ~ /[A-Za-z0-9]/ || code[c] > 127) return c
    return c == "^" ? "\\^" : "[" c "]"
}

# A number in hexadecimal digits of either case, filled up to a width.
function hexadecimal(number, width,  digit, text) {
    while (number > 0 || width > 0) {
        digit = substr("0123456789abcdef", number % 16 + 1, 1)
        text = (digit ~ /[a-f]/ ? "[" digit toupper(digit) "]" : digit) text
        number = int(number / 16)
        width--
    }
    return text
}

# What all languages make of a code point by its number.
function numbered(point,  low) {
    low = "[\\]+[uU][{]?0*" hexadecimal(point, 1) "[}]?"
    if (point > 65535)
        low = low "|[\\]+u" hexadecimal(55296 + int((point - 65536) / 1024), 4) "[\\]+u" \
            hexadecimal(56320 + (point - 65536) % 1024, 4)
    return low "|&(amp;)*#0*" point ";|&(amp;)*#[xX]0*" hexadecimal(point, 1) ";"
}

# The spellings of one byte, or of the character in UTF-8 that begins at it; `width` becomes its length.
function spelled(text, at,  c, n, point, i, raw, percent, escaped, all) {
    c = substr(text, at, 1)
    width = 1
    if (c ~ /[A-Za-z0-9]/) return c
    n = code[c]
    if (n >= 194 && n < 245) {
        width = n < 224 ? 2 : n < 240 ? 3 : 4
        point = n % (n < 224 ? 32 : n < 240 ? 16 : 8)
        for (i = 1; i < width; i++) {
            n = code[substr(text, at + i, 1)]
            if (n < 128 || n > 191) break
            point = point * 64 + n % 64
        }
        if (i < width) width = 1
    }
    for (i = 0; i < width; i++) {
        n = code[substr(text, at + i, 1)]
        raw = raw literal(substr(text, at + i, 1))
        percent = percent "%(25)*" hexadecimal(n, 2)
        escaped = escaped "[\\]+x" hexadecimal(n, 2)
    }
    if (width > 1) {
        all = raw "|" numbered(point) "|&(amp;)*[A-Za-z0-9]+;"
        if (point < 256) all = all "|" sprintf("%c", point)
        return "(" all "|" percent "|" escaped ")"
    }
    all = (c == "\\" ? "[\\]+" : "[\\]*" raw) "|" percent "|" escaped "|" numbered(code[c])
    if (c in entity) all = all "|&(amp;)*" entity[c] ";"
    if (c == "'") all = all "|''|'[\\]+''|'\"'\"'"
    if (c == "\"") all = all "|\"\""
    if (c == " ") all = all "|[+]"
    if (c == "$" || c == "%") all = all "|" raw raw
    if (c == "\t") all = all "|[\\]+t"
    return "(" all ")"
}

# One digit of base64, in either alphabet, escaped or not.
function sextet(number,  c) {
    c = substr(alphabet, number + 1, 1)
    if (c == "+") return "([-+]|%2[Bb])"
    if (c == "/") return "([\\]*/|_|%2[Ff])"
    return c
}

# Fills `digits` with those digits of base64 that the text alone decides when `before` bytes, as a remainder by three,
# stand before it, and returns their number.
function in_base64(text, before,  bits, at, byte, count) {
    bits = 8 * length(text)
    for (at = before == 0 ? 0 : before == 1 ? 4 : 2; at + 6 <= bits; at += 6) {
        byte = int(at / 8) + 1
        digits[++count] = sextet(int((code[substr(text, byte, 1)] * 256 + code[substr(text, byte + 1, 1)]) / \
            power[10 - at % 8]) % 64)
    }
    return count + 0
}

function joined(from, to,  i, text) {
    for (i = from; i <= to; i++) text = text digits[i]
    return text
}

# A text of a few bytes is only told from others by the end that its base64 has.
function ended(text,  count, bits, last) {
    bits = 8 * length(text)
    last = substr(text, length(text), 1)
    count = in_base64(text, 0)
    text = joined(1, count)
    if (bits % 6) {
        text = text sextet(code[last] % power[bits % 6] * power[6 - bits % 6])
        text = text (bits % 6 == 2 ? "(=|%3[Dd])(=|%3[Dd])" : "(=|%3[Dd])")
    }
    print text
}

{
    sub(/\r$/, "")
    # What begins as the secret does is the secret: an expression for all of a long one would be larger than it is worth.
    if (length($0) > 200) {
        $0 = substr($0, 1, 200)
        while (code[substr($0, length($0), 1)] > 127) $0 = substr($0, 1, length($0) - 1)
    }
    expression = ""
    for (at = 1; at <= length($0); at += width) expression = expression spelled($0, at)
    print expression
    if (length($0) < 6) {
        ended($0)
        ended($0 "\n")
        next
    }
    for (before = 0; before < 3; before++) {
        count = in_base64($0, before)
        # Base64 is often broken into lines of 64 digits or more: of 64 in a row one half at least is whole.
        if (count > 64) count = 64
        if (count >= 24) {
            print joined(1, int(count / 2))
            print joined(int(count / 2) + 1, count)
        } else if (count >= 7) print joined(1, count)
    }
}
