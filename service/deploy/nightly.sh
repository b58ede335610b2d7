#!/bin/sh
# A backup every night at BACKUP_HOUR (UTC), the last BACKUP_KEEP kept: of Témoin, or with BACKUP_OF=influxdb of
# InfluxDB by its own tool. Runs in the containers `backup` and `influx-backup`; what it makes is in their volumes,
# and from there it belongs on another machine (docs/operate.md).
#   nightly.sh          every night      nightly.sh now     one more, at once      nightly.sh check   is there a new one?
set -eu
of=${BACKUP_OF:-temoin} folder=${BACKUP_DIR:-/backup} hour=${BACKUP_HOUR:-2} keep=${BACKUP_KEEP:-14}

copy() {
	case $of in
	temoin) temoin backup "$1" ;;
	influxdb)
		# a copy that was cut short is not taken for one
		rm -rf "$folder/draft"
		INFLUX_TOKEN=$(cat "$INFLUX_TOKEN_FILE") influx backup "$folder/draft" >/dev/null && mv "$folder/draft" "$1"
		;;
	esac
}

archive() {
	if copy "$folder/$of-$(date -u +%Y-%m-%dT%H%M%SZ).backup"; then
		find "$folder" -name "$of-*.backup" | sort -r | tail -n "+$((keep + 1))" | xargs -r rm -rf
	else
		echo "no backup was made; again in an hour" >&2
		return 1
	fi
}

recent() { [ -n "$(find "$folder" -maxdepth 1 -name "$of-*.backup" -mmin "-$1")" ]; }

# a sleep that a signal ends
pause() { sleep "$1" & wait $!; }

case ${1:-} in
now) archive; exit ;;
# a night, and the time a copy takes
check) recent 1560 || { echo "no backup of the last 26 hours in $folder" >&2; exit 1; }; exit ;;
esac
trap 'exit 0' TERM INT
# one at the first start, so that there is one
recent 1440 || archive || true
while :; do
	now=$(date -u +%s)
	wait=$(((hour * 3600 - now % 86400 + 86400) % 86400))
	pause $((wait > 0 ? wait : 86400))
	until archive; do pause 3600; done
done
