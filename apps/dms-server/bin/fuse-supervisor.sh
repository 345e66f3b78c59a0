#!/bin/sh
# Keeps one FUSE daemon, and outlives dms-server as the daemon does: it has a session of its own and no pipe to it.
#
#   fuse-supervisor.sh RECORD_DIRECTORY PID_FILE PROGRAM [ARGUMENT...]
#
# Standard input brings the daemon's environment, a line NAME=VALUE for each variable, *NAME=VALUE for one that is secret,
# and then a line ".". It is read by the process that becomes the daemon, and what is secret goes by a pipe to the one that
# writes the log, which puts *** in its place: neither arguments nor environment of another process show it, and no file.
#
# RECORD_DIRECTORY/daemon   pid, start time (field 22 of /proc/PID/stat) and boot id, written before the daemon runs
# RECORD_DIRECTORY/log      what it says, and log.1 what it said before; cut: a marker that still older words are lost
# RECORD_DIRECTORY/exit     once it has ended: exit status (128 + N after signal N) and seconds since 1970; then the
#                           directory above is touched
# RECORD_DIRECTORY/drained  all that it said is in the log
# PID_FILE                  its pid, while it runs
umask 022
record=$1
pid_file=$2
shift 2
log_limit=262144

write_identity() { # STATE and the fields after it, see proc_pid_stat(5)
  shift 19
  printf '%s %s %s\n' "$pid" "$1" "$boot" >"$record/daemon"
}

become_daemon() { # PROGRAM [ARGUMENT...]
  read -r boot </proc/sys/kernel/random/boot_id || exit 125
  read -r stat </proc/self/stat || exit 125
  pid=${stat%% *}
  # The command in brackets may hold anything: the fields after it are cut out and split.
  # shellcheck disable=SC2086
  write_identity ${stat##*")" } || exit 125
  # Without noclobber a symbolic link in the place of the file would be followed.
  (set -C && printf '%s\n' "$pid" >"$pid_file") || echo "The PID file $pid_file could not be written."
  # A core file would hold the keys.
  ulimit -c 0
  while IFS= read -r variable; do
    case $variable in
      .)
        echo .
        # A group of its own: what it starts can be ended with it, and the supervisor is not.
        exec setsid "$@" </dev/null
        ;;
      '*'*)
        variable=${variable#?}
        printf '*%s\n' "${variable#*=}"
        ;;
    esac
    export "${variable?}"
  done
  echo 'The environment did not arrive whole, nothing was started.'
  exit 125
}

# Puts *** in the place of each secret in what the daemon says. They come before that, a line "*SECRET" for each, up to the
# line ".": this shell reads no further than it asks for. Only pipes carry them.
without_secrets() {
  secrets=
  while IFS= read -r line; do
    case $line in
      .) break ;;
      # What is shorter could be a part of any word, also of one that tells of an error.
      '*'????????*) secrets="$secrets${line#?}
" ;;
      '*'*) ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
  {
    printf '%s' "$secrets" | LC_ALL=C sed 's/[]\/$*.^[]/\\&/g; s/.*/s\/&\/***\/g/' | {
      LC_ALL=C sed -u -f /dev/fd/3 3<&0 <&4 || cat <&4 >/dev/null
    }
  } 4<&0
}

# Reads whatever comes: a daemon whose output nobody reads stops at the next line that it writes. It is read on also
# where the log cannot be written.
drain() {
  while report=$(LC_ALL=C dd bs=64k count=1 2>&1 >>"$record/log" || LC_ALL=C dd bs=64k count=1 2>&1 >/dev/null); do
    # Nothing was read: the output has ended. Before that there may stand why the log could not be written.
    case $report in *'0+0 records in'*) break ;; esac
    if [ "$(wc -c <"$record/log" || echo 0)" -gt "$log_limit" ]; then
      [ ! -e "$record/log.1" ] || : >"$record/cut"
      mv -f "$record/log" "$record/log.1"
    fi
  done
}

{
  (become_daemon "$@")
  status=$?
  printf '%s %s\n' "$status" "$(date +%s)" >"$record/exit.new" && mv -f "$record/exit.new" "$record/exit"
  # Wakes up dms-server, which watches that directory.
  touch -c "${record%/*}" 2>/dev/null
  # The file may be that of the next daemon already, or an operator's.
  if read -r pid rest <"$record/daemon" && read -r named <"$pid_file" && [ "$named" = "$pid" ]; then
    rm -f "$pid_file"
  fi
} 2>&1 | without_secrets | drain
: >"$record/drained"
