#!/bin/sh
# Starts Chromium as a waiting-room screen: full screen, nothing kept, no way to another page.
#   KETAMINE_GUIDE_URL   address of the guide (http://127.0.0.1:8080)
#   KIOSK_PRINT=yes      print without asking, to the default printer
# Ends when staff leave with their PIN (exit code 0); starts again when the browser crashes. See docs/kiosk.md.
set -eu
url="${KETAMINE_GUIDE_URL:-http://127.0.0.1:8080}/kiosk"
browser="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}"
profile="$(mktemp -d)"
trap 'rm -rf "$profile"' EXIT INT TERM

set -- --kiosk --incognito --app="$url" --user-data-dir="$profile" \
  --no-first-run --noerrdialogs --disable-session-crashed-bubble --disable-infobars --disable-translate \
  --disable-features=Translate,OverscrollHistoryNavigation,MediaRouter --overscroll-history-navigation=0 --disable-pinch \
  --disable-background-networking --disable-component-update --disable-sync --disable-extensions --disable-dev-tools \
  --password-store=basic --touch-events=enabled
[ "${KIOSK_PRINT:-}" = yes ] && set -- "$@" --kiosk-printing

while :; do
  "$browser" "$@" && exit 0
  sleep 2
done
