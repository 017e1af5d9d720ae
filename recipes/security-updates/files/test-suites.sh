#!/bin/sh
# For the test of security-updates: suites of a distribution, with packages that hold nothing.
#
#   make-suites first    a suite as it was released
#   make-suites then     the updates since: some for security, some not
set -eu

# SUITE NAME VERSION [DEPENDS]
package() {
    root=$(mktemp -d)
    mkdir -p "$root/DEBIAN" "/srv/$1"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n' "$2" "$3"
        if [ -n "${4:-}" ]; then printf 'Depends: %s\n' "$4"; fi
        printf 'Description: for a test\n'
    } >"$root/DEBIAN/control"
    chmod 0755 "$root"
    dpkg-deb --root-owner-group -b "$root" "/srv/$1/$2_$3.deb"
    rm -rf "$root"
    {
        dpkg-deb -f "/srv/$1/$2_$3.deb"
        printf 'Filename: ./%s_%s.deb\nSize: %s\nSHA256: %s\n\n' "$2" "$3" "$(stat -c %s "/srv/$1/$2_$3.deb")" \
            "$(sha256sum <"/srv/$1/$2_$3.deb" | cut -d ' ' -f 1)"
    } >>"/srv/$1/Packages"
}

# FOLDER SUITE
suite() {
    printf 'Origin: Test\nLabel: Test\nSuite: %s\nCodename: %s\nDate: %s\nSHA256:\n %s %s Packages\n' "$2" "$2" \
        "$(date -uR)" "$(sha256sum <"/srv/$1/Packages" | cut -d ' ' -f 1)" "$(stat -c %s "/srv/$1/Packages")" >"/srv/$1/Release"
    echo "deb [trusted=yes] file:/srv/$1 ./" >"/etc/apt/sources.list.d/test-$1.list"
}

case $1 in
    first)
        for name in site-old site-both site-needs site-held site-helper; do package main "$name" 1.0; done
        suite main stable
        ;;
    then)
        package updates site-old 1.1
        package updates site-both 2.0
        suite updates stable-updates
        package security site-both 1.1
        package security site-needs 1.1 site-helper
        package security site-held 1.1
        suite security stable-security
        ;;
esac
