# shellcheck shell=bash
# Processes that outlive the script. Each is recorded as "pid start-time" in DIR/pids/NAME: the kernel hands out a pid again, but
# never the same pair. Logs go to DIR/logs/NAME.log.

# The start time of a process in clock ticks since boot; nothing for one that is gone or a zombie.
process_start_time() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # The second field, the program's name, may hold spaces and brackets: count from its last bracket.
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] && printf '%s\n' "${fields[19]}"
}

# The pid of DIR's process NAME if it runs.
running_pid() {
  local pid started
  { read -r pid started <"$1/pids/$2"; } 2>/dev/null || return 1
  [[ $(process_start_time "$pid") == "$started" ]] && printf '%s\n' "$pid"
}

is_running() { running_pid "$1" "$2" >/dev/null; }

# start_process DIR NAME COMMAND...: in a session of its own, with no descriptor of the caller's left open. With CGROUP_PROCS set
# to a cgroup.procs file the process enters that cgroup before it becomes COMMAND.
start_process() {
  local dir=$1 name=$2
  shift 2
  mkdir -p "$dir/pids" "$dir/logs"
  # shellcheck disable=SC2016
  setsid bash -c '
    for ((fd = 3; fd < 256; fd++)); do eval "exec $fd>&-"; done
    [[ -z ${CGROUP_PROCS:-} ]] || echo $$ >"$CGROUP_PROCS" || exit 1
    unset CGROUP_PROCS
    exec "$@"' bash "$@" </dev/null >>"$dir/logs/$name.log" 2>&1 &
  printf '%s %s\n' "$!" "$(process_start_time $!)" >"$dir/pids/$name"
}

# end_process DIR NAME [SECONDS]: asks with SIGTERM, insists with SIGKILL after SECONDS (default 10), forgets the record.
end_process() {
  local dir=$1 name=$2 seconds=${3:-10} pid
  if pid=$(running_pid "$dir" "$name"); then
    kill "$pid" 2>/dev/null || true
    if ! wait_until "$seconds" "$name ends" has_ended "$dir" "$name" 2>/dev/null; then
      kill -9 "$pid" 2>/dev/null || true
      wait_until 10 "$name ends" has_ended "$dir" "$name"
    fi
  fi
  rm -f "$dir/pids/$name"
}

has_ended() { ! is_running "$1" "$2"; }

# The last lines of a process's log, for error messages.
show_log() {
  say "--- $2: last lines of $1/logs/$2.log"
  tail -n "${3:-15}" "$1/logs/$2.log" >&2 || true
}
