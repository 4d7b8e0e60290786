#!/usr/bin/env python3
"""Score `breakeven-collector forecast` on public series: OWA, MSIS, coverage, bars.

usage: score_forecast.py --program CMD [--data DIR] [--out DIR] [--no-bars] [SET...]

CMD gets `--input train.csv.gz --output fc.csv` appended, once a set. DIR holds
<set>_train.csv.gz and <set>_test.csv.gz; without it, $BREAKEVEN_CORPUS/forecast. Prints
one row a set and leaves 1 when a bar is missed, 2 on an error.

Scores: sMAPE, MASE and MSIS as in the M4 competition, per series, then the mean over a
set; OWA against Naive2, ratios of the set's means. NA in the test part is not scored.
"""
import argparse
import gzip
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time

# set: OWA, MSIS95 (None: no bar), coverage 95, coverage 80
BARS = {
    "m3m": (0.825, 6.5, (0.93, 0.97), (0.78, 0.84)),
    "trm": (0.845, 12.8, (0.93, 0.97), (0.78, 0.85)),
    "m4w": (0.85, 16.6, (0.93, 0.975), (0.78, 0.86)),
    "nn5d": (0.63, 7.0, (0.93, 0.97), (0.78, 0.89)),
    "pypim": (0.91, None, (0.90, 0.97), (0.78, 0.85)),
    "m4d": (1.00, 44.0, (0.91, 0.97), (0.78, 0.87)),
    "m4h": (0.59, 10.0, (0.93, 0.97), (0.80, 0.92)),
    "sgh": (0.88, 12.0, (0.93, 0.97), (0.80, 0.92)),
}


def value(text):
    return math.nan if text in ("NA", "") else float(text)


def rows(path):
    with gzip.open(path, "rt") as f:
        next(f)
        for line in f:
            yield line.rstrip("\n").split(",")


def read_train(path):
    out = {}
    for r in rows(path):
        out[r[0]] = (int(r[1]), [value(v) for v in r[6:]])
    return out


def read_test(path):
    return {r[0]: [value(v) for v in r[2:]] for r in rows(path)}


def read_forecast(path):
    out = {}
    with open(path) as f:
        head = next(f).strip()
        if head != "id,step,point,lo80,hi80,lo95,hi95":
            raise SystemExit(f"{path}: header is '{head}'")
        for line in f:
            name, step, *v = line.strip().split(",")
            out.setdefault(name, []).append([float(x) for x in v])
            if len(out[name]) != int(step):
                raise SystemExit(f"{path}: {name} step {step} is out of order")
    return out


def interpolate(y):
    """Linear over gaps; the ends repeat the nearest value."""
    known = [i for i, v in enumerate(y) if not math.isnan(v)]
    out = list(y)
    for i, v in enumerate(y):
        if not math.isnan(v):
            continue
        before = [k for k in known if k < i][-1:]
        after = [k for k in known if k > i][:1]
        if before and after:
            a, b = before[0], after[0]
            out[i] = y[a] + (y[b] - y[a]) * (i - a) / (b - a)
        else:
            out[i] = y[(before or after)[0]]
    return out


def seasonal_test(y, m):
    n = len(y)
    if m < 2 or n < 3 * m:
        return False
    mean = sum(y) / n
    d = [v - mean for v in y]
    var = sum(v * v for v in d)
    if var == 0:
        return False
    r = [sum(d[t] * d[t - k] for t in range(k, n)) / var for k in range(1, m + 1)]
    bar = 1.645 * math.sqrt((1 + 2 * sum(v * v for v in r[:-1])) / n)
    return abs(r[-1]) > bar


def classical_indices(y, m):
    """Multiplicative: ratio to the centred moving average, means normalised to 1."""
    n, half = len(y), m // 2
    sums, counts = [0.0] * m, [0] * m
    for t in range(half, n - half):
        w = y[t - half : t + half + 1]
        c = sum(w) / m if m % 2 else (sum(w) - (w[0] + w[-1]) / 2) / m
        if c != 0:
            sums[t % m] += y[t] / c
            counts[t % m] += 1
    index = [s / k if k else 1.0 for s, k in zip(sums, counts)]
    mean = sum(index) / m
    return [i / mean for i in index]


