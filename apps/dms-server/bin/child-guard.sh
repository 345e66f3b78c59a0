#!/bin/sh
# Puts itself on record and then becomes the program, so that no program ever runs whose pid nobody knows.
#
#   child-guard.sh RECORD PROGRAM [ARGUMENT...]
#
# RECORD receives one line: pid, start time (field 22 of /proc/PID/stat), boot id.
# Exit status 125: the record could not be written and nothing was started; 127: there is no such program.
record=$1
shift

write_record() { # STATE and the fields after it
  shift 19
  printf '%s %s %s\n' "$$" "$1" "$boot" >"$record"
}

read -r boot </proc/sys/kernel/random/boot_id || exit 125
read -r stat </proc/$$/stat || exit 125
# The second field is the command in brackets, which may hold anything: what follows its end is cut out and split.
# shellcheck disable=SC2086
write_record ${stat##*")" } || exit 125
command -v "$1" >/dev/null || exit 127
exec "$@"
