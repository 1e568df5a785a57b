# shellcheck shell=bash
# What the clients saw: the load's summary as a table by second, and what the demo expects of it.

# show_table FILE FROM TO: a line a second, with a bar of ten for the share of version TO.
show_table() {
  printf '%8s %10s %10s %8s   %s\n' second "version $2" "version $3" errors "share of version $3"
  jq -r --arg from "$2" --arg to "$3" '.bySecond[] | [.t, (.versions[$from] // 0), (.versions[$to] // 0), .errors] | @tsv' "$1" | while read -r second one two errors; do
    printf '%8s %10s %10s %8s   %s\n' "$second" "$one" "$two" "$errors" "$(bar "$two" "$((one + two))")"
  done
  jq -r '"\(.total) requests, \(.failures) lost; slowest answer \(.slowestMillis) ms"' "$1"
}

bar() {
  local filled line=
  (($2 > 0)) || return 0
  filled=$((($1 * 10 + $2 / 2) / $2))
  for ((i = 0; i < 10; i++)); do if ((i < filled)); then line+='#'; else line+='.'; fi; done
  echo "$line $(($1 * 100 / $2)) %"
}

expect_no_loss() {
  local total failures
  read -r total failures < <(jq -r '[.total, .failures] | @tsv' "$1")
  ((total > 0)) || fail "the load sent no request"
  ((failures == 0)) || fail "$failures of $total requests were lost: $(jq -c .byError "$1")"
  echo "ok: $total requests, none lost"
}

# expect_versions FILE VERSIONS: the versions that answered, as a sorted JSON list.
expect_versions() { expect "versions that answered" "$2" "$(jq -c '.byVersion | keys' "$1")"; }
