#!/bin/sh
# Builds the wheel and runs its sprites task from an empty folder, so that the package is tested and not the checkout;
# what comes out must be what was published.
# The dependencies come from the environment of the given Python; the project itself comes from the wheel alone.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m build --wheel --outdir "$place/dist" "$root" >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }
"$python" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$place"/dist/*.whl
# the third-party packages of the given environment, without its editable install of this project
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir "$place/third" "$place/empty"
for entry in "$site"/*; do
  case $(basename "$entry") in *rebeca*) ;; *) ln -s "$entry" "$place/third/" ;; esac
done
cd "$place/empty"
export PYTHONPATH="$place/third" HF_HUB_OFFLINE=1
"$place/venv/bin/rebeca-bench" check run sprites --against "$root/results" --workdir "$place/work"
"$place/venv/bin/rebeca-bench" verify "$place/work/records/sprites/v1"
"$place/venv/bin/rebeca-bench" site build "$place/work/records" --out "$place/site"
"$place/venv/bin/python" - "$place" <<'PYTHON'
import pathlib, sys
import benchmark
assert pathlib.Path(sys.argv[1]) in pathlib.Path(benchmark.__file__).parents, benchmark.__file__
PYTHON
test -f "$place/site/tasks/sprites/index.html"
echo "the wheel runs"
