"""Small scripts that play Slurm's programs: a cluster of one node, this machine, that really carries jobs out."""

import os
import stat
import sys
from pathlib import Path

import pytest

SBATCH = """
import os, subprocess, sys
from pathlib import Path
cluster = Path(os.environ["FAKE_SLURM"])
number = str(len(list(cluster.glob("*.sh"))) + 1)
script = cluster / f"{number}.sh"
script.write_text(Path(sys.argv[1]).read_text())
if not (cluster / "full").exists():
    # A node has nothing of the environment but what the script exports.
    kept = {name: os.environ[name] for name in ("PATH", "FAKE_SLURM")}
    given = kept | {"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_CPUS_PER_TASK": "3"}
    log = (cluster / f"{number}.log").open("wb")
    job = subprocess.Popen(["bash", script], env=given, stdout=log, stderr=log, stdin=log, start_new_session=True)
    (cluster / f"{number}.pid").write_text(str(job.pid))
print(f"Submitted batch job {number}")
"""
SRUN = """
import os, subprocess, sys
arguments = sys.argv[1:]
tasks = 1
while arguments[0].startswith("-"):
    name, _, value = arguments[0].partition("=")
    tasks = int(value) if name == "--ntasks" else tasks
    arguments = arguments[1 if value or name in ("--unbuffered", "--overlap") else 2:]
if tasks == 1:
    os.execvp(arguments[0], arguments)
nodes = [subprocess.Popen(arguments, env=os.environ | {"SLURM_PROCID": str(number)}) for number in range(tasks)]
sys.exit(max(abs(node.wait()) for node in nodes))
"""
SQUEUE = """
import os, sys
from pathlib import Path
import psutil
cluster = Path(os.environ["FAKE_SLURM"])
number = next(part.removeprefix("--jobs=") for part in sys.argv if part.startswith("--jobs="))
(cluster / "asked").open("a").write(number + "\\n")
if (cluster / "down").exists():
    sys.exit("slurm_load_jobs error: Unable to contact slurm controller")
if not (cluster / f"{number}.sh").exists():
    sys.exit("slurm_load_jobs error: Invalid job id specified")
pid = cluster / f"{number}.pid"
alive = pid.exists() and psutil.pid_exists(int(pid.read_text()))
alive = alive and psutil.Process(int(pid.read_text())).status() != psutil.STATUS_ZOMBIE
print("RUNNING None" if alive else "COMPLETED None" if pid.exists() else "PENDING Resources")
"""
SCANCEL = """
import os, sys
from pathlib import Path
assert sys.argv[1] == "--state=PENDING", sys.argv
cluster = Path(os.environ["FAKE_SLURM"])
if not (cluster / f"{sys.argv[2]}.pid").exists():
    (cluster / f"{sys.argv[2]}.sh").unlink()
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the scripts into a folder, and let them be found before any real Slurm."""
    folder.mkdir()
    for name, code in {"sbatch": SBATCH, "srun": SRUN, "squeue": SQUEUE, "scancel": SCANCEL}.items():
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{code}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
