#!/bin/sh
# Makes what docker/compose.yaml keeps secret, for containers on this host:
#
#   make-secrets.sh [DIRECTORY]      default: the directory `secrets` beside this script
#
# DMS_NODE_ID names the node, as for compose; default: the name of this host. The node's account of the broker is for the
# queues of this name.
#
# The directory is root's alone (0700), so that files in it can be readable for whoever the images of MariaDB and
# RabbitMQ run as. A file that is there already stays as it is.
set -eu
umask 077
case ${1:-} in -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
directory=${1:-$(dirname "$0")/secrets}
# The number of dms-client's user in its image.
client_user=10001
node=${DMS_NODE_ID:-$(hostname)}

[ "$(id -u)" = 0 ] || { echo 'make-secrets.sh: only root can give files to other users' >&2; exit 1; }
command -v openssl >/dev/null || { echo 'make-secrets.sh: openssl is missing (package openssl)' >&2; exit 1; }
case $node in
  *[!A-Za-z0-9._-]*)
    echo "make-secrets.sh: DMS_NODE_ID: \"$node\" may hold letters, digits, '.', '_' and '-' only" >&2
    exit 1
    ;;
esac
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
random | make rabbitmq-client-password 0 400
random | make rabbitmq-server-password 0 400
database=$(cat mariadb-password)
client=$(cat rabbitmq-client-password)
server=$(cat rabbitmq-server-password)

hash() { # PASSWORD, as RabbitMQ keeps it: a salt of four bytes, and the SHA-256 of salt and password
  openssl rand -out salt 4
  { cat salt && { cat salt && printf %s "$1"; } | openssl dgst -sha256 -binary; } | openssl base64 -A
  rm salt
}
account() { # NAME PASSWORD
  printf '{ "name": "%s", "password_hash": "%s", ' "$1" "$(hash "$2")"
  printf '"hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [] }'
}

make rabbitmq.conf 0 444 <<END
load_definitions = /etc/rabbitmq/definitions.json
END
# The permissions of docs/SECURITY.md, which says what each is for. With definitions RabbitMQ makes no account of its own.
pattern=$(printf %s "$node" | sed 's/[.]/[.]/g')
own="dms[.]$pattern([.][0-9a-f]{32})?"
make rabbitmq-definitions.json 0 444 <<END
{
  "vhosts": [{ "name": "/" }],
  "users": [
    $(account dms-client "$client"),
    $(account dms-server "$server")
  ],
  "permissions": [
    {
      "user": "dms-client",
      "vhost": "/",
      "configure": "^(dms[.]events|amq[.]gen-.*)\$",
      "write": "^(amq[.]default|dms[.]events|amq[.]gen-.*)\$",
      "read": "^(dms[.]events|amq[.]gen-.*)\$"
    },
    {
      "user": "dms-server",
      "vhost": "/",
      "configure": "^($own|dms[.]events)\$",
      "write": "^(amq[.]default|dms[.]events)\$",
      "read": "^$own\$"
    }
  ],
  "topic_permissions": [
    {
      "user": "dms-client",
      "vhost": "/",
      "exchange": "dms.events",
      "write": "^state[.]",
      "read": "^(hello|event|state)[.]"
    },
    {
      "user": "dms-server",
      "vhost": "/",
      "exchange": "dms.events",
      "write": "^(hello|event[.][a-z]+)[.]$pattern\$",
      "read": "^\$"
    }
  ]
}
END
make client.conf $client_user 400 <<END
[client]
rabbitmq_url = amqp://dms-client:$client@rabbitmq:5672
db_url = mysql://dms:$database@mariadb:3306/trilio_dms
END
make server.conf 0 400 <<END
[server]
rabbitmq_url = amqp://dms-server:$server@127.0.0.1:5672
END
openssl genpkey -algorithm ed25519 | make signing.pem $client_user 400
openssl pkey -in signing.pem -pubout | make trusted.pem 0 444
make tokens $client_user 400 <<END
$(random) orchestrator service
END
echo "The token of the job orchestrator is in $directory/tokens."
