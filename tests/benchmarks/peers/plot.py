"""Draws throughput and latency by concurrency, as {"points", "title", "path"} on stdin say."""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "parley"  # the same figures give the same file
import matplotlib.pyplot as plt  # noqa: E402 - after the choice of the backend

told = json.load(sys.stdin)
points = told["points"]
callers = [point["concurrency"] for point in points]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
figure.suptitle(told["title"], fontsize=10)
left.plot(callers, [point["texts_per_second"] for point in points], marker="o")
left.set_ylabel("sentences a second")
left.set_ylim(bottom=0)
right.plot(callers, [point["p99_ms"] for point in points], marker="o", label="p99")
right.plot(callers, [point["p50_ms"] for point in points], marker="o", label="p50")
right.set_ylabel("latency, milliseconds")
right.set_yscale("log")
right.yaxis.set_major_formatter("{x:g}")
right.legend()
for axes in (left, right):
    axes.set_xscale("log", base=2)
    axes.set_xticks(callers, [str(each) for each in callers])
    axes.set_xlabel("callers at once")
    axes.grid(alpha=0.3)
figure.savefig(told["path"], metadata={"Date": None})
