#!/usr/bin/env bash
# The figures of a GPU in one table, each with its prediction.
#
#   bench/gpu/figures.sh pack BUILD FOLDER   what another machine needs, less libtorch, under 50 MB: FOLDER/figures.sh runs there
#   figures.sh run [OPTION...] [PART...]     runs the parts and writes OUT/figures.md; all parts if none is named
#
#   --device WORD    cuda (default), cuda:N or cpu
#   --small          tiny sizes: whether the parts run, not how fast
#   --build DIR      programs of a build folder, in place of packed ones
#   --torch DIR      the libtorch that packed programs load; by default that of `python3 -c 'import torch'`
#   --python FILE    the interpreter that may have transformers (default python3)
#   --peak TFLOPS    of the card in dense bf16; by default that of its data sheet, if it is known here
#   --out DIR        default figures
#   --limit S        seconds that a part may take (180), --total S all of them (480); what does not fit is said
#
# Parts: tests start full lora decode-1 decode-2 decode-3 equal cpu hf-train hf-generate
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
all_parts=(tests full lora decode-3 equal cpu start decode-1 decode-2 hf-train hf-generate)

die() { printf 'figures: %s\n' "$*" >&2; exit 2; }

# Of libtorch in DIR, its version.
torch_version() { sed -n "s/^__version__ = '\([^+']*\).*/\1/p" "$1/version.py"; }

# Libraries of PROGRAM that a machine with libtorch may lack.
libraries_of() {
  ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
    grep -vE '/(libtorch[^/]*|libc10|libcud[^/]*|libcupti|libnv[^/]*|libc|libm|libdl|librt|libpthread|libresolv|libstdc\+\+|libgcc_s)\.so[^/]*$'
}

pack() {
  [ $# = 2 ] || die "pack: want BUILD and FOLDER"
  local build=$1 out=$2 program library torch
  rm -rf "$out.part"
  mkdir -p "$out.part"/{bin,lib,peers,data}
  for program in bench/bench_gpu tests/test_gpu; do
    [ -x "$build/$program" ] || die "pack: $build/$program is not there; build it first"
    strip -o "$out.part/bin/${program##*/}" "$build/$program"
    libraries_of "$build/$program"
  done | sort -u | while read -r library; do
    cp -L "$library" "$out.part/lib/"
    strip --strip-unneeded "$out.part/lib/${library##*/}"
  done
  cp "$here"/{figures.sh,table.py,predict.py,counts.jsonl,hf_gpu.py} "$out.part/"
  cp "$here"/../peers/{hf_train,hf_generate,peer_env}.py "$out.part/peers/"
  cp -r "$here/../../data/organism" "$out.part/data/"
  torch=$(ldd "$build/bench/bench_gpu" | sed -n 's/.* => \(.*\)\/lib\/libtorch_cpu.so .*/\1/p')
  {
    torch_version "$torch"
    git -C "$here" describe --always --dirty 2>/dev/null || echo unknown
  } >"$out.part/packed"
  local bytes
  bytes=$(du -sb "$out.part" | cut -f1)
  [ "$bytes" -lt 50000000 ] || die "pack: $out.part has $bytes bytes, want less than 50 MB"
  rm -rf "$out"
  mv "$out.part" "$out"
  echo "figures: $out, $((bytes / 1000000)) MB, for libtorch $(head -1 "$out/packed")"
}

device=cuda small=() build='' torch='' python=python3 peak='' out=figures limit=180 total=480 parts=() with=()

options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --small) small=(--small) ;;
      --device | --build | --torch | --python | --peak | --out | --limit | --total)
        [ $# -gt 1 ] || die "$1: want a value after it"
        printf -v "${1#--}" %s "$2"
        shift ;;
      *)
        [[ " ${all_parts[*]} " == *" $1 "* ]] || die "want an option or a part (${all_parts[*]}), got $1"
        parts+=("$1") ;;
    esac
    shift
  done
  [ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")
}

