"""Files for Slurm and Kubernetes, which the project could not run: well formed, with commands that exist."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from benchmark.commands.main import main
from tests.conftest import ROOT, invoke

SCALE = ROOT / "scripts" / "scale"


def parsed(line):
    """Name and options of a command line of this project, as click understands them."""
    program, name, *words = shlex.split(line)
    assert program == "rebeca-bench"
    return name, main.commands[name].make_context(name, words, resilient_parsing=True).params


def test_the_job_of_kubernetes_keeps_its_schema():
    validate = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load((SCALE / "kubernetes.yaml").read_text())
    validate.validate(job, "1.34", strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    line = container["args"][0].replace("$((JOB_COMPLETION_INDEX + 1))", "8")
    name, options = parsed(line)
    assert name == "work" and options["shard"] == f"8/{job['spec']['completions']}"
    assert options["store"] == "s3://bucket/rebeca"


@pytest.fixture
def slurm(tmp_path):
    """An ``sbatch`` that runs every job at once, one share after the other, and prints a number."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "sbatch").write_text(
        "#!/bin/bash\n"
        'echo "$@" >> "$SBATCH_LOG"\n'
        'for word in "$@"; do\n'
        "  case $word in --array=*) shares=${word#--array=1-};; --wrap=*) line=${word#--wrap=};; esac\n"
        "done\n"
        "for share in $(seq 1 ${shares:-1}); do\n"
        '  SLURM_ARRAY_TASK_ID=$share SLURM_JOB_ID=$RANDOM$share bash -euc "$line" >> "$SBATCH_LOG" 2>&1 || exit 1\n'
        "done\n"
        "echo 4711\n"
    )
    (bin_folder / "rebeca-bench").write_text(
        f'#!/bin/bash\nexec {sys.executable} -c "from benchmark.commands.main import main; main()" "$@" --quiet\n'
    )
    for script in bin_folder.iterdir():
        script.chmod(0o755)
    return bin_folder


@pytest.mark.slow
def test_the_script_of_slurm_runs_a_task(tiny, tmp_path, slurm):
    environment = os.environ | {
        "PATH": f"{slurm}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SBATCH_LOG": str(tmp_path / "log"),
        "HOME": str(tmp_path / "home"),
        "SLURM_TMPDIR": str(tmp_path / "nodes"),
        "TASK": str(tiny),
        "STORE": f"file://{tmp_path}/shared",
        "SHARES": "2",
    }
    script = SCALE / "slurm.sh"
    subprocess.run(["bash", script], env=environment, check=True, cwd=tmp_path)
    log = (tmp_path / "log").read_text()
    assert re.findall(r"(\w+), share (\d/\d)", log) == [
        (stage, share) for stage in ("fits", "images", "scores") for share in ("1/2", "2/2")
    ]
    assert log.count("--dependency=afterok:4711") == 3
    assert "rebeca" in invoke("show", "tiny", "--workdir", tmp_path / "home" / "rebeca")
