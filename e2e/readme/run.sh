# shellcheck shell=bash
# Runs what read.sh took from a page. All commands share one shell, as a reader's do: what is exported stays.

# A namespace that the page creates may be left from a run that was broken off.
forget_namespaces() {
  local space
  while read -r space; do
    # shellcheck disable=SC2086  # a prefix of several words
    $ENTER kubectl delete namespace "$space" --ignore-not-found --timeout=90s >/dev/null
  done < <(sed -n 's/^kubectl create namespace \([a-z0-9-]*\)$/\1/p' "$1"/*.run)
}

run_page() {
  local folder=$1
  mkdir -p "$SCRATCH/home"
  write_driver "$folder" >"$SCRATCH/driver"
  (
    cd "$SCRATCH/sluice"
    # cargo and rustup live in the real home.
    export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} HOME="$SCRATCH/home" NO_COLOR=1
    # shellcheck disable=SC2086  # a prefix of several words
    $ENTER bash "$SCRATCH/driver"
  ) || fail "$(basename "$README"): the command above failed, or did not say what the page shows"
}

# The shell script that runs the page's commands one after the other; input is empty, so a shell that is opened ends at once.
write_driver() {
  local file
  printf 'set -euo pipefail\nROOT=%q\n' "$ROOT"
  cat <<'BASH'
in_checkout() { (cd "$ROOT" && eval "$1"); }
shows() { # shows OUTPUT WORDS: every plain word of the page stands in the output
  local word
  grep -oE '[^[:space:]]+' "$2" | sed -E 's/^["'"'"'(]+//; s/["'"'"',;:.)]+$//' | grep -xE '[A-Za-z][A-Za-z.-]+' | while read -r word; do
    grep -qF -- "$word" "$1" || { echo "the page shows \"$word\", the output does not" >&2; exit 1; }
  done
}
BASH
  for file in "$1"/*.run; do
    printf 'command=%q words=%q output=%q\n' "$(<"$file")" "${file%.run}.words" "${file%.run}.output"
    cat <<'BASH'
echo "\$ $command"
case $command in
  make\ * | cargo\ *) in_checkout "$command" </dev/null >"$output" 2>&1 || { cat "$output"; exit 1; } ;;
  *) eval "$command" </dev/null >"$output" 2>&1 || { cat "$output"; exit 1; } ;;
esac
cat "$output"
if [[ -e $words ]]; then shows "$output" "$words"; fi
BASH
  done
}

# What a reader may copy has to be taken by the API server: the page's YAML and all examples, in a namespace of their own.
check_manifests() {
  local file space=readme-check
  # shellcheck disable=SC2086
  $ENTER kubectl delete namespace "$space" --ignore-not-found --timeout=90s >/dev/null
  # shellcheck disable=SC2086
  $ENTER kubectl create namespace "$space" >/dev/null
  while read -r file; do
    # shellcheck disable=SC2086
    $ENTER kubectl -n "$space" apply --dry-run=server --validate=strict -f "$file" >/dev/null || fail "the API server refuses ${file#"$SCRATCH/"}"
  done < <(find "$1" "$ROOT/examples" -name '*.yaml' | sort)
  # shellcheck disable=SC2086
  $ENTER kubectl delete namespace "$space" --wait=false >/dev/null
}
