#!/bin/sh
# A backup every night at BACKUP_HOUR (UTC), the last BACKUP_KEEP kept. Runs in the container `backup`; the archives
# are in its volume, and from there they belong on another machine (docs/operate.md).
set -eu
folder=${BACKUP_DIR:-/backup} hour=${BACKUP_HOUR:-2} keep=${BACKUP_KEEP:-14}

archive() {
	if temoin backup "$folder/temoin-$(date -u +%Y-%m-%dT%H%M%SZ).backup"; then
		find "$folder" -name 'temoin-*.backup' | sort -r | tail -n "+$((keep + 1))" | xargs -r rm -f
	else
		echo "no backup was made; again in an hour" >&2
		return 1
	fi
}

# a sleep that a signal ends
pause() { sleep "$1" & wait $!; }

[ "${1:-}" != now ] || { archive; exit; }
trap 'exit 0' TERM INT
# one at the first start, so that there is one
[ -n "$(find "$folder" -name 'temoin-*.backup' -mmin -1440)" ] || archive || true
while :; do
	now=$(date -u +%s)
	wait=$(((hour * 3600 - now % 86400 + 86400) % 86400))
	pause $((wait > 0 ? wait : 86400))
	until archive; do pause 3600; done
done
