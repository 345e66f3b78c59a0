#!/bin/sh
# Makes, changes or removes a directory in which nothing is mounted, so that nobody can write to it meanwhile, not even root.
#
#   bare-directory.sh make NEW PATH
#   bare-directory.sh mark|unmark|remove PATH COVERED MARKER [TEXT]
#
# To change a locked directory its lock has to come off, and whoever opens a file by its path at that moment gets in. So
# PATH is covered first, by a read-only mount of itself. The work is done behind that cover, in a mount namespace of its own
# where the cover is taken away: nobody else has that name. rename(2) takes the cover along, and rmdir(2) removes it from
# all namespaces together with the directory.
#
# NEW is an empty directory that nobody else knows, and becomes PATH. COVERED is "covered" if PATH is under such a mount already,
# which then stays; MARKER is the path of the file that says that nothing is mounted, TEXT what stands in it. Exit status 3: the
# directory is left, because it is somebody else's.
verb=$1

cover() { # DIRECTORY
  mount --bind -- "$1" "$1" || exit 1
  # Whoever opens a file by that path, in vain, keeps it from becoming read-only for a moment.
  tries=100
  while ! said=$(mount -o remount,bind,ro,nosuid,nodev -- "$1" 2>&1); do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || break
  done
  [ "$tries" -gt 0 ] && return
  echo "$said"
  umount -c -l -- "$1"
  exit 1
}

# Lazily, because whoever opens a file by that path keeps it busy for a moment; it can be read only, so nothing is lost.
uncover() { # DIRECTORY
  umount -c -l -- "$1"
}

# Where the file system has no such flag the cover has to stay.
is_immutable() { # DIRECTORY
  flags=$(lsattr -d -- "$1" 2>/dev/null)
  case ${flags%% *} in
    *i*) return 0 ;;
  esac
  return 1
}

# What is unmounted on the node meanwhile goes from here, too, where the node's mounts are shared.
# SCRIPT finds DIRECTORY as $1 and the arguments after it.
behind_cover() { # SCRIPT DIRECTORY [ARGUMENT...]
  script=$1
  shift
  unshare --mount --propagation slave -- /bin/sh -c "umount -c -- \"\$1\" || exit 1; $script" sh "$@"
}

if [ "$verb" = make ]; then
  new=$2
  path=$3
  (cover "$new") || {
    rmdir -- "$new"
    exit 1
  }
  # shellcheck disable=SC2016
  behind_cover 'mv -n -T -- "$1" "$2"; [ ! -e "$1" ] || exit 3; chattr +i -- "$2" 2>/dev/null; :' "$new" "$path"
  status=$?
  if [ $status -eq 0 ]; then
    if is_immutable "$path"; then uncover "$path"; fi
    exit
  fi
  uncover "$new"
  rmdir -- "$new"
  [ $status -ne 3 ] || echo "somebody else has made it meanwhile"
  exit $status
fi

path=$2
covered=$3
# shellcheck disable=SC2016
case $verb in
  mark) work='printf "%s" "$3" >"$2" && chmod 444 -- "$2"' ;;
  unmark) work='rm -f -- "$2"' ;;
  remove) work='rm -f -- "$2" && { rmdir -- "$1" && exit || status=3; }' ;;
  *)
    echo "There is no such verb: $verb"
    exit 2
    ;;
esac
[ "$covered" = covered ] || cover "$path"
shift 3
# Whoever looked the path up before the cover was there may be about to make a file: the lock still refuses that now.
sleep 0.1
behind_cover "chattr -i -- \"\$1\" 2>/dev/null
status=0
{ $work; } || status=1
chattr +i -- \"\$1\" 2>/dev/null
exit \$status" "$path" "$@"
status=$?
if [ "$covered" != covered ] && [ -e "$path" ]; then uncover "$path"; fi
exit $status
