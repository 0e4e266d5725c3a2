"""Places: groups of positions that lie close together."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import polars as pl

from unrolled.data.source import Source, Table, as_table
from unrolled.data.trajectories import EARTH_KM, distance_km, positions
from unrolled.errors import DataError, NotFittedError, OptionError, message, unknown

METHODS = ("clusters", "grid")
PLACE = "place"  # the column that names the place
_BLOCK = 4096  # positions per block in the search for the nearest place


class Places:
    """The assignment of positions to places: dense clusters of positions, or cells of a grid.

    Args:
        latitude: the column of latitudes, in degrees.
        longitude: the column of longitudes, in degrees.
        method: clusters (dense ones, by DBSCAN) or grid (square cells).
        metres: maximum distance between neighbours of one cluster, or the side of a cell.
        least: minimum number of positions in a cluster or a cell.

    Attributes:
        centres_: mean latitude and longitude of each place, (P, 2).

    Source: M. Ester et al., "A Density-Based Algorithm for Discovering Clusters in Large Spatial Databases with Noise",
    KDD 1996, section 4.

    Example:
        >>> frame = pl.DataFrame({"latitude": [50.0, 50.0001, 51.0, 51.0001], "longitude": [8.0, 8.0, 8.0, 8.0]})
        >>> Places(least=2).fit(frame).encode(frame).to_list()
        ['50.0001,8.0000', '50.0001,8.0000', '51.0001,8.0000', '51.0001,8.0000']
    """

    centres_: np.ndarray

    def __init__(
        self,
        latitude: str = "latitude",
        longitude: str = "longitude",
        method: str = "clusters",
        metres: float = 150.0,
        least: int = 3,
    ) -> None:
        self.latitude = latitude
        self.longitude = longitude
        self.method = method
        self.metres = metres
        self.least = least

    def fit(self, frame: pl.DataFrame) -> Self:
        """Find the places in a table.

        Raises:
            OptionError: an unknown method, or sizes that make no sense.
            DataError: columns that hold no positions, or no place among them.
        """
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if not self.metres > 0 or self.least < 1:
            raise OptionError(message("metres, least", expected="numbers > 0", received=(self.metres, self.least)))
        points = positions(frame, self.latitude, self.longitude)
        points = points[~np.isnan(points).any(1)]
        labels = self._clusters(points) if self.method == "clusters" else self._cells(points)
        count = labels.max(initial=-1) + 1
        if count < 1:
            raise DataError(
                message("places", expected=f"{self.least} positions within {self.metres:g} m", received="none anywhere")
            )
        known = labels >= 0
        sums = np.zeros((count, 2))
        np.add.at(sums, labels[known], points[known])
        self.centres_ = sums / np.bincount(labels[known], minlength=count)[:, None]
        return self

    def _clusters(self, points: np.ndarray) -> np.ndarray:
        from sklearn.cluster import DBSCAN

        if not len(points):
            return np.empty(0, dtype=np.int64)
        reach = self.metres / 1000 / EARTH_KM
        model = DBSCAN(eps=reach, min_samples=self.least, metric="haversine", algorithm="ball_tree")
        return model.fit_predict(np.radians(points))

    def _cells(self, points: np.ndarray) -> np.ndarray:
        """Return the cell of each position, -1 for cells that hold too few positions."""
        high = np.degrees(self.metres / 1000 / EARTH_KM)
        rows = np.floor(points[:, 0] / high)
        wide = high / np.maximum(np.cos(np.radians(rows * high)), 1e-3)  # in degrees, so that cells stay square
        cells = np.stack([rows, np.floor(points[:, 1] / wide)], 1)
        _, labels, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        kept = np.cumsum(counts >= self.least) - 1
        return np.where(counts >= self.least, kept, -1)[labels.reshape(-1)]

    def encode(self, frame: pl.DataFrame) -> pl.Series:
        """Return the name of each row's place, which is its centre; null if none is near enough."""
        if not hasattr(self, "centres_"):
            raise NotFittedError("these places are not known yet; call fit(frame)")
        points = positions(frame, self.latitude, self.longitude)
        names = np.array([f"{latitude:.4f},{longitude:.4f}" for latitude, longitude in self.centres_], dtype=object)
        found = np.full(len(points), None, dtype=object)
        reach = 2 * self.metres / 1000  # a cluster is wider than the distance between its neighbours
        for start in range(0, len(points), _BLOCK):
            some = points[start : start + _BLOCK, :, None]
            far = distance_km(some[:, 0], some[:, 1], (self.centres_[:, 0], self.centres_[:, 1]))  # (M, P)
            near = np.nan_to_num(far, nan=np.inf).argmin(1)
            close = far[np.arange(len(far)), near] <= reach
            found[start : start + _BLOCK][close] = names[near[close]]
        return pl.Series(PLACE, found.tolist(), dtype=pl.String)

    def table(self, data: Source) -> Table:
        """Return the rows with a column of places; rows at no place are left out."""
        table = as_table(data)
        named = table.frame.with_columns(self.encode(table.frame))
        return Table(named.drop_nulls(PLACE), times=table.times)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        own = {name: getattr(self, name) for name in ("latitude", "longitude", "method", "metres", "least")}
        return {**own, "centres": self.centres_.tolist()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        places = cls(**{name: value for name, value in data.items() if name != "centres"})
        places.centres_ = np.asarray(data["centres"], dtype=np.float64).reshape(-1, 2)
        return places

    def __repr__(self) -> str:
        return f"Places({self.latitude!r}, {self.longitude!r}, {self.method!r}, {self.metres:g} m)"
