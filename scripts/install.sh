#!/bin/sh
# Installs one of the programs on this machine, from a built checkout or from the tarball that `npm pack` made of one.
set -eu
umask 022

usage() {
  cat <<'END'
Usage: install.sh dms-server|dms-client [--from CHECKOUT|TARBALL] [--prefix DIRECTORY]
                                        [--packages] [--enable] [--start]
       install.sh dms-server|dms-client --uninstall [--prefix DIRECTORY]

  --from       a checkout that was built (npm ci && npm run build), or a tarball of npm pack; default: the checkout that
               this script is in
  --prefix     where the program goes; default /opt/dms
  --packages   install the Debian packages that are missing (apt-get); else they are named, and nothing is done
  --enable     start it with the machine, from now on
  --start      start it now, or restart it with what was installed; mounts stay
  --uninstall  stop and remove the program and its unit; settings, secrets, mounts and the memory of the node stay

Run again, it brings the program up to date and leaves settings as they are. Nothing is started that was not asked for.
END
}
say() { echo "install.sh: $*"; }
fail() { echo "install.sh: $*" >&2; exit 1; }
wrong() { echo "install.sh: $*" >&2; usage >&2; exit 2; }

program= from= prefix=/opt/dms packages=no enable=no start=no uninstall=no
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --from | --prefix)
      [ $# -ge 2 ] || wrong "$1 needs a value"
      [ "$1" = --from ] && from=$2 || prefix=$2
      shift
      ;;
    --packages) packages=yes ;;
    --enable) enable=yes ;;
    --start) start=yes ;;
    --uninstall) uninstall=yes ;;
    dms-server | dms-client) [ -z "$program" ] || wrong 'one program at a time'; program=$1 ;;
    *) wrong "unknown argument \"$1\"" ;;
  esac
  shift