def naive2(y, m, h):
    n = len(y)
    if not seasonal_test(y, m):
        return [y[-1]] * h
    index = classical_indices(y, m)
    last = y[-1] / index[(n - 1) % m]
    return [last * index[(n + i) % m] for i in range(h)]


def smape(y, f):
    e = [200 * abs(a - b) / (abs(a) + abs(b)) if a or b else 0.0
         for a, b in zip(y, f) if not math.isnan(a)]
    return sum(e) / len(e)


def mase(y, f, scale):
    e = [abs(a - b) for a, b in zip(y, f) if not math.isnan(a)]
    return sum(e) / len(e) / scale


def msis(y, lo, hi, alpha, scale):
    e = [(u - l) + 2 / alpha * (max(0, l - a) + max(0, a - u))
         for a, l, u in zip(y, lo, hi) if not math.isnan(a)]
    return sum(e) / len(e) / scale


def cover(y, lo, hi):
    e = [l <= a <= u for a, l, u in zip(y, lo, hi) if not math.isnan(a)]
    return sum(e) / len(e)


def score_set(train, test, forecast):
    sums = dict.fromkeys(("smape", "mase", "smape2", "mase2", "msis", "c95", "c80"), 0.0)
    for name, (m, raw) in train.items():
        y, f = test[name], forecast[name]
        if len(f) != len(y):
            raise SystemExit(f"{name}: {len(f)} steps, {len(y)} wanted")
        x = interpolate(raw)
        diffs = [abs(x[t] - x[t - m]) for t in range(m, len(x))]
        scale = sum(diffs) / len(diffs)
        point, lo80, hi80, lo95, hi95 = zip(*f)
        base = naive2(x, m, len(y))
        sums["smape"] += smape(y, point)
        sums["mase"] += mase(y, point, scale)
        sums["smape2"] += smape(y, base)
        sums["mase2"] += mase(y, base, scale)
        sums["msis"] += msis(y, lo95, hi95, 0.05, scale)
        sums["c95"] += cover(y, lo95, hi95)
        sums["c80"] += cover(y, lo80, hi80)
    return {k: v / len(train) for k, v in sums.items()}


def missed(name, owa, s):
    bar_owa, bar_msis, c95, c80 = BARS[name]
    out = []
    if owa > bar_owa:
        out.append(f"OWA > {bar_owa}")
    if bar_msis is not None and s["msis"] > bar_msis:
        out.append(f"MSIS95 > {bar_msis}")
    for label, got, (lo, hi) in (("95", s["c95"], c95), ("80", s["c80"], c80)):
        if not lo <= got <= hi:
            out.append(f"cover{label} outside {lo}-{hi}")
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--program", required=True)
    p.add_argument("--data", default=os.path.join(
        os.environ.get("BREAKEVEN_CORPUS", "../shared/data"), "forecast"))
    p.add_argument("--out", help="keep the forecasts here")
    p.add_argument("--no-bars", action="store_true")
    p.add_argument("sets", nargs="*")
    a = p.parse_args()
    if not os.path.isdir(a.data):
        print(f"skipped: no {a.data}")
        return 0
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        print(f"{'set':6} {'series':>6} {'sMAPE':>8} {'MASE':>7} {'OWA':>6} "
              f"{'MSIS95':>7} {'cov95':>6} {'cov80':>6} {'s':>6}  bars")
        for name in a.sets or BARS:
            out = os.path.join(a.out or tmp, f"{name}_fc.csv")
            start = time.monotonic()
            subprocess.run(shlex.split(a.program) + [
                "--input", f"{a.data}/{name}_train.csv.gz", "--output", out], check=True)
            seconds = time.monotonic() - start
            train = read_train(f"{a.data}/{name}_train.csv.gz")
            s = score_set(train, read_test(f"{a.data}/{name}_test.csv.gz"),
                          read_forecast(out))
            owa = (s["smape"] / s["smape2"] + s["mase"] / s["mase2"]) / 2
            why = [] if a.no_bars else missed(name, owa, s)
            bad += bool(why)
            print(f"{name:6} {len(train):6} {s['smape']:8.3f} {s['mase']:7.4f} {owa:6.4f} "
                  f"{s['msis']:7.2f} {s['c95']:6.3f} {s['c80']:6.3f} {seconds:6.2f}  "
                  f"{'; '.join(why) or 'ok'}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
