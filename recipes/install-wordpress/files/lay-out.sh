# Lays WordPress's code out under /opt/goldseed/app/wordpress, from an archive or from what the package manager installed.
#
# Debian's package spreads it over the system and holds it together with symbolic links: all of them are followed, so
# that the copy stands alone. It is made anew each time, so that nothing of an earlier image stays in it.
set -eu

code=/opt/goldseed/app/wordpress
packaged=
for folder in $FROM; do
    if [ -f "$folder/wp-settings.php" ]; then
        packaged=$folder
        break
    fi
done
if [ -z "$packaged" ]; then
    echo "there is no WordPress in $FROM: on a distribution without a package of it, give \`archive\` and \`sha256\`" >&2
    exit 1
fi
rm -rf "$code.new" "$code.old"
mkdir -p "$code.new"
cp -RL --preserve=mode,timestamps "$packaged/." "$code.new/"
# Debian's own wp-config.php chooses settings by the name of the host.
rm -f "$code.new/wp-config.php" "$code.new/.htaccess"
mkdir -p "$code.new/wp-content/mu-plugins"
chown -R root:root "$code.new"
chmod -R u=rwX,go=rX "$code.new"
if [ -z "$(ls -d "$code.new"/wp-content/themes/*/style.css 2>/dev/null)" ]; then
    echo 'no theme is in wp-content/themes: the home page would be empty' >&2
    exit 1
fi
left=$(find "$code.new" -type l | head -n 1)
if [ -n "$left" ]; then
    echo "a symbolic link is left: $left" >&2
    exit 1
fi
# The recipe's own files come next, and should find what they left.
for own in wp-config.php goldseed-health.php; do
    if [ -f "$code/$own" ]; then cp -p "$code/$own" "$code.new/$own"; fi
done
if [ -d "$code" ]; then mv "$code" "$code.old"; fi
mv "$code.new" "$code"
rm -rf "$code.old"
