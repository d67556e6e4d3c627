"""Judges the sounds that tests/interop/quality.rs left in a folder, and prints the table.

PESQ compares each with the speech that was sent: narrow band (P.862) for G.711, wide band (P.862.2) for the others.
"""

import csv
import multiprocessing
import os
import sys

import numpy
import pesq
from scipy.io import wavfile
from scipy.signal import fftconvolve, resample_poly

WAYS = ("ours", "bare", "baresip")


def read(path, rate):
    """A sound at another rate, as floats."""
    own, samples = wavfile.read(path)
    samples = samples.astype(float) / 32768
    return samples if own == rate else resample_poly(samples, rate, own)


def score(job):
    """How near one sound is to what was sent, 1 (bad) to 4.5; nothing where there is no sound."""
    folder, case, codec, way = job
    path = os.path.join(folder, f"{case}.{way}.wav")
    if not os.path.exists(path):
        return None
    rate, band = (8000, "nb") if codec.startswith("PCM") else (16000, "wb")
    sent = read(os.path.join(folder, f"speech-{rate}.wav"), rate)
    heard = read(path, rate)
    # Where in it the speech begins on the whole; PESQ finds by itself how the delay changes on the way.
    lag = int(numpy.argmax(fftconvolve(heard, sent[::-1]))) - (len(sent) - 1)
    heard = heard[lag:] if lag >= 0 else numpy.concatenate([numpy.zeros(-lag), heard])
    heard = numpy.pad(heard, (0, max(0, len(sent) - len(heard))))[: len(sent)]
    # One talker after the other, each a piece of the length that the measure is for.
    half = len(sent) // 2
    pieces = [(sent[:half], heard[:half]), (sent[half:], heard[half:])]
    return sum(pesq.pesq(rate, a, b, band) for a, b in pieces) / len(pieces)


def main(folder):
    with open(os.path.join(folder, "figures.tsv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    jobs = [(folder, row["case"], row["codec"], way) for row in rows for way in WAYS]
    with multiprocessing.Pool(2) as pool:
        scores = iter(pool.map(score, jobs, chunksize=6))
    print("codec  loss            jitter | lost % inj. rep. | jitter ms inj. rep. | conc. %  late | E-model | PESQ: ours  bare  baresip")
    means = {}
    for row in rows:
        got = [next(scores) for _ in WAYS]
        of_row = ["   –" if s is None else f"{s:4.2f}" for s in got]
        share = [100 * int(row[name]) / int(row["sent"]) for name in ("lost", "reported_lost")]
        loss = f"{row['percent']} % {row['kind']}" if row["percent"] != "0" else "none"
        print(
            f"{row['codec']:5}  {loss:14}  {row['jitter_ms']:>3} ms | {share[0]:11.2f} {share[1]:5.2f}"
            f" | {float(row['injected_jitter_ms']):14.2f} {float(row['reported_jitter_ms']):5.2f}"
            f" | {float(row['concealed_percent']):7.2f} {row['late']:>5} | {row['reported_mos']:>7}"
            f" | {of_row[0]:>10}  {of_row[1]}  {of_row[2]:>7}"
        )
        if None not in got:
            means.setdefault((row["codec"], row["percent"]), []).append(got)
    print("\nMeans over jitter and kind of loss:")
    for (codec, percent), got in means.items():
        ours, bare, baresip = numpy.mean(got, axis=0)
        print(f"{codec:5}  {percent:>2} %   ours {ours:.2f}   bare {bare:.2f}   baresip {baresip:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
