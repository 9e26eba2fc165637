# Sourced by setup, demo, test and .ci/run: steps that are quiet when all is well and show one progress line meanwhile.

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
logs=$top/build/logs
export CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1  # a clone elsewhere finds what this one has compiled
live=0
if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then live=1; fi
step_watcher=
trap '[[ -z $step_watcher ]] || kill "$step_watcher" 2>/dev/null' EXIT

say() { printf '%s\n' "$*" >&2; }

# usage_of SCRIPT: prints the comment block at the head of a script.
usage_of() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$1"; }

# watch TITLE LOG: keeps one line up to date from the last "12/120" in the log; where no terminal is, a line now and then.
watch() {
  local began=$SECONDS told=0 count
  while sleep 1 >/dev/null 2>&1; do  # an orphan of it must not hold the caller's pipe open
    count=$(tail -c 2000 "$2" 2>/dev/null | grep -aoE '\b[0-9]+/[0-9]+\b' | tail -n 1 || true)
    if ((live)); then
      printf '\r\033[K%s %s (%d s)' "$1" "$count" $((SECONDS - began)) >&2
    elif ((SECONDS - began >= told)); then
      say "  $1 $count ($((SECONDS - began)) s)"
      told=$((SECONDS - began + 30))
    fi
  done
}

# step TITLE COMMAND...: runs quietly into build/logs; says how long it took when that was noticeable. On failure shows
# what the log says and returns the command's status.
step() {
  local title=$1 log=$logs/${1//[^A-Za-z0-9]/_}.log began=$SECONDS status=0
  shift
  mkdir -p "$logs" && : >"$log"
  watch "$title" "$log" &
  step_watcher=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$step_watcher" 2>/dev/null || true
  wait "$step_watcher" 2>/dev/null || true
  step_watcher=
  if ((live)); then printf '\r\033[K' >&2; fi
  if ((status)); then
    say "FAILED after $((SECONDS - began)) s: $title. From $log:"
    show_failure "$log"
    return "$status"
  fi
  if ((SECONDS - began >= 2 || ${step_always:-0})); then say "$title: done in $((SECONDS - began)) s"; fi
}

# show_failure LOG: of a test run what did not pass, of a build what did not compile, else the end.
show_failure() {
  if grep -qaE '^[0-9]+% tests passed' "$1"; then
    grep -avE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* (Passed|Not Run) )' "$1" | tail -n 150 >&2
  elif grep -qa '^FAILED: ' "$1"; then
    grep -aA 40 -m 1 '^FAILED: ' "$1" | cut -c 1-400 >&2
  else
    tail -n 40 "$1" >&2
  fi
}

# How many files to compile at once: the processors there are, as far as memory goes (a LibTorch file takes 1.3 GB).
jobs_here() {
  local limit available_kib
  available_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  if [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1024 < available_kib)); then available_kib=$((limit / 1024)); fi
  local fit=$((available_kib / 1400000)) processors
  processors=$(nproc)
  if ((fit < 1)); then fit=1; fi
  echo $((fit < processors ? fit : processors))
}

# build PRESET [TARGET...]: configures when needed, then builds.
build() {
  local preset=$1 folder=$top/build/$1
  shift
  cd "$top"
  if [[ ! -f $folder/build.ninja || CMakePresets.json -nt $folder/build.ninja ]]; then
    step "configuring $preset" cmake --preset "$preset"
  fi
  NINJA_STATUS='[%f/%t] ' step "building $preset" cmake --build "$folder" --parallel "$(jobs_here)" ${1:+--target "$@"}
}

# run_tests PRESET [CTEST ARGUMENT...]: ends with ctest's own closing lines.
run_tests() {
  local preset=$1
  shift
  cd "$top"
  step "testing $preset" ctest --preset "$preset" --parallel "$(nproc)" "$@"
  grep -aE '^([0-9]+% tests passed|Total Test time)' "$logs/testing_$preset.log"
}
