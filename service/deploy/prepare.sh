#!/bin/sh
# Secrets and the broker's certificate, in the folder `secrets` beside docker-compose.yml. Twice is harmless: what
# is there is left alone. To renew the broker's certificate: rm secrets/broker_crt, run this again, restart broker.
#
#   sh service/deploy/prepare.sh broker.ville.example [10.20.0.5 …]
#
# The names and addresses are those the gateways will connect to.
set -eu

[ $# -ge 1 ] || { echo "Say by which name gateways reach the broker: sh $0 broker.ville.example" >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is needed: apt-get install openssl" >&2; exit 1; }

mkdir -p secrets
cd secrets
# The folder is its owner's alone; the files are open, because each is mounted into containers that run under
# other numbers than its owner's.
chmod 700 .
umask 022

secret() {
	[ -s "$1" ] || { openssl rand -hex 32 >"$1.draft" && mv "$1.draft" "$1" && echo "made secrets/$1"; }
}

for name in secret_key metrics_token mqtt_password postgres_password database_password \
	grafana_database_password grafana_password influx_password influx_admin_token; do
	secret "$name"
done
[ -s database_url ] ||
	echo "postgresql://temoin:$(cat database_password)@postgres/temoin" >database_url
# Nobody may guess under which name an ingest is known at the broker either: Mosquitto hands the session of a name, and
# what waits in it, to whoever signs in with that name, and drops what he may not read.
for name in mqtt_client_id mqtt_client_id_1 mqtt_client_id_2; do
	[ -s "$name" ] || echo "temoin-$(openssl rand -hex 8)" >"$name"
done
# The group of a shared subscription has a name that nobody can guess: Mosquitto's access list does not keep a
# gateway from joining one, and who joins takes messages away.
if [ ! -s mqtt_topics ]; then
	share="\$share/$(openssl rand -hex 16)"
	echo "$share/temoin/#,$share/application/#,$share/v3/#,$share/zigbee2mqtt/#" >mqtt_topics
fi

curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
if [ ! -s ca_crt ]; then
	# shellcheck disable=SC2086 # several words on purpose
	openssl req -x509 $curve -days 3650 -keyout ca_key -out ca_crt -subj "/CN=Temoin broker authority" \
		-addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
	chmod 600 ca_key # signs, and is mounted nowhere
	echo "made secrets/ca_crt: give it to every gateway; keep ca_key elsewhere"
fi
if [ ! -s broker_crt ]; then
	alternatives="DNS:broker,DNS:localhost"
	for name in "$@"; do
		case $name in
		*:*) kind=IP ;;
		*[!0-9.]*) kind=DNS ;;
		*) kind=IP ;;
		esac
		alternatives="$alternatives,$kind:$name"
	done
	printf '%s\n' "subjectAltName=$alternatives" "basicConstraints=critical,CA:FALSE" \
		"keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth" \
		"subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" >extensions.draft
	# shellcheck disable=SC2086
	openssl req $curve -keyout broker_key -out request.draft -subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in request.draft -CA ca_crt -CAkey ca_key -days 825 -extfile extensions.draft \
		-out broker_crt 2>/dev/null
	rm -f request.draft extensions.draft ca_crt.srl
	chmod 644 broker_key
	echo "made secrets/broker_crt for $alternatives, until $(openssl x509 -noout -enddate -in broker_crt | cut -d= -f2)"
fi
