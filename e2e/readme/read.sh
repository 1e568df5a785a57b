# shellcheck shell=bash
# Takes a page apart: read_page PAGE FOLDER writes NNN.run (a command), NNN.skip (one not to be run), NNN.words (its output as
# shown) and NNN.yaml.

read_page() {
  local page=$1 folder=$2
  mkdir -p "$folder"
  awk -v folder="$folder" -v page="$(basename "$page")" '
    function refuse(why) { printf "error: %s:%d: %s\n", page, NR, why > "/dev/stderr"; bad = 1; exit 1 }
    function name(ending) { return sprintf("%s/%03d.%s", folder, n, ending) }
    !fence && /^<!-- not run: .+ -->$/ { reason = 1; next }
    !fence && /^```/ {
      fence = substr($0, 4)
      if (fence !~ /^(console|yaml|json|text|mermaid)$/) refuse("a block of kind \"" fence "\": commands belong in ```console, the rest in yaml, json, text or mermaid")
      ending = reason ? "skip" : "run"; reason = 0; has = 0
      if (fence == "yaml") n++
      next
    }
    /^```/ { fence = ""; more = 0; next }
    fence != "console" && /^ *\$ / { refuse("a command outside of a ```console block") }
    fence == "yaml" { print > name("yaml"); next }
    fence != "console" { if (!fence && NF) reason = 0; next }
    more { print > name(ending); more = /\\$/; next }
    /^\$ / { n++; has = 1; print substr($0, 3) > name(ending); more = /\\$/; next }
    !has { refuse("output before any command") }
    { print > name("words") }
    END { if (!bad && fence) { printf "error: %s: a block has no end\n", page > "/dev/stderr"; exit 1 } }
  ' "$page" || fail "the page cannot be read"
  [[ -n $(find "$folder" -name '*.run' -print -quit) ]] || fail "$(basename "$page") has no command to run"
}

# Commands in running text are commands, too: `make x` must be the beginning of one that stands in a block.
# shellcheck disable=SC2016  # Markdown's backticks
check_inline_commands() {
  local command known
  known=$(find "$2" \( -name '*.run' -o -name '*.skip' \) -exec cat {} +)
  while read -r command; do
    grep -qE "^$(sed 's/[][\.*^$/+?(){}|]/\\&/g' <<<"$command")( |$)" <<<"$known" ||
      fail "$(basename "$1") names the command \`$command\`, which stands in no \`\`\`console block"
  done < <(awk '/^```/ { fence = !fence; next } !fence' "$1" | grep -oE '`(make|kubectl|helm|cargo|git|source|docker|kind) [^`]+`' | tr -d '`' |
    grep -vxE 'kubectl sluice' | sort -u)
}
