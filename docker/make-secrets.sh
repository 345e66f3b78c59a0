#!/bin/sh
# Makes what docker/compose.yaml keeps secret, for containers on this host:
#
#   make-secrets.sh [DIRECTORY]      default: the directory `secrets` beside this script
#
# The directory is root's alone (0700), so that files in it can be readable for whoever the images of MariaDB and
# RabbitMQ run as. A file that is there already stays as it is.
set -eu
umask 077
case ${1:-} in -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
directory=${1:-$(dirname "$0")/secrets}
# The number of dms-client's user in its image.
client_user=10001

[ "$(id -u)" = 0 ] || { echo 'make-secrets.sh: only root can give files to other users' >&2; exit 1; }
command -v openssl >/dev/null || { echo 'make-secrets.sh: openssl is missing (package openssl)' >&2; exit 1; }
mkdir -p "$directory"
chmod 700 "$directory"
cd "$directory"

make() { # FILE OWNER MODE, the text from standard input
  if [ -e "$1" ]; then
    cat >/dev/null
    echo "kept $1"
    return
  fi
  cat >"$1.new"
  chown "$2:$2" "$1.new"
  chmod "$3" "$1.new"
  mv "$1.new" "$1"
  echo "made $1"
}
random() { openssl rand -hex 24; }

random | make mariadb-root-password 0 444
random | make mariadb-password 0 444
random | make rabbitmq-password 0 400
database=$(cat mariadb-password)
broker=$(cat rabbitmq-password)
make rabbitmq.conf 0 444 <<END
default_user = dms
default_pass = $broker
END
make client.conf $client_user 400 <<END
[client]
rabbitmq_url = amqp://dms:$broker@rabbitmq:5672
db_url = mysql://dms:$database@mariadb:3306/trilio_dms
END
make server.conf 0 400 <<END
[server]
rabbitmq_url = amqp://dms:$broker@127.0.0.1:5672
END
openssl genpkey -algorithm ed25519 | make signing.pem $client_user 400
openssl pkey -in signing.pem -pubout | make trusted.pem 0 444
make tokens $client_user 400 <<END
$(random) orchestrator service
END
echo "The token of the job orchestrator is in $directory/tokens."