# Where the programs are, and the libtorch that they load.
programs() {
  if [ -n "$build" ]; then
    bench_gpu=$build/bench/bench_gpu test_gpu=$build/tests/test_gpu
    torch=$(ldd "$bench_gpu" | sed -n 's/.* => \(.*\)\/lib\/libtorch_cpu.so .*/\1/p')
    version=$(torch_version "$torch")
    commit=$(git -C "$here" describe --always --dirty 2>/dev/null || echo unknown)
    return
  fi
  [ -e "$here/packed" ] || die "these are not packed programs; give --build, or pack them first"
  [ -n "$torch" ] || torch=$("$python" -c 'import torch; print(torch.__path__[0])') || die "$python has no torch; give --torch"
  version=$(torch_version "$torch")
  commit=$(tail -1 "$here/packed")
  [ "$version" = "$(head -1 "$here/packed")" ] ||
    die "packed for libtorch $(head -1 "$here/packed"), $torch is $version; pack a build against that one"
  bench_gpu=$here/bin/bench_gpu test_gpu=$here/bin/test_gpu
  with=(env "LD_LIBRARY_PATH=$here/lib:$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "SEAWALL_DATA=$here/data")
}

# Dense bf16, from NVIDIA's data sheets. Units: TFLOP/s.
peak_of() {
  case $1 in
    *H200*NVL* | *H100*NVL* | *H100*PCIe*) ;; # slower forms
    *H200* | *H100*) echo 989 ;;
    *A100*) echo 312 ;;
  esac
}

machine() {
  card='' driver=none
  if [ "$device" = cpu ]; then
    card=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 || true)
  else
    local number=${device#cuda} said
    number=${number#:}
    if said=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader -i "${number:-0}" 2>/dev/null); then
      IFS=, read -r card driver <<<"$said"
    else # as the kernel's module says it
      card=$(cat /proc/driver/nvidia/gpus/*/information 2>/dev/null | sed -n 's/^Model:[[:space:]]*//p' | head -1 || true)
      driver=$(sed -n 's/.*Module[^0-9]*\([0-9.]*\) .*/\1/p' /proc/driver/nvidia/version 2>/dev/null | head -1 || true)
    fi
    card=${card:-unknown card} driver=${driver:-unknown}
    [ -n "$peak" ] || peak=$(peak_of "$card")
  fi
}

# Runs one part: its output into OUT/PART.jsonl, its exit status and seconds into OUT/PART.state.
run_part() {
  local part=$1 left=$((total - SECONDS)) begin=$SECONDS rc=0 command
  [ "$left" -lt "$limit" ] || left=$limit
  if [ "$left" -le 0 ]; then
    echo "not-run 0" >"$out/$part.state"
    return
  fi
  case $part in
    tests) command=("${with[@]}" "$test_gpu" "--gtest_filter=*/$([ "$device" = cpu ] && echo composite || echo cuda)") ;;
    hf-*)
      if ! "$python" -c 'import transformers' 2>/dev/null; then
        echo "no-transformers 0" >"$out/$part.state"
        return
      fi
      command=("$python" "$here/hf_gpu.py" "${part#hf-}" --device "$device" "${small[@]}") ;;
    *) command=("${with[@]}" "$bench_gpu" --device "$device" "${small[@]}" ${peak:+--peak "$peak"} "$part") ;;
  esac
  timeout -k 5 "$left" "${command[@]}" >"$out/$part.jsonl" 2>"$out/$part.log" || rc=$?
  echo "$rc $((SECONDS - begin))" >"$out/$part.state"
  echo "figures: $part, $((SECONDS - begin)) s, exit status $rc$([ $rc = 0 ] || echo ": $(tail -1 "$out/$part.log")")" >&2
}

run() {
  options "$@"
  [ ${#small[@]} = 0 ] || export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # tiny products on many threads wait more than they compute
  programs
  machine
  mkdir -p "$out"
  rm -f "$out"/*.{jsonl,log,state}
  printf '%s\n' "device=$device" "small=${#small[@]}" "card=$card" "driver=${driver# }" "date=$(date -u +'%-d %B %Y')" \
    "torch=$version" "commit=$commit" "peak=$peak" >"$out/facts"
  local part
  for part in "${parts[@]}"; do run_part "$part"; done
  "$python" "$here/table.py" "$out" >"$out/figures.md" || { cat "$out/figures.md"; return 1; }
  cat "$out/figures.md"
}

case ${1:-} in
  pack | run) "$@" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; [ $# = 0 ] || exit 2 ;;
esac
