#!/bin/sh
# The application is in the image that this machine was started from; this brings it to where Beanstalk serves it from.
# Beanstalk runs predeploy hooks as root in the folder that becomes /var/app/current.
set -eu

if [ -x /opt/goldseed/bridge/deploy ]; then
    # What this bundle shows on a machine without an application.
    rm -f ./index.php
    exec /opt/goldseed/bridge/deploy "$PWD"
fi
if [ -e /opt/goldseed ]; then
    echo 'goldseed: this golden image has no application: /opt/goldseed/bridge/deploy is not there (recipe bridge).' >&2
    exit 1
fi
# Before the first promotion an environment runs the platform's own image: it shows a page that says so, and is well.
echo 'goldseed: this machine was not started from a golden image; it shows a placeholder until one is promoted.' >&2