done
[ -n "$program" ] || wrong 'which program: dms-server or dms-client?'
case $prefix in /*[!/]*) ;; *) wrong '--prefix must be an absolute path, and not /' ;; esac
[ "$(id -u)" = 0 ] || fail 'only root can install'

etc=/etc/trilio-dms
base=/var/lib/trilio/triliovault-mounts
unit=$program.service
units=/etc/systemd/system
case $program in
  dms-server) other=dms-client settings=server.env commands=dms-server needed='s3fs fuse3 e2fsprogs util-linux' ;;
  dms-client) other=dms-server settings=client.env commands='dms-client dms' needed=util-linux ;;
esac

# systemd is asked only where it runs: not in a chroot, not in a container.
systemd_runs() { [ -d /run/systemd/system ]; }

if [ $uninstall = yes ]; then
  if systemd_runs && [ -e "$units/$unit" ]; then
    systemctl disable --now --quiet "$unit"
    say "$unit is stopped"
  fi
  rm -f "$units/$unit"
  for command in $commands; do
    [ -L "/usr/local/bin/$command" ] && rm "/usr/local/bin/$command"
  done
  if grep -qs "$prefix/dist" "$units/$other.service"; then
    say "$prefix stays: $other uses it"
  elif [ -e "$prefix/.installed-by-dms" ]; then
    rm -rf "$prefix"
    say "$prefix is removed"
  fi
  if systemd_runs; then systemctl daemon-reload; fi
  say 'What stays, and how to see it:'
  for path in "$etc" "$base" /run/dms; do
    [ ! -e "$path" ] || echo "  $path"
  done
  if id dms-client >/dev/null 2>&1; then echo '  the user and group dms-client'; fi
  grep " $base/" /proc/self/mountinfo | while read -r _ _ _ _ point _; do echo "  still mounted: $point"; done
  if [ "$program" = dms-server ] && [ -e "$base" ]; then
    say "directories in which nothing is mounted may be locked; when nothing is mounted below it any more, $base goes by:"
    echo "  chattr -R -i $base; rm -r --one-file-system $base"
  fi
  exit 0
fi

# Prerequisites
command -v node >/dev/null || fail 'Node.js 20.19 or newer is missing'
[ -x /usr/bin/node ] || fail "the units start /usr/bin/node, and node is $(command -v node): make a link there"
/usr/bin/node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
  || fail "Node.js 20.19 or newer is needed, this is $(/usr/bin/node --version)"
missing=
for package in $needed; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ $packages = yes ] || fail "these Debian packages are missing:$missing (--packages installs them)"
  say "installing Debian packages:$missing"
  apt-get -q update
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
fi
if [ "$program" = dms-server ] && ! command -v mount.nfs >/dev/null; then
  say 'NFS targets need the Debian package nfs-common, too; it was not installed'
fi

# The program: put together beside its place, and then moved there at once.
: "${from:=$(cd "$(dirname "$0")/.." && pwd)}"
work=$prefix.new
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
if [ -f "$from" ]; then
  tar -xzf "$from" -C "$work" --strip-components=1 || fail "$from is no tarball of npm pack"
  what='the tarball'
else
  [ -f "$from/package.json" ] || fail "$from is neither a checkout nor a tarball"
  for each in package.json package-lock.json .npmrc LICENSE README.md docs dist apps/dms-server/bin systemd \
    scripts/runtime-packages.sh; do
    [ -e "$from/$each" ] || continue
    mkdir -p "$(dirname "$work/$each")"
    cp -R "$from/$each" "$work/$each"
  done
  rm -rf "$work/dist/test" "$work/dist/test-results"
  what='the checkout'
fi
for each in dist/apps/$program/src/main.js "systemd/$unit"; do
  [ -f "$work/$each" ] || fail "$what holds no $each: build it first (npm ci && npm run build)"
done
command -v npm >/dev/null || fail 'npm is missing: it brings the packages that the program needs'
say "bringing the npm packages that it needs"
lock=install
[ ! -f "$work/package-lock.json" ] || lock=ci
(cd "$work" && npm $lock --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --silent) \
  || fail "npm $lock failed"
sh "$work/scripts/runtime-packages.sh" "$work"
chmod 755 "$work/dist/apps/dms-client/src/main.js" "$work/dist/apps/dms-client/src/cli/main.js" \
  "$work/dist/apps/dms-server/src/main.js"
chown -R root:root "$work"
chmod -R go-w,a+rX "$work"
: >"$work/.installed-by-dms"
if [ -e "$prefix" ]; then
  [ -e "$prefix/.installed-by-dms" ] || fail "$prefix is there and was not made by this script: choose another --prefix"
  mv "$prefix" "$prefix.old"
fi
mkdir -p "$(dirname "$prefix")"
mv "$work" "$prefix"
rm -rf "$prefix.old"
say "$program $(/usr/bin/node -p "require('$prefix/package.json').version") is in $prefix"

link() { ln -sfn "$prefix/dist/apps/$2" "/usr/local/bin/$1"; }
mkdir -p /usr/local/bin
case $program in
  dms-server) link dms-server dms-server/src/main.js ;;
  dms-client) link dms-client dms-client/src/main.js; link dms dms-client/src/cli/main.js ;;
esac

# Who runs it, and where it keeps what
install -d -m 755 "$etc"
template() { # FILE, the text from standard input
  if [ -e "$1" ]; then cat >/dev/null; say "$1 stays as it is"; return; fi
  (umask 077 && cat >"$1")
  say "$1 is a template (mode 0600): fill it in"
}
if [ "$program" = dms-client ]; then
  getent group dms-client >/dev/null || groupadd --system dms-client
  id dms-client >/dev/null 2>&1 \
    || useradd --system --gid dms-client --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin dms-client
  install -d -m 700 "$etc/client-credentials"
  template "$etc/client-credentials/client.conf" <<'END'
; Settings that hold passwords: only systemd reads this file, and gives it to dms-client. Keys: docs/CONFIGURATION.md.
[client]
; rabbitmq_url = amqps://dms-client:PASSWORD@rabbit.example:5671
; db_url = mysql://dms:PASSWORD@db.example:3306/trilio_dms
END
  template "$etc/$settings" <<'END'
# Settings of dms-client that are no secrets; docs/CONFIGURATION.md has them all. Files in client-credentials are there as
# /run/credentials/dms-client.service/dms_NAME.
#DMS_HTTP_HOST=127.0.0.1
#DMS_AUTH_MODE=keystone
#DMS_AUTH_URL=https://keystone.example:5000/v3
#DMS_SIGNING_KEY_FILE=/run/credentials/dms-client.service/dms_signing.pem
#DMS_CA_FILE=/run/credentials/dms-client.service/dms_ca.pem
END
else
  install -d -m 755 /var/lib/trilio
  # dms-server gives it the group and mode of its settings; here it is made for a node that mounts nothing yet.
  [ -d "$base" ] || install -d -m 750 "$base"
  template "$etc/$settings" <<'END'
# Settings of dms-server; docs/CONFIGURATION.md has them all. Only systemd reads this file. What is run by hand gets it by
#   set -a; . /etc/trilio-dms/server.env; set +a
# for which a value with other characters than letters, digits and :/@._,- stands in 'single quotes'.
#DMS_RABBITMQ_URL=amqps://NODE:PASSWORD@rabbit.example:5671
#DMS_AUTH_URL=https://keystone.example:5000/v3
# The name of this node, `host` in requests; default: the host name.
#DMS_NODE_ID=compute-01
# The group whose members reach the mounts beside root: needed if jobs run as another user.
#DMS_MOUNT_GROUP=backup-jobs
#DMS_TRUSTED_KEYS_FILE=/etc/trilio-dms/trusted.pem
#DMS_REQUIRE_SIGNED=true
END
fi

# A program that cannot start ends within seconds, and systemd may be about to start it once more.
stays_up() {
  seconds=0
  while [ $seconds -lt 5 ]; do
    sleep 1
    seconds=$((seconds + 1))
    [ "$(systemctl show --property=ActiveState --value "$unit")" = active ] || return 1
    [ "$(systemctl show --property=NRestarts --value "$unit")" = 0 ] || return 1
  done
}
not_started() {
  journalctl --unit="$unit" --lines=5 --output=cat --no-pager >&2 || true
  fail "$unit is installed and does not start: mend what the lines above say, and then: systemctl restart $unit"
}

mkdir -p "$units"
sed "s#/opt/dms/#$prefix/#g" "$prefix/systemd/$unit" >"$units/$unit.new"
mv "$units/$unit.new" "$units/$unit"
say "$unit is installed"
if systemd_runs; then
  systemctl daemon-reload
  [ $enable = no ] || systemctl enable --quiet "$unit"
  if [ $start = yes ]; then
    # Also of a unit that systemd is about to start again the restarts are counted anew.
    systemctl stop "$unit" || not_started
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start "$unit" || not_started
    stays_up || not_started
    say "$unit is started"
  fi
elif [ $enable = yes ] || [ $start = yes ]; then
  fail 'systemd does not run here: nothing was enabled or started'
fi
if [ "$program" = dms-server ]; then
  say "whether this node is fit: (set -a; . $etc/$settings; set +a; dms-server check)"
fi
[ $start = yes ] || say "not started; when the settings are filled in: systemctl start $unit"
