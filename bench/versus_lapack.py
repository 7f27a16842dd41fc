#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Factorisations of low rank by ctlm, by LAPACK's full decomposition and by randomised ones of libraries, in one run.

  python bench/versus_lapack.py build/release/bench/low_rank [--threads 1,2] [--seconds 1] [--noise 0.1]

The matrices, float32, are of the wanted rank with singular values that fall by 3 % each, and noise of a tenth of their
length. Peers that are not installed are left out: scipy (gesdd), torch (svd, which is gesdd of its LAPACK; svd_lowrank),
scikit-learn (randomized_svd). `power` is the number of power steps (niter, n_iter). Printed are the fastest time of each, the
error over the best of that rank, and how much longer each takes than ctlm with as many power steps; of gesdd, than ctlm
without any and with one. Threads of the peers are set by the environment, so that each number of threads is a process.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

SHAPES = [(256, 256, 26), (1000, 1000, 100), (5000, 256, 26)]


def options():
    p = argparse.ArgumentParser(description="factorisations of low rank, ctlm beside libraries")
    p.add_argument("program", help="the built bench/low_rank")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--seconds", type=float, default=1, help="for each measurement")
    p.add_argument("--noise", type=float, default=0.1, help="its length over that of the rest")
    p.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    return p.parse_args()


def matrix(np, rows, cols, rank, noise):
    random = np.random.default_rng(rows + cols)
    u = np.linalg.qr(random.standard_normal((rows, rank)))[0]
    v = np.linalg.qr(random.standard_normal((cols, rank)))[0]
    a = (u * 0.97 ** np.arange(rank)) @ v.T
    e = random.standard_normal(a.shape)
    return (a + e * (noise * np.linalg.norm(a) / np.linalg.norm(e))).astype(np.float32)


def fastest(f, seconds):
    f()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        f()
        times.append(time.perf_counter() - before)
    return 1e3 * min(times)


def full_peers(a):
    """(name, function) of all full decompositions that there are."""
    try:
        import scipy.linalg
        yield "gesdd (scipy)", lambda: scipy.linalg.svd(a, full_matrices=False, lapack_driver="gesdd", check_finite=False)
    except ImportError:
        pass
    try:
        import torch
        t = torch.from_numpy(a)
        yield "gesdd (torch)", lambda: torch.linalg.svd(t, full_matrices=False)
    except ImportError:
        pass


def random_peers(a, rank, power):
    try:
        import torch
        t = torch.from_numpy(a)
        yield "torch.svd_lowrank", lambda: [x.numpy() for x in torch.svd_lowrank(t, q=rank + 10, niter=power)]
    except ImportError:
        pass
    try:
        from sklearn.utils.extmath import randomized_svd
        yield "sklearn.randomized_svd", lambda: randomized_svd(a, rank, n_oversamples=10, n_iter=power, random_state=0)
    except ImportError:
        pass


def error(np, a, rank, u, s, v):
    return np.linalg.norm(a.astype(float) - (u[:, :rank].astype(float) * s[:rank]) @ v[:rank].astype(float))


def ours(o, path, rows, cols, rank, power):
    done = subprocess.run([o.program, str(rows), str(cols), str(rank), path, "--threads", str(o.child), "--power", str(power),
                           "--seconds", str(o.seconds)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(o):
    import numpy as np
    try:
        import torch
        torch.set_num_threads(o.child)
    except ImportError:
        pass
    for rows, cols, rank in SHAPES:
        a = matrix(np, rows, cols, rank, o.noise)
        best = np.sqrt((np.linalg.svd(a.astype(float), compute_uv=False)[rank:] ** 2).sum())
        length = np.linalg.norm(a.astype(float))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "matrix.f32")
            a.tofile(path)
            runs = {power: ours(o, path, rows, cols, rank, power) for power in (0, 1, 2)}
        print(f"\n{rows} x {cols}, rank {rank}, threads {o.child}: best error {best / length:.4f}")
        print(f"{'':24} {'power':>5} {'ms':>9} {'error / best':>13} {'energy':>8}   over ctlm's time")
        for power, r in runs.items():
            e = r["error"]
            print(f"{'ctlm':24} {power:5} {r['fastest_ms']:9.3f} {e * length / best:13.3f} {1 - e * e:8.4f}")
        for name, f in full_peers(a):
            ms = fastest(f, o.seconds)
            over = ", ".join(f"{ms / runs[power]['fastest_ms']:.1f} (power {power})" for power in (0, 1))
            print(f"{name:24} {'':5} {ms:9.3f} {1:13.3f} {1 - (best / length) ** 2:8.4f}   {over}", flush=True)
        for power in (0, 1, 2):
            for name, f in random_peers(a, rank, power):
                ms, (u, s, v) = fastest(f, o.seconds), f()
                e = error(np, a, rank, u, s, v.T if name.startswith("torch") else v)
                print(f"{name:24} {power:5} {ms:9.3f} {e / best:13.3f} {1 - (e / length) ** 2:8.4f}   "
                      f"{ms / runs[power]['fastest_ms']:.1f}", flush=True)


def main():
    o = options()
    if o.child:
        return measure(o)
    for threads in o.threads.split(","):
        limited = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        if subprocess.run([sys.executable, __file__, *sys.argv[1:], "--child", threads], env={**os.environ, **limited}).returncode:
            sys.exit("versus_lapack: a measurement failed")


if __name__ == "__main__":
    main()
