#!/bin/sh
# Builds the source distribution and, from it, the wheel; installs each into an empty environment and runs the wheel's
# sprites task from an empty folder, so that the packages are tested and not the checkout.
#
#     sh scripts/check_distributions.sh PYTHON [RESULTS]
#
# The dependencies come from the environment of PYTHON, the project itself from the built files alone. With RESULTS, the
# run must give the records that lie there. Where DIST is set, the built files are left in that folder.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
results=${2:+$(cd "$2" && pwd)}
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m build --outdir "$place/dist" "$root" >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }

for kind in wheel sdist; do
  case $kind in wheel) archive=$(ls "$place"/dist/*.whl) ;; sdist) archive=$(ls "$place"/dist/*.tar.gz) ;; esac
  "$python" -m venv "$place/$kind"
  "$place/$kind/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$archive"
done

# the third-party packages of the given environment, without its editable install of this project
mkdir "$place/third" "$place/empty"
"$python" -c 'import sys; print("\n".join(path for path in sys.path if path.endswith("site-packages")))' |
while read -r site; do
  for entry in "$site"/*; do
    case $(basename "$entry") in *rebeca*) ;; *) ln -sf "$entry" "$place/third/" ;; esac
  done
done
cd "$place/empty"
export PYTHONPATH="$place/third" HF_HUB_OFFLINE=1

packages() {
  "$place/$1/bin/python" -c 'import pathlib, benchmark; print(pathlib.Path(benchmark.__file__).parent.parent)'
}
for package in rebeca baselines benchmark; do
  diff -r -x __pycache__ "$(packages wheel)/$package" "$(packages sdist)/$package"
  test -f "$(packages wheel)/$package/py.typed"
done
"$place/sdist/bin/rebeca-bench" validate sprites

bench="$place/wheel/bin/rebeca-bench"
case $(packages wheel) in "$place"/wheel/*) ;; *) echo "the checkout was imported: $(packages wheel)"; exit 1 ;; esac
if [ -n "$results" ]; then
  "$bench" check run sprites --against "$results" --workdir "$place/work"
else
  "$bench" run sprites --quiet --workdir "$place/work"
fi
"$bench" new plugin set-scorer --output "$place/plugin"
"$bench" completion bash >/dev/null
"$bench" status --workdir "$place/work"
"$bench" cache verify --quiet --workdir "$place/work"
"$bench" verify "$place"/work/records/sprites/v*
"$bench" site build "$place/work/records" --out "$place/site"
test -f "$place/site/tasks/sprites/index.html"
if [ -n "${DIST:-}" ]; then mkdir -p "$DIST" && cp "$place"/dist/* "$DIST/"; fi
echo "the wheel runs, and the source distribution installs the same files"
