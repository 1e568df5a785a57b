# shellcheck shell=bash
# "Build again only when an input changed", by content: times of files say nothing after a checkout.

# hash_inputs INPUT...: inputs that exist are hashed as files or whole folders, the others as words.
hash_inputs() {
  local input
  for input in "$@"; do
    if [[ -d $input ]]; then
      (cd "$input" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
    elif [[ -f $input ]]; then
      sha256sum <"$input"
    else
      printf '%s\n' "$input"
    fi
  done | sha256sum | cut -d' ' -f1
}

# is_stamped STAMP HASH OUTPUT...: the stamp holds this hash and every output is there.
is_stamped() {
  local stamp=$1 hash=$2 output
  shift 2
  for output in "$@"; do [[ -e $output ]] || return 1; done
  [[ -f $stamp && $(<"$stamp") == "$hash" ]]
}

stamp() { printf '%s\n' "$2" >"$1.part" && mv "$1.part" "$1"; }
