#!/usr/bin/env python3
"""Makes sampling.json: probabilities of the next token under a temperature and top-p, by transformers' warpers.

    python3 data/golden/make_sampling.py [--python FILE]

Each case holds scores, temperature and top_p, and the probabilities that the warped scores give (0 for a token that is left out).
`edge` is how far the probability before the last token that stays is from top_p, so that rounding decides nothing.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import torch  # noqa: E402
import transformers  # noqa: E402


def main():
    generator = torch.Generator().manual_seed(20261128)
    cases = []
    for spread in (0.5, 1.5, 4.0):
        scores = (torch.randn(60, generator=generator) * spread).round(decimals=3)
        if spread == 1.5:
            scores[[4, 9]] = -float("inf")  # banned by a rule before
        for temperature, top_p in ((1.0, 1.0), (0.7, 0.9), (1.5, 0.5), (0.3, 0.97), (2.0, 0.05)):
            warped = transformers.TemperatureLogitsWarper(temperature)(None, scores[None])
            plain = warped.softmax(-1)[0].double().sort(descending=True).values.cumsum(0)
            if top_p < 1:
                warped = transformers.TopPLogitsWarper(top_p)(None, warped)
            edge = float((plain - top_p).abs().min()) if top_p < 1 else 1.0
            print(spread, temperature, top_p, int((warped > -float("inf")).sum()), edge)
            assert edge > 1e-5
            cases.append(
                {
                    "scores": [None if s == -float("inf") else round(s, 3) for s in scores.tolist()],
                    "temperature": temperature,
                    "top_p": top_p,
                    "probabilities": [round(p, 9) for p in warped.softmax(-1)[0].double().tolist()],
                }
            )
    (HERE / "sampling.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
