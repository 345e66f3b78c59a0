/** ROOT NPMRC CHECKOUT CACHE COMMAND…: runs a command in a Debian root, in namespaces that end with it. */
export const CLEAN_ROOT_SCRIPT = String.raw`
root=$1 npmrc=$2 checkout=$3 cache=$4
shift 4
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/src" "$root/root/.npm"
mount --bind "$checkout" "$root/src"
mount -o remount,bind,ro "$root/src"
mount --bind /etc/ssl/certs "$root/etc/ssl/certs"
mount --bind "$cache" "$root/root/.npm"
cp "$npmrc" "$root/root/.npmrc"
exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
`;
