#!/bin/sh
# Removes from DIRECTORY/node_modules what packages bring along for those who develop with them, and no program here loads.
#
#   runtime-packages.sh DIRECTORY
set -eu
cd "${1:?DIRECTORY is missing}/node_modules"
# The formatter comes with completions for a terminal that nest-commander offers and nobody here asks for.
rm -rf prettier @fig @types typescript .bin/prettier .bin/tsc .bin/tsserver
