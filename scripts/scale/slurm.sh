#!/bin/bash
# A task as job arrays of Slurm: fits, images and scores in shares, then the records and the page.
#
#   TASK=tinyworld STORE=s3://bucket/rebeca SHARES=8 bash scripts/scale/slurm.sh
#
# STORE is a place that every node reaches: an object store, or file:///folder on a shared file system. Every job has a
# work folder on its own disk. A job that is stopped is submitted again with the same command, and goes on.
# Not run by the project: no cluster of Slurm was at hand. Tests check that it parses, and run its commands.
set -euo pipefail
: "${TASK:?name of a task, or a task file}" "${STORE:?address of a shared place}"
SHARES="${SHARES:-8}"
OPTIONS=(--parsable --cpus-per-task=1 --mem=8G --time=04:00:00 --requeue)

share() { # stage, job to wait for
  sbatch "${OPTIONS[@]}" --job-name="rebeca-$1" --array="1-$SHARES" ${2:+--dependency="afterok:$2"} \
    --wrap="rebeca-bench work '$TASK' --stage $1 --shard \$SLURM_ARRAY_TASK_ID/$SHARES --store '$STORE' \
--workdir \"\${SLURM_TMPDIR:-/tmp}/rebeca-\$SLURM_JOB_ID\""
}

fits=$(share fits "")
images=$(share images "$fits")
scores=$(share scores "$images")
sbatch "${OPTIONS[@]}" --job-name=rebeca-run --dependency="afterok:$scores" \
  --wrap="rebeca-bench run '$TASK' --store '$STORE' --workdir \"\$HOME/rebeca\""
