#!/usr/bin/env bash
# Runs a command in a desktop session of its own: a screen, a session bus, an unlocked
# keychain, and a home that is thrown away. `session.sh COMMAND [ARGUMENT…]`
set -euo pipefail

if [ -z "${SIGNALBOX_SESSION:-}" ]; then
  export SIGNALBOX_SESSION=1
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  mkdir -m 0700 "$home/run" "$home/.config" "$home/.cache" "$home/.local" "$home/.local/share"
  # Nothing of the caller's session leaks in: neither its bus, its keychain nor its settings.
  env -u DBUS_SESSION_BUS_ADDRESS -u WAYLAND_DISPLAY -u DISPLAY \
    HOME="$home" XDG_CONFIG_HOME="$home/.config" XDG_DATA_HOME="$home/.local/share" \
    XDG_CACHE_HOME="$home/.cache" XDG_RUNTIME_DIR="$home/run" \
    dbus-run-session --config-file="$(dirname "$0")/bus.conf" -- xvfb-run --auto-servernum --server-args="-screen 0 1400x900x24" bash "$0" "$@"
  exit
fi

# The login keychain is made on the first unlock. Only the secrets component: no ssh, no pkcs11.
printf 'a password for tests' | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1
# There is no graphics card here; the variable also says so to the app, which then leaves it alone.
export WEBKIT_DISABLE_DMABUF_RENDERER=1 GDK_BACKEND=x11 LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1
"$@"
