"""Paid calls as Luigi tasks, eight worker processes; what is done is a file. Started again after a kill."""

from __future__ import annotations

from pathlib import Path

import luigi

from shop import AT_ONCE, buy, told


class Shot(luigi.Task):  # type: ignore[misc]
    number = luigi.IntParameter()
    place = luigi.Parameter()
    url = luigi.Parameter()
    key = luigi.Parameter()

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(Path(self.place, f"shot-{self.number}")))

    def run(self) -> None:
        made = buy(self.number, self.url, self.key)
        with self.output().open("w") as file:
            file.write(made)


if __name__ == "__main__":
    count, place, url, key = told()
    shots = [Shot(number=number, place=place, url=url, key=key) for number in range(count)]
    done = luigi.build(shots, local_scheduler=True, workers=AT_ONCE, log_level="ERROR")
    raise SystemExit(0 if done else 1)
