/** The file that says that a directory was made here and may be removed with all that is in it. */
export const MARKER = '.made-by-rig';

/**
 * Shell functions, used here and by the guardian, which has no Node.js any more.
 *
 * `remove_directory` refuses what carries no marker. Mounts below the directory, and only those, go first: removing
 * through a mount would delete what is in the bucket. Points are taken from the kernel's list and not looked at: any
 * look at a mount whose FUSE process is dead or stuck fails or hangs. The newest goes first, since it may lie in an
 * older one. An empty mountpoint may carry the immutable flag, which stops even root's rm.
 */
export const DIRECTORY_FUNCTIONS = `
mounts_below() {
  while read -r _ _ _ _ point _; do
    # The kernel writes blanks and backslashes in octal; printf reads that, once percent signs are out of the way.
    point=$(printf "$(printf '%s' "$point" | sed 's/%/%%/g')x")
    point=\${point%x}
    case $point in "$1"/*) printf '%s\\n' "$point" ;; esac
  done </proc/self/mountinfo | tac
}

# Fails if something is mounted there afterwards. What another process unmounts meanwhile is nobody's failure.
unmount_below() {
  mounts_below "$1" | while IFS= read -r point; do
    timeout 3 umount -c -- "$point" 2>/dev/null && continue
    # Busy or stuck. The first cuts a FUSE mount's connection, so that whoever holds a file in it gets an error instead
    # of waiting for a bucket that goes away; the second takes it out of the tree.
    timeout 3 umount -c -f -- "$point" 2>/dev/null
    timeout 3 umount -c -l -- "$point" 2>/dev/null
  done
  [ -z "$(mounts_below "$1")" ]
}

remove_directory() {
  [ -f "$1/${MARKER}" ] || return 0
  unmount_below "$1" || return 1
  for try in 1 2 3; do
    rm -rf --one-file-system -- "$1" 2>/dev/null && return 0
    chattr -R -f -i "$1" 2>/dev/null
    sleep 0.1
  done
  rm -rf --one-file-system -- "$1"
}
`;
