# Copies FOLDER to CODE as a whole, complete and standing alone: packages of Debian hold their parts together with
# symbolic links over the whole system.
set -eu

if [ ! -d "$FOLDER" ] || [ -z "$(ls -A "$FOLDER")" ]; then
    echo "$FOLDER is not there or empty: a package step before this recipe brings it" >&2
    exit 1
fi
rm -rf "$CODE.new" "$CODE.copied"
mkdir -p "$CODE.new"
cp -RL --preserve=mode,timestamps "$FOLDER/." "$CODE.new/"
chown -R root:root "$CODE.new"
chmod -R u=rwX,go=rX "$CODE.new"
rm -rf "$CODE"
mv "$CODE.new" "$CODE"
# By this the next run sees whether the package has changed.
(cd "$FOLDER" && find -L . -type f -printf '%p %s %T@\n' | sort | sha256sum) >"$CODE.copied"
